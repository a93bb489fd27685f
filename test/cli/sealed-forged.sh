#!/bin/bash
# Goal: in a sealed pack nothing can be altered unnoticed, even if all checks are recomputed: each
# bit of a header, bits of each payload, blocks in another order, blocks of another pack that is
# sealed to the same key.
set -eu
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
mkdir tree
for i in 1 2 3 4 5 6; do head -c 3000 /dev/urandom >tree/$i; done
"$FDUMP" key new --no-passphrase key >/dev/null
"$FDUMP" pack -C tree -f pack.fdump --to key.pub .
"$FDUMP" pack -C tree -f other.fdump --to key.pub .
"$FDUMP" verify --key key pack.fdump >/dev/null
PYTHONPATH=$SRC/test python3 - <<'EOP'
import os, random, subprocess, sys
from flips import remake
from packmake import blocks

data, other = (open(n, "rb").read() for n in ("pack.fdump", "other.fdump"))
parts, failed, cases, rng = blocks(data), 0, 0, random.Random(5)

def case(forged, what):
    global failed, cases
    r = subprocess.run([os.environ["FDUMP"], "verify", "--key", "key", "-"], input=forged, capture_output=True)
    cases += 1
    if r.returncode in (0, 1) or r.returncode < 0:
        failed += 1
        print("FAILED %s: exit %d" % (what, r.returncode))

at = 0
for i, b in enumerate(parts):
    # START is not sealed: it contains only the time and the program; the KEY blocks are compared
    # with each other.
    bits = list(range(32, 48 * 8, 3)) + [rng.randrange(64 * 8, len(b) * 8) for _ in range(20)] if i else []
    for bit in bits:
        forged = bytearray(data)
        forged[at + bit // 8] ^= 1 << bit % 8
        remake(forged, at, at + len(b))
        case(bytes(forged), "block %d (kind %d), bit %d" % (i, b[5], bit))
    at += len(b)
theirs = blocks(other)
for i in range(1, len(parts)):
    forged = bytearray(theirs[i])
    forged[16:32] = parts[0][16:32]
    remake(forged, 0, len(forged))
    case(b"".join(parts[:i]) + bytes(forged) + b"".join(parts[i + 1:]), "block %d of another pack" % i)
case(b"".join(parts[:1] + theirs[1:]), "START before another pack's blocks")
print("%d cases, %d failed" % (cases, failed))
sys.exit(failed > 0)
EOP
