#!/bin/bash
# Goal: a call that fails while a store is written is reported, and nothing that was acknowledged is
# lost. A few places; test/storeeio.py has all.
. "$(dirname "$0")/lib.sh"
needs strace
stride=15
! whole || stride=1
python3 "$SRC/test/storeeio.py" "$FDUMP" --stride $stride
