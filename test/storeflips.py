#!/usr/bin/env python3
"""storeflips.py - single bits flipped in a store's volumes and in its index.

usage: storeflips.py FDUMP [--volumes N] [--index N] [--generations N] [--seed N]

Volumes: scrub and verify find each one (exit status 5), unless it is in garbage: then each dump is complete, to
the second reader too. Index: the bit is in data.mdb. Listing, verify, restoring, a backup and gc
each either work correctly or report damage (5), in bounded time and without a crash; after rebuild every
dump is complete. Before that, without damage: an index that rebuild makes equals the original. A line for each failure; exit status 1 if there is one."""
import argparse, os, random, shutil, subprocess, sys, tempfile
from storefault import *

def flip(path, at, bit):
    with open(path, "r+b") as f:
        f.seek(at)
        b = f.read(1)[0]
        f.seek(at)
        f.write(bytes([b ^ 1 << bit]))

def index_of(path):
    """What an index contains, except when volumes were last scrubbed, and the clock."""
    import lmdb
    env = lmdb.open(os.path.join(path, "index"), max_dbs=16, readonly=True, lock=False)
    out = {}
    with env.begin() as txn:
        for name in (b"domains", b"chunks", b"dumps", b"deleted", b"locks", b"volumes", b"names", b"records"):
            table = env.open_db(name, txn=txn, create=False)
            for key, row in txn.cursor(table):
                out[name, key] = row[:12] if name == b"volumes" else row
    env.close()
    return out

