#!/bin/bash
# Goal: a link to a folder, such as /lib, is not replaced by a folder of the pack; with
# --keep-directory-symlink the folder's entries are restored through the link, if it leads into the
# target.
. "$(dirname "$0")/lib.sh"
workspace

mkdir -p src/lib/deep src/a src/z outside
echo new >src/lib/module
echo deep >src/lib/deep/er
echo first >src/a/first
ln src/a/first src/lib/linked
ln src/lib/module src/z/linked
chmod 700 src/lib
head -c 3000000 /dev/urandom >src/lib/large
"$FDUMP" pack -f p -C src a lib z
"$FDUMP" store init st >/dev/null
"$FDUMP" backup -s ./st --unencrypted --state state -C src a lib z >/dev/null
again() { # makes the target, with a link of this text
	rm -rf t
	mkdir -p t/usr/lib t/usr/lib64
	chmod 755 t/usr/lib
	echo old >t/usr/lib/libc
	ln -s "$1" t/lib
}
status_of() {
	status=0
	"$@" >out 2>&1 || status=$?
}
for how in "unpack -f p" "unpack --threads 1 -f p" "restore -s ./st --state state latest"; do
	# shellcheck disable=SC2086 # words
	set -- "$FDUMP" $how -C t
	again usr/lib
	status_of "$@"
	[ $status = 2 ] && [ "$(readlink t/lib)" = usr/lib ] && [ "$(ls t/usr/lib)" = libc ] ||
		{ cat out; fail "$how: status $status"; }
	[ "$(grep -c '^fdump [a-z]*: lib: not restored, nor what is in it' out)" = 1 ] || { cat out; fail "$how: not reported"; }
	! grep -q module out || { cat out; fail "$how: reported for each"; }
	[ "$(cat t/a/first)" = first ] || fail "$how: the rest is not there"
	[ ! -e t/z/linked ] || fail "$how: a link to a file that is not restored"

	for text in usr/lib /usr/lib ../usr/lib; do
		again $text
		for _ in 1 2; do
			status_of "$@" --keep-directory-symlink
			[ $status = 0 ] || { cat out; fail "$how, $text: status $status"; }
			[ "$(readlink t/lib)" = $text ] || fail "$how, $text: the link is gone"
			for f in lib/module lib/deep/er lib/large z/linked; do
				cmp src/$f t/${f/#lib/usr\/lib} || fail "$how, $text: $f"
			done
			[ t/usr/lib/linked -ef t/a/first ] && [ t/z/linked -ef t/usr/lib/module ] || fail "$how, $text: links"
			[ "$(stat -c %a t/usr/lib)" = 755 ] || fail "$how, $text: the folder that the link leads to was changed"
			set -- "$@" --overwrite if-changed
		done
		set -- "${@:1:$#-4}"
		# A single entry, whose folder is not selected.
		again $text
		status_of "$@" --keep-directory-symlink lib/module
		[ $status = 0 ] && [ "$(cat t/usr/lib/module)" = new ] || { cat out; fail "$how, $text: one alone"; }
	done
	# Out of the target, dangling, to a file, and in a circle: nothing there is touched.
	for text in "$work/outside" ../outside ../../../../../../../../../../"$work"/outside; do
		again "$text"
		status_of "$@" --keep-directory-symlink
		[ $status = 2 ] && [ -L t/lib ] && [ -z "$(ls outside)" ] || { cat out; fail "$how, $text: status $status"; }
		status_of "$@" --keep-directory-symlink lib/module
		[ $status = 2 ] && [ -L t/lib ] && [ -z "$(ls outside)" ] || { cat out; fail "$how, $text: alone: status $status"; }
	done
	for text in nowhere usr/lib/libc lib; do
		again $text
		status_of "$@"
		[ $status = 0 ] && [ ! -L t/lib ] && cmp src/lib/module t/lib/module ||
			{ cat out; fail "$how: a link to no folder, $text: status $status"; }
	done
done
