# Helpers that the shell tests share: environment, skipping, cleaning up. A test begins with
#
#	. "$(dirname "$0")/lib.sh"
#	needs root strace
#	workspace
#
# and may then be run by hand: bash test/cli/NAME.sh (with the program of build/test, or of BUILD).
# Cleaning up does not change the exit status: a skip stays a skip (77), and a failure a failure.
# shellcheck shell=bash

set -eu
SRC=$(cd "${SRC:-$(dirname "${BASH_SOURCE[0]}")/../..}" && pwd)
BUILD=$(realpath -m "${BUILD:-$SRC/build/test}")
FDUMP=${FDUMP:-$BUILD/fdump}
export SRC BUILD FDUMP

work=
mounts=()

fail() {
	echo "$*"
	exit 1
}

# status_of COMMAND...: runs it; its exit status is in $status, its output in the files out and err.
status_of() {
	status=0
	"$@" >out 2>err || status=$?
}

# skip WHY...: ends the test as skipped.
skip() {
	echo "skipped: $*"
	exit 77
}

# needs WHAT...: skips the test unless all of these are available: root, strace (which must be
# allowed to trace), or any program.
needs() {
	local what
	for what; do
		case $what in
		root) [ "$(id -u)" = 0 ] || skip "needs root" ;;
		*) command -v "$what" >/dev/null || skip "needs $what" ;;
		esac
		if [ "$what" = strace ]; then
			strace -qq -o /dev/null true 2>/dev/null || skip "strace may not trace here"
			# The leak sanitizer can't run under strace.
			export ASAN_OPTIONS="${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0"
		fi
	done
}

# workspace: makes a folder, $work, and changes to it. It is removed at the end.
workspace() {
	work=$(mktemp -d)
	cd "$work"
}

# mount_tmpfs OPTIONS DIR: mounts it until the end of the test. Skips the test if it can't mount.
mount_tmpfs() {
	needs root mount umount
	mount -t tmpfs -o "$1" none "$2" 2>/dev/null || skip "may not mount"
	mounts+=("$(cd "$2" && pwd)")
}

# await SECONDS COMMAND...: runs the command twenty times a second until it succeeds. Returns 1 if
# it never does.
await() {
	local tries=$(($1 * 20)) i
	shift
	for ((i = 0; i < tries; i++)); do
		! "$@" || return 0
		sleep 0.05
	done
	return 1
}

# whole: true if the whole campaign is to run (test/all.sh campaign), not just its sample.
whole() {
	[ -n "${FDUMP_WHOLE:-}" ]
}

# aged PROGRAM...: runs it as if all changes to files (their ctime) had happened ten seconds
# earlier; mtime can be set by touch. A file that was changed just before a backup is read again by
# the next one.
aged() {
	LD_PRELOAD=$BUILD/test/shim.so SHIM_AGED=10 "$@"
}

# free_ports: prints a port on loopback such that nobody listens on it or on the five after it.
free_ports() {
	local port i tries
	for ((tries = 0; tries < 50; tries++)); do
		port=$((20000 + (RANDOM * 32768 + RANDOM) % 12000))
		for ((i = port; i < port + 6; i++)); do
			! (exec 3<>"/dev/tcp/127.0.0.1/$i") 2>/dev/null || continue 2
		done
		echo "$port"
		return
	done
	skip "no free ports"
}

# fleet: starts a manager named m1 with a store's directory, on free ports. $pid is the manager's
# process, m1.log its log. Its job backs up src, which has one file. m1 COMMAND ARGUMENTS...: runs a
# command as root on that machine. Each machine NAME has its own configuration and state in NAME/etc
# and NAME/var.
at() {
	local name=$1 command=$2
	shift 2
	"$FDUMP" "$command" --config "$work/$name/etc" --state "$work/$name/var" "$@"
}
m1() {
	at m1 "$@"
}
start() { # NAME COMMAND: a service; its log is NAME.COMMAND.log, its process $pid
	"$FDUMP" "$2" --config "$work/$1/etc" --state "$work/$1/var" 2>"$1.$2.log" &
	pid=$!
}
start_manager() { # NAME
	: >"$1.log"
	"$FDUMP" manager --config "$work/$1/etc" --state "$work/$1/var" 2>"$1.log" &
	pid=$!
	await 10 grep -q "manager $1, port" "$1.log" || fail "manager $1 did not start: $(cat "$1.log")"
}
fleet() {
	echo passphrase >passphrase
	chmod 600 passphrase
	base=$(free_ports)
	m1 setup --name m1 --listen "127.0.0.1:$base" --store "$work/store" --keys "$work/keys" \
		--passphrase-file passphrase >setup.out
	mkdir src
	echo hello >src/file
	sed -i "s|paths = .*|paths = {\"$work/src\"}|; s|exclude = .*||" m1/etc/manager.conf
	start_manager m1
}

