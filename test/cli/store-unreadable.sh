#!/bin/bash
# Goal: dumps whose records are lost are reported; "latest" is not silently an older one; a store
# without its identity is rebuilt; a reader keeps gc from removing what it reads.
. "$(dirname "$0")/lib.sh"
workspace
fail() { echo "$*"; cat out err; exit 1; }
mkdir tree
"$FDUMP" store init one
for i in 1 2 3; do
	head -c 200000 /dev/urandom >tree/$i
	"$FDUMP" backup -s ./one --unencrypted --state state -C tree . >out
	eval "id$i=\$(sed -n 's/^dump \([0-9a-f]*\):.*/\1/p' out)"
	[ $i != 1 ] || end=$(stat -c %s one/volumes/00000001.vol)
done
cp -a one cut
truncate -s "$end" cut/volumes/00000001.vol
"$FDUMP" store quota cut nobody 1T >/dev/null # a writer finds the damage and marks what is lost
status_of "$FDUMP" dumps -s ./cut
[ $status = 5 ] && [ "$(grep -c "can't be read" err)" = 2 ] && [ "$(wc -l <out)" = 1 ] || fail "dumps: status $status"
status_of "$FDUMP" restore -s ./cut latest -C back
[ $status = 5 ] && grep -q 'may be one of 2 dumps' err && [ ! -e back/1 ] || fail "latest: status $status"
status_of "$FDUMP" restore -s ./cut "${id3:?}" -C back
[ $status = 5 ] && grep -q "can't be read" err || fail "by id: status $status"
mkdir back back2
"$FDUMP" restore -s ./cut "${id1:?}" -C back && cmp back/1 tree/1 || fail "the one that is there"
"$FDUMP" restore -s ./cut -s ./one latest -C back2 && cmp back2/3 tree/3 || fail "the other store has it"
status_of "$FDUMP" forget -s ./cut --keep-last 1 -n
[ $status = 5 ] && grep -q "2 dumps can't be read" err || fail "forget: status $status"

# Locked dumps are reported as locked, by -n too.
"$FDUMP" backup -s ./one --unencrypted --state state --lock 1d -C tree . >out
"$FDUMP" backup -s ./one --unencrypted --state state -C tree . >out
status_of "$FDUMP" forget -s ./one --keep-last 1 -n
[ $status = 1 ] && [ "$(grep -c ^locked out)" = 1 ] && [ "$(grep -c ^forget out)" = 3 ] || fail "forget -n: status $status"
status_of "$FDUMP" forget -s ./one --keep-last 1 --yes
[ $status = 1 ] && [ "$(grep -c ^locked out)" = 1 ] && [ "$(grep -c ^forget out)" = 3 ] || fail "forget: status $status"

# A reader that locks as FDump's readers do: gc waits for it.
python3 -c '
import fcntl, struct, sys, time
f = open(sys.argv[1])
fcntl.fcntl(f, 37, struct.pack("hhqqi4x", fcntl.F_RDLCK, 0, 1, 1, 0))
print(flush=True)
time.sleep(60)' one/lock >locked &
reader=$!
await 10 test -s locked
status=0
timeout 2 "$FDUMP" store gc one --threshold 1 >out 2>err || status=$?
[ $status = 124 ] || fail "gc during a read: status $status"
kill $reader
wait $reader 2>/dev/null || :
"$FDUMP" store gc one --threshold 1 >out || fail "gc: status $?"

for gone in fdump-store identity "fdump-store one/identity"; do
	(cd one && rm ${gone//one\//})
	status_of "$FDUMP" store rebuild one
	[ $status = 0 ] && grep -q 'new identity' out err || fail "rebuild without $gone: status $status"
	"$FDUMP" verify one >out && "$FDUMP" backup -s ./one --unencrypted --state state -C tree . >out || fail "after it"
done

# Output that could not be written is a failure.
if [ -c /dev/full ]; then
	for command in "dumps -s ./one" "forget -s ./one --keep-last 1 -n" "store gc one" "store scrub one" "restore -s ./one latest -n -C back" \
		"find -s ./one 1" "verify one"; do
		status=0
		# shellcheck disable=SC2086
		"$FDUMP" $command >/dev/full 2>err || status=$?
		[ $status = 7 ] || fail "$command to a full device: status $status"
	done
fi
# A minute or a day means its end; a blank may replace the T.
"$FDUMP" files -s ./one "backup@$(date '+%F %H:%M')" >out 2>err || fail "a minute"
"$FDUMP" files -s ./one "backup@$(date +%F)" >out 2>err || fail "a day"

# A sealed dump and no key: find can't say that nothing matches.
"$FDUMP" key new --no-passphrase key >/dev/null
"$FDUMP" store init sealed
"$FDUMP" backup -s ./sealed --to key.pub --state state -C tree . >/dev/null
status_of "$FDUMP" find -s ./sealed 1
[ $status = 6 ] || fail "find without a key: status $status"
status_of "$FDUMP" find -s ./sealed --key key 1
[ $status = 0 ] || fail "find with it: status $status"

# A key for a pack that is not sealed is reported once, however many blocks there are.
"$FDUMP" pack -f p.fdump -C tree .
status_of "$FDUMP" verify --key key p.fdump
[ $status = 6 ] && [ "$(cat out err | grep -c 'not sealed, though')" = 1 ] || fail "a key for nothing: status $status"
