#!/bin/bash
# Goal: a store that lacks chunks, or could not be written for a while, is left behind and has
# caught up at the end of the run; the dump is complete in each store.
. "$(dirname "$0")/lib.sh"
workspace
fdump() { "$FDUMP" "$@"; }
fail() { echo "$*"; cat out err; exit 1; }

mkdir tree
head -c 6000000 /dev/urandom >tree/a
head -c 6000000 /dev/urandom >tree/b
touch -d '10 seconds ago' tree/a tree/b
for store in one two three; do fdump store init $store; done
# shellcheck disable=SC2120 # status_of passes them
back() { aged "$FDUMP" backup --unencrypted --state state -C tree -s ./one -s ./two -s ./three . "$@"; }
back >/dev/null

# Store two has lost its chunks: carried-over chunks are copied, not read again from the files.
rm two/volumes/00000001.vol
truncate -s 0 two/volumes/00000001.vol
status_of fdump store scrub two
status_of fdump store rebuild two
status_of back --json
[ $status = 0 ] || fail "a store that lacks chunks: status $status"
[ ! -s err ] || fail "messages despite success"
grep -q '"store": *"./two",.*"caught_up": *true' out || fail "has not caught up"
grep -q '"copies": *3' out || fail "not three copies"
status_of fdump verify two
[ $status = 0 ] || fail "verify two: status $status"
mkdir back
fdump restore -s ./two latest -C back
cmp back/a tree/a

# With one store missing: fewer copies is a failure, unless fewer were asked for.
mv three gone
status_of back
[ $status = 4 ] || fail "a store is gone: status $status"
[ "$(grep -c "three" err)" = 1 ] || fail "not reported once"
status_of back --copies 2
[ $status = 0 ] || fail "two copies are enough: status $status"
mv gone three
status_of back
[ $status = 0 ] || fail "after it came back: status $status"
[ "$(fdump dumps -s ./three | wc -l)" -ge 2 ] || fail "three has no new dump"
