# Goal: an option with a value that may be given once is refused if it is given twice.
. "$(dirname "$0")/lib.sh"
workspace
mkdir t
"$FDUMP" store init a
for command in "backup -s ./a --unencrypted --before x --before y t" "backup -s ./a --unencrypted --level 1 --level 2 t" "backup -s ./a --unencrypted --name x --name x t" \
	"backup -s ./a --unencrypted --state x --state y t" "pack -T x -T y" "pack -f x --file y t" "pack -C t -C t ." "pack --threads 1 --threads 2 t" \
	"forget -s ./a -n --keep-last 1 --keep-last 2" "restore -s ./a latest -C t --overwrite never --overwrite always" \
	"verify --passphrase-file x --passphrase-file y p" "store scrub a --rate 1 --rate 2" "store gc a --lock-wait 1s --lock-wait 2s" \
	"cron next -n 1 --count 2 @daily" "cron next --tz UTC --tz UTC @daily" "key new --passphrase-file x --passphrase-file y k"; do
	status=0
	# shellcheck disable=SC2086 # words
	"$FDUMP" $command >out 2>err </dev/null || status=$?
	[ $status = 2 ] && grep -q 'can be given only once' err || { echo "$command: status $status"; cat err; exit 1; }
done
"$FDUMP" key new --no-passphrase k >/dev/null
"$FDUMP" key new --no-passphrase l >/dev/null
"$FDUMP" pack -v -v --to k.pub --to l.pub --exclude x --exclude y -f p t 2>/dev/null
"$FDUMP" verify --key k --key l p >/dev/null
