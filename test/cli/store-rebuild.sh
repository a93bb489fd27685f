# Goal: rebuild says which volumes are missing or cut, and which dumps are therefore lost or
# incomplete, and ends with status 5, also the next time; without damage it reports none.
. "$(dirname "$0")/lib.sh"
workspace
fail() { echo "$*"; cat out err; exit 1; }
back() { "$FDUMP" backup -s ./one --unencrypted --state state -C tree . --name "$1" >out; sed -n 's/^dump \([0-9a-f]*\):.*/\1/p' out; }

mkdir tree
"$FDUMP" store init one
head -c 300000 /dev/urandom >tree/a
first=$(back first)
cut=$(stat -c %s one/volumes/00000001.vol)
head -c 300000 /dev/urandom >tree/b
second=$(back second)
cp -a one whole

status_of "$FDUMP" store rebuild one
[ $status = 0 ] && [ ! -s err ] || fail "without damage: status $status"

# The only volume is missing.
rm one/volumes/00000001.vol
status_of "$FDUMP" store rebuild one
[ $status = 5 ] && grep -q 'volume 00000001.* is missing' err || fail "a lost volume: status $status"
for d in "$first" "$second"; do
	grep -q "dump ${d:0:12}.*: is lost" err || fail "does not name dump $d"
done

# A volume that was cut: one dump is lost, the other one is complete.
rm -r one
cp -a whole one
truncate -s "$cut" one/volumes/00000001.vol
status_of "$FDUMP" store rebuild one
[ $status = 5 ] && grep -q "volume 00000001: $cut bytes long, expected" err || fail "a cut volume: status $status"
grep -q "dump ${second:0:12}.*: is lost" err && ! grep -q "${first:0:12}" err || fail "does not name dump $second"

# The index is older than the last writes, as after a crash: the dumps that it had are still known.
rm -r one
cp -a whole one
end=$(stat -c %s one/volumes/00000001.vol)
back third >/dev/null
rm -r one/index
cp -a whole/index one/index
dd if=/dev/zero of=one/volumes/00000001.vol bs=1 seek=$((end - 100)) count=50 conv=notrunc 2>/dev/null
status_of "$FDUMP" store rebuild one
[ $status = 5 ] && grep -q "dump ${second:0:12}.*: is lost" err || fail "an older index: status $status"
! grep -q "${first:0:12}" err || fail "an older index: names what is there"

# Chunks are missing: reported with all that is known, even when the index no longer has them.
rm -r one
cp -a whole one
dd if=/dev/zero of=one/volumes/00000001.vol bs=1000 seek=100 count=10 conv=notrunc 2>/dev/null
for _ in 1 2; do
	status_of "$FDUMP" store rebuild one
	[ $status = 5 ] && grep -q "dump ${first:0:12} (.*/first, .*): incomplete" err || fail "lost chunks: status $status"
	grep -q "dump ${second:0:12} (.*/second, .*): incomplete" err || fail "does not name dump $second"
done

# Without an old index, or with a corrupt one, it does what it can.
rm one/index/*
status_of "$FDUMP" store rebuild one
[ $status = 5 ] && grep -q "dump ${first:0:12} (.*/first, .*): incomplete" err || fail "no index: status $status"
rm -r one
cp -a whole one
head -c 40000 /dev/urandom >one/index/data.mdb
status_of "$FDUMP" store rebuild one
[ $status = 0 ] && [ ! -s err ] || fail "a corrupt index: status $status"
"$FDUMP" verify one >out || fail "verify: status $?"
