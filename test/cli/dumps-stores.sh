# Goal: of several stores `fdump dumps` says which have a dump, in a column and in JSON; of one it does not.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
fail() { echo "$*"; cat out; exit 1; }
back() { "$FDUMP" backup "$@" --open --state state t >/dev/null; }

mkdir t
for store in a b c; do "$FDUMP" store init $store; done
back -s a -s b -s c --name all
back -s a --name first
back -s b -s c --name others
"$FDUMP" dumps -s a -s b -s c >out
[ "$(wc -l <out)" = 3 ] || fail "not each once"
for line in "123  [^ ]*/all" "1--  [^ ]*/first" "-23  [^ ]*/others"; do
	grep -q -- "  $line\$" out || fail "no $line"
done
"$FDUMP" dumps -s c -s a -s nowhere --json >out 2>err
grep '"name": *"all"' out | grep -q '"stores": *\["c","a"\]' || fail "all, JSON"
grep '"name": *"others"' out | grep -q '"stores": *\["c"\]' || fail "others, JSON"
"$FDUMP" dumps -s nowhere -s a -s c >out 2>err
grep -q -- "  -2-  [^ ]*/first\$" out || fail "a store that can't be read"
"$FDUMP" dumps -s a >out
grep -q "[0-9]  [^ /]*/first\$" out && ! grep -q -- "--" out || fail "of one store"
! "$FDUMP" dumps -s a --json | grep -q '"stores"' || fail "of one store, JSON"
