# Goal: verify of a store counts the entries of each dump, even if several dumps share them.
. "$(dirname "$0")/lib.sh"
workspace
mkdir t
for i in 1 2 3; do echo same >t/$i; done
count() { "$FDUMP" verify s | sed 's/.*dumps; //'; }
"$FDUMP" store init s
"$FDUMP" backup -s ./s --unencrypted --state state -C t . >/dev/null
[ "$(count)" = "4 entries, 15 bytes of content proved: ok" ] || fail "$(count)"
"$FDUMP" backup -s ./s --unencrypted --state state -C t . >/dev/null
[ "$(count)" = "8 entries, 30 bytes of content proved: ok" ] || fail "$(count)"
