# Goal: an agent can't use more of a store than its quota; it reports that with status 7, and can
# write again when there is room; its usage is as stat shows, also after gc; other agents are not
# affected.
. "$(dirname "$0")/lib.sh"
needs python3
workspace
fdump() { "$FDUMP" "$@"; }
fail() { echo "$*"; cat out err; exit 1; }
used() { fdump store stat one --json | python3 -c '
import json, sys
print([a["bytes"] for a in json.load(sys.stdin)["agents"] if a["agent"] == sys.argv[1]][0])' "$me"; }

mkdir tree
head -c 3000000 /dev/urandom >tree/a
fdump store init one
fdump store init two
back() { fdump backup --unencrypted --state state -C tree "$@" .; }
back -s ./one >/dev/null
me=$(fdump dumps -s ./one --json | python3 -c 'import json, sys; print(json.loads(sys.stdin.readline())["agent"])')
before=$(used)
[ "$before" -gt 3000000 ] && [ "$before" -lt 3010000 ] || fail "used: $before"

fdump store quota one "$me" 4M
fdump store quota one another 1K
fdump store stat one >out
grep -q "^agent $me: dumps 1 bytes $before quota 4194304$" out || fail "stat"
grep -q "^agent another: dumps 0 bytes 0 quota 1024$" out || fail "stat of another"
head -c 2000000 /dev/urandom >tree/b
status_of back -s ./one
[ $status = 7 ] || fail "over the quota: status $status"
grep -q "the quota of $me is full: 4194304 bytes, of which [0-9]* are used" err || fail "not reported"
fdump verify one >/dev/null
[ "$(fdump dumps -s ./one | wc -l)" = 1 ] || fail "a dump was made nevertheless"
# The other store goes on.
status_of back -s ./one -s ./two
[ $status = 4 ] || fail "one of two is over: status $status"
status_of fdump store replicate --from ./two one
[ $status = 7 ] || fail "replicate over the quota: status $status"

# Garbage counts until it is collected.
rm tree/a tree/b
fdump store gc --threshold 1 one >/dev/null # chunks that were stored before the quota was full
head -c 900000 /dev/urandom >tree/c
back -s ./one >/dev/null
fdump forget -s ./one --keep-last 1 --yes >/dev/null
head -c 2000000 /dev/urandom >tree/b
status_of back -s ./one
[ $status = 7 ] || fail "before gc: status $status"
fdump store gc --threshold 1 one >/dev/null
status_of back -s ./one
[ $status = 0 ] || fail "after gc: status $status"
# The quota outlives the index, and can be lifted.
fdump store rebuild one >/dev/null
head -c 3000000 /dev/urandom >tree/d
status_of back -s ./one
[ $status = 7 ] || fail "after rebuild: status $status"
fdump store quota one "$me" none
status_of back -s ./one
[ $status = 0 ] || fail "without: status $status"
# With a quota below the usage nothing more is accepted, not even a dump without new chunks.
fdump store quota one "$me" 1M
status_of back -s ./one
[ $status = 7 ] || fail "below what is used: status $status"
status_of fdump store quota one ../x 1M
[ $status = 2 ] || fail "an invalid name: status $status"
echo "many web" >one/quotas
status_of fdump dumps -s ./one
[ $status = 3 ] || fail "a malformed file: status $status"
