#!/bin/bash
# Goal: a mistake in the PATHs or stores of a backup leads to no dump that could be mistaken for a
# good one, and to no pack.
. "$(dirname "$0")/lib.sh"
workspace
fail() { echo "$*"; cat out err; exit 1; }
back() { status_of "$FDUMP" backup -s "$work/one" --unencrypted --state "$work/state" "$@"; }
mkdir tree tree/sub
echo x >tree/sub/file
"$FDUMP" store init one

# A PATH that does not exist: no dump and no pack, and an older pack is kept.
back scr
[ $status = 2 ] || fail "a PATH that is not there: status $status"
grep -q 'scr: can.t be examined: No such file' err || fail "does not say why"
"$FDUMP" dumps -s ./one >out
[ ! -s out ] || fail "there is a dump of nothing"
"$FDUMP" pack -f p.fdump tree
cp p.fdump old
status_of "$FDUMP" pack -f p.fdump missing
[ $status = 2 ] && cmp p.fdump old || fail "an older pack: status $status"
# One of two PATHs does not exist: the dump is made, and marked as incomplete.
back tree scr
[ $status = 1 ] || fail "one of two PATHs: status $status"
"$FDUMP" dumps -s ./one | grep -q '!$' || fail "the dump is not marked as incomplete"

# "..": names in a dump can't contain it.
mkdir in
cd in
back ../tree
[ $status = 2 ] && grep -q "'\.\.'" ../in/err || fail "..: status $status"
back /tmp/..
[ $status = 2 ] || fail "/..: status $status"
back ..tree
[ $status = 2 ] && ! grep -q "'\.\.'" err || fail "a name that begins with dots"
cd ..

# A store inside a PATH is left out, whether named relatively, absolutely, or by a roundabout path.
"$FDUMP" store init tree/store
for path in tree "$work/tree"; do
	for store in tree/store tree/sub/../store; do
		status_of "$FDUMP" backup -s $store --unencrypted --state state "$path"
		[ $status = 0 ] && grep -q 'is a store of this backup' err || fail "$path $store: status $status"
		"$FDUMP" files -s $store latest >out
		! grep -q store out && grep -q sub/file out || fail "$path: has the store"
	done
done
# So is the state folder, however it is named: an unencrypted dump would reveal the secret.
for args in '-C tree .' '-C tree sub state' '-C tree sub state/agent/secret' "$work/tree"; do
	status_of "$FDUMP" backup -s ./one --unencrypted --state tree/state $args
	[ $status = 0 ] && grep -q 'tree/state/agent: is the state folder' err || fail "state in $args: status $status"
	"$FDUMP" files -s ./one latest >out
	! grep -q agent out && grep -q sub/file out || fail "$args: has the state folder"
done
for args in '-C tree/state/agent .' '-C tree/state agent/last' '-C tree state/agent'; do
	status_of "$FDUMP" backup -s ./one --unencrypted --state tree/state $args
	[ $status = 2 ] || fail "nothing but state: $args: status $status"
done
# The same store twice.
status_of "$FDUMP" backup -s ./one -s tree/../one --unencrypted --state state tree
[ $status = 2 ] && grep -q 'same store' err || fail "twice the same store: status $status"
