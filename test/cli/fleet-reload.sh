#!/bin/bash
# Goal: SIGHUP loads a configuration as a whole or not at all: a wrong one changes nothing and is
# named in the log; a right one reaches the connected agents.
. "$(dirname "$0")/lib.sh"
workspace
fleet
m1 token agent a 2>/dev/null | at a join - >/dev/null
sed -i "s|paths = .*|paths = {\"$work/nothing-yet\"}|" m1/etc/manager.conf
kill -HUP $pid
await 5 grep -q "reloaded" m1.log || fail "$(cat m1.log)"
manager=$pid
start a agent
agent=$pid pid=$manager
await 10 grep -q "plan of manager m1: 1 jobs" a.agent.log || fail "$(cat a.agent.log)"

# A wrong configuration: reported with file and line; the plan stays.
cp m1/etc/manager.conf good
echo 'job "x" { agents = {"*"} paths = {"/x"} schedule = "nonsense" }' >>m1/etc/manager.conf
kill -HUP $pid
await 5 grep -q "not reloaded, all is as before" m1.log || fail "$(cat m1.log)"
grep -q "error: .*m1/etc/manager.conf:$(wc -l <m1/etc/manager.conf): schedule: " m1.log || fail "$(cat m1.log)"
m1 status --json | grep -c '"type":"job"' | grep -qx 1 || fail "$(m1 status --json)"

# A right configuration: the agent learns of it without any action.
cp good m1/etc/manager.conf
echo 'job "x" { agents = {"a"} paths = {"/etc/hostname"} schedule = "0 0 1 1 *" }' >>m1/etc/manager.conf
kill -HUP $pid
await 5 grep -q "plan of manager m1: 2 jobs" a.agent.log || fail "$(cat a.agent.log)"
m1 status --json | grep -c '"type":"job"' | grep -qx 2 || fail "$(m1 status --json)"

# A certificate that does not match the key does not stop the service.
mv m1/var/manager/key.pem key
"$FDUMP" key new --no-passphrase m1/var/manager/key.pem >/dev/null
kill -HUP $pid
reloads() { [ "$(grep -c "not reloaded" m1.log)" = 2 ]; }
await 5 reloads || fail "$(cat m1.log)"
mv key m1/var/manager/key.pem
m1 hosts | grep -q "^agent *a *connected" || fail "$(m1 hosts)"

kill $agent $pid
wait $pid || fail "the manager's status: $?"
