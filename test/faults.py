#!/usr/bin/env python3
"""faults.py - makes system calls and allocations of fdump fail one after the other, and checks the results.

usage: faults.py FDUMP SHIM.so [--only TEXT] [--stride N] [--sample N] [--seconds N] [--jobs N] [--seed N]
                 [--kinds calls,kill,malloc,short,limits]
       faults.py FDUMP SHIM.so --one RUN CALL ERROR N       one case; its files are kept

calls   strace makes the N-th openat, read, ... of a run fail with EIO, ENOSPC, EINTR, ..., N = 1, 2, 3
        until the run makes fewer calls
kill    the same, by SIGKILL
malloc  the preloaded shim (test/shim.c) makes the N-th allocation fail, and all from the N-th on
short   the shim makes reads and writes short at random (from a seed), and some fail with EINTR
limits  RLIMIT_FSIZE, RLIMIT_NOFILE (a file system that is full: cli/full.sh)

Runs: pack -f (over an older pack), pack into a pipe, unpack from a file and from a pipe, verify, list, diff; one
thread, and two. After each: the run ended by itself, in time, and by no signal; status 0 only if the result
is perfect (verify, and a deep comparison of the unpacked tree with the original; for users other than root, of what
they may restore); status 1 and up only with a message; an older pack is untouched, or replaced by a complete one; what
unpack left under a real name is correct; no temporary file is left, except after a kill.

--sample makes each kind of call fail with each error in N of the runs that make it, once each, at a random place;
--stride takes every N-th case from a random start, --seconds ends the campaign after that time. A line for
each failure, a count at the end; exit status 1 if there was one.
"""
import argparse, concurrent.futures, os, random, re, resource, shutil, stat, subprocess, sys, tempfile, threading, time

import compare, tree

SECONDS = 60
ERRORS = {
    "openat": "EIO EMFILE EACCES", "openat2": "EIO ENOSYS EAGAIN", "read": "EIO EINTR", "readv": "EIO EINTR", "pread64": "EIO EINTR",
    "write": "ENOSPC EIO EINTR", "writev": "ENOSPC EIO EINTR", "pwrite64": "ENOSPC EIO EINTR", "fsync": "EIO", "renameat": "EIO ENOSPC",
    "linkat": "EIO ENOSPC EPERM", "unlinkat": "EIO", "mkdirat": "EIO ENOSPC", "mknodat": "ENOSPC", "symlinkat": "ENOSPC", "fchownat": "EIO",
    "fchmod": "EIO", "chmod": "EIO", "utimensat": "EIO", "fsetxattr": "ENOSPC EIO", "setxattr": "ENOSPC", "fgetxattr": "EIO ENODATA", "lgetxattr": "EIO",
    "flistxattr": "EIO EOPNOTSUPP", "llistxattr": "EIO", "fremovexattr": "EIO", "getdents64": "EIO EINTR", "ftruncate": "EIO", "lseek": "EIO",
    "newfstatat": "EIO ESTALE", "readlinkat": "EIO", "ioctl": "EIO", "mmap": "ENOMEM", "close": "EIO", "fcntl": "EMFILE",
    "clone3": "EAGAIN", "getrandom": "EINTR ENOSYS", "rename": "EIO", "fallocate": "ENOSPC", "fadvise64": "EIO",
}
# Warnings that are no failure of the program: less is kept, and the program can't know.
LESS = {("fgetxattr", "ENODATA"), ("flistxattr", "EOPNOTSUPP")}
KILLED = ("openat", "read", "pwrite64", "linkat", "renameat", "mkdirat", "writev", "fsync", "unlinkat", "utimensat", "close", "fchmod")


