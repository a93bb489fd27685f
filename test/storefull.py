#!/usr/bin/env python3
"""storefull.py - a store on a file system that is full; needs root.

usage: storefull.py FDUMP [--step KIB] [--fs tmpfs|ext4] [--inodes N] [--pages N] [--shim SHIM]

A store with two dumps is on a file system with room for 0, 64, 128 ... KiB more, and a third
dump is made, until it fits; likewise with 0, 1, 2 ... inodes left, and, with SHIM (build/test/test/shim.so),
an index that may grow by 0, 1, 2 ... pages. Each time: exit status 0, or 7 and a message; the store opens without
help in a second, exactly the two dumps are listed and complete, also with a rebuilt index; forget, gc
and rebuild on the full disk work, or end with 7 and lose nothing; and with room again gc gives back what was
left over, and the backup works. A line for each failure; exit status 1 if there is one."""
import argparse, os, random, shutil, subprocess, sys, tempfile
from storefault import *

class Full:
    def __init__(self, fdump, work, fs):
        self.fdump, self.work, self.fs, self.rng = fdump, work, fs, random.Random(1)
        self.tree, self.state, self.was = os.path.join(work, "tree"), os.path.join(work, "state"), {}
        self.base, self.at = Store(fdump, os.path.join(work, "base")).init(), os.path.join(work, "at")
        os.mkdir(self.at)
        for _ in range(2):
            change(self.tree, self.rng)
            self.was[said(self.base.backup(self.tree, self.state).stdout)[0]] = picture(self.tree)
        shutil.copytree(self.state, self.state + ".base")
        for i in range(40):  # the third is larger: small files fill the index, large ones the volume
            with open(os.path.join(self.tree, "g%d" % i), "wb") as f:
                f.write(self.rng.randbytes(40000))
        self.used, self.files = 0, 0
        for path, _, names in os.walk(self.base.path):
            self.files += 1 + len(names)
            self.used += sum(-(-os.path.getsize(os.path.join(path, n)) // 4096) * 4096 for n in names)
        self.failed, self.full, self.worked = 0, 0, {"forget": 0, "gc": 0, "rebuild": 0}
    def mount(self, room, inodes):
        if self.fs == "tmpfs":
            options = "size=%d" % (self.used + room) + (",nr_inodes=%d" % (self.files + 1 + inodes) if inodes is not None else "")
            run("mount", "-t", "tmpfs", "-o", options, "none", self.at)
        else:
            image = os.path.join(self.work, "image")
            with open(image, "wb") as f:
                f.truncate(24 << 20)
            run("mkfs.ext4", "-q", "-m", "0", "-N", "128", "-O", "^has_journal", image)
            run("mount", "-o", "loop", image, self.at)
        store = Store(self.fdump, os.path.join(self.at, "store"))
        shutil.copytree(self.base.path, store.path)
        if self.fs != "tmpfs":
            self.fill(room, inodes)
        return store
    def fill(self, room, inodes):
        if inodes is None:
            v = os.statvfs(self.at)
            with open(os.path.join(self.at, "fill"), "wb") as f:
                os.posix_fallocate(f.fileno(), 0, max(4096, (v.f_bavail - 4) * v.f_frsize - room))
        else:
            os.mkdir(os.path.join(self.at, "fill"))
            for i in range(os.statvfs(self.at).f_favail - inodes):
                open(os.path.join(self.at, "fill", str(i)), "w").close()
    def make_room(self):
        if self.fs == "tmpfs":
            run("mount", "-o", "remount,size=64m,nr_inodes=1000", self.at)
        else:
            subprocess.run(["rm", "-rf", os.path.join(self.at, "fill")])
    def try_it(self, what, args, env=None, **more):
        p = subprocess.run(args, capture_output=True, text=True, timeout=120, env=env)
        if p.returncode not in (0, 7) or p.returncode == 7 and "no space" not in p.stderr.lower() \
                and "its maximum size" not in p.stderr:
            raise Failed("%s: status %d: %s" % (what, p.returncode, p.stderr.strip()[-300:]))
        return p
    def size(self, store):
        return sum(os.path.getsize(os.path.join(p, n)) for p, _, names in os.walk(store.path + "/volumes") for n in names)
    def look(self, store, more, outside=False):
        there = store.whole({**self.was, **more}, outside=outside)
        if set(there) != set(self.was) | set(more):
            raise Failed("dumps %r" % there)
    def one(self, store, env, make_room):
        """Returns whether there was enough room."""
        shutil.rmtree(self.state)
        shutil.copytree(self.state + ".base", self.state)
        p = self.try_it("backup", store.backup_args(self.tree, self.state), env)
        self.full += p.returncode == 7
        more = {d: picture(self.tree) for d in said(p.stdout)}
        if (p.returncode == 0) != (len(more) == 1):
            raise Failed("backup: status %d, and %d dumps" % (p.returncode, len(more)))
        self.look(store, more)
        for what, args in (("rebuild", ["store", "rebuild", store.path]), ("gc", ["store", "gc", "--threshold", "1", store.path])):
            got = self.try_it(what, [self.fdump] + args, env)
            self.worked[what] += got.returncode == 0 and p.returncode == 7
            self.look(store, more)
        first = list(self.was)[0]
        got = self.try_it("forget", [self.fdump, "forget", "-s", store.path, "--keep-last", "1", "--yes"], env)
        self.worked["forget"] += got.returncode == 0 and p.returncode == 7
        self.try_it("gc", [self.fdump, "store", "gc", "--threshold", "1", store.path], env)
        left = store.whole({**self.was, **more})
        if got.returncode == 0 and first in left or list({**self.was, **more})[-1] not in left:
            raise Failed("forget left %r" % left)
        make_room()
        run(self.fdump, "forget", "-s", store.path, "--keep-last", "1", "--yes")
        run(self.fdump, "store", "gc", "--threshold", "1", store.path)
        if not more and self.size(store) > self.size(self.base) + 65536:
            raise Failed("space does not come back: %d bytes" % self.size(store))
        if len(os.listdir(store.path + "/volumes")) > 3:
            raise Failed("volumes are left over: %r" % os.listdir(store.path + "/volumes"))
        out = store.backup(self.tree, self.state)
        store.whole({**self.was, said(out.stdout)[0]: picture(self.tree)}, outside=True)
        run(self.fdump, "store", "rebuild", store.path)
        if said(out.stdout)[0] not in store.whole({**self.was, said(out.stdout)[0]: picture(self.tree)}):
            raise Failed("the next dump is lost")
        return p.returncode == 0
    def at_room(self, what, room, inodes=None, env=None):
        store = self.mount(room, inodes)
        try:
            return self.one(store, env, self.make_room)
        except Failed as e:
            self.failed += 1
            print("%s: %s" % (what, e), flush=True)
            return False
        finally:
            run("umount", self.at)

def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("fdump")
    p.add_argument("--step", type=int, default=64)
    p.add_argument("--fs", choices=["tmpfs", "ext4"], default="tmpfs")
    p.add_argument("--inodes", type=int, default=8)
    p.add_argument("--pages", type=int, default=24)
    p.add_argument("--shim")
    o = p.parse_args()
    with tempfile.TemporaryDirectory() as work:
        full, room, steps = Full(os.path.abspath(o.fdump), work, o.fs), 0, 0
        while not full.at_room("%d KiB" % room, room << 10) and room < 8192:
            room, steps = room + o.step, steps + 1
        for inodes in range(o.inodes):
            steps += 1
            full.at_room("%d inodes" % inodes, 16 << 20 if o.fs == "tmpfs" else 8 << 20, inodes)
        pages = os.path.getsize(os.path.join(full.base.path, "index", "data.mdb")) // 4096
        for more in range(o.pages) if o.shim else ():
            steps += 1
            full.at_room("%d pages" % more, 16 << 20, None, dict(os.environ, LD_PRELOAD=os.path.abspath(o.shim),
                                                                SHIM_MAP=str((pages + more) * 4096)))
        print("%s: %d steps, %d times full, where %s worked; %d failed" % (o.fs, steps, full.full, ", ".join(
            "%s %d" % w for w in full.worked.items()), full.failed))
    return 1 if full.failed else 0

if __name__ == "__main__":
    sys.exit(main())
