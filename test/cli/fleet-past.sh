#!/bin/bash
# Goal: a store that was down during a backup gets the dump afterwards, dated as on the store that
# had it first, because the agent brings that store's receipt. The receipt is refused, with the
# reason in the store's log, if it is over 7 days old or no manager names its store; the copy is
# then dated now. The second store's clock is ahead, which shows the time that is kept.
. "$(dirname "$0")/lib.sh"
needs faketime
workspace
fleet
manager=$pid
faketime -f +3d "$FDUMP" --version >/dev/null 2>&1 || skip "faketime does not work on this program"
m1 token store s2 2>/dev/null | at s2 join - --store "$work/s2/store" --listen "127.0.0.1:$((base + 3))" >join.out
start m1 store
first=$pid
await 10 grep -q "port $((base + 1))" m1.store.log || fail "$(cat m1.store.log)"
m1 token agent a 2>/dev/null | at a join - >/dev/null
printf 's2 127.0.0.1:%s\nm1 127.0.0.1:%s\n' "$((base + 3))" "$((base + 1))" >a/etc/stores

# The dump has a command's output as a member. The command starts the second store, with its clock
# AHEAD, and waits until it is up and, if a manager answers, knows the fleet's stores.
cat >late <<'END'
#!/bin/bash
. "$SRC/test/cli/lib.sh"
trap - EXIT
cd "$WORK"
export FAKETIME_DONT_FAKE_MONOTONIC=1
# shellcheck disable=SC2016 # in the inner shell
faketime -f "$AHEAD" bash -c 'echo $$ >s2.pid; exec "$FDUMP" store --config s2/etc --state s2/var' >s2.log 2>&1 &
await 10 grep -q "$UP" s2.log
END
chmod 755 late
export WORK=$work FDUMP_TEST_TIMES=2000,2000,2000

# back AHEAD UP NAME: a backup to both stores. Sets $off, the days by which the second store's copy is
# dated after the first store's.
back() {
	local to=() file times status=0
	for file in a/etc/recipients/*.pub; do to+=(--to "$file"); done
	AHEAD=$1 UP=$2 at a backup --agent a --name "$3" -s m1 -s s2 "${to[@]}" --json \
		--command "late=$work/late" -C src . >out 2>err || status=$?
	kill "$(cat s2.pid)"
	await 15 ended || fail "it does not end: $(cat s2.log)"
	[ $status = 0 ] && grep -q '"copies":2' out || fail "backup: status $status: $(cat out err s2.log)"
	grep -q '"store":"s2",.*"caught_up":true' out || fail "it did not catch up: $(cat out)"
	mapfile -t times < <(grep -o '"time":[0-9]*' out | grep -o '[0-9]*')
	off=$(((times[1] - times[0] + 43200) / 86400))
	listed || fail "$(cat out listed)"
}
ended() { ! kill -0 "$(cat s2.pid)" 2>/dev/null; }
# The store's own directory shows the same.
listed() { "$FDUMP" dumps -s "$work/s2/store" --json >listed 2>&1 && grep -q "\"committed\":${times[1]}," listed; }

back +3d "differ by" one
[ "$off" = 0 ] || fail "dated $off days ahead, not as the first copy: $(cat out s2.log)"
! grep -q "method=commit status=denied" s2.log || fail "$(cat s2.log)"
back +8d "differ by" two
[ "$off" = 8 ] || fail "a receipt of 8 days is believed: $off: $(cat out s2.log)"
grep "method=commit status=denied" s2.log | grep -q "peer=a .*receipt is too old" || fail "$(cat s2.log)"
kill "$manager"
wait "$manager" || :
back +3d "port $((base + 3))" three
[ "$off" = 3 ] || fail "a store that nobody names is believed: $off: $(cat out s2.log)"
grep "method=commit status=denied" s2.log | grep -q "peer=a .*names that store" || fail "$(cat s2.log)"
kill "$first"
wait "$first" || fail "the store's status: $?"
