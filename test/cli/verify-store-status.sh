# Goal: `fdump verify STORE --key` lists the entries of each dump that were not read properly, as
# for a pack: exit 1.
. "$(dirname "$0")/lib.sh"
workspace
fail() { echo "$*"; cat out err; exit 1; }
status_of() { status=0; "$FDUMP" "$@" >out 2>err || status=$?; }

mkdir t
echo x >t/ok
"$FDUMP" key new --no-passphrase key >/dev/null
for store in good bad; do "$FDUMP" store init $store; done
"$FDUMP" backup -s ./good --to key.pub --state state -C t . >/dev/null
status_of verify good --key key
[ $status = 0 ] && grep -q ": ok$" out || fail "good: status $status"
for _ in 1 2; do
	status_of backup -s ./bad --to key.pub --state state -C t --command one=false --command two=false .
	[ $status = 1 ] || fail "backup: status $status"
done
status_of verify bad --key key
[ $status = 1 ] && [ ! -s err ] || fail "bad: status $status"
for name in one two; do # the same in both dumps
	[ "$(grep -c "^bad: dump [0-9a-f]* (.*): $name: command-failed (exit status 1)$" out)" = 2 ] || fail "$name"
done
tail -n 1 out | grep -q ": ok, but 4 changed or failed when backed up$" || fail "not summed up"
status_of verify bad --key key --json
[ $status = 1 ] && [ "$(grep -c '"id": *"verify.status".*"path": *"one"' out)" = 2 ] || fail "--json"
tail -n 1 out | grep -q '"not_ok": *4' || fail "--json: the result"
"$FDUMP" key new --no-passphrase other >/dev/null
status_of verify bad --key other
[ $status = 6 ] || fail "another key: status $status"
mkdir empty
status_of verify empty
[ $status = 2 ] && grep -q "empty: a directory, but not an FDump store" err || fail "a directory that is no store: status $status"
