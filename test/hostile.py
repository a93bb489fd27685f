#!/usr/bin/env python3
"""hostile.py - packs made to do harm: the cases of test/data/malicious.tsv, with the required results.

usage: hostile.py DIR OUTSIDE [--long]     writes CASE.fdump (CASE.2.fdump, ...) and CASE.json to DIR

OUTSIDE is the absolute path of the folder that must stay as it is (hostile_run.py makes it: a file
"secret", a folder "dir" with a file "kept"; "linked", "linked.fifo" and "linked.link" have two names);
absolute names and links point there.
CASE.json:
  case, what         the case's id in malicious.tsv, and its particular feature
  packs              how many, unpacked one after the other into the same target
  options            of `fdump unpack`
  setup              done in the target beforehand: [verb, path, argument]
  root, user         acceptable exit statuses of unpack, for either
  verify             the same for `fdump verify`
  inside             path -> what must be there, as root; `user`: overrides it, as a user. "none": nothing
  allow              what may change OUTSIDE: the number of links of names that begin so
Strings in it are bytes as Latin-1.
"""
import hashlib, json, os, re, sys

from packmake import BLOCK_ENTRIES, ENTRY, Pack, Raw, blocks, content_sum, encode, sparse_sum

OK, SOME, REFUSED, DAMAGE = [0], [0, 1], [5], [5]
FAILS = [2]  # a sound entry that can't be made here
AFTER = (b"after", b"this came after")
CASES = []


class Case:
    def __init__(self, id, what, *packs, root=OK, user=None, verify=OK, inside=None, user_inside=None,
                 setup=(), options=(), allow=(), long=False):
        self.id, self.what, self.packs, self.long = id, what, packs, long
        self.spec = {
            "case": id, "what": what, "packs": len(packs), "options": list(options), "root": root,
            "user": user or root, "verify": verify, "setup": [list(s) for s in setup], "allow": list(allow),
            "inside": inside or {}, "user_inside": user_inside or {}}
        CASES.append(self)


def pack(*entries, after=True, **how):
    """A pack of entries, each (path, keywords); a harmless one in a block of its own comes last."""
    p = Pack(**how)
    for path, words in entries:
        p.entry(path, **words)
    p.flush()
    if after:
        p.entry(AFTER[0], data=[AFTER[1]])
    return p.finish()


def file(content, **more):
    return {"type": "file", "content": content, **more}


GOOD_AFTER = {"after": file("this came after")}


def refused(id, what, path, exits=REFUSED, inside=None, **words):
    """One entry that the format refuses; the entry after it is unpacked."""
    Case(id, what, pack((path, words)), root=exits, verify=DAMAGE, inside={**GOOD_AFTER, **(inside or {})})


def malformed(id, what, *items, head=None):
    """A file whose content is these bytes, verbatim; salvage reads the entry after it."""
    p = Pack()
    p.entry(b"bad", data=[Raw(i) for i in items], head=head)
    p.flush()
    p.entry(AFTER[0], data=[AFTER[1]])
    Case(id, what, p.finish(), root=REFUSED, verify=DAMAGE, options=["--skip-damaged"],
         inside={**GOOD_AFTER, "bad": "none"})


def link(to):
    return {"type": 3, "head": {"L": to}}


def hard(to, head=None, **words):
    return {"type": 4, "head": {"H": to, **(head or {})}, **words}


DIR, FILE = {"type": 2}, {"data": [b"payload"]}


