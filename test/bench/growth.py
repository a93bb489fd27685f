#!/usr/bin/env python3
"""growth.py [--work DIR] [--restic PROGRAM] [--only NAME,...] FDUMP

Measures what each run adds to a store (du before and after), side by side with restic, on seeded data:

rounds   20,000 files in 200 folders, three rounds: 20 random files get a line more
large    the same with 110,000 files in 1,100 folders
chown    20,000 files: all get another owner (another mode, if not root), 1 in 100 is rewritten
moved    20,000 files: copied to another disk or folder, 1 in 100 rewritten; fdump keeps its state
renamed  20,000 files: half of the folders get another name
btrfs    four daily snapshots of 5,000 files, 10 in 100 rewritten each day (root, loop mount)
usr      two machines' /usr that differ in some packages (dpkg), one shared key

Prints a line for each: bytes of both, their ratio, and how many of fdump's are the index."""
import argparse, glob, os, random, shutil, subprocess, sys, time

def du(path):
    return sum(os.lstat(os.path.join(p, f)).st_blocks * 512 for p, ds, fs in os.walk(path) for f in fs + ds)

def run(args, ok=(0, 1), **more):
    p = subprocess.run(args, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **more)
    if p.returncode not in ok:
        sys.exit("%s: status %d: %s" % (" ".join(args), p.returncode, p.stderr[-400:]))
    return p.stdout

def words(rng):
    return [bytes(rng.choices(b"abcdefghijklmnopqrstuvwxyz_", k=rng.randint(2, 11))) for _ in range(4000)]

