#!/usr/bin/env python3
"""storepower.py - power cuts while a store is written; needs root.

usage: storepower.py FDUMP [--fs ext4|xfs|btrfs] [--cuts N] [--seed N]

The file system is on a loop device over a file that a small FUSE server keeps: the server knows what
was flushed and what was only written. On it run backup, forget, gc and scrub. At a random write the
power is cut: flushed data is on the disk; each later write is there completely, partly (some of its
sectors), or not at all. That image is mounted (and so recovered): the store opens without help in a
second, each dump acknowledged before the cut is complete, no other is partly there, and a backup and
gc work. Needs python3-fusepy. A line for each failure; exit status 1 if there is one."""
import argparse, errno, os, random, shutil, stat, subprocess, sys, tempfile, threading, time
import fusepy
from storefault import *

SIZE, SECTOR, KEEP = 320 << 20, 512, 6

class Disk:
    """What the server keeps: .data, as the machine sees it; .flushed, as the disk has it; .since: later
    writes."""
    def __init__(self, path):
        import mmap
        self.files = [open(path + n, "w+b") for n in ("data", "flushed")]
        for f in self.files:
            f.truncate(SIZE)
        self.data, self.flushed = [mmap.mmap(f.fileno(), SIZE) for f in self.files]
        self.since, self.lock, self.flushes = [], threading.Lock(), 0
        self.until, self.at_cut, self.done = 0, None, threading.Event()
    def write(self, at, b):
        with self.lock:
            self.data[at:at + len(b)] = b
            self.since.append((at, bytes(b)))
            self.until -= 1
            if self.until == 0:
                self.at_cut()
                self.done.set()
    def flush(self):
        with self.lock:
            for at, b in self.since:
                self.flushed[at:at + len(b)] = b
            self.since, self.flushes = [], self.flushes + 1
    def cut(self, path, rng, call):
        """Cuts the power at one of the next writes: the image is what is left. Returns what call returns at
        that moment, and how many writes were not flushed."""
        said = []
        def now():
            said.extend((call(), len(self.since)))
            self.image(path, rng)
        with self.lock:
            self.at_cut, self.until = now, rng.randrange(1, 100)
        self.done.clear()
        if not self.done.wait(60):
            raise Failed("nothing is written any more")
        return said
    def image(self, path, rng):
        with open(path, "wb") as f:
            for at in range(0, SIZE, 1 << 20):
                piece = self.flushed[at:at + (1 << 20)]
                if piece != bytes(1 << 20):
                    f.seek(at)
                    f.write(piece)
            f.truncate(SIZE)
            kept = rng.choice([0, 0.5, 0.9, 1])
            for at, b in self.since:
                size = SECTOR if rng.random() < 0.2 else len(b)
                for s in range(0, len(b), size):
                    if rng.random() < kept:
                        f.seek(at + s)
                        f.write(b[s:s + size])

def serve(disk, at):
    class Ops(fusepy.Operations):
        def getattr(self, path, fh=None):
            if path == "/":
                return dict(st_mode=stat.S_IFDIR | 0o755, st_nlink=2)
            if path != "/disk":
                raise fusepy.FuseOSError(errno.ENOENT)
            return dict(st_mode=stat.S_IFREG | 0o600, st_nlink=1, st_size=SIZE)
        def readdir(self, path, fh):
            return [".", "..", "disk"]
        def read(self, path, size, offset, fh):
            return disk.data[offset:offset + size]
        def write(self, path, b, offset, fh):
            disk.write(offset, b)
            return len(b)
        def fsync(self, path, datasync, fh):
            disk.flush()
            return 0
        def truncate(self, path, length, fh=None):
            return 0
    fusepy.FUSE(Ops(), at, foreground=True, nothreads=True, big_writes=True, max_write=131072)

