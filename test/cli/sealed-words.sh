#!/bin/bash
# Goal: what is wrong with the sealing is said as it is: a pack that is not sealed, though a key
# was given; KEY blocks that differ, also to one without the key.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
mkdir tree out
echo content >tree/file
"$FDUMP" key new --no-passphrase key >/dev/null
"$FDUMP" pack -f plain -C tree .
"$FDUMP" pack -f sealed --to key.pub -C tree .
for command in "unpack -C out" "list" "diff -C tree"; do
	status=0
	# shellcheck disable=SC2086
	"$FDUMP" $command --key key -f plain >said 2>&1 || status=$?
	[ "$status" != 0 ]
	grep -q "not sealed, though a key was given" said
done
[ ! -e out/file ]
PYTHONPATH=$SRC/test python3 - <<'PY'
from flips import remake
from packmake import blocks
data = open("sealed", "rb").read()
parts = blocks(data)
last = [i for i, b in enumerate(parts) if b[5] == 2][-1]
at = sum(map(len, parts[:last]))
forged = bytearray(data)
forged[at + 64 + 20] ^= 1
remake(forged, at, at + len(parts[last]))
open("differs", "wb").write(forged)
PY
for key in "" "--key key"; do
	status=0
	# shellcheck disable=SC2086
	"$FDUMP" verify $key differs >said || status=$?
	[ "$status" = 5 ]
	grep -q "KEY block differs from the one before" said
done
