# Goal: `fdump verify` accepts an intact pack, also from a pipe, several files, and concatenated
# packs; its counts are right.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"

mkdir t
printf 12345 >t/a
head -c 3000000 /dev/urandom >t/b
ln t/a t/c
truncate -s 5M t/hole
"$FDUMP" pack -f p -C t .
"$FDUMP" verify p >out
grep -qx "p: 1 pack, 5 entries, 8242885 bytes: ok" out || { cat out; false; } # 5 + 3000000 + 5 MiB
"$FDUMP" verify - <p | grep -q "^-: 1 pack, 5 entries, .*: ok$"
cat p | "$FDUMP" verify --threads 1 - >/dev/null
cat p p >pp
"$FDUMP" verify p pp >out
grep -q "^pp: 2 packs, 10 entries, .*: ok$" out
[ "$(wc -l <out)" = 2 ]
"$FDUMP" verify -v p | grep -qx "p: hole: ok"
