# Goal: a file that holds a secret and is readable by others is refused, and the message says how to
# fix it; a public half may be readable by others.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"

"$FDUMP" key new --no-passphrase --shared k >/dev/null
"$FDUMP" key new --no-passphrase plain >/dev/null
for file in k k.pub plain; do
	for mode in 640 604 620 602 610 601; do
		chmod $mode $file
		rc=0
		message=$("$FDUMP" key show $file 2>&1) || rc=$?
		[ $rc = 3 ]
		case "$message" in *"chmod 600 '$file'"*) ;; *) exit 1 ;; esac
	done
	chmod 400 $file
	"$FDUMP" key show $file >/dev/null
done
chmod 644 plain.pub
"$FDUMP" key show plain.pub >/dev/null

# The same for a passphrase file.
echo secret >pass
chmod 644 pass
rc=0
message=$("$FDUMP" key new --passphrase-file pass other 2>&1) || rc=$?
[ $rc = 3 ]
case "$message" in *"chmod 600 'pass'"*) ;; *) exit 1 ;; esac
[ ! -e other ]
