# Goal: an entry with an unknown key that must be understood is refused and reported alone: all
# others are listed, unpacked, compared and verified, whether a pack is read by its index or in
# sequence; and the same in a dump.
. "$(dirname "$0")/lib.sh"
needs python3
workspace
fail() { echo "$*"; cat out err; exit 1; }

# --- packs: the odd entry in one block, and over two -------------------------

for odd in 7 70000; do
	PYTHONPATH="$SRC/test" python3 - $odd >p <<'END'
import sys
from packmake import Pack
p = Pack(room=60000)
content = [b"x" * int(sys.argv[1])]
p.entry(b"first", data=[b"first"])
p.entry(b"head", data=content, head={"Odd": 1})
p.entry(b"second", data=[b"second"])
p.index()
p.entry(b"long", data=content, head={"x": {b"user.a" * 43: b""}})
p.entry(b"tail", data=content, tail={"Odd": 1})
p.entry(b"third", data=[b"third"])
p.index()
p.entry(b"fourth", data=[b"fourth"])
sys.stdout.buffer.write(p.finish())
END
	all='first second third fourth head long tail'
	for how in "-f p" "-f - < <(cat p)"; do
		# shellcheck disable=SC2086 # words
		for paths in "$all" ""; do
			rm -rf t
			mkdir t
			eval status_of '"$FDUMP"' unpack $how -C t $paths
			[ $status = 5 ] || fail "unpack $how $paths: status $status"
			[ "$(ls t | tr '\n' ' ')" = 'first fourth second third ' ] || fail "unpack $how $paths: $(ls t)"
			for n in head tail; do
				grep -q "$n: .*unknown required key 'Odd'" err || fail "unpack $how $paths: $n"
			done
			grep -q "long: .*an attribute's name" err || fail "unpack $how $paths: long"
			[ "$(grep -c "unpack: .*refused" err)" = 3 ] || fail "unpack $how $paths: more than these"
			grep -q 'index does not match\|END does not' err && fail "unpack $how $paths: more"
		done
		rm -rf t
		mkdir t
		# What was not asked for does not matter, if it need not be read.
		eval status_of '"$FDUMP"' unpack $how -C t first fourth
		[ "$how" != "-f p" ] || [ $status = 0 ] || fail "unpack first: status $status"
		cmp -s t/fourth <(printf fourth) || fail "unpack $how fourth"
	done
	status_of "$FDUMP" list -f p
	[ $status = 5 ] && [ "$(tr '\n' ' ' <out)" = 'first head second long third fourth ' ] &&
		grep -q "tail: .*unknown required key 'Odd'" err || fail "list: status $status"
	status_of "$FDUMP" list -f - < <(cat p)
	[ $status = 5 ] && [ "$(tr '\n' ' ' <out)" = 'first second third fourth ' ] || fail "list in sequence: status $status"
	for n in head tail; do
		status_of "$FDUMP" cat -f p $n
		[ $status = 5 ] || [ $status = 2 ] || fail "cat $n: status $status"
		grep -q "$n: .*unknown required key 'Odd'" err || fail "cat $n"
	done
	status_of "$FDUMP" cat -f p third
	[ $status = 0 ] && [ "$(cat out)" = third ] || fail "cat third"
	status_of "$FDUMP" verify -v p
	[ $status = 5 ] && [ "$(grep -c ': ok$' out)" = 4 ] && [ "$(grep -c refused out)" = 3 ] || fail "verify: status $status"
	mkdir -p live
	for n in first second third fourth; do printf $n >live/$n; touch -d @1700000000.123456789 live/$n; done
	status_of "$FDUMP" diff -f p -C live
	[ $status = 5 ] && [ ! -s out ] || fail "diff: status $status"
done

# --- dumps -------------------------------------------------------------------

mkdir tree tree/c tree/dir-odd-head
for n in a odd-head odd-tail z; do echo "$n" >"tree/$n"; done
echo c >tree/c/c
echo d >tree/dir-odd-head/d
"$FDUMP" key new --no-passphrase key >/dev/null
"$FDUMP" store init store
for i in 1 2; do
	echo $i >tree/z
	"$FDUMP" backup -s ./store --unencrypted --level 0 --state state -C tree . >/dev/null
done
python3 "$SRC/test/liar.py" store odd
status_of "$FDUMP" store rebuild store
[ $status = 0 ] || fail "rebuild: status $status"
use() { # COMMAND... : ends with status 5, and reports the odd entries
	status_of "$@"
	[ $status = 5 ] || fail "$*: status $status"
	for n in odd-head dir-odd-head; do
		cat out err | grep -q "$n: .*unknown required key 'O'" || fail "$*: $n"
	done
}
from=(-s ./store --state state)
id=$("$FDUMP" dumps -s ./store --json | sed -n 's/.*"dump": *"\([0-9a-f]*\)".*/\1/p' | head -1)
for select in "" "a c odd-head odd-tail dir-odd-head z" "--exclude *none"; do
	rm -rf t
	# shellcheck disable=SC2086 # words
	use "$FDUMP" restore "${from[@]}" -C t latest $select
	for n in a c/c dir-odd-head/d z; do cmp "t/$n" "tree/$n" || fail "restore $select: $n"; done
	[ ! -e t/odd-head ] && [ ! -e t/odd-tail ] || fail "restore $select: odd ones"
done
status_of "$FDUMP" restore "${from[@]}" -C t latest a z
[ $status = 0 ] || fail "restore a z: status $status"
use "$FDUMP" files "${from[@]}" latest
[ "$(tr '\n' ' ' <out)" = '. a c c/c dir-odd-head/d z ' ] || fail "files"
use "$FDUMP" restore "${from[@]}" --dry-run -C t latest
[ "$(tail -1 out)" = z ] || fail "restore --dry-run"
use "$FDUMP" find "${from[@]}" z
[ "$(grep -c '  z$' out)" = 2 ] || fail "find"
use "$FDUMP" diff -s ./store "$id" latest
grep -q 'z: .*content' out || fail "diff"
use "$FDUMP" verify store
for n in odd-head odd-tail dir-odd-head; do
	grep -q " $n: .*'O'" err || fail "verify: $n"
done
grep -q "lost: the same as of dump .* (3 problems)" err || fail "verify: the other dump"
status_of "$FDUMP" cat -s ./store latest odd-head
[ $status = 5 ] && grep -q "odd-head: .*'O'" err || fail "cat"
status_of "$FDUMP" cat -s ./store latest z
[ $status = 0 ] && [ "$(cat out)" = 2 ] || fail "cat z"
use "$FDUMP" export "${from[@]}" -f p latest
status_of "$FDUMP" list -f p
[ "$(tr '\n' ' ' <out)" = '. a c c/c dir-odd-head/d z ' ] || fail "export"
