#!/bin/bash
# Goal: a store for which there is no room leaves nothing behind, so that it can be made again when
# there is room.
. "$(dirname "$0")/lib.sh"
workspace
mkdir disk
mount_tmpfs size=4k disk
mkdir disk/there
failed=0
for size in 4 12 20 28 36 44; do
	mount -o "remount,size=${size}k" disk
	for store in disk/new disk/there; do
		status_of "$FDUMP" store init $store
		[ $status = 0 ] || [ $status = 7 ] || fail "$size KB, $store: status $status: $(cat err)"
		[ $status = 7 ] || rm -r "${store:?}"/*
		[ $status = 0 ] || [ -z "$(find disk/new disk/there -mindepth 1 2>/dev/null)" ] || fail "$size KB, $store: $(find disk)"
		failed=$((failed + (status == 7)))
		rm -rf disk/new
	done
done
[ $failed -ge 4 ] || fail "only $failed failed"
mount -o remount,size=1m disk
for store in disk/new disk/there; do
	"$FDUMP" store init $store
	"$FDUMP" dumps -s $store
done
