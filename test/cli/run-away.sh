#!/bin/bash
# Goal: run --wait says if its agent disconnects, and ends with a status of its own (8) if the agent
# does not come back; the same if the manager can't be reached.
. "$(dirname "$0")/lib.sh"
workspace
fleet
manager=$pid
mkdir -p src web1/etc/hooks
echo hello >src/file
# A run lasts until the gate is open.
cat >web1/etc/hooks/gate <<END
#!/bin/sh
while [ -e $work/shut ]; do sleep 0.05; done
END
chmod 755 web1/etc/hooks/gate
sed -i "s|paths = .*|paths = {\"$work/src\"}\\n  before = \"gate\"|; s|exclude = .*||" m1/etc/manager.conf
kill -HUP "$manager"
await 5 grep -q reloaded m1.log || fail "$(cat m1.log)"
start m1 store
m1 token agent web1 2>/dev/null >token
at web1 join - <token >/dev/null
start web1 agent
agent=$pid
known() { m1 runs --agent web1 --json | grep -q '"result":"ok"'; }
await 20 known || fail "the first run: $(cat web1.agent.log)"

# order: starts a run that does not end, and a command that waits for it: $waits.
order() {
	rm -f out
	touch shut
	FDUMP_TEST_TIMES=1000,2000,3000 m1 run system --agent web1 --wait >out 2>err &
	waits=$!
	await 10 grep -q 'web1: accepted' out || fail "not accepted: $(cat out err)"
}
ended() {
	status=0
	wait "$waits" || status=$?
}

order
kill -9 "$agent"
wait "$agent" || :
ended
[ $status = 8 ] || fail "its agent is lost: status $status: $(cat out err)"
grep -q 'web1: is not connected any more' err && grep -q 'web1: it is not known how its run ended' err || fail "not reported: $(cat err)"

# An agent that comes back reports how the run ended.
rm shut
start web1 agent
agent=$pid
connected() { m1 hosts | grep -q '^agent *web1 *connected'; }
await 20 connected || fail "$(m1 hosts)"
idle() { m1 status --all | grep -q 'web1 *system *ok'; }
await 20 idle || fail "$(m1 status --all)"
order
kill -9 "$agent"
wait "$agent" || :
rm shut
start web1 agent
agent=$pid
ended
[ $status = 2 ] && grep -q '^web1: lost' out || fail "lost: status $status: $(cat out err)"

# An older state of the agent is restored: its records have numbers that the manager knows already.
await 20 connected && await 20 idle || fail "$(m1 status --all)"
cp -a web1/var older
status_of timeout 20 "$FDUMP" run system --agent web1 --wait --config m1/etc --state m1/var
[ $status = 0 ] || fail "status $status: $(cat out err)"
kill "$agent"
wait "$agent" || fail "the agent: status $?"
rm -r web1/var
mv older web1/var
start web1 agent
agent=$pid
await 20 grep -q 'an older state was restored' web1.agent.log || fail "$(cat web1.agent.log)"
status_of timeout 20 "$FDUMP" run system --agent web1 --wait --config m1/etc --state m1/var
[ $status = 0 ] || fail "after an older state: status $status: $(cat out err web1.agent.log)"

await 20 connected && await 20 idle || fail "$(m1 status --all)"
order
kill -9 "$manager"
wait "$manager" || :
ended
rm shut
[ $status = 8 ] && grep -q 'it is not known how the runs ended' err || fail "the manager is lost: status $status: $(cat out err)"
