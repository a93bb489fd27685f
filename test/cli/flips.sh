#!/bin/bash
# Goal: a pack of 64 KiB with a flipped bit, cut, or with blocks dropped, doubled, moved or inserted
# from another pack is never accepted as good, and all entries in whole blocks can be read. (A
# sample; test/flips.py runs all cases.)
. "$(dirname "$0")/lib.sh"
if whole; then
	python3 "$SRC/test/flips.py" --reader "$BUILD/test/flip" --jobs 2
	exec python3 "$SRC/test/flips.py" --sample 4000
fi
python3 "$SRC/test/flips.py" --reader "$BUILD/test/flip" --sample 1500
python3 "$SRC/test/flips.py" --sample 150
