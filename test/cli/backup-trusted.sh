#!/bin/bash
# Goal: where root can't see trusted.* attributes (no CAP_SYS_ADMIN) a backup says so once, with
# status 1; where it can, they are backed up and restored.
. "$(dirname "$0")/lib.sh"
needs root setpriv setfattr getfattr
workspace

mkdir tree
touch tree/a tree/b
setfattr -n trusted.test -v one tree/a 2>/dev/null || skip "trusted.* can't be set here"
"$FDUMP" store init ./store >out
backup() {
	"$@" "$FDUMP" backup -s ./store --state state --unencrypted -C tree . >out 2>err
}

backup env || fail "status $? of a backup with all capabilities: $(cat err)"
[ ! -s err ] || fail "it says: $(cat err)"
mkdir back
"$FDUMP" restore -s ./store --state state latest -C back >out
[ "$(getfattr --only-values -n trusted.test back/a)" = one ] || fail "trusted.test was not restored"

for ((i = 0; i < 2; i++)); do # also if nothing has changed
	status=0
	backup setpriv --bounding-set=-sys_admin || status=$?
	[ $status = 1 ] || fail "status $status without CAP_SYS_ADMIN"
	[ "$(grep -c 'trusted\.\*' err)" = 1 ] && [ "$(wc -l <err)" = 1 ] || fail "it says: $(cat err)"
done

setpriv --bounding-set=-sys_admin "$FDUMP" backup -s ./store --state state --unencrypted --json -C tree . \
	>out 2>err && fail "status 0 with --json"
grep -q '"warnings": *\[{[^]]*trusted' out || fail "not among the warnings: $(cat out)"
setpriv --bounding-set=-sys_admin "$FDUMP" backup -s ./store --state state --unencrypted --no-xattrs \
	-C tree . >out 2>err || fail "status $? with --no-xattrs"
[ ! -s err ] || fail "with --no-xattrs it says: $(cat err)"

setpriv --bounding-set=-sys_admin "$FDUMP" backup -s ./store --state state --unencrypted --accept-hidden \
	-C tree . >out 2>err || fail "status $? with --accept-hidden"
[ ! -s err ] || fail "with --accept-hidden it says: $(cat err)"

# In a user namespace nobody can set such attributes: there is no warning.
if unshare --user --map-root-user true 2>/dev/null; then
	unshare --user --map-root-user "$FDUMP" backup -s ./store --state state --unencrypted -C tree . \
		>out 2>err || fail "status $? in a user namespace: $(cat err)"
fi
