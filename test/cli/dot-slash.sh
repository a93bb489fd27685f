# Goal: a pattern or path that begins with ./ (or, for a lookup in a dump, with /) has the meaning
# that people expect.
. "$(dirname "$0")/lib.sh"
workspace
is() { # WORDS: the lines are exactly these
	got=$(tr '\n' ' ')
	[ "$got" = "$1 " ] || fail "$got, not $1"
}

mkdir -p t/d/x t/x
touch t/d/x/1 t/x/2 t/y
echo ./x/ >list
"$FDUMP" store init s
for how in "--exclude ./x" "-X list"; do
	# shellcheck disable=SC2086 # words
	"$FDUMP" pack -f p -C t $how .
	"$FDUMP" list -f p | is ". d d/x d/x/1 y"
	# shellcheck disable=SC2086
	"$FDUMP" backup -s ./s --unencrypted --state state -C t $how . >/dev/null
	"$FDUMP" files -s ./s latest | is ". d d/x d/x/1 y"
done
"$FDUMP" backup -s ./s --unencrypted --state state --name all -C t . >/dev/null
for path in ./x /x ./x/ .//x; do
	"$FDUMP" files -s ./s all@latest $path | is "x x/2"
	"$FDUMP" restore -s ./s -n all@latest $path | is "x x/2"
done
"$FDUMP" restore -s ./s -n all@latest --exclude ./x d x y | is "d d/x d/x/1 y"
"$FDUMP" files -s ./s all@latest './d/x*' | is "d/x d/x/1"
"$FDUMP" files -s ./s all@latest '/x*' | is "x x/2"
"$FDUMP" files -s ./s all@latest '*x' | is "d/x x"
for pattern in './x/*' '/x/*' 'x/*'; do
	"$FDUMP" find -s ./s "$pattern" | sed 's/.* //' | is "x/2"
done
status=0
"$FDUMP" pack -f p -C t --exclude ./ . 2>/dev/null || status=$?
[ $status = 2 ] || fail "--exclude ./: status $status"
