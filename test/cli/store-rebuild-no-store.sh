# Goal: rebuild of a directory that is not a store writes nothing into it and says so; a store that
# has lost its file fdump-store is rebuilt.
. "$(dirname "$0")/lib.sh"
workspace
fail() { echo "$*"; cat out err; exit 1; }

mkdir -p data/volumes tree
echo mine >data/volumes/other
find data >before
status_of "$FDUMP" store rebuild data
find data >after
cmp before after || fail "something was written"
[ $status = 2 ] || fail "status $status"
grep -q '^fdump store: data: not an FDump store' err || fail "not reported"
status_of "$FDUMP" store rebuild nowhere
[ $status = 2 ] && grep -q 'nowhere: not an FDump store' err || fail "nowhere: status $status"

"$FDUMP" store init one
echo content >tree/a
"$FDUMP" backup -s ./one --unencrypted --state state -C tree . >out
rm one/fdump-store
status_of "$FDUMP" store rebuild one
[ $status = 0 ] || fail "a store without its file: status $status"
status_of "$FDUMP" verify one
[ $status = 0 ] || fail "verify: status $status"
