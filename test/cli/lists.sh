#!/bin/bash
# Goal: a list of paths in a form that -T does not accept is refused, and an existing pack is kept.
. "$(dirname "$0")/lib.sh"
workspace
mkdir t
touch t/a t/b
"$FDUMP" pack -f good.fdump t
"$FDUMP" store init s
cp good.fdump before
for list in nul empty; do
	if [ $list = nul ]; then find t -print0 >list; else : >list; fi
	status=0
	"$FDUMP" pack -f good.fdump -T list 2>err || status=$?
	[ $status = 2 ] && cmp good.fdump before || fail "pack, $list: $status"
	status=0
	"$FDUMP" backup -s ./s --unencrypted --state state -T list 2>err || status=$?
	[ $status = 2 ] || fail "backup, $list: $status"
done
find t -print0 >list
status=0
"$FDUMP" unpack -f good.fdump -T list 2>err || status=$?
[ $status = 2 ] && grep -q -- --null err || fail "unpack: $status"
"$FDUMP" pack -f nul.fdump --null --no-recursion -T list
[ "$("$FDUMP" list -f nul.fdump | wc -l)" = 3 ] || fail "--null"
status=0
"$FDUMP" pack -C t -C . -f x.fdump a 2>err || status=$?
[ $status = 2 ] && [ ! -e x.fdump ] || fail "two -C: $status"
