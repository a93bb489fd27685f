#!/usr/bin/env python3
"""races.py - a second process that swaps, grows, cuts and removes what fdump packs, or unpacks into.

usage: races.py FDUMP [--flips N] [--seconds N] [--user]

unpack: while packs are unpacked again and again, a second process swaps a directory of the target for
a symbolic link to a folder outside and back, N times (100,000): nothing outside is made, written,
changed or removed. pack: while a tree is packed again and again, its files grow, shrink, are replaced,
removed, swapped for a link to a secret, a FIFO, a device, and directories for links to a folder with
a secret: the secret is in no pack, every pack is valid (verify's status at most 1), fdump ends, its
status is 1 where verify's is, and files that do not change come out unchanged. With --user (run
as root) it works as user 65534, otherwise as the caller.
Prints a count at the end; exit status 1 if something was wrong.
"""
import argparse, ctypes, multiprocessing, os, random, shutil, stat, subprocess, sys, tempfile, time

SECRET = b"a secret that is in no pack: 4b1d"
libc = ctypes.CDLL(None, use_errno=True)
AT_FDCWD, EXCHANGE = -100, 2


def exchange(a, b):
    return libc.renameat2(AT_FDCWD, os.fsencode(a), AT_FDCWD, os.fsencode(b), EXCHANGE) == 0


def outside(folder):
    """Everything that can change in a folder, including times except the last access."""
    out = {}
    for top, dirs, files in os.walk(folder):
        for name in [".", *dirs, *files]:
            path = os.path.join(top, name)
            st = os.lstat(path)
            text = open(path, "rb").read() if stat.S_ISREG(st.st_mode) else b""
            out[path] = (st.st_ino, st.st_mode, st.st_uid, st.st_gid, st.st_size, st.st_mtime_ns, st.st_ctime_ns, st.st_nlink, text)
    return out


class Runner:
    def __init__(self, fdump, user):
        self.fdump, self.user, self.failures = fdump, user, 0

    def run(self, *args, **more):
        command = [self.fdump, *args]
        if self.user:
            command = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", *command]
        try:
            return subprocess.run(command, capture_output=True, timeout=60, **more)
        except subprocess.TimeoutExpired:
            self.bad("did not end: %s" % " ".join(args))
            return None

    def bad(self, text):
        self.failures += 1
        print("FAILED", text, flush=True)


def swapper(target, out, flips, done):
    """Swaps target/d and target/d/e for links that lead outside."""
    pairs = []
    for i, name in enumerate(("d", "d/e", "d/file")):
        link = os.path.join(os.path.dirname(target), "swap-%d" % i)
        os.symlink(out if name != "d/file" else out + "/victim", link)
        pairs.append((os.path.join(target, name), link))
    n = 0
    while done.value < flips:
        path, link = pairs[n % 3]
        n += 1
        if exchange(path, link):
            time.sleep(random.random() * 2e-4)
            exchange(path, link)
            done.value += 2
            time.sleep(random.random() * 2e-4)


def unpack(r, top, flips, end):
    tree, target, out = (os.path.join(top, n) for n in ("u-tree", "u-target", "u-outside"))
    os.makedirs(tree + "/d/e/f")
    os.makedirs(out + "/e/f")
    for name in ("victim", "file", "e/file", "e/f/file", "linked"):
        with open(os.path.join(out, name), "wb") as f:
            f.write(b"outside")
    for i in range(30):
        for name in ("d/%d", "d/e/%d", "d/e/f/%d"):
            with open(os.path.join(tree, name % i), "wb") as f:
                f.write(b"inside" * i * 20)
    for name in ("d/file", "d/e/file", "d/e/f/file", "d/linked"):
        with open(os.path.join(tree, name), "wb") as f:
            f.write(b"inside")
    with open(os.path.join(tree, "d/large"), "wb") as f:
        f.write(os.urandom(1_500_000))
    os.link(tree + "/d/linked", tree + "/d/e/f/linked")
    os.link(tree + "/d/linked", tree + "/d/victim")
    os.symlink("x", tree + "/d/e/sym")
    os.mkfifo(tree + "/d/e/fifo")
    os.chmod(tree + "/d/e", 0o711)
    if os.geteuid() == 0:
        os.chown(tree + "/d/e", 65534, 65534)
    pack = os.path.join(top, "u-pack")
    r.run("pack", "-f", pack, "-C", tree, "d")
    os.mkdir(target)
    if r.user:
        subprocess.run(["chown", "-R", "65534:65534", target, out], check=True)
    subprocess.run([r.fdump, "unpack", "-f", pack, "-C", target], check=True)
    if r.user:
        subprocess.run(["chown", "-R", "65534:65534", target], check=True)
    before = outside(out)
    done = multiprocessing.Value("q", 0, lock=False)
    second = multiprocessing.Process(target=swapper, args=(target, out, flips, done))
    second.start()
    runs = refused = 0
    while second.is_alive() and time.monotonic() < end:
        got = r.run("unpack", "-f", pack, "-C", target, "--threads", str(1 + runs % 2))
        runs += 1
        if got is None or got.returncode not in (0, 1, 2):
            r.bad("unpack: %s" % (got,))
        else:
            refused += got.returncode != 0
        if outside(out) != before:
            now = outside(out)
            r.bad("unpack: the outside has changed: %s" % [p for p in set(now) | set(before) if now.get(p) != before.get(p)])
            break
    second.kill()
    second.join()
    print("unpack: %d flips, %d runs, %d of them refused something" % (done.value, runs, refused), flush=True)
    return done.value


