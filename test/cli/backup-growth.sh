#!/bin/bash
# Goal: a run stores only what is new. Files that are read again keep their references if their
# content is unchanged or is that of another file of the last dump; a change costs a small piece of
# the manifest; and a lost chunk is stored again all the same.
. "$(dirname "$0")/lib.sh"
workspace
fail() { echo "$*"; cat out err; exit 1; }
back() {   # backup -> stored
	"$FDUMP" backup -s ./st --to key.pub --state state -C tree . "$@" >out 2>err || fail "backup: status $?"
	stored=$(sed -n 's/.* \([0-9]*\) bytes stored, .*/\1/p' out)
}
at_most() { [ "$stored" -le "$1" ] || fail "$2: stored $stored bytes, at most $1 expected"; }
same() {
	rm -rf back; mkdir back
	"$FDUMP" restore -s ./st --key key --state state latest -C back >out 2>err || fail "restore: status $?"
	diff -r tree back >out 2>&1 || fail "$1: another content"
}
"$FDUMP" key new --no-passphrase key >/dev/null
"$FDUMP" store init st
mkdir -p tree/{1,2,3}
for i in {1..3}; do head -c 600000 /dev/urandom | split -b 4000 -a 3 -d - tree/$i/; done # 150 files each
entries=$((460 * 100)) # bytes that the manifest may take
back

back --reread
at_most 1000 "all read again"
chmod -R go-rwx tree
for i in 010 077 123; do head -c 4000 /dev/urandom >tree/2/$i; done
back
at_most $((3 * 4300 + entries)) "all with another mode, three with new content"
same "another mode"
mv tree/1 tree/4
for i in {149..001}; do mv "$(printf 'tree/2/%03d' $((10#$i - 1)))" "tree/2/$i"; done # a log rotation
back
at_most $entries "renamed"
same "renamed"
cp -a tree copy && rm -r tree && mv copy tree # as from a disk that was restored
back
at_most 2000 "the same files, other inodes"

# Files that only look the same: two of equal size and time are exchanged.
cp -p tree/3/000 x && cp -p tree/3/001 tree/3/000 && cp -p x tree/3/001
back
at_most $entries "by turns"
same "by turns"
# Holes are kept.
truncate -s 100000 tree/hole && printf x >>tree/hole
back
cp --sparse=never tree/hole full && cat full >tree/hole
back
same "a hole filled"

# Small pieces: three of 2,000 files grow.
mkdir tree/many
seq 10000 11999 | split -l 1 -a 4 -d - tree/many/
back
for i in 0100 1000 1900; do echo more >>tree/many/$i; done
back
at_most $((3 * 6000 + 3000)) "three of 2000"

# A chunk is lost: all files that referred to it are stored again.
dd if=/dev/zero of=st/volumes/00000001.vol bs=1000 seek=300 count=10 conv=notrunc 2>/dev/null
"$FDUMP" store scrub st >out 2>&1 && fail "scrub finds no damage"
chmod -R go+r tree
back
grep -q 'lost [0-9]* chunks*: the files that need' err || fail "does not say that a store lost chunks"
same "after a loss"
