#!/bin/bash
# Goal: a chunk that all stores have lost is made again from the files that need it; no other files
# are read, and the dump is intact in each store.
. "$(dirname "$0")/lib.sh"
needs python3
workspace
mkdir -p tree/many
head -c 3000000 /dev/urandom >tree/large
head -c 2000000 /dev/urandom | split -b 2000 -a 3 -d - tree/many/
head -c 100000 /dev/urandom >tree/small
cp tree/small copy
find tree -exec touch -d '10 seconds ago' {} +
for store in a b; do "$FDUMP" store init $store; done
# shellcheck disable=SC2120
back() {
	status=0
	aged "$FDUMP" backup -s ./a -s ./b --unencrypted --state state -C tree . --json -v "$@" >out 2>err || status=$?
	[ $status = 0 ] || fail "backup $*: status $status: $(cat out err)"
}
# lose CONTENT STORE...: damages the first bytes of an incompressible content in each store; scrub
# finds the damage.
lose() {
	local content=$1
	shift
	python3 - "$content" "$@" <<'END'
import sys
part = open(sys.argv[1], "rb").read(64)
for store in sys.argv[2:]:
    with open(store + "/volumes/00000001.vol", "r+b") as f:
        at = f.read().index(part)
        f.seek(at)
        f.write(bytes(64))
END
	for store; do "$FDUMP" store scrub "$store" >/dev/null 2>&1 && fail "scrub $store finds nothing"; done
	true
}
# check READ: READ files were read, the others are as before, and the newest dump is intact in both
# stores.
check() {
	python3 - "$1" <<'END'
import json, sys
r = [json.loads(line) for line in open("out")][-1]
assert eval(sys.argv[1], {"read": r["entries"] - r["unchanged"], "r": r}), r
assert r["copies"] == 2, r
END
	for store in a b; do
		rm -rf back
		mkdir back
		"$FDUMP" restore -s ./$store --state state latest -C back >out 2>&1 || fail "from $store: $(cat out)"
		diff -r tree back
	done
}

back
# A chunk of a large file: only that file is read.
lose tree/large a b
back
grep -q 'lost 1 chunk: the files that need it are read again' err || fail "not reported: $(cat err)"
check 'read == 1 and r["read"] == 3000000 and len(r["warnings"]) == 1'
back
check 'read == 0 and r["warnings"] == []'

# A chunk of small files: only the files in it are read, 1 MiB at most.
lose tree/many/200 a b
back
grep -qx './many/200' err || grep -qx 'many/200' err || fail "not read: $(cat err)"
check '1 <= read and r["read"] <= 1 << 20'

# Content that was moved does not keep a reference to a lost chunk.
lose tree/small a b
mv tree/small tree/moved
back
check '1 <= read and 100000 <= r["read"] <= 1 << 20'
cmp tree/moved copy

# Only one store has lost it: it comes from the other store, and no file is read.
lose tree/moved a
back
check 'r["read"] == 0 and read <= 1 and [b["store"] for b in r["behind"]] == ["./a"] and r["behind"][0]["caught_up"]'
