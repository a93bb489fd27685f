#!/usr/bin/env python3
"""tree.py - makes a tree that is hard to pack and unpack without loss; compare.py tells the difference.

usage: tree.py DIR [--small] [--many N] [--levels N]      makes DIR, or uses it if empty
       tree.py --remove DIR

--small   some 80 entries of every kind, for campaigns that run thousands of times
--many    entries of the crowded directory (1500); --levels: depth of the deep one (1500)

Root gets everything; other users what they may make. Equal arguments make equal trees. Steps that the
file system refuses are named on standard error.
"""
import fcntl, glob, hashlib, os, random, shutil, socket, stat, struct, subprocess, sys

FS_IOC_GETFLAGS, FS_IOC_SETFLAGS = 0x80086601, 0x40086602
IMMUTABLE, APPEND, NODUMP, NOATIME = 0x10, 0x20, 0x40, 0x80
T0 = 1_500_000_000_000_000_000
NONE = 0xFFFFFFFF  # the id of an ACL entry that has none


def acl(*entries):
    """A POSIX ACL as an attribute: (tag, permissions, id)..."""
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *e) for e in entries)


USER_OBJ, USER, GROUP_OBJ, GROUP, MASK, OTHER = 1, 2, 4, 8, 16, 32
ACCESS = acl((USER_OBJ, 6, NONE), (USER, 4, 4242), (GROUP_OBJ, 4, NONE), (GROUP, 6, 77), (MASK, 4, NONE), (OTHER, 0, NONE))
DEFAULT = acl((USER_OBJ, 7, NONE), (USER, 5, 4242), (GROUP_OBJ, 5, NONE), (MASK, 5, NONE), (OTHER, 5, NONE))
CAPABILITY = struct.pack("<IIIII", 0x02000001, 1 << 13, 0, 0, 0)