# enroll ROLE NAME OPTIONS...: an operator or a manager joins the fleet, signed with the root's key.
# The options are those of 'join'.
enroll() {
	local role=$1 name=$2 token
	shift 2
	m1 token "$role" "$name" --keys keys --passphrase-file passphrase >"$name.token" 2>"$name.err" &
	token=$!
	await 10 test -s "$name.token" || fail "$(cat "$name.err")"
	at "$name" join - "$@" <"$name.token" >"$name.out" || fail "join $role $name: $(cat "$name.err")"
	wait $token || fail "token $role $name: $(cat "$name.err")"
}

# second_manager PID: m2 joins m1, whose process is PID; both get the same configuration, which
# names both. $pid is m2's process.
second_manager() {
	enroll manager m2 --listen "127.0.0.1:$((base + 3))"
	cat >>m1/etc/manager.conf <<END
manager "m1" { address = "127.0.0.1:$base" }
manager "m2" { address = "127.0.0.1:$((base + 3))" }
END
	cp m1/etc/manager.conf m2/etc/
	start_manager m2
	kill -HUP "$1"
}

# peers: makes the files of the agent a1 (in agent/agent), of the operator o1 (in operator) and of
# the stores s1 and s2, each with an empty store and an address in config, without any manager.
# serve NAME: starts a store's service on its port; its process is ${served[NAME]}, its log
# NAME.log.
declare -A served
role_files() { # WHO DIR
	mkdir -p "$2"
	chmod 700 "$2"
	cp "fleet/$1.key" "$2/key.pem"
	cp "fleet/$1.crt" "$2/cert.pem"
	cp fleet/root.crt "$2/ca.pem"
	chmod 600 "$2/key.pem"
}
peers() {
	local s port
	[ -x "$BUILD/test/rpc-peer" ] || skip "needs rpc-peer"
	mkdir fleet config
	"$BUILD/test/rpc-peer" fleet fleet
	export HOME=$work
	role_files a1 agent/agent
	role_files o1 operator
	port=$(free_ports)
	for s in s1 s2; do
		role_files $s state-$s/store
		"$FDUMP" store init ./$s
		mkdir conf-$s
		printf 'store {\n  path = "%s"\n  listen = "127.0.0.1:%s"\n  gc = "never"\n  scrub = "never"\n}\n' \
			"$work/$s" "$port" >conf-$s/store.conf
		echo "$s 127.0.0.1:$port" >>config/stores
		port=$((port + 1))
	done
}
serve() {
	local port
	port=$(sed -n "s/^$1 .*://p" config/stores)
	"$FDUMP" store --config "conf-$1" --state "state-$1" >>"$1.log" 2>&1 &
	served[$1]=$!
	await 10 listens "$port" || fail "$1 does not listen: $(cat "$1.log")"
}
listens() { # PORT
	(exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}

clean_up() {
	local status=$? i
	trap - EXIT
	set +eu
	cd /
	# Processes that a failed test left in the background.
	if [ -n "$(jobs -p)" ]; then
		for i in TERM KILL; do
			# shellcheck disable=SC2046 # words
			kill -$i $(jobs -p)
			sleep 0.1
		done
		wait
	fi 2>/dev/null
	for ((i = ${#mounts[@]} - 1; i >= 0; i--)); do
		umount "${mounts[i]}" || umount -l "${mounts[i]}"
	done
	if [ -n "$work" ] && ! rm -rf "$work" 2>/dev/null; then
		# A test may have set flags and modes.
		chattr -R -f -i -a "$work" 2>/dev/null
		chmod -R u+rwX "$work" 2>/dev/null
		rm -rf "$work"
	fi
	exit $status
}
trap clean_up EXIT
