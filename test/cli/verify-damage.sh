# Goal: `fdump verify` finds damage, names the place and the affected entries, and exits with 5; of
# several files the worst status counts.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"

mkdir t
for i in 1 2 3 4 5 6; do head -c 700000 /dev/urandom >t/f$i; done
printf x >"t/na
me"
"$FDUMP" pack --level 0 -f p -C t .

# damaged STATUS FILE...
status() {
	want=$1 rc=0
	shift
	"$FDUMP" verify "$@" >out 2>err || rc=$?
	[ $rc = "$want" ] || { echo "verify $*: exit $rc, not $want"; cat out err; exit 1; }
}
python3 - <<'END'
import random
p = open("p", "rb").read()
open("flip", "wb").write(p[:2000000] + bytes([p[2000000] ^ 1]) + p[2000001:])
open("cut", "wb").write(p[:3000000])
open("tail", "wb").write(p + b"more")
open("junk", "wb").write(b"no pack at all" * 9)
random.seed(1)
for i in range(20):
    at = random.randrange(len(p))
    open("flip%d" % i, "wb").write(p[:at] + bytes([p[at] ^ 1 << random.randrange(8)]) + p[at + 1:])
END
status 5 flip
grep -q "^flip: offset [0-9]*: ENTRY block [0-9]*: the payload.s checksum does not match" out
grep -q "^flip: offset [0-9]*: f[2-4]: lost" out
grep -q "^flip: .* problems$" out
status 5 cut
grep -q "^cut: offset 3000000: cut: the pack has no end" out
status 5 tail
grep -q "bytes after the end" out
status 5 junk
grep -q "not a pack" out
for i in $(seq 0 19); do status 5 flip$i; done
status 2 none
grep -q "none: .*No such file" err
status 5 p flip none
status 2 none p
status 2
grep -q "expected FILE" err
status 0 p
