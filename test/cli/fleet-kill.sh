#!/bin/bash
# Goal: a fleet whose services are killed during runs loses nothing that was acknowledged to an
# agent, reports runs that were lost, and recovers with the next run. One round; test/fleetkill.py
# has more.
. "$(dirname "$0")/lib.sh"
rounds="--kills 0 --together 1 --down 1"
! whole || rounds="--kills 20 --together 10"
# shellcheck disable=SC2086 # words
python3 "$SRC/test/fleetkill.py" "$FDUMP" $rounds
