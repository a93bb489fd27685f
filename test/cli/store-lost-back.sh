#!/bin/bash
# Goal: a missing volume is noticed by the next command that writes: from then on its contents are
# reported as lost, to readers too, and are stored again. If the volume comes back a scrub withdraws
# that.
. "$(dirname "$0")/lib.sh"
workspace
mkdir tree
head -c 3000000 /dev/urandom >tree/a
"$FDUMP" store init s >/dev/null
"$FDUMP" backup -s ./s --unencrypted --state state -C tree . >/dev/null
damaged() { "$FDUMP" store stat s | sed -n 's/^damaged *//p'; }

mv s/volumes/00000001.vol kept
"$FDUMP" dumps -s ./s >out || fail "a reader: status $?"
[ "$(damaged)" = 0 ] || fail "a reader has marked"
"$FDUMP" store trust-clock s
n=$(damaged)
[ "$n" -gt 0 ] || fail "a writer has marked nothing"
status=0
"$FDUMP" dumps -s ./s >out 2>err || status=$?
[ $status = 5 ] && grep -q "can't be read" err || fail "dumps: status $status: $(cat out err)"
"$FDUMP" store trust-clock s
[ "$(damaged)" = "$n" ] || fail "marked twice"

mv kept s/volumes/00000001.vol
"$FDUMP" store trust-clock s
[ "$(damaged)" = "$n" ] || fail "withdrawn without a check"
"$FDUMP" store scrub s >out 2>&1 || fail "scrub: status $?: $(cat out)"
[ "$(damaged)" = 0 ] || fail "scrub left marks"
"$FDUMP" dumps -s ./s >out || fail "dumps after it: status $?"
mkdir back
"$FDUMP" restore -s ./s latest -C back && cmp tree/a back/a || fail "restore"
