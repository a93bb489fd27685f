# Goal: `fdump key new` writes both halves with the right modes, replaces no file, and leaves
# nothing else.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
umask 022

"$FDUMP" key new --no-passphrase a >out
"$FDUMP" key new --no-passphrase --shared b >/dev/null
[ "$(ls | tr '\n' ' ')" = "a a.pub b b.pub out " ]
[ "$(stat -c %a a a.pub b b.pub | tr '\n' ' ')" = "600 644 600 600 " ]
[ "$(wc -l <a)" = 2 ]

# Both halves have the id that was reported.
id=$("$FDUMP" key show a | awk '$1 == "key" { print $2 }')
[ "$id" = "$("$FDUMP" key show a.pub | awk '$1 == "key" { print $2 }')" ]
grep -q "$id" out

# refused NAME: a key of this name is not made, and no file changes.
refused() {
	before=$(cat ./* | sha256sum)
	rc=0
	message=$("$FDUMP" key new --no-passphrase "$1" 2>&1) || rc=$?
	[ $rc = 2 ]
	case "$message" in *"already exists; not overwritten"*) ;; *) exit 1 ;; esac
	[ "$before" = "$(cat ./* | sha256sum)" ]
}
refused a
rm a
refused a # a.pub alone is also in the way
[ "$(ls | tr '\n' ' ')" = "a.pub b b.pub out " ]
