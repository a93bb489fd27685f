"""golden.py - packs that are kept for ever: reading them must give the same result as on the day they were made.

usage: golden.py check FDUMP DIR      each DIR/NAME.fdump: verify, both readers' lists, unpack
       golden.py make FDUMP DIR NEW   packs as FDUMP makes them today, into NEW; for a new version of the format

Beside NAME.fdump are NAME.list, a line of JSON for each entry as reader.py prints it, and NAME.tree, the same for
each object that unpacking creates. Never change one of these files; add new ones.
"""
import base64, hashlib, json, os, re, shutil, stat, subprocess, sys, tempfile

from reader import Digest

HERE = os.path.dirname(os.path.abspath(__file__))
MTIME = 1700000000123456789
# What a reader of the pack needs, and the exit status of verify and unpack; by default nothing, and 0.
KEYS = {"sealed-key": ["--key", "golden.key"], "sealed-passphrase": ["--passphrase-file", "golden.passphrase"]}
STATUS = {"command": (1, 1), "concatenated": (1, 1), "statuses": (1, 1), "incomplete": (1, 1)}


def run(want, *command, **more):
    p = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **more)
    if p.returncode != want:
        sys.exit("%s: exit %d, not %d\n%s" % (" ".join(command), p.returncode, want, p.stdout.decode(errors="replace")))
    return p.stdout.decode()


def text(path):
    return os.fsencode(path).decode("latin-1")


def sparse_sum(f, size):
    """pack/FORMAT.md, section 4.5."""
    digest, at = Digest(), 0
    while at < size:
        try:
            data = os.lseek(f.fileno(), at, os.SEEK_DATA)
            end = os.lseek(f.fileno(), data, os.SEEK_HOLE)
        except OSError:  # a hole up to the end
            data = end = size
        digest.hole(data - at)
        for at in range(data, end, 1 << 20):
            digest.data(os.pread(f.fileno(), min(1 << 20, end - at), at))
        at = end
    return digest.digest().hex()


def tree(top):
    """A line for each object except the target: what unpacking produces as any user on any file system."""
    lines, names = [], {}
    for where, dirs, files in os.walk(top):
        dirs.sort()
        for path in [where] + [os.path.join(where, f) for f in sorted(files + [d for d in dirs if os.path.islink(
                os.path.join(where, d))])]:
            s, shown = os.lstat(path), os.path.relpath(path, top)
            if shown == ".":
                continue
            row = {"path": text(shown), "type": stat.filemode(s.st_mode)[0], "mtime": s.st_mtime_ns}
            if stat.S_ISLNK(s.st_mode):
                row["target"] = text(os.readlink(path))
            else:
                row["mode"] = oct(s.st_mode & 0o777)
            if stat.S_ISREG(s.st_mode):
                with open(path, "rb") as f:
                    if s.st_size > 1 << 30:
                        row["sparse_sha256"] = sparse_sum(f, s.st_size)
                    else:
                        row["sha256"] = hashlib.sha256(f.read()).hexdigest()
                row["same"] = names.setdefault((s.st_dev, s.st_ino), row["path"])
            lines.append(json.dumps(row))
    return "".join(line + "\n" for line in lines)


def list_of(folder, name):
    """The second reader's list; it needs the bare secret, which in the key file comes after the public
    half."""
    options, bare = [], tempfile.NamedTemporaryFile("w")
    if name == "sealed-passphrase":
        options = KEYS[name]
    elif name in KEYS:
        with open(os.path.join(folder, "golden.key")) as f:
            body = base64.b64decode("".join(f.read().split("\n")[1:]))
        bare.write(body[32:64].hex())
        bare.flush()
        options = ["--secret-hex", bare.name]
    return run(0, sys.executable, os.path.join(HERE, "reader.py"), "list", name + ".fdump", *options, cwd=folder)


def keys_of(folder, name, where):
    """The options that open it. Secret files must be unreadable for others, a mode that git does not keep."""
    if name not in KEYS:
        return []
    option, secret = KEYS[name]
    shutil.copy(os.path.join(folder, secret), where)
    os.chmod(os.path.join(where, secret), 0o600)
    return [option, os.path.join(where, secret)]


