#!/bin/sh
# Goal: a PATH that is given twice, also in different spellings or in a list, is taken once.
. "$(dirname "$0")/lib.sh"
workspace
fail() { echo "$*"; cat said; exit 1; }

mkdir -p d/etc
echo e >d/etc/conf
printf '%s\n' d/etc/conf d/etc/conf >list
"$FDUMP" store init s 2>/dev/null
"$FDUMP" backup -s ./s --unencrypted --state state d >/dev/null
"$FDUMP" pack -f p d
for paths in "d/etc/conf /d/etc/conf" "d/etc/conf d/etc/ ./d/etc d/etc/conf" "-T list" "-T list d/etc/conf"; do
	for how in "restore -s ./s --state state latest -C o" "restore -s ./s --state state latest -n" \
		"export -s ./s latest -f q" "unpack -f p -C o" "list -f p" "diff -f p" "diff -s ./s -C . latest"; do
		case "$how $paths" in list*-T* | diff*-T*) continue ;; esac
		rm -rf o && mkdir o
		# shellcheck disable=SC2086 # words
		"$FDUMP" $how $paths >out 2>said || fail "$how $paths: status $?"
		[ ! -s said ] || fail "$how $paths: said"
		case $how in
		*" -C o") [ -f o/d/etc/conf ] || fail "$how $paths: not there" ;;
		*-f\ q) "$FDUMP" list -f q | grep -qx d/etc/conf || fail "$how $paths: not there" ;;
		list* | *-n) [ "$(grep -cx d/etc/conf out)" = 1 ] || fail "$how $paths: $(cat out)" ;;
		esac
	done
done
for paths in "nothere /nothere" "d nothere nothere"; do
	status=0
	# shellcheck disable=SC2086 # words
	"$FDUMP" list -f p $paths >out 2>said || status=$?
	[ $status = 2 ] || fail "$paths: status $status"
	[ "$(grep -c "nothere: not in the pack" said)" = 1 ] || fail "$paths: not reported once"
done
