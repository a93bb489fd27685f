#!/bin/bash
# Goal: a manager whose state can't be written raises an alarm at once, and only once. A command that
# waits for a run reports it, and ends with status 8 instead of waiting forever. When the state can
# be written again the alarm ends, and the runs are recorded.
. "$(dirname "$0")/lib.sh"
needs prlimit
workspace
fleet
manager=$pid
# A limit on the size of files stands for a full disk. The hook inherits it.
cat >hook <<END
#!/bin/sh
prlimit --pid \$\$ --fsize=unlimited
cat >>$work/told
END
chmod +x hook
echo "alarm { hook = \"$work/hook\" }" >>m1/etc/manager.conf
kill -HUP "$manager"
await 5 grep -q reloaded m1.log || fail "$(cat m1.log)"
start m1 store
store=$pid
m1 token agent web1 2>/dev/null | at web1 join - >/dev/null
start web1 agent
agent=$pid
known() { [ "$(m1 runs --json | grep -c '"result":"ok"')" = "$1" ]; }
await 20 known 1 || fail "$(m1 runs) $(cat web1.agent.log)"
m1 status | grep -q "all is well" || fail "$(m1 status)"

prlimit --pid "$manager" --fsize=0:unlimited
FDUMP_TEST_TIMES=1000,2000,3000 status_of timeout 30 "$FDUMP" run system --wait --config m1/etc --state m1/var
[ $status = 8 ] && [ "$(grep -c "the manager m1 can't record .*File too large" err)" = 1 ] &&
	[ "$(grep -c 'web1: it is not known how its run ended' err)" = 1 ] || fail "status $status: $(cat out err)"
m1 status >out
grep -q "1 critical alarm" out && grep -q "^  state not saved *manager m1 .*File too large" out || fail "$(cat out)"
status_of m1 status --check
[ $status = 2 ] && grep -q "^FDUMP CRITICAL - .*; manager m1: state not saved: " out || fail "$status $(cat out)"
told() { # HOW: whether the hook was called with HOW, once
	[ -e told ] && [ "$(grep -c "\"id\":\"alarm.$1\",\"alarm\":\"manager/m1/unsaved\"" told)" = 1 ]
}
await 5 told raised || fail "$(cat told)"

# The machines say hello when the configuration is read again; else within a minute.
prlimit --pid "$manager" --fsize=unlimited
kill -HUP "$manager"
await 20 known 2 || fail "$(m1 runs) $(cat web1.agent.log)"
await 5 told over || fail "$(cat told)"
told raised && [ "$(wc -l <told)" = 2 ] || fail "$(cat told)"
m1 status | grep -q "all is well" || fail "$(m1 status)"
kill "$agent" "$store" "$manager"
wait
