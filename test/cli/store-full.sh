#!/bin/bash
# Goal: on a full disk every command says so, loses nothing, and works again once there is room. A
# few steps; test/storefull.py has more.
. "$(dirname "$0")/lib.sh"
workspace
mkdir probe
mount_tmpfs size=1m probe # storefull.py mounts its own
steps="--step 512 --inodes 3 --pages 4"
! whole || steps=""
# shellcheck disable=SC2086 # words
python3 "$SRC/test/storefull.py" "$FDUMP" $steps --shim "$BUILD/test/shim.so"
