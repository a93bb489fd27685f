#!/bin/bash
# Goal: a long scrub blocks nobody: backup, forget and gc work at the same time, and scrub does not
# take their changes for damage; a chunk that is stored again in the meantime is not marked.
. "$(dirname "$0")/lib.sh"
workspace
fdump() { "$FDUMP" "$@"; }
back() { fdump backup --unencrypted --state state -C tree . -s ./store >/dev/null; }
damaged() { fdump store stat store | sed -n 's/^damaged *//p'; }

# Each run, including the first, has 5 MB of its own; gc removes the first run's volume during the
# scrub.
mkdir tree
fdump store init store
for i in 1 2; do
	head -c 5000000 /dev/urandom >tree/a
	back
done
"$FDUMP" store scrub store --rate 2M >out 2>err &
pid=$!
sleep 0.5
head -c 5000000 /dev/urandom >tree/a
back
fdump forget -s ./store --keep-last 1 --yes >/dev/null
fdump store gc store >gc
grep -qv "^0 bytes" gc || fail "gc gave nothing back: $(cat gc)"
kill -0 $pid || fail "the scrub was over before: $(cat out err)"
wait $pid || fail "scrub: status $?: $(cat out err)"
grep -q ": ok$" out || fail "scrub: $(cat out)"
fdump store scrub store >out || fail "after it: status $?"
fdump verify store >/dev/null || fail "verify: status $?"

# A chunk that is marked is stored again during the next scrub: the new copy is good.
rm -rf store
fdump store init store
back
python3 - store/volumes/00000001.vol <<'END2'
import sys
with open(sys.argv[1], "r+b") as f:
    f.seek(1000000)
    b = f.read(1)[0]
    f.seek(1000000)
    f.write(bytes([b ^ 1]))
END2
fdump store scrub store >/dev/null 2>&1 && fail "no damage found"
[ "$(damaged)" = 1 ] || fail "$(damaged) chunks marked"
"$FDUMP" store scrub store --rate 2M >out 2>err &
pid=$!
sleep 0.5
back
[ "$(damaged)" = 0 ] || fail "the backup did not store it again"
kill -0 $pid || fail "the scrub was over before: $(cat out err)"
wait $pid || fail "scrub: status $?: $(cat out err)"
[ "$(damaged)" = 0 ] || fail "a chunk that was stored again is marked"
fdump store scrub store >out || fail "after it: status $?"

# During a scrub the index is not replaced.
"$FDUMP" store scrub store --rate 2M >out 2>err &
pid=$!
sleep 0.5
status=0
fdump store rebuild store --lock-wait 0s 2>err || status=$?
[ $status = 8 ] || fail "rebuild during a scrub: status $status"
kill $pid
