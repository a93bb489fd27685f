#!/bin/bash
# Goal: no false success, crash or partial file when system calls and allocations fail, reads and
# writes are short, or the program is killed: a sample of test/faults.py, which runs all cases.
. "$(dirname "$0")/lib.sh"
needs strace
run="python3 $SRC/test/faults.py $FDUMP $BUILD/test/shim.so --seed 1 --jobs 2"
# shellcheck disable=SC2086 # words
! whole || exec $run
$run --kinds short,limits --stride 20
$run --kinds malloc --stride 15
$run --kinds calls,kill --sample 3
