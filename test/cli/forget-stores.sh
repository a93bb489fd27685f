# Goal: if one of several stores can't be used forget goes on with the others, in whatever order
# they are named, with status 2; it prints only what it has really deleted.
. "$(dirname "$0")/lib.sh"
workspace
mkdir t
for order in "missing a" "a missing"; do
	rm -rf a state
	"$FDUMP" store init a
	for i in 1 2 3; do
		echo $i >t/f
		"$FDUMP" backup -s ./a --unencrypted --state state -C t . >/dev/null
	done
	first=$("$FDUMP" dumps -s ./a | sed -n '1s/ .*//p')
	# shellcheck disable=SC2046 # words
	set -- $(printf -- '-s ./%s ' $order)
	status=0
	"$FDUMP" forget "$@" --keep-last 2 --yes >out 2>err || status=$?
	[ $status = 2 ] && [ "$("$FDUMP" dumps -s ./a | wc -l)" = 2 ] || fail "$order: status $status: $(cat err)"
	grep -q "^forget  $first" out && grep -q missing err || fail "$order: $(cat out err)"
	status=0
	"$FDUMP" forget "$@" backup@latest --yes >out 2>err || status=$?
	[ $status = 2 ] && [ "$("$FDUMP" dumps -s ./a | wc -l)" = 2 ] || fail "$order, by name: the latest may be another one"
	second=$("$FDUMP" dumps -s ./a | sed -n '1s/ .*//p')
	status=0
	"$FDUMP" forget "$@" "$second" --yes --json >out 2>err || status=$?
	[ $status = 2 ] && [ "$("$FDUMP" dumps -s ./a | wc -l)" = 1 ] && grep -q '"forget.store"' out || fail "$order, by id: status $status"
done
