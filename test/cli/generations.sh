#!/bin/bash
# Goal: a tree that changes at random is backed up again and again: each dump restores exactly, also
# after gc and from damaged stores. test/generations.py does more.
. "$(dirname "$0")/lib.sh"
count=8
! whole || count=30
python3 "$SRC/test/generations.py" "$FDUMP" --generations $count