def paths(outside):
    for i, name in enumerate((outside + b"/evil", b"/evil", b"//evil", b"/")):
        refused("A01", "absolute name %d" % i, name, **FILE)
    for name in (b"../x", b"a/../../x", b"a/..", b"..", b"./../x"):
        refused("A02", "dots %s" % name.decode().replace("/", "_"), name, **FILE)
    for name in (b"//..//x", b"/./../x", b".//..//x", b"a//b", b"a/", b"a/./b"):
        refused("A03", "separators %s" % name.decode().replace("/", "_"), name, **FILE)
    Case("A04", "double slash under strip", pack((b"x//etc/passwd", FILE), (b"y/evil", FILE), after=False),
         options=["--strip-components", "1"], root=REFUSED, verify=DAMAGE, inside={"etc": "none"})
    Case("A04", "strip leaves a name, or nothing", pack((b"x", DIR), (b"x/y", FILE), (b"x/z", hard(b"x/y")), (b"t", FILE)),
         options=["--strip-components", "1"], root=SOME,
         inside={"y": file("payload", links=2), "z": file("payload"), "x": "none", "t": "none"})
    Case("A04", "links to what was stripped away", pack((b"x", DIR), (b"x/l", link(b"../../outside/secret")), (b"x/l/in", FILE),
                                                        (b"y/h", hard(b"t")), after=False),
         options=["--strip-components", "1"], root=FAILS, verify=[0, 5], inside={"h": "none"})
    refused("A05", "empty name", b"", **FILE)
    refused("A05", "root that is a file", b".", **FILE)
    refused("A05", "only a slash", b"/", **DIR)
    Case("A05", "root entry twice", pack((b".", {"type": 2, "head": {"m": 0o700}}), (b"a", FILE), (b".", {"type": 2, "head": {"m": 0o750}})),
         root=SOME, inside={".": {"type": "dir", "mode": 0o750}, "a": file("payload")})
    refused("A06", "NUL in the name", b"name\0" + b"x" * 14, inside={"name": "none"}, **FILE)
    refused("A07", "component of 256", b"c" * 256, **FILE)
    refused("A07", "component of 300 below a folder", b"d/" + b"c" * 300, **FILE)
    for n in (4095, 4096, 4097, 65535):
        name = (b"%s/" % (b"p" * 199)) * (n // 200 + 1)
        name = name[:n] if name[n - 1:n] != b"/" else name[:n - 1] + b"p"
        name = name.replace(b"p" * 399, b"p" * 199 + b"/" + b"p" * 199)
        Case("A07", "name of %d" % n, pack((name, FILE)), root=[0, 1, 2], inside=GOOD_AFTER)
    refused("A07", "name of 65536", b"/".join([b"q" * 255] * 256) + b"q", **FILE)
    Case("A08", "backslashes are bytes", pack((b"..\\x", FILE), (b"C:\\x", FILE)),
         inside={"..\\x": file("payload"), "C:\\x": file("payload"), **GOOD_AFTER})
    Case("A09", "32,768 levels in one name", pack((b"/".join([b"d"] * 32768), FILE)), root=[0, 1, 2], inside=GOOD_AFTER)
    levels = [(b"/".join([b"d"] * n), DIR) for n in range(1, 1501)]
    Case("A09", "1,500 levels, one by one", pack(*levels, (b"d/f", FILE)), inside={"d/f": file("payload"), **GOOD_AFTER})
    odd = [b"\x1b[2J\x1b[31mred", b"two\nlines", b"tab\there", b"cr\rback", "rtl\u202egpj.exe".encode(),
           "zw\u200bsp".encode(), b"\xff\xfe", b"c1\x9b31m", "c1\u009bx".encode(), b"back\\slash", b"-rf", b"\x7f"]
    Case("A10", "escapes in names", pack(*[(n, FILE) for n in odd], (b"l\n", link(b"to\x1b[0m\nx"))),
         inside={n.decode("latin-1"): file("payload") for n in odd})


def links(outside):
    ops = pack((b"d", link(outside + b"/dir")), (b"d/x", FILE))
    Case("B01", "write through a link", ops, root=[0, 1, 2], inside=GOOD_AFTER)
    Case("B01", "folder through a link", pack((b"d", link(b"../outside/dir")), (b"d/x", DIR), (b"d/x/y", FILE)),
         root=[0, 1, 2], inside=GOOD_AFTER)
    Case("B01", "metadata of a folder through a link", pack((b"d", link(b"../outside/dir")), (b"d", {"type": 2, "head": {
        "m": 0, "x": {b"user.evil": b"1"}}})), root=[0, 1, 2], inside=GOOD_AFTER)
    for kind, words in (("fifo", {"type": 5}), ("socket", {"type": 6}), ("symlink", link(b"x")), ("hard link", hard(b"first"))):
        Case("B01", "%s through a link" % kind, pack((b"first", FILE), (b"d", link(outside + b"/dir")), (b"d/x", words)),
             root=[0, 1, 2], inside=GOOD_AFTER)
    Case("B02", "folder swapped for a link", pack((b"d", DIR), (b"d/a", FILE), (b"d", link(outside + b"/dir")), (b"d/b", FILE)),
         root=[0, 1, 2], inside=GOOD_AFTER)
    Case("B02", "empty folder swapped for a link", pack((b"d", DIR), (b"d", link(outside + b"/dir")), (b"d/b", FILE)),
         root=[0, 1, 2], inside=GOOD_AFTER)
    Case("B03", "file over a link", pack((b"l", link(outside + b"/secret")), (b"l", FILE)),
         inside={"l": file("payload"), **GOOD_AFTER})
    Case("B03", "file over a link that was there", pack((b"l", FILE)), setup=[("symlink", "l", "OUTSIDE/secret")],
         inside={"l": file("payload"), **GOOD_AFTER})
    late = {"m": 0o700, "u": 12345, "t": [1, 1], "x": {b"user.evil": b"1"}, "f": 0x80}
    Case("B04", "fix-up after a swap", pack((b"d", {"type": 2, "head": late}), (b"d", link(outside + b"/dir"))),
         root=[0, 1, 2], inside=GOOD_AFTER)
    Case("B04", "fix-up after a swap, with content", pack((b"d", {"type": 2, "head": late}), (b"d/e", {"type": 2, "head": late}),
                                                          (b"d/e", link(outside + b"/dir")), (b"d/e/f", FILE)),
         root=[0, 1, 2], inside=GOOD_AFTER)
    Case("B05", "link with attributes", pack((b"l", {"type": 3, "head": {
        "L": outside + b"/secret", "m": 0o4777, "u": 4711, "x": {
        b"system.posix_acl_access": bytes.fromhex("02000000010006ffffffff" "04000400ffffffff" "20000400ffffffff"),
        b"trusted.evil": b"1", b"user.evil": b"1"}, "f": 0x10}})),
         root=SOME, user=[0, 1, 2], inside={"l": {"type": "link"}, **GOOD_AFTER})
    Case("B06", "chain of links", pack((b"b", link(b"../..")), (b"a", link(b"b")), (b"a/x", FILE), (b"a/top/outside/y", FILE),
                                       (b"c", link(b"b/top")), (b"c/outside/dir/z", FILE)), root=[0, 1, 2], inside=GOOD_AFTER)
    Case("B06", "link within a link's way", pack((b"s", DIR), (b"s/l", link(b"../../outside")), (b"k", link(b"s/l/dir")), (b"k/evil", FILE)),
         root=[0, 1, 2], inside=GOOD_AFTER)
    Case("B07", "two packs, one after the other", pack((b"d", link(outside + b"/dir")), after=False), pack((b"d/x", FILE)),
         root=[0, 1, 2], inside=GOOD_AFTER)
    Case("B07", "the link was there", pack((b"d", DIR), (b"d/x", FILE)), setup=[("symlink", "d", "OUTSIDE/dir")],
         root=[0, 1, 2], inside=GOOD_AFTER)
    Case("B09", "the target is a link", pack((b"a", FILE)), setup=[("target-link", "", "")], inside={"a": file("payload"), **GOOD_AFTER})
    refused("B10", "empty link", b"l", **link(b""))
    refused("B10", "NUL in a link", b"l", **link(b"a\0b"))
    Case("B10", "link of 5000 bytes", pack((b"l", link(b"x" * 5000))), root=FAILS, inside={"l": "none", **GOOD_AFTER})
    Case("B10", "link of 65535 bytes", pack((b"l", link(b"x" * 65535))), root=FAILS, inside={"l": "none", **GOOD_AFTER})
    refused("B10", "link of 65536 bytes", b"l", **link(b"x" * 65536))


def hard_links(outside):
    refused("C01", "absolute target", b"h", **hard(outside + b"/secret"))
    refused("C01", "target with dots", b"h", **hard(b"../outside/secret"))
    refused("C01", "target with dots behind a folder", b"h", **hard(b"a/../../outside/secret"))
    Case("C01", "what was there before the pack", pack((b"h", hard(b"there"))), setup=[("file", "there", "x")],
         root=[0, 1, 2], verify=[0, 5], inside=GOOD_AFTER)
    Case("C02", "link to a link, then data", pack((b"s", link(outside + b"/secret")), (b"h", hard(b"s")), (b"h", FILE)),
         root=[0, 1, 2], inside={"h": file("payload"), **GOOD_AFTER})
    Case("C02", "link to a link that was there", pack((b"h", hard(b"s"))), setup=[("symlink", "s", "OUTSIDE/secret")],
         root=[0, 1, 2], verify=[0, 5], inside=GOOD_AFTER)
    refused("C03", "hard link with data", b"h", **hard(b"first", data=[b"evil"]))
    p = Pack()
    p.entry(b"first", data=[b"good"])
    p.entry(b"h", **hard(b"first", data=[b"evil"]))
    p.entry(b"j", **hard(b"first", tail={"n": 4, "h": content_sum([b"evil"])[1]}))
    p.flush()
    p.entry(AFTER[0], data=[AFTER[1]])
    Case("C03", "hard link with data over its target", p.finish(), root=REFUSED, verify=DAMAGE,
         inside={"first": file("good"), **GOOD_AFTER})
    Case("C04", "hard link to a later one, itself, a folder, nothing",
         pack((b"h", hard(b"later")), (b"i", hard(b"i")), (b"d", DIR), (b"j", hard(b"d")), (b"k", hard(b"no")), (b"later", FILE)),
         root=FAILS, verify=[0, 5], inside={"later": file("payload"), "i": "none", "j": "none", "k": "none", **GOOD_AFTER})
    Case("C04", "hard links in a ring", pack((b"a", hard(b"b")), (b"b", hard(b"a"))), root=FAILS, verify=[0, 5],
         inside={"a": "none", "b": "none", **GOOD_AFTER})
    Case("C05", "hard link through a link", pack((b"f", FILE), (b"x", link(outside + b"/dir")), (b"x/h", hard(b"f"))),
         root=[0, 1, 2], inside=GOOD_AFTER)
    Case("C05", "hard link from behind a link", pack((b"x", link(outside + b"/dir")), (b"h", hard(b"x/kept"))),
         root=FAILS, verify=[0, 5], inside={"h": "none", **GOOD_AFTER})
    Case("C06", "an outside name of the file", pack((b"f", FILE)), setup=[("hardlink", "f", "OUTSIDE/linked")],
         allow=["linked"], inside={"f": file("payload", links=1), **GOOD_AFTER})
    Case("C06", "an outside name, refused file", pack((b"f", {"data": [b"evil"], "tail": {"h": bytes(32)}})),
         setup=[("hardlink", "f", "OUTSIDE/linked")], allow=["linked"], root=REFUSED, verify=DAMAGE, inside=GOOD_AFTER)


    Case("C06", "hard link entry with metadata, to an outside name", pack((b"h", hard(b"f", head={
        "m": 0o4777, "u": 4711, "g": 4711, "t": [1, 1], "x": {b"user.evil": b"1"}, "f": 0x80}))),
         setup=[("hardlink", "f", "OUTSIDE/linked")], allow=["linked"], root=[0, 1, 2], verify=[0, 5], inside=GOOD_AFTER)
    odd = {"m": 0o777, "u": 4711, "g": 4711, "t": [1, 1]}
    Case("C06", "outside names of a fifo and a link", pack((b"p", {"type": 5, "head": odd}), (b"l", {"type": 3, "head": {"L": b"new", **odd}})),
         setup=[("hardlink", "p", "OUTSIDE/linked.fifo"), ("hardlink", "l", "OUTSIDE/linked.link")], allow=["linked"],
         user=[0, 1], inside={"l": {"type": "link"}, **GOOD_AFTER})
    Case("C06", "outside names of a fifo and a link, the same", pack((b"p", {"type": 5, "head": odd}), (b"l", {"type": 3, "head": {"L": b"nowhere", **odd}})),
         setup=[("hardlink", "p", "OUTSIDE/linked.fifo"), ("hardlink", "l", "OUTSIDE/linked.link")], allow=["linked"],
         user=[0, 1], inside={"l": {"type": "link"}, **GOOD_AFTER})
    for when in ("always", "if-changed", "if-newer", "never"):
        for t in (1, 4000000000):
            Case("B07", "links were there, --overwrite %s, time %d" % (when, t), pack(
                (b"l", {"data": [b"secret"], "head": {"t": [t, 0]}}), (b"d", {"type": 2, "head": {"t": [t, 0], "m": 0o700}}), (b"d/kept", FILE),
                (b"d/new", FILE), (b"f", {"data": [b"linked"], "head": {"t": [t, 0], "m": 0o600, "x": {b"user.evil": b"1"}}})),
                 setup=[("symlink", "l", "OUTSIDE/secret"), ("symlink", "d", "OUTSIDE/dir"), ("hardlink", "f", "OUTSIDE/linked")],
                 allow=["linked"], options=["--overwrite", when], root=[0, 1, 2], inside=GOOD_AFTER)


def privileges(outside):
    bits = [(b"suid", {"data": [b"x"], "head": {"m": 0o4755, "u": 0, "g": 0}}), (b"sgid", {"data": [b"x"], "head": {"m": 0o2755, "u": 0, "g": 0}}),
            (b"sd", {"type": 2, "head": {"m": 0o3777, "u": 0, "g": 0}})]
    plain = {"suid": file("x", mode=0o755), "sgid": file("x", mode=0o755)}
    Case("D01", "set-id bits", pack(*bits), user=SOME, inside={"suid": file("x", mode=0o4755, uid=0), "sgid": file("x", mode=0o2755), **GOOD_AFTER},
         user_inside=plain)
    Case("D01", "set-id bits untrusted", pack(*bits), options=["--untrusted"], root=SOME, inside={**plain, **GOOD_AFTER})
    capability = bytes.fromhex("0100000200040000000000000000000000000000")
    attrs = [(b"cap", {"data": [b"x"], "head": {"x": {b"security.capability": capability, b"trusted.t": b"1", b"user.u": b"1"}}})]
    Case("D02", "privileged attributes", pack(*attrs), user=SOME,
         inside={"cap": file("x", xattrs=["security.capability", "trusted.t", "user.u"]), **GOOD_AFTER},
         user_inside={"cap": file("x", xattrs=["user.u"])})
    Case("D02", "privileged attributes untrusted", pack(*attrs), options=["--untrusted"], root=SOME,
         inside={"cap": file("x", xattrs=["user.u"]), **GOOD_AFTER})
    devices = [(b"mem", {"type": 7, "head": {"D": [1, 1], "m": 0o600}}), (b"sda", {"type": 8, "head": {"D": [8, 0], "m": 0o600}})]
    Case("D03", "devices", pack(*devices), user=FAILS, inside={"mem": {"type": "char", "rdev": [1, 1]},
         "sda": {"type": "block", "rdev": [8, 0]}, **GOOD_AFTER}, user_inside={"mem": "none", "sda": "none"})
    Case("D03", "devices untrusted", pack(*devices), options=["--untrusted"], root=FAILS, inside={"mem": "none", "sda": "none", **GOOD_AFTER})
    Case("D03", "device numbers over the limit", pack((b"n", {"type": 7, "head": {"D": [1 << 31, 1 << 30]}})), root=[0, 1, 2], inside=GOOD_AFTER)
    Case("D04", "fifo where a file goes", pack((b"f", FILE)), setup=[("fifo", "f", "")], inside={"f": file("payload"), **GOOD_AFTER})
    Case("D04", "device where a file goes", pack((b"f", FILE)), setup=[("device", "f", "")], inside={"f": file("payload"), **GOOD_AFTER})
    Case("D04", "fifo where a folder goes", pack((b"f", DIR), (b"f/x", FILE)), setup=[("fifo", "f", "")], root=[0, 1, 2], inside=GOOD_AFTER)
    Case("D05", "closed folders before their content", pack(
        (b"d", {"type": 2, "head": {"m": 0}}), (b"d/f", FILE), (b"e", {"type": 2, "head": {"m": 0o555}}), (b"e/f", FILE), (b"e/g", {"type": 2, "head": {"m": 0o500}})),
         inside={"d": {"type": "dir", "mode": 0}, "e": {"type": "dir", "mode": 0o555}, "e/f": file("payload"), **GOOD_AFTER})
    Case("D06", "immutable and append-only", pack((b"d", {"type": 2, "head": {"f": 0x10}}), (b"d/f", {"data": [b"x"], "head": {"f": 0x10}}),
                                                  (b"d/a", {"data": [b"x" * 9], "head": {"f": 0x20}})),
         root=SOME, user=SOME, inside={"d/f": file("x"), "d/a": file("x" * 9), **GOOD_AFTER})
    Case("D07", "modes at creation", pack((b"secret", {"data": [b"x"], "head": {"m": 0o600}}), (b"d", {"type": 2, "head": {"m": 0o700}}),
                                          (b"d/f", {"data": [b"x"], "head": {"m": 0o640}}), (b"p", {"type": 5, "head": {"m": 0o600}})),
         setup=[("trace-modes", "", "")], inside={"secret": file("x", mode=0o600), "d/f": file("x", mode=0o640), **GOOD_AFTER})
    for key in "ug":
        refused("D08", "%sid of -1" % key, b"f", data=[b"x"], head={key: 0xFFFFFFFF}, inside={"f": "none"})
        refused("D08", "%sid over 32 bits" % key, b"f", data=[b"x"], head={key: 1 << 32}, inside={"f": "none"})
    Case("D08", "largest owner", pack((b"f", {"data": [b"x"], "head": {"u": 0xFFFFFFFE, "g": 0xFFFFFFFE}})), user=SOME,
         inside={"f": file("x", uid=0xFFFFFFFE), **GOOD_AFTER}, user_inside={"f": file("x")})


def lengths(outside):
    """Sizes, lengths and counts that are wrong or too large."""
    Case("E01", "the hint says more than there is", pack((b"f", {"data": [b"short"], "head": {"s": 1 << 40}})), root=SOME,
         inside={"f": file("short"), **GOOD_AFTER})
    for n in (6, 4, 1 << 40, (1 << 63) - 1):
        refused("E01", "TAIL says %d bytes of 5" % n, b"f", data=[b"12345"], tail={"n": n}, inside={"f": "none"})
    malformed("E01", "DATA goes over the block", b"\x5a\x00\x10\x00\x00abc")
    Case("E02", "the hint is 2^63-1", pack((b"f", {"data": [b"x"], "head": {"s": (1 << 63) - 1}})), root=SOME, inside={"f": file("x"), **GOOD_AFTER})
    for n in (1 << 63, (1 << 64) - 1, -1):
        refused("E02", "the hint is %d" % n, b"f", data=[b"x"], head={"s": n}, exits=DAMAGE)
        CASES[-1].spec.update(options=["--skip-damaged"])
    for n in (1 << 63, (1 << 64) - 1, -1):
        refused("E02", "TAIL says %d" % n, b"f", data=[b"x"], tail={"n": n}, inside={"f": "none"})
        CASES[-1].spec.update(options=["--skip-damaged"])
    for low, n in ((b"\x5a", b"\xff" * 4), (b"\x5b", b"\xff" * 8), (b"\x5b", b"\x7f" + b"\xff" * 7), (b"\x5b", b"\x80" + bytes(7))):
        malformed("E02", "DATA head of 0x%s" % n.hex(), low + n + b"x")
    for field, value in (("raw", 0xFFFFFFFF), ("raw", (2 << 20) + 1), ("stored", 0xFFFFFFFF), ("stored", 0), ("raw", 0), ("first", 0xFFFFFFF0)):
        p = Pack()
        p.entry(b"f", data=[b"x"])
        p.flush(**{field: value})
        p.entry(AFTER[0], data=[AFTER[1]])
        Case("E02", "block with %s 0x%x" % (field, value), p.finish(), root=REFUSED, verify=DAMAGE, options=["--skip-damaged"],
             inside={"f": "none", **GOOD_AFTER})
    p = Pack()
    p.entry(b"f", data=[bytes(100000)])
    p.codec = 1
    p.flush(raw=2 << 20)
    p.entry(AFTER[0], data=[AFTER[1]])
    Case("E02", "zstd frame shorter than said", p.finish(), root=REFUSED, verify=DAMAGE, options=["--skip-damaged"],
         inside={"f": "none", **GOOD_AFTER})
    p = Pack(codec=1)
    p.entry(b"f", data=[bytes(1 << 20)])
    p.flush(raw=30000)
    p.entry(AFTER[0], data=[AFTER[1]])
    Case("E02", "zstd frame longer than said", p.finish(), root=REFUSED, verify=DAMAGE, options=["--skip-damaged"],
         inside={"f": "none", **GOOD_AFTER})
    for what, value in (("bytes of 2^64-1", b"\x5b" + b"\xff" * 8), ("text of 2^64-1", b"\x7b" + b"\xff" * 8),
                        ("map of 2^64-1", b"\xbb" + b"\xff" * 8), ("array of 2^63", b"\x9b\x80" + bytes(7)),
                        ("map of 2^31", b"\xba\x80\0\0\0"), ("array of 2^32-1", b"\x9a" + b"\xff" * 4)):
        for key in ("P", "x", "zz"):
            p = Pack()
            p.item(encode({"T": 1, "m": 0o644, "P": Raw(value)} if key == "P" else {"P": b"f", "T": 1, "m": 0o644, key: Raw(value)}), head=True)
            p.flush()
            p.entry(AFTER[0], data=[AFTER[1]])
            Case("E03" if "64" in what or "63" in what else "E04", "%s at %s" % (what, key), p.finish(), root=REFUSED, verify=DAMAGE,
                 options=["--skip-damaged"], inside=GOOD_AFTER)
    p = Pack()
    p.item(b"\xa3\x61P\x59\xff\xff" + b"x" * 10, head=True)
    p.flush()
    p.entry(AFTER[0], data=[AFTER[1]])
    Case("E04", "name of 65535 with 10 bytes", p.finish(), root=REFUSED, verify=DAMAGE, options=["--skip-damaged"], inside=GOOD_AFTER)
    malformed("E04", "deep nesting", b"\x81" * 100000 + b"\0")
    refused("E04", "deep nesting in an unknown key", b"f", head={"zz": Raw(b"\x81" * 5000 + b"\0")})
    CASES[-1].spec.update(options=["--skip-damaged"])
    refused("E04", "attribute of 65537", b"f", data=[b"x"], head={"x": {b"user.x": bytes(65537)}}, inside={"f": "none"})
    refused("E04", "HEAD over 1 MiB", b"f", data=[b"x"], inside={"f": "none"},
            head={"x": {b"user.%d" % i: bytes(65000) for i in range(17)}})
    Case("E04", "access list of 8191 entries", pack((b"f", {"data": [b"x"], "head": {"x": {
        b"system.posix_acl_access": b"\2\0\0\0" + b"\2\0\7\0\0\0\0\0" * 8191}}})), root=SOME, inside={"f": file("x"), **GOOD_AFTER})
    refused("E04", "TAIL over 4 KiB", b"f", data=[b"x"], tail={"zz": b"x" * 5000}, inside={"f": "none"})


def amounts(outside):
    """Holes, and many entries of a kind."""
    for what, items in (("holes over 2^63", [(1 << 63) - 1, 1]), ("twice 2^63-1", [(1 << 63) - 1] * 2), ("four times 2^62", [1 << 62] * 4),
                        ("over 16 TiB in all", [1 << 20, 1 << 44])):
        refused("E05", what, b"f", data=items, tail={"n": 5}, inside={"f": "none"})
        CASES[-1].spec.update(options=["--skip-damaged"])
    malformed("E05", "hole of 2^64-1", b"\x1b" + b"\xff" * 8)
    malformed("E05", "hole of 2^63", b"\x1b\x80" + bytes(7))
    malformed("E05", "hole of nothing", b"\x00")
    malformed("E05", "negative hole", b"\x20")
    malformed("E05", "a reference", b"\x83\x41x\0\1")
    many = Raw(b"\x18\x64\x41y" * 50000)
    sha, size = hashlib.sha256((bytes(100) + b"y") * 50000 * 4).digest(), 101 * 50000 * 4
    Case("E05", "200,000 holes of 100 bytes", pack((b"f", {"data": [many] * 4, "tail": {"n": size, "h": sha}})),
         inside={"f": {"type": "file", "size": size}, **GOOD_AFTER})
    for size in ((1 << 63) - 1, 1 << 60, (1 << 44) + 1):
        refused("E06", "holes of %d bytes" % size, b"f", data=[size], tail={"h": bytes(32)}, inside={"f": "none"})
        CASES[-1].spec.update(options=["--skip-damaged"])
    p = Pack(codec=1, room=2 << 20)
    p.entry(b"zeros", data=[bytes((2 << 20) - 9)] * 40)
    p.flush()
    p.entry(AFTER[0], data=[AFTER[1]])
    Case("E06", "80 MiB from some KiB", p.finish(), inside={"zeros": {"type": "file", "size": 40 * ((2 << 20) - 9)}, **GOOD_AFTER})
    for n, long in ((5000, False), (200000, True)):
        Case("E06", "%d empty files" % n, lambda n=n: pack(*[(b"%d/%d" % (i // 1000, i), {}) for i in range(n)]), inside=GOOD_AFTER, long=long)
    for n, long in ((2500, False), (5000, False), (30000, True), (60000, True)):
        Case("E07", "%d hard links to one" % n, lambda n=n: pack((b"f", FILE), *[(b"%d/%d" % (i // 1000, i), hard(b"f")) for i in range(n)]),
             root=SOME, inside=GOOD_AFTER, long=long)
    for n in (20000, 40000):
        Case("E07", "%d attributes" % n, pack((b"f", {"data": [b"x"], "head": {"x": {b"user.%05d" % i: b"" for i in range(n)}}})),
             root=SOME, inside={"f": file("x"), **GOOD_AFTER})
        Case("E07", "%d equal files" % n, lambda n=n: pack(*[(b"%d/%d" % (i // 1000, i), FILE) for i in range(n)]), inside=GOOD_AFTER, long=True)
    p = Pack(codec=1)
    p.waiting_bytes = -1 << 30  # one INDEX, at the end
    for _ in range(BLOCK_ENTRIES):
        p.entry(b"d", type=2, head={"u": None, "g": None, "t": None})
    p.entry(AFTER[0], data=[AFTER[1]])
    Case("E06", "%d entries begin in a block" % BLOCK_ENTRIES, p.finish(), inside=GOOD_AFTER)
    for n in (BLOCK_ENTRIES + 1, 174000):
        p = Pack(codec=1, room=2 << 20, most=n)
        for _ in range(n):
            p.item(encode({"P": b"d", "T": 2, "m": 0}), head=True)
            p.item(b"\xa0")
        p.flush()
        p.entry(AFTER[0], data=[AFTER[1]])
        Case("E06", "%d entries begin in a block" % n, p.finish(), root=REFUSED, verify=DAMAGE, options=["--skip-damaged"],
             inside=GOOD_AFTER)
    p = Pack()
    for _ in range(2000):
        p.block(ENTRY, b"")
    p.entry(AFTER[0], data=[AFTER[1]])
    Case("E08", "2,000 empty blocks", p.finish(), root=REFUSED, verify=DAMAGE, options=["--skip-damaged"])
    malformed("E08", "100,000 empty DATA", b"\x40" * 100000)


def streams(outside):
    """Items in an order that the format does not allow."""
    def stream(what, build, verify=DAMAGE, inside=None, id="E01"):
        p = Pack()
        p.entry(b"first", data=[b"1"])
        build(p)
        p.flush()
        p.entry(AFTER[0], data=[AFTER[1]])
        Case(id, what, p.finish(), root=REFUSED, verify=verify, options=["--skip-damaged"],
             inside={"bad": "none", **(inside or {})})

    def head_then_head(p):
        p.entry(b"bad", data=[b"x"], no_tail=True)
        p.entry(b"second", data=[b"y"])

    def head_then_block(p):
        p.entry(b"bad", data=[b"x"], no_tail=True)
        p.waiting = p.waiting[:-1] + [[0, 0, {}, {}]]

    stream("no TAIL before the next HEAD", head_then_head)
    stream("no TAIL before the next block", head_then_block)
    stream("TAIL without HEAD", lambda p: p.item(encode({"n": 0, "h": content_sum([])[1]}), head=True))
    stream("DATA without HEAD", lambda p: p.item(b"\x41x", head=True))
    stream("a number where HEAD should be", lambda p: p.item(b"\x05", head=True))
    stream("an empty HEAD", lambda p: p.item(b"\xa0\xa0", head=True), inside=GOOD_AFTER)
    for where in (1, 0, 1000):
        p = Pack()
        p.entry(b"first", data=[b"1"])
        p.flush(first=where)
        p.entry(AFTER[0], data=[AFTER[1]])
        Case("E03", "`first` is %d, which is wrong" % where, p.finish(), root=REFUSED if where else OK, verify=DAMAGE if where else OK,
             options=["--skip-damaged"])
    p = Pack()
    p.entry(b"bad", data=[b"x"], no_tail=True)
    Case("E01", "no TAIL before END", p.finish(), root=REFUSED, verify=DAMAGE, inside={"bad": "none"})


def tables(outside):
    """Tables of contents that lie."""
    def index(what, payload=None, id="F03", **end):
        p = Pack()
        p.entry(b"one", data=[b"1"])
        p.entry(b"two", data=[b"2"])
        p.flush()
        p.index(payload(p) if payload else None)
        p.end(**end)
        Case(id, what, bytes(p.out), root=DAMAGE, verify=DAMAGE, inside={"one": file("1"), "two": file("2")} if payload else {})

    def listed(p, prev=None, number=0, count=2, names=(b"one", b"two"), block=None, at=None):
        items = [encode([p.last_index if prev is None else prev, number, count])]
        for (b, a, h, t), n in zip(p.unlisted, names):
            items += [encode([b if block is None else block, a if at is None else at]), encode({
                **{k: h[k] for k in ("P", "T", "m", "u", "g", "t") if k in h}, "P": n}), encode(t)]
        return b"".join(items)

    index("index with other names", lambda p: listed(p, names=(b"one", b"../evil")))
    index("index with escapes", lambda p: listed(p, names=(b"one", b"\x1b[2J\n")))
    index("index that leaves one out", lambda p: listed(p, names=(b"one",), count=1))
    index("index that counts wrong", lambda p: listed(p, count=1 << 60))
    index("index that counts none", lambda p: listed(p, names=(), count=0))
    index("index with bytes behind it", lambda p: listed(p) + b"\0")
    for n in (1, 1 << 40, (1 << 63) - 1, (1 << 64) - 1):
        index("index with a place at %d" % n, lambda p: listed(p, block=n))
        index("index with an offset of %d" % n, lambda p: listed(p, at=n))
        index("index with `prev` at %d" % n, lambda p: listed(p, prev=n), id="E08")
        index("index with number %d" % n, lambda p: listed(p, number=n))
        for field in ("length", "blocks", "entries", "content", "index", "bad"):
            index("END with %s %d" % (field, n), **{field: n})
    index("index that follows itself", lambda p: listed(p, prev=len(p.out)), id="E08")
    index("index that is no CBOR", lambda p: b"\xff" * 50)
    index("index that is empty", lambda p: b"\x80")
    index("index of an index that is no index", index=1)

    def circle(second):
        """The first INDEX points to `second`, where the second INDEX is, which points back."""
        p = Pack()
        p.entry(b"one", data=[b"1"])
        p.flush()
        p.index(listed(p, prev=second, count=1, names=(b"one",)))
        p.entry(b"two", data=[b"1"])
        p.index()
        p.end()
        return p

    p = circle(circle(1000).last_index)
    assert circle(1000).last_index == p.last_index
    Case("E08", "two indexes that follow each other", bytes(p.out), root=DAMAGE, verify=DAMAGE)


def whole_blocks(outside):
    """Blocks dropped, moved, and from another pack; bytes after the end."""
    def three(tag=b"", **how):
        p = Pack(**how)
        for name in (b"one", b"two", b"three"):
            p.entry(tag + name, data=[name * 50])
            p.flush()
        return blocks(p.finish())

    def moved(what, parts, has, lost, **more):
        inside = {n: file(n * 50) for n in has}
        inside.update((n, "none") for n in lost)
        Case("F03", what, b"".join(parts), root=DAMAGE, verify=DAMAGE, options=["--skip-damaged"], inside=inside, **more)
    b, other = three(), three(b"x-")
    all3 = ["one", "two", "three"]
    moved("block dropped", b[:2] + b[3:], ["one", "three"], ["two"])
    moved("block doubled", b[:3] + [b[2]] + b[3:], all3, [])
    moved("blocks swapped", [b[0], b[2], b[1]] + b[3:], ["two", "three"], [])
    moved("START dropped", b[1:], all3, [])
    moved("INDEX dropped", b[:4] + b[5:], all3, [])
    moved("END moved up", b[:3] + [b[5]] + b[3:5], ["one", "two"], [])
    for drop in ("two",):
        p = Pack()
        for name in all3:
            p.entry(name.encode(), data=[name.encode() * 50])
            if name == drop:
                p.unlisted.pop()
            p.flush()
        Case("F03", "entry in no index", p.finish(), root=DAMAGE, verify=DAMAGE, inside={n: file(n * 50) for n in all3})
    Case("F04", "block of another pack", b"".join(b[:2] + [other[2]] + b[3:]), root=DAMAGE, verify=DAMAGE, options=["--skip-damaged"],
         inside={"one": file("one" * 50), "two": "none", "x-two": "none", "three": file("three" * 50)})
    Case("F04", "block of another pack put between", b"".join(b[:2] + [other[2]] + b[2:]), root=DAMAGE, verify=DAMAGE, options=["--skip-damaged"],
         inside={"x-two": "none", **{n: file(n * 50) for n in all3}})
    Case("F04", "tail of another pack", b"".join(b[:3] + other[3:]), root=DAMAGE, verify=DAMAGE, options=["--skip-damaged"],
         inside={"one": file("one" * 50), "two": file("two" * 50), "x-three": "none"})
    inner = b"".join(three(b"inner-"))
    holder = pack((b"pack", {"data": [inner]}), (b"z", FILE))
    Case("F04", "pack inside a pack", holder, inside={"pack": {"type": "file", "size": len(inner)}, "inner-one": "none", "z": file("payload")})
    at = len(blocks(holder)[0])
    broken = holder[:at + 5] + bytes([holder[at + 5] ^ 1]) + holder[at + 6:]
    Case("F04", "pack inside a pack whose block is damaged", broken, root=DAMAGE, verify=DAMAGE, options=["--skip-damaged"],
         inside={"inner-one": "none", "inner-two": "none", "pack": "none", **GOOD_AFTER})
    Case("F05", "bytes after END", b"".join(b) + b"\0" * 512, root=DAMAGE, verify=DAMAGE, inside={n: file(n * 50) for n in all3})
    Case("F05", "text after END", b"".join(b) + b"garbage\n" * 9, root=DAMAGE, verify=DAMAGE, inside={n: file(n * 50) for n in all3})
    Case("F05", "two packs joined", b"".join(b + other), inside={**{n: file(n * 50) for n in all3}, "x-one": file("one" * 50)})
    Case("F05", "empty file", b"", root=DAMAGE, verify=DAMAGE)
    Case("F05", "no pack", b"\x1f\x8b\x08\0" * 50, root=DAMAGE, verify=DAMAGE)
    Case("F05", "no END", b"".join(b[:-1]), root=DAMAGE, verify=DAMAGE, inside={n: file(n * 50) for n in all3})


def checksums(outside):
    """Checksums, digests and keys that a reader must understand; damage with existing files in the target."""
    refused("F06", "checksum altered", b"f", data=[b"good"], tail={"h": b"\1" * 32}, inside={"f": "none"})
    refused("F06", "checksum missing", b"f", data=[b"good"], tail={"h": None}, inside={"f": "none"})
    refused("F06", "size and checksum missing", b"f", data=[b"good"], tail={"h": None, "n": None}, inside={"f": "none"})
    refused("F06", "checksum of 31 bytes", b"f", data=[b"good"], tail={"h": b"\1" * 31}, inside={"f": "none"})
    refused("F06", "empty checksum", b"f", data=[b"good"], tail={"h": b""}, inside={"f": "none"})
    holes = [b"good", 1 << 31]
    Case("F06", "sparse digest", pack((b"f", {"data": holes, "head": {"Z": 1}})),
         inside={"f": {"type": "file", "size": (1 << 31) + 4}, **GOOD_AFTER})
    refused("F06", "sparse digest altered", b"f", data=holes, head={"Z": 1}, tail={"Z": b"\1" * 32}, inside={"f": "none"})
    refused("F06", "sparse digest announced and missing", b"f", data=[b"good"], head={"Z": 1},
            tail={"Z": None, "h": content_sum([b"good"])[1]}, inside={"f": "none"})
    refused("F06", "sparse digest not announced", b"f", data=[b"good"], tail={"h": None, "Z": sparse_sum([b"good"])}, inside={"f": "none"})
    refused("F06", "two digests", b"f", data=[b"good"], head={"Z": 1}, tail={"h": content_sum([b"good"])[1]}, inside={"f": "none"})
    refused("F06", "sparse digest of an unknown kind", b"f", data=[b"good"], head={"Z": 2}, inside={"f": "none"})
    refused("F06", "sparse digest of a folder", b"f", type=2, head={"Z": 1}, inside={"f": "none"})
    refused("F06", "sparse digest of a command", b"f", type=9, data=[b"good"], head={"Z": 1}, inside={"f": "none"})
    for what, data in ("in one piece", [15 << 40]), ("in two blocks", [(1 << 30) + 1, bytes((1 << 20) - 9), 1]):
        for digest in bytes(32), sparse_sum(data), content_sum([d for d in data if isinstance(d, bytes)])[1]:
            refused("F06", "too large holes %s, %s" % (what, digest[:2].hex()), b"f", data=data, tail={"h": digest}, inside={"f": "none"})
    refused("F06", "unknown key that must be understood", b"f", data=[b"good"], tail={"Sum": b"x"}, inside={"f": "none"})
    refused("F06", "unknown key that must be understood, in HEAD", b"f", data=[b"good"], head={"Enc": 1}, inside={"f": "none"})
    for key, value in (("H", "none"), ("H", ""), ("H", "md5"), ("H", None), ("F", 2), ("F", None), ("K", "store"), ("Z", 1)):
        p = Pack(**{key: value})
        p.entry(b"f", data=[b"x"])
        Case("F06", "START with %s %s" % (key, value), p.finish(), root=[2, 5], verify=[2, 5], inside={"f": "none"})
    for field in ({"version": 2}, {"version": 0}, {"must": 1}, {"must": 0x8000}, {"codec": 2}, {"seal": 1}, {"seal": 7}):
        p = Pack()
        p.entry(b"f", data=[b"x"])
        p.flush(**field)
        p.entry(AFTER[0], data=[AFTER[1]])
        Case("F06", "block with %s %d" % next(iter(field.items())), p.finish(), root=[2, 5, 6], verify=[2, 5, 6], inside={"f": "none"})
    Case("F07", "altered, with all checks recomputed", pack((b"f", {"data": [b"altered"]})), inside={"f": file("altered"), **GOOD_AFTER})
    p = Pack()
    p.entry(b"damaged-member", data=[b"x" * 500])
    p.flush(check=7)
    p.entry(AFTER[0], data=[AFTER[1]])
    Case("F08", "damaged member is named, others are checked", p.finish(), root=DAMAGE, verify=DAMAGE, options=["--skip-damaged"],
         inside={"damaged-member": "none", **GOOD_AFTER})
    Case("F09", "damaged member over a good file", p.out and bytes(p.out), setup=[("file", "damaged-member", "old and good")],
         root=DAMAGE, verify=DAMAGE, options=["--skip-damaged"], inside={"damaged-member": file("old and good"), **GOOD_AFTER})
    Case("F09", "wrong checksum over a good file", pack((b"f", {"data": [b"bad"], "tail": {"h": bytes(32)}})),
         setup=[("file", "f", "old and good")], root=REFUSED, verify=DAMAGE, inside={"f": file("old and good"), **GOOD_AFTER})
    p = Pack(room=4000)
    p.entry(b"big", data=[b"z" * 20000])
    p.entry(AFTER[0], data=[AFTER[1]])
    cut = p.finish()
    Case("F09", "cut in the content", cut[:9000], root=DAMAGE, verify=DAMAGE, inside={"big": "none"})


def render(outside, long=False):
    CASES.clear()
    for part in (paths, links, hard_links, privileges, lengths, amounts, streams, tables, whole_blocks, checksums):
        part(outside)
    return [c for c in CASES if long or not c.long]


def main(args):
    if len(args) < 2:
        sys.exit(__doc__)
    os.makedirs(args[0], exist_ok=True)
    count = {}
    for case in render(os.fsencode(args[1]), "--long" in args):
        count[case.id] = count.get(case.id, 0) + 1
        words = re.sub("[^a-z0-9]+", "-", case.what.lower()).strip("-")
        base = os.path.join(args[0], "%s.%d-%s" % (case.id, count[case.id], words[:50]))
        for i, data in enumerate(case.packs):
            with open(base + (".%d" % (i + 1) if i else "") + ".fdump", "wb") as f:
                f.write(data() if callable(data) else data)
        with open(base + ".json", "w") as f:
            json.dump(case.spec, f, indent=1)


if __name__ == "__main__":
    main(sys.argv[1:])
