#!/bin/bash
# Goal: an unknown command is refused; if it is what another backup program calls one of ours, the
# message names ours, and that exists.
. "$(dirname "$0")/lib.sh"
workspace
for name in check compact create delete extract init ls mount prune snapshots; do
	for help in "" help; do
		# shellcheck disable=SC2086 # words
		status_of "$FDUMP" $help $name
		[ $status = 2 ] && [ ! -s out ] || fail "$help $name: status $status"
		grep -q "^fdump: unknown command '$name'. Perhaps 'fdump .*'?$" err || fail "$help $name: $(cat err)"
	done
	grep -o "'fdump [a-z ]*'" err | tr -d "'" >ours
	while read -r _ command verb; do
		"$FDUMP" "$command" --help </dev/null | grep -q "fdump $command $verb" || fail "$name: no $command $verb"
	done <ours
done
status_of "$FDUMP" nonsense
[ $status = 2 ] && grep -qx "fdump: unknown command 'nonsense'. Try 'fdump --help'." err || fail "nonsense: $(cat err)"
