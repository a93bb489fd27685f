#!/usr/bin/env python3
"""backup.py [--data DIR] [--kind KIND] [--rounds N] [--level N] FDUMP

Times fdump backup, restore and verify side by side with restic, borg and rsync: the first
backup, a second one of the unchanged tree, one with one per cent of the files changed, restore,
and reading everything back with the key. Tree and stores are in memory (/dev/shm). The programs
alternate (A B C, A B C ...); prints medians, and the ratio of fdump to each, pair by pair.
Programs that are not installed are left out."""
import argparse, os, random, resource, shutil, statistics, subprocess, sys, time

HERE = os.path.dirname(os.path.abspath(__file__))
ENV = dict(os.environ, RESTIC_PASSWORD="x", BORG_PASSPHRASE="x", BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK="yes",
           BORG_RELOCATED_REPO_ACCESS_IS_OK="yes")

def size(path):
    return sum(os.lstat(os.path.join(p, f)).st_blocks * 512 for p, _, fs in os.walk(path) for f in fs)

class Tool:
    def __init__(self, bench, name):
        self.b, self.name = bench, name
        self.repo = os.path.join(bench.work, name)
        self.times, self.n = {}, 0
    def commands(self):
        b, r, out = self.b, self.repo, os.path.join(self.b.work, "out-%s-%d" % (self.name, self.n))
        os.makedirs(out, exist_ok=True)
        env = "HOME=%s XDG_CACHE_HOME=%s/cache BORG_BASE_DIR=%s/borg" % (b.work, b.work, b.work)
        if self.name == "fdump":
            back = "%s backup -s %s --to %s/key.pub --level %d --state %s/state -C %s ." % (
                b.fdump, r, b.work, b.level, b.work, b.tree)
            return {"init": "%s store init %s" % (b.fdump, r), "first": back, "unchanged": back, "changed": back,
                    "restore": "%s restore -s %s --key %s/key latest -C %s" % (b.fdump, r, b.work, out),
                    "check": "%s verify --key %s/key %s" % (b.fdump, b.work, r)}
        if self.name == "restic":
            back = "%s restic -q -r %s backup %s" % (env, r, b.tree)
            return {"init": "%s restic -q -r %s init" % (env, r), "first": back, "unchanged": back, "changed": back,
                    "restore": "%s restic -q -r %s restore latest --target %s" % (env, r, out),
                    "check": "%s restic -q -r %s check --read-data" % (env, r)}
        if self.name == "borg":
            back = "%s borg create -C zstd,3 %s::'{now:%%s%%f}' %s" % (env, r, b.tree)
            return {"init": "%s borg init -e repokey %s" % (env, r), "first": back, "unchanged": back, "changed": back,
                    "restore": "cd %s && %s borg extract %s::$(%s borg list --last 1 --short %s)" % (out, env, r, env, r),
                    "check": "%s borg check --verify-data %s" % (env, r)}
        back = "rsync -a %s/ %s/" % (b.tree, r)
        return {"init": "mkdir -p %s" % r, "first": back, "unchanged": back, "changed": back}
    def run(self, what):
        command = self.commands().get(what)
        if command is None:
            return
        if what in ("first", "restore"):  # none pays for the first touch of the machine's memory
            with open(self.b.work + "/touch", "wb") as f:
                for _ in range(1500):
                    f.write(bytes(1 << 20))
            os.unlink(self.b.work + "/touch")
        start = time.monotonic()
        p = subprocess.run(command, shell=True, env=ENV, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        seconds = time.monotonic() - start
        if p.returncode:
            sys.exit("%s: status %d: %s" % (command, p.returncode, p.stderr[-400:]))
        if what == "restore":
            shutil.rmtree(os.path.join(self.b.work, "out-%s-%d" % (self.name, self.n)))
        if what != "init":
            self.times.setdefault(what, []).append(seconds)

class Bench:
    def __init__(self, args):
        self.fdump, self.level = os.path.abspath(args.fdump), args.level
        self.work = "/dev/shm/fdump-backup-%d" % os.getpid()
        self.tree = os.path.join(self.work, "tree")
        data = os.path.join(args.data, args.kind)
        if not os.path.exists(data):
            subprocess.run([sys.executable, HERE + "/data.py", args.kind, data], check=True)
        os.makedirs(self.work)
        subprocess.run(["cp", "-a", data, self.tree], check=True)
        subprocess.run([self.fdump, "key", "new", "--no-passphrase", self.work + "/key"], check=True,
                       stdout=subprocess.DEVNULL)
        names = ["fdump"] + [t for t in ("restic", "borg", "rsync") if shutil.which(t)]
        self.tools = [Tool(self, n) for n in names]
    def change(self, share, rng):
        files = sorted(os.path.join(p, f) for p, _, fs in os.walk(self.tree) for f in fs)
        for f in rng.sample(files, int(len(files) * share)):
            if os.path.isfile(f) and not os.path.islink(f):
                with open(f, "ab") as g:
                    g.write(b"changed")
    def round(self, n, rng):
        for t in self.tools:
            shutil.rmtree(t.repo, ignore_errors=True)
            t.n = n
            t.run("init")
        shutil.rmtree(self.work + "/state", ignore_errors=True)
        for what in ("first", "unchanged", "changed", "restore", "check"):
            if what == "unchanged":
                time.sleep(4)
            if what == "changed":
                self.change(0.01, rng)
            for t in self.tools:
                t.run(what)
        for t in self.tools:
            shutil.rmtree(os.path.join(self.work, "out-%s-%d" % (t.name, n)), ignore_errors=True)
    def report(self):
        print("%-10s" % "" + "".join("%18s" % t.name for t in self.tools))
        for what in ("first", "unchanged", "changed", "restore", "check"):
            ours, line = self.tools[0].times[what], "%-10s" % what
            for t in self.tools:
                if what not in t.times:
                    continue
                ratio = statistics.median(x / y for x, y in zip(ours, t.times[what]))
                line += "%9.2f s" % statistics.median(t.times[what])
                line += "%7s" % ("" if t is self.tools[0] else "(%.2f)" % ratio)
            print(line)
        print("%-10s" % "size" + "".join("%14.1f MiB" % (size(t.repo) / 2**20) for t in self.tools))

def main():
    p = argparse.ArgumentParser()
    p.add_argument("--data", default="/var/tmp/fdump-bench")
    p.add_argument("--kind", default="small")
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--level", type=int, default=2, help="of fdump's zstd (restic has 3)")
    p.add_argument("fdump")
    args = p.parse_args()
    bench, rng = Bench(args), random.Random(1)
    try:
        for n in range(args.rounds):
            bench.round(n, rng)
        bench.report()
    finally:
        shutil.rmtree(bench.work)

if __name__ == "__main__":
    main()
