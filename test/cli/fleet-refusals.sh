#!/bin/bash
# Goal: what an agent refuses, whatever its managers say: a plan with a recipient that is not
# pinned, with a path outside the permitted ones, or without encryption; and a store that is not the
# one it knew. Each refusal is in its log, and is an alarm in its journal, which the manager gets;
# the previous plan stays in force. An operator's commands also refuse a replaced store until the
# operator accepts it.
. "$(dirname "$0")/lib.sh"
workspace
fleet
manager=$pid
mkdir -p a/etc
printf 'agent {\n  read = {"%s/src"}\n}\n' "$work" >a/etc/agent.conf

# plan TEXT: writes a configuration with TEXT in the job.
plan() {
	cat >m1/etc/manager.conf <<END
defaults { stores = {"s1"} }
job "system" { agents = {"a"}  schedule = "0 0 1 1 *"  $1 }
END
	"$FDUMP" manager check m1/etc/manager.conf >check.out 2>&1 || fail "$(cat check.out)"
	kill -HUP "$manager"
}
store() { # FOLDER OPTIONS...: a machine in that folder joins as the store s1, and serves
	local name=$1
	shift
	m1 token store s1 "$@" 2>/dev/null |
		at "$name" join - --store "$work/$name/store" --listen "127.0.0.1:$((base + 3))" >join.out
	start "$name" store
	await 10 grep -q "port $((base + 3))" "$name.store.log" || fail "$(cat "$name.store.log")"
}
alarms() { grep -ao "agent a[^:]* reports: $1" m1.log | wc -l; }
has_alarms() { [ "$(alarms "$1")" -ge "$2" ]; }

plan "paths = {\"$work/src\"}"
m1 status >out
grep -q "^  unknown store  *store s1  .* manager.conf names the store s1, which has not joined and has no address$" out ||
	fail "$(cat out)"
head -n 1 out | grep -q ": 1 warning; nothing is backed up yet: " || fail "$(cat out)"
store one
one=$pid
m1 token agent a 2>/dev/null | at a join - >/dev/null
# No run has begun: the state is not "ok" yet.
connected() { m1 hosts | grep -q "^store *s1 *connected"; }
await 10 connected || fail "$(m1 hosts)"
m1 status | head -n 1 | grep -q ": 1 without a dump yet (next run: 20..-01-01 00:00 [^)]*)$" || fail "$(m1 status)"
m1 status --check | grep -q "^FDUMP OK - 1 job on 1 agent: 1 without a dump yet (next run: " || fail "$(m1 status --check)"
start a agent
agent=$pid
kept() { [ "$(m1 runs --agent a --json | grep -c '"result":"ok"')" -ge "$1" ]; }
await 20 kept 1 || fail "$(cat a.agent.log)"
cp a/var/agent/plan plan

n=0
refuses() { # TEXT-OF-JOB MESSAGE
	plan "$1"
	await 10 grep -qF "the plan of manager m1 is refused: job system is to $2" a.agent.log ||
		fail "not refused: $1: $(cat a.agent.log)"
	n=$((n + 1))
	await 10 has_alarms plan.refused $n || fail "no alarm at the manager: $(cat m1.log)"
	[ "$(grep -ao plan.refused a/var/agent/journal | wc -l)" = $n ] || fail "no alarm in the journal"
	cmp plan a/var/agent/plan || fail "the plan was kept: $1"
}
refuses "paths = {\"$work/src\"}  recipients = {\"mallory\"}" "be sealed to mallory, which is not among the recipients"
refuses "paths = {\"$work/src\", \"/etc\"}" "read /etc, which agent.conf does not allow"
refuses "paths = {\"$work/srcs\"}" "read $work/srcs, which agent.conf does not allow"
refuses "paths = {\"$work/src/../a\"}" "read $work/src/../a, which agent.conf does not allow"
refuses "paths = {\"$work/src\"}  unencrypted = yes" "be stored unencrypted, which agent.conf does not allow"

m1 status >out
grep -q "^  plan refused *agent a .*plan: job system is to be stored unencrypted, which agent.conf does not allow" out ||
	fail "$(cat out)"
