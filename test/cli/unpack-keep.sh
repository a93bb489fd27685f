#!/bin/bash
# Goal: existing entries are kept (--overwrite never, -k, if-newer) for every pair of types; if what
# is kept is of another kind, that is reported, and nothing is linked to it.
. "$(dirname "$0")/lib.sh"
needs python3
workspace

kinds="file link fifo socket dir full hard" # full: a folder with an entry in it
make() { # KIND PATH TEXT
	case $1 in
	file) echo "$3" >"$2" ;;
	link) ln -s "$3" "$2" ;;
	fifo) mkfifo "$2" ;;
	socket) cp -a "$work/socket" "$2" ;;
	dir) mkdir "$2" ;;
	full) mkdir "$2" && echo "$3" >"$2/$3" ;;
	hard) ln "$(dirname "$2")/a-first" "$2" ;;
	esac
}
mkdir src here
python3 -c "import os, stat; os.mknod(\"socket\", stat.S_IFSOCK | 0o600)"
echo first >src/a-first
echo other >here/a-first
for e in $kinds; do
	for n in $kinds; do
		make "$e" "here/$e-$n" old
		make "$n" "src/$e-$n" new
	done
	make "$e" "src/only-$e" new
done
find here -mindepth 1 -type d -exec chmod 700 {} +
find src -exec touch -h -d 2001-02-03 {} +
find src -mindepth 1 -type d -exec chmod 711 {} +
"$FDUMP" pack -f p -C src .
"$FDUMP" store init st >/dev/null
"$FDUMP" backup -s ./st --unencrypted --state state -C src . >/dev/null

# The existing entry: type, mode and content; of folders not their content.
show() { (cd "$1" && find . -mindepth 1 \( -name 'only*' -o -name new \) -prune -o ! -name . -printf '%p %y %m %l ' \
	\( -type f -exec cat {} \; -o -printf '\n' \) | LC_ALL=C sort); }
show here >before
check() {
	rm -rf t
	cp -a here t
	status=0
	"$@" -C t >out 2>&1 || status=$?
	show t >after
	cmp before after || { diff before after; cat out; fail "$*: what was there is not kept"; }
	[ $status = 1 ] || { cat out; fail "$*: status $status"; }
	for e in $kinds; do
		for n in $kinds; do
			a=${e/full/dir} b=${n/full/dir}
			a=${a/hard/file} b=${b/hard/file}
			# A hard link refers to an entry that was not restored: each one that is
			# therefore missing is reported.
			if [ "$a" != "$b" ] || [ "$n" = hard ]; then
				grep -q "$e-$n: not restored" out || { cat out; fail "$*: no message about $e-$n"; }
			else
				! grep -q "$e-$n:" out || { cat out; fail "$*: superfluous message about $e-$n"; }
			fi
		done
	done
	# Entries that depend on a kept entry.
	[ ! -e t/only-hard ] || fail "$*: a link to a file that is not in the pack"
	[ "$(cat t/only-file t/only-full/new t/full-full/new t/dir-full/new | tr '\n' ' ')" = "new new new new " ] ||
		fail "$*: the rest is not there"
	grep -q "only-hard: not restored" out || fail "$*: no message about the link"
}
check "$FDUMP" unpack --overwrite never -f p
check "$FDUMP" unpack -k <p
check "$FDUMP" unpack --overwrite if-newer --threads 1 -f p
check "$FDUMP" restore --overwrite never -s ./st --state state latest

# A file that equals the pack's may be linked to; one with the same size and time but other content,
# not.
for text in first FIRST; do
	rm -rf t
	mkdir t
	echo $text >t/a-first
	touch -d 2001-02-03 t/a-first
	status=0
	"$FDUMP" unpack -k -f p -C t >out 2>&1 || status=$?
	if [ $text = first ]; then
		[ $status = 0 ] && [ t/a-first -ef t/only-hard ] || { cat out; fail "not linked"; }
	else
		[ $status = 1 ] && [ ! -e t/only-hard ] || { cat out; fail "linked to something else"; }
	fi
done

# A file that can't be restored is not linked to either, whatever the reason.
PYTHONPATH="$SRC/test" python3 - >bad.fdump <<'PY'
import sys
from packmake import Pack
p = Pack()
p.entry(b"bad", data=[b"content"], tail={"h": bytes(32)})
p.entry(b"link", type=4, head={"H": b"bad"})
sys.stdout.buffer.write(p.finish())
PY
rm -rf t
mkdir t
echo other >t/bad
status=0
"$FDUMP" unpack --skip-damaged -f bad.fdump -C t >out 2>&1 || status=$?
[ $status != 0 ] && [ ! -e t/link ] && [ "$(cat t/bad)" = other ] || { cat out; fail "linked to what was there"; }
