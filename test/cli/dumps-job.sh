#!/bin/bash
# Goal: a dump that was made for a job has the job's slot and plan in its record: `dumps --json`, a
# rebuilt index and the second reader show them. A dump made by hand has neither.
. "$(dirname "$0")/lib.sh"
workspace
mkdir tree
echo a >tree/file
"$FDUMP" store init s >/dev/null
backup() { "$FDUMP" backup -s ./s --unencrypted --state state -C tree "$@" . >/dev/null; }
shown() { "$FDUMP" dumps -s ./s --json | sed -n 's/.*"slot":\([0-9]*\),"plan":"\([0-9a-f]*\)".*/\1:\2/p'; }

backup
[ -z "$(shown)" ] || fail "by hand: $(shown)"
backup --job 1700000000:0123456789abcdef
backup --job 0:ffffffffffffffff
printf '1700000000:0123456789abcdef\n0:ffffffffffffffff\n' >want
shown | diff want - || fail "dumps"
python3 "$SRC/test/storereader.py" list s | cut -d' ' -f7 | grep . | diff want - || fail "second reader"
"$FDUMP" store rebuild s >/dev/null
shown | diff want - || fail "rebuilt"

for job in 1 1: :0123456789abcdef 1:0123456789abcde 1:0123456789ABCDEF -1:0123456789abcdef \
	1700000000:0123456789abcdef0 1234567890123456789:0123456789abcdef; do
	status=0
	backup --job "$job" 2>err || status=$?
	[ $status = 2 ] && grep -q -- "--job: expected SLOT:PLAN" err || fail "'$job': $status $(cat err)"
done
