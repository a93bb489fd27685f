#!/bin/bash
# Goal: an agent no longer backs up to a store that was revoked, although the store still runs.
. "$(dirname "$0")/lib.sh"
workspace
fleet
manager=$pid
start m1 store
store=$pid
m1 token store nas2 2>/dev/null | at nas2 join - --store "$work/store2" --listen "127.0.0.1:$((base + 4))" >/dev/null
start nas2 store
revoked=$pid
m1 token agent web1 2>/dev/null | at web1 join - >/dev/null
sed -i 's/stores = .*/stores = {"m1", "nas2"}  copies = 1/' m1/etc/manager.conf
kill -HUP "$manager"
start web1 agent
agent=$pid
both() { m1 runs --json | grep -q '"result":"ok".*"copies":2,'; }
await 20 both || fail "$(m1 runs; cat web1.agent.log)"
m1 revoke store nas2 >out || fail "$(cat out)"
denied() { [ -s web1/var/agent/deny ]; }
await 10 denied || fail "the agent was not told: $(cat web1.agent.log)"
m1 run system --wait >out || fail "$(cat out)"
grep -q "^web1: ok, 1 copy, .*(nas2) is on the deny list" out || fail "$(cat out)"
kill "$agent" "$store" "$revoked" "$manager"
wait
