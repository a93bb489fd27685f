#!/bin/bash
# Goal: writers, gc, forget, scrub and readers at once, and killed, do not get in each other's way. A few
# seconds; test/storeload.py goes on for longer.
. "$(dirname "$0")/lib.sh"
long="--minutes 0.1"
! whole || long="--minutes 4 --kills 250"
# shellcheck disable=SC2086 # words
python3 "$SRC/test/storeload.py" "$FDUMP" $long
