#!/usr/bin/env python3
"""flips.py - damages a pack of 64 KiB in many ways; all damage must be found.

usage: flips.py [--reader PROGRAM] [flips|cuts|moves|inside|single|forged]... [--sample N] [--jobs N]

flips    every bit flipped, one at a time: 524,288 cases
cuts     cut at every byte: every entry in whole blocks is read, no other
moves    1,000 cases of blocks dropped, doubled, moved, swapped, inserted from another pack
inside   a pack inside a pack, each byte of the outer one's headers damaged, blocks cut out: the inner
         pack's entries are never taken for the outer pack's
single   each block's payload, each block's header: only entries that touch the block are lost
forged   20,000 bits flipped in payloads, and the block's checks recomputed: END's digest finds it;
         with the digest recomputed too: in content the SHA-256 finds it, in an INDEX the entries do;
         blocks inserted from a pack with the same id, as reproducible packs have it
--sample only about N cases of each, evenly spread
--jobs   number of parallel processes (default 1)
--reader PROGRAM (built from test/flip.c) reads each case from its standard input; without it, reader.py does

Ends in a count; exit status 1 if any damage was not found, or anything was read that should not be.
"""
import hashlib, os, random, struct, subprocess, sys, time

from packmake import Pack, blocks
from reader import END, ENTRY, INDEX, Reader, xxh3

SIZE = 65536


def build(tag, seed, padding, id=None):
    """A pack with raw and zstd blocks, intact, small and long entries, holes, links, and two INDEX blocks."""
    rng, p = random.Random(seed), Pack(id=id, room=5000)
    p.entry(b".", type=2)
    for i in range(40):
        if i == 20:
            p.index()
        p.codec = i // 8 % 2
        name = b"%s%02d" % (tag, i)
        if i % 10 == 3:
            p.entry(name, type=3, head={"L": b"to"})
        elif i % 10 == 6:
            p.entry(name, data=[rng.randbytes(300), 70000, b"end"])
        elif i % 10 == 8:
            p.entry(name, data=[b"compresses well " * 300], tail={"S": 1, "c": ["mtime"]})
        else:
            p.entry(name, data=[rng.randbytes(rng.randrange(2200))])
    p.codec = 0
    p.entry(tag + b"padding", data=[rng.randbytes(padding)])
    return p.finish()


def sample(tag=b"f", seed=1):
    """Such a pack of exactly 64 KiB."""
    id, padding = random.Random(seed + 99).randbytes(16), 9000
    for _ in range(20):
        data = build(tag, seed, padding, id)
        if len(data) == SIZE:
            return data
        padding += SIZE - len(data)
    raise AssertionError("no pack of 64 KiB comes out")


class Python:
    """Runs reader.py in this process."""
    def read(self, case):
        r = Reader(case)
        return bool(r.findings), {e.head["P"] for e in r.entries if not e.problem}


class Program:
    """Sends cases to a program's standard input, each preceded by its length (8 bytes, little-endian).
    The program answers a line for each: the names of the good entries, then 0 good or 1 damaged."""
    def __init__(self, program):
        self.child = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def read(self, case):
        self.child.stdin.write(struct.pack("<Q", len(case)))
        self.child.stdin.write(case)
        self.child.stdin.flush()
        line = self.child.stdout.readline().split()
        if not line:
            raise SystemExit("%s died with status %s" % (self.child.args, self.child.wait()))
        return line[-1] != b"0", set(line[:-1])


class Layout:
    """Where the entries of a good pack are."""
    def __init__(self, data):
        self.data, self.blocks, r = data, blocks(data), Reader(data)
        assert not r.findings, r.findings
        starts = [0]
        for b in self.blocks:
            starts.append(starts[-1] + len(b))
        self.starts, index = starts, {at: i for i, at in enumerate(starts)}
        self.kinds = [b[5] for b in self.blocks]
        self.names = [e.head["P"] for e in r.entries]
        # name -> the first and the last block that it is in
        self.span, entries = {}, [i for i, k in enumerate(self.kinds) if k == ENTRY]
        ends = [self.end_block(e, index[e.block], entries) for e in r.entries]
        for e, end in zip(r.entries, ends):
            self.span[e.head["P"]] = (index[e.block], end)

    def end_block(self, entry, first, entries):
        """Found by trial: the entry can be read from the blocks up to this one."""
        for i in entries[entries.index(first):]:
            r = Reader(self.data[:self.starts[i + 1]])
            if any(e.head["P"] == entry.head["P"] for e in r.entries):
                return i


