#!/bin/bash
# Goal: a file in a directory with the set-group-id bit still gets its own group, whether it is
# small or spans blocks.
. "$(dirname "$0")/lib.sh"
needs root
workspace
mkdir -p tree/d target/d
head -c 3000000 /dev/urandom >tree/d/large
echo small >tree/d/small
"$FDUMP" pack -f p -C tree d
chgrp 12345 target/d
chmod 2755 target/d
"$FDUMP" unpack -f p -C target
[ "$(stat -c %g target/d/large target/d/small tree/d | tr '\n' ' ')" = "$(id -g) $(id -g) $(id -g) " ]