class Bench:
    def __init__(self, args):
        self.fdump, self.restic = os.path.abspath(args.fdump), args.restic
        self.work = os.path.join(args.work, "fdump-growth-%d" % os.getpid())
        os.makedirs(self.work)
        self.rng = random.Random(7)
        self.words = words(self.rng)
        run([self.fdump, "key", "new", "--no-passphrase", self.at("key")])
        self.to = ["--to", self.at("key.pub")]
        self.env = dict(os.environ, RESTIC_PASSWORD="x", HOME=self.work, XDG_CACHE_HOME=self.at("cache"))
        self.rows = []
    def at(self, *names):
        return os.path.join(self.work, *names)
    def text(self, size):
        out = bytearray()
        while len(out) < size:
            out += b" ".join(self.rng.choices(self.words, k=12)) + b"\n"
        return bytes(out[:size])
    def tree(self, root, count, dirs, sizes=(100, 2000)):
        """Files in two levels of folders, times of long ago."""
        files = []
        for i in range(count):
            sub = os.path.join(root, "group%02d" % (i % dirs // 20), "folder%04d" % (i % dirs))
            if i < dirs:
                os.makedirs(sub)
            files.append(os.path.join(sub, "file-%06d.txt" % i))
            with open(files[-1], "wb") as f:
                f.write(self.text(self.rng.randint(*sizes)))
            t = self.rng.randint(1_500_000_000 * 10**9, 1_700_000_000 * 10**9)
            os.utime(files[-1], ns=(t, t))
        return files
    def start(self):
        for name in ("st", "repo", "state", "cache"):
            shutil.rmtree(self.at(name), ignore_errors=True)
        run([self.fdump, "store", "init", self.at("st")])
        run([self.restic, "-q", "-r", self.at("repo"), "init"], env=self.env)
    def backup(self, tree, state="state", host="one", more=((), ())):
        """Returns how much each store grew: fdump's, the index's share of it, restic's."""
        time.sleep(4)   # changes must be older than a few seconds
        st, index, repo = du(self.at("st")), du(self.at("st", "index")), du(self.at("repo"))
        run([self.fdump, "backup", "-s", self.at("st"), *self.to, "--state", self.at(state), *more[0], "-C", tree, "."])
        run([self.restic, "-q", "-r", self.at("repo"), "backup", "--host", host, *more[1], "."], env=self.env, cwd=tree)
        return du(self.at("st")) - st, du(self.at("st", "index")) - index, du(self.at("repo")) - repo
    def row(self, name, grown, goal):
        ours, index, theirs = grown
        self.rows.append((name, ours, index, theirs))
        print("%-22s fdump %11d  (index %9d)  restic %11d  ratio %5.2f  goal %.1f" %
              (name, ours, index, theirs, ours / theirs, goal), flush=True)
    def append(self, files, count):
        for f in self.rng.sample(files, count):
            with open(f, "ab") as g:
                g.write(self.text(60))
    def rewrite(self, files, count):
        for f in self.rng.sample(files, count):
            size = os.path.getsize(f)
            with open(f, "wb") as g:
                g.write(self.text(size))
    def rounds(self, count=20_000, dirs=200, name="rounds"):
        tree = self.at("tree")
        files = self.tree(tree, count, dirs)
        self.start()
        self.row(name + " first", self.backup(tree), 1)
        total = [0, 0, 0]
        for _ in range(3):
            self.append(files, 20)
            total = [a + b for a, b in zip(total, self.backup(tree))]
        self.row(name + ", three", total, 1)
    def large(self):
        self.rounds(110_000, 1100, "large")
    def chown(self):
        tree = self.at("tree")
        files = self.tree(tree, 20_000, 200)
        self.start()
        self.backup(tree)
        self.rewrite(files, len(files) // 100)
        for f in files:
            if os.getuid() == 0:
                os.chown(f, 1234, 1234)
            else:
                os.chmod(f, 0o600)
        self.row("chown", self.backup(tree), 1.3)
    def moved(self):
        tree, other = self.at("tree"), self.at("disk", "tree")
        self.tree(tree, 20_000, 200)
        self.start()
        self.backup(tree)
        os.makedirs(self.at("disk"))
        mounted = os.getuid() == 0 and subprocess.run(["mount", "-t", "tmpfs", "-o", "size=500m", "none", self.at("disk")]).returncode == 0
        run(["cp", "-a", tree, other])
        files = sorted(os.path.join(p, f) for p, _, fs in os.walk(other) for f in fs)
        self.rewrite(files, len(files) // 100)
        try:
            self.row("moved", self.backup(other), 1.3)
        finally:
            if mounted:
                run(["umount", self.at("disk")])
    def renamed(self):
        tree = self.at("tree")
        self.tree(tree, 20_000, 200)
        self.start()
        self.backup(tree)
        for p, ds, _ in list(os.walk(tree)):
            for d in sorted(ds)[::2]:
                if d.startswith("folder"):
                    os.rename(os.path.join(p, d), os.path.join(p, d + "-old"))
        self.row("renamed", self.backup(tree), 1.3)
    def btrfs(self):
        if os.getuid() != 0 or not shutil.which("mkfs.btrfs"):
            return print("btrfs: left out")
        img, m, s = self.at("img"), self.at("m"), self.at("s")
        with open(img, "wb") as f:
            f.truncate(400 << 20)
        os.makedirs(m)
        os.makedirs(s)
        run(["mkfs.btrfs", "-q", img])
        run(["mount", "-o", "loop", img, m])
        try:
            run(["btrfs", "subvolume", "create", m + "/day"])
            files = self.tree(m + "/day/tree", 5000, 50, (2000, 20000))
            self.start()
            total = [0, 0, 0]
            for day in range(4):
                if day > 0:
                    self.rewrite(files, len(files) // 10)
                run(["btrfs", "subvolume", "snapshot", "-r", m + "/day", "%s/snap%d" % (m, day)])
                run(["mount", "--bind", "%s/snap%d" % (m, day), s])
                try:
                    grown = self.backup(s)
                finally:
                    run(["umount", s])
                if day > 0:
                    total = [a + b for a, b in zip(total, grown)]
            self.row("btrfs, three days", total, 1.3)
        finally:
            run(["umount", m])
    def usr(self):
        """Files of half of the packages here, at most 1 MiB each; each machine lacks some of them."""
        packages = sorted(os.path.basename(p) for p in glob.glob("/var/lib/dpkg/info/*.list"))
        packages = random.Random(1).sample(packages, len(packages) // 2)
        old, share = self.to, {"a fiftieth": 50, "a tenth": 10}
        run([self.fdump, "key", "new", "--shared", "--no-passphrase", self.at("shared")])
        self.to = ["--to", self.at("shared.pub")]
        for what, part in share.items():
            self.start()
            for machine in ("one", "two"):
                lacks = set(random.Random(machine).sample(packages, len(packages) // part))
                self.install(self.at("tree"), [p for p in packages if p not in lacks])
                grown = self.backup(self.at("tree"), "state-" + machine, machine)
                self.row("usr, %s, %s" % (what, machine), grown, 1.5)
                shutil.rmtree(self.at("tree"))
                shutil.rmtree(self.at("state-" + machine))
        self.to = old
    def install(self, root, packages):
        for package in packages:
            with open("/var/lib/dpkg/info/" + package) as f:
                for path in f.read().split("\n"):
                    if path.startswith("/usr/") and os.path.isfile(path) and os.path.getsize(path) <= 1 << 20:
                        os.makedirs(os.path.dirname(root + path), exist_ok=True)
                        if not os.path.lexists(root + path):
                            shutil.copy2(path, root + path, follow_symlinks=False)
    def all(self, only):
        for name in only:
            getattr(self, name)()
            shutil.rmtree(self.at("tree"), ignore_errors=True)

def main():
    names = ["rounds", "large", "chown", "moved", "renamed", "btrfs", "usr"]
    p = argparse.ArgumentParser()
    p.add_argument("--work", default="/var/tmp")
    p.add_argument("--restic", default="restic")
    p.add_argument("--only", default=",".join(names))
    p.add_argument("fdump")
    args = p.parse_args()
    bench = Bench(args)
    try:
        bench.all(args.only.split(","))
    finally:
        shutil.rmtree(bench.work, ignore_errors=True)

if __name__ == "__main__":
    main()
