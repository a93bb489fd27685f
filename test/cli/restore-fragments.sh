#!/bin/bash
# Goal: a tree that was backed up twice, with every other file new, lies in alternate chunks of both
# runs; a restore still reads each chunk about once.
. "$(dirname "$0")/lib.sh"
needs strace
workspace

mkdir t out
for i in $(seq 100 499); do
	head -c 30000 /dev/urandom >"t/$i"
done
"$FDUMP" store init s
aged "$FDUMP" backup -s ./s --unencrypted --state state -C t . >/dev/null
for i in $(seq 100 2 499); do
	printf new | dd of="t/$i" conv=notrunc 2>/dev/null
done
aged "$FDUMP" backup -s ./s --unencrypted --state state -C t . >/dev/null
strace -f -qq -e trace=pread64 -o trace -P "$PWD/s/volumes/00000001.vol" \
	"$FDUMP" restore -s ./s --state state latest -C out
diff -r t out
# Header and payload of each; the dump's record, its lists and its manifest are read too.
chunks=$("$FDUMP" store stat s | sed -n 's/^chunks *//p')
reads=$(grep -c pread64 trace)
[ "$reads" -gt "$chunks" ] && [ "$reads" -lt $((3 * chunks)) ] || {
	echo "$chunks chunks, $reads reads"
	exit 1
}