class Place:
    """The tree, a pack of it, and an older pack; made once."""

    def __init__(self, fdump, shim, user, folder):
        self.fdump, self.shim, self.user, self.folder = fdump, shim, user, folder
        self.tree, self.pack, self.old = (os.path.join(folder, n) for n in ("tree", "pack", "old"))
        subprocess.run([sys.executable, tree.__file__, self.tree, "--small"], check=True)
        for to, what in ((self.pack, "."), (self.old, "dir")):
            subprocess.run([fdump, "pack", "-f", to, "-C", self.tree, what], check=True)
        with open(self.old, "rb") as f:
            self.old_bytes = f.read()
        self.scan = compare.scan(self.tree, user)
        commands = subprocess.run([fdump, "--help"], capture_output=True, text=True).stdout
        self.runs = {}
        for n in (1, 2):
            t = "--threads %d" % n
            self.runs["pack-file-%d" % n] = "pack -f {out} -C {tree} %s ." % t
            self.runs["unpack-file-%d" % n] = "unpack -f {pack} -C {target} %s" % t
            self.runs["verify-%d" % n] = "verify %s {pack}" % t
        self.runs["pack-pipe-1"] = "pack -C {tree} --threads 1 ."
        self.runs["pack-raw-1"] = "pack --level 0 -C {tree} --threads 1 ."
        self.runs["unpack-pipe-1"] = "unpack -C {target} --threads 1"
        self.runs["unpack-over-1"] = "unpack -f {pack} -C {target} --threads 1"
        self.runs["diff-1"] = "diff -f {pack} -C {tree}"
        if re.search(r"^  list ", commands, re.M):
            self.runs["list-1"] = "list -v -f {pack}"


def limit_setter(limit):
    def set_limit():
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if limit:
            resource.setrlimit(*limit)
    return set_limit


