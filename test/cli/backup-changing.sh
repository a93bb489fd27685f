#!/bin/bash
# Goal: a file that changes while it is read is read again and is then intact; a file that never
# stops changing is kept and reported as changed.
. "$(dirname "$0")/lib.sh"
needs strace
workspace
fail() { echo "$*"; cat err; exit 1; }
"$FDUMP" store init store

# back WHEN HOW: a backup in which reads of the file are delayed at WHEN; the file changes once or
# always (HOW).
back() {
	rm -rf t out trace
	mkdir t out
	head -c 100000 /dev/zero | tr '\0' x >t/f
	echo other >t/other
	status=0
	(cd t && exec timeout 30 strace -f -qq -o ../trace -P f -P "$PWD/f" -e trace=read,pread64 \
		-e "inject=read,pread64:delay_enter=500000:when=$1" "$FDUMP" backup -s ../store --unencrypted \
		--state ../state --threads 1 .) >result 2>err &
	await 20 grep -qs "read(\|pread64(" trace
	printf y | dd of=t/f conv=notrunc 2>/dev/null
	while [ "$2" = always ] && kill -0 $! 2>/dev/null; do
		date +%N | dd of=t/f conv=notrunc 2>/dev/null
		sleep 0.05
	done
	wait $! || status=$?
	"$FDUMP" restore -s ./store latest -C out || [ $? = "$status" ]
}

back 1 once
[ $status = 0 ] || fail "changed once: status $status"
cmp t/f out/f

back 1+ always
[ $status = 1 ] || fail "changes all the time: status $status"
grep -q "f: changed while it was read" err || fail "not reported"
cmp t/other out/other
