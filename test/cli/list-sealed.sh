# Goal: list, cat and verify open sealed packs with a key or a passphrase, from a file and from a
# stream; without one list and cat say so (exit 6), and verify checks the blocks.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
umask 077

mkdir t
head -c 3000000 /dev/urandom >t/big
echo small >t/small
"$FDUMP" key new --no-passphrase k >/dev/null
"$FDUMP" key new --no-passphrase other >/dev/null
"$FDUMP" pack --to k.pub -f p -C t .
"$FDUMP" pack -f open -C t .
"$FDUMP" list -v -f open >want
"$FDUMP" list -v --key k -f p | cmp - want
cat p p | "$FDUMP" list -v --key k | cat want want | cmp - <(cat want want)
cat p p >pp
"$FDUMP" list -v --key k -f pp | cmp - <(cat want want)
"$FDUMP" cat --key k -f p big | cmp - t/big
cat p | "$FDUMP" cat --key k small | cmp - t/small
"$FDUMP" verify --key k p pp | grep -c ": ok$" | grep -qx 2

# fails STATUS COMMAND...
fails() {
	want=$1 rc=0
	shift
	"$FDUMP" "$@" >out 2>err <p || rc=$?
	[ $rc = "$want" ] || { echo "$*: $rc"; cat err; exit 1; }
}
fails 6 list -f p
fails 6 cat -f p small
fails 6 list --key other -f p
fails 6 list --key other
fails 6 cat --key other -f p small
fails 6 verify --key other p
[ ! -s out ]
fails 6 list --key k -f open # not sealed: refused
fails 0 verify p
grep -q "contents not checked" out
python3 - <<'END'
p = bytearray(open("p", "rb").read())
p[1500000] ^= 1
open("bad", "wb").write(p)
END
fails 5 verify bad
grep -q "the payload.s checksum does not match" out
fails 0 cat --key k -f bad small
fails 5 cat --key k -f bad big
