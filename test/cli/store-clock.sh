#!/bin/bash
# Goal: after the clock was set by days while the machine ran, nothing is deleted, by later commands
# neither, until an operator has confirmed the clock; backups go on.
. "$(dirname "$0")/lib.sh"
workspace
fdump() { "$FDUMP" "$@"; }
fail() { echo "$*"; cat out err; exit 1; }
# The reverse: the time since boot has changed, the clock has not.
shift_by="unshare --time --fork --boottime"
needs unshare
$shift_by 200000 true 2>/dev/null || skip "may not have a time of its own"

mkdir tree
echo content >tree/a
fdump store init one
back() { "$@" backup -s ./one --unencrypted --state state -C tree . ; }
for i in 1 2 3; do
	echo $i >tree/a
	back fdump >/dev/null
done
# shellcheck disable=SC2086 # words
later() { $shift_by 200000 "$FDUMP" "$@"; }
status_of later forget -s ./one --keep-last 2 --yes
[ $status = 2 ] || fail "forget: status $status"
grep -q "clock was set by more than a day.*trust-clock" err || fail "not reported"
! grep -q ^forget out || fail "reported a deletion that did not happen"
status_of back later
[ $status = 0 ] || fail "backup: status $status"
status_of fdump forget -s ./one --keep-last 2 --yes
[ $status = 2 ] || fail "forget, once more: status $status"
[ "$(fdump dumps -s ./one | wc -l)" = 4 ] || fail "a dump is gone"
fdump store trust-clock one
status_of fdump forget -s ./one --keep-last 2 --yes
[ $status = 0 ] || fail "forget, trusted: status $status"
[ "$(fdump dumps -s ./one | wc -l)" = 2 ] || fail "dumps are left"
