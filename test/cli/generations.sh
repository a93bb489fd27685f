#!/bin/bash
# Goal: a tree that changes at random, backed up again and again: each dump restores to exactly
# what was there, after gc and from damaged stores too. test/generations.py does more.
. "$(dirname "$0")/lib.sh"
count=8
! whole || count=30
python3 "$SRC/test/generations.py" "$FDUMP" --generations $count
