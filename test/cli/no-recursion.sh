#!/bin/bash
# Goal: with --no-recursion pack and backup contain exactly the PATHs, and of directories only the
# directory itself, so they can take find's output, even if it is very long.
. "$(dirname "$0")/lib.sh"
workspace
mkdir -p tree/a/b tree/cache
for f in tree/one tree/a/two tree/a/b/three tree/cache/four; do echo $f >$f; done
ln tree/one tree/a/link
find tree -exec touch -d '10 seconds ago' {} +
touch -d '1 hour ago' tree/one tree/a/b/three tree/cache/four
"$FDUMP" store init s >/dev/null
back() { aged "$FDUMP" backup -s ./s --unencrypted --state state --no-recursion "$@" >/dev/null; }
same() { LC_ALL=C sort "$1" | cmp - "$2" || fail "$3: $(cat "$1")"; }
# The expected entries of the pack and of the last dump are in `want`.
both() {
	"$FDUMP" pack -f p --no-recursion "$@"
	"$FDUMP" list -f p >got
	same got want "pack $*"
	back "$@"
	"$FDUMP" files -s ./s latest >got
	same got want "backup $*"
}

printf '%s\n' . >want
both -C tree .
printf '%s\n' a a/b/three >want
both -C tree a/b/three a
find tree -newer tree/one ! -name b | LC_ALL=C sort >want
find tree -newer tree/one ! -name b >list
both -T list
"$FDUMP" pack --no-recursion -T - <list | "$FDUMP" list >got
same got want "from standard input"
find tree -newer tree/one ! -name b -print0 >list
both --null -T list
# With recursion nothing has changed: everything below a PATH is there, once.
"$FDUMP" backup -s ./s --unencrypted --state state tree tree/a >/dev/null
"$FDUMP" files -s ./s latest >got
find tree | LC_ALL=C sort >want
same got want "with recursion"

# Entries of an excluded directory are excluded, although no walk enters it.
find tree ! -path '*cache*' | LC_ALL=C sort >want
find tree >list
both -T list --exclude cache/
# Unpacked or restored it is the same tree, with hard links.
find tree | LC_ALL=C sort >want
both -T list
mkdir out back
"$FDUMP" unpack -f p -C out
"$FDUMP" restore -s ./s --state state latest -C back
diff -r tree out/tree && diff -r tree back/tree || fail "differs"
[ "$(stat -c %i out/tree/one)" = "$(stat -c %i out/tree/a/link)" ] || fail "no link"

# A second run gives the same result.
back -T list
aged "$FDUMP" backup -s ./s --unencrypted --state state --no-recursion --json -T list >got
grep -q '"read":0,' got || fail "read again: $(cat got)"

# More PATHs than fit into a dump's record.
mkdir many
seq -f 'many/%05g' 1 6000 | xargs touch
find many | LC_ALL=C sort >want
find many >list
both -T list
