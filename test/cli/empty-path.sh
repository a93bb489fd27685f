# Goal: an empty path is refused, with status 2, wherever one is given; it never means everything.
. "$(dirname "$0")/lib.sh"
workspace
mkdir t
echo live >t/a
"$FDUMP" store init s
"$FDUMP" backup -s ./s --unencrypted --state state -C t . >/dev/null
"$FDUMP" pack -f p.fdump -C t .
refused() {
	status=0
	"$FDUMP" "$@" >out 2>err </dev/null || status=$?
	[ $status = 2 ] && grep -q "'': empty" err || fail "$*: status $status: $(cat err)"
}
echo kept >t/a
refused restore -s ./s --state state latest --in-place ""
refused restore -s ./s --state state latest -C ""
refused restore -s ./s --state "" latest -C t
refused unpack -f p.fdump -C t ""
refused unpack -f "" -C t
refused list -f p.fdump ""
refused cat -f p.fdump ""
refused cat -s ./s latest ""
refused files -s ./s latest ""
refused find -s ./s ""
refused diff -f p.fdump -C t ""
refused diff -s ./s latest -C t ""
refused export -s ./s latest -f x ""
refused pack -f x ""
refused pack -C "" -f x .
refused pack -f "" t
refused pack -T "" -f x
refused backup -s ./s --unencrypted --state state ""
refused backup -s ./s --unencrypted --state "" t
refused backup -s "" --unencrypted --state state t
refused backup -s ./s --to "" --state state t
refused dumps -s ""
refused forget -s "" --keep-last 1 --yes
refused verify ""
refused verify --key "" s
refused store init ""
refused store stat ""
refused store replicate --from "" s
refused key show ""
[ "$(cat t/a)" = kept ] && [ ! -e x ] || fail "something was written"