class Case:
    """One run under one fault."""

    def __init__(self, place, run, label):
        self.place, self.run, self.label = place, run, label
        self.wrong = []
        self.dir = tempfile.mkdtemp(dir=place.folder)
        self.target, self.out = os.path.join(self.dir, "target"), os.path.join(self.dir, "out", "pack")
        os.mkdir(self.target)
        os.mkdir(os.path.dirname(self.out))
        if run.startswith("pack"):
            shutil.copyfile(place.old, self.out)
        if run.startswith("unpack-over"):
            for name in ("plain", "symlink", "dir"):
                with open(os.path.join(self.target, name), "w") as f:
                    f.write("older")

    def go(self, prefix=(), env=None, limit=None):
        """Runs the command. Returns its status, negative for a signal."""
        p = self.place
        words = [w.format(out=self.out, tree=p.tree, pack=p.pack, target=self.target) for w in p.runs[self.run].split()]
        source = open(p.pack, "rb") if "pipe" in self.run and self.run.startswith("unpack") else subprocess.DEVNULL
        feeder = None
        if source != subprocess.DEVNULL:
            feeder = subprocess.Popen(["cat"], stdin=source, stdout=subprocess.PIPE)
            source.close()
            source = feeder.stdout
        piped = os.path.join(self.dir, "piped")
        with open(piped, "wb") as sink, open(os.path.join(self.dir, "errors"), "wb") as errors:
            # An output through a pipe.
            after = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=sink)
            child = subprocess.Popen([*prefix, p.fdump, *words], stdin=source, stdout=after.stdin, stderr=errors,
                                     env={**os.environ, **(env or {})}, preexec_fn=limit_setter(limit))
            after.stdin.close()
            if feeder:
                feeder.stdout.close()
            try:
                code = child.wait(SECONDS)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
                code = None
            after.wait()
            if feeder:
                feeder.wait()
        with open(os.path.join(self.dir, "errors"), "rb") as f:
            self.errors = f.read()
        self.code = code
        return code

    def bad(self, text):
        self.wrong.append(text)

    def verified(self, pack):
        """The status of fdump verify."""
        return subprocess.run([self.place.fdump, "verify", pack], capture_output=True).returncode

    def unpacked(self, pack):
        """The differences to what the pack holds, or None if it can't be unpacked completely."""
        to = os.path.join(self.dir, "check")
        os.mkdir(to)
        r = subprocess.run([self.place.fdump, "unpack", "-f", pack, "-C", to], capture_output=True)
        return compare.differences(self.place.scan, compare.scan(to, self.place.user)) if r.returncode == 0 else None

    def check_pack(self, killed, less):
        place = self.place
        result = os.path.join(self.dir, "piped") if "file" not in self.run else self.out
        if "file" in self.run:
            with open(self.out, "rb") as f:
                untouched = f.read() == place.old_bytes
            left = sorted(set(os.listdir(os.path.dirname(self.out))) - {"pack"})
            if left and not killed:
                self.bad("left behind: %s" % left)
            if not untouched and self.verified(self.out) > 1:
                self.bad("an incomplete pack under the real name")
            if self.code in (0, 1) and untouched:
                self.bad("status %d, and no new pack" % self.code)
            if untouched:
                return
        # verify's status 1: the pack itself marks entries as incomplete.
        if self.code in (0, 1) and self.verified(result) > self.code:
            self.bad("status %d, but the pack is incomplete" % self.code)
        if self.code == 0:
            found = self.unpacked(result)
            if found is None:
                self.bad("status 0, but it can't be unpacked completely")
            elif self.label.startswith("lseek"):
                found = [f for f in found if not f[1].startswith("holes are lost")]
            if found and not less:
                self.bad("status 0, and differences: %s" % found[:3])

    def check_unpack(self, killed, less):
        place, now = self.place, compare.scan(self.target, self.place.user)
        over = self.run.startswith("unpack-over")
        if self.code == 0:
            found = compare.differences(place.scan, now)
            if over:  # a target that is not empty keeps its own metadata
                found = [f for f in found if f[0] != b"."]
            if found and not less:
                self.bad("status 0, and differences: %s" % found[:3])
        for path, e in now.items():
            name = path.rsplit(b"/", 1)[-1]
            want = place.scan.get(path)
            if name.startswith(b".fdump-"):
                if not killed:
                    self.bad("left behind: %a" % path)
            elif want is None:
                self.bad("unexpected: %a" % path)
            elif over and path in (b"plain", b"symlink", b"dir") and e.get("size") == 5:
                continue
            elif e["type"] != want["type"]:
                self.bad("of another type: %a" % path)
            elif e.get("content") != want.get("content") or e.get("size") != want.get("size"):
                self.bad("partial under its real name: %a" % path)
            elif e.get("target") != want.get("target") or e.get("device") != want.get("device"):
                self.bad("leads elsewhere: %a" % path)

    def check(self, killed=False, less=False):
        if self.code is None:
            self.bad("did not end in %d s" % SECONDS)
        elif self.code == -6 and b"fips_enabled' in libgcrypt" in self.errors:
            return self.wrong  # libgcrypt aborts while it is loaded; nothing has begun
        elif any(own in self.errors for own in (
                b"Sanitizer: CHECK failed", b"Sanitizer failed to allocate", b"LeakSanitizer does not work", b"allocator_may_return_null")):
            return self.wrong  # the sanitizer gives up: it can't work without memory, or not under strace
        elif self.code < 0 and not killed:
            self.bad("signal %d" % -self.code)
        elif self.code > 8 and not killed:
            self.bad("status %d" % self.code)
        elif self.code > 0 and not self.errors and not (self.run.startswith("diff") and self.code == 1):
            self.bad("status %d without a message" % self.code)
        if b"Sanitizer" in self.errors or b"runtime error" in self.errors:
            self.bad("sanitizer")
        if self.run.startswith("pack"):
            self.check_pack(killed, less)
        elif self.run.startswith("unpack"):
            self.check_unpack(killed, less)
        elif self.run.startswith(("diff", "list")) and self.code == 0:
            with open(os.path.join(self.dir, "piped"), "rb") as f:
                text = f.read()
            if self.run.startswith("diff") and text:
                self.bad("diff: status 0 with differences")
            if self.run.startswith("list") and text.count(b"\n") < len(self.place.scan):
                self.bad("list: status 0, but only a part")
        return self.wrong

    def clean(self):
        tree.remove(self.dir)