def read(fdump, folder, name):
    """Verifies and unpacks. Returns (list, tree)."""
    pack, to, own = name + ".fdump", tempfile.mkdtemp(), tempfile.mkdtemp()
    verified, unpacked = STATUS.get(name, (0, 0))
    keys = keys_of(folder, name, own)
    try:
        run(verified, fdump, "verify", *keys, pack, cwd=folder)
        run(unpacked, fdump, "unpack", "--numeric-owner", "-f", pack, "-C", to, *keys, cwd=folder)
        return list_of(folder, name), tree(to)
    finally:
        run(0, "chmod", "-R", "u+rwx", to)
        shutil.rmtree(to)
        shutil.rmtree(own)


def check(fdump, folder):
    names = sorted(f[:-6] for f in os.listdir(folder) if f.endswith(".fdump"))
    assert names, "no golden packs"
    commands = run(0, fdump, "--help")
    for name in names:
        for what, have in zip(("list", "tree"), read(fdump, folder, name)):
            with open(os.path.join(folder, name + "." + what)) as f:
                want = f.read()
            if have != want:
                sys.exit("%s.%s differs. Today:\n%s" % (name, what, have))
        if re.search(r"^ +list\b", commands, re.M):
            with tempfile.TemporaryDirectory() as own:
                listed = run(0, fdump, "list", "-f", name + ".fdump", *keys_of(folder, name, own), cwd=folder)
            with open(os.path.join(folder, name + ".list")) as f:
                entries = len(f.readlines())
            if len(listed.splitlines()) != entries:
                sys.exit("%s: list has %d entries" % (name, len(listed)))
    print("%d golden packs" % len(names))


# --- making new packs ------------------------------------------------------------

def settle(top):
    """The same times for everything, except one before 1970."""
    for where, dirs, files in os.walk(top, topdown=False):
        for f in files + [d for d in dirs if os.path.islink(os.path.join(where, d))]:
            os.utime(os.path.join(where, f), ns=(MTIME, -1500000000 if f == "old" else MTIME), follow_symlinks=False)
        os.utime(where, ns=(MTIME, MTIME))


def sources(top):
    os.makedirs(top + "/tree/sub/empty")
    os.makedirs(top + "/links/other")
    os.makedirs(top + "/holes")
    os.makedirs(top + "/large-holes")
    for path, content in {"tree/text": b"text\n" * 200, "tree/sub/old": b"", "tree/sub/noise": bytes(
            hashlib.shake_128(b"noise").digest(3000)), "tree/odd\n\x1b": b"odd", "links/first": b"one file"}.items():
        with open(os.path.join(top, path), "wb") as f:
            f.write(content)
    with open(os.fsencode(top) + b"/tree/\xff\xfe", "wb") as f:
        f.write(b"no UTF-8")
    os.chmod(top + "/tree/text", 0o640)
    os.symlink("../nowhere", top + "/tree/sub/soft")
    os.mkfifo(top + "/tree/sub/fifo", 0o600)
    os.chmod(top + "/tree/sub/empty", 0o711)
    for name in ("beside", "other/below"):
        os.link(top + "/links/first", top + "/links/" + name)
    with open(top + "/holes/holes", "wb") as f:
        f.truncate(1 << 20)
        f.seek(300000)
        f.write(b"data")
    with open(top + "/holes/all", "wb") as f:
        f.truncate(200000)
    with open(top + "/large-holes/image", "wb") as f:
        f.truncate((1 << 40) + 5)
        for at in (100, 1 << 30, (1 << 40) + 2):
            f.seek(at)
            f.write(b"data"[:(1 << 40) + 5 - at])
    with open(top + "/large-holes/lastlog", "wb") as f:
        f.truncate(1 << 31)
    settle(top)


