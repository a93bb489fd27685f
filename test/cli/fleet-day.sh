#!/bin/bash
# Goal: of two managers one is killed for good in the middle of a day of slots. No slot is lost or
# doubled, the other manager shows every run, and so does a new machine in the place of the lost one.
. "$(dirname "$0")/lib.sh"
python3 "$SRC/test/fleetday.py" "$FDUMP" "$BUILD/test/shim.so"
