# Goal: if gc leaves garbage because it is too small a part of a volume, it says how much and why;
# with --threshold 1 the garbage goes. Records that are kept for ever do not count as garbage.
. "$(dirname "$0")/lib.sh"
needs python3
workspace
fail() { echo "$*"; cat out; exit 1; }
back() { "$FDUMP" backup --unencrypted --state state -C tree . -s ./one >/dev/null; }
left() { python3 -c 'import json; print(json.load(open("out"))["left"])'; }

mkdir tree
"$FDUMP" store init one
head -c 1000000 /dev/urandom >tree/a
back
head -c 4000000 /dev/urandom >tree/a
back
"$FDUMP" store gc one >out
grep -q 'stay' out && fail "nothing is garbage"
"$FDUMP" forget -s ./one --keep-last 1 --yes >/dev/null
for how in --dry-run ""; do
	# shellcheck disable=SC2086 # empty: no word
	"$FDUMP" store gc one $how --json >out
	[ "$(left)" -gt 990000 ] && [ "$(left)" -lt 1100000 ] || fail "--json $how"
done
"$FDUMP" store gc one >out
grep -q '^0 bytes given back' out && grep -q 'less than 30 %.*--threshold 1' out || fail "does not say what stays"
"$FDUMP" store gc one --threshold 1 >out
grep -q '^[0-9]\{6,\} bytes given back, 1 volumes' out && ! grep -q stay out || fail "was not removed"
"$FDUMP" store gc one --json >out
[ "$(left)" = 0 ] || fail "a DELETE is taken for garbage"
