#!/bin/bash
# Goal: with free space below the reserve dumps can be forgotten, and gc gives space back: volumes that are cheap to rewrite
# first, none that does not fit; it says what it needs, leaves no part of a volume behind, and some of the
# reserve. On a tmpfs of its own (root).
set -eu
[ "$(id -u)" = 0 ] || { echo "needs root"; exit 77; }
dir=$(mktemp -d)
trap 'umount "$dir/disk" 2>/dev/null; rm -rf "$dir"' EXIT
cd "$dir"
fail() { echo "$*"; cat out err; df -k disk; ls -l disk/one/volumes; exit 1; }
status_of() { status=0; "$@" >out 2>err || status=$?; }
fdump() { "$FDUMP" "$@"; }
back() { fdump backup --open --state state -C "$1" -s disk/one . --name "$1" >/dev/null; }
free() { df -k --output=avail disk | tail -n 1; }

mkdir disk keep drop
mount -t tmpfs -o size=80m none disk 2>/dev/null || { echo "may not mount"; exit 77; }
fdump store init disk/one --reserve 16M
# A volume of both, half and half.
head -c 20000000 /dev/urandom >keep/a
head -c 20000000 /dev/urandom >drop/a
back keep
back drop
dropped=$(fdump dumps -s disk/one | sed -n '/drop/s/ .*//p')

# Less than the reserve is free.
fill() { head -c $((($(free) - $1) * 1024)) /dev/zero >disk/other; }
fill 8000
status_of back keep
[ $status = 7 ] || fail "backup into the reserve: status $status"
status_of fdump forget -s disk/one "$dropped" --yes
[ $status = 0 ] || fail "forget: status $status"
