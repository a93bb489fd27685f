#!/bin/bash
# Goal: a test that uses lib.sh ends with its own status, whatever happens in its clean-up, and
# leaves neither folders nor processes; one that lacks something is skipped.
. "$(dirname "$0")/lib.sh"
workspace
mkdir tmp bin
printf '#!/bin/sh\nexit 32\n' >bin/mount
cp bin/mount bin/umount
chmod +x bin/*

# ends STATUS LINES: runs a test that consists of these lines.
ends() {
	local status=0
	printf '. "%s/test/cli/lib.sh"\nworkspace\n%s\n' "$SRC" "$2" >one.sh
	TMPDIR=$work/tmp PATH=$work/bin:$PATH bash one.sh >out 2>&1 || status=$?
	[ $status = "$1" ] || fail "status $status, not $1: $2: $(cat out)"
	[ -z "$(ls -A tmp)" ] || fail "left behind: $2: $(cat out)"
}

ends 0 'touch file'
ends 1 'false; exit 0'
ends 1 'fail why'
ends 3 'exit 3'
ends 77 'skip why'
ends 77 'needs sh something-that-is-nowhere'
grep -qx 'skipped: needs something-that-is-nowhere' out || fail "does not say what it needs: $(cat out)"
ends 77 'mkdir m; mount_tmpfs size=1m m'
# A folder that should be unmounted can't be.
ends 77 'mounts+=("$work/nowhere"); skip why'
ends 0 'mounts+=("$work/nowhere")'
ends 5 'mounts+=("$work/nowhere"); exit 5'
# Files that rm alone does not remove.
ends 0 'mkdir -p closed/in; touch closed/in/file; chmod 0 closed/in closed'
[ "$(id -u)" != 0 ] || ends 77 'touch file; chattr +i file 2>/dev/null || :; skip why'
# Processes in the background: one that ends at SIGTERM, and one that does not.
# shellcheck disable=SC2016 # of the test
ends 4 'sleep 60 & bash -c "trap : TERM; while :; do sleep 1; done" & echo $! >'"$work/pid"'; exit 4'
await 5 test ! -d "/proc/$(cat pid)" || fail "a process is left"
