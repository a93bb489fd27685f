#!/bin/bash
# Goal: "bytes stored" is the most that any store with this dump took in, including what it got
# while catching up, and excluding what went to a store that lacks the dump. A store that is left
# behind for lack of space is reported once.
. "$(dirname "$0")/lib.sh"
workspace
fdump() { "$FDUMP" "$@"; }
fail() { echo "$*"; cat out err; exit 1; }
back() { aged "$FDUMP" backup --unencrypted --state state -C tree -s ./one -s ./two . "$@"; }
stored() { sed -n 's/.* \([0-9]*\) bytes stored, .*/\1/p' out; }

mkdir tree
head -c 3000000 /dev/urandom >tree/a
head -c 3000000 /dev/urandom >tree/b
touch -d '10 seconds ago' tree/a tree/b
for store in one two; do fdump store init $store; done
status_of back
[ "$(stored)" -gt 6000000 ] && [ "$(stored)" -lt 6050000 ] || fail "the first: $(stored)"

# A chunk in one store is damaged; it comes back from the other store during the catch-up.
dd if=/dev/zero of=one/volumes/00000001.vol bs=1000 seek=2000 count=10 conv=notrunc 2>/dev/null
status_of fdump store scrub one
[ $status = 5 ] || fail "scrub: status $status"
status_of back
[ $status = 0 ] || fail "replicate: status $status"
[ "$(stored)" -gt 100000 ] && [ "$(stored)" -lt 5000000 ] || fail "bytes that came back: $(stored)"

# One store is over its quota; the other has everything.
me=$(fdump dumps -s ./one --json | sed -n 's/.*"agent": *"\([^"]*\)".*/\1/p' | head -n 1)
rm -r one
fdump store init one
fdump store quota one "$me" 1M
status_of back --reread
[ $status = 4 ] || fail "over the quota: status $status"
[ "$(stored)" -lt 10000 ] || fail "counts bytes of a store that lacks the dump: $(stored)"
[ "$(grep -c 'left behind' err)" = 1 ] || fail "not reported once"
status_of back --reread -v
[ "$(grep -c 'left behind' err)" = 1 ] || fail "not reported once, with -v"