class Tree:
    def __init__(self, top, seed=1):
        self.random, self.root = random.Random(seed), os.geteuid() == 0
        os.makedirs(top, exist_ok=True)
        if os.listdir(top):
            sys.exit("tree.py: %s is not empty" % top)
        os.umask(0o022)
        os.chdir(top)
        self.top = os.open(".", os.O_RDONLY)
        self.late, self.flagged = [], []

    def bytes(self, n):
        return self.random.randbytes(n)

    def may(self, what, call, *args, **more):
        """A step that a file system, or a plain user, may be refused."""
        try:
            return call(*args, **more)
        except OSError as e:
            print("tree.py: not possible here: %s: %s" % (what, e.strerror), file=sys.stderr)

    def file(self, path, content=None, mode=0o644):
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        content = self.bytes(20) if content is None else content
        while content:
            content = content[os.write(fd, content):]
        os.fchmod(fd, mode)
        os.close(fd)

    def sparse(self, path, size, *data):
        """data: (offset, length)..."""
        with open(path, "xb") as f:
            for offset, n in data:
                f.seek(offset)
                f.write(self.bytes(n))
            f.truncate(size)

    def dir(self, path, mode=0o755):
        os.makedirs(path, exist_ok=True)
        os.chmod(path, mode)

    def xattr(self, path, name, value=b"1"):
        if self.root or name.startswith("user.") or name.startswith("system."):
            self.may("%s of %a" % (name, path), os.setxattr, path, name, value, follow_symlinks=False)

    def names(self):
        odd = [b"\n", b"a\nb", b"\r", b"tab\tin", b" lead", b"trail ", b"-f", b"--", b"-", b"*", b"$(x)", b"`x`", b"\\", b"\\n",
               b"a\\", b"'", b'"', b";", b"...", b"..x", b"x..", b".x", b"%s%n", b"a:b", b"\x01\x1b[2J", b"\x7f", b"\xff",
               b"\x80\x81", b"\xc0\x80", b"\xed\xa0\x80", b"\xc3\xa9", b"e\xcc\x81", b"\xe2\x80\xae", b"\xef\xbb\xbf", b"A", b"a",
               b"x", b"x.y", b"x-y", b"x y", b"x0", b"n" * 255, b"\xc3\xa9" * 127, b"\n" * 255, b"CACHEDIR.TAG", b"PaxHeaders"]
        os.mkdir(b"names")
        for name in odd:
            self.file(b"names/" + name)
        # "/" sorts differently from the names around it: files beside and in a directory with the same beginning.
        for name in (b"d", b"d!", b"d.d", b"\xff\xff", b"d\n", b"m" * 253):
            os.mkdir(b"names/" + name + b"+")
            self.file(b"names/" + name + b"+/in")
            self.file(b"names/" + name + b"+0")
            self.file(b"names/" + name + b"+-")

    def deep(self, name, component, levels):
        os.mkdir(name)
        os.chdir(name)
        for i in range(levels):
            os.mkdir(component, 0o700 if i % 3 else 0o2755)
            os.chdir(component)
        self.file("leaf")
        os.symlink("leaf", "link")
        os.link("leaf", "hard")
        self.may("attribute far down", os.setxattr, "leaf", "user.deep", b"1")
        os.fchdir(self.top)

    def links(self):
        self.dir("links/z")
        self.dir("links/a")
        self.file("links/m")
        for name in ("links/n", "links/a/n", "links/z/n"):
            os.link("links/m", name)
        self.file("links/z/first")
        os.link("links/z/first", "links/a/last")
        os.symlink("m", "links/sym")
        os.link("links/sym", "links/sym-too", follow_symlinks=False)
        self.file("links/empty", b"")
        os.link("links/empty", "links/empty-too")
        self.file("links/large", self.bytes(700_000))
        os.link("links/large", "links/z/large")
        self.file("links/attribute")
        self.xattr("links/attribute", "user.x")
        os.link("links/attribute", "links/attribute-too")
        self.file("links/many")
        for i in range(60):
            os.link("links/many", "links/many-%02d" % i)
        self.file("links/same", b"same")
        self.file("links/same-too", b"same")  # equal, but not linked
        os.mkfifo("links/fifo")
        os.link("links/fifo", "links/fifo-too")

    def symlinks(self):
        os.mkdir("symlinks")
        for i, to in enumerate((b"0", b".", b"..", b"/", b"/etc/passwd", b"missing", b"../links", b"a\nb", b"\xff", b" ", b"x/", b"t" * 255,
                                b"y" * 4095, b"/proc/self/fd/0", b"//", b"t" * 59, b"t" * 60)):
            os.symlink(to, b"symlinks/%d" % i)

    def holes(self):
        os.mkdir("holes")
        M = 1 << 20
        self.sparse("holes/all", 50 * M)
        self.sparse("holes/first", 9 * M, (9 * M - 4096, 4096))
        self.sparse("holes/last", 9 * M, (0, 4096))
        self.sparse("holes/both", 20 * M, (5 * M, 4096), (12 * M, 300_000))
        self.sparse("holes/odd", 3_000_001, (1_000_003, 77), (2_000_000, 70_001))
        self.sparse("holes/comb", 100 * 32768, *((i * 32768, 4096) for i in range(100)))
        # The last hole is shorter than its item in the entry.
        for n in (1, 2, 3, 5, 20, 100, 4095):
            self.sparse("holes/last-%d" % n, 4096 + n, (0, 4096))
            self.sparse("holes/only-%d" % n, n)
        self.sparse("holes/last-1-large", (1 << 18) + 1, (0, 1 << 18))
        self.sparse("holes/huge", 100 * M, (60 * M, 4096))  # larger ones take long: a hole is hashed
        self.file("holes/zeros", bytes(300_000))  # zeros, but no hole

    def sizes(self):
        os.mkdir("sizes")
        for n in (0, 1, 23, 24, 255, 256, 511, 512, 513, 4095, 4096, 4097, 65535, 65536, 65537, 131071, 131072, 131073, 262143, 262144,
                  262145, 786431, 786433, 1048575, 1048576, 1048577, 3_333_333):
            self.file("sizes/%d" % n, self.bytes(n))
        self.file("sizes/text", b"all work and no play\n" * 50_000)

    def attributes(self):
        self.dir("xattrs/dir")
        for path in ("xattrs/dir", "xattrs/file"):
            if path == "xattrs/file":
                self.file(path)
            for name, value in (("user.a", b"v"), ("user.empty", b""), ("user.bin", bytes(range(256))), ("user.a b=c", b"\n"),
                                ("user.\u00e9", b"u"), ("trusted.t", b"t"), ("security.s", b"s")):
                self.xattr(path, name, value)
        self.file("xattrs/long")
        self.xattr("xattrs/long", "user." + "n" * 250, b"x")
        self.xattr("xattrs/long", "user.value", self.bytes(3000))
        self.file("xattrs/number")
        for i in range(50):
            self.xattr("xattrs/number", "user.%02d" % i, b"%d" % i)
        self.file("xattrs/names")  # some 2,000 bytes of them
        for i in range(10):
            self.xattr("xattrs/names", "user.%02d" % i + "n" * 200, b"%d" % i)
        self.file("xattrs/capable", mode=0o755)
        self.xattr("xattrs/capable", "security.capability", CAPABILITY)
        self.file("xattrs/read-only", mode=0o400)
        self.xattr("xattrs/read-only", "user.x")
        self.file("xattrs/no-mode", mode=0)
        if self.root:
            self.xattr("xattrs/no-mode", "user.x")
            self.file("xattrs/owned", mode=0o755)
            os.chown("xattrs/owned", 1234, 4321)
            self.xattr("xattrs/owned", "security.capability", CAPABILITY)
        os.symlink("file", "xattrs/link")
        self.xattr("xattrs/link", "trusted.l")
        os.mkfifo("xattrs/fifo")
        self.xattr("xattrs/fifo", "trusted.f")
        self.dir("xattrs/acl")
        self.file("xattrs/acl-file", mode=0o640)
        self.xattr("xattrs/acl-file", "system.posix_acl_access", ACCESS)
        self.xattr("xattrs/acl", "system.posix_acl_default", DEFAULT)
        self.file("xattrs/acl/heir")
        self.dir("xattrs/acl/heirs")
        self.file("xattrs/acl/heirs/none")
        self.may("no ACL", os.removexattr, "xattrs/acl/heirs/none", "system.posix_acl_access")
        self.file("xattrs/acl-setid", mode=0o755)
        self.xattr("xattrs/acl-setid", "system.posix_acl_access", ACCESS)
        os.chmod("xattrs/acl-setid", 0o6755)

    def modes(self):
        os.mkdir("modes")
        for mode in (0, 0o1, 0o40, 0o400, 0o444, 0o555, 0o600, 0o666, 0o777, 0o1644, 0o2644, 0o2755, 0o4755, 0o6755, 0o7777):
            self.file("modes/f%04o" % mode, mode=mode)
        for mode in (0, 0o111, 0o300, 0o500, 0o555, 0o700, 0o1777, 0o2775, 0o4755, 0o7777):
            if self.root or mode & 0o500 == 0o500:
                self.dir("modes/d%04o" % mode)
                self.file("modes/d%04o/in" % mode)
                self.late.append(("modes/d%04o" % mode, mode))

    def owners(self):
        if not self.root:
            return
        os.mkdir("owners")
        for n in (1, 1000, 65534, 65535, 65536, 1 << 21, (1 << 31) - 1, 1 << 31, (1 << 32) - 2):
            self.file("owners/f%d" % n)
            self.dir("owners/d%d" % n)
            os.symlink("x", "owners/l%d" % n)
            for kind in "fdl":
                os.chown("owners/%s%d" % (kind, n), n, n // 2, follow_symlinks=False)
        self.file("owners/setid")
        os.chown("owners/setid", 1000, 1000)
        os.chmod("owners/setid", 0o6711)

    def special(self):
        os.mkdir("special")
        os.mkfifo("special/fifo", 0o622)
        s = socket.socket(socket.AF_UNIX)
        s.bind("special/socket")
        s.close()
        if self.root:
            for name, kind, a, b in (("null", stat.S_IFCHR, 1, 3), ("far", stat.S_IFCHR, 4000, 1_000_000), ("zero", stat.S_IFCHR, 0, 0),
                                     ("block", stat.S_IFBLK, 259, 70_000)):
                self.may("device", os.mknod, "special/" + name, kind | 0o640, os.makedev(a, b))

    def times(self):
        os.mkdir("times")
        for s in (0, 1, -1, -2**31, 2**31 - 1, 2**31, 2**32 - 1, 2**32, 8589934592, 15_000_000_000):
            for ns in (0, 1, 999_999_999):
                self.file("times/%d.%d" % (s, ns), b"t")
                self.may("time", os.utime, "times/%d.%d" % (s, ns), ns=(T0, s * 10**9 + ns))

    def flags(self):
        if not self.root:
            return
        os.mkdir("flags")
        for name, bits in (("nodump", NODUMP), ("noatime", NOATIME), ("append", APPEND), ("immutable", IMMUTABLE), ("both", APPEND | NODUMP)):
            self.file("flags/" + name)
            os.mkdir("flags/d-" + name)
            self.file("flags/d-%s/in" % name)
            self.flagged += [("flags/" + name, bits), ("flags/d-" + name, bits)]
        self.file("flags/linked")
        os.link("flags/linked", "flags/linked-too")
        self.flagged.append(("flags/linked", IMMUTABLE))

    def many(self, count):
        os.mkdir("many")
        for i in range(count):
            self.file("many/%05d" % (i * 7919 % count if count % 7919 else i), b"%d" % i if i % 7 == 0 else b"")
        self.dir("many-dirs")
        for i in range(count // 10):
            os.mkdir("many-dirs/%04d" % i)

    def small(self):
        """One or two of each."""
        self.file("plain")
        self.file("executable", self.bytes(5000), 0o755)
        self.file("a\nb \xff", b"odd")
        self.file("large", self.bytes(700_000))
        self.dir("dir/sub/subsub")
        for i in range(12):
            self.file("dir/%02d" % i, self.bytes(i * 37))
        self.file("dir/sub/last")
        os.link("dir/sub/last", "dir/linked")
        os.symlink("plain", "symlink")
        self.sparse("sparse", 400_000, (100_000, 4096))
        self.sparse("sparse-large", 5 << 20, (1 << 20, 4096), (3 << 20, 100_000))
        self.sparse("sparse-end", 4097, (0, 4096))
        self.special()
        self.xattr("plain", "user.a", b"v")
        self.xattr("plain", "user.b", b"w" * 100)
        self.xattr("dir", "user.d", b"x")
        self.xattr("executable", "system.posix_acl_access", ACCESS)
        self.dir("heirs")
        self.xattr("heirs", "system.posix_acl_default", DEFAULT)
        self.file("heirs/heir")
        if self.root:
            self.xattr("executable", "security.capability", CAPABILITY)
            self.file("owned", mode=0o640)
            os.chown("owned", 1234, 4321)
            os.chmod("owned", 0o4710)
            self.file("nodump")
            self.flagged.append(("nodump", NODUMP))
        self.dir("read-only")
        self.file("read-only/in")
        self.late.append(("read-only", 0o555))
        os.mkdir("empty")

    def set_times(self, fd, above):
        for name in os.listdir(fd):
            name = os.fsencode(name)
            st = os.stat(name, dir_fd=fd, follow_symlinks=False)
            path = above + name
            if stat.S_ISDIR(st.st_mode):
                sub = os.open(name, os.O_RDONLY | os.O_DIRECTORY, dir_fd=fd)
                self.set_times(sub, path + b"/")
                os.close(sub)
            if not path.startswith(b"times/"):
                key = path if st.st_nlink == 1 or stat.S_ISDIR(st.st_mode) else b"linked"
                ns = T0 - int.from_bytes(hashlib.sha256(key).digest()[:7], "big")
                os.utime(name, ns=(T0, ns), dir_fd=fd, follow_symlinks=False)

    def finish(self):
        sys.setrecursionlimit(20_000)
        self.set_times(self.top, b"")
        os.utime(".", ns=(T0, T0))
        for path, mode in self.late:
            os.chmod(path, mode)
        for path, bits in self.flagged:
            self.may("flags", set_flags, path, bits)


def set_flags(path, bits, clear=0):
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
    try:
        now = struct.unpack("l", fcntl.ioctl(fd, FS_IOC_GETFLAGS, bytes(8)))[0]
        fcntl.ioctl(fd, FS_IOC_SETFLAGS, struct.pack("l", now & ~clear | bits))
    finally:
        os.close(fd)


def remove(top):
    """Removes also what can't be removed as it is."""
    if os.path.isdir(top):
        for flags in glob.glob(glob.escape(top) + "/flags") + glob.glob(glob.escape(top) + "/*/flags"):
            subprocess.run(["chattr", "-R", "-f", "-i", "-a", flags], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        if os.geteuid() != 0:
            subprocess.run(["chmod", "-R", "u+rwX", top], stderr=subprocess.DEVNULL)
        subprocess.run(["rm", "-rf", "--one-file-system", top], check=True)


def make(top, small=False, many=1500, levels=1500):
    back = os.open(".", os.O_RDONLY)
    t = Tree(top)
    if small:
        t.small()
    else:
        t.names()
        t.deep("near", b"c" * 200, 18)
        t.deep("beyond", b"b" * 250, 30)  # beyond PATH_MAX
        t.deep("levels", b"d", levels)
        t.links()
        t.symlinks()
        t.holes()
        t.sizes()
        t.attributes()
        t.modes()
        t.owners()
        t.special()
        t.times()
        t.flags()
        t.many(many)
    t.finish()
    os.fchdir(back)
    os.close(back)
    os.close(t.top)


def main(args):
    import argparse
    p = argparse.ArgumentParser()
    p.add_argument("dir")
    p.add_argument("--small", action="store_true")
    p.add_argument("--many", type=int, default=1500)
    p.add_argument("--levels", type=int, default=1500)
    p.add_argument("--remove", action="store_true")
    o = p.parse_args(args)
    if o.remove:
        remove(o.dir)
    else:
        make(o.dir, o.small, o.many, o.levels)


if __name__ == "__main__":
    main(sys.argv[1:])
