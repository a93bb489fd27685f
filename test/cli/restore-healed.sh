# Goal: a chunk that is damaged in one store and read from another is reported, also in JSON, and
# repaired if the store can be written; the status stays 0.
. "$(dirname "$0")/lib.sh"
needs python3
workspace
fail() { echo "$*"; cat out err; exit 1; }
status_of() { status=0; "$FDUMP" "$@" >out 2>err || status=$?; }
mkdir t
for i in 1 2 3; do head -c 300000 /dev/urandom >t/$i; done
"$FDUMP" store init a
"$FDUMP" store init b
"$FDUMP" backup -s ./a -s ./b --unencrypted --state state -C t . >/dev/null
hurt() { # a byte in the middle of a's data
	python3 -c '
f = open("a/volumes/00000001.vol", "r+b")
f.seek(400000)
b = f.read(1)
f.seek(400000)
f.write(bytes([b[0] ^ 1]))'
}
restore() {
	rm -rf back
	mkdir back
	status_of restore -s ./a -s ./b --state state latest -C back "$@"
	[ $status = 0 ] || fail "restore $*: status $status"
	diff -r t back >/dev/null || fail "restore $*: not the same"
}

hurt
cp -a a unmended
restore
grep -q 'note: ./a: 1 chunk was damaged' err && grep -q 'note: ./a: repaired: 1 chunk' err || fail "not reported"
status_of verify a
[ $status = 0 ] || fail "verify: status $status"
restore
! grep -q 'note:' err || fail "it was not repaired"
rm -rf back
mkdir back
status_of restore -s ./a --state state latest -C back
[ $status = 0 ] && diff -r t back >/dev/null || fail "from a alone: status $status"

# A store that can't be written: the damage is reported, and nothing else changes.
rm -rf a
cp -a unmended a
restore --json
grep '"restore.healed"' out | grep -q '"healed":1' || fail "not in JSON"
rm -rf a
cp -a unmended a
python3 -c '
import fcntl, struct, subprocess, sys
f = open("a/lock", "r+b")
fcntl.fcntl(f, 37, struct.pack("hhqqi4x", fcntl.F_WRLCK, 0, 0, 1, 0))
sys.exit(subprocess.call(["mkdir", "-p", "back2"]) or subprocess.call([sys.argv[1], "restore", "-s", "./a", "-s", "./b", "--state", "state", "latest", "-C", "back2"]))' "$FDUMP" >out 2>err || fail "while another writes: status $?"
grep -q "./a can't be repaired now" err || fail "does not say that it can't be repaired"
