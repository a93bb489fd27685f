#!/bin/bash
# Goal: on a full disk pack and unpack end with status 7 and a message; only complete files have
# their real name, nothing is left over, an older pack is kept, and once there is room everything
# works. On a tmpfs of its own (root).
. "$(dirname "$0")/lib.sh"
workspace
mkdir tree full
mount_tmpfs size=4m,nr_inodes=200 full
for n in 1 2 3; do head -c 2000000 /dev/urandom >tree/$n; done
for n in $(seq 100); do head -c 1000 /dev/urandom >tree/small$n; done
"$FDUMP" pack -f p -C tree .
runs() { # STATUS COMMAND...
	local want=$1 status=0
	shift
	timeout 60 "$FDUMP" "$@" >said 2>&1 || status=$?
	[ "$status" = "$want" ] || { echo "$*: status $status, not $want"; cat said; exit 1; }
	[ "$want" = 0 ] || grep -qi "no space left" said || { cat said; exit 1; }
}
# The existing files are correct, and there are no others.
whole() {
	local f
	[ -z "$(find full -name '.*fdump*')" ] || { find full; exit 1; }
	for f in full/out/*; do [ ! -f "$f" ] || cmp "$f" "tree/${f##*/}"; done
}
for threads in 1 2; do
	"$FDUMP" pack --level 0 -f full/pack -C tree small1
	cp full/pack older
	runs 7 pack --threads $threads --level 0 -f full/pack -C tree .
	cmp full/pack older && [ "$(ls -A full)" = pack ]
	rm full/pack
	runs 7 pack --threads $threads --level 0 -f full/pack -C tree .
	[ -z "$(ls -A full)" ]

	mkdir full/out
	runs 7 unpack --threads $threads -f p -C full/out
	whole
	rm -r full/out
	mkdir full/out
	runs 7 unpack --threads $threads -C full/out <p
	whole
	rm -r full/out
done
# No inodes left.
mkdir full/out
for n in $(seq 150); do : >full/$n; done
runs 7 unpack -f p -C full/out
whole
rm -rf full/*
mount -o remount,size=32m,nr_inodes=10000 full
mkdir full/out
runs 0 pack -f full/pack -C tree .
runs 0 unpack -f full/pack -C full/out
diff -r tree full/out
