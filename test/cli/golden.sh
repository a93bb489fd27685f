#!/bin/bash
# Goal: packs of former days are read as they were then, by both readers.
set -eu
python3 "$SRC/test/golden.py" check "$FDUMP" "$SRC/test/data/golden"
