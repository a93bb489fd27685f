#!/bin/bash
# Goal: no pack, however it was made, changes anything outside the folder it is unpacked into, as
# root or as a user; its sound entries are unpacked. (Some cases of each kind, different ones as a
# user and as root; the whole campaign has all, and larger ones.)
. "$(dirname "$0")/lib.sh"
needs root setpriv
workspace
chmod 755 "$work"
cp "$FDUMP" fdump # the build folder may be inaccessible to other users
if whole; then all=(--long) some=(--long); else all=(--sample 3 1) some=(--sample 3 2); fi
python3 "$SRC/test/hostile_run.py" "$work/fdump" "${all[@]}" >root 2>&1 &
status=0
python3 "$SRC/test/hostile_run.py" "$work/fdump" --user "${some[@]}" || status=$?
wait $! || status=$?
cat root
[ $status = 0 ] || exit $status
strace -qq -o /dev/null true 2>/dev/null ||
	skip "strace may not trace here; all but the modes of files as they are made was looked at"
