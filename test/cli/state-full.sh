# Goal: a state folder that is full or read-only costs the local copy of the manifest but no dump:
# the dump's id is printed, the status is 0, and a warning names the consequence.
. "$(dirname "$0")/lib.sh"
workspace
mkdir t small
echo content >t/a
"$FDUMP" store init s
"$FDUMP" key new --no-passphrase key >/dev/null
back() { status=0; "$FDUMP" backup -s ./s --to key.pub --state small/state -C t . >out 2>err || status=$?; }
mount_tmpfs size=64k small
back
[ $status = 0 ] && [ ! -s err ] || fail "the first: $(cat err)"
dd if=/dev/zero of=small/fill bs=1k 2>/dev/null || :
back
[ $status = 0 ] && grep -q '^dump ' out && grep -q 'No space left.*reads everything' err || fail "full: status $status: $(cat err)"
rm small/fill
mount -o remount,ro small
back
[ $status = 0 ] && grep -q '^dump ' out && grep -q 'Read-only' err || fail "read-only: status $status: $(cat err)"
[ "$("$FDUMP" dumps -s ./s | wc -l)" = 3 ] || fail "dumps are missing"
