#!/bin/bash
# Goal: pack works with few descriptors, whatever the number of files, and closes all of them.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"

mkdir -p t/{a,b,c}
for n in $(seq 400); do echo $n | tee t/{a,b,c}/$n >/dev/null; done
ln t/a/1 t/zz
for limit in 40 150 600; do
	(ulimit -n $limit && "$FDUMP" pack --threads 1 -f p -C t .)
	[ "$("$FDUMP" list -f p | wc -l)" = 1205 ]
	"$FDUMP" diff -f p -C t
done
# More files than descriptors, one job after the other.
mkdir -p m && (cd m && seq 4000 | xargs touch)
(ulimit -n 600 && "$FDUMP" pack --threads 1 -f p -C m .)
"$FDUMP" diff -f p -C m
