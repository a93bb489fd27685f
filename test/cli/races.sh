#!/bin/bash
# Goal: a second process that swaps directories for links out of the target gains nothing, nor does
# one that alters files while they are packed. A sample of test/races.py, as root and as a user.
. "$(dirname "$0")/lib.sh"
flips="--flips 2000 --rounds 10 --seconds 15"
! whole || flips=""
python3 "$SRC/test/races.py" "$FDUMP" $flips
[ "$(id -u)" = 0 ] || exit 0 # the run above was as a user
needs setpriv
python3 "$SRC/test/races.py" "$FDUMP" $flips --user
