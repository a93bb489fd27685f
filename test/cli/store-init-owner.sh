#!/bin/bash
# Goal: a store is made inside an existing empty directory, which is not replaced: it may be a mount
# point, or in a folder that its owner can't write to, and it keeps its owner and mode.
. "$(dirname "$0")/lib.sh"
needs root setpriv
workspace

chmod 755 .
cp "$FDUMP" fdump
mkdir mount own
mount_tmpfs size=8m mount
./fdump store init ./mount >out || fail "a mount point: status $?"
chown 4242:4242 own
chmod 750 own
setpriv --reuid=4242 --regid=4242 --clear-groups ./fdump store init ./own >out || fail "by its owner: status $?"
[ "$(stat -c '%u %a' own)" = "4242 750" ] || fail "by its owner: $(stat -c '%u %a' own)"
status=0
./fdump store init ./own 2>err || status=$?
[ $status = 2 ] && grep -q 'not empty' err || fail "a second time: status $status, $(cat err)"
touch file
! ./fdump store init ./file 2>err || fail "made in a file"
