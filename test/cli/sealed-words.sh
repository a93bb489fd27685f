#!/bin/bash
# Goal: messages about sealing are accurate: an unsealed pack, if a key was given, is refused
# (status 6, it is not damaged), also from a pipe and after a sealed pack; KEY blocks that differ
# are reported, even without a key.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
mkdir tree out
echo content >tree/file
"$FDUMP" key new --no-passphrase key >/dev/null
"$FDUMP" pack -f plain -C tree .
"$FDUMP" pack -f sealed --to key.pub -C tree .
cat sealed plain >both
for command in "unpack -C out -f" "unpack --skip-damaged -C out -f" "list -f" "diff -C tree -f" "verify" "unpack -C out -f PACK file" "cat -f PACK file"; do
	for pack in plain both; do
		for from in $pack -; do
			status=0
			rm -f out/file
			case $command in *PACK*) all=${command/PACK/$from} ;; *) all="$command $from" ;; esac
			# shellcheck disable=SC2086
			"$FDUMP" $all --key key <$pack >said 2>&1 || status=$?
			[ "$status$from" != 0- ] || [ "$command" != "cat -f PACK file" ] || continue # it was found in the first pack
			[ "$status" = 6 ] && [ "$(grep -c "not sealed, though a key was given" said)" = 1 ] ||
				{ echo "$all <$pack: $status"; cat said; exit 1; }
			[ $pack = both ] || [ ! -e out/file ]
		done
	done
done
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
	grep -q "KEY block differs from the pack's first one" said
done
