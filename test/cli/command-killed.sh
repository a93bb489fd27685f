#!/bin/sh
# Goal: if a command was killed by a signal, the signal is named when the command's output is backed
# up and when it is restored.
. "$(dirname "$0")/lib.sh"
workspace
fail() { echo "$*"; cat said; exit 1; }
for how in 'kill -9 $$:was killed by signal 9 (status 137)' 'kill -TERM $$:was killed by signal 15 (status 143)' \
	'exit 128:failed with status 128' 'exit 255:failed with status 255'; do
	printf '#!/bin/sh\n%s\n' "${how%%:*}" >run
	chmod +x run
	status=0
	"$FDUMP" pack -f p --command "c=./run" 2>said || status=$?
	[ $status = 1 ] || fail "pack: status $status"
	grep -qx "fdump pack: c: the command ${how#*:}" said || fail "pack, ${how%%:*}: not reported"
	status=0
	"$FDUMP" unpack -f p 2>said || status=$?
	[ $status = 1 ] || fail "unpack: status $status"
	grep -qx "fdump unpack: c: not restored: the command ${how#*:}" said || fail "unpack, ${how%%:*}: not reported"
done
