#!/bin/bash
# Goal: where a border crosses the target (a mount, a bind mount of the same file system, a
# subvolume, a project quota) files of every size are restored as elsewhere, and a hard link across
# it becomes a copy, which is reported.
. "$(dirname "$0")/lib.sh"
needs root mount umount
workspace

fill() { # DIR
	mkdir -p "$1"/d/e
	for n in 0 1 4096 100000 1100000 3000000; do head -c $n /dev/urandom >"$1/$n"; done
	for n in 1 2 3; do
		echo $n >"$1/d/$n"
		echo $n >"$1/d/e/$n"
	done
	ln "$1/4096" "$1/d/linked"
	ln -s nowhere "$1/d/link"
	mkfifo "$1/d/fifo"
	chmod 640 "$1"/d/*[0-9]
	chown 1234:1234 "$1/d/2"
	touch -d 2001-02-03 "$1/d/1" "$1/d/e/1"
}
mkdir -p src/below/vol src/z
fill src/below/vol
fill src/below
echo top >src/top
ln src/top src/below/vol/top
python3 -c "open('src/z/sparse', 'w').truncate(200000)"
"$FDUMP" pack -f p -C src .
"$FDUMP" store init st >/dev/null
"$FDUMP" backup -s ./st --unencrypted --state state -C src . >/dev/null
list() { (cd "$1" && find . -mindepth 1 ! -type d -printf '%p %y %s %m %U %G %T@ %l\n' | sort); }

# check NAME TARGET: everything comes back into TARGET; the links to top, across the border, are
# copies.
check() {
	local how
	for how in file pipe one dump again; do
		[ $how = again ] || find "$2" -mindepth 1 ! -type d -delete
		status=0
		case $how in
		file) "$FDUMP" unpack -f p -C "$2" ;;
		pipe) "$FDUMP" unpack -C "$2" <p ;;
		one) "$FDUMP" unpack --threads 1 -f p -C "$2" ;;
		dump | again) "$FDUMP" restore -s ./st --state state latest -C "$2" ;;
		esac >out 2>&1 || status=$?
		diff <(list src) <(list "$2") || { cat out; fail "$1, $how: not as it was"; }
		diff -r --no-dereference -x fifo src "$2" || { cat out; fail "$1, $how: other content"; }
		[ "$2/below/4096" -ef "$2/below/d/linked" ] || fail "$1, $how: not linked"
		[ "$2/below/vol/4096" -ef "$2/below/vol/d/linked" ] || fail "$1, $how: not linked beyond the border"
		if [ "$2/top" -ef "$2/below/vol/top" ]; then # some borders permit the link
			[ $status = 0 ] && [ ! -s out ] || { cat out; fail "$1, $how: status $status"; }
			continue
		fi
		[ $status = 1 ] || { cat out; fail "$1, $how: status $status"; }
		grep -q "top: restored as a copy" out || { cat out; fail "$1, $how: the copy is not reported"; }
		[ "$(wc -l <out)" = 1 ] || { cat out; fail "$1, $how: superfluous messages"; }
	done
	tested=$((tested + 1))
}
mounted() { # ARGUMENTS OF MOUNT..., of which the last is the mount point
	mount "$@" 2>/dev/null || return 1
	mounts+=("$(cd "${!#}" && pwd)")
}
tested=0

mkdir -p t1/below/vol
if mounted -t tmpfs -o size=50m none t1/below/vol; then check tmpfs t1; fi
mkdir -p t2/below/vol elsewhere
if mounted --bind elsewhere t2/below/vol; then check "bind mount" t2; fi
# The target itself can be a mount too.
mkdir -p t3 t3.real/below/vol
if mounted --bind t3.real t3 && mounted -t tmpfs -o size=50m none t3/below/vol; then check nested t3; fi

if command -v mkfs.btrfs >/dev/null; then
	truncate -s 200M btrfs.img
	mkdir btrfs
	if mkfs.btrfs -q btrfs.img >/dev/null && mounted -o loop btrfs.img btrfs; then
		mkdir -p btrfs/t/below
		btrfs -q subvolume create btrfs/t/below/vol >/dev/null
		check subvolume btrfs/t
	fi
fi
if command -v mkfs.xfs >/dev/null && command -v chattr >/dev/null; then
	truncate -s 320M xfs.img
	mkdir xfs
	if mkfs.xfs -q xfs.img && mounted -o loop xfs.img xfs; then
		mkdir -p xfs/t/below/vol
		if chattr -p 42 +P xfs/t/below/vol 2>/dev/null; then check project xfs/t; fi
	fi
fi
[ $tested -gt 0 ] || skip "may not mount"
echo "$tested kinds of borders"