class Campaign:
    def __init__(self, engine, sample, part=(0, 1)):
        self.engine, self.sample, self.part = engine, sample, part
        self.cases = self.failures = 0

    def mine(self, total):
        """The numbers of the cases to run."""
        step = max(1, total // self.sample) if self.sample else 1
        return [n for i, n in enumerate(range(0, total, step)) if i % self.part[1] == self.part[0]]

    def case(self, data, what, want=None, never=()):
        """One damaged pack: the damage is found, exactly `want` is read (if given), and none of `never`."""
        damaged, names = self.engine.read(data)
        self.cases += 1
        why = ("not found" if not damaged else
               "read are %s, should be %s" % (sorted(names ^ want), "the other way round") if want is not None and names != want else
               "read was what does not belong here" if names & set(never) else None)
        if why:
            self.failures += 1
            print("FAILED %s: %s" % (what, why), flush=True)

    def flips(self):
        data = bytearray(sample())
        for bit in self.mine(8 * len(data)):
            data[bit >> 3] ^= 1 << (bit & 7)
            self.case(bytes(data), "bit %d of byte %d" % (bit & 7, bit >> 3))
            data[bit >> 3] ^= 1 << (bit & 7)

    def cuts(self):
        layout = Layout(sample())
        for n in self.mine(SIZE):
            self.case(layout.data[:n], "cut at %d" % n,
                      {name for name, (_, end) in layout.span.items() if layout.starts[end + 1] <= n})

    def moves(self):
        good, other = sample(), sample(b"x", 2)
        mine, theirs = blocks(good), blocks(other)
        foreign = {b"x%02d" % i for i in range(40)} | {b"xpadding"}
        rng, todo, n = random.Random(7), set(self.mine(1000)), 0
        while n < 1000:
            b, what = list(mine), rng.choice(("drop", "double", "move", "swap", "replace", "put in", "tail"))
            i, j = rng.randrange(len(b)), rng.randrange(len(b))
            if what == "drop":
                del b[i:i + rng.choice((1, 1, 2, 5))]
            elif what == "double":
                b.insert(j, b[i])
            elif what == "move":
                b.insert(j, b.pop(i))
            elif what == "swap":
                b[i], b[j] = b[j], b[i]
            elif what == "replace":
                b[i] = theirs[j % len(theirs)]
            elif what == "put in":
                b.insert(i, theirs[j % len(theirs)])
            else:
                b = b[:i] + theirs[j:]
            # A complete foreign pack, or one without a START of ours before it, is read as that pack.
            ours = b and b[0][16:32] == mine[0][16:32]
            if b"".join(b) in (good, other):
                continue  # moved to its old place
            if n in todo:
                ended = any(x[5] == END and x[16:32] == mine[0][16:32] for x in b)
                self.case(b"".join(b), "case %d: %s %d %d" % (n, what, i, j), never=foreign if ours and not ended else ())
            n += 1

    def inside(self):
        inner = sample(b"x", 3)
        for codec in (0, 1):
            p = Pack(codec=codec, room=100000)
            p.entry(b"before", data=[b"1"])
            p.flush()
            p.entry(b"holder", data=[inner])
            p.flush()
            p.entry(b"after", data=[b"2"])
            outer, foreign = p.finish(), {b"x%02d" % i for i in range(40)} | {b"xpadding", b"."}
            parts, at = blocks(outer), 0
            for i, b in enumerate(parts):
                for k in self.mine(min(64, len(b))):
                    case = bytearray(outer)
                    case[at + k] ^= 0x55
                    # Only if START itself is damaged may any id be accepted; the next block still comes first.
                    self.case(bytes(case), "codec %d: byte %d of header %d" % (codec, k, i), never=foreign)
                if i:
                    self.case(b"".join(parts[:i] + parts[i + 1:]), "codec %d: block %d cut out" % (codec, i), never=foreign)
                at += len(b)

    def single(self):
        layout = Layout(sample())
        for i, (at, kind) in enumerate(zip(layout.starts, layout.kinds)):
            want = {n for n, (a, z) in layout.span.items() if not (kind == ENTRY and a <= i <= z)}
            for where in (at + 20, at + 64, layout.starts[i + 1] - 1):
                case = bytearray(layout.data)
                case[where] ^= 0x10
                self.case(bytes(case), "block %d (kind %d), byte %d" % (i, kind, where - at), want)


    def forged(self):
        layout = Layout(sample())
        data = layout.data
        padding = Reader(data).entries[-1]  # random bytes that span two blocks and are stored raw
        inside = range(padding.block + 64 + padding.offset + 200, layout.starts[-3] - 200)
        for bit in self.mine(20000):
            byte = bit * 8 * len(data) // 20000 >> 3
            i = max(k for k, at in enumerate(layout.starts[:-1]) if at <= byte)
            at, end, kind = layout.starts[i], layout.starts[i + 1], layout.kinds[i]
            if byte < at + 64:
                continue
            case = bytearray(data)
            case[byte] ^= 1 << bit % 8
            remake(case, at, end)
            self.case(bytes(case), "checks recomputed, bit %d of byte %d" % (bit % 8, byte))
            if kind == INDEX and case[at + 6] == 0 or byte in inside and byte - at > 70:
                remake(case, layout.starts[-2], len(case), hashlib.sha256(b"".join(
                    case[a:a + 64] for a in layout.starts[:-2])).digest())
                self.case(bytes(case), "END recomputed, bit %d of byte %d" % (bit % 8, byte))
        mine, theirs = (blocks(build(tag, 1, 9000, b"fdump reproducib")) for tag in (b"f", b"x"))
        assert len(mine) == len(theirs)
        for i in range(len(mine) - 1):
            if mine[i] != theirs[i]:
                self.case(b"".join(mine[:i] + [theirs[i]] + mine[i + 1:]), "block %d of a pack with the same id" % i)
                self.case(b"".join(mine[:i] + theirs[i:-1] + mine[-1:]), "blocks from %d on of a pack with the same id" % i)


def remake(case, at, end, digest=None):
    """Recomputes the checks of the block at `at`; with `digest`, it is END, and this is its digest."""
    if digest is not None:
        case[at + 64 + 48:at + 64 + 80] = digest
    case[at + 48:at + 56] = xxh3(bytes(case[at + 64:end])).to_bytes(8, "little")
    case[at + 56:at + 64] = xxh3(bytes(case[at:at + 56])).to_bytes(8, "little")


def option(args, name, default):
    if name not in args:
        return default
    at = args.index(name)
    value = args[at + 1]
    del args[at:at + 2]
    return value


def main(args):
    program, count, jobs = option(args, "--reader", None), int(option(args, "--sample", 0)), int(option(args, "--jobs", 1))
    groups = args or ["flips", "cuts", "moves", "inside", "single", "forged"]
    if any(g.startswith("-") or not hasattr(Campaign, g) for g in groups):
        sys.exit(__doc__)
    engine, status = (lambda: Program(program) if program else Python()), 0
    for group in groups:
        start, children = time.time(), []
        parts = jobs if group in ("flips", "cuts", "moves", "forged") else 1
        for part in range(parts):
            r, w = os.pipe()
            child = os.fork()
            if child == 0:
                c = Campaign(engine(), count, (part, parts))
                getattr(c, group)()
                os.write(w, struct.pack("<QQ", c.cases, c.failures))
                os._exit(0)
            os.close(w)
            children.append((child, r))
        cases = failures = 0
        for child, r in children:
            answer = os.read(r, 16)
            os.waitpid(child, 0)
            if len(answer) != 16:
                sys.exit("%s: a process ended before its time" % group)
            a, b = struct.unpack("<QQ", answer)
            cases, failures = cases + a, failures + b
        print("%s: %d cases, %d failed, %.1f s" % (group, cases, failures, time.time() - start), flush=True)
        status |= failures > 0
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
