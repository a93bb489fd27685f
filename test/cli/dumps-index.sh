#!/bin/bash
# Goal: listing dumps, finding the newest, retention, and agents' usage work from the index: no
# volume is opened.
. "$(dirname "$0")/lib.sh"
needs strace
workspace
mkdir tree
"$FDUMP" store init s >/dev/null
for name in a b; do
	for agent in one two; do
		echo "$agent $name" >tree/file
		"$FDUMP" backup -s ./s --unencrypted --state state --agent $agent --name $name -C tree . >/dev/null
	done
done
"$FDUMP" store quota s one 1G >/dev/null

opens() { # counts the volumes that a command opens
	strace -f -e trace=open,openat -o trace "$FDUMP" "$@" >out || fail "$*: status $?"
	grep -c '\.vol"' trace || :
}
for command in "dumps -s ./s" "dumps -s ./s --json" "forget -s ./s --keep-last 1 -n" "store stat s"; do
	# shellcheck disable=SC2086 # options
	n=$(opens $command)
	[ "$n" = 0 ] || fail "$command: opens volumes $n times: $(grep -m3 '\.vol"' trace)"
	[ -s out ] || fail "$command: says nothing"
done
[ "$(opens cat -s ./s two/b@latest file)" -gt 0 ] || fail "the trace shows no volume that is read"
[ "$("$FDUMP" dumps -s ./s | wc -l)" = 4 ] || fail "dumps: $("$FDUMP" dumps -s ./s)"
[ "$("$FDUMP" cat -s ./s two/b@latest file)" = "two b" ] || fail "latest is another"

# The same with a rebuilt index, and without deleted dumps.
"$FDUMP" dumps -s ./s --json >before
"$FDUMP" store rebuild s >/dev/null
"$FDUMP" dumps -s ./s --json | cmp - before || fail "a rebuilt index lists other dumps"
"$FDUMP" forget -s ./s --agent one "$("$FDUMP" dumps -s ./s | sed -n '/one/{s/ .*//p;q}')" --yes >/dev/null || fail forget
[ "$("$FDUMP" dumps -s ./s | wc -l)" = 3 ] || fail "one was deleted: $("$FDUMP" dumps -s ./s)"
"$FDUMP" verify s >/dev/null || fail "verify: status $?"
