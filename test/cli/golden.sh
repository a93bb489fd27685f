#!/bin/bash
# Goal: packs written by earlier versions are read with the same result as then, by both readers.
set -eu
python3 "$SRC/test/golden.py" check "$FDUMP" "$SRC/test/data/golden"
