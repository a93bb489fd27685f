#!/bin/bash
# Goal: a first fleet takes a few commands and no editing: setup on the server; a token; and join on
# the machine, which waits until the first backup is stored. Then status, runs, hosts and run show
# the state, and the dump can be restored with the fleet's key.
. "$(dirname "$0")/lib.sh"
workspace
fleet
manager=$pid
grep -q "^  fdump token agent NAME" setup.out || fail "$(cat setup.out)"
grep -q "^The fleet's keys are in $work/keys" setup.out || fail "$(cat setup.out)"
[ "$(stat -c %a keys keys/root.key keys/backup.key m1/var/manager | tr '\n' ' ')" = "700 600 600 700 " ] ||
	fail "modes"
status=0
m1 setup --passphrase-file passphrase 2>err || status=$?
[ $status = 3 ] && grep -q "this machine is a manager" err || fail "twice: $status $(cat err)"
m1 status | grep -q "nothing is backed up yet: 'fdump token agent NAME'" || fail "$(m1 status)"
m1 status | grep -q "No store has joined yet" || fail "$(m1 status)"
m1 hosts | grep -q "^No machine has joined yet" || fail "$(m1 hosts)"
[ "$(m1 runs)" = "No run has ended yet." ] && [ -z "$(m1 hosts --json)$(m1 runs --json)" ] || fail "$(m1 runs)"

start m1 store
store=$pid
connected() { m1 hosts | grep -q "^store *m1 *connected"; }
await 10 connected || fail "$(m1 hosts)"

m1 token agent web1 2>/dev/null >token
at web1 join - --wait <token >join.out &
join=$!
await 10 test -f web1/var/agent/cert.pem || fail "$(cat join.out)"
start web1 agent
agent=$pid
wait $join || fail "join: $? $(cat join.out)"
grep -q "^The first backup (system) is kept" join.out || fail "$(cat join.out)"

known() { [ "$(m1 runs --agent web1 --job system --json | grep -c '"result":"ok"')" -ge "$1" ]; }
await 10 known 1 || fail "$(m1 runs)"
m1 runs | grep -q "web1 *system *ok *1 *[0-9.]* [KMi]*B" || fail "$(m1 runs)"
for how in "agent other" "job systm"; do
	status=0
	m1 runs --"${how% *}" "${how#* }" >out 2>err || status=$?
	[ $status = 2 ] && [ ! -s out ] && grep -q "no ${how% *}.* ${how#* } " err || fail "runs of the $how: $status $(cat out err)"
done
# A store is shown with the address that it announces; an agent's port differs each time.
m1 hosts | grep -q "^store *m1 *connected .* 127.0.0.1:$((base + 1)) " || fail "$(m1 hosts)"
m1 hosts | grep -q "^agent *web1 *connected .* 127.0.0.1 *[0-9.]*$" || fail "$(m1 hosts)"
m1 status --all | grep -q "1 job on 1 agent (1 connected): all is well$" || fail "$(m1 status --all)"
# Soon after a commit the store reports how much it uses.
used() { m1 hosts --json | grep -q '"name":"m1","role":"store",.*"used":[1-9]'; }
await 10 used || fail "$(m1 hosts --json)"
m1 status --json | grep -q '"id":"status.job","agent":"web1","job":"system",.*"next_epoch":' || fail "$(m1 status --json)"
m1 run system --agent web1 --wait >out || fail "run: $? $(cat out)"
grep -q "^web1: ok, 1 copy, " out || fail "$(cat out)"
await 10 known 2 || fail "$(m1 runs)"
# run --wait waits for the run that was ordered, even if several end within one second.
for _ in 1 2 3; do
	m1 run system --agent web1 --wait --json >out || fail "run: $? $(cat out)"
	[ "$(grep -o '"run":"[0-9a-f]*"' out | sort | uniq -c | awk '{ print $1 }')" = 2 ] || fail "$(cat out)"
done
! m1 run system --agent web2 2>err || fail "a run on nobody"
! m1 run sytem 2>err || fail "a run of nothing"
grep -q "the configuration has no job sytem (its jobs: system)" err || fail "$(cat err)"
m1 run system --hold >out
held() { m1 status | grep -q "web1 *system *held"; }
await 5 held || fail "$(m1 status)"
m1 run system --agent web1 --wait >out || fail "an ordered run of a held job: $? $(cat out)"
m1 run system --release >/dev/null

# A path of the job that does not exist is named wherever the run is shown.
sed -i "s|paths = .*|paths = {\"$work/nowhere\", \"$work/src\"}|" m1/etc/manager.conf
kill -HUP "$manager"
planned() { [ "$(grep -c "plan of manager m1" web1.agent.log)" = 2 ]; }
await 5 planned || fail "$(cat web1.agent.log)"
status=0
m1 run system --agent web1 --wait >out || status=$?
[ $status = 1 ] || fail "a path that is missing: $status $(cat out)"
missing="$work/nowhere, a path of the job: can't be examined: No such file or directory"
m1 runs --count 1 | grep -qF "$missing" || fail "$(m1 runs)"
m1 status | grep -qF "$missing" || fail "$(m1 status)"
grep -qF "job system: partial: $missing" web1.agent.log || fail "$(cat web1.agent.log)"

# Output for a monitoring system, also if nobody answers.
status=0
m1 status --check >out || status=$?
[ $status = 1 ] && grep -q "^FDUMP WARNING - 1 job on 1 agent: 1 partial; .* | jobs=1 late=0 failed=0 copies=0 " out ||
	fail "check: $status $(cat out)"
status=0
"$FDUMP" status --check --identity "$work/nobody" >out || status=$?
[ $status = 3 ] && grep -q "^FDUMP UNKNOWN - " out || fail "unknown: $status $(cat out)"

kill "$agent" "$store"
wait "$agent" "$store" || :
away() { m1 status | head -n 1 | grep -q " 1 store not connected"; }
await 5 away || fail "$(m1 status)"

# A dump's record has its job, the slot (0: by order), and the plan's version.
"$FDUMP" dumps -s "$work/store" --json >out
[ "$(grep -c '"name":"system"' out)" = "$(wc -l <out)" ] || fail "names: $(cat out)"
[ "$(grep -c '"slot":0,' out)" = 6 ] && head -n 1 out | grep -q '"slot":1[0-9]*,' || fail "slots: $(cat out)"
plan=$(sha256sum web1/var/agent/plan | cut -c1-16)
tail -n 1 out | grep -q "\"plan\":\"$plan\"" || fail "plan $plan: $(cat out)"

mkdir back
"$FDUMP" restore -s "$work/store" --key keys/backup.key --passphrase-file passphrase --agent web1 -C back latest
[ "$(cat "back$work/src/file" 2>/dev/null || cat back/src/file)" = hello ] || fail "$(find back)"
kill "$manager"
wait "$manager" || fail "the manager's status: $?"
