#!/usr/bin/env python3
"""generations.py - many generations of a tree that changes at random, backed up into two stores;
each dump restores to exactly what was there.

usage: generations.py FDUMP [--generations N] [--seed N]

Files are made, changed, grown, cut, moved, linked, removed; directories come and go. Then every
dump is compared with the tree of its time; half the dumps are deleted and garbage is collected; different
blocks of the two stores are damaged, and every remaining dump is restored from both together."""
import hashlib, os, random, re, shutil, subprocess, sys, tempfile

def run(*args, ok=(0,)):
    p = subprocess.run(args, capture_output=True, text=True, timeout=300)
    if p.returncode not in ok:
        raise SystemExit("%s: status %d: %s" % (" ".join(args), p.returncode, p.stderr[-500:]))
    return p.stdout

def picture(top):
    """The current state: path -> kind, mode, mtime, content; and which names are one file."""
    out, inodes = {}, {}
    for path, dirs, files in os.walk(top):
        for name in dirs + files + (["."] if path == top else []):
            full = os.path.join(path, name)
            st, rel = os.lstat(full), os.path.relpath(full, top)
            if os.path.islink(full):
                what = os.readlink(full)
            elif os.path.isfile(full):
                with open(full, "rb") as f:
                    what = hashlib.sha256(f.read()).hexdigest()
                if st.st_nlink > 1:
                    inodes.setdefault(st.st_ino, []).append(rel)
            else:
                what = None
            out[rel] = (st.st_mode, st.st_mtime_ns, what)
    return out, sorted(sorted(v) for v in inodes.values())

class Tree:
    def __init__(self, top, rng):
        self.top, self.rng = top, rng
        os.makedirs(top)
        for _ in range(60):
            self.step()
    def some(self, want):
        """A random path of the tree that is a file (or a directory)."""
        found = []
        for path, dirs, files in os.walk(self.top):
            found += [os.path.join(path, n) for n in (files if want == "file" else dirs)]
            if want == "dir":
                found.append(path)
        found = sorted(set(f for f in found if want == "dir" or not os.path.islink(f)))
        return self.rng.choice(found) if found else self.top
    def content(self):
        size = self.rng.choice([0, 1, 100, 5000, 70000, 300000, 3000000])
        seed = self.rng.randrange(20)  # some contents occur again
        return random.Random(seed).randbytes(size)
    def fresh(self):
        return os.path.join(self.some("dir"), "n%d" % self.rng.randrange(10**9))
    def step(self):
        r = self.rng.random()
        if r < 0.35:
            with open(self.fresh(), "wb") as f:
                f.write(self.content())
        elif r < 0.45:
            os.mkdir(self.fresh())
        elif r < 0.5:
            os.symlink("to/%d" % self.rng.randrange(100), self.fresh())
        elif not os.path.isfile(f := self.some("file")):
            pass
        elif r < 0.6:
            with open(f, "ab") as g:
                g.write(b"more")
        elif r < 0.66:
            os.truncate(f, self.rng.randrange(os.path.getsize(f) + 1000))
        elif r < 0.72:
            os.link(f, self.fresh())
        elif r < 0.82:
            os.rename(f, self.fresh())
        elif r < 0.86:
            os.chmod(f, self.rng.choice([0o600, 0o644, 0o755]))
        elif r < 0.89:
            d = self.some("dir")
            if d != self.top:
                shutil.rmtree(d)
        else:
            os.remove(f)

def damage(store, rng, times):
    """Flips bits in blocks, without reporting where: the stores have to find them."""
    names = sorted(os.listdir(os.path.join(store, "volumes")))
    for _ in range(times):
        path = os.path.join(store, "volumes", rng.choice(names))
        with open(path, "r+b") as f:
            at = rng.randrange(200, os.path.getsize(path))
            f.seek(at)
            b = f.read(1)[0]
            f.seek(at)
            f.write(bytes([b ^ 1 << rng.randrange(8)]))

def main(args):
    fdump, generations, seed = os.path.abspath(args[0]), 30, 1
    for i, a in enumerate(args):
        generations = int(args[i + 1]) if a == "--generations" else generations
        seed = int(args[i + 1]) if a == "--seed" else seed
    rng, was, wrong = random.Random(seed), {}, 0
    with tempfile.TemporaryDirectory() as work:
        os.chdir(work)
        tree = Tree("tree", rng)
        for s in ("one", "two"):
            run(fdump, "store", "init", s)
        run(fdump, "key", "new", "--no-passphrase", "key")
        def check(dump, stores):
            nonlocal wrong
            shutil.rmtree("out", ignore_errors=True)
            os.mkdir("out")
            run(fdump, "restore", "--state", "state", *sum((["-s", "./" + s] for s in stores), []), "--key", "key", "-C", "out", dump)
            if picture("out") != was[dump]:
                wrong += 1
                a, b = picture("out")[0], was[dump][0]
                print("dump %s from %s differs: %r" % (dump, stores, [p for p in a.keys() | b.keys()
                                                                      if a.get(p) != b.get(p)][:5]))
        for g in range(generations):
            for _ in range(rng.randrange(1, 40)):
                tree.step()
            out = run(fdump, "backup", "-s", "./one", "-s", "./two", "--to", "key.pub", "--state", "state",
                "--accept-fewer", "-C", "tree", ".")
            was[re.match(r"dump (\w+)", out).group(1)] = picture("tree")
        for dump in was:
            check(dump, [rng.choice(["one", "two"])])
        run(fdump, "forget", "-s", "./one", "-s", "./two", "--keep-last", str(generations // 2), "--yes")
        before = len(was)
        was = dict(list(was.items())[-(generations // 2):])
        for s in ("one", "two"):
            print(s, run(fdump, "store", "gc", "--threshold", "1", s).strip())
            run(fdump, "verify", s, "--key", "key")
        for dump in was:
            check(dump, [rng.choice(["one", "two"])])
        shutil.copytree("two", "whole")
        damage("one", rng, 3)
        for dump in was:
            check(dump, ["one", "whole"])
        run(fdump, "store", "scrub", "one", ok=(0, 5))
        run(fdump, "store", "replicate", "--from", "./whole", "one")
        run(fdump, "store", "gc", "--threshold", "1", "one", ok=(0, 5))
        for dump in was:
            check(dump, ["one"])
        print("%d generations, %d kept; %d differ" % (before, len(was), wrong))
    return 1 if wrong else 0

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
