#!/bin/bash
# Goal: an operator's command learns of managers and stores that joined after him. Revoking reaches
# all managers, even if only one of them knows the name, and says which of them do not deny it; a
# name that is denied everywhere is refused everywhere. If the first manager is dead the others are
# asked.
. "$(dirname "$0")/lib.sh"
workspace
fleet
first=$pid
op() { local command=$1; shift; "$FDUMP" "$command" --identity "$work/alice" "$@"; }
enroll operator alice --identity "$work/alice"
enroll operator dave --identity "$work/dave"
second_manager "$first"
second=$pid
for a in web1 web2; do
	m1 token agent $a 2>/dev/null | at $a join - >/dev/null
done
m1 token store nas2 2>/dev/null | at nas2 join - --store "$work/store2" --listen "127.0.0.1:$((base + 4))" >/dev/null ||
	fail "join store nas2"
start nas2 store
store=$pid

# The second manager and the new store are learned; an existing line keeps the rest of its text.
sed -i 's/^m1 .*/& # the first/' alice/managers
learned() { op hosts >/dev/null && grep -qx "m2 127.0.0.1:$((base + 3))" alice/managers && grep -q "^nas2 " alice/stores; }
await 10 learned || fail "learned: $(cat alice/managers alice/stores nas2.store.log)"
grep -qx "m1 127.0.0.1:$base # the first" alice/managers || fail "$(cat alice/managers)"
[ "$(grep -c . alice/managers)" = 2 ] || fail "$(cat alice/managers)"
op dumps -s nas2 >out 2>&1 || fail "the new store: $(cat out)"
# A changed address is adopted; a changed uid or key is not.
cp alice/stores stores.before
awk '{ $3 = "00000000000000000000000000000000"; print }' stores.before >stores.other
awk '{ $2 = "127.0.0.1:1"; print }' stores.other >alice/stores
sed -i 's/^m2 .*/m2 127.0.0.1:1/' alice/managers
op hosts >out
cmp alice/stores stores.other || fail "stores: $(cat alice/stores)"
grep -qx "m2 127.0.0.1:$((base + 3))" alice/managers || fail "$(cat alice/managers)"
cp stores.before alice/stores

# The second manager does not know dave yet; the root signed his certificate, so it accepts him
# until he is revoked.
echo "m2 127.0.0.1:$((base + 3))" >dave/managers
cp -r dave dave2
"$FDUMP" hosts --identity "$work/dave" >out || fail "dave at m2"
! grep -q "^operator *dave" out || fail "m2 knows dave: this test shows nothing"
for i in first again; do
	op revoke operator dave >out || fail "$i: $? $(cat out)"
	grep -qx "m1 denies the operator dave" out && grep -qx "m2 denies the operator dave" out || fail "$i: $(cat out)"
done
status=0
"$FDUMP" hosts --identity "$work/dave2" >out 2>&1 || status=$?
[ $status = 6 ] || fail "dave is still heard by m2: $status $(cat out)"
op revoke agent web1 >out || fail "$? $(cat out)"
grep -qx "m2 denies the agent web1" out || fail "$(cat out)"

status=0
op revoke operator nobody >out 2>&1 || status=$?
[ $status = 2 ] && grep -q "no operator nobody has joined" out || fail "an unknown name: $status $(cat out)"

# Root on the first manager's machine has no rights on the second manager.
status=0
m1 revoke agent web2 >out 2>&1 || status=$?
[ $status = 2 ] && grep -qx "m1 denies the agent web2" out && grep -q "m2 was not asked" out &&
	grep -q "not all managers deny the agent web2" out || fail "by root: $status $(cat out)"
op revoke agent web2 >out || fail "$? $(cat out)"

# The first manager is dead.
kill "$first"
wait "$first" || fail "m1's status: $?"
op status >out || fail "status: $(cat out)"
grep -q "^manager m2" out || fail "$(cat out)"
status=0
op revoke store nas2 >out 2>&1 || status=$?
[ $status = 2 ] && grep -qx "m2 denies the store nas2" out && grep -q "m1" out &&
	grep -q "not all managers deny the store nas2" out || fail "with a dead one: $status $(cat out)"
await 10 grep -q "error: manager m2: it refuses this store, which was revoked .* 'fdump token store nas2' there" nas2.store.log ||
	fail "$(cat nas2.store.log)"

# Once it is denied itself it no longer counts.
op revoke manager m1 >out 2>&1 || fail "$? $(cat out)"
grep -qx "m2 denies the manager m1" out || fail "$(cat out)"
op revoke store nas2 >out 2>&1 || fail "a denied manager counts: $? $(cat out)"

kill "$store" "$second"
wait "$second" || fail "m2's status: $?"