def meddler(tree, secrets, kinds, stop):
    n = 0
    while not stop.value:
        i, n = n % 40, n + 1
        path = "%s/f%02d" % (tree, i)
        aside = path + ".aside"
        kind = kinds[n // 40 % len(kinds)]
        try:
            if kind == "grow":
                with open(path, "ab") as f:
                    f.write(b"g" * 5000)
            elif kind == "shrink":
                os.truncate(path, os.stat(path).st_size // 2)
            elif kind == "empty":
                os.truncate(path, 0)
            elif kind == "replace":
                with open(aside, "wb") as f:
                    f.write(b"r" * 90_000)
                os.rename(aside, path)
            elif kind == "remove":
                os.unlink(path)
                with open(path, "wb") as f:
                    f.write(b"n" * 200_000)
            elif kind in ("link", "fifo", "device"):
                if kind == "link":
                    os.symlink(secrets + "/secret", aside)
                elif kind == "fifo":
                    os.mkfifo(aside)
                else:
                    os.mknod(aside, stat.S_IFCHR | 0o666, os.makedev(1, 5))
                for _ in range(20):
                    exchange(path, aside)
                if not stat.S_ISREG(os.lstat(path).st_mode):
                    exchange(path, aside)
                os.unlink(aside)
            elif kind == "directory":
                link = "%s/../swap-dir" % tree
                if not os.path.lexists(link):
                    os.symlink(secrets, link)
                for _ in range(20):
                    exchange(tree + "/dir", link)
                if os.path.islink(tree + "/dir"):
                    exchange(tree + "/dir", link)
        except OSError:
            pass


def pack(r, top, end, rounds):
    tree, secrets = os.path.join(top, "p", "tree"), os.path.join(top, "p-secrets")
    os.makedirs(tree + "/dir/sub")
    os.makedirs(secrets + "/sub")
    for name in ("secret", "sub/secret", "inner", "sub/inner"):
        with open(os.path.join(secrets, name), "wb") as f:
            f.write(SECRET)
    for i in range(40):
        with open("%s/f%02d" % (tree, i), "wb") as f:
            f.write(bytes([i]) * (3000 if i % 3 else 700_000))
    for name in ("inner", "sub/inner"):
        with open("%s/dir/%s" % (tree, name), "wb") as f:
            f.write(b"inner")
    still = {}
    for i in range(10):
        still["z%d" % i] = os.urandom(1000 * i + 150_000 * (i % 2))
        with open("%s/z%d" % (tree, i), "wb") as f:
            f.write(still["z%d" % i])
    if r.user:
        subprocess.run(["chown", "-R", "65534:65534", top + "/p"], check=True)
    kinds = ["grow", "shrink", "empty", "replace", "remove", "link", "fifo", "directory"]
    if os.geteuid() == 0:
        kinds.append("device")
    stop = multiprocessing.Value("b", 0, lock=False)
    second = multiprocessing.Process(target=meddler, args=(tree, secrets, kinds, stop))
    second.start()
    to, back = os.path.join(top, "out", "pack"), os.path.join(top, "back")
    os.mkdir(os.path.dirname(to))
    if r.user:
        os.chown(os.path.dirname(to), 65534, 65534)
    runs, statuses, words = 0, {}, {}
    while time.monotonic() < end and runs < rounds:
        got = r.run("pack", "--level", "0", "-f", to, "-C", tree, "--threads", str(1 + runs % 2), ".")
        runs += 1
        if got is None:
            continue
        statuses[got.returncode] = statuses.get(got.returncode, 0) + 1
        for word in (b"grew", b"shrank", b"changed while", b"removed while", b"replaced while", b"vanished", b"listed"):
            words[word.decode()] = words.get(word.decode(), 0) + got.stderr.count(word)
        if got.returncode not in (0, 1):
            r.bad("pack: status %d: %s" % (got.returncode, got.stderr[-300:]))
            continue
        with open(to, "rb") as f:
            if SECRET in f.read():
                r.bad("pack: a secret is in it")
        verified = r.run("verify", to)
        if verified is None or verified.returncode > got.returncode:
            r.bad("pack: status %d, and verify: %s" % (got.returncode, verified))
        os.mkdir(back)
        if r.user:
            os.chown(back, 65534, 65534)
        r.run("unpack", "-f", to, "-C", back)
        for name, content in still.items():
            try:
                with open(os.path.join(back, name), "rb") as f:
                    if f.read() != content:
                        r.bad("pack: %s differs from the file" % name)
            except OSError as e:
                r.bad("pack: %s" % e)
        shutil.rmtree(back)
    stop.value = 1
    second.join(5)
    second.kill()
    print("pack: %d runs, statuses %s, said: %s" % (runs, statuses, words), flush=True)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("fdump")
    p.add_argument("--flips", type=int, default=100_000)
    p.add_argument("--rounds", type=int, default=200)
    p.add_argument("--seconds", type=int, default=200)
    p.add_argument("--user", action="store_true")
    o = p.parse_args()
    os.umask(0o022)
    with tempfile.TemporaryDirectory(prefix="races.") as top:
        os.chmod(top, 0o755)
        fdump = os.path.join(top, "fdump")  # the build folder may be inaccessible to other users
        shutil.copy(o.fdump, fdump)
        if o.user:
            os.chown(top, 65534, 65534)
        r = Runner(fdump, o.user)
        start = time.monotonic()
        if unpack(r, top, o.flips, start + o.seconds * 2 / 3) < o.flips:
            print("fewer flips than asked: the time was over")
        pack(r, top, time.monotonic() + o.seconds / 3, o.rounds)
    print("%d failed" % r.failures)
    sys.exit(1 if r.failures else 0)


if __name__ == "__main__":
    main()
