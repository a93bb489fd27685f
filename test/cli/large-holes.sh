#!/bin/bash
# Goal: the cost of a file with terabytes of holes depends on its data only, in every command; the
# content is proved by a digest of its own kind, which is never compared with a SHA-256.
. "$(dirname "$0")/lib.sh"
needs python3
workspace
fdump() { timeout 60 "$FDUMP" "$@"; } # with SHA-256 over the holes each command would take an hour
sound() { # properties that the tree and its copy in DIR must share
	python3 - "$1" <<'PY'
import os, sys
for name in "image", "lastlog", "tail":
    a, b = open("tree/" + name, "rb"), open(sys.argv[1] + "/" + name, "rb")
    size = os.fstat(a.fileno()).st_size
    assert size == os.fstat(b.fileno()).st_size, name
    assert os.fstat(b.fileno()).st_blocks < 200000, name + ": its holes are gone"
    at = 0
    while at < size:
        try:
            data = os.lseek(a.fileno(), at, os.SEEK_DATA)
            at = os.lseek(a.fileno(), data, os.SEEK_HOLE)
        except OSError:
            break
        for where in range(data, at, 1 << 20):
            n = min(1 << 20, at - where)
            assert os.pread(a.fileno(), n, where) == os.pread(b.fileno(), n, where), (name, where)
PY
}

mkdir tree
python3 - <<'PY' || skip "no files of 3 TiB here"
import os
size, pieces = 3 << 40, 1500
with open("tree/image", "wb") as f: # data at odd places, of odd lengths
    f.truncate(size)
    for i in range(pieces):
        f.seek(size // pieces * i + i)
        f.write(os.urandom(100 + i))
with open("tree/lastlog", "wb") as f: # a single hole
    f.truncate(1200 << 30)
with open("tree/tail", "wb") as f: # data up to the last byte
    f.truncate(2 << 30)
    f.seek((2 << 30) - 1)
    f.write(b"x")
PY
echo small >tree/small

# A pack, through pipes in both directions.
fdump pack -C tree . | cat >p.fdump
[ "$(stat -c %s p.fdump)" -lt 4000000 ] || fail "a large pack"
fdump verify p.fdump >/dev/null
python3 "$SRC/test/reader.py" verify p.fdump
mkdir unpacked
# shellcheck disable=SC2002 # a pipe is meant
cat p.fdump | fdump unpack -C unpacked
sound unpacked
fdump diff -f p.fdump -C tree
mkdir part
fdump unpack -f p.fdump -C part image
cmp -n 1000000 part/image tree/image

# In a file cat leaves the holes; before existing data it writes the zeros.
mkdir catted
for name in image lastlog tail; do fdump cat -f p.fdump "$name" >"catted/$name"; done
sound catted
rm -r catted
truncate -s 1M tree/some
head -c 300000 /dev/zero | tr '\0' y >part/some
(cd tree && echo some | "$FDUMP" pack -T -) >some.fdump
fdump cat -f some.fdump some 1<>part/some
cmp tree/some part/some
(echo begin && fdump cat -f some.fdump some) >>part/appended
(echo begin && cat tree/some) | cmp - part/appended
rm tree/some

# Lists: files whose sum sha256sum can't compute are left out, with a message.
fdump list --sums -f p.fdump >sums 2>said
(cd tree && sha256sum --quiet -c) <sums
[ "$(wc -l <sums)" = 1 ] || fail "sums: $(cat sums)"
for name in image lastlog tail; do grep -q "^fdump: $name: left out" said || fail "not reported: $name"; done
[ "$(fdump list --json -f p.fdump | grep -c '"sparse_sha256":"[0-9a-f]\{64\}"')" = 3 ]
[ "$(fdump list --json -f p.fdump | grep -c '"sha256"')" = 1 ]

# A changed byte is found anywhere.
echo y | dd of=unpacked/image bs=1 seek=1500G count=1 conv=notrunc status=none
printf z | dd of=unpacked/tail bs=1 seek=$(((2 << 30) - 1)) conv=notrunc status=none
fdump diff -f p.fdump -C unpacked >out && fail "no difference"
for name in image tail; do grep -q "^changed $name:.*content" out || fail "$(cat out)"; done
grep -q lastlog out && fail "$(cat out)"
rm -r unpacked

# Backed up, sealed and not; the second run keeps the references.
fdump key new --no-passphrase key >/dev/null
for how in "--to key.pub" --unencrypted; do
	fdump store init "store$how"
	# shellcheck disable=SC2086
	fdump backup -s "./store$how" --state state $how -C tree . >/dev/null
	fdump verify --key key "./store$how" >/dev/null
	mkdir restored
	fdump restore -s "./store$how" --key key -C restored latest >/dev/null
	sound restored
	fdump diff -s "./store$how" --key key -C restored latest || fail "$how: restored is not the same"
	rm -r restored
	fdump files -s "./store$how" --key key --sums latest >out 2>said
	cmp out sums
	fdump export -s "./store$how" --key key -f e.fdump latest
	fdump verify e.fdump >/dev/null
	fdump diff -f e.fdump -C tree
done

# The digest depends on the content: with fewer holes it is the same, even if a new digest would be
# of the other kind. A comparison of two dumps reads no data, so there the result is "not known".
mkdir both
truncate -s 1060M both/f
touch stamp
touch -r stamp both/f
fdump store init s
fdump backup -s ./s --state state --unencrypted -C both f >/dev/null
dd if=/dev/zero of=both/f bs=1M count=40 conv=notrunc status=none
touch -r stamp both/f
fdump diff -s ./s -C both latest f || fail "zeros are not zeros"
fdump backup -s ./s --state state --unencrypted -C both f >/dev/null
fdump files -s ./s --json latest | grep -q '"sha256"' || fail "not plain"
ids=$(fdump dumps -s ./s --json | sed -n 's/.*"dump":"\([0-9a-f]*\)".*/\1/p')
# shellcheck disable=SC2086
fdump diff -s ./s $ids >out && fail "no difference"
grep -q '^changed f: holes$' out || fail "$(cat out)"

# A limit on file size is reported, with the size; the other files are there.
mkdir limited
(ulimit -f 2000000 && fdump unpack -f p.fdump -C limited) 2>said && fail "over the limit"
grep -q "image: can't be written: its 3298534883328 bytes are more than this file system" said || fail "$(cat said)"
[ "$(ls limited)" = small ] || fail "left: $(ls limited)"

# The same on tmpfs, which has holes too.
[ "$(id -u)" = 0 ] || exit 0
mkdir memory
mount_tmpfs size=100m memory
fdump unpack -f p.fdump -C memory
fdump diff -f p.fdump -C memory
