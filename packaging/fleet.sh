#!/bin/sh
# A whole fleet on this machine's loopback, for a minute: one manager, two stores,
# two agents. Tokens, a scheduled job with two copies, a store that dies, and a
# restore from the other one while the manager is stopped too.
#   packaging/fleet.sh FDUMP
# Everything is made in, and goes with, one folder; nothing is left running.
# Environment: PORT, the first of four that it listens on.
set -eu

fdump=$(realpath "${1:?usage: packaging/fleet.sh FDUMP}")
port=${PORT:-$((20000 + $$ % 20000))}
work=$(mktemp -d)
umask 077

# Ends the services that this script started, and waits for them.
pids=
finish() {
	status=$?
	trap - EXIT INT TERM
	for pid in $pids; do
		kill "$pid" 2>/dev/null || :
	done
	wait
	[ "$status" = 0 ] || tail -n 5 "$work"/*.log >&2
	[ -n "${KEEP:-}" ] || rm -rf "$work"
	exit "$status"
}
trap finish EXIT
trap 'exit 130' INT TERM

fail() {
	echo "quickstart: $*" >&2
	exit 1
}

# say TEXT COMMAND...: what is done, and the command as a person would type it.
say() {
	echo
	echo "$1"
	shift
	printf '  $ fdump'
	printf ' %s' "$@" | sed "s|$work/||g"
	echo
}

# at NAME COMMAND...: fdump on the machine NAME, which has folders of its own.
at() {
	machine=$work/$1
	shift
	"$fdump" "$@" --config "$machine/etc" --state "$machine/state"
}

# serve NAME ROLE: starts a service on a machine.
serve() {
	"$fdump" "$2" --config "$work/$1/etc" --state "$work/$1/state" >>"$work/$1-$2.log" 2>&1 &
	pids="$pids $!"
	eval "pid_$(echo "$1_$2" | tr - _)=$!"
}

# await TEXT COMMAND...: until the command succeeds, half a minute at most.
await() {
	text=$1
	shift
	for _ in $(seq 150); do
		! "$@" >/dev/null 2>&1 || return 0
		sleep 0.2
	done
	fail "$text: not within 30 seconds"
}

for machine in server nas2 web1 web2; do
	mkdir -p "$work/$machine/tree"
done
for machine in web1 web2; do
	cp -R /usr/share/doc/[a-d]* "$work/$machine/tree/" 2>/dev/null || :
	echo "of $machine alone" >"$work/$machine/tree/name"
done
cp -R "$(dirname "$0")" "$work/web1/tree/packaging"
echo 'correct horse battery staple' >"$work/passphrase"
cd "$work"

say "On the server: a manager, a store and the fleet's keys." setup
at server setup --name nas1 --listen "127.0.0.1:$port" --address 127.0.0.1 \
	--store "$work/server/store" --keys "$work/keys" --passphrase-file "$work/passphrase" >setup.out
cat >server/etc/manager.conf <<END
defaults { stores = {"nas1", "nas2"}  copies = 2 }
job "demo" { agents = {"web*"}  paths = {"$work/web1/tree", "$work/web2/tree"}  schedule = "* * * * *" }
store "nas1" { address = "127.0.0.1:$((port + 1))" }
store "nas2" { address = "127.0.0.1:$((port + 3))" }
END
say "Its configuration:" manager check
"$fdump" manager check server/etc/manager.conf
sed 's/^/  /; s|'"$work"'/||g' server/etc/manager.conf
serve server manager
serve server store
await "the manager" grep -q "port $port" server-manager.log

say "A second store joins by a token." token store nas2 '|' ssh nas2 fdump join -
at server token store nas2 2>/dev/null |
	at nas2 join - --store "$work/nas2/store" --listen "127.0.0.1:$((port + 3))" >nas2.out
serve nas2 store

say "Two machines to be backed up join too." token agent web1 '|' ssh web1 fdump join -
for machine in web1 web2; do
	at server token agent "$machine" 2>/dev/null | at "$machine" join - >"$machine.out"
	serve "$machine" agent
done

say "And the person who may restore, by the fleet's root key." token operator admin
at server token operator admin --keys "$work/keys" --passphrase-file "$work/passphrase" \
	>admin.token 2>admin.log &
token=$!
await "an operator's token" test -s admin.token
"$fdump" join - --identity "$work/admin" --config "$work/admin" <admin.token >admin.out
wait "$token"

# The dumps of an agent on a store, as an operator sees them.
dumps() {
	"$fdump" dumps -s "$1" --config "$work/admin" --identity "$work/admin" | grep -q " $2/demo"
}
for machine in web1 web2; do
	await "the first dump of $machine on nas1" dumps nas1 "$machine"
	await "the first dump of $machine on nas2" dumps nas2 "$machine"
done
say "Each has made its first dump, on both stores:" status
at server status || :

echo
echo "The store nas2 dies, and the manager is stopped."
# shellcheck disable=SC2154
kill -9 "$pid_nas2_store"
# shellcheck disable=SC2154
kill "$pid_server_manager"

say "The files of web1 come back from what is left." restore -s nas2 -s nas1 --key keys/backup.key web1/demo@latest
mkdir back
FDUMP_TEST_TIMES=1000,2000,3000 "$fdump" restore -s nas1 -s nas2 --config "$work/admin" \
	--identity "$work/admin" --key "$work/keys/backup.key" --passphrase-file "$work/passphrase" \
	--any-origin -C back web1/demo@latest 2>restore.log || :
count=$(find "back$work/web1/tree" -type f -printf . | wc -c)
[ "$count" -gt 0 ] || { cat restore.log >&2; fail "nothing was restored"; }
differences=$(diff -r --no-dereference web1/tree "back$work/web1/tree" | wc -l)
echo
echo "quickstart: restored $count files from nas1, $differences differences"
[ "$differences" = 0 ]
