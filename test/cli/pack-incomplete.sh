#!/bin/bash
# Goal: attributes that can't be read are left out, and that is reported: by pack (status 1), in the
# entry's TAIL, by list, verify and unpack.
. "$(dirname "$0")/lib.sh"
needs strace
workspace
mkdir tree out
echo content >tree/file
ln -s file tree/soft
for call in flistxattr:file llistxattr:soft; do
	IFS=: read -r name entry <<<"$call"
	status=0
	strace -f -qq -o /dev/null -e "inject=$name:error=EIO" "$FDUMP" pack -f p -C tree . 2>said || status=$?
	[ "$status" = 1 ]
	grep -q "$entry: attributes can't be read and are left out: Input/output error" said
	"$FDUMP" list -v -f p | grep -q "$entry.*\[incomplete: Input/output error\]"
	status=0
	"$FDUMP" verify p >said || status=$?
	[ "$status" = 1 ]
	grep -q "p: $entry: incomplete: Input/output error" said
	status=0
	rm -rf out/*
	"$FDUMP" unpack -f p -C out 2>said || status=$?
	[ "$status" = 1 ]
	grep -q "restored without attributes or flags" said
	[ "$(cat out/file)" = content ] && [ -L out/soft ]
done
