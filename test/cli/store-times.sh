#!/bin/bash
# Goal: a dump that is copied to another store keeps its time there: latest is still the newest, and
# forget keeps that one.
. "$(dirname "$0")/lib.sh"
workspace
back() { "$FDUMP" backup -s "./$1" --unencrypted --state state --name x t >/dev/null; }

mkdir t
"$FDUMP" store init one
"$FDUMP" store init two
echo old >t/f
back one
sleep 1.1
echo new >t/f
back two
sleep 1.1
"$FDUMP" store replicate --from ./one two >/dev/null
[ "$("$FDUMP" cat -s ./two x@latest t/f)" = new ] || fail "latest is not the newest"
"$FDUMP" forget -s ./two --keep-last 1 --yes >/dev/null
[ "$("$FDUMP" cat -s ./two x@latest t/f)" = new ] || fail "forget kept the older one"
"$FDUMP" dumps -s ./one --json | grep -o '"committed": *[0-9]*' >one.time
"$FDUMP" store replicate --from ./two one >/dev/null
"$FDUMP" store rebuild one >/dev/null
"$FDUMP" dumps -s ./one --json | grep -o '"committed": *[0-9]*' | head -n 1 | cmp - one.time || fail "another time"
[ "$("$FDUMP" cat -s ./one x@latest t/f)" = new ] || fail "latest, rebuilt"
