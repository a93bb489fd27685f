# Goal: if a hard link is selected without the name that it links to, restore and export still
# provide the data; further links link to it, and other selected entries are as before.
. "$(dirname "$0")/lib.sh"
workspace
fdump() { "$FDUMP" "$@"; }
fail() { echo "$*"; cat out err; exit 1; }

mkdir -p tree/a tree/b/c tree/m tree/z
head -c 7000000 /dev/urandom >tree/a/large
echo small >tree/a/small
chmod 640 tree/a/large
ln -s target tree/a/symlink
for i in $(seq 20000); do echo >tree/m/$i-a-name-that-makes-the-manifest-longer; done
for d in b b/c z; do
	ln tree/a/large tree/$d/large
	ln tree/a/small tree/$d/small
	ln tree/a/symlink tree/$d/symlink
done
ln tree/b/large tree/m/zlarge
fdump store init one
fdump backup -s ./one --unencrypted --state state -C tree . >/dev/null

check() { # OUT PATHS...: OUT contains exactly these of the tree
	out=$1
	shift
	for p; do diff -r --no-dereference tree/$p $out/$p || fail "$out: $p differs"; done
	[ "$(stat -c %a $out/z/large)" = 640 ] || fail "$out: not the mode of the file"
	[ "$(find $out -links 1 -type f -name 'large*' | wc -l)" = 0 ] || fail "$out: not linked"
	[ "$(find $out -name '*large' -printf '%i\n' | sort -u | wc -l)" = 1 ] || fail "$out: not one file"
	[ "$(find $out -name small -printf '%i\n' | sort -u | wc -l)" = 1 ] || fail "$out: not one file"
	[ ! -e $out/a ] || fail "$out: more than was asked for"
}
for threads in 1 4; do
	rm -rf r p u x
	mkdir r p u x
	status_of fdump restore -s ./one latest -C r --state state --threads $threads b z
	[ $status = 0 ] || fail "restore: status $status"
	check r b z
	status_of fdump restore -s ./one latest -C x --state state --threads $threads --exclude /a
	[ $status = 0 ] || fail "restore --exclude: status $status"
	check x b z m
	status_of fdump export -s ./one latest -f p/x.fdump --threads $threads b z
	[ $status = 0 ] || fail "export: status $status"
	fdump verify p/x.fdump >/dev/null
	fdump unpack -f p/x.fdump -C u
	check u b z
	status_of fdump diff -f p/x.fdump -C tree
	grep -q "^content\|^missing\|^extra" out && fail "export: another content"
done
# Again into the same folder: existing files are kept, and nothing is fetched.
status_of fdump restore -s ./one latest -C r --state state --overwrite if-changed b z
[ $status = 0 ] || fail "restore again: status $status"
check r b z
# A single link.
mkdir one-link
fdump restore -s ./one latest -C one-link --state state z/large
cmp tree/a/large one-link/z/large
