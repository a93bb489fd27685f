#!/bin/sh
# Goal: if patterns exclude every given PATH nothing is made, and an existing pack or dump is kept.
. "$(dirname "$0")/lib.sh"
workspace
fail() { echo "$*"; cat said; exit 1; }
run() { # STATUS ARGUMENTS
	want=$1
	shift
	status=0
	"$FDUMP" "$@" >out 2>said || status=$?
	[ $status = "$want" ] || fail "$*: status $status, not $want"
}
told() { grep -q "$1" said || fail "not reported: $1"; }

mkdir -p d/home d/etc
echo h >d/home/x
echo e >d/etc/conf
run 0 store init s
back() { # STATUS ARGUMENTS
	want=$1
	shift
	run "$want" backup -s ./s --unencrypted --state state "$@"
}

run 0 pack -f p --exclude home d/etc d/home
[ "$("$FDUMP" list -f p | tr '\n' ' ')" = "d/etc d/etc/conf " ] || fail "pack: not the rest"
back 0 --exclude home d/etc d/home
[ "$("$FDUMP" files -s ./s latest | tr '\n' ' ')" = "d/etc d/etc/conf " ] || fail "backup: not the rest"

cp p before
for path in d/home ./d//home "$work/d/home"; do
	run 2 pack -f p --exclude home "$path"
	told "all given paths are excluded"
	cmp p before || fail "pack: the old one is gone"
	back 2 --exclude home "$path"
	told "all given paths are excluded"
done
[ "$("$FDUMP" dumps -s ./s | wc -l)" = 1 ] || fail "a dump of nothing"

printf '%s\n' d/etc/conf d/home d/home/x >list
run 0 pack -f p --no-recursion --exclude home -T list
[ "$("$FDUMP" list -f p)" = d/etc/conf ] || fail "list: not the rest"
back 0 --no-recursion --exclude home -T list
cp p before
run 2 pack -f p --no-recursion --exclude /d -T list
told "all given paths are excluded"
cmp p before || fail "list: the old one is gone"
back 2 --no-recursion --exclude /d -T list
told "all given paths are excluded"
[ "$("$FDUMP" dumps -s ./s | wc -l)" = 2 ] || fail "a dump of nothing listed"
run 0 pack -f p --no-recursion --exclude /d --command "c=echo c" -T list

# Taking out.
back 0 d
run 0 pack -f p d
mkdir o
cp p before
for path in "" d/home; do
	for how in "restore -s ./s --state state latest -C o" "restore -s ./s --state state latest -n" \
		"export -s ./s latest -f before" "unpack -f p -C o" "diff -f p"; do
		# shellcheck disable=SC2086 # words
		run 2 $how --exclude d $path
		told "nothing is selected"
	done
	run 2 unpack -C o --exclude d $path <p
	told "nothing is selected"
done
cmp p before || fail "export: the old one is gone"
[ -z "$(ls o)" ] || fail "something was taken out"
run 2 export -s ./s latest -f before nothere
cmp p before || fail "export of a missing dump: the old one is gone"
run 0 unpack -f p -C o --exclude home d
[ -e o/d/etc/conf ] || fail "not the rest"
[ ! -e o/d/home ] || fail "not without the excluded"
