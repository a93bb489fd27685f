#!/bin/bash
# Goal: a second manager joins with the root's key; it signs certificates itself, agents and stores
# learn of it from the first, and its knowledge of runs comes from the agents' journals. An operator
# whom the root signed can use both; revoking reaches both. Agents forget a manager that is revoked.
. "$(dirname "$0")/lib.sh"
workspace
fleet
first=$pid
start m1 store
store=$pid
m1 token agent a 2>/dev/null | at a join - >/dev/null
start a agent
agent=$pid
seen() { "$FDUMP" runs --config "$1/etc" --state "$1/var" --json | grep -q '"agent":"a","job":"system"'; }
await 10 seen m1 || fail "no run: $(cat a.agent.log m1.log)"

# An operator and a second manager join: with the folder of keys and its passphrase.
enroll operator alice --identity "$work/alice"
! m1 token manager m3 2>err || fail "a manager's token without the root's key"
grep -q "give the folder that 'fdump setup' made (--keys DIR)" err || fail "$(cat err)"

status=0
m1 token manager m3 --keys src 2>err || status=$?
[ $status = 2 ] && grep -q "src/root.key: expected the folder with the fleet's keys" err || fail "$status $(cat err)"

# Another fleet's keys are refused at once, not after the machine has waited.
"$FDUMP" setup --name x --config x/etc --state x/var --store x/store --keys x/keys --passphrase-file passphrase \
	--listen "127.0.0.1:$(free_ports)" >/dev/null
status=0
m1 token operator bob --keys x/keys --passphrase-file passphrase 2>err || status=$?
[ $status = 6 ] && grep -q "x/keys: the keys of another fleet than that of the manager m1" err ||
	fail "another fleet's keys: $status $(cat err)"

# The configuration is the same on both, except for local.conf; it names both managers.
second_manager "$first"
second=$pid
grep -q "the manager m2 has joined" m2.err || fail "$(cat m2.err)"

# The agent learns of m2 with its next hello; here, with a new plan.
await 5 grep -q "^m2 " a/var/agent/managers || fail "$(cat a/var/agent/managers a.agent.log)"
op() { local command=$1; shift; "$FDUMP" "$command" --identity "$work/alice" "$@"; }
on_m2() { "$FDUMP" runs --identity "$work/alice2" --json | grep -q '"agent":"a","job":"system"'; }
cp -r alice alice2
echo "m2 127.0.0.1:$((base + 3))" >alice2/managers
await 10 on_m2 || fail "m2 does not know of the run: $(cat m2.log a.agent.log)"

# An agent that m2 has signed connects to both.
at m2 token agent b 2>/dev/null | at b join - >/dev/null || fail "b can't join by m2"
start b agent
other=$pid
host() { sed -n "s/^$1 [^ ]* \([0-9a-f]*\)$/\1/p" b/var/agent/managers; }
both() { [ ${#1} = 32 ] && [ ${#2} = 32 ] && [ "$1" != "$2" ]; }
connected() { both "$(host m1)" "$(host m2)"; }
await 10 connected || fail "b: $(cat b/var/agent/managers b.agent.log)"
acked() { grep -q "m1" b/var/agent/journal.acked && grep -q "m2" b/var/agent/journal.acked; }
await 10 acked || fail "b has not reported to both: $(cat b.agent.log)"

# Both managers deny it.
echo "m2 127.0.0.1:$((base + 3))" >>alice/managers
op revoke agent a >out || fail "$(cat out)"
grep -qx "m1 denies the agent a" out && grep -qx "m2 denies the agent a" out || fail "$(cat out)"

# Each knows the other: m1 by its token, m2 by the certificates that m1 has signed.
op hosts | grep -q "^manager *m2 *- " || fail "m1 does not know m2: $(op hosts)"
"$FDUMP" hosts --identity "$work/alice2" | grep -q "^manager *m1 " || fail "m2 does not know m1"

# A denied peer learns that it is refused, not that the connection was cut. Root on m1's machine
# reaches m1 only.
status=0
m1 revoke operator alice >out 2>err || status=$?
[ $status = 2 ] && grep -qx "m1 denies the operator alice" out && grep -q "m2 was not asked" err ||
	fail "by root of m1: $status $(cat out err)"
cp -r alice alice1
echo "m1 127.0.0.1:$base" >alice1/managers
status=0
"$FDUMP" hosts --identity "$work/alice1" 2>err || status=$?
[ $status = 6 ] && grep -q "it refuses our certificate .*identity in $work/alice1; was it revoked" err ||
	fail "a denied operator: $status $(cat err)"

# m1 is gone: the first manager that answers is used.
kill "$first"
wait "$first" || fail "m1's status: $?"
op hosts | grep -q "^agent *a .*denied" || fail "m2 was not asked"

# A manager can be denied, even the first one of the fleet, and with it everything that it has
# signed.
"$FDUMP" revoke manager m1 --identity "$work/alice2" >out || fail "$(cat out)"
"$FDUMP" hosts --identity "$work/alice2" | grep -q "^manager *m1 *denied" || fail "m1 is not denied"

# Agents forget it: they neither dial it nor keep the journal for it, not even after a restart.
forgotten() { ! grep -q "^m1 " b/var/agent/managers; }
await 10 forgotten || fail "b still knows m1: $(cat b/var/agent/managers b.agent.log)"
grep -q "manager m1: revoked, and not dialled any more" b.agent.log || fail "$(cat b.agent.log)"
! grep -q "m1" b/var/agent/journal.acked || fail "the journal waits for m1"
kill "$other"
wait "$other" || fail "b's status: $?"
start b agent
other=$pid
up() { "$FDUMP" hosts --identity "$work/alice2" | grep -q "^agent *b *connected"; }
await 10 up || fail "$(cat b.agent.log)"
forgotten && ! grep -q "manager m1" b.agent.log || fail "m1 is back: $(cat b/var/agent/managers b.agent.log)"

kill "$agent" "$other" "$store" "$second"
wait "$second" || fail "m2's status: $?"
