# Goal: if gc copies blocks of a volume and then leaves the volume alone because it is damaged, it
# does not claim to have given back space.
. "$(dirname "$0")/lib.sh"
needs python3
workspace
fail() { echo "$*"; cat out; exit 1; }
back() { "$FDUMP" backup --unencrypted --state state -C tree . -s ./one >/dev/null; }

mkdir tree
"$FDUMP" store init one
head -c 4000000 /dev/urandom >tree/a
back
head -c 3000000 /dev/urandom >tree/a
back
"$FDUMP" forget -s ./one --keep-last 1 --yes >/dev/null
size=$(stat -c %s one/volumes/00000001.vol)
dd if=/dev/zero of=one/volumes/00000001.vol bs=1 seek=$((size - 1000000)) count=1 conv=notrunc 2>/dev/null
status=0
"$FDUMP" store gc one --json >out 2>/dev/null || status=$?
[ $status = 5 ] || fail "status $status"
python3 -c 'import json; o = json.loads(open("out").readline()); exit(o["bytes"] != 0 or o["damaged"] != 1)' || fail "claims to have given back space"
