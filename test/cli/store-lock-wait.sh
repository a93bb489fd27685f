# Goal: who writes to a store waits for another one as long as --lock-wait says, and tells for whom: with -v, on a
# terminal, and when it gives up (status 8).
set -eu
work=$(mktemp -d)
pid=
trap 'rm -rf "$work"; [ -z "$pid" ] || kill $pid 2>/dev/null || true' EXIT
cd "$work"
fail() { echo "$*"; cat out err; exit 1; }
status_of() { status=0; "$FDUMP" "$@" >out 2>err || status=$?; }
# Has a backup that writes to the store for so many seconds.
hold() {
	rm -f held
	"$FDUMP" backup --unencrypted --state state-held -s one --command "x=$work/holder $1" >/dev/null 2>&1 &
	pid=$!
	for _ in $(seq 100); do [ ! -e held ] || return 0; sleep 0.1; done
	fail "the backup did not begin"
}
release() { wait $pid || fail "the other backup: status $?"; pid=; }

cat >holder <<END
#!/bin/sh
touch $work/held
sleep \$1
END
chmod +x holder
mkdir tree
echo one >tree/a
"$FDUMP" store init one
"$FDUMP" store init two
"$FDUMP" backup --unencrypted --state state -C tree . -s one >/dev/null
"$FDUMP" backup --unencrypted --state state -C tree . -s one >/dev/null

hold 4
began=$SECONDS
for command in "backup --unencrypted --state state -C tree . -s one" "forget -s one --keep-last 1 --yes" "store gc one" \
	"store quota one host 10G" "store trust-clock one" "store replicate --from two one" "store rebuild one"; do
	# shellcheck disable=SC2086 # words
	status_of $command --lock-wait 0s
	[ $status = 8 ] || [ $status = 4 ] || fail "$command: status $status"
	grep -q "one: .*process $pid on .* writes to it" err || fail "$command does not say who"
done
status_of store gc one --lock-wait 1s
[ $status = 8 ] || fail "gc for a second: status $status"
[ $((SECONDS - began)) -le 3 ] || fail "it took $((SECONDS - began)) s"
release

hold 4
status_of backup --unencrypted --state state -C tree . -s one -v --lock-wait 1m
[ $status = 0 ] && grep -q "one: process $pid on .* writes to it: waiting" err || fail "backup -v: status $status"
release
hold 3
status_of store gc one
[ $status = 0 ] && [ ! -s err ] || fail "gc: status $status"
release
if command -v script >/dev/null; then
	hold 3
	script -qec "'$FDUMP' store gc one" /dev/null >out 2>err || fail "gc on a terminal: status $?"
	grep -q "process $pid on .* writes to it: waiting" out || fail "not told on a terminal"
	release
fi

for command in "backup --unencrypted -s one ." "forget -s one --keep-last 1 -n" "store gc one"; do
	# shellcheck disable=SC2086 # words
	status_of $command --lock-wait long
	[ $status = 2 ] && grep -q 'lock-wait wants a time' err || fail "$command --lock-wait long: status $status"
done
