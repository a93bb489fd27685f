#!/bin/bash
# Goal: fdump setup checks before it makes anything: a folder that can't be made, keys that exist
# already, a store's directory with other files, a port that is taken. Each is named, and nothing is
# left over, not even by a later failure, so that a second try succeeds. Missing parents of the
# store's directory are made.
. "$(dirname "$0")/lib.sh"
workspace
echo secret >passphrase
chmod 600 passphrase
port=$(free_ports)

setup() { "$FDUMP" setup --name m1 --passphrase-file passphrase --listen 127.0.0.1:$port "$@"; }
refused() { # WHAT OPTIONS...: it fails, names WHAT, and leaves nothing
	what=$1
	shift
	before=$(find . | sort)
	! setup "$@" 2>err >out || fail "done: $*"
	grep -qF -- "$what" err || fail "$what: $(cat err)"
	[ "$(find . | sort)" = "$before" ] || fail "left behind: $(diff <(echo "$before") <(find . | sort))"
}

touch file err out
mkdir keys other
touch keys/root.key other/letter
refused "$PWD/file: not a folder" --config "$PWD/file/etc" --state var --store store --keys new
refused "$PWD/file: not a folder" --config etc --state "$PWD/file/var" --store store --keys new
refused "file: not a folder" --config etc --state var --store file/store --keys new
refused "keys: not empty: the fleet's keys need a folder of their own" \
	--config etc --state var --store store --keys keys
refused "other" --config etc --state var --store other --keys new

refused "--address 'm1:7420': expected a name or an address, without a port" \
	--config etc --state var --store store --keys new --address m1:7420
refused "--store: quotes, backslashes and line ends can't be in it" \
	--config etc --state var --store 'st"ore' --keys new

# Found only when store and keys were made: they are removed again, with the folders above them.
mkdir -p etc var/manager
ln -s /nowhere/at/all etc/local.conf
refused "etc/local.conf" --config etc --state var --store deep/er/store --keys deep/keys
rm -r etc var

python3 - $((port + 1)) >listening <<-'END' &
	import socket, sys, time
	s = socket.socket()
	s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
	s.bind(("127.0.0.1", int(sys.argv[1])))
	s.listen(1)
	print("yes", flush=True)
	time.sleep(60)
END
taken=$!
await 10 grep -q yes listening
refused "127.0.0.1 port $((port + 1)): another program listens there; choose other ports with --listen" \
	--config etc --state var --store store --keys new
kill $taken
wait $taken || :

setup --config etc --state var --store deep/er/store --keys deep/keys >out 2>err || fail "$(cat err)"
[ -d deep/er/store/volumes ] && [ -f deep/keys/root.key ] || fail "$(find deep)"
grep -q "fdump forget -s m1 --keep-daily" etc/manager.conf || fail "does not say how long dumps are kept: $(cat etc/manager.conf)"
"$FDUMP" manager check etc/manager.conf >out || fail "$(cat out)"
# The manager's own files are not backed up, wherever they are.
grep -qxF "  exclude = {\"$PWD/deep/er/store/\", \"$PWD/var/\", \"/var/cache/\"}" etc/manager.conf || fail "$(cat etc/manager.conf)"

# All addresses, on a machine whose kernel has no IPv6.
sed -i 's/127\.0\.0\.1:/[::]:/' etc/local.conf
LD_PRELOAD=$BUILD/test/shim.so SHIM_IPV4=1 "$FDUMP" manager --config etc --state var 2>err &
manager=$!
await 10 grep -q "manager m1, port" err || fail "without IPv6: $(cat err)"
kill $manager
wait $manager || fail "the manager's status: $?"
