#!/usr/bin/env python3
"""storeeio.py - calls that write to a store fail with EIO, one after the other.

usage: storeeio.py FDUMP [--stride N] [--only COMMAND] [--error NAME]

For backup, gc, forget, rebuild and scrub: the first, second, ... call of each kind that writes fails
(strace), and all of one kind from the n-th on. Status 0 only if the work is done; an acknowledged dump is complete;
nothing is written to a volume or to the index after a failed sync of it, and the volume is cut back (data that
is only in memory would count as written); then, without faults, everything that storekill.py checks. A line for each failure; exit status 1 if there is one."""
import os, re, shutil, sys, tempfile
import storekill
from storekill import run

CALLS = ["pwrite64", "pwritev", "fdatasync", "fsync", "msync", "ftruncate", "fallocate", "unlink", "unlinkat", "rename",
         "renameat2", "mkdir", "write", "sync_file_range"]
SYNCS = ("fdatasync", "fsync")

def written_after(log):
    """Files that were written to after a failed sync, and volumes that were then not cut back."""
    lost, cut, again = set(), set(), set()
    for line in open(log, errors="replace"):
        m = re.search(r"(\w+)\(\d+<([^>]*)>", line)
        if m and m.group(1) in SYNCS and "(INJECTED)" in line:
            lost.add(m.group(2))
        elif m and m.group(1) in ("pwrite64", "pwritev") and m.group(2) in lost:
            again.add(m.group(2))
        elif m and m.group(1) == "ftruncate":
            cut.add(m.group(2))
    return again, {f for f in lost - cut if f.endswith(".vol")}

class Eio(storekill.Kill):
    error = "EIO"
    def at(self, which, call, n, on=""):
        store, log = os.path.join(self.work, "store"), os.path.join(self.work, "log")
        shutil.copytree(self.base, store)
        p = run("strace", "-f", "-y", "-o", log, "-e", "trace=%s,pwrite64,pwritev,ftruncate" % call, "-e",
                "inject=%s:error=%s:when=%d%s" % (call, self.error, n, on), *self.command(which, store), check=False)
        hit = "(INJECTED)" in open(log, errors="replace").read()
        acknowledged = set(re.findall(r"^dump (\w+):", p.stdout, re.M))
        try:
            if p.returncode < 0:
                raise Exception("killed by signal %d" % -p.returncode)
            if hit and p.returncode and not p.stderr.strip():
                raise Exception("status %d without a message" % p.returncode)
            again, uncut = written_after(log)
            if again:
                raise Exception("written after a failed sync: %s" % again)
            if uncut and which != "gc":  # whose new volume is removed
                raise Exception("not cut back after a failed sync: %s" % uncut)
            if hit:
                self.told += p.returncode != 0
                if p.returncode == 0:
                    self.well(which, store, acknowledged)
                self.look(which, store, acknowledged)
        except Exception as e:
            self.failed += 1
            print("%s, %s %d%s: %s" % (which, call, n, on, e), flush=True)
        self.done += hit
        shutil.rmtree(store)
        return hit
    told = 0
    def well(self, which, store, acknowledged):
        """Whether it claimed success."""
        if which == "backup" and not acknowledged:
            raise Exception("status 0, but no dump")
        if which == "forget" and len(self.dumps(store)) != 1:
            raise Exception("status 0, but nothing was forgotten")
        if which == "gc" and run(self.fdump, "store", "gc", "--dry-run", store).stdout != self.clean:
            raise Exception("status 0, but garbage is left")

def main(args):
    stride, only, error = 1, None, "EIO"
    for i, a in enumerate(args):
        stride = int(args[i + 1]) if a == "--stride" else stride
        only = args[i + 1] if a == "--only" else only
        error = args[i + 1] if a == "--error" else error
    if not args or "--help" in args:
        print(__doc__)
        return 2
    with tempfile.TemporaryDirectory() as work:
        k = Eio(os.path.abspath(args[0]), work)
        k.error = error
        shutil.copytree(k.base, os.path.join(work, "collected"))
        run(k.fdump, "store", "gc", os.path.join(work, "collected"))
        k.clean = run(k.fdump, "store", "gc", "--dry-run", os.path.join(work, "collected")).stdout
        for which in ["backup", "gc", "rebuild", "forget", "scrub"]:
            if only not in (None, which):
                continue
            for call in CALLS:
                for on in ("", "+") if call != "write" else ("",):
                    n = 1
                    while k.at(which, call, n, on):
                        n += stride
        print("%s: %d faults, %d reported by the status, %d failed" % (error, k.done, k.told, k.failed))
    return 1 if k.failed else 0

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
