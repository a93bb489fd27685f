#!/bin/bash
# Goal: a bit flipped in a volume is found; one flipped in the index crashes nothing, hangs nothing,
# and no command takes what is wrong for right. A few; test/storeflips.py has more.
. "$(dirname "$0")/lib.sh"
python=/usr/bin/python3
$python -c 'import lmdb' 2>/dev/null || python=python3
$python -c 'import lmdb' 2>/dev/null || skip "needs python3-lmdb"
few="--generations 30 --volumes 5 --index 8"
! whole || few="--volumes 250 --index 250"
# shellcheck disable=SC2086 # words
$python "$SRC/test/storeflips.py" "$FDUMP" $few
