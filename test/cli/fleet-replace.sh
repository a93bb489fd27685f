#!/bin/bash
# Goal: a machine is replaced (token --replace) on all managers: those that did not make the token
# accept the new machine too, and deny the old one, once the new one connects. A manager that could
# not be told refuses the new machine, and says what to do, until the command is repeated.
. "$(dirname "$0")/lib.sh"
workspace
fleet
first=$pid
start m1 store
store=$pid
m1 token agent a 2>/dev/null | at a join - >/dev/null
start a agent
old_agent=$pid

# A second manager, and an operator who knows both.
enroll operator alice --identity "$work/alice"
second_manager "$first"
second=$pid
cp -r alice alice2
printf 'm1 127.0.0.1:%s\nm2 127.0.0.1:%s\n' "$base" "$((base + 3))" >alice/managers
printf 'm2 127.0.0.1:%s\nm1 127.0.0.1:%s\n' "$((base + 3))" "$base" >alice2/managers
on1() { local command=$1; shift; "$FDUMP" "$command" --identity "$work/alice" "$@"; }
on2() { local command=$1; shift; "$FDUMP" "$command" --identity "$work/alice2" "$@"; }

# The host id of the agent a, as a manager knows it.
host() { "$1" hosts --json | sed -n 's/.*"name":"a","role":"agent","host":"\([0-9a-f]*\)".*"denied":false.*/\1/p'; }
same() { [ -n "$(host on2)" ] && [ "$(host on1)" = "$(host on2)" ]; }
await 10 same || fail "m2 does not know the agent: $(on1 hosts) $(on2 hosts) $(cat a.agent.log)"

# Nothing changes before the new machine connects.
old=$(host on2)
on1 token agent a --replace >token 2>err || fail "$(cat err)"
[ "$(host on2)" = "$old" ] || fail "replaced before there is another one"
on1 hosts >out
grep -q "^agent  *a .*, can be replaced until 20" out || fail "$(cat out)"
at b join - <token >/dev/null
start b agent
agent=$pid
await 10 same || fail "m2 refuses the new machine: $(cat m2.log b.agent.log)"
[ "$(host on2)" != "$old" ] || fail "the old one is still known"
await 5 grep -q "error: manager m2: it refuses this agent, which was revoked .* 'fdump token agent a' there" a.agent.log || fail "m2 does not deny the old one: $(cat a.agent.log)"
kill "$old_agent" "$agent"

# Root on a manager's machine is known to that manager only.
status=0
m1 token agent a --replace >token 2>err || status=$?
[ $status = 1 ] && grep -q "m2 goes on refusing the new a: it was not asked: .* is good for m1 only.* as root on m2" err ||
	fail "$status $(cat err)"

# While m2 is down.
kill "$second"
wait "$second" || :
status=0
on1 token agent a --replace >token 2>err || status=$?
[ $status = 1 ] && grep -q "the manager m2 goes on refusing the new a: " err &&
	grep -q "once it can be asked, call 'fdump token agent a --replace' again" err || fail "$status $(cat err)"
at c join - <token >/dev/null
start c agent
agent=$pid
start_manager m2
second=$pid
taken_twice() { on2 status | grep -q "name taken twice"; }
await 15 taken_twice || fail "m2 does not refuse: $(cat m2.log)"
on2 status | grep -q "if this one is to take its place: 'fdump token agent a --replace'" || fail "$(on2 status)"
on1 token agent a --replace --json >out || fail "$(cat out)"
grep -q '"manager":"m2","told":true' out || fail "$(cat out)"
await 10 same || fail "m2 refuses the new machine: $(cat m2.log c.agent.log)"
! taken_twice || fail "the alarm stays: $(on2 status)"

# When an operator is replaced, the old one is revoked everywhere, and the name is then free.
status=0
on1 token operator alice --replace --keys keys 2>err || status=$?
[ $status = 2 ] && grep -q "an operator has no --replace: 'fdump revoke operator alice' first" err || fail "$status $(cat err)"
status=0
on1 token operator alice --keys keys --passphrase-file passphrase >token 2>err || status=$?
[ $status = 2 ] && grep -q "alice has joined already; 'fdump revoke operator alice'" err || fail "$status $(cat err)"

kill "$agent" "$store" "$first" "$second"
wait "$second" || fail "m2's status: $?"
