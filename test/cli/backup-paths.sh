# Goal: a backup of other PATHs than the last of its name says so once, with both sets, and is no
# failure; the same PATHs written differently count as the same.
. "$(dirname "$0")/lib.sh"
workspace
fail() { echo "$*"; cat err; exit 1; }
mkdir a b
echo a >a/x
echo b >b/x
for s in one two; do "$FDUMP" store init $s >/dev/null; done
back() { "$FDUMP" backup -s ./one -s ./two --unencrypted --state "${state:-state}" "$@" >out 2>err || fail "backup $*: status $?"; }
quiet() { back "$@"; [ ! -s err ] || fail "warns about $*"; }
told() { # OLD NEW ARGUMENTS
	old=$1 new=$2
	shift 2
	back "$@"
	[ "$(wc -l <err)" = 1 ] && grep -qF "last dump named backup is of $old, this one of $new:" err || fail "no warning about $*"
}

quiet a b
quiet b ./a/ a
quiet -C "$work" b a
quiet --name other a
quiet a b # that was another backup name
told "$work/a, $work/b" "$work/a" a
quiet a
state=state2 quiet a # an agent that has lost its state
told "$work/a" "/${work#/}/a, /${work#/}/b" "$work/a" "$work/b"
quiet -C / "${work#/}/a" "${work#/}/b"
told "$work/a, $work/b" "$work/a" -C a .
told "$work/a" "$work/b" -C b .
quiet -C b .
mkdir 1 2 3 4
told "$work/b" "$work/1, $work/2, $work/3 and 1 more" 1 2 3 4
# What differs is shown, not the same paths twice: those after the first few, or where names begin.
back 1 2 3 4 a
grep -qF "last dump named backup is also of no PATH, this one also of $work/a:" err || fail "a longer list"
back 1 2 3 a b
grep -qF "last dump named backup is also of $work/4, $work/a, this one also of $work/a, $work/b:" err || fail "the end of a list"
back a
back -C a .
grep -qF "last dump named backup has names relative to $work, this one to $work/a:" err || fail "another base"
back 1 2 3 4
# The paths that -T lists may differ each time.
echo a >list
quiet -T list
echo b >list
quiet -T list
# The comparison is made for each store.
"$FDUMP" store init three >/dev/null
"$FDUMP" backup -s ./three --unencrypted --state state 1 2>err >out
[ ! -s err ] || fail "a warning about a new store"
