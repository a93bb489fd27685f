#!/bin/bash
# Goal: a file is listed from its end: under 2 % of the bytes are read, also of concatenated packs.
# If END or an INDEX is damaged, list says so once and reads in sequence; each entry is listed once.
. "$(dirname "$0")/lib.sh"
needs strace
workspace

mkdir t u
python3 - <<'END'
import os, random
random.seed(3)
for i in range(6000):
    d = "t/%02d-%s" % (i // 100, "d" * 60)
    os.makedirs(d, exist_ok=True)
    open("%s/%04d-%s" % (d, i, "n" * 60), "wb").write(random.randbytes(200))
END
head -c 50000000 /dev/urandom >t/big
head -c 1000000 /dev/urandom >u/other
"$FDUMP" pack --level 0 -f p1 -C t .
"$FDUMP" pack -f p2 -C u .
cat p2 p1 p2 >p
"$FDUMP" list -f p >names
cat p | "$FDUMP" list | cmp - names
[ "$(wc -l <names)" = 6066 ]
strace -f -o trace -e trace=read,pread64,readv "$FDUMP" list -v -f p1 >/dev/null
read=$(awk -F'= ' '/= [0-9]+$/ { n += $NF } END { print n }' trace)
[ "$read" -lt $(($(stat -c %s p1) / 20)) ] # many names, little content
[ "$read" -gt 1000 ]

# broken NAME: lists the damaged pack p, expects one message, and compares.
broken() {
	rc=0
	"$FDUMP" list -f broken >out 2>err || rc=$?
	[ "$(grep -c "reading all of it" err)" = 1 ] || { cat err; exit 1; }
	[ "$(sort out | uniq -d | grep -vx '\.' | wc -l)" = "$1" ]
}
size=$(stat -c %s p1)
python3 - <<'END'
import os
p = bytearray(open("p1", "rb").read())
indexes, at = [], 0
while (at := p.find(b"\xf7DMP\x01\x04", at)) >= 0:
    indexes.append(at)
    at += 1
assert len(indexes) > 2
def flip(name, at):
    q = bytearray(p)
    q[at] ^= 1
    open(name, "wb").write(q)
flip("b1", len(p) - 10)                 # END
flip("b2", indexes[1] + 5000)           # in the middle of an INDEX
flip("b3", indexes[0] + 20)             # the header of one
open("b4", "wb").write(p[:-1])          # cut
flip("b5", indexes[-1] + 64 + 2)        # the pointer back
END
"$FDUMP" list -f p1 >want
for i in 1 2 3 4 5; do
	cp b$i broken
	broken 0
	# If a whole block is gone, an entry that may have been in it is missing too.
	if [ $i = 3 ]; then
		[ "$(LC_ALL=C comm -13 out want 2>/dev/null | wc -l)" -le 1 ]
	else
		cmp out want
	fi
done
cat b2 p2 >broken
broken 0
