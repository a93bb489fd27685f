#!/bin/bash
# Goal: a reader that is about to open the index waits while rebuild puts the new index in the old
# one's place; lists of dumps are right while the index is rebuilt again and again.
. "$(dirname "$0")/lib.sh"
workspace
fail() { echo "$*"; cat out err; exit 1; }
mkdir tree
echo one >tree/a
"$FDUMP" store init one
"$FDUMP" backup --unencrypted --state state -C tree . -s ./one >/dev/null

# That replacement, prolonged.
python3 -c '
import fcntl, os, struct, time
f = open("one/lock", "r+")
fcntl.fcntl(f, 37, struct.pack("hhqqi4x", fcntl.F_WRLCK, 0, 3, 1, 0))
os.rename("one/index", "one/index.away")
open("locked", "w")
time.sleep(1)
os.rename("one/index.away", "one/index")' &
pid=$!
await 10 test -e locked
"$FDUMP" dumps -s ./one >out 2>err || fail "during the replacement: status $?"
wait $pid

# rebuild, whatever --lock-wait says, waits until nobody is about to open the index.
python3 -c '
import fcntl, struct, time
f = open("one/lock", "r+")
fcntl.fcntl(f, 37, struct.pack("hhqqi4x", fcntl.F_RDLCK, 0, 3, 1, 0))
open("opening", "w")
time.sleep(1)' &
pid=$!
await 10 test -e opening
"$FDUMP" store rebuild one --lock-wait 0s >out 2>err || fail "while the index is being opened: status $?"
wait $pid

(while [ ! -e stop ] && "$FDUMP" store rebuild one >/dev/null; do :; done) &
pid=$!
for _ in $(seq 100); do
	"$FDUMP" dumps -s ./one >out 2>err || fail "during rebuild: status $?"
	[ "$(wc -l <out)" = 1 ] || fail "not all dumps"
done
touch stop
wait $pid || fail "rebuild: status $?"
