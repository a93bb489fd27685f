#!/bin/bash
# Goal: a damaged chunk in a store with a service is reported when it is read (status 5), or read
# from another store; the service marks it, and the next backup stores it again, from the files or
# from the other store.
. "$(dirname "$0")/lib.sh"
needs python3
workspace
peers
mkdir tree
for i in $(seq 9); do head -c 300000 /dev/urandom >tree/$i; done
find tree -exec touch -d "10 seconds ago" {} +
for s in s1 s2; do serve $s; done
back() {
	status=0
	aged "$FDUMP" backup --config config --state agent --unencrypted --agent a1 -C tree . "$@" >out 2>err || status=$?
	id=$(sed -n 's/^dump \([0-9a-f]*\):.*/\1/p' out)
}
restore() {
	rm -rf restored
	mkdir restored
	status=0
	"$FDUMP" restore --config config --state agent --identity operator "$id" -C restored "$@" \
		>out 2>err || status=$?
}
hurt() { # STORE OFFSET: changes a byte of its only volume
	python3 - "$1/volumes/00000001.vol" "$2" <<'END'
import sys
with open(sys.argv[1], "r+b") as f:
    f.seek(int(sys.argv[2]))
    b = f.read(1)[0]
    f.seek(int(sys.argv[2]))
    f.write(bytes([b ^ 1]))
END
}

# One store: the file is named; the next backup reads it again.
back -s s1
[ $status = 0 ] || fail "backup: $(cat err)"
hurt s1 1000000
restore -s s1
[ $status = 5 ] && grep -qE '^fdump restore: [1-9]: ' err || fail "damage: status $status: $(cat out err)"
grep -q 'a chunk is damaged: volume 00000001 at' s1.log || fail "not logged: $(cat s1.log)"
back -s s1
[ $status = 0 ] && grep -q 'have lost 1 chunk: the files that need it are read again' err ||
	fail "the next backup: status $status: $(cat out err)"
restore -s s1
[ $status = 0 ] || fail "healed: status $status: $(cat out err)"
diff -r tree restored

# Two stores: the chunk is read from the other one, and stored again from there.
back -s s1 -s s2
[ $status = 0 ] || fail "backup to both: $(cat err)"
hurt s2 1500000
restore -s s2 -s s1
[ $status = 0 ] && grep -q 'note: s2: 1 chunk was damaged' err && grep -q 'note: s2: has marked the damage' err ||
	fail "from both: status $status: $(cat out err)"
diff -r tree restored
back -s s1 -s s2 -v
[ $status = 0 ] && grep -q 's2 has caught up' err || fail "catching up: status $status: $(cat out err)"
restore -s s2
[ $status = 0 ] || fail "healed from the other: status $status: $(cat out err)"
diff -r tree restored
"$FDUMP" verify s2 >out 2>err || fail "verify: $? $(cat out err)"
