#!/bin/bash
# Goal: no false success, crash or partial file when system calls and
# allocations fail, reads and writes are short, or the program is killed: a
# sample of test/faults.py, that has them all.
. "$(dirname "$0")/lib.sh"
needs strace
run="python3 $SRC/test/faults.py $FDUMP $BUILD/test/shim.so --seed 1 --jobs 2"
$run --kinds short,limits --stride 20 --seconds 6
$run --kinds malloc --stride 9 --seconds 8
$run --kinds calls,kill --stride 41 --seconds 12
