#!/bin/bash
# Goal: an agent whose root has no CAP_SYS_ADMIN, as in many containers: its runs count as
# incomplete, and the manager learns why; with accept_hidden in agent.conf they count as complete.
. "$(dirname "$0")/lib.sh"
needs root setpriv
workspace
fleet
manager=$pid
cat >m1/etc/manager.conf <<END
defaults { stores = {"m1"} }
job "system" { agents = {"a"}  paths = {"$work/src"}  schedule = "0 0 1 1 *" }
END
kill -HUP "$manager"
start m1 store
store=$pid
m1 token agent a 2>/dev/null | at a join - >/dev/null
agent() {
	setpriv --bounding-set=-sys_admin "$FDUMP" agent --config "$work/a/etc" --state "$work/a/var" 2>>a.log &
	agent=$!
}
ended() { m1 runs --agent a --json >out && grep -q "$1" out; }
connected() { m1 hosts | grep -q "^agent *a *connected"; }

agent
await 20 ended '"result":"partial".*trusted' || fail "$(cat out a.log)"
kill "$agent"
wait "$agent" || fail "the agent's status: $?"
printf 'agent {\n  accept_hidden = yes\n}\n' >a/etc/agent.conf
agent
await 10 connected || fail "$(m1 hosts)"
m1 run system --agent a --wait >out || fail "accept_hidden: status $?: $(cat out a.log)"
kill "$agent"
wait "$agent" || fail "the agent's status: $?"
printf 'agent {\n  accept_hidden = perhaps\n}\n' >a/etc/agent.conf
status=0
at a agent 2>err || status=$?
[ $status = 3 ] && grep -q "etc/agent.conf:2: accept_hidden: 'perhaps' is not yes or no" err || fail "$status: $(cat err)"
kill "$store" "$manager"
wait "$manager" || fail "the manager's status: $?"
