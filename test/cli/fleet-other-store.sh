#!/bin/bash
# Goal: a store that the manager refuses, because it is not the one that joined by its name, is not
# shown as connected; an alarm says why. When the right one is back all is well.
. "$(dirname "$0")/lib.sh"
workspace
fleet
manager=$pid
start m1 store
store=$pid
connected() { m1 hosts | grep -q "^store *m1 *connected"; }
await 10 connected || fail "$(m1 hosts)"
m1 status | grep -q "^  m1 *connected" || fail "$(m1 status)"

kill "$store"
wait "$store" || fail "the store: $?"
mv store right
"$FDUMP" store init ./store
start m1 store
store=$pid
refused() { grep -q "refused: the store m1 is not the same as before" m1.log; }
await 10 refused || fail "$(cat m1.log m1.store.log)"
! connected || fail "$(m1 hosts)"
m1 status >out
grep -q "1 critical alarm, 1 store not connected" out && grep -q "^  m1 *NOT CONNECTED" out &&
	grep -q "^  name taken twice *store m1 .* its uid or its key has changed" out || fail "$(cat out)"

kill "$store"
wait "$store" || fail "the other store: $?"
rm -r store
mv right store
start m1 store
store=$pid
await 10 connected || fail "$(m1 hosts)"
kill "$store" "$manager"
wait
