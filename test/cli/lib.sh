# What the shell tests share: their surroundings, skipping, and cleaning up. A test begins with
#
#	. "$(dirname "$0")/lib.sh"
#	needs root strace
#	workspace
#
# and may then be run by hand: bash test/cli/NAME.sh (with the program of build/test, or of BUILD).
# Its exit status is its own, whatever comes of cleaning up: 77 stays a skip where nothing was
# mounted yet, and a failure stays a failure.
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

# skip WHY...: ends the test as skipped.
skip() {
	echo "skipped: $*"
	exit 77
}

# needs WHAT...: skips the test unless all of it is there: root, strace (one that may trace), or any
# program.
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

# workspace: makes a folder, $work, and goes there. It is removed at the end.
workspace() {
	work=$(mktemp -d)
	cd "$work"
}

# mount_tmpfs OPTIONS DIR: until the end of the test. Skips the test where that can't be done.
mount_tmpfs() {
	needs root mount umount
	mount -t tmpfs -o "$1" none "$2" 2>/dev/null || skip "may not mount"
	mounts+=("$(cd "$2" && pwd)")
}

# await SECONDS COMMAND...: until it succeeds, asked twenty times a second.
await() {
	local tries=$(($1 * 20)) i
	shift
	for ((i = 0; i < tries; i++)); do
		! "$@" || return 0
		sleep 0.05
	done
	return 1
}

# whole: whether all of a campaign is asked for (test/all.sh campaign), and not its sample.
whole() {
	[ -n "${FDUMP_WHOLE:-}" ]
}

# aged PROGRAM...: runs it; to it all that was done to files was done ten seconds before (their ctime; mtime
# can be set by touch). What was touched just before a backup is read again by the next one.
aged() {
	LD_PRELOAD=$BUILD/test/shim.so SHIM_AGED=10 "$@"
}

# free_ports: prints a port on loopback at which, and at the five after it, nobody listens.
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

# fleet: a manager named m1 with its store's directory, on free ports, its log in m1.log; $pid is the
# manager's. Its job backs up src, which has one file, instead of what is this machine's. m1 COMMAND ARGUMENTS...: runs a command as root on that machine. Each NAME has its own
# configuration and state in NAME/etc and NAME/var.
at() {
	local name=$1 command=$2
	shift 2
	"$FDUMP" "$command" --config "$work/$name/etc" --state "$work/$name/var" "$@"
}
m1() {
	at m1 "$@"
}
start() { # NAME COMMAND: a service, its log in NAME.COMMAND.log, its process in $pid
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

# enroll ROLE NAME OPTIONS...: an operator or a manager joins the fleet, signed with the root's key. The options
# are those of the one who joins.
enroll() {
	local role=$1 name=$2 token
	shift 2
	m1 token "$role" "$name" --keys keys --passphrase-file passphrase >"$name.token" 2>"$name.err" &
	token=$!
	await 10 test -s "$name.token" || fail "$(cat "$name.err")"
	at "$name" join - "$@" <"$name.token" >"$name.out" || fail "join $role $name: $(cat "$name.err")"
	wait $token || fail "token $role $name: $(cat "$name.err")"
}

# second_manager PID: m2 joins the manager m1, whose process that is; both have the same configuration, which
# names them. $pid is m2's.
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

# peers: the files of the agent a1 (in agent/agent), of the operator o1 (in operator) and of the stores s1 and
# s2, each with an empty store and an address in config, without any manager. serve NAME: starts a store's
# service on its port; its process is ${served[NAME]}, its log NAME.log.
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
	# What a test that failed left running in the background.
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
		# Flags and modes that a test has given.
		chattr -R -f -i -a "$work" 2>/dev/null
		chmod -R u+rwX "$work" 2>/dev/null
		rm -rf "$work"
	fi
	exit $status
}
trap clean_up EXIT
