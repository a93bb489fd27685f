#!/bin/bash
# Goal: a chunk that could not be read once, but is intact, is recognised as intact again: by the
# next scrub, and by gc, which does not drop it. A missing volume is damage to scrub, verify and gc.
. "$(dirname "$0")/lib.sh"
workspace
fail() { echo "$*"; cat out; exit 1; }
status_of() { status=0; "$@" >out 2>&1 || status=$?; }
flip() { # OFFSET: the byte there in the first volume
	python3 - "$1" <<-'PY'
		import sys
		with open("s/volumes/00000001.vol", "r+b") as f:
		    f.seek(int(sys.argv[1]))
		    b = f.read(1)[0]
		    f.seek(int(sys.argv[1]))
		    f.write(bytes([b ^ 1]))
	PY
}
fdump() { "$FDUMP" "$@"; }

mkdir t
head -c 3000000 /dev/urandom >t/keep
fdump store init s
fdump backup -s ./s --unencrypted --state state --name keep -C t . >/dev/null
flip 500000
status_of fdump store scrub s
[ $status = 5 ] || fail "scrub of damage: $status"
flip 500000
status_of fdump store scrub s
[ $status = 0 ] || fail "scrub of the repaired store: $status"
fdump verify s >/dev/null

flip 500000
status_of fdump store scrub s
[ $status = 5 ] || fail "scrub of damage again: $status"
flip 500000
for i in 1 2; do
	head -c 9000000 /dev/urandom >t/garbage
	fdump backup -s ./s --unencrypted --state state --name other -C t garbage >/dev/null
done
fdump forget -s ./s --keep-last 1 --yes >/dev/null
fdump store gc s >out
grep -q "[1-9] volumes rewritten" out || fail "gc rewrote nothing"
fdump verify s >out 2>&1 || fail "gc dropped an intact chunk"
mkdir back
fdump restore -s ./s --state state keep@latest -C back >/dev/null
cmp t/keep back/keep

rm s/volumes/*
for what in "store scrub" verify "store gc"; do
	# shellcheck disable=SC2086
	status_of fdump $what s
	[ $status = 5 ] || fail "$what of a store without volumes: $status"
done
