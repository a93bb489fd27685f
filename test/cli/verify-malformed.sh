# Goal: if a manifest is malformed verify goes on to the other dumps, although the manifest's next
# piece is already being opened: each malformed manifest is reported, and the results for the others
# are right. (Sanitizers check this more closely.)
. "$(dirname "$0")/lib.sh"
needs python3
workspace
fail() { echo "$*"; cat out err; exit 1; }

mkdir tree
name=$(printf '%060d' 0)
(cd tree && seq -f "$name%.0f" 6000 | xargs touch)
"$FDUMP" key new --no-passphrase key >/dev/null
"$FDUMP" store init store
for i in 1 2 3; do
	echo $i >tree/changed
	"$FDUMP" backup -s ./store --unencrypted --level 0 --state state -C tree . >/dev/null
done
python3 "$SRC/test/liar.py" store manifest
status_of "$FDUMP" store rebuild store
[ $status = 0 ] || fail "rebuild: status $status"
status_of "$FDUMP" verify --key key store
[ $status = 5 ] && [ "$(grep -c 'manifest: malformed' err)" = 3 ] || fail "verify: status $status"
