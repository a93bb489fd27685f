#!/usr/bin/env python3
"""hostile_run.py - unpacks, verifies, lists and compares every pack of hostile.py, and checks the effects.

usage: hostile_run.py FDUMP [--user] [--long] [--sample N I] [--only TEXT] [--keep]     run as root
--user   the program runs as uid 65534 with no groups; --only: cases whose name contains TEXT
--sample of each kind of case (A01, ...) only the I-th of every N, or the last
--keep   only the first case, and its files are kept

For each case: unpack (and verify, list, list -v, list --json, diff) ends by itself, in 20 s (120 with --long) and 600 MB
of address space (not with sanitizers), by no signal, with an exit status that the case allows; nothing outside the target
is written, linked, changed or removed (names, inodes, modes, owners, times, content, attributes are
compared); the target contains what the case says; verify, list and diff change nothing at all; list prints no
control character. A line for each failure, a count at the end; exit status 1 if there was one.
"""
import json, os, re, resource, signal, stat, subprocess, sys, tempfile

import hostile

NOBODY, SECONDS, MEMORY = 65534, 20, 600 << 20
CONTROL = re.compile(rb"[\x00-\x08\x0b-\x1f\x7f]|\xc2[\x80-\x9f]|\xe2\x80[\x8b-\x8f\xaa-\xae]")


def limits():
    if MEMORY:
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.umask(0)


