# Goal: pack and export replace a pack but no other file; a PATH that is also the output is refused.
. "$(dirname "$0")/lib.sh"
workspace
mkdir t
echo content >t/f
"$FDUMP" store init s
"$FDUMP" backup -s ./s --unencrypted --state state -C t . >/dev/null
refused() { # WHAT COMMAND...
	status=0
	"$FDUMP" "${@:2}" 2>err || status=$?
	[ $status = 2 ] && grep -q "$1" err || fail "${*:2}: status $status: $(cat err)"
}
not='exists and is not an FDump pack; not replaced'
echo mine >x
refused "x: $not" pack -f x x
refused "x: $not" pack -f x t
refused "x: $not" export -s ./s latest -f x
[ "$(cat x)" = mine ] || fail "it was replaced"
volume=$(echo s/volumes/*.vol)
refused "$not" pack -f "$volume" t
"$FDUMP" pack -f p.fdump t
"$FDUMP" pack -f p.fdump t # again
refused 'is the output too' pack -f p.fdump p.fdump
"$FDUMP" verify p.fdump >/dev/null || fail "the pack is not what it was"
: >empty
"$FDUMP" pack -f empty t
