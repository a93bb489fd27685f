#!/bin/bash
# Goal: if a volume's file is lost or cut, its contents count as missing even before a scrub, so
# that the next backup stores them again, in one store or two.
. "$(dirname "$0")/lib.sh"
workspace
fdump() { "$FDUMP" "$@"; }
fail() { echo "$*"; cat out err; exit 1; }
back() { aged "$FDUMP" backup --unencrypted --state state -C tree . "$@"; }
# The newest dump of a store is complete.
whole() {
	rm -rf back
	mkdir back
	fdump restore -s "./$1" latest -C back >/dev/null || fail "restore from $1"
	diff -r tree back
}

mkdir tree
head -c 3000000 /dev/urandom >tree/a
touch -d '10 seconds ago' tree/a
for store in one two; do fdump store init $store; done

back -s ./one >out
rm one/volumes/*
for n in 1 2; do
	status_of back -s ./one
	[ $status = 0 ] || fail "one store, run $n: status $status"
	whole one
done

# The volume's end is missing.
truncate -s 1000000 one/volumes/*2.vol
status_of back -s ./one
[ $status = 0 ] || fail "cut: status $status"
whole one

# One of two stores.
rm -r state
back -s ./one -s ./two >out
rm one/volumes/*
status_of back -s ./one -s ./two
[ $status = 0 ] || fail "one of two: status $status"
grep -q '2 of 2 copies' out || fail "not two copies"
whole one
whole two
