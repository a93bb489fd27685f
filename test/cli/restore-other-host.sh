#!/bin/bash
# Goal: if this host has no dump but others have, the message says what to ask for.
. "$(dirname "$0")/lib.sh"
needs unshare
apart=(unshare --map-root-user --uts)
"${apart[@]}" true 2>/dev/null || apart=(unshare --uts)
"${apart[@]}" sh -c 'echo other >/proc/sys/kernel/hostname' 2>/dev/null || skip "may not have a host name of its own"
workspace
fail() { echo "$*"; cat said; exit 1; }
on() { # HOST ARGUMENTS
	host=$1
	shift
	# shellcheck disable=SC2016 # the inner shell's
	"${apart[@]}" sh -c 'echo "$0" >/proc/sys/kernel/hostname; exec "$@"' "$host" "$FDUMP" "$@"
}
# The message about a dump that does not exist.
said() { # DUMP TEXT
	for how in "restore -s ./s --state new" "files -s ./s" "forget --dry-run -s ./s"; do
		status=0
		# shellcheck disable=SC2086 # words
		case $how in
		restore*) on here $how "$1" -C . >out 2>said ;;
		*) on here $how "$1" >/dev/null 2>said ;;
		esac || status=$?
		[ "$status" = 2 ] || fail "$how $1: status $status"
		grep -qxF "fdump ${how%% *}: $1: $2" said || fail "$how $1: not reported"
	done
}
back() { # HOST NAME
	on "$1" backup -s ./s --unencrypted --state "state-$1" --name "$2" tree >/dev/null 2>&1
}

mkdir tree
echo a >tree/a
"$FDUMP" store init s 2>/dev/null
said latest "no such dump (fdump dumps lists them)"
back one web
back two db
back one web
here="no such dump of this host, here; name one of:"
said latest "$here one/web@latest, two/db@latest"
said web@latest "$here one/web@latest"
said db@2100-01-01 "$here two/db@2100-01-01"
said web@2000-01-01 "no such dump (fdump dumps lists them)"
said nope@latest "no such dump (fdump dumps lists them)"
said one/nope@latest "no such dump (fdump dumps lists them)"
back three x
said latest "$here three/x@latest, one/web@latest, two/db@latest"
back four x
back one db
said latest "$here one/db@latest, four/x@latest, three/x@latest, ..."
back here x
on here files -s ./s latest >/dev/null || fail "not its own"
