#!/usr/bin/env python3
"""pack.py [--data DIR] [--work DIR] [--rounds N] [--only WORD] FDUMP

Times fdump pack, unpack, verify and list side by side with the tools that people
use for the same work: A B A B ..., median of each, median of the ratios pair by
pair, and the goal. Data sets (test/bench/data.py) are made in DIR once and kept;
the output goes to /dev/shm and to --work, and is removed.

The data is read before every pair, so that both find it in the cache.
Unpacking goes into a new directory each time, and nothing is removed before
the end, because making many files soon after removing many is slow on ext4.
"""
import argparse, os, resource, shutil, statistics, subprocess, sys, time

HERE = os.path.dirname(os.path.abspath(__file__))


def run(command, cwd):
    """Seconds, peak KiB of the largest process."""
    start = time.monotonic()
    child = subprocess.Popen(["bash", "-c", command], cwd=cwd, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = status
    seconds = time.monotonic() - start
    if status != 0:
        sys.exit("failed (%d): %s" % (status, command))
    return seconds, usage.ru_maxrss


class Bench:
    def __init__(self, args):
        self.args = args
        self.shm = "/dev/shm/fdump-bench-%d" % os.getpid()
        self.work = os.path.join(args.work, "fdump-bench-%d" % os.getpid())
        os.makedirs(self.shm)
        os.makedirs(self.work)
        self.count = 0

    def data(self, kind):
        path = os.path.join(self.args.data, kind)
        if not os.path.exists(path):
            print("making %s" % path, flush=True)
            subprocess.run([sys.executable, HERE + "/data.py", kind, path], check=True)
        return path

    def warm(self, path):
        if path:
            subprocess.run("tar cf - %s | cat >/dev/null" % path, shell=True, stderr=subprocess.DEVNULL)

    def touch(self, path):
        """Touches as many pages as will be written. Pages that were free for seconds come from a virtual
        machine's host again at the first touch, which takes longer than all else. Also waits until
        no old data is being written."""
        os.sync()
        subprocess.run("tar cf - %s | dd bs=1M of=%s/touch 2>/dev/null" % (path, self.shm), shell=True,
                       stderr=subprocess.DEVNULL)
        os.unlink(self.shm + "/touch")

    def pair(self, name, goal, a, b, cwd="/", warm=None, after="true", touch=False):
        """Times a and b; {n} in them is replaced by a number that is never reused."""
        if self.args.only and self.args.only not in name:
            return
        times = [[], []]
        peak = 0
        for i in range(self.args.rounds + 1):
            for side, command in enumerate((a, b)):
                self.count += 1
                self.warm(warm)
                if touch:
                    self.touch(warm)
                seconds, kib = run(command.format(n=self.count, shm=self.shm, work=self.work), cwd)
                run(after.format(n=self.count, shm=self.shm, work=self.work), cwd)
                if i > 0:  # the first round warms up
                    times[side].append(seconds)
                if side == 0:
                    peak = max(peak, kib)
        ratio = statistics.median(x / y for x, y in zip(*times))
        print("%-34s %7.3f s  %7.3f s  ratio %.2f  goal %.2f  %s  (peak %.1f MiB)" % (
            name, statistics.median(times[0]), statistics.median(times[1]), ratio, goal,
            "ok" if ratio <= goal else "MISSED", peak / 1024), flush=True)

    def close(self):
        shutil.rmtree(self.shm, ignore_errors=True)
        shutil.rmtree(self.work, ignore_errors=True)


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--data", default="/var/tmp/fdump-bench-data")
    ap.add_argument("--work", default="/var/tmp")
    ap.add_argument("--rounds", type=int, default=5)
    ap.add_argument("--only", help="only the lines with this word")
    ap.add_argument("fdump")
    args = ap.parse_args()
    args.fdump = os.path.abspath(args.fdump)
    os.makedirs(args.data, exist_ok=True)
    bench = Bench(args)
    f, shm, rm = args.fdump, bench.shm, "rm -f {shm}/out-*"
    sets = {k: bench.data(k) for k in ("small", "lib", "big")}
    d = args.data
    print("%-34s %9s  %9s" % ("", "fdump", "other"))
    try:
        for kind, goal in (("small", 0.6), ("lib", 1.0), ("big", 1.0)):
            bench.pair("pack to memory, %s" % kind, goal, f + " pack --level 0 -f {shm}/out-{n} " + kind,
                       "tar cf {shm}/out-{n} " + kind, d, sets[kind], rm, True)
        for kind, goal in (("small", 0.75), ("lib", 1.0), ("big", 1.1)):
            bench.pair("pack through a pipe, %s" % kind, goal, f + " pack --level 0 %s | cat" % kind,
                       "tar cf - %s | cat" % kind, d, sets[kind])
        for kind in ("small", "lib"):
            bench.pair("pack against tar and sums, %s" % kind, 0.2, f + " pack --level 0 %s | cat" % kind,
                       "tar cf - %s | cat; find %s -type f -print0 | sort -z | xargs -0 sha256sum" % (kind, kind),
                       d, sets[kind])
        for kind in ("small", "lib"):
            bench.pair("pack --level 1, %s" % kind, 1.1, f + " pack -f {shm}/out-{n} " + kind,
                       "tar cf - %s | zstd -q -1 -T2 >{shm}/out-{n}" % kind, d, sets[kind], rm, True)
        for kind in ("small", "lib"):
            if args.only and args.only not in "size":
                continue
            run("%s pack -f %s/a %s; tar cf - %s | zstd -q -1 -T2 >%s/b" % (f, shm, kind, kind, shm), d)
            print("size at level 1, %-17s ratio %.3f  goal 1.02" % (
                kind, os.path.getsize(shm + "/a") / os.path.getsize(shm + "/b")), flush=True)
        for kind, goal in (("small", 0.8), ("lib", 1.0), ("big", 1.0)):
            run("%s pack --level 0 -f %s/p %s; tar cf %s/t %s" % (f, shm, kind, shm, kind), d)
            bench.pair("unpack, %s" % kind, goal, "mkdir {work}/{n}; " + f + " unpack -f {shm}/p -C {work}/{n}",
                       "mkdir {work}/{n}; tar xf {shm}/t -C {work}/{n}",
                       warm=sets[kind], touch=True, after="rm -rf {work}/*" if kind == "big" else "true")
            vgoal = 1 / 0.95 if kind == "big" else 1 / 1.6
            bench.pair("verify, %s" % kind, vgoal, f + " verify {shm}/p", "openssl dgst -sha256 {shm}/p")
            if kind == "small":
                bench.pair("list -v", 0.25, f + " list -v -f {shm}/p", "tar tvf {shm}/t")
                last = subprocess.run([f, "list", "-f", shm + "/p"], stdout=subprocess.PIPE).stdout.split(b"\n")[-2].decode()
                bench.pair("one member at the end (0.02 s)", 1.0, f + " cat -f {shm}/p " + last, "sleep 0.02")
    finally:
        bench.close()


if __name__ == "__main__":
    main()
