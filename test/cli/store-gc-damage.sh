# Goal: if gc leaves a volume alone because of damage, it removes its copies of that volume's
# blocks, and says so.
. "$(dirname "$0")/lib.sh"
workspace
fail() { echo "$*"; cat out err; ls -l one/volumes; exit 1; }
mkdir keep drop
"$FDUMP" store init one
for tree in keep drop; do
	head -c 3000000 /dev/urandom >$tree/a
	"$FDUMP" backup -s ./one --unencrypted --state state -C $tree . --name $tree >/dev/null
done
dd if=/dev/zero of=one/volumes/00000001.vol bs=1000 seek=2900 count=2 conv=notrunc 2>/dev/null
"$FDUMP" forget -s ./one "$("$FDUMP" dumps -s ./one | sed -n '/drop/s/ .*//p')" --yes >/dev/null
status=0
"$FDUMP" store gc one --json >out 2>err || status=$?
[ $status = 5 ] || fail "status $status"
[ "$(ls one/volumes)" = 00000001.vol ] || fail "a part of a volume is left"
grep -q '"bytes": *0,' out || fail "says that it gave something back"
