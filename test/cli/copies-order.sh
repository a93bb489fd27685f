#!/bin/bash
# Goal: two backups that name the same stores in a different order do not deadlock.
. "$(dirname "$0")/lib.sh"
workspace
fail() { echo "$*"; cat out1 out2; exit 1; }
mkdir tree
echo one >tree/a
"$FDUMP" store init one
"$FDUMP" store init two

# Each store can be written to only after a file of this name exists.
hold() {
	python3 -c '
import fcntl, os, struct, sys, time
f = open(sys.argv[1] + "/lock", "w")
fcntl.fcntl(f, 37, struct.pack("hhqqi4x", fcntl.F_WRLCK, 0, 0, 1, 0))
open("held-" + sys.argv[1], "w")
while not os.path.exists("go-" + sys.argv[1]):
    time.sleep(0.01)' "$1" &
	await 10 test -e "held-$1" || fail "no lock of $1"
}
hold one
hold two
"$FDUMP" backup --unencrypted --state state1 -C tree . --name first -s ./one -s ./two --lock-wait 8s >out1 2>&1 &
first=$!
"$FDUMP" backup --unencrypted --state state2 -C tree . --name second -s ./two -s ./one --lock-wait 8s >out2 2>&1 &
second=$!
sleep 0.5
began=$SECONDS
touch go-one # the first backup that asks for this store gets it, and waits for the other one
sleep 0.5
kill -STOP $first
touch go-two
sleep 0.5
kill -CONT $first
wait $first || fail "the first: status $?"
wait $second || fail "the second: status $?"
[ $((SECONDS - began)) -lt 6 ] || fail "took $((SECONDS - began)) s"
