#!/usr/bin/env python3
"""storeload.py - writers, gc, forget, scrub and readers at once on one store, killed at random.

usage: storeload.py FDUMP [--minutes N] [--kills N] [--seed N]

Three agents back up trees that change, while gc, forget --keep-last, scrub, verify and restore run in
loops; half of all processes are killed (SIGKILL) after a random time, until there were so many kills
or minutes, whichever is later. Every few seconds everything pauses for a check: the store opens without
help, every listed dump is complete and restores to its tree, no chunk is missing; acknowledged dumps are
there unless forget had the right to delete them. Processes that were not killed must have succeeded.
A line for each failure; exit status 1 if there is one."""
import argparse, os, random, shutil, signal, subprocess, sys, tempfile, threading, time
from storefault import *

KEEP = 4

class Load:
    def __init__(self, fdump, work, rng):
        self.work, self.rng, self.fdump = work, rng, fdump
        self.store = Store(fdump, os.path.join(work, "store")).init()
        self.was, self.acknowledged, self.failed, self.kills, self.runs = {}, {}, 0, 0, {}
        self.stop, self.lock = threading.Event(), threading.Lock()
    def fail(self, text):
        with self.lock:
            self.failed += 1
            print("%s: %s" % (time.strftime("%H:%M:%S"), text), flush=True)
    def one(self, what, args, rng, longest):
        """Runs a command, or kills it on the way. Returns (its status, or None if killed; its output)."""
        with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as bad:
            p = subprocess.Popen(args, stdout=out, stderr=bad)
            try:
                p.wait(rng.random() * longest if rng.random() < 0.5 else 120)
            except subprocess.TimeoutExpired:
                p.kill()
                p.wait()
            out.seek(0), bad.seek(0)
            text, err = out.read(), bad.read()
        with self.lock:
            self.kills += p.returncode == -9
            self.runs[what] = self.runs.get(what, 0) + 1
        if p.returncode not in (0, -9) and "writes to it" not in err:
            self.fail("%s: status %d: %s" % (what, p.returncode, (text[-200:] + err[-300:]).strip()))
        return (None if p.returncode == -9 else p.returncode), text
    def writer(self, name, seed):
        rng, tree = random.Random(seed), os.path.join(self.work, "tree-" + name)
        while not self.stop.is_set():
            change(tree, rng)
            now = picture(tree)
            _, text = self.one("backup", self.store.backup_args(tree, os.path.join(self.work, "state-" + name),
                                                                name), rng, 0.4)
            for dump in said(text):
                with self.lock:
                    self.was[dump] = now
                    self.acknowledged.setdefault(name, []).append(dump)
    def other(self, what, args, longest, seed):
        rng = random.Random(seed)
        while not self.stop.is_set():
            out = tempfile.mkdtemp(dir=self.work)
            self.one(what, [a if a != "OUT" else out for a in args], rng, longest)
            shutil.rmtree(out)
            time.sleep(rng.random() * 0.3)
    def round(self, seconds):
        s, f, rng = self.store.path, self.fdump, self.rng
        jobs = [(self.writer, (n, rng.random())) for n in ("a", "b", "c")]
        jobs += [(self.other, (a[1] if a[0] == "store" else a[0], [f] + a, longest, rng.random())) for a, longest in (
            (["store", "gc", "--threshold", "5", s], 0.3), (["store", "scrub", s], 0.3), (["verify", s], 0.5),
            (["forget", "-s", s, "--keep-last", str(KEEP), "--yes"], 0.3), (["restore", "-s", s, "latest", "-C", "OUT"], 0.5))]
        self.stop.clear()
        threads = [threading.Thread(target=t, args=a) for t, a in jobs]
        for t in threads:
            t.start()
        time.sleep(seconds)
        self.stop.set()
        for t in threads:
            t.join()
    def look(self):
        ids = self.store.whole(self.was, outside=True)
        names = dict(self.store.dumps())
        for name, dumps in self.acknowledged.items():
            there = [d for d in ids if names[d] == name]
            for dump in dumps[-KEEP:]:  # forget deletes only dumps that have so many after them
                if dump not in there and len(there) < KEEP:
                    raise Failed("acknowledged dump %s of %s is lost" % (dump, name))
            if dumps and dumps[-1] not in there:
                raise Failed("the last dump of %s is lost" % name)

def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("fdump")
    p.add_argument("--minutes", type=float, default=1)
    p.add_argument("--kills", type=int, default=0)
    p.add_argument("--seed", type=int, default=1)
    o = p.parse_args()
    end = time.monotonic() + 60 * o.minutes
    with tempfile.TemporaryDirectory() as work:
        load = Load(os.path.abspath(o.fdump), work, random.Random(o.seed))
        change(os.path.join(work, "tree"), load.rng)
        load.store.backup(os.path.join(work, "tree"), os.path.join(work, "state"), "first")
        looks = 0
        while time.monotonic() < end or load.kills < o.kills:
            load.round(8)
            try:
                load.look()
            except Failed as e:
                load.fail(str(e))
            looks += 1
        print("%d kills, %s; %d dumps acknowledged; checked %d times; %d failed" % (load.kills, ", ".join(
            "%s %d" % r for r in sorted(load.runs.items())), sum(map(len, load.acknowledged.values())), looks, load.failed))
    return 1 if load.failed else 0

if __name__ == "__main__":
    sys.exit(main())
