# Goal: one store that is given twice, also by two names, is reported in the same way by all
# commands, with status 2, and nothing is done.
. "$(dirname "$0")/lib.sh"
workspace
fail() { echo "$*"; cat out err; exit 1; }
mkdir tree
"$FDUMP" store init one
ln -s one link
"$FDUMP" backup -s ./one --unencrypted --state state -C tree . >out
"$FDUMP" backup -s ./one --unencrypted --state state -C tree . >out
for other in one link one/; do
	for command in "backup -s ./one -s ./$other --unencrypted --state state -C tree ." "dumps -s ./one -s ./$other" \
		"files -s ./one -s ./$other latest" "forget -s ./one -s ./$other --keep-last 1 --yes" \
		"forget -s ./one -s ./$other latest --yes" "store replicate --from ./one $other" \
		"restore -s ./one -s ./$other latest -C tree -n"; do
		case $command in store*) as=$other ;; *) as=./$other ;; esac
		status=0
		# shellcheck disable=SC2086 # words
		"$FDUMP" $command >out 2>err || status=$?
		[ $status = 2 ] || fail "$command: status $status"
		grep -qF "./one and $as are the same store" err || fail "$command: not reported"
		[ ! -s out ] || fail "$command: did something"
	done
done
[ "$("$FDUMP" dumps -s ./one | wc -l)" = 2 ] || fail "not two dumps"