class Campaign:
    def __init__(self, place, options):
        self.place, self.o = place, options
        self.cases, self.failures, self.outcomes = 0, 0, {}
        self.end = time.monotonic() + options.seconds if options.seconds else None
        self.lock = threading.Lock()
        self.random = random.Random(options.seed)

    def over(self):
        return self.end is not None and time.monotonic() > self.end

    def judge(self, case, killed=False, less=False):
        try:
            wrong = case.check(killed, less)
        except OSError as e:
            wrong = case.wrong + ["could not be looked at: %s" % e]
        with self.lock:
            self.cases += 1
            self.outcomes[case.code] = self.outcomes.get(case.code, 0) + 1
            for text in wrong:
                self.failures += 1
                print("FAILED %s %s: %s | %s" % (case.run, case.label, text, case.errors[-200:].decode(errors="replace").strip()), flush=True)
        if not self.o.one:
            case.clean()

    def injected(self, run, call, what, n):
        """Runs one case with strace. Returns False if the run made fewer calls."""
        case = Case(self.place, run, "%s:%s:%d" % (call, what, n))
        log = os.path.join(case.dir, "strace")
        fault = "signal=SIGKILL" if what == "KILL" else "error=" + what
        case.go(["strace", "-f", "-qq", "-o", log, "-e", "trace=rt_sigaction," + call, "-e", "inject=%s:%s:when=%d" % (call, fault, n)])
        with open(log, "rb") as f:
            text = f.read()
        reached = b"(INJECTED)" in text or b"SIGKILL" in text
        # The loader's calls come before the program's first own one, and are not tested.
        own = text.find(b"rt_sigaction(SIGPIPE")
        if reached and (own < 0 or 0 <= text.find(b"(INJECTED)") < own):
            case.clean()
            return True
        self.judge(case, what == "KILL", (call, what) in LESS)
        return reached

    def places(self, run):
        """Call -> the values of N at which a fault would hit it: strace counts by thread, and the loader's
        calls are left out."""
        case = Case(self.place, run, "")
        log, ours, counts, found = os.path.join(case.dir, "strace"), False, {}, {}
        case.go(["strace", "-f", "-qq", "-o", log, "-e", "trace=rt_sigaction," + ",".join(ERRORS)])
        for line in open(log, errors="replace"):
            m = re.match(r"(\d+) +(\w+)\(", line)
            if not m:
                continue
            ours = ours or "rt_sigaction(SIGPIPE" in line
            n = counts[m.groups()] = counts.get(m.groups(), 0) + 1
            if ours:
                found.setdefault(m.group(2), set()).add(n)
        case.clean()
        return found

    def sampled(self, kinds):
        """For each call and error --sample runs, and a place in each."""
        places, tasks = {run: self.places(run) for run in self.place.runs}, []
        faults = [(call, what) for call in ERRORS for what in ERRORS[call].split()] if "calls" in kinds else []
        faults += [(call, "KILL") for call in KILLED] if "kill" in kinds else []
        for call, what in faults:
            runs = [r for r in places if call in places[r] and (what != "KILL" or r.startswith(("pack-file", "unpack")))]
            for run in self.random.sample(runs, min(self.o.sample, len(runs))):
                tasks.append((self.injected, run, call, what, self.random.choice(sorted(places[run][call]))))
        return tasks

    def calls(self, run, call, what):
        stride, n = self.o.stride, 1
        if stride > 1:
            n = self.random.randrange(1, stride + 1)
        while not self.over() and self.injected(run, call, what, n):
            n += stride

    def shim(self, run, label, **env):
        """Runs one case with the shim. Returns False if the run made fewer calls."""
        case = Case(self.place, run, label)
        said = os.path.join(case.dir, "shim")
        case.go(["env", "LD_PRELOAD=" + (self.o.preload + ":" if self.o.preload else "") + self.place.shim, "SHIM_SAID=" + said,
                 *("%s=%s" % (k, v) for k, v in env.items())])
        reached = os.path.exists(said)
        self.judge(case)
        return reached

    def mallocs(self, run, key):
        stride, n = self.o.stride, 1
        if stride > 1:
            n = self.random.randrange(1, stride + 1)
        while not self.over() and self.shim(run, "%s=%d" % (key, n), **{key: n}):
            n += stride

    def shorts(self, run, seeds):
        for seed in seeds:
            if not self.over():
                self.shim(run, "SHIM_SHORT=%d" % seed, SHIM_SHORT=seed)

    def limits(self, run):
        for size in (1000, 5000, 100_000, 500_000, 700_000):
            if self.over():
                return
            case = Case(self.place, run, "RLIMIT_FSIZE=%d" % size)
            case.go(limit=(resource.RLIMIT_FSIZE, (size, size)))
            self.judge(case)
        for files in range(6, 48, 1 + self.o.stride // 5):
            if self.over():
                return
            case = Case(self.place, run, "RLIMIT_NOFILE=%d" % files)
            case.go(limit=(resource.RLIMIT_NOFILE, (files, files)))
            self.judge(case)

    def tasks(self):
        kinds = self.o.kinds.split(",")
        out = self.sampled(kinds) if self.o.sample else []
        for run in self.place.runs:
            if "calls" in kinds and not self.o.sample:
                out += [(self.calls, run, call, what) for call in ERRORS for what in ERRORS[call].split()]
            if "kill" in kinds and not self.o.sample and run.startswith(("pack-file", "unpack")):
                out += [(self.calls, run, call, "KILL") for call in KILLED]
            if "malloc" in kinds:
                out += [(self.mallocs, run, key) for key in ("SHIM_MALLOC", "SHIM_MALLOC_FROM")]
            if "short" in kinds:
                out.append((self.shorts, run, [self.random.randrange(1, 1 << 30) for _ in range(max(2, 40 // self.o.stride))]))
            if "limits" in kinds:
                out.append((self.limits, run))
        out = [t for t in out if self.o.only in " ".join(map(str, t[1:]))]
        self.random.shuffle(out)
        return out

    def run(self):
        if self.o.one:
            run, call, what, n = self.o.one
            if call.startswith("SHIM"):
                self.shim(run, "", **{call: what})
            else:
                self.injected(run, call, what, int(n))
            return
        with concurrent.futures.ThreadPoolExecutor(self.o.jobs) as pool:
            for task in [pool.submit(*t) for t in self.tasks()]:
                task.result()


def main():
    p = argparse.ArgumentParser()
    p.add_argument("fdump")
    p.add_argument("shim")
    p.add_argument("--only", default="")
    p.add_argument("--stride", type=int, default=1)
    p.add_argument("--sample", type=int, default=0)
    p.add_argument("--seconds", type=int, default=0)
    p.add_argument("--seed", type=int, default=time.time_ns() % 10**6)
    p.add_argument("--jobs", type=int, default=2)
    p.add_argument("--kinds", default="calls,kill,malloc,short,limits")
    p.add_argument("--preload", default="")
    p.add_argument("--one", nargs=4)
    o = p.parse_args()
    compare.prepare()
    folder = tempfile.mkdtemp(prefix="faults.")
    started = time.monotonic()
    try:
        c = Campaign(Place(os.path.abspath(o.fdump), os.path.abspath(o.shim), os.geteuid() != 0, folder), o)
        c.run()
    finally:
        if o.one:
            print("files are in", folder)
        else:
            tree.remove(folder)
    statuses = ", ".join("%s: %d" % (k, v) for k, v in sorted(c.outcomes.items(), key=str))
    print("%d cases (seed %d, %.0f s), %d failed; statuses %s" % (c.cases, o.seed, time.monotonic() - started, c.failures, statuses))
    sys.exit(1 if c.failures else 0)


if __name__ == "__main__":
    main()
