#!/bin/bash
# Goal: fdump cron prints its results in a form for scripts and one for people, with the exit
# statuses of its manual page.
set -eu
FDUMP=${FDUMP:-build/test/fdump}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"
failed=0

# expect STATUS OUTPUT ERROR ARGUMENTS...: ERROR is a part of the message, "" for none.
expect() {
	local want=$1 out=$2 err=$3 status=0
	shift 3
	"$FDUMP" cron "$@" >out 2>err || status=$?
	if [ "$status" != "$want" ] || [ "$(cat out)" != "$out" ] ||
		{ [ -z "$err" ] && [ -s err ]; } || ! grep -qF -- "$err" <(cat err; echo); then
		echo "fdump cron $*: status $status, not $want"
		echo "out: $(cat out)"
		echo "err: $(cat err)"
		failed=1
	fi
}

paris="--tz Europe/Paris"
# shellcheck disable=SC2086
{
expect 0 "2026-11-23T05:25:00+01:00" "" next $paris --from 2026-11-23T05:20 '*/5 * * * *'
expect 0 "2020-03-29T03:00:00+02:00
2020-03-30T02:01:00+02:00" "" next -n 2 $paris --from 2020-03-28T12:00 '1 2 * * *'
expect 0 "2020-03-29T03:00:00+02:00
2020-03-28T02:01:00+01:00" "" prev -n 2 $paris --from 2020-03-29T12:00 '1 2 * * *'
# Strictly after and before, to the second and within a second.
expect 0 "2026-01-02T00:00:00+00:00" "" next --tz UTC --from 2026-01-01T00:00:00Z @daily
expect 0 "2026-01-01T00:00:00+00:00" "" next --tz UTC --from 2025-12-31T23:59:59.9Z @daily
expect 0 "2025-12-31T00:00:00+00:00" "" prev --tz UTC --from 2026-01-01T00:00:00Z @daily
expect 0 "2026-01-01T00:00:00+00:00" "" prev --tz UTC --from 2026-01-01T00:00:00.1Z @daily
# Options may follow arguments; -- ends the options.
expect 0 "2026-01-01T00:46:00+00:00" "" next '~ * * * *' --seed web1 --tz UTC --from 2026-01-01
expect 2 "" "column 1: '-5' is not a value" check -- '-5 * * * *'
expect 0 '{"type":"run","id":"cron.next","time":"2026-01-02T00:00:00+00:00","epoch":1767312000}' "" \
	next --json --tz UTC --from 2026-01-01 @daily
}
# The zone: by option, by TZ, and a wrong one.
TZ=Asia/Kolkata expect 0 "2016-01-03T14:14:00+05:30" "" next --from 2016-01-03T14:09:03 '14 14 * * *'
TZ='<+03>-3' expect 0 "2016-01-03T14:14:00+03:00" "" next --from 2016-01-03 '14 14 * * *'
expect 2 "" "no such time zone" next --tz Europe/Pari @daily
expect 2 "" "is not the name of a time zone" next --tz ../../etc/passwd @daily
# No run to print.
expect 1 "" "it never runs" next --tz UTC '0 0 30 2 *'
expect 1 '{"type":"result","id":"cron.none","what":"it never runs: no such date exists"}' "it never runs" prev --tz UTC --json '0 0 30 2 *'
expect 1 "" "when the agent starts" next --tz UTC @reboot
expect 1 "" "up to the year 9999" next --tz America/New_York --from 2026-01-01 '*/9 2 8 3 */7'
expect 1 "" "no run before" prev --tz UTC --from 0001-01-02 '@daily'
# check
expect 0 "" "" check '0 0 * * *'
expect 0 "" "valid, but it never runs" check '0 0 30 2 *'
expect 2 "" "minute (field 1), column 2: a step goes only after * or a range; write 5-59/N" \
	check '5/15 * * * *'
expect 0 '{"type":"result","id":"cron.check","expression":"@daily","valid":true,"never":false}' "" \
	check --json @daily
expect 2 '{"type":"result","id":"cron.check","expression":"60 * * * *","valid":false,"field":"minute","field_number":1,"column":1,"what":"minute (field 1), column 1: 60 is too large; write 0-59 or *"}' "" \
	check --json '60 * * * *'
# explain
expect 0 "At 02:30 on Monday through Friday.
A time that a clock change skips, by up to three hours, runs right after the gap; one that it repeats runs once." "" \
	explain '30 2 * * mon-fri'
expect 0 "At 03:46 every day.
A time that a clock change skips, by up to three hours, runs right after the gap; one that it repeats runs once.
The values of its random ranges ('~') are those of the seed 'web1'." "" \
	explain --seed web1 '~ 3 * * *'
expect 0 '{"type":"result","id":"cron.explain","expression":"0 12 1 * *","description":"At 12:00 on day 1 of the month.","clock_changes":"A time that a clock change skips, by up to three hours, runs right after the gap; one that it repeats runs once.","wall_clock":false,"both_days":true,"random":false,"reboot":false,"never":false,"minutes":[0],"hours":[12],"days":[1],"months":[1,2,3,4,5,6,7,8,9,10,11,12],"weekdays":[0,1,2,3,4,5,6]}' "" \
	explain --json '0 12 1 * *'
# Bytes that are not UTF-8 still give valid JSON.
"$FDUMP" cron check --json $'\xff * * * *' >out || true
python3 -c 'import json; d = json.load(open("out")); assert d["expression"] == "\\377 * * * *", d'
# Usage errors.
expect 2 "" "expected one of next, prev, check, explain"
expect 2 "" "'when': expected one of next, prev" when @daily
expect 2 "" "next: expected EXPR" next
expect 2 "" "in quotes" next 0 0 '*' '*' '*'
expect 2 "" "--count: expected a number from 1 to 1000000" next -n 0 @daily
expect 2 "" "--count: expected a number" next -n 5x @daily
expect 2 "" "needs a value" next @daily -n
expect 2 "" "unrecognized option" next --frm 2026 @daily
expect 2 "" "is not a time" next --from yesterday @daily
# A full disk is noticed; the program works by its link's name; help is there.
status=0
"$FDUMP" cron next -n 100000 '* * * * *' >/dev/full 2>err || status=$?
[ "$status" = 7 ] || { echo "full disk: status $status"; failed=1; }
ln -s "$(command -v "$FDUMP")" fdump-cron
./fdump-cron check @daily || failed=1
"$FDUMP" cron --help | grep -q '^usage: fdump cron next' || failed=1
exit $failed
