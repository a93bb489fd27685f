# Goal: two dumps are compared by their manifests: entries that are gone, new or changed, and in
# what way they changed.
. "$(dirname "$0")/lib.sh"
workspace
fdump() { "$FDUMP" "$@"; }
fail() { echo "$*"; cat out; exit 1; }
status_of() { status=0; "$@" >out || status=$?; }

fdump key new --no-passphrase key >/dev/null
fdump store init one
mkdir -p tree/d tree/gone.d
for i in a b c d/e gone gone.d/x; do echo "$i" >tree/$i; done
ln -s a tree/link
back() { fdump backup -s ./one --to key.pub --state state -C tree "$@" . >/dev/null; }
diff() { status_of fdump diff -s ./one --key key "$@"; }
back --command 'z.sql=echo 1' --command 'a.sql=echo 2'
first=$(fdump dumps -s ./one --json | sed -n 's/.*"dump": *"\([0-9a-f]*\)".*/\1/p' | head -1)
[ -n "$first" ] || fail "no dump: $(fdump dumps -s ./one --json)"
diff $first latest
[ $status = 0 ] && [ ! -s out ] || fail "the same dump: status $status"

rm -r tree/gone tree/gone.d
echo more >>tree/a
chmod 600 tree/b
echo C >tree/c
ln -sf b tree/link
echo new >tree/d/new
back --command 'a.sql=echo 3' --command 'n.sql=echo 4'
diff $first latest
[ $status = 1 ] || fail "status $status"
sed 's/, mtime\|mtime, //; s/: mtime$//' out | grep -v '^changed \(\.\|d\)$' >lines
cat >want <<'END'
changed a.sql: content
extra n.sql
missing z.sql
changed a: size
changed b: mode
changed c: content
extra d/new
missing gone
missing gone.d
missing gone.d/x
changed link: target
END
cmp lines want || fail "not what was changed: $(cat lines)"
diff --json $first latest d
grep -q '"path": *"d/new"' out || fail "no JSON"
! grep -q sql out || fail "more than was asked for"
status=0
fdump diff -s ./one --key key latest 2>/dev/null || status=$?
[ $status = 2 ] || fail "one dump alone: status $status"
