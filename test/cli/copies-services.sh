#!/bin/bash
# Goal: backups to several store services at once; the same store under two names is refused or
# counts once; a restore goes on without a service that has died.
. "$(dirname "$0")/lib.sh"
workspace
peers
mkdir tree
for i in $(seq 20); do head -c 20000 /dev/urandom >tree/$i; done
export FDUMP_TEST_TIMES=2000,2000,2000
for s in s1 s2; do serve $s; done
port=$(sed -n 's/^s1 .*://p' config/stores)
status_of() { status=0; "$FDUMP" "$@" >out 2>err || status=$?; }
back() { status_of backup --config config --state agent --unencrypted --agent a1 -C tree . --json "$@"; }

back -s s1 -s s2
[ $status = 0 ] || fail "backup: status $status: $(cat out err)"
grep -q '"copies":2' out && grep -q '"store":"s1"' out && grep -q '"store":"s2"' out || fail "receipts: $(cat out)"

# One store under two names: with its port too, and with its directory, which the service has open.
back -s s1 -s "s1:$port"
[ $status = 2 ] && grep -q 'are the same store' err || fail "twice by name: status $status: $(cat out err)"
back -s s1 -s ./s1 --lock-wait 0s
[ $status = 4 ] && grep -q '"copies":1' out && grep -q 'store ./s1 is left behind' err ||
	fail "by name and directory: status $status: $(cat out err)"

# A folder that merely has the name of a service is not a store.
mkdir tree/s2
echo kept >tree/s2/file
(cd tree && "$FDUMP" backup --config ../config --state ../agent --unencrypted --agent a1 -s s2 -v .) >out 2>err ||
	fail "beside a folder of that name: $?: $(cat out err)"
grep -qx s2/file err || fail "left out: $(cat err)"

# One service has died: the other is enough for a restore, and the failure is reported; a backup is
# one copy short.
kill -9 "${served[s1]}"
wait "${served[s1]}" 2>/dev/null || true
mkdir back
status_of restore --config config --state agent --identity agent/agent --any-origin -s s1 -s s2 a1/backup@latest -C back
[ $status = 0 ] || fail "restore: status $status: $(cat out err)"
diff -r tree back
echo more >tree/more
back -s s1 -s s2
[ $status = 4 ] || fail "backup with one: status $status: $(cat out err)"
grep -q '"copies":1' out || fail "copies: $(cat out)"

# The service is back, and gets what it has missed.
serve s1
back -s s1 -s s2
[ $status = 0 ] && grep -q '"copies":2' out || fail "back again: status $status: $(cat out err)"
for s in s1 s2; do
	rm -rf back
	mkdir back
	status_of restore --config config --state agent --identity agent/agent --any-origin -s $s a1/backup@latest -C back
	[ $status = 0 ] || fail "restore from $s: status $status: $(cat out err)"
	diff -r tree back
done
for s in s1 s2; do kill "${served[$s]}"; wait "${served[$s]}" || fail "$s ended with $?: $(cat $s.log)"; done
