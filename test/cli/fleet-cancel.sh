#!/bin/bash
# Goal: a run that an operator cancels is a result of its own, with his name, and no alarm. While a
# run is in progress status shows it, and an alarm about the run before it stays with its own text;
# it ends when a run has succeeded, even if the next one is in progress already. A run that ends
# because its agent is stopped is tried again by the next agent.
. "$(dirname "$0")/lib.sh"
workspace
fleet
manager=$pid
kill "$manager"
wait "$manager" || fail "the manager's status: $?"
sed -i "s|paths = .*|&  before = \"hold\"|; s|schedule = .*|schedule = \"0 3 * * *\"|" m1/etc/manager.conf
echo "alarm { hook = \"$work/hook\" }" >>m1/etc/manager.conf
printf '#!/bin/sh\ncat >>%s/told\n' "$work" >hook
chmod +x hook
: >told
start_manager m1
manager=$pid
start m1 store
store=$pid
m1 token agent web1 2>/dev/null | at web1 join - >/dev/null
# A run lasts until there is a file `go`, and fails if there is a file `fail`.
mkdir -p web1/etc/hooks
cat >web1/etc/hooks/hold <<END
#!/bin/sh
[ ! -e $work/fail ] || exit 1
while [ ! -e $work/go ]; do sleep 0.1; done
END
chmod 755 web1/etc/hooks web1/etc/hooks/hold
start web1 agent
agent=$pid
shows() { m1 status "${@:2}" >out; grep -q "$1" out; }

await 20 shows "web1 *system *running .* for [0-9]*s" || fail "$(cat out web1.agent.log)"
grep -q "1 without a dump yet$" out || fail "the next run instead of this one: $(cat out)"
m1 run system --cancel >out || fail "$(cat out)"
await 10 shows "web1 *system *cancelled .* the last run was cancelled [0-9]*s ago by the operator m1; there is no dump yet" ||
	fail "$(cat out)"
grep -q "agent.*: 1 cancelled$" out || fail "$(cat out)"
! grep -q ALARM out || fail "$(cat out)"
m1 runs >out
grep -q "web1 *system *cancelled .* by the operator m1$" out || fail "$(cat out)"
grep -q "job system: cancelled: by an operator, through the manager m1" web1.agent.log || fail "$(cat web1.agent.log)"
! grep -q "error: job system" web1.agent.log || fail "$(cat web1.agent.log)"
m1 status --check >out || fail "$? $(cat out)"

# A failure; then one run is in progress after the other whenever the manager checks its alarms.
touch fail
m1 run system >out
await 10 shows "web1 *system *failed " || fail "$(cat out)"
kill "$manager"
wait "$manager" || fail "the manager's status: $?"
start_manager m1
manager=$pid
await 10 grep -q '"alarm.raised".*"failed"' told || fail "$(cat told m1.log)"
rm fail
connected() { m1 hosts | grep -q "web1 *connected"; }
await 20 connected || fail "$(cat web1.agent.log)"
m1 run system >out || fail "$(cat out)"
await 10 shows "web1 *system *failed .*the last run was a failure .* ago.*; running for [0-9]*s" || fail "$(cat out)"
touch go
await 10 shows "web1 *system *ok " --all || fail "$(cat out)"
rm go
m1 run system >out
await 10 shows "web1 *system *running " || fail "$(cat out)"
! grep -q "ALARM\|failed" out || fail "$(cat out)"
kill "$manager"
wait "$manager" || fail "the manager's status: $?"
start_manager m1
manager=$pid
await 10 grep -q '"alarm.over".*"failed"' told || fail "$(cat told m1.log)"

# The agent is stopped.
kill "$agent"
wait "$agent" || fail "the agent's status: $?"
await 10 shows "web1 *system *\(failed\|running\) " || fail "$(cat out)"
touch go
start web1 agent
agent=$pid
ok() { m1 runs --json >out; [ "$(grep -c '"result":"ok"' out)" = 2 ] && [ "$(grep -c '"result":"lost"' out)" = 1 ]; }
await 20 ok || fail "$(cat out web1.agent.log)"
kill "$agent" "$store" "$manager"
wait
