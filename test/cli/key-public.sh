# Goal: the public half is recovered from the secret one, byte for byte; a wrong passphrase gives
# nothing.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
umask 077
echo right >right
echo wrong >wrong

"$FDUMP" key new --no-passphrase a >/dev/null
"$FDUMP" key new --passphrase-file right b >/dev/null
"$FDUMP" key new --passphrase-file right --shared c >/dev/null
"$FDUMP" key public a | cmp - a.pub
"$FDUMP" key public b | cmp - b.pub # needs no passphrase: nothing in it is secret
"$FDUMP" key public --passphrase-file right c 2>note | cmp - c.pub
grep -q "0600" note

rc=0
"$FDUMP" key public --passphrase-file wrong c >out 2>err || rc=$?
[ $rc = 6 ] && [ ! -s out ]
grep -q "wrong passphrase" err

# A pipe can be a passphrase file too.
"$FDUMP" key public --passphrase-file <(echo right) c 2>/dev/null | cmp - c.pub

# Without a terminal it does not wait for a passphrase, but says what to do.
rc=0
setsid --wait "$FDUMP" key public c >out 2>err </dev/null || rc=$?
[ $rc = 2 ] && [ ! -s out ]
grep -q -- "--passphrase-file" err
rc=0
setsid --wait "$FDUMP" key new d >out 2>err </dev/null || rc=$?
[ $rc = 2 ] && [ ! -e d ]
grep -q -- "--passphrase-file" err
grep -q -- "--no-passphrase" err
