# Goal: a dump that claims to be of this host, but was made with a secret that this host never had,
# is refused; if nothing is known about it, restore says so.
. "$(dirname "$0")/lib.sh"
workspace
fdump() { "$FDUMP" "$@"; }
fail() { echo "$*"; cat err; exit 1; }
mkdir tree
echo content >tree/a
fdump key new --no-passphrase key >/dev/null
fdump store init store
fdump backup -s ./store --to key.pub --state mine -C tree . >/dev/null
fdump backup -s ./store --to key.pub --state forged --name other -C tree . >/dev/null
back() { rm -rf out; mkdir out; status=0; fdump restore -s ./store --key key -C out "$@" 2>err || status=$?; }
back --state mine backup@latest
[ $status = 0 ] && [ ! -s err ] && cmp out/a tree/a || fail "its own: status $status"
back --state mine other@latest
[ $status = 6 ] && [ ! -e out/a ] || fail "a forged one: status $status"
grep -q "may be forged" err || fail "does not say why"
back --state mine --any-origin other@latest
[ $status = 0 ] && cmp out/a tree/a || fail "--any-origin: status $status"
back --state nothing backup@latest
[ $status = 0 ] && cmp out/a tree/a || fail "nothing is known: status $status"
grep -q "note: this machine can't check that .* made this dump" err || fail "does not say that nothing is known"
[ ! -e nothing ] || fail "restore made the state folder"
