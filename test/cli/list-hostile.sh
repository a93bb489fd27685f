# Goal: END and INDEX of a forged pack are never trusted: list and cat end soon, with an error or by
# reading in sequence, in little memory.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
PYTHONPATH="$SRC/test" python3 - <<'END'
import os, resource, subprocess
from packmake import Pack, encode, zstd
from reader import INDEX

def pack(name, make=None, **end):
    """One entry, then INDEX blocks from make(p), and END with these fields."""
    p = Pack()
    p.entry(b"file", data=[b"content"])
    p.flush()
    if make is None:
        p.index()
    else:
        make(p)
    p.end(**end)
    cases[name] = bytes(p.out)
    return p

def record(p, block, at, path=b"file"):
    return (encode([block, at]) + encode({"P": path, "T": 1, "m": 0o644}) +
            encode({"n": 7, "h": __import__("hashlib").sha256(b"content").digest()}))

def index(prev, number, count, records):
    def make(p):
        p.last_index = p.block(INDEX, encode([prev(p) if callable(prev) else prev, number, count]) + records(p))
    return make

cases = {}
big = (1 << 64) - 1
for field in ("length", "blocks", "entries", "index"):
    for value in (0, 1, 63, 200, 1 << 40, big):
        pack("%s-%d" % (field, value), **{field: value})
one = lambda p: record(p, p.unlisted[0][0], p.unlisted[0][1])
for prev in (1, 64, 100, 1 << 40, big, lambda p: len(p.out), lambda p: len(p.out) - 1):
    pack("prev-%s" % (prev if not callable(prev) else id(prev)), index(prev, 0, 1, one))
    pack("prevn-%s" % (prev if not callable(prev) else id(prev)), index(prev, 1, 1, one))
for count in (0, 2, 1 << 40, big):
    pack("count-%d" % count, index(0, 0, count, one))
for block in (0, 1, 1 << 40, big, big - 64):
    pack("block-%d" % block, index(0, 0, 1, lambda p: record(p, block, 0)))
for at in (1, 5, 1 << 20, 1 << 32, big):
    pack("at-%d" % at, index(0, 0, 1, lambda p: record(p, p.unlisted[0][0], at)))
pack("other", index(0, 0, 1, lambda p: record(p, p.unlisted[0][0], p.unlisted[0][1], b"other")))
# A loop, and a long chain.
def loop(p):
    at = len(p.out)
    p.block(INDEX, encode([at, 0, 0]))
    p.last_index = p.block(INDEX, encode([at, 0, 0]))
pack("loop", loop)
def chain(p):
    for i in range(20000):
        p.last_index = p.block(INDEX, encode([p.last_index, i, 1]) + one(p))
pack("chain", chain, entries=20000)
many = bytearray()
for i in range(3000):
    p = Pack()
    p.end()
    many += p.out
cases["many"] = bytes(many)

with open(os.environ["FDUMP"], "rb") as f:
    program = f.read()
shadowed = b"__asan_init" in program or b"__tsan_init" in program  # these reserve unlimited address space

def limits():
    if not shadowed:
        resource.setrlimit(resource.RLIMIT_AS, (400 << 20, 400 << 20))

bad = 0
for name, data in cases.items():
    open("p", "wb").write(data)
    for args in (["list", "-v", "-f", "p"], ["cat", "-f", "p", "file"], ["cat", "-f", "p", "other"]):
        r = subprocess.run([os.environ["FDUMP"]] + args, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                           timeout=20, preexec_fn=limits)
        if r.returncode not in (0, 2, 5) or (args[0] == "cat" and r.returncode == 0 and r.stdout != b"content"):
            print(name, args, r.returncode, r.stdout[:200], r.stderr[:500])
            bad = 1
raise SystemExit(bad)
END
