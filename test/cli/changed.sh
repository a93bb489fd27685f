#!/bin/bash
# Goal: changes to a file while it is packed are recorded in its TAIL and reported; nothing is
# padded, nothing from outside is read, nothing hangs, and other files are not affected.
. "$(dirname "$0")/lib.sh"
needs strace
workspace

files=$(ulimit -Hn) # the limit on open files; if it is low, no file is opened ahead of its turn
size=100000
# pack CALL COMMAND FILE: packs a tree and delays CALL on one of its files; COMMAND runs during the
# delay. Leaves the messages in out and the pack in p.
pack() {
	mkdir t t/d back s
	echo "a secret" | tee secret >s/inner
	head -c $size /dev/zero | tr '\0' x >t/f
	echo inner >t/d/inner
	echo other >t/other
	status=0
	(cd t && ulimit -n $files && exec timeout 30 strace -f -qq -o ../trace -P "$3" -P "$PWD/$3" -e "trace=$1" \
		-e "inject=$1:delay_enter=600000" "$FDUMP" pack --threads 1 --level 0 -f ../p .) 2>out &
	await 20 grep -qs "$1(" trace || fail "never held up: $(cat out)"
	(cd t && eval "$2")
	wait $! || status=$?
	if grep -aq "a secret" p; then fail "the secret is in the pack"; fi
	"$FDUMP" verify p >/dev/null || [ $? = "$status" ]
	"$FDUMP" unpack -f p -C back 2>back.out || true
	cmp t/other back/other
}
is() { # STATUS TEXT SIZE
	[ "$status" = "$1" ] || fail "status $status, not $1: $(cat out)"
	grep -q "$2" out || fail "not reported: $2: $(cat out)"
	if [ "$3" = none ]; then [ ! -e back/f ] && [ ! -L back/f ]; else [ "$(stat -c %s back/f)" = "$3" ]; fi ||
		fail "$(ls -la back)"
}
so() { # STATUS CONDITION
	{ [ "$status" = "$1" ] || [ "$1" = "*" ]; } && eval "$2" || fail "status $status: $(cat out)"
}

# held CALL COMMAND CHECK...: runs a case in a folder of its own, in parallel with others, for each
# mostly waits. The file is f, or the one named in `file`.
pids=() texts=()
held() {
	mkdir ${#pids[@]}
	(
		cd ${#pids[@]}
		pack "$1" "$2" "${file:-f}"
		"${@:3}"
	) >${#pids[@]}/said 2>&1 &
	pids+=($!) texts+=("$size bytes, $1: $2")
	[ $((${#pids[@]} % 12)) != 0 ] || sleep 1
}

# A small file and a large one.
for size in 100000 600000; do
	held read 'cat ../secret >>f' is 1 "f: grew while it was read: $size bytes kept" $size
	held read 'rm f' is 1 'f: was removed while it was read' $size
	held read 'echo new >g; mv g f' is 1 'f: was removed while it was read' $size
done
# The content mixes two states: a large file was already partly packed when the change was noticed.
held read 'truncate -s 50000 f' is 1 'f: shrank while it was read: 50000 of 600000 bytes' 50000
held read ': >f' is 1 'f: shrank while it was read: 0 of 600000 bytes' 0
held read 'printf yy | dd of=f conv=notrunc 2>/dev/null' is 1 'f: changed while it was read' 600000
# A small file is read again, and is then intact.
size=100000
held read 'truncate -s 50000 f' is 0 '' 50000
held read ': >f' is 0 '' 0
held read 'printf yy | dd of=f conv=notrunc 2>/dev/null' so 0 'cmp t/f back/f'

# It changes before it is opened for examination: it is packed as it is then.
held openat 'ln -s ../secret g; mv -T g f' so 0 '[ -L back/f ]'
held openat 'mkfifo g; mv -T g f' so 0 '[ -p back/f ]'
held openat 'rm f; mkdir f; echo inner >f/inner' so 0 'cmp t/f/inner back/f/inner'
held openat 'echo new >g; mv g f' so 0 'cmp t/f back/f'
held openat 'rm f' is 1 'f: vanished before it was read' none

# It changes between its examination and its opening.
files=200
for what in 'ln -s ../secret g' 'mkfifo g' 'mkdir g' 'echo new >g'; do
	held openat "$what; rm f; mv -T g f" is 1 'f: ' none # g first: an inode number is used again
done
held openat 'rm f' is 1 'f: vanished before it was opened' none

# A directory changes between the listing of its parent and its opening.
file=d held openat 'rm -r d; ln -s ../s d' so "*" '[ -L back/d ] && grep -q "^fdump pack: d: " out'

failed=0
for i in "${!pids[@]}"; do
	wait "${pids[i]}" || { echo "${texts[i]}: $(cat $i/said)"; failed=1; }
done
[ ${#pids[@]} = 23 ] || fail "${#pids[@]} cases"
exit $failed