def incomplete(path):
    from packmake import Pack
    p = Pack(id=b"golden incomplet")
    p.entry(b"file", data=[b"without its attributes"], tail={"S": 7, "e": [0, 5]})
    p.entry(b"directory", type=2, tail={"S": 7, "e": [0, 5]})
    p.entry(b"soft", type=3, head={"L": b"file"}, tail={"S": 7, "e": [0, 5]})
    p.entry(b"gone", type=3, head={"L": b"file"}, tail={"S": 5})
    with open(path, "wb") as f:
        f.write(p.finish())


def statuses(path):
    from packmake import MTIME as mtime, Pack
    p = Pack(id=b"golden statuses.")
    p.entry(b"changed", data=[b"was written to"], tail={"S": 1, "c": ["size", "mtime", "ctime", "inode"], "t": mtime})
    p.entry(b"grown", data=[b"grew"], tail={"S": 2})
    p.entry(b"shrunk", data=[b"shr"], head={"s": 9}, tail={"S": 3})
    p.entry(b"read-error", data=[b"so far"], head={"s": 99}, tail={"S": 4, "e": [6, 5]})
    p.entry(b"vanished", tail={"S": 5})
    p.entry(b"command", type=9, data=[b"output"], tail={"S": 6, "X": 3})
    p.entry(b"directory", type=2, tail={"S": 4, "e": [0, 13]})
    p.entry(b"passed-by", data=[b"a key that is not known"], head={"later": [1, {"x": "y"}]}, tail={"z": True})
    with open(path, "wb") as f:
        f.write(p.finish())


def make(fdump, folder, new):
    os.mkdir(new)
    for f in ("golden.key", "golden.passphrase", "golden.key.pub"):
        if os.path.exists(os.path.join(folder, f)):
            shutil.copy(os.path.join(folder, f), new)
    if not os.path.exists(new + "/golden.key"):
        run(0, fdump, "key", "new", "--no-passphrase", new + "/golden.key")
        with open(new + "/golden.passphrase", "w") as f:
            f.write("a golden passphrase\n")
    os.chmod(new + "/golden.key", 0o600)
    os.chmod(new + "/golden.passphrase", 0o600)
    with tempfile.TemporaryDirectory() as top:
        sources(top)
        with open(top + "/program", "w") as f:
            f.write("#!/bin/sh\necho output\nexit $1\n")
        os.chmod(top + "/program", 0o755)

        def pack(name, source, *options, status=0):
            run(status, fdump, "pack", "-f", "%s/%s.fdump" % (new, name), "-C", top + "/" + source, "--numeric-owner",
                *options)
        pack("plain", "tree", "--level", "0", ".")
        pack("compressed", "tree", "--level", "3", ".")
        pack("reproducible", "tree", "--reproducible", ".")
        pack("sealed-key", "tree", "--to", new + "/golden.key.pub", ".")
        pack("sealed-passphrase", "tree", "--passphrase-file", new + "/golden.passphrase", ".")
        pack("links", "links", ".")
        pack("holes", "holes", ".")
        pack("large-holes", "large-holes", ".")
        pack("empty", "tree/sub/empty", ".")
        pack("command", ".", "--command", "good=%s/program 0" % top, "--command", "bad=%s/program 3" % top, status=1)
    statuses(new + "/statuses.fdump")
    incomplete(new + "/incomplete.fdump")
    with open(new + "/concatenated.fdump", "wb") as out:
        for name in ("links", "command"):
            with open("%s/%s.fdump" % (new, name), "rb") as f:
                shutil.copyfileobj(f, out)
    for name in sorted(f[:-6] for f in os.listdir(new) if f.endswith(".fdump")):
        for what, have in zip(("list", "tree"), read(fdump, new, name)):
            with open("%s/%s.%s" % (new, name, what), "w") as f:
                f.write(have)


if sys.argv[1:2] == ["check"] and len(sys.argv) == 4:
    os.umask(0o022)
    check(*map(os.path.abspath, sys.argv[2:]))
elif sys.argv[1:2] == ["make"] and len(sys.argv) == 5:
    os.umask(0o022)
    make(*map(os.path.abspath, sys.argv[2:]))
else:
    sys.exit(__doc__)
