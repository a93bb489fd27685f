#!/bin/bash
# Goal: a pack of 64 KiB with a bit turned over, cut, or with blocks dropped,
# doubled, moved or put in from another pack is never taken for good, and all
# that lies in whole blocks is read. (A sample; test/flips.py runs them all.)
. "$(dirname "$0")/lib.sh"
if whole; then
	python3 "$SRC/test/flips.py" --reader "$BUILD/test/flip" --jobs 2
	exec python3 "$SRC/test/flips.py" --sample 4000
fi
python3 "$SRC/test/flips.py" --reader "$BUILD/test/flip" --sample 1500
python3 "$SRC/test/flips.py" --sample 150