class Runner:
    def __init__(self, program, user, patience):
        self.program, self.user, self.patience = os.path.abspath(program), user, patience
        self.failures, self.checks, self.slowest, self.known = 0, 0, (0, ""), {}
        self.seconds, self.last = {}, 0  # of unpack, by case; of the last run

    def run(self, *args, prefix=()):
        """Returns (exit status, output, errors); -signal if it was killed, None if it took too long."""
        command = [*prefix, self.program, *args]
        if self.user:
            command = ["setpriv", "--reuid", str(NOBODY), "--regid", str(NOBODY), "--clear-groups", *command]
        before = os.times()
        try:
            r = subprocess.run(command, preexec_fn=limits, timeout=self.patience, stdin=subprocess.DEVNULL, capture_output=True)
        except subprocess.TimeoutExpired:
            return None, b"", b""
        after = os.times()
        self.last = round(after.elapsed - before.elapsed, 2)
        self.slowest = max(self.slowest, (self.last, " ".join(args[:3])))
        return r.returncode, r.stdout, r.stderr

    def linear(self, what, name):
        """Twice the input takes at most 2.5 times as long; times below 2 s are too noisy to judge."""
        n = int(re.match("[0-9]*", what).group() or 0)
        self.seconds[what] = self.last
        half = self.seconds.get(what.replace(str(n), str(n // 2), 1)) if n else None
        if half is not None and self.last > 2:
            self.check(self.last <= 2.5 * half, name, "%.2f s, and %.2f s for half of it" % (self.last, half))

    def has(self, command):
        """Whether the program has this command."""
        if command not in self.known:
            self.known[command] = self.run(command, "--help")[0] == 0
        return self.known[command]

    def check(self, good, name, text):
        self.checks += 1
        if not good:
            self.failures += 1
            print("FAILED %s: %s" % (name, text), flush=True)

    def ended(self, name, what, result, allowed):
        code, _, errors = result
        self.check(code is not None, name, "%s: still running after %d s" % (what, self.patience))
        if code is not None:
            self.check(code in allowed, name, "%s: exit status %d, expected %s: %s" % (
                what, code, allowed, errors[-300:].decode("utf-8", "replace").strip()))
            self.check(b"Sanitizer" not in errors and b"runtime error" not in errors, name, "%s: sanitizer" % what)


def entry(path):
    """The properties of one name that are compared, without following it."""
    s = os.lstat(path)
    what = {"ino": s.st_ino, "mode": s.st_mode, "uid": s.st_uid, "gid": s.st_gid, "nlink": s.st_nlink, "size": s.st_size,
            "mtime": s.st_mtime_ns, "ctime": s.st_ctime_ns, "rdev": s.st_rdev}
    try:
        what["xattrs"] = {n: os.getxattr(path, n, follow_symlinks=False) for n in os.listxattr(path, follow_symlinks=False)}
    except OSError:
        pass
    if stat.S_ISLNK(s.st_mode):
        what["content"] = os.readlink(path)
    elif stat.S_ISREG(s.st_mode) and s.st_size < 1 << 20:
        with open(path, "rb") as f:
            what["content"] = f.read()
    return what


def snapshot(top, without=None):
    """name -> entry of everything below top. The folder `without` and its contents are left out."""
    found = {".": entry(top)}
    if without:
        for key in ("mtime", "ctime", "nlink", "size"):
            del found["."][key]  # it contains the target
    for folder, dirs, files in os.walk(top):
        for name in dirs + files:
            path = os.path.join(folder, name)
            if path != without:
                found[os.path.relpath(path, top)] = entry(path)
        dirs[:] = [d for d in dirs if os.path.join(folder, d) != without]
    return found


def differences(a, b, allow):
    for name in sorted(set(a) | set(b)):
        x, y = a.get(name), b.get(name)
        if x is None or y is None:
            yield "%s was %s" % (name, "made" if x is None else "removed")
            continue
        for key in x:
            if x[key] != y.get(key) and not (key in ("nlink", "ctime") and os.path.basename(name).startswith(tuple(allow))):
                yield "%s: %s changed from %r to %r" % (name, key, x[key], y.get(key))


def wrong_inside(path, want):
    """The difference to what is wanted, or None."""
    try:
        s = os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None if want == "none" else "is not there"
    if want == "none":
        return "is there"
    kinds = {"file": stat.S_ISREG, "dir": stat.S_ISDIR, "link": stat.S_ISLNK, "char": stat.S_ISCHR, "block": stat.S_ISBLK}
    if not kinds[want["type"]](s.st_mode):
        return "is of another type"
    if "content" in want:
        with open(path, "rb") as f:
            if f.read() != want["content"].encode("latin-1"):
                return "has other content"
    for key, have in (("mode", stat.S_IMODE(s.st_mode)), ("uid", s.st_uid), ("links", s.st_nlink), ("size", s.st_size),
                      ("rdev", [os.major(s.st_rdev), os.minor(s.st_rdev)]),
                      ("xattrs", sorted(os.listxattr(path, follow_symlinks=False)))):
        if key in want and want[key] != have:
            return "%s is %r, not %r" % (key, have, want[key])
    return None


def set_up(spec, target, outside):
    for verb, name, argument in spec["setup"]:
        path, argument = os.path.join(target, name), argument.replace("OUTSIDE", outside)
        if verb == "symlink":
            os.symlink(argument, path)
        elif verb == "hardlink":
            os.link(argument, path, follow_symlinks=False)
        elif verb == "file":
            with open(path, "w") as f:
                f.write(argument)
        elif verb == "fifo":
            os.mkfifo(path)
        elif verb == "device":
            os.mknod(path, 0o666 | stat.S_IFCHR, os.makedev(1, 3))


def can_trace():
    try:
        return subprocess.run(["strace", "-qq", "-o", os.devnull, "true"], stderr=subprocess.DEVNULL).returncode == 0
    except FileNotFoundError:
        return False


def modes_traced(trace):
    """From strace: files that were created under their name and accessible to others, even for a moment."""
    for line in open(trace, errors="replace"):
        if "O_CREAT" in line or re.search(r"\b(mkdirat|mkdir|mknodat|mknod)\(", line):
            mode = re.findall(r"(0[0-7]*)(?:, makedev[^)]*)?\)\s+= \d", line)
            kind = re.findall(r"S_IF[A-Z]+\|(0[0-7]*)", line)
            for m in kind or mode[-1:]:
                if int(m, 8) & 0o077:
                    yield line.strip()


def one(runner, base, scratch, trace, keep):
    spec = json.load(open(base + ".json"))
    name = os.path.basename(base) + (" (user)" if runner.user else "")
    top = os.path.join(scratch, "top")
    target, outside = os.path.join(top, "target"), os.path.join(top, "outside")
    os.makedirs(os.path.join(outside, "dir"))
    for path, text in (("secret", "secret"), ("dir/kept", "kept"), ("linked", "linked")):
        with open(os.path.join(outside, path), "w") as f:
            f.write(text)
    os.mkfifo(os.path.join(outside, "linked.fifo"), 0o600)
    os.symlink("nowhere", os.path.join(outside, "linked.link"))
    for path in ("linked", "linked.fifo", "linked.link"):
        os.link(os.path.join(outside, path), os.path.join(outside, path + ".2"), follow_symlinks=False)
    os.mkdir(target)
    set_up(spec, target, outside)
    if runner.user:
        for folder, dirs, files in os.walk(scratch):
            for path in [folder] + [os.path.join(folder, n) for n in dirs + files]:
                os.lchown(path, NOBODY, NOBODY)
    packs = [base + (".%d" % (i + 1) if i else "") + ".fdump" for i in range(spec["packs"])]
    into = target
    if any(s[0] == "target-link" for s in spec["setup"]):
        into = os.path.join(scratch, "by-link")
        os.symlink(target, into)
        os.lchown(into, *[NOBODY if runner.user else 0] * 2)
    traced = any(s[0] == "trace-modes" for s in spec["setup"]) and can_trace() and not runner.user

    before = snapshot(scratch, target)
    for i, pack in enumerate(packs):
        prefix = ["strace", "-f", "-E", "ASAN_OPTIONS=detect_leaks=0", "-o", trace, "-e", "trace=openat,open,creat,mkdir,mkdirat,mknod,mknodat"] if traced else []
        result = runner.run("unpack", "-f", pack, "-C", into, *spec["options"], prefix=prefix)
        last = i == len(packs) - 1
        runner.ended(name, "unpack", result, spec["user" if runner.user else "root"] if last else [0, 1])
    runner.linear(spec["what"], name)
    for text in differences(before, snapshot(scratch, target), spec["allow"]):
        runner.check(False, name, "outside: " + text)
    runner.check(not os.path.lexists("/evil"), name, "outside: /evil was made")
    if traced:
        for line in modes_traced(trace):
            runner.check(False, name, "made open to others: " + line)
    inside = {**spec["inside"], **(spec["user_inside"] if runner.user else {})}
    for path, want in inside.items():
        why = wrong_inside(os.path.join(os.fsencode(target), path.encode("latin-1")), want)
        runner.check(why is None, name, "inside: %r %s" % (path, why))

    shallow = not os.path.basename(base).startswith(("A07", "A09"))
    before = snapshot(top) if shallow else {}
    for pack in packs:
        if runner.has("verify"):
            result = runner.run("verify", pack)
            runner.ended(name, "verify", result, spec["verify"])
            runner.check(spec["case"] != "F08" or b"damaged-member" in result[1] + result[2],
                         name, "verify does not name the damaged member")
        for args in (["list"], ["list", "-v"], ["list", "--json"]) if runner.has("list") else ():
            result = runner.run(*args, "-f", pack)
            runner.ended(name, " ".join(args), result, [0, 1, 2, 5, 6])
            runner.check(not CONTROL.search(result[1] + result[2]), name, "%s prints control characters" % args)
        if runner.has("diff"):
            runner.ended(name, "diff", runner.run("diff", "-f", pack, "-C", into), [0, 1, 2, 5, 6])
    for text in differences(before, snapshot(top) if shallow else {}, []):
        runner.check(False, name, "verify, list or diff: " + text)
    if not keep:
        subprocess.run(["chattr", "-R", "-f", "-i", "-a", top], stderr=subprocess.DEVNULL)
        subprocess.run(["rm", "-rf", *[os.path.join(scratch, n) for n in os.listdir(scratch)]], check=True)


def sample(bases, every, which):
    """Of each kind every n-th case, beginning with the given one, and at least one."""
    kinds = {}
    for base in bases:
        kinds.setdefault(os.path.basename(base).split(".")[0], []).append(base)
    return [base for kind in kinds.values() for base in kind[min(which, len(kind)) - 1::every]]


def main(args):
    global MEMORY
    with open(args[0] if args else os.devnull, "rb") as f:
        if re.search(b"__[at]san_init", f.read()):
            MEMORY = 0  # sanitizers reserve terabytes of address space
    only = args[args.index("--only") + 1] if "--only" in args else ""
    if not args or args[0].startswith("--"):
        sys.exit(__doc__)
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    base = tempfile.mkdtemp(prefix="hostile.")
    scratch, cases, trace = (os.path.join(base, n) for n in ("scratch", "cases", "trace"))
    os.chmod(base, 0o755)
    os.mkdir(scratch)
    runner = Runner(args[0], "--user" in args, SECONDS if "--long" not in args else 120)
    hostile.main([cases, os.path.join(scratch, "top", "outside")] + ["--long"] * ("--long" in args))
    bases = sorted(os.path.join(cases, f[:-5]) for f in os.listdir(cases) if f.endswith(".json") and only in f)
    if "--sample" in args:
        at = args.index("--sample")
        bases = sample(bases, int(args[at + 1]), int(args[at + 2]))
    for case in bases:
        one(runner, case, scratch, trace, "--keep" in args)
        if "--keep" in args:
            print("kept:", base)
            break
    else:
        subprocess.run(["rm", "-rf", base], check=True)
    print("%d cases, %d checks, %d failed; slowest %.2f s: %s" % (len(bases), runner.checks, runner.failures, *runner.slowest))
    sys.exit(runner.failures > 0)


if __name__ == "__main__":
    main(sys.argv[1:])
