#!/bin/bash
# Goal: backups to several store services at once; the same store by two names is refused, or counts
# once; a restore goes on without a service that has died.
. "$(dirname "$0")/lib.sh"
needs python3
[ -x "$BUILD/test/rpc-peer" ] || skip "needs rpc-peer"
workspace
mkdir fleet tree config
"$BUILD/test/rpc-peer" fleet fleet
for i in $(seq 20); do head -c 20000 /dev/urandom >tree/$i; done
export FDUMP_TEST_TIMES=2000,2000,2000 HOME=$work

# role WHO ROLE DIR: the files of a role.
role() {
	mkdir -p "$3/$2"
	chmod 700 "$3/$2"
	cp fleet/"$1".key "$3/$2/key.pem"
	cp fleet/"$1".crt "$3/$2/cert.pem"
	cp fleet/root.crt "$3/$2/ca.pem"
	chmod 600 "$3/$2/key.pem"
}
role a1 agent agent
declare -A pid
# start NAME: its service, on a free port.
start() {
	local port
	port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
	mkdir -p conf-"$1"
	printf 'store {\n  path = "%s"\n  listen = "127.0.0.1:%s"\n  gc = "never"\n  scrub = "never"\n}\n' \
		"$work/$1" "$port" >conf-"$1"/store.conf
	"$FDUMP" store --config conf-"$1" --state state-"$1" >log-"$1" 2>&1 &
	pid[$1]=$!
	sed -i "/^$1 /d" config/stores 2>/dev/null || true
	echo "$1 127.0.0.1:$port" >>config/stores
	for _ in $(seq 100); do
		python3 -c 'import socket, sys; socket.create_connection(("127.0.0.1", int(sys.argv[1])))' "$port" 2>/dev/null && return
		kill -0 "${pid[$1]}" || fail "$1 has ended: $(cat log-"$1")"
		sleep 0.05
	done
	fail "$1 does not listen: $(cat log-"$1")"
}
for s in s1 s2; do
	"$FDUMP" store init ./$s
	role $s store state-$s
	start $s
done
port=$(sed -n 's/^s1 .*://p' config/stores)
status_of() { status=0; "$FDUMP" "$@" >out 2>err || status=$?; }
back() { status_of backup --config config --state agent --unencrypted --agent a1 -C tree . --json "$@"; }

back -s s1 -s s2
[ $status = 0 ] || fail "backup: status $status: $(cat out err)"
grep -q '"copies":2' out && grep -q '"store":"s1"' out && grep -q '"store":"s2"' out || fail "receipts: $(cat out)"

# One store under two names: by its port too, and by its directory, which its service has.
back -s s1 -s "s1:$port"
[ $status = 2 ] && grep -q 'are the same store' err || fail "twice by name: status $status: $(cat out err)"
back -s s1 -s ./s1 --lock-wait 0s
[ $status = 4 ] && grep -q '"copies":1' out && grep -q 'store ./s1 is left behind' err ||
	fail "by name and directory: status $status: $(cat out err)"

# A folder that only has the name of a service is no store.
mkdir tree/s2
echo kept >tree/s2/file
(cd tree && "$FDUMP" backup --config ../config --state ../agent --unencrypted --agent a1 -s s2 -v .) >out 2>err ||
	fail "beside a folder of that name: $?: $(cat out err)"
grep -qx s2/file err || fail "left out: $(cat err)"

# One has died: the other is enough to restore, and is told; a backup is one copy short.
kill -9 "${pid[s1]}"
wait "${pid[s1]}" 2>/dev/null || true
mkdir back
status_of restore --config config --state agent --identity agent/agent --any-origin -s s1 -s s2 a1/backup@latest -C back
[ $status = 0 ] || fail "restore: status $status: $(cat out err)"
diff -r tree back
echo more >tree/more
back -s s1 -s s2
[ $status = 4 ] || fail "backup with one: status $status: $(cat out err)"
grep -q '"copies":1' out || fail "copies: $(cat out)"

# It is back, and gets what it has missed.
start s1
back -s s1 -s s2
[ $status = 0 ] && grep -q '"copies":2' out || fail "back again: status $status: $(cat out err)"
for s in s1 s2; do
	rm -rf back
	mkdir back
	status_of restore --config config --state agent --identity agent/agent --any-origin -s $s a1/backup@latest -C back
	[ $status = 0 ] || fail "restore from $s: status $status: $(cat out err)"
	diff -r tree back
done
for s in s1 s2; do kill "${pid[$s]}"; wait "${pid[$s]}" || fail "$s ended with $?: $(cat log-$s)"; done
