#!/usr/bin/env python3
"""storekill.py - kills commands on a store at system calls, and checks what is left.

usage: storekill.py FDUMP [--stride N] [--only COMMAND]

For backup (put, commit), gc, rebuild and forget: the command is run on a copy of a store under
strace, which kills it (SIGKILL) at the first, second, ... call of each kind that writes. After each:
the store opens within a second, every dump that was acknowledged before is complete, none is
partly there, the index rebuilt from the volumes has the same dumps, and the command, run again, does
its work. A line for each failure; exit status 1 if there is one."""
import os, re, shutil, subprocess, sys, tempfile, time

CALLS = ["pwrite64", "fdatasync", "fsync", "ftruncate", "unlink", "unlinkat", "rename", "openat", "mkdir",
         "write", "writev", "msync"]

def run(*args, check=True):
    p = subprocess.run(args, capture_output=True, text=True, timeout=120)
    if check and p.returncode:
        raise Exception("%s: status %d: %s" % (" ".join(args[:4]), p.returncode, p.stderr.strip()[-300:]))
    return p

class Kill:
    def __init__(self, fdump, work):
        self.fdump, self.work, self.failed, self.done = fdump, work, 0, 0
        self.tree, self.base = os.path.join(work, "tree"), os.path.join(work, "base")
        os.makedirs(os.path.join(self.tree, "many"))
        run(fdump, "store", "init", self.base)
        for i in range(3):
            self.change(i)
            self.backup(self.base)
        self.change(3)
        run(fdump, "forget", "-s", self.base, "--keep-last", "2", "--yes")
        self.kept = self.dumps(self.base)
    def change(self, seed):
        with open(os.path.join(self.tree, "large"), "wb") as f:
            f.write(os.urandom(1500000))
        for i in range(20):
            with open(os.path.join(self.tree, "many", str(i)), "w") as f:
                f.write("%d %d\n" % (seed, i))
    def command(self, which, store):
        state = os.path.join(self.work, "state")
        return {"backup": [self.fdump, "backup", "-s", store, "--unencrypted", "--state", state, "-C", self.tree, "."],
                "gc": [self.fdump, "store", "gc", store],
                "scrub": [self.fdump, "store", "scrub", store],
                "rebuild": [self.fdump, "store", "rebuild", store],
                "forget": [self.fdump, "forget", "-s", store, "--keep-last", "1", "--yes"]}[which]
    def backup(self, store):
        run(*self.command("backup", store))
    def dumps(self, store):
        lines = run(self.fdump, "dumps", "-s", store, "--json").stdout.splitlines()
        return {re.search(r'"dump": *"(\w+)"', l).group(1) for l in lines}
    def look(self, which, store, acknowledged):
        begun = time.monotonic()
        after = self.dumps(store)
        if time.monotonic() - begun > 1:
            raise Exception("took %.1f s to open" % (time.monotonic() - begun))
        if which != "forget" and not self.kept <= after:
            raise Exception("a dump is lost: %s" % (self.kept - after))
        if which != "backup" and after - self.kept:
            raise Exception("an unknown dump")
        if acknowledged and not acknowledged <= after:
            raise Exception("an acknowledged dump is lost")
        run(self.fdump, "verify", store)
        run(*self.command(which, store))  # and now it works
        last = self.dumps(store)
        run(self.fdump, "verify", store)
        out = os.path.join(self.work, "out")
        os.makedirs(out)
        run(self.fdump, "restore", "-s", store, "latest", "-C", out)
        shutil.rmtree(out)
        shutil.rmtree(os.path.join(store, "index"))
        run(self.fdump, "store", "rebuild", store)
        if self.dumps(store) != last:
            raise Exception("the rebuilt index has other dumps")
        run(self.fdump, "verify", store)
    def at(self, which, call, n):
        """Kills at the n-th call; returns False if there are fewer calls."""
        store = os.path.join(self.work, "store")
        shutil.copytree(self.base, store)
        p = run("strace", "-f", "-o", "/dev/null", "-e", "trace=" + call, "-e",
                "inject=%s:signal=KILL:when=%d" % (call, n), *self.command(which, store), check=False)
        killed = p.returncode in (-9, 137)
        acknowledged = set(re.findall(r"^dump (\w+):", p.stdout, re.M))
        try:
            if not killed and p.returncode:
                raise Exception("status %d: %s" % (p.returncode, p.stderr.strip()))
            if killed:
                self.look(which, store, acknowledged)
        except Exception as e:
            self.failed += 1
            print("%s killed at %s %d: %s" % (which, call, n, e), flush=True)
        self.done += killed
        shutil.rmtree(store)
        return killed

def main(args):
    stride, only = 1, None
    if "--stride" in args:
        stride = int(args[args.index("--stride") + 1])
    if "--only" in args:
        only = args[args.index("--only") + 1]
    fdump = os.path.abspath(args[0])
    with tempfile.TemporaryDirectory() as work:
        k = Kill(fdump, work)
        for which in ["backup", "gc", "rebuild", "forget"]:
            if only not in (None, which):
                continue
            for call in CALLS:
                n = 1
                while k.at(which, call, n):
                    n += stride
        print("%d kills, %d failed" % (k.done, k.failed))
    return 1 if k.failed else 0

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
