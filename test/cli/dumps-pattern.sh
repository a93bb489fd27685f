#!/bin/bash
# Goal: dumps PATTERN lists the dumps whose AGENT/NAME matches, or, without a slash, whose NAME does;
# if none does, it says so and ends with status 1.
. "$(dirname "$0")/lib.sh"
workspace
mkdir tree
"$FDUMP" store init s
for dump in web-1/etc web-1/home web-2/etc db/etc-2; do
	"$FDUMP" backup -s ./s --unencrypted --state state -C tree --agent "${dump%/*}" --name "${dump#*/}" . >/dev/null
done
is() { # PATTERN DUMP...
	local pattern=$1 json
	shift
	for json in "" --json; do
		# shellcheck disable=SC2086 # a word or none
		status_of "$FDUMP" dumps -s ./s $json "$pattern"
		sed 's/.*"agent": *"\([^"]*\)", *"name": *"\([^"]*\)".*/\1\/\2/; s/.* //' out >got
		[ $status = $(($# == 0)) ] && printf '%s\n' "$@" | sed '/^$/d' | diff - got ||
			fail "$pattern $json: status $status: $(cat out err)"
		[ $# != 0 ] || grep -qx "fdump dumps: nothing matches '.*'" err || fail "$pattern: $(cat err)"
	done
}
is etc web-1/etc web-2/etc
is 'etc*' web-1/etc web-2/etc db/etc-2
is web-1/etc web-1/etc
is 'web-1/*' web-1/etc web-1/home
is '*/home' web-1/home
is 'web-?/*' web-1/etc web-1/home web-2/etc
is web-1
is ''
