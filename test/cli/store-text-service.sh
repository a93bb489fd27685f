# Goal: -s NAME and --from NAME reach a store service with the addresses of --config and the key of
# --identity, also together with a directory; for an unknown name the message says how to write a
# directory.
. "$(dirname "$0")/lib.sh"
peer=$BUILD/test/rpc-peer
[ -x "$peer" ] || skip "needs rpc-peer"
workspace
fail() { echo "$*"; cat out err log; exit 1; }
status_of() { status=0; "$FDUMP" "$@" >out 2>err || status=$?; }
identity() { # CERTIFICATE DIR
	mkdir -p "$2"
	cp "fleet/$1.key" "$2/key.pem"
	cp "fleet/$1.crt" "$2/cert.pem"
	cp fleet/root.crt "$2/ca.pem"
	chmod 600 "$2/key.pem"
}
mkdir fleet config tree
"$peer" fleet fleet
identity s1 served/store
identity a1 state/agent
identity o1 operator
echo content >tree/file
"$FDUMP" store init kept
"$FDUMP" store init copy
cat >config/store.conf <<END
store {
  path = "$work/kept"
  listen = "127.0.0.1:0"
}
END
touch out err
"$FDUMP" store --config config --state served >log 2>&1 &
await 10 grep -q 'port [0-9]' log || fail "the service does not start"
echo "s1 127.0.0.1:$(sed -n 's/.*, port \([0-9]*\).*/\1/p' log | head -n 1)" >config/stores

status_of backup -s s1 --unencrypted --agent a1 --state state --config config -C tree .
[ $status = 0 ] && grep -q '1 of 1 copies' out || fail "backup: status $status"
status_of dumps -s ./kept -s s1 --config config --identity operator
[ $status = 0 ] && grep -q '  12  a1/backup' out || fail "dumps of the directory and its service: status $status"
mkdir back
status_of restore -s s1 --config config --identity operator a1/backup@latest -C back --state none
[ $status = 0 ] && cmp back/file tree/file || fail "restore: status $status"
status_of store replicate --from s1 copy --config config --identity operator
[ $status = 0 ] || fail "replicate: status $status"
status_of verify copy
[ $status = 0 ] && grep -q '1 dumps' out || fail "verify: status $status"

# Without an operator's, the identity of the agent in --state is used.
for command in "dumps" "diff latest latest --agent a1" "cat latest file --agent a1"; do
	# shellcheck disable=SC2086 # words
	HOME=$work/none XDG_CONFIG_HOME='' status_of $command -s s1 --config config --state state
	[ $status = 0 ] || fail "$command --state: status $status"
done
HOME=$work/none XDG_CONFIG_HOME='' status_of forget -s s1 --config config --state state --yes a1/backup@latest
[ $status = 6 ] || fail "forget --state: status $status"

# What works in the directory only says so.
status_of store gc kept --lock-wait 0s
[ $status = 8 ] && grep -q "'fdump store' needs it to be stopped" err || fail "gc beside the service: status $status"

status_of dumps -s copy --config config --identity operator
[ $status = 2 ] && grep -q 'no store of this name is known: write ./copy for the directory$' err || fail "a directory: status $status"
status_of dumps -s nowhere --config config --identity operator
[ $status = 2 ] && grep -q 'nowhere: no store of this name is known .*config/stores); .* as ./nowhere$' err ||
	fail "no directory: status $status"
status_of dumps -s s1 --config config --identity operator/none
[ $status = 3 ] && grep -q 'operator/none/cert.pem: No such file .* expected a folder with cert.pem, key.pem' err ||
	fail "no identity: status $status"
HOME=$work/none XDG_CONFIG_HOME='' status_of dumps -s s1 --config config
[ $status = 2 ] && grep -q 'has joined no fleet' err || fail "no identity: status $status"
