#!/bin/bash
# Goal: if free space is below the reserve dumps can still be forgotten, and gc gives space back:
# volumes that are cheap to rewrite first, and none that does not fit. It says how much it needs,
# leaves no part of a volume, and keeps some of the reserve. On a tmpfs of its own (root).
. "$(dirname "$0")/lib.sh"
workspace
fail() { echo "$*"; cat out err; df -k disk; ls -l disk/one/volumes; exit 1; }
fdump() { "$FDUMP" "$@"; }
back() { fdump backup --unencrypted --state state -C "$1" -s disk/one . --name "$1" >/dev/null; }
free() { df -k --output=avail disk | tail -n 1; }

# Two volumes: one with 64 MB that is kept and 210 MB that is not, one with 20 and 50.
mkdir disk
mount_tmpfs size=700m disk
fdump store init disk/one --reserve 16M
for n in keep:64 drop:210 keep2:20 drop2:50; do
	mkdir ${n%:*}
	head -c ${n#*:}000000 /dev/urandom >${n%:*}/a
	back ${n%:*}
done
dropped=$(fdump dumps -s disk/one | sed -n '/drop/s/ .*//p')

# Less than the reserve is free.
fill() { rm -f disk/other; head -c $((($(free) - $1) * 1024)) /dev/zero >disk/other; }
fill 14000
status_of back keep
[ $status = 7 ] || fail "backup into the reserve: status $status"
grep -q 'no space: 14[0-9]* bytes are free, 16777216 must stay free (the reserve), and [0-9]* more are wanted' err ||
	fail "does not say how much is free, must stay free, and is wanted"
# shellcheck disable=SC2086 # words
status_of fdump forget -s disk/one $dropped --yes
[ $status = 0 ] || fail "forget: status $status"

before=$(free)
for n in 1 2; do
	status_of fdump store gc disk/one
	[ $status = 7 ] || fail "gc where nothing fits, run $n: status $status"
	grep -q 'of 2 volumes with garbage needs 20[0-9]* bytes, and there are 1[0-9]* ' err || fail "does not say how much"
	[ "$(ls disk/one/volumes)" = "$(printf '%s\n' 00000001.vol 00000002.vol)" ] || fail "a part of a volume is left"
	[ "$(free)" -ge $((before - 500)) ] || fail "gc that does nothing took space"
done
fdump verify disk/one >out || fail "verify"

# The second volume fits, and then the first.
fill 35000
status_of fdump store gc disk/one --dry-run --json
grep -q '"volumes": *2' out || fail "dry run"
status_of fdump store gc disk/one --json
[ $status = 0 ] || fail "gc: status $status"
grep -q '"volumes": *2' out && grep -q '"unfit": *0' out || fail "not both"
[ "$(free)" -gt 280000 ] || fail "not given back"
fdump verify disk/one >out || fail "verify after gc"

# Almost nothing is free: a volume that nothing needs is deleted.
fill 100
status_of fdump forget -s disk/one "$(fdump dumps -s disk/one | sed -n '/keep2/s/ .*//p')" --yes
[ $status = 0 ] || fail "forget with a full disk: status $status"
status_of fdump store gc disk/one
[ $status = 0 ] || fail "gc with a full disk: status $status"
[ "$(free)" -gt 19000 ] || fail "not given back of a full disk"
fdump verify disk/one >out || fail "verify at the end"

# A rebuild for which there is no room leaves no part of an index.
fill 40
before=$(free)
status_of fdump store rebuild disk/one
[ $status = 7 ] && [ "$(free)" = "$before" ] || fail "rebuild with a full disk: status $status, $(free) of $before KB are free"
fdump verify disk/one >out || fail "verify after a rebuild that failed"
