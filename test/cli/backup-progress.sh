#!/bin/bash
# Goal: with --progress --json a backup reports its progress at once, then every few seconds, before
# its result.
. "$(dirname "$0")/lib.sh"
workspace
mkdir src
for i in 1 2 3; do
	head -c 100000 /dev/urandom >"src/$i"
done
"$FDUMP" store init s >/dev/null
run() {
	"$FDUMP" backup -s ./s --unencrypted --state "$work/state" --agent a "$@" src
}
run --json --progress >out || fail "$? $(cat out)"
head -n 1 out | grep -qE '^\{"type":"progress","id":"backup.progress","bytes":[1-9][0-9]*,"entries":[1-9][0-9]*\}$' || fail "$(cat out)"
tail -n 1 out | grep -q '"id":"backup.result"' || fail "$(cat out)"
run --json >out || fail "$? $(cat out)"
! grep -q progress out || fail "unasked: $(cat out)"
status=0
run --progress >out 2>&1 || status=$?
[ $status = 2 ] && grep -q "progress goes with --json" out || fail "$status $(cat out)"
