#!/bin/bash
# Goal: a command on a store that is killed anywhere loses nothing that was acknowledged, leaves
# nothing half done, and succeeds when it is run again. A few places; test/storekill.py has all.
. "$(dirname "$0")/lib.sh"
needs strace
stride=9
! whole || stride=1
python3 "$SRC/test/storekill.py" "$FDUMP" --stride $stride
