#!/bin/bash
# Goal: a flipped bit in a volume is found; one in the index causes no crash and no hang, and no
# command accepts wrong data as right. A few bits; test/storeflips.py has more.
. "$(dirname "$0")/lib.sh"
python=/usr/bin/python3
$python -c 'import lmdb' 2>/dev/null || python=python3
$python -c 'import lmdb' 2>/dev/null || skip "needs python3-lmdb"
few="--generations 30 --volumes 5 --index 8"
! whole || few="--volumes 250 --index 250"
# shellcheck disable=SC2086 # words
$python "$SRC/test/storeflips.py" "$FDUMP" $few
