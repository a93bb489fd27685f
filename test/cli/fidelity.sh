#!/bin/bash
# Goal: a hard tree (test/tree.py) comes back without a difference: through a file, a pipe, with one
# thread, not compressed, sealed, and twice over itself. Equal trees give equal bytes, whatever the
# number of threads.
. "$(dirname "$0")/lib.sh"
needs root
workspace

python3 "$SRC/test/tree.py" tree --many 300
"$FDUMP" key new --no-passphrase key >/dev/null

# same NAME: NAME equals tree.
same() {
	python3 "$SRC/test/compare.py" tree "$1" >differences || { echo "$1:"; head differences; exit 1; }
	python3 "$SRC/test/tree.py" --remove "$1"
}
trip() { # NAME [options of pack] [-- options of unpack]
	local name=$1 pack=()
	shift
	while [ $# -gt 0 ] && [ "$1" != -- ]; do pack+=("$1"); shift; done
	shift || true
	mkdir "$name"
	"$FDUMP" pack -f pack -C tree "${pack[@]}" .
	"$FDUMP" verify "$@" pack >/dev/null
	"$FDUMP" unpack -f pack -C "$name" "$@"
	same "$name"
}

trip file
trip one-thread --threads 1 -- --threads 1
trip not-compressed --level 0
trip sealed --to key.pub -- --key key

"$FDUMP" pack -C tree . | cat >pack
mkdir pipe
cat pack | "$FDUMP" unpack -C pipe
# Over itself: existing entries are replaced, whatever their flags.
chattr -R -f -i -a pipe/flags || true
cat pack | "$FDUMP" unpack -C pipe
same pipe

for n in 1 2 4; do "$FDUMP" pack --reproducible --threads $n -f r$n -C tree .; done
cmp r1 r2
cmp r1 r4
