#!/bin/bash
# Goal: metadata that can't be set are reported with the path, with status 1, even if the kernel
# reports success; and no entry gets more rights than it had.
. "$(dirname "$0")/lib.sh"
needs root
workspace
mounted() { # ARGUMENTS OF MOUNT..., of which the last is the mount point
	mount "$@" 2>/dev/null || return 1
	mounts+=("$(cd "${!#}" && pwd)")
}
status_of() {
	status=0
	"$@" >out 2>&1 || status=$?
}
tested=

# Without the owner there is no set-user-id bit; without the group no set-group-id bit, and no more
# rights than others have.
nochown() { setpriv --bounding-set -chown --inh-caps -chown "$@"; }
mkdir -p own/dir
for f in both user group; do echo "$f" >own/$f; done
chown 4321:4322 own/both own/dir
chown 4321:0 own/user
chown 0:4322 own/group
chmod 6755 own/*
chmod 6770 own/both own/dir
if nochown true 2>/dev/null && ! nochown chown 4321 out 2>/dev/null; then
	"$FDUMP" pack -f p -C own both dir user group
	mkdir owned
	status_of nochown "$FDUMP" unpack -f p -C owned
	[ $status = 1 ] || { cat out; fail "owner: status $status"; }
	[ "$(stat -c '%a %u %g' owned/* | tr '\n' ,)" = "700 0 0,700 0 0,4755 0 0,2755 0 0," ] ||
		{ cat out; stat -c '%n %a %u %g' owned/*; fail "owner: more rights than the entry had"; }
	for f in both dir user group; do
		grep -q "$f: owner not restored" out || { cat out; fail "owner: no message about $f"; }
	done
	tested="$tested owner"
fi

# Access lists come from the pack, not from the target.
if setfacl -m u:4321:rwx . 2>/dev/null; then
	setfacl -b .
	mkdir -p acl/dir/sub acls/dir
	echo file >acl/dir/file
	head -c 3000000 /dev/zero >acl/dir/large
	mkfifo acl/dir/fifo
	setfacl -d -m u:4321:rwx acls
	setfacl -d -m u:4321:rwx acls/dir
	setfacl -m u:4321:rwx acls/dir
	"$FDUMP" pack -f p -C acl dir
	status_of "$FDUMP" unpack -f p -C acls
	[ $status = 0 ] || { cat out; fail "acl: status $status"; }
	! getfacl -cR acls/dir 2>/dev/null | grep 4321 || fail "acl: the target's are left"
	[ "$(cd acl && find dir -printf '%p %m\n' | sort)" = "$(cd acls && find dir -printf '%p %m\n' | sort)" ] ||
		fail "acl: other modes"
	tested="$tested acl"
fi

# The target keeps times in seconds only: that is reported, and if-changed regards such times as
# equal.
mkdir -p time/dir
echo file >time/dir/file
head -c 1100000 /dev/urandom >time/dir/large
echo other >time/dir/other
touch -d 2001-02-03T04:05:06.700000000 time/dir/* time/dir
truncate -s 20M ext4.img
mkdir ext4
if mkfs.ext4 -q -F -I 128 ext4.img >/dev/null 2>&1 && mounted -o loop ext4.img ext4; then
	"$FDUMP" pack -f p -C time dir
	"$FDUMP" store init st >/dev/null
	"$FDUMP" backup -s ./st --unencrypted --state state -C time dir >/dev/null
	mkdir ext4/t
	status_of "$FDUMP" unpack -f p -C ext4/t
	[ $status = 1 ] || { cat out; fail "time: status $status"; }
	for f in dir dir/file dir/large; do
		grep -q "$f: modification time not kept exactly" out || { cat out; fail "time: no message about $f"; }
	done
	touch -d 2001-02-03T04:05:08 ext4/t/dir/other
	before=$(stat -c '%n %i' ext4/t/dir/file ext4/t/dir/large)
	for how in "unpack -f p" "restore -s ./st --state state latest"; do
		# shellcheck disable=SC2086 # words
		status_of "$FDUMP" $how --overwrite if-changed -C ext4/t
		[ "$before" = "$(stat -c '%n %i' ext4/t/dir/file ext4/t/dir/large)" ] ||
			fail "time: $how: an unchanged file is written again"
		[ "$(stat -c %Y ext4/t/dir/other)" = "$(stat -c %Y time/dir/other)" ] ||
			fail "time: $how: a file with another time is not"
	done
	tested="$tested time"
fi

# Flags that a file system accepts only before there is content, or not at all.
truncate -s 120M btrfs.img
mkdir btrfs
if command -v chattr >/dev/null && mkfs.btrfs -q btrfs.img >/dev/null 2>&1 && mounted -o loop btrfs.img btrfs; then
	mkdir -p btrfs/src/dir
	touch btrfs/src/small btrfs/src/large btrfs/src/plain
	chattr +C btrfs/src/small btrfs/src/large btrfs/src/dir
	chattr +c btrfs/src/plain
	for f in small large plain dir/in; do head -c 100 /dev/urandom >btrfs/src/$f; done
	head -c 3000000 /dev/urandom >btrfs/src/large
	ln btrfs/src/large btrfs/src/larger
	"$FDUMP" pack -f p -C btrfs/src .
	flags() { (cd "$1" && lsattr -d ./* ./*/* | sort -k 2); }
	for n in 1 4; do
		mkdir btrfs/t$n
		status_of "$FDUMP" unpack --threads $n -f p -C btrfs/t$n
		diff -r btrfs/src btrfs/t$n
		[ "$(flags btrfs/src)" = "$(flags btrfs/t$n)" ] || { cat out; fail "flags: others than in the pack"; }
		[ $status = 0 ] || { cat out; fail "flags: status $status"; }
	done
	mkdir other
	status_of "$FDUMP" unpack -f p -C other
	[ $status = 1 ] && grep -q "large: flags not restored" out || { cat out; fail "flags: no message"; }
	tested="$tested flags"
fi
[ -n "$tested" ] || skip "nothing of it can be tried here"
echo "tried:$tested"
