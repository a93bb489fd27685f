# Goal: an incomplete dump never causes a good one to be deleted; forget marks it as dumps does.
. "$(dirname "$0")/lib.sh"
workspace
fail() { echo "$*"; cat out err; exit 1; }
status_of() { status=0; "$FDUMP" "$@" >out 2>err </dev/null || status=$?; }

"$FDUMP" store init one
status_of backup -s ./one --unencrypted --state state --name db --command db=true
[ $status = 0 ] || fail "a good one: status $status"
good=$(sed -n 's/^dump \([0-9a-f]\{12\}\).*/\1/p' out)
for i in 1 2; do
	status_of backup -s ./one --unencrypted --state state --name db --command db=false
	[ $status = 1 ] || fail "a failed one $i: status $status"
done
status_of forget -s ./one --keep-daily 7 --dry-run
[ $status = 0 ] && grep -q "^keep    $good .*/db  daily 1\$" out || fail "the good one: status $status"
grep -q '^keep .*/db !  the newest$' out && grep -q '^forget .*/db !  $' out || fail "the failed ones"
status_of forget -s ./one --keep-daily 7 --dry-run --json
[ "$(grep -c '"not_ok": *1' out)" = 2 ] || fail "not_ok"
status_of forget -s ./one --keep-daily 7 --yes
[ $status = 0 ] && "$FDUMP" dumps -s ./one >out && grep -q "^$good " out && [ "$(wc -l <out)" = 2 ] || fail "--yes: status $status"
