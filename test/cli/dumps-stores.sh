# Goal: for several stores `fdump dumps` says which have a dump, in a column and in JSON; for one
# store it does not.
. "$(dirname "$0")/lib.sh"
workspace
fail() { echo "$*"; cat out; exit 1; }
back() { "$FDUMP" backup "$@" --unencrypted --state state t >/dev/null; }

mkdir t
for store in a b c; do "$FDUMP" store init $store; done
back -s ./a -s ./b -s ./c --name all
back -s ./a --name first
back -s ./b -s ./c --name others
"$FDUMP" dumps -s ./a -s ./b -s ./c >out
[ "$(wc -l <out)" = 3 ] || fail "not each once"
for line in "123  [^ ]*/all" "1--  [^ ]*/first" "-23  [^ ]*/others"; do
	grep -q -- "  $line\$" out || fail "no $line"
done
status=0
"$FDUMP" dumps -s ./c -s ./a -s ./nowhere --json >out 2>err || status=$?
[ $status = 2 ] && grep -q '"id": *"dumps.store","store": *"./nowhere"' out && tail -n 1 out | grep -q '"exit": *2' || fail "JSON: status $status"
grep '"name": *"all"' out | grep -q '"stores": *\["./c","./a"\]' || fail "all, JSON"
grep '"name": *"others"' out | grep -q '"stores": *\["./c"\]' || fail "others, JSON"
status=0
"$FDUMP" dumps -s ./nowhere -s ./a -s ./c >out 2>err || status=$?
[ $status = 2 ] && grep -q -- "  ?2-  [^ ]*/first\$" out || fail "a store that can't be read: status $status"
echo x >t/file
back -s ./a --name first
for options in "" "--json"; do
	status=0
	# shellcheck disable=SC2086 # words
	"$FDUMP" find -s ./nowhere -s ./a $options file >out 2>err || status=$?
	[ $status = 2 ] && grep -q file out && grep -q 'not all stores could be read' err || fail "find $options: status $status"
done
status=0
"$FDUMP" files -s ./nowhere -s ./a latest >out 2>err || status=$?
[ $status = 0 ] && grep -q file out || fail "files: status $status"
"$FDUMP" dumps -s ./a >out
grep -q "[0-9]  [^ /]*/first\$" out && ! grep -q -- "--" out || fail "of one store"
! "$FDUMP" dumps -s ./a --json | grep -q '"stores"' || fail "of one store, JSON"
