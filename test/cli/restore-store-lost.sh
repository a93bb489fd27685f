#!/bin/bash
# Goal: a store service that ends in the middle of a restore, for good, is reported; if there is no other
# store, what could not be read is not called lost.
. "$(dirname "$0")/lib.sh"
workspace
peers
export FDUMP_TEST_TIMES=1000,2000,2000,200
mkdir tree
head -c 60000000 /dev/urandom >tree/file
serve s1
"$FDUMP" backup --config config --state agent --unencrypted --agent a1 -C tree . -s s1 >/dev/null
mkfifo pipe

# lost COMMAND...: the store ends when the first bytes of the output have come.
lost() {
	serve s1
	"$FDUMP" "$1" --config config --identity operator -s s1 a1/backup@latest "${@:2}" >pipe 2>err &
	pid=$!
	exec 3<pipe
	head -c 100000 <&3 >/dev/null
	kill -9 "${served[s1]}"
	cat <&3 >/dev/null
	status=0
	wait $pid || status=$?
	[ $status = 2 ] || fail "$1: status $status: $(cat err)"
	grep -q "s1: could not be reached any more$" err || fail "$1: $(cat err)"
	! grep -q "scrub" err || fail "$1: $(cat err)"
}
kill "${served[s1]}"
lost cat file
grep -q "no store can be reached any more" err || fail "cat: $(cat err)"
lost export
