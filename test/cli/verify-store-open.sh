# Goal: `fdump verify STORE` without a key proves the files of unsealed dumps, and says what it did
# not prove.
. "$(dirname "$0")/lib.sh"
workspace
fail() { echo "$*"; cat out err; exit 1; }
status_of() { status=0; "$FDUMP" "$@" >out 2>err || status=$?; }

mkdir t
echo content >t/file
"$FDUMP" key new --no-passphrase key >/dev/null
for store in open sealed both; do "$FDUMP" store init $store; done
"$FDUMP" backup -s ./open -s ./both --unencrypted --state state -C t . >/dev/null
"$FDUMP" backup -s ./sealed -s ./both --to key.pub --state state -C t . >/dev/null

status_of verify open
[ $status = 0 ] && grep -q '; 2 entries, 8 bytes of content proved: ok$' out || fail "open: status $status"
status_of verify sealed
[ $status = 0 ] && grep -q ' 1 dumps: blocks ok; contents of 1 encrypted dumps not checked (--key FILE)$' out || fail "sealed: status $status"
status_of verify both
[ $status = 0 ] && grep -q '; 2 entries, 8 bytes of content proved: blocks ok; contents of 1 encrypted dumps not' out || fail "both: status $status"
status_of verify both --json
[ $status = 0 ] && grep -q '"sealed": *1' out && grep -q '"content": *8[,}]' out || fail "both, JSON: status $status"
status_of verify both --key key
[ $status = 0 ] && grep -q ', 16 bytes of content proved: ok$' out || fail "with the key: status $status"
