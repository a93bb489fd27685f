#!/bin/bash
# Goal: what happens to a file while it is packed stands in its TAIL and is
# said; nothing is padded, nothing comes from outside, nothing hangs, and other
# files are not touched by it.
. "$(dirname "$0")/lib.sh"
needs strace
workspace
echo "a secret" >secret

files=$(ulimit -Hn) # that may be open; with few none is opened before its turn
# pack CALL COMMAND: packs a tree whose file f is held up before CALL; COMMAND
# runs meanwhile. Leaves out (the messages) and the pack p.
pack() {
	rm -rf t p back
	mkdir t t/d back
	head -c $size /dev/zero | tr '\0' x >t/f
	echo inner >t/d/inner
	echo other >t/other
	status=0
	(cd t && ulimit -n $files && exec timeout 20 strace -f -qq -o /dev/null -P "$3" -P "$PWD/$3" -e "trace=$1" \
		-e "inject=$1:delay_enter=600000" "$FDUMP" pack --threads 1 --level 0 -f ../p .) 2>out &
	sleep 0.25
	(cd t && eval "$2")
	wait $! || status=$?
	if grep -aq "a secret" p; then echo "$2: the secret is in the pack"; exit 1; fi
	"$FDUMP" verify p >/dev/null || [ $? = "$status" ]
	"$FDUMP" unpack -f p -C back 2>back.out || true
	cmp t/other back/other
}
is() { # STATUS TEXT SIZE
	[ "$status" = "$1" ] || { echo "status $status, not $1"; cat out; exit 1; }
	grep -q "$2" out || { echo "not said: $2"; cat out; exit 1; }
	if [ "$3" = none ]; then [ ! -e back/f ] && [ ! -L back/f ]; else [ "$(stat -c %s back/f)" = "$3" ]; fi || {
		echo "f after $2: $(ls -la back)"
		exit 1
	}
}

# A small one and a large one.
for size in 100000 600000; do
	pack read 'cat ../secret >>f' f
	is 1 "f: grew while it was read: $size bytes kept" $size
	pack read 'rm f' f
	is 1 'f: was removed while it was read' $size
	pack read 'echo new >g; mv g f' f
	is 1 'f: was removed while it was read' $size
done
# Of two states: a large one is on its way when that is seen.
pack read 'truncate -s 50000 f' f
is 1 'f: shrank while it was read: 50000 of 600000 bytes' 50000
pack read ': >f' f
is 1 'f: shrank while it was read: 0 of 600000 bytes' 0
pack read 'printf yy | dd of=f conv=notrunc 2>/dev/null' f
is 1 'f: changed while it was read' 600000
# A small one is read again, and then whole.
size=100000
pack read 'truncate -s 50000 f' f
is 0 '' 50000
pack read ': >f' f
is 0 '' 0
pack read 'printf yy | dd of=f conv=notrunc 2>/dev/null' f
is 0 '' 100000
cmp t/f back/f

# While it is opened to be looked at: it is what it is by then.
pack openat 'ln -s ../secret g; mv -T g f' f
[ $status = 0 ] && [ -L back/f ]
pack openat 'mkfifo g; mv -T g f' f
[ $status = 0 ] && [ -p back/f ]
pack openat 'rm f; mkdir f; echo inner >f/inner' f
[ $status = 0 ] && cmp t/f/inner back/f/inner
pack openat 'echo new >g; mv g f' f
[ $status = 0 ] && cmp t/f back/f
pack openat 'rm f' f
is 1 'f: vanished before it was looked at' none

# Between the look at it and its opening.
files=200
for what in 'ln -s ../secret g' 'mkfifo g' 'mkdir g' 'echo new >g'; do
	pack openat "$what; rm f; mv -T g f" f # g first: an inode is used again
	is 1 'f: ' none
done
pack openat 'rm f' f
is 1 'f: vanished before it was opened' none

# A directory, between its parent's listing and its opening.
mkdir s
echo "a secret" >s/inner
pack openat 'rm -r d; ln -s ../s d' d
[ -L back/d ] && grep -q "^fdump pack: d: " out
