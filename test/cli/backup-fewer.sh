# Goal: a backup that finds only a small part of the previous one (because its source is not
# mounted) says so with the numbers, with status 1; forget then keeps the last full one until a
# backup has --accept-fewer.
. "$(dirname "$0")/lib.sh"
workspace
back() { status=0; "$FDUMP" backup -s ./s --unencrypted --state state -C src . "$@" >out 2>err || status=$?; }
mkdir src
"$FDUMP" store init s
for i in $(seq 40); do echo "$i" >src/"$i"; done
back
[ $status = 0 ] || fail "the first: status $status"
whole=$(sed -n 's/^dump \([0-9a-f]*\):.*/\1/p' out)
mkdir aside
mv src/* aside
for i in 1 2 3; do # each is compared with the full one, not with another small one
	back
	[ $status = 1 ] && grep -q '1 entry.* 41' err || fail "emptied, run $i: status $status: $(cat err)"
done
"$FDUMP" dumps -s ./s | grep -q ' <$' || fail "not marked in the list"
"$FDUMP" cat -s ./s latest 1 >/dev/null 2>err || true
grep -q 'has 1 entries, the one before had 41' err || fail "latest does not say it: $(cat err)"
"$FDUMP" forget -s ./s --keep-last 1 --yes >/dev/null
"$FDUMP" dumps -s ./s | grep -q "^${whole:0:12}" || fail "the complete dump was deleted"
back --json
[ $status = 1 ] && grep -q '"fewer_than": *41' out || fail "JSON: status $status"
back --accept-fewer
[ $status = 0 ] || fail "accepted: status $status"
back
[ $status = 0 ] || fail "after it was accepted: status $status"

# A few files fewer are no reason to warn. Nor are other paths.
mv aside/* src
for i in 1 2; do back; [ $status = 0 ] || fail "back again: status $status: $(cat err)"; done
rm src/1?
back
[ $status = 0 ] || fail "a quarter less: status $status"
status=0
"$FDUMP" backup -s ./s --unencrypted --state state -C src 1 >out 2>err || status=$?
[ $status = 0 ] || fail "one path of it: status $status"
