# Goal: the value of -s, --store or --from is a directory if it contains a slash or is ".", and
# otherwise a service; if it names an existing directory the message says how to write it. An
# argument without -s is a directory, with or without a slash.
. "$(dirname "$0")/lib.sh"
workspace
fail() { echo "$*"; cat out err; exit 1; }
refused() { # WHAT IT SAYS, ARGUMENTS
	local says=$1 status=0
	shift
	"$FDUMP" "$@" >out 2>err || status=$?
	[ $status = 2 ] && [ ! -s out ] && grep -qF -- "$says" err || fail "$*: status $status"
}
fine() { "$FDUMP" "$@" >out 2>err || fail "$*: status $?"; }
# No identity is used.
export HOME=$work XDG_CONFIG_HOME=
[ ! -e /var/lib/fdump/agent/cert.pem ] || skip "this machine has joined a fleet"
mkdir none tree
echo content >tree/file
"$FDUMP" store init one
"$FDUMP" store init two
"$FDUMP" backup -s ./one --unencrypted --state state -C tree . >out
before=$("$FDUMP" dumps -s ./one)

# A directory without a slash: the message says how to write it.
hint="'one' is the name of a service: write ./one for the directory"
for s in "-s one" "-sone" "--store one" "--store=one" "-s ./two -s one"; do
	for command in "dumps" "files latest" "find file" "cat latest file" "export latest" "diff latest latest" \
		"forget --keep-last 1 --yes" "restore latest -C none --state state" "backup --unencrypted --state state -C tree ."; do
		# shellcheck disable=SC2086 # words
		refused "$hint" $command $s
	done
done
refused "$hint" store replicate --from one two
[ "$before" = "$("$FDUMP" dumps -s ./one)" ] && [ -z "$(ls none)" ] || fail "something was done"

# A file is not a directory, nor is a name that does not exist: they can only be services.
for s in web web:7421 tree.txt; do
	echo >tree.txt
	refused "'$s' is the name of a service, and this machine has joined no fleet" dumps -s $s
	grep -qF "as ./$s" err || fail "$s: does not say how to write a directory"
	refused "'$s' is the name of a service, and" store replicate --from $s two
done
refused "empty" dumps -s ""
refused "empty" store replicate --from "" two

# Directories.
for s in ./one one/ "$work/one" ./two/../one; do
	fine dumps -s "$s"
	[ "$before" = "$(cat out)" ] || fail "-s $s: different dumps"
done
(cd one && "$FDUMP" dumps -s .) >out 2>err && [ "$before" = "$(cat out)" ] || fail "-s ."
(cd one/index && "$FDUMP" dumps -s ..) >out 2>err && fail "-s .. counts as a directory" || grep -q "write ./.. for" err || fail "-s .."

# Arguments without -s.
fine verify one
fine store stat one
fine store replicate --from ./one two
fine verify two
(cd one && "$FDUMP" store stat .) >out 2>err || fail "stat ."
