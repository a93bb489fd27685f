#!/bin/bash
# Goal: a manager that starts while its clock is years ahead renews its certificates, which nobody
# accepts then or once the clock is right. It renews them again when the clock is set, and has
# forgotten nothing. An agent whose certificate has expired says what to do.
. "$(dirname "$0")/lib.sh"
needs faketime
workspace
fleet
manager=$pid
start m1 store
m1 token agent web1 2>/dev/null | at web1 join - >/dev/null
start web1 agent
ran() { [ "$(m1 runs --json | grep -c '"result":"ok"')" = 1 ]; }
await 20 ran || fail "the first run: $(cat web1.agent.log)"
kill "$pid" "$manager"
wait "$pid" "$manager" || fail "status $?"
export FAKETIME_DONT_FAKE_MONOTONIC=1 FAKETIME_NO_CACHE=1 FAKETIME_TIMESTAMP_FILE=$work/clock
well() { m1 status >out 2>err; }

echo +3y >clock
: >m1.log
# shellcheck disable=SC2016 # in the inner shell
preload=$(faketime -f +0 sh -c 'echo "$LD_PRELOAD"')
LD_PRELOAD=$preload "$FDUMP" manager --config m1/etc --state m1/var 2>m1.log &
pid=$!
await 10 grep -q "manager m1, port" m1.log || fail "$(cat m1.log)"
grep -q "^$(($(date +%Y) + 3))-" m1.log || skip "faketime does not work on this program"
status_of m1 status
[ $status = 6 ] && grep -q "in the future; this machine's clock says $(date +%Y)-" err || fail "status $status: $(cat err)"
echo +0 >clock
await 10 well || fail "not renewed: $(cat err m1.log)"
ran || fail "the run is forgotten: $(m1 runs)"

echo +3y >later
: >agent.log
LD_PRELOAD=$preload FAKETIME_TIMESTAMP_FILE=$work/later "$FDUMP" agent --config web1/etc --state web1/var 2>agent.log &
agent=$!
await 10 grep -q "certificate has expired, .*'fdump token agent web1 --replace'" agent.log || fail "$(cat agent.log)"
kill "$agent"
wait "$agent" || fail "the agent's status: $?"
kill "$pid"
wait "$pid" || fail "status $?"
