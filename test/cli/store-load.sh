#!/bin/bash
# Goal: writers, gc, forget, scrub and readers, running at once and killed at times, do not disturb
# each other. A few seconds; test/storeload.py runs longer.
. "$(dirname "$0")/lib.sh"
long="--minutes 0.1"
! whole || long="--minutes 4 --kills 250"
# shellcheck disable=SC2086 # words
python3 "$SRC/test/storeload.py" "$FDUMP" $long