class Flips:
    def __init__(self, fdump, work, generations, seed):
        self.fdump, self.work, self.rng, self.failed = fdump, work, random.Random(seed), 0
        self.garbage = 0
        self.tree, self.state = os.path.join(work, "tree"), os.path.join(work, "state")
        self.base, self.was = Store(fdump, os.path.join(work, "base")).init(), {}
        for _ in range(generations - 20):
            change(self.tree, self.rng, 40, 3000)
            self.was[said(self.base.backup(self.tree, self.state).stdout)[0]] = picture(self.tree)
        run(fdump, "forget", "-s", self.base.path, "--keep-last", str(generations // 3), "--yes")
        run(fdump, "store", "gc", "--threshold", "1", self.base.path)
        for _ in range(20):
            change(self.tree, self.rng, 40, 3000)
            self.was[said(self.base.backup(self.tree, self.state).stdout)[0]] = picture(self.tree)
        self.dumps = self.base.opens()
        self.clean = Store(fdump, os.path.join(work, "clean"))
        shutil.copytree(self.base.path, self.clean.path)
        run(fdump, "store", "rebuild", self.clean.path)
        self.index = index_of(self.clean.path)
        if self.index != index_of(self.base.path):
            self.fail("a rebuilt index differs from the original")
    def fail(self, text):
        self.failed += 1
        print(text, flush=True)
    def volumes(self, times):
        volumes = os.path.join(self.base.path, "volumes")
        sizes = [(n, os.path.getsize(os.path.join(volumes, n))) for n in sorted(os.listdir(volumes))]
        for _ in range(times):
            at, bit = self.rng.randrange(sum(s for _, s in sizes)), self.rng.randrange(8)
            for name, size in sizes:
                if at < size:
                    break
                at -= size
            path, label = os.path.join(volumes, name), "volume %s byte %d bit %d" % (name, at, bit)
            flip(path, at, bit)
            both = [subprocess.run([self.fdump] + what, capture_output=True, text=True, timeout=60)
                    for what in (["verify", self.base.path], ["store", "scrub", self.base.path])]
            if all(p.returncode == 0 for p in both):  # in garbage that gc has left?
                try:
                    self.base.whole(self.was, outside=True)
                    self.garbage += 1
                except Failed as e:
                    self.fail("%s: not found: %s" % (label, e))
            for p in both:
                if p.returncode not in (0, 5) or p.returncode != both[0].returncode:
                    self.fail("%s: %s: status %d: %s" % (label, p.args[1], p.returncode, p.stdout + p.stderr))
            flip(path, at, bit)
            shutil.copy(os.path.join(self.clean.path, "index", "data.mdb"), os.path.join(self.base.path, "index", "data.mdb"))
    def step(self, store, what, *args):
        """Runs a command; returns whether it found no damage."""
        p = run(self.fdump, *args, ok=(0, 5), timeout=60)
        if p.returncode == 5 and not p.stderr.strip() + p.stdout.strip():
            raise Failed("%s: says nothing" % what)
        self.told[what] = self.told.get(what, 0) + (p.returncode == 5)
        return p if p.returncode == 0 else None
    def one_index(self):
        store = Store(self.fdump, os.path.join(self.work, "flipped"))
        s, dump = store.path, self.rng.choice(self.dumps)
        told = dict(self.told)
        p = self.step(store, "dumps", "dumps", "-s", s, "--json")
        if p and [json.loads(l)["dump"] for l in p.stdout.splitlines()] != self.dumps:
            self.told["older"] = self.told.get("older", 0) + 1
            p = None  # reported wrongly; a writer has to repair it
        older = self.told.get("older", 0) > told.get("older", 0)
        self.step(store, "verify", "verify", s)
        with tempfile.TemporaryDirectory() as out:
            p = self.step(store, "restore", "restore", "-s", s, dump, "-C", out)
            if p and picture(out) != self.was[dump]:
                raise Failed("restore: wrong content, but status 0")
        change(self.tree, self.rng, 40, 3000)
        shutil.rmtree(self.state + ".now", ignore_errors=True)
        shutil.copytree(self.state, self.state + ".now")
        p = self.step(store, "backup", *store.backup_args(self.tree, self.state + ".now")[1:])
        more = {d: picture(self.tree) for d in said(p.stdout)} if p else {}
        if p:
            p = self.step(store, "dumps", "dumps", "-s", s, "--json")
            if p and [json.loads(l)["dump"] for l in p.stdout.splitlines()] != self.dumps + list(more):
                raise Failed("after a backup the list lacks dumps, but status 0")
        self.step(store, "forget", "forget", "-s", s, "--keep-last", str(len(self.dumps) - 10), "--yes")
        self.step(store, "gc", "store", "gc", "--threshold", "1", s)
        self.step(store, "scrub", "store", "scrub", s)
        run(self.fdump, "store", "rebuild", s)
        there = store.opens()
        run(self.fdump, "verify", s)
        there = [d for d in there if d in self.dumps or d in more]  # a dump that was not acknowledged may exist
        if there[-len(self.dumps[12:] + list(more)):] != self.dumps[12:] + list(more):
            raise Failed("after rebuild dumps are lost")
        return self.told != told
    def index_flips(self, times):
        self.told, found = {}, 0
        data = os.path.join(self.base.path, "index", "data.mdb")
        for n in range(times):
            if n % 100 == 99:
                print("%d ..." % (n + 1), flush=True)
            store = os.path.join(self.work, "flipped")
            shutil.copytree(self.base.path, store)
            at, bit = self.rng.randrange(os.path.getsize(data)), self.rng.randrange(8)
            flip(os.path.join(store, "index", "data.mdb"), at, bit)
            try:
                if self.one_index():
                    found += 1
            except Failed as e:
                self.fail("index byte %d bit %d: %s" % (at, bit, e))
            shutil.rmtree(store)
        print("index: %d flips, damage was reported at %d: %s" % (times, found, ", ".join("%s %d" % t for t in self.told.items())))

def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("fdump")
    p.add_argument("--volumes", type=int, default=1000)
    p.add_argument("--index", type=int, default=1000)
    p.add_argument("--generations", type=int, default=170)
    p.add_argument("--seed", type=int, default=1)
    o = p.parse_args()
    with tempfile.TemporaryDirectory() as work:
        f = Flips(os.path.abspath(o.fdump), work, o.generations, o.seed)
        f.volumes(o.volumes)
        print("volumes: %d flips" % o.volumes, flush=True)
        f.index_flips(o.index)
        print("%d failed" % f.failed)
    return 1 if f.failed else 0

if __name__ == "__main__":
    sys.exit(main())
