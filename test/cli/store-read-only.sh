# Goal: a user who can read but not write a store's directory can list and restore; while there is a
# writer the message says why not.
. "$(dirname "$0")/lib.sh"
needs root setpriv python3
workspace
chmod 755 .
reader() { setpriv --reuid 65534 --regid 65534 --clear-groups "$@"; }
cp "$FDUMP" fdump
reader ./fdump --version >/dev/null 2>&1 || skip "can't run as another user here"
mkdir t back
chown 65534 back
echo content >t/f
"$FDUMP" store init s
"$FDUMP" backup -s ./s --unencrypted --state state -C t . >/dev/null
# Without the permission to read it: that is said, not that it is no store.
chmod 700 s
for command in "dumps -s ./s" "verify s" "store rebuild s"; do
	# shellcheck disable=SC2086 # words
	status_of reader ./fdump $command
	[ $status = 2 ] && grep -q 's/fdump-store: Permission denied$' err || fail "$command: status $status: $(cat err)"
done
chmod -R a+rX,go-w s
reader ./fdump dumps -s ./s >out 2>err || fail "dumps: $(cat err)"
reader ./fdump restore -s ./s --state none latest -C back >out 2>err || fail "restore: $(cat err)"
diff -r t back || fail "not the same"
reader ./fdump verify s >out 2>err || fail "verify: $(cat err)"
python3 -c '
import fcntl, struct, subprocess, sys
f = open("s/lock", "r+b")
fcntl.fcntl(f, 37, struct.pack("hhqqi4x", fcntl.F_WRLCK, 0, 0, 1, 0))
sys.exit(subprocess.call(["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "./fdump", "forget", "-n", "-s", "./s", "--keep-last", "1", "--lock-wait", "0s"]))' \
	>out 2>err && fail "read while it was written" || [ $? = 8 ] || fail "while another writes: status $?"
grep -q 'users without write access have to wait' err || fail "not reported: $(cat err)"
