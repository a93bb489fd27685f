#!/bin/bash
# Goal: the only manager of a fleet is lost with its machine, except for the store's directory and
# the folder of keys. setup makes a new machine from these; agents and stores return to it by
# themselves; it shows the earlier runs, and the same store gets the next one.
. "$(dirname "$0")/lib.sh"
export FDUMP_TEST_TIMES=30000,90000,600000,1000
workspace
fleet
manager=$pid
start m1 store
store=$pid
m1 token agent web1 2>/dev/null | at web1 join - >/dev/null
start web1 agent
agent=$pid
known() { [ "$(m1 runs --agent web1 --job system --json | grep -c '"result":"ok"')" = "$1" ]; }
await 10 known 1 || fail "no run: $(cat web1.agent.log m1.log)"
m1 runs --json >before

kill -9 "$manager" "$store"
wait "$manager" "$store" 2>/dev/null || :
cp m1/etc/manager.conf .
rm -rf m1

# Only with a configuration, which agents will follow, and with the passphrase; nothing is made
# before.
again() { m1 setup --name m1 --listen "127.0.0.1:$base" --store "$work/store" --keys "$work/keys" "$@"; }
status=0
again --passphrase-file passphrase 2>err || status=$?
[ $status = 3 ] && grep -q "takes the place of a lost manager: put the lost one's manager.conf in" err && [ ! -e m1 ] ||
	fail "no manager.conf: $status $(cat err)"
mkdir -p m1/etc
cp manager.conf m1/etc/
echo wrong >wrong
chmod 600 wrong
status=0
again --passphrase-file wrong 2>err || status=$?
[ $status = 6 ] && [ ! -e m1/var ] || fail "wrong passphrase: $status $(cat err)"
status=0
again --passphrase-file passphrase --to keys/backup.key.pub 2>err || status=$?
[ $status = 2 ] && grep -q "^fdump setup: --to: the fleet's keys are in" err && [ ! -e m1/var ] || fail "--to: $status $(cat err)"

again --passphrase-file passphrase >setup.out 2>err || fail "setup: $(cat err)"
cmp manager.conf m1/etc/manager.conf
start_manager m1
manager=$pid
start m1 store
store=$pid
connected() { m1 hosts | grep -q "^$1 *$2 *connected"; }
await 10 connected agent web1 || fail "web1: $(cat m1.log web1.agent.log)"
await 10 connected store m1 || fail "the store: $(cat m1.log m1.store.log)"
await 10 known 1 || fail "the previous run: $(m1 runs)"
m1 runs --json | cmp - before || fail "another run: $(m1 runs --json)"

# The next run; and a manager whose state is restored from an older copy gets that run again.
kill "$manager"
wait "$manager" || fail "the manager's status: $?"
cp -r m1/var/manager/db old
start_manager m1
manager=$pid
await 10 connected agent web1 && await 10 connected store m1 || fail "$(cat m1.log)"
m1 run system --agent web1 --wait >out || fail "run: $? $(cat out)"
grep -q "^web1: ok, 1 copy, " out || fail "$(cat out)"
await 10 known 2 || fail "$(m1 runs)"
kill "$manager"
wait "$manager" || fail "the manager's status: $?"
rm -r m1/var/manager/db
mv old m1/var/manager/db
start_manager m1
manager=$pid
await 10 known 2 || fail "the second run: $(m1 runs)"
m1 token agent web2 >token 2>/dev/null || fail "no token"
at web2 join - <token >out || fail "web2: $(cat out)"
[ "$("$FDUMP" dumps -s "$work/store" --json | grep -c '"agent":"web1"')" = 2 ] || fail "$("$FDUMP" dumps -s "$work/store")"

kill "$agent" "$store" "$manager"
wait "$manager" || fail "the manager's status: $?"
