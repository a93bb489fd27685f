#!/usr/bin/env python3
"""storedevice.py - a disk that fails while a store is written; needs root.

usage: storedevice.py FDUMP [--fs ext4|xfs|btrfs] [--rounds N] [--seed N]

The file system is on a loop device over a file that nbdkit serves. nbdkit's error filter fails all or some
writes while a trigger file exists: fsync reports EIO once, or the file system stops. That begins at some
moment of a backup, gc, forget or rebuild, and ends at another. Then the disk works again, and its file system
is mounted again: the store opens without help, or says that its index is lost and is rebuilt; each acknowledged
dump is complete, no other is partly there; a backup and gc work.
Needs nbdkit, nbdfuse. A line for each failure; exit status 1 if there is one."""
import argparse, os, random, subprocess, sys, tempfile, time
from storefault import *

SIZE = 320 << 20

class Disk:
    """An image, served by nbdkit and mounted at .at."""
    def __init__(self, work, image):
        self.image, self.at = image, work + "/at"
        self.served, self.trigger = work + "/served", work + "/trigger"
        os.makedirs(self.at, exist_ok=True)
        open(self.served, "w").close()
    def start(self, rate):
        self.server = subprocess.Popen(
            ["nbdfuse", self.served, "--command", "nbdkit", "-s", "--filter=error", "file", self.image, "error=EIO",
             "error-pwrite-rate=%s" % rate, "error-file=" + self.trigger], stderr=subprocess.DEVNULL)
        for _ in range(200):
            if os.path.getsize(self.served) == SIZE:
                break
            time.sleep(0.05)
        self.loop = run("losetup", "--show", "-f", self.served).stdout.strip()
        run("mount", self.loop, self.at)
    def stop(self):
        if os.path.exists(self.trigger):
            os.unlink(self.trigger)
        run("umount", "-l", self.at, ok=None)
        run("losetup", "-d", self.loop, ok=None)
        run("fusermount3", "-u", "-z", self.served, ok=None)
        self.server.wait(30)

def commands(fdump, store):
    return [[fdump, "store", "gc", "--threshold", "1", store], [fdump, "store", "rebuild", store],
            [fdump, "forget", "-s", store, "--keep-last", "7", "--yes"]]

class Rounds:
    def __init__(self, a, work):
        self.a, self.work, self.rng = a, work, random.Random(a.seed)
        self.failed = self.told = self.rebuilt = 0
        self.image = work + "/image"
        with open(self.image, "wb") as f:
            f.truncate(SIZE)
        run(*{"ext4": ["mkfs.ext4", "-q", "-F"], "xfs": ["mkfs.xfs", "-q", "-f"],
              "btrfs": ["mkfs.btrfs", "-q", "-f"]}[a.fs], self.image)
        self.disk = Disk(work, self.image)
        self.store = Store(a.fdump, self.disk.at + "/store")
        self.was, self.acknowledged = {}, []
        run("mount", "-o", "loop", self.image, self.disk.at)
        self.store.init()
        for _ in range(3):
            self.backup()
        run("umount", self.disk.at)
    def backup(self, ok=(0,)):
        tree = self.work + "/tree"
        change(tree, self.rng, files=20, most=400000)
        p = self.store.backup(tree, self.work + "/state", ok=ok)
        for dump in said(p.stdout):
            self.was[dump] = picture(tree)
            self.acknowledged.append(dump)
        return p.returncode
    def fail_disk(self):
        """Fails at a random moment of the current work; returns when the disk should work again."""
        time.sleep(self.rng.random() * 0.06)
        open(self.disk.trigger, "w").close()
        time.sleep(self.rng.random() * 0.3)
        if self.rng.random() < 0.5:
            os.unlink(self.disk.trigger)
    def one(self):
        import threading
        self.disk.start(self.rng.choice(["100%", "100%", "30%"]))
        bad = threading.Thread(target=self.fail_disk)
        bad.start()
        self.what = ["backup"]
        if self.rng.random() < 0.7:
            status = self.backup(ok=None)
        else:
            self.what = self.rng.choice(commands(self.a.fdump, self.store.path))
            status = run(*self.what, ok=None).returncode
        bad.join()
        self.told += status != 0
        self.disk.stop()
        run({"ext4": "e2fsck", "xfs": "true", "btrfs": "true"}[self.a.fs], "-p", self.image, ok=None)
        run("mount", "-o", "loop", self.image, self.disk.at)
        try:
            self.look()
        finally:
            run("umount", self.disk.at)
    def look(self):
        try:
            self.store.opens()
        except Failed as e:
            if "index" not in str(e):
                raise
            self.rebuilt += 1
            print("%s: %s" % (" ".join(self.what[:3]), e), flush=True)
            run(self.a.fdump, "store", "rebuild", self.store.path)
        ids = self.store.whole(self.was)
        for dump in self.acknowledged[-3:]:
            if dump not in ids:
                raise Failed("acknowledged dump %s is lost" % dump)
        self.backup()
        run(self.a.fdump, "forget", "-s", self.store.path, "--keep-last", "8", "--yes")
        run(self.a.fdump, "store", "gc", self.store.path)
        self.was = {d: self.was[d] for d in self.store.whole(self.was) if d in self.was}
    def all(self):
        for n in range(self.a.rounds):
            try:
                self.one()
            except Failed as e:
                self.failed += 1
                print("round %d: %s" % (n, e), flush=True)
        print("%s: %d rounds, %d reported by the status, %d indexes rebuilt, %d failed" % (
            self.a.fs, self.a.rounds, self.told, self.rebuilt, self.failed))
        return 1 if self.failed else 0

def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("fdump")
    ap.add_argument("--fs", default="ext4", choices=["ext4", "xfs", "btrfs"])
    ap.add_argument("--rounds", type=int, default=50)
    ap.add_argument("--seed", type=int, default=1)
    a = ap.parse_args()
    a.fdump = os.path.abspath(a.fdump)
    with tempfile.TemporaryDirectory(dir="/var/tmp") as work:
        return Rounds(a, work).all()

if __name__ == "__main__":
    sys.exit(main())
