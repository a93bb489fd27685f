#!/usr/bin/env python3
"""compare.py - compares two trees in everything that a pack keeps.

usage: compare.py A B [--user]

Type, mode, owner, size, content, holes, mtime to the nanosecond, device numbers, link targets, which
names are one file, extended attributes (including ACLs and capabilities), inode flags. --user: only what
a plain user can restore: no owners, set-id bits, devices, privileged attributes and flags. Prints a line
for each difference, and a count; exit status 1 if there is one. Walks by directory descriptors, also
beyond PATH_MAX. The size on disk may be larger by a sixteenth and 64 KiB.
"""
import fcntl, hashlib, os, resource, stat, struct, sys

FLAGS = 0x10 | 0x20 | 0x40 | 0x80  # immutable, append-only, no dump, no atime
FS_IOC_GETFLAGS = 0x80086601


def content(fd, size):
    """A checksum of the data that does not depend on holes."""
    h, at = hashlib.sha256(), 0
    while at < size:
        try:
            at = os.lseek(fd, at, os.SEEK_DATA)
        except OSError:
            break
        end = os.lseek(fd, at, os.SEEK_HOLE)
        at -= at % 4096
        while at < end:
            page = os.pread(fd, min(4096, size - at), at)
            if page.strip(b"\0"):
                h.update(b"%d:" % at + page)
            at += 4096
        at = max(at, end)
    return h.hexdigest()


def look(dirfd, name, user):
    """The properties of an entry, as a dict."""
    st = os.stat(name, dir_fd=dirfd, follow_symlinks=False)
    e = {"type": stat.S_IFMT(st.st_mode), "mtime": st.st_mtime_ns, "mode": stat.S_IMODE(st.st_mode), "id": (st.st_dev, st.st_ino),
         "disk": 0}
    if user:
        e["mode"] &= 0o1777
    else:
        e["owner"] = (st.st_uid, st.st_gid)
    if stat.S_ISLNK(st.st_mode):
        e["target"] = os.readlink(name, dir_fd=dirfd)
        del e["mode"]
    if stat.S_ISCHR(st.st_mode) or stat.S_ISBLK(st.st_mode):
        e["device"] = st.st_rdev
    path = b"/proc/self/fd/%d/%s" % (dirfd, name)
    e["attributes"] = {k: os.getxattr(path, k, follow_symlinks=False) for k in os.listxattr(path, follow_symlinks=False)
                       if not user or not k.startswith(("security.", "trusted."))}
    if stat.S_ISREG(st.st_mode) or stat.S_ISDIR(st.st_mode):
        fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | (0 if user else os.O_NOATIME), dir_fd=dirfd)
        if stat.S_ISREG(st.st_mode):
            e["size"], e["disk"], e["content"] = st.st_size, st.st_blocks * 512, content(fd, st.st_size)
        try:
            if not user:
                e["flags"] = struct.unpack("l", fcntl.ioctl(fd, FS_IOC_GETFLAGS, bytes(8)))[0] & FLAGS
        except OSError:
            pass
        os.close(fd)
    return e


def scan(top, user=False):
    """Returns {path: entry}; "names" of an entry are all names of the file, sorted."""
    found, names = {}, {}

    def walk(dirfd, above):
        for name in os.listdir(dirfd):
            name = os.fsencode(name)
            path = above + name
            try:
                e = found[path] = look(dirfd, name, user)
            except PermissionError as error:
                found[path] = {"type": str(error.errno), "disk": 0}
                continue
            if e["type"] == stat.S_IFDIR:
                sub = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=dirfd)
                walk(sub, path + b"/")
                os.close(sub)
            else:
                names.setdefault(e["id"], []).append(path)

    fd = os.open(top, os.O_RDONLY | os.O_DIRECTORY)
    found[b"."] = look(fd, b".", user)
    walk(fd, b"")
    os.close(fd)
    for e in found.values():
        e["names"] = sorted(names.get(e.pop("id", None), []))
    return found


def differences(a, b):
    """Compares two scans; returns [(path, what)]."""
    out = []
    for path in sorted(set(a) | set(b)):
        if path not in a or path not in b:
            out.append((path, "is missing" if path in a else "is too many"))
            continue
        x, y = a[path], b[path]
        for key in sorted((set(x) | set(y)) - {"disk"}):
            if x.get(key) != y.get(key):
                out.append((path, "%s: %.80r, not %.80r" % (key, y.get(key), x.get(key))))
        if y["disk"] > x["disk"] + x["disk"] // 16 + 65536:
            out.append((path, "holes are lost: %d bytes on disk, not %d" % (y["disk"], x["disk"])))
    return out


def prepare():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 65536), hard))
    sys.setrecursionlimit(20_000)


if __name__ == "__main__":
    args = [a for a in sys.argv[1:] if a != "--user"]
    if len(args) != 2:
        sys.exit(__doc__)
    prepare()
    user = "--user" in sys.argv
    found = differences(scan(args[0], user), scan(args[1], user))
    for path, what in found:
        print("%a: %s" % (os.fsdecode(path), what))
    print("%d differences" % len(found))
    sys.exit(1 if found else 0)
