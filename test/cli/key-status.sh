# Goal: a key or passphrase file that is not usable is status 3 in every command; damage that diff
# finds is status 5.
. "$(dirname "$0")/lib.sh"
workspace
umask 077
fail() { echo "$*"; cat out err; exit 1; }
wants() { # STATUS ARGUMENTS
	want=$1
	shift
	status=0
	"$FDUMP" "$@" >out 2>err </dev/null || status=$?
	[ $status = "$want" ] || fail "$*: status $status"
}

mkdir t
echo content >t/file
echo secret >pass
echo secret >shown
chmod 644 shown
: >empty
"$FDUMP" key new --no-passphrase key >/dev/null
"$FDUMP" key new --passphrase-file pass locked >/dev/null
"$FDUMP" pack -f p --to key.pub t
"$FDUMP" pack -f plain t
"$FDUMP" store init store
"$FDUMP" backup -s ./store --to key.pub --state state t >/dev/null

for bad in pass key; do # not a key, the wrong half
	wants 3 pack -f new --to $bad t
	wants 3 backup -s ./store --to $bad --state state t
done
for bad in pass key.pub; do
	for command in "list -f p" "verify p" "unpack -f p -C t" "cat -f p t/file" "diff -f p" "files -s ./store latest" "find -s ./store file" "restore -s ./store latest -C t" "export -s ./store latest"; do
		# shellcheck disable=SC2086 # words
		wants 3 ${command%% *} --key $bad ${command#* }
	done
	wants 3 key export $bad
done
for bad in shown empty; do
	wants 3 key new --passphrase-file $bad new
	wants 3 verify --key locked --passphrase-file $bad p
	wants 3 pack -f new --passphrase-file $bad t
done
wants 5 key import new
size=$(stat -c %s plain)
printf x | dd of=plain bs=1 seek=$((size / 2)) conv=notrunc 2>/dev/null
wants 5 diff -f plain
