# Goal: help is complete and on standard output; wrong usage is status 2 with a message that says
# what is wrong; a full disk is a failure.
set -u
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 1

for args in "--help" "-h" "new --help" "public -h" "show --help" "export --help" "import --help"; do
	# shellcheck disable=SC2086
	out=$("$FDUMP" key $args) || exit 1
	for word in new public show export import --no-passphrase --passphrase-file --shared --json; do
		case "$out" in *"$word"*) ;; *) exit 1 ;; esac
	done
done
"$FDUMP" --help | grep -q '^  key ' || exit 1

wrong() {
	"$FDUMP" key "$@" >out 2>err
	[ $? = 2 ] && [ ! -s ./out ] && grep -q "^fdump key: " err && grep -q -- "--help" err || exit 1
}
wrong
wrong frobnicate
wrong new
wrong new a b
wrong new --frobnicate a
wrong new --passphrase-file
wrong new --no-passphrase --passphrase-file p a
wrong show --shared a
wrong export --json a
[ "$(ls | tr '\n' ' ')" = "err out " ] || exit 1

"$FDUMP" key new --no-passphrase k >/dev/null || exit 1
if [ -w /dev/full ]; then
	for verb in public show export; do
		"$FDUMP" key $verb k >/dev/full 2>err
		[ $? = 7 ] && grep -q "standard output" err || exit 1
	done
fi