head -n 1 out | grep -q ": 1 critical alarm$" || fail "$(cat out)"

# An agent that never had a valid plan says why when it is ordered to run a job.
mkdir -p b/etc
cp a/etc/agent.conf b/etc
sed -i 's|agents = {"a"}|agents = {"a", "b"}|' m1/etc/manager.conf
kill -HUP "$manager"
m1 token agent b 2>/dev/null | at b join - >/dev/null
start b agent
other=$pid
await 10 grep -q "is refused" b.agent.log || fail "$(cat b.agent.log)"
! m1 run system --agent b >out 2>&1 || fail "b has no job"
grep -q "no job 'system': the agent refuses the manager's plan: job system is to be stored unencrypted" out ||
	fail "$(cat out)"
kill "$other"
wait "$other" || :
m1 revoke agent b >/dev/null

# The previous plan is still followed, also for ordered runs.
m1 run system --agent a --wait >out || fail "run: $(cat out a.agent.log)"
await 10 kept 2 || fail "$(m1 runs)"

# Another machine takes over the store's name; the managers accept it, the agent does not.
plan "paths = {\"$work/src\"}"
taken() { ! m1 status | grep -q "plan refused"; }
await 10 taken || fail "$(m1 status)"
kill "$one"
wait "$one" || :
store two --replace
two=$pid
! cmp -s one/store/identity two/store/identity || fail "the same store"
await 10 grep -q "^s1 .* $(sed -n 's/^uid //p' two/store/fdump-store) " a/var/agent/stores || fail "$(cat a/var/agent/stores a.agent.log)"
m1 run system --agent a --wait >out && fail "a backup to another store: $(cat out)"
grep -qF "the store s1 is not the same as before" a.agent.log || fail "$(cat a.agent.log)"
grep -qF "fdump agent accept s1" a.agent.log || fail "no advice: $(cat a.agent.log)"
await 10 has_alarms store.changed 1 || fail "no alarm at the manager: $(cat m1.log)"
grep -aq store.changed a/var/agent/journal || fail "no alarm in the journal"
m1 status | grep -q "^  store changed *agent a, system .*a store has changed its identity" || fail "$(m1 status)"
"$FDUMP" agent accept s1 --config a/etc --state a/var >out 2>err || fail "accept: $(cat err)"
m1 run system --agent a --wait >out || fail "run, accepted: $(cat out a.agent.log)"
! m1 status | grep -q "store changed" || fail "$(m1 status)"
status=0
"$FDUMP" agent accept s9 --config a/etc --state a/var 2>err || status=$?
[ $status = 2 ] && grep -q "s9: this agent knows no store of this name" err || fail "$status $(cat err)"

# An operator keeps his own pins, which include what the managers announced when he joined.
m1 token operator alice --keys keys --passphrase-file passphrase >alice.token 2>alice.err &
token=$!
await 10 test -s alice.token || fail "$(cat alice.err)"
at alice join - --identity "$work/alice" <alice.token >/dev/null || fail "$(cat alice.err)"
wait $token || fail "$(cat alice.err)"
dumps() { "$FDUMP" dumps -s s1 --identity "$work/alice" >out 2>err; }
dumps || fail "$(cat err)"
kill "$two"
wait "$two" || :
store three --replace
two=$pid
for message in "the store s1 is not the same as before" "not the one that the managers announced"; do
	status=0
	dumps || status=$?
	[ $status = 6 ] && grep -q "refused: .*$message.*: fdump agent accept s1 --identity $work/alice" err || fail "$status $(cat err)"
	: >alice/pins
done
"$FDUMP" agent accept s1 --identity "$work/alice" >out 2>err || fail "accept: $(cat err)"
dumps || fail "accepted, but: $(cat err)"
grep -q "^s1 .* .*" alice/pins || fail "$(cat alice/pins)"
status=0
"$FDUMP" agent accept s9 --identity "$work/alice" 2>err || status=$?
[ $status = 2 ] && grep -q "s9: $work/alice knows no store of this name" err || fail "$status $(cat err)"

kill "$agent" "$two" "$manager"
wait "$manager" || fail "the manager's status: $?"
