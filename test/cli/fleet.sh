#!/bin/bash
# Goal: a whole fleet on loopback does its main work: tokens, a scheduled job with two copies, a
# store that dies, and a restore from the other store with the manager stopped.
. "$(dirname "$0")/lib.sh"
workspace
PORT=$((21000 + $$ % 9000)) "$SRC/packaging/fleet.sh" "$FDUMP" >out 2>&1 || fail "$(tail -n 30 out)"
grep -qE '^quickstart: restored [1-9][0-9]* files from nas1, 0 differences$' out || fail "$(tail -n 5 out)"
