#!/bin/bash
# Goal: a command that writes to a store waits for another writer as long as --lock-wait says, and
# reports for whom it waits: with -v, on a terminal, and when it gives up (status 8).
. "$(dirname "$0")/lib.sh"
workspace
fail() { echo "$*"; cat out err; exit 1; }
status_of() { status=0; "$FDUMP" "$@" >out 2>err || status=$?; }
# Runs a backup that keeps the store's lock until it is released.
hold() {
	rm -f held go
	"$FDUMP" backup --unencrypted --state state-held -s ./one --command "x=$work/holder" >/dev/null 2>&1 &
	pid=$!
	await 10 test -e held || fail "the backup did not begin"
}
release() { touch go; wait $pid || fail "the other backup: status $?"; }

cat >holder <<END
#!/bin/sh
touch $work/held
while [ ! -e $work/go ]; do sleep 0.05; done
END
chmod +x holder
mkdir tree
echo one >tree/a
"$FDUMP" store init one
"$FDUMP" store init two
"$FDUMP" backup --unencrypted --state state -C tree . -s ./one >/dev/null
"$FDUMP" backup --unencrypted --state state -C tree . -s ./one >/dev/null

hold
began=$SECONDS
for command in "backup --unencrypted --state state -C tree . -s ./one" "forget -s ./one --keep-last 1 --yes" "store gc one" \
	"store quota one host 10G" "store trust-clock one" "store replicate --from ./two one" "store rebuild one"; do
	# shellcheck disable=SC2086 # words
	status_of $command --lock-wait 0s
	[ $status = 8 ] || [ $status = 4 ] || fail "$command: status $status"
	grep -q "one: .*process $pid on .* writes to it" err || fail "$command does not say who"
done
status_of store gc one --lock-wait 1s
[ $status = 8 ] || fail "gc for a second: status $status"
[ $((SECONDS - began)) -le 3 ] || fail "took $((SECONDS - began)) s"
release

# Each command begins to wait, and goes on when the store is released.
hold
"$FDUMP" backup --unencrypted --state state -C tree . -s ./one -v --lock-wait 1m >out 2>err &
waits=$!
await 10 grep -q "one: process $pid on .* writes to it: waiting" err || fail "backup -v does not say that it waits"
release
wait $waits || fail "backup -v: status $?"
hold
"$FDUMP" store gc one >out 2>err &
waits=$!
sleep 0.5
kill -0 $waits || fail "gc did not wait"
release
wait $waits && [ ! -s err ] || fail "gc: status $?"
hold
python3 -c 'import os, pty, sys
sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))' "$FDUMP" store gc one >out 2>err </dev/null &
waits=$!
await 10 grep -q "process $pid on .* writes to it: waiting" out || fail "not reported on a terminal"
release
wait $waits || fail "gc on a terminal: status $?"

for command in "backup --unencrypted -s ./one ." "forget -s ./one --keep-last 1 -n" "store gc one"; do
	# shellcheck disable=SC2086 # words
	status_of $command --lock-wait long
	[ $status = 2 ] && grep -q 'lock-wait: expected a time' err || fail "$command --lock-wait long: status $status"
done
