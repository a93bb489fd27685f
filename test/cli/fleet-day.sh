#!/bin/bash
# Goal: one of two managers is killed for good in the middle of a day of slots. No slot is lost or
# run twice; the other manager shows every run, and so does a new machine that replaces the lost
# one.
. "$(dirname "$0")/lib.sh"
python3 "$SRC/test/fleetday.py" "$FDUMP" "$BUILD/test/shim.so"
