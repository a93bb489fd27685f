# Goal: two commands with the same name, or one below the other, are refused before anything is
# written; names that merely begin alike are accepted.
. "$(dirname "$0")/lib.sh"
workspace
fail() { echo "$*"; cat err; exit 1; }

"$FDUMP" store init s
for how in "pack -f p" "backup -s ./s --unencrypted --state state"; do
	status=0
	# shellcheck disable=SC2086 # words
	"$FDUMP" $how --command "a=echo x" --command b=true --command "a=echo y" 2>err || status=$?
	[ $status = 2 ] || fail "$how: status $status"
	grep -q "the name a is given twice" err || fail "$how: not reported"
	for names in "d/a d/a/b" "d/a/b d/a"; do
		status=0
		# shellcheck disable=SC2086
		"$FDUMP" $how --command "${names% *}=echo x" --command "${names#* }=echo y" 2>err || status=$?
		[ $status = 2 ] || fail "$how, $names: status $status"
		grep -q "d/a/b can't be in d/a, which" err || fail "$how, $names: not reported"
	done
	# shellcheck disable=SC2086
	"$FDUMP" $how --command "a=echo x" --command "ab=echo y" >out 2>err || fail "$how: two names"
done
[ "$("$FDUMP" list -f p | tr '\n' ' ')" = "a ab " ] || fail "not both"
[ "$("$FDUMP" dumps -s ./s | wc -l)" = 1 ] || fail "a dump of it"