class Power:
    def __init__(self, fdump, work, fs, seed):
        self.fdump, self.work, self.fs, self.rng, self.failed = fdump, work, fs, random.Random(seed), 0
        self.at, self.cut_at, self.fuse = [os.path.join(work, n) for n in ("at", "cut", "fuse")]
        for d in (self.at, self.cut_at, self.fuse):
            os.mkdir(d)
        self.disk = Disk(os.path.join(work, ""))
        threading.Thread(target=serve, args=(self.disk, self.fuse), daemon=True).start()
        while not os.path.exists(self.fuse + "/disk"):
            time.sleep(0.05)
        self.loop = run("losetup", "--show", "-f", self.fuse + "/disk").stdout.strip()
        run(*{"ext4": ["mkfs.ext4", "-q", "-F"], "xfs": ["mkfs.xfs", "-q", "-f"],
              "btrfs": ["mkfs.btrfs", "-q", "-f"]}[fs], self.loop)
        run("mount", self.loop, self.at)
        self.store = Store(fdump, self.at + "/store").init()
        run("sync")
        self.was, self.acknowledged, self.stop = {}, [], threading.Event()
        self.threads = [threading.Thread(target=self.work_on)]
    def work_on(self):
        tree, rng, s = os.path.join(self.work, "tree"), random.Random(7), self.store.path
        while not self.stop.is_set():
            try:
                change(tree, rng)
                dump = said(self.store.backup(tree, os.path.join(self.work, "state")).stdout)[0]
                self.was[dump] = picture(tree)
                self.acknowledged.append(dump)
                if rng.random() < 0.3:
                    run(self.fdump, "forget", "-s", s, "--keep-last", str(KEEP), "--yes")
                if rng.random() < 0.4:
                    run(self.fdump, "store", "gc", "--threshold", "5", s)
                if rng.random() < 0.1:
                    run(self.fdump, "store", "scrub", s)
            except Failed as e:
                self.fail("at work: %s" % e)
                return
    def fail(self, text):
        self.failed += 1
        print(text, flush=True)
    def look(self, acknowledged, image, n):
        run("mount", "-o", "loop" + (",nouuid" if self.fs == "xfs" else ""), image, self.cut_at)
        try:
            store = Store(self.fdump, self.cut_at + "/store")
            ids = store.whole(self.was)
            if acknowledged and acknowledged[-1] not in ids:
                raise Failed("the last acknowledged dump is lost")
            for dump in acknowledged[-KEEP:]:
                if dump not in ids and len([d for d in ids if d in acknowledged]) < KEEP:
                    raise Failed("acknowledged dump %s is lost" % dump)
            tree = os.path.join(self.work, "tree-cut")
            change(tree, self.rng)
            shutil.rmtree(os.path.join(self.work, "state-cut"), ignore_errors=True)
            store.backup(tree, os.path.join(self.work, "state-cut"), "other")
            run(self.fdump, "store", "gc", "--threshold", "1", store.path)
            if n % 5 == 0:
                run(self.fdump, "store", "rebuild", store.path)
            after = store.whole(self.was, outside=n % 10 == 0)
            if not set(ids[-KEEP:]) <= set(after):  # a DELETE in progress may have been written
                raise Failed("dumps are lost: %r, then %r" % (ids, after))
        finally:
            run("umount", self.cut_at)
    def cuts(self, times):
        for t in self.threads:
            t.start()
        open_writes, image = 0, os.path.join(self.work, "image")
        for n in range(times):
            time.sleep(self.rng.random() * 0.1)
            try:
                acknowledged, some = self.disk.cut(image, self.rng, lambda: list(self.acknowledged))
                open_writes += some
                self.look(acknowledged, image, n)
            except Failed as e:
                self.fail("cut %d: %s" % (n, e))
                shutil.copy(image, "/tmp/cut-%s-%d.img" % (self.fs, n))
        self.stop.set()
        for t in self.threads:
            t.join()
        print("%s: %d cuts, %d dumps acknowledged, %d flushes, %.1f writes not flushed at a cut; %d failed" % (
            self.fs, times, len(self.acknowledged), self.disk.flushes, open_writes / times, self.failed))
    def end(self):
        run("umount", self.at, ok=None)
        run("losetup", "-d", self.loop, ok=None)
        run("fusermount", "-u", self.fuse, ok=None)

def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("fdump")
    p.add_argument("--fs", choices=["ext4", "xfs", "btrfs"], default="ext4")
    p.add_argument("--cuts", type=int, default=50)
    p.add_argument("--seed", type=int, default=1)
    o = p.parse_args()
    with tempfile.TemporaryDirectory(dir="/dev/shm") as work:
        power = Power(os.path.abspath(o.fdump), work, o.fs, o.seed)
        try:
            power.cuts(o.cuts)
        finally:
            power.end()
    return 1 if power.failed else 0

if __name__ == "__main__":
    sys.exit(main())
