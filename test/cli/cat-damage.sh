# Goal: `fdump cat` never passes wrong content off as good (exit 5), and can read a member even if
# END or INDEX are damaged.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"

mkdir t u
head -c 5000000 /dev/urandom >t/big
printf one >t/small
ln t/small t/zlink
printf two >u/small
"$FDUMP" pack --level 0 -f p -C t .
"$FDUMP" pack -f q -C u .
cat p q >pq
[ "$("$FDUMP" cat -f pq small)" = two ] # the later member counts
[ "$("$FDUMP" cat -f pq zlink)" = one ] # a link's target is looked up within its own pack
python3 - <<'END'
p = bytearray(open("p", "rb").read())
def flip(name, at):
    q = bytearray(p)
    q[at] ^= 1
    open(name, "wb").write(q)
flip("end", len(p) - 20)
flip("data", 2500000)
END
"$FDUMP" cat -f end small 2>err | grep -qx one
grep -q "reading all of it" err
"$FDUMP" cat -f end zlink 2>/dev/null | grep -qx one
"$FDUMP" cat -f data small | grep -qx one
for from in "-f data" "-"; do
	rc=0
	if [ "$from" = - ]; then cat data | "$FDUMP" cat big >out 2>err || rc=$?
	else "$FDUMP" cat $from big >out 2>err || rc=$?; fi
	[ $rc = 5 ] && grep -q "big" err
done
