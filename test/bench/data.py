#!/usr/bin/env python3
"""data.py KIND DIR - makes a seeded data set for the benchmarks in DIR, which must not exist.

small   110,000 files in 2,200 directories, 0.9 GB in all: sizes log-normal, text and binary mixed
big     4 GiB in 4 files, half of it incompressible
lib     a copy of /usr/lib
million 1,000,000 files of 100 bytes in 1,000 directories
"""
import os, random, subprocess, sys


def pool(rng, size):
    """Bytes that compress about as a source tree does: words, numbers, some noise."""
    words = [bytes(rng.choices(b"abcdefghijklmnopqrstuvwxyz_", k=rng.randint(2, 11))) for _ in range(4000)]
    out = bytearray()
    while len(out) < size:
        line = b" ".join(rng.choices(words, k=rng.randint(1, 12)))
        out += b"\t" * rng.randint(0, 4) + line + b";\n"
        if rng.random() < 0.05:
            out += rng.randbytes(rng.randint(10, 400))
    return bytes(out[:size])


def small(root, count=110_000, total=900_000_000):
    rng = random.Random(1)
    text, noise = pool(rng, 8 << 20), rng.randbytes(4 << 20)
    sizes = [min(2_000_000, int(rng.lognormvariate(7.9, 1.5))) for _ in range(count)]
    scale = total / sum(sizes)
    for i, size in enumerate(sizes):
        if i % 50 == 0:
            d = i // 50
            sub = os.path.join(root, "d%02d" % (d % 20), "s%02d" % (d // 20 % 11), "dir%04d" % d)
            os.makedirs(sub)
        size = int(size * scale)
        source = noise if rng.random() < 0.15 else text
        with open(os.path.join(sub, "file-%06d.%s" % (i, rng.choice("chotmx"))), "wb") as f:
            while size > 0:
                at = rng.randrange(len(source))
                piece = source[at:at + size]
                f.write(piece)
                size -= len(piece)


def big(root):
    rng = random.Random(2)
    text = pool(rng, 32 << 20)
    os.makedirs(root)
    for i in range(4):
        with open(os.path.join(root, "big%d" % i), "wb") as f:
            for _ in range(512):
                f.write(rng.randbytes(1 << 20))
                at = rng.randrange(len(text) - (1 << 20))
                f.write(text[at:at + (1 << 20)])


def million(root):
    rng = random.Random(3)
    for d in range(1000):
        sub = os.path.join(root, "%03d" % d)
        os.makedirs(sub)
        for i in range(1000):
            with open(os.path.join(sub, "f%06d" % (d * 1000 + i)), "wb") as f:
                f.write(rng.randbytes(50).hex().encode())


def lib(root):
    subprocess.run(["cp", "-a", "/usr/lib", root], check=True)


if __name__ == "__main__":
    kinds = {"small": small, "big": big, "lib": lib, "million": million}
    if len(sys.argv) != 3 or sys.argv[1] not in kinds:
        sys.exit(__doc__)
    if os.path.exists(sys.argv[2]):
        sys.exit("data.py: %s exists" % sys.argv[2])
    kinds[sys.argv[1]](sys.argv[2])
