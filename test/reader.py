#!/usr/bin/env python3
"""reader.py - a second reader of packs, written from pack/FORMAT.md alone.

usage: reader.py verify FILE [keys]    every check of the format; a line for each finding
       reader.py list FILE [keys]      one JSON object a line for each good entry
keys:  --secret-hex FILE               an X25519 secret: 64 hexadecimal digits
       --passphrase-file FILE          a passphrase; one newline at its end is not part of it

FILE may be -. Exit status: 0 good, 2 wrong usage or sealed without its key, 5 damaged or malformed.
It shares no code with the C side: CBOR is its own; xxh3.py has XXH3, opening.py zstd and the
algorithms for sealed packs. The whole pack stays in memory.
As a module: Reader(data, ...) has .entries and .findings; xxh3(), cbor_get(), cbor_put().
"""
import base64, hashlib, json, struct, sys
import opening
from opening import Malformed, Unsupported
from xxh3 import le, xxh3

MAGIC, NONE = b"\xf7DMP", 0xFFFFFFFF
START, KEY, ENTRY, INDEX, END = 1, 2, 3, 4, 5
KINDS = (None, "START", "KEY", "ENTRY", "INDEX", "END")
U32, U63, U64 = (1 << 32) - 1, (1 << 63) - 1, (1 << 64) - 1
CONTENT_MAX, BLOCK_ENTRIES, HOLES_MAX = 1 << 44, 4096, 1 << 30
NAMES = dict(P="path", T="type", m="mode", u="uid", g="gid", un="user", gn="group", t="mtime",
             D="device", L="target", H="link", x="xattrs", f="flags", n="size", h="sha256",
             S="status", c="changed", e="error", X="exit")
TYPES = (None, "file", "dir", "symlink", "hardlink", "fifo", "socket", "char", "block", "command")
STATUS = ("ok", "changed", "grown", "shrunk", "read-error", "vanished", "command-failed", "incomplete")

# CBOR: int, bytes, str, list, dict, True, False, None.
def cbor_get(b, at=0, depth=9):  # a map, and 8 deep in its values
    """Decodes the item at `at`; returns (value, offset after it)."""
    if at >= len(b):
        raise Malformed("CBOR: the item goes over the end")
    major, n, at = b[at] >> 5, b[at] & 31, at + 1
    if major == 7 and 20 <= n <= 22:
        return (False, True, None)[n - 20], at
    if major > 5 or n > 27:
        raise Malformed("CBOR: a kind of item that packs do not use (0x%02x)" % b[at - 1])
    if n > 23:
        size = 1 << n - 24
        n, at = int.from_bytes(b[at:at + size], "big"), at + size
    if major < 2:
        n = n if major == 0 else -1 - n
    elif n > len(b) - at:  # each item in an array or a map takes at least one byte
        raise Malformed("CBOR: the item goes over the end")
    elif major < 4:
        n, at = b[at:at + n], at + n
        n = n if major == 2 else n.decode("utf-8", "surrogateescape")
    elif depth == 0:
        raise Malformed("CBOR: nested too deep")
    else:
        values = []
        for _ in range(n * (major - 3)):
            value, at = cbor_get(b, at, depth - 1)
            values.append(value)
        keys = values[::2] if major == 5 else []
        if not all(isinstance(k, (str, bytes)) for k in keys) or len(set(keys)) != len(keys):
            raise Malformed("CBOR: a map's key is no string, or there twice")
        n = dict(zip(keys, values[1::2])) if major == 5 else values
    if at > len(b):
        raise Malformed("CBOR: the item goes over the end")
    return n, at

def cbor_head(major, n):
    size = 0 if n < 24 else 1 if n < 1 << 8 else 2 if n < 1 << 16 else 4 if n < 1 << 32 else 8
    return bytes([major << 5 | (23 + size.bit_length() if size else n)]) + n.to_bytes(8, "big")[8 - size:]
def cbor_put(v):
    """The shortest encoding; maps keep their order."""
    if v is None or isinstance(v, bool):
        return {False: b"\xf4", True: b"\xf5", None: b"\xf6"}[v]
    if isinstance(v, int):
        return cbor_head(0, v) if v >= 0 else cbor_head(1, -1 - v)
    if isinstance(v, (bytes, str)):
        b = v if isinstance(v, bytes) else v.encode("utf-8", "surrogateescape")
        return cbor_head(2 + isinstance(v, str), len(b)) + b
    if isinstance(v, (list, tuple)):
        return cbor_head(4, len(v)) + b"".join(map(cbor_put, v))
    return cbor_head(5, len(v)) + b"".join(cbor_put(k) + cbor_put(x) for k, x in v.items())

def open_key(payload, secret, passphrase):
    """Gets the pack's payload key from a KEY block's payload; None without a fitting key."""
    k = check(cbor_all(payload), KEY_RULES, "ACW", "KEY")
    for w in k["W"]:
        pack_key = opening.unwrap(w, k["C"], secret, passphrase)
        if pack_key and opening.hkdf(pack_key, b"fdump pack commitment") == k["C"]:
            return opening.hkdf(pack_key, b"fdump pack payload" + hashlib.sha256(payload).digest())
    return None

# What maps may contain: a rule is a function from a value to whether it is valid.
def uint(most=U64, least=0):
    return lambda v: isinstance(v, int) and not isinstance(v, bool) and least <= v <= most
def string(most, least=1, nul=True):
    return lambda v: isinstance(v, bytes) and least <= len(v) <= most and (nul or b"\0" not in v)
def array(*rules):
    return lambda v: isinstance(v, list) and len(v) == len(rules) and all(map(lambda r, x: r(x), rules, v))
def is_path(v):
    return string(65535, nul=False)(v) and all(
        len(c) <= 255 and c not in (b"", b".", b"..") for c in v.split(b"/"))
def is_wrap(w):
    forms = {1: array(uint(), string(16, 16), string(32, 32), string(48, 48)),
             2: array(uint(), string(16, 16), uint(16, 1), uint(1 << 20, 1), uint(16, 1), string(48, 48))}
    return isinstance(w, list) and w and uint()(w[0]) and forms.get(w[0], bool)(w)

TIME = array(uint(U63, -1 - U63), uint(999999999))
START_RULES = {"F": lambda v: v == 1, "K": lambda v: v == "pack", "H": lambda v: v == "sha256",
               "w": lambda v: isinstance(v, str), "t": TIME}
KEY_RULES = {"A": lambda v: v == 1, "C": string(32, 32), "W": lambda v: isinstance(v, list)
             and 1 <= len(v) <= 64 and all(map(is_wrap, v))}
HEAD_RULES = {  # the first twelve are also in an INDEX, in this order
    "P": lambda v: is_path(v) or v == b".", "T": uint(9, 1), "m": uint(4095), "u": uint(U32 - 1),
    "g": uint(U32 - 1), "un": string(255), "gn": string(255), "t": TIME, "D": array(uint(U32), uint(U32)),
    "L": string(65535, nul=False), "H": is_path, "Z": lambda v: v == 1 and v is not True, "s": uint(U63), "f": uint(U32),
    "x": lambda v: isinstance(v, dict) and all(
        string(255, nul=False)(k) and string(65536, 0)(a) for k, a in v.items())}
TAIL_RULES = {
    "n": uint(CONTENT_MAX), "h": string(32, 32), "Z": string(32, 32), "S": uint(7, 1), "e": array(uint(U63), uint(U32)), "t": TIME,
    "c": lambda v: isinstance(v, list) and all(isinstance(x, str) for x in v), "X": uint(255)}

def check(m, rules, required, what):
    """Checks a map against its rules; a key that begins upper-case must be known."""
    if not isinstance(m, dict) or not all(isinstance(k, str) for k in m):
        raise Malformed("%s: no map with text keys" % what)
    for key, value in m.items():
        if key not in rules and "A" <= key[:1] <= "Z":
            raise Malformed("%s: key %r is not known, but must be" % (what, key))
        if key in rules and not rules[key](value):
            raise Malformed("%s: key %r has a value that is not allowed" % (what, key))
    for key in required:
        if key not in m:
            raise Malformed("%s: key %r is missing" % (what, key))
    return m
def only_with(m, what, kind, pairs):
    for key, kinds in pairs:
        if (key in m) != (kind in kinds):
            raise Malformed("%s: key %r and type %d" % (what, key, kind))
def check_head(m, length):
    kind = check(m, HEAD_RULES, "PT", "HEAD")["T"]
    only_with(m, "HEAD", kind, (("D", (7, 8)), ("L", (3,)), ("H", (4,))))
    if "Z" in m and kind != 1:
        raise Malformed("HEAD: key 'Z' and type %d" % kind)
    if "m" not in m and kind not in (4, 9) or m["P"] == b"." and kind != 2 or length > 1 << 20:
        raise Malformed("HEAD: no mode, or a root that is no directory, or too long")
def check_tail(m, length, kind, sparse):
    status = check(m, TAIL_RULES, "", "TAIL").get("S", 0)
    only_with(m, "TAIL", kind, (("n", (1, 9)), ("Z" if sparse else "h", (1, 9)), ("h" if sparse else "Z", ()), ("X", (9,))))
    if ("c" in m and status not in (1, 2, 3) or "e" in m and status not in (4, 5, 7) or length > 4096
            or status in (0, 6) and (status == 6) != (m.get("X", 0) != 0)):
        raise Malformed("TAIL: status %d does not go with the rest, or too long" % status)
def cbor_all(b):
    value, at = cbor_get(b)
    if at != len(b):
        raise Malformed("bytes behind the map")
    return value

class Header:
    """The header of a block; raises Malformed if there is no valid one."""
    def __init__(self, data, at):
        b = self.bytes = bytes(data[at:at + 64])
        if b[:4] != MAGIC or len(b) < 64 or xxh3(b[:56]) != le(b, 56):
            raise Malformed("no good block where one should begin")
        (version, self.kind, self.codec, self.seal, must, _, self.first, self.id, self.seq, self.raw,
         self.stored, self.check) = struct.unpack_from("<4BHHI16sQIIQ", b, 4)
        if version != 1 or must:
            raise Malformed("block version %d, must-understand bits 0x%04x: not known" % (version, must))
        body, k = self.stored - 16 * self.seal, self.kind
        if (not START <= k <= END or self.codec > 1 or self.seal > 1 or not 1 <= self.raw <= 2 << 20
                or (body != self.raw if self.codec == 0 else not 0 < body < self.raw)
                or self.first != NONE and (k != ENTRY or self.first >= self.raw)
                or self.codec and k in (START, KEY, END) or self.seal and k in (START, KEY)
                or k == END and self.raw != 80 or (k == START) != (self.seq == 0)):
            raise Malformed("a block's header has a value that is not allowed")
        self.at, self.end = at, at + 64 + self.stored

class Digest:
    """Section 4.5: of the blocks that are not all zero."""
    def __init__(self):
        self.sha, self.at, self.block = hashlib.sha256(), 0, b""  # the block that begins at .at, so far
    def put(self, block):
        if block.strip(b"\0"):
            self.sha.update(struct.pack("<Q", self.at) + block)
        self.at += len(block)
    def data(self, b):
        b = self.block + b
        for at in range(0, len(b) - 4095, 4096):
            self.put(b[at:at + 4096])
        self.block = b[len(b) - len(b) % 4096:]
    def hole(self, n):
        fill = min(n, -len(self.block) % 4096)
        self.data(bytes(fill))
        self.at += (n - fill) // 4096 * 4096
        self.data(bytes((n - fill) % 4096))
    def digest(self):
        self.put(self.block)
        self.sha.update(struct.pack("<Q", self.at))
        return self.sha.digest()

class Entry:
    """.head and .tail (maps), .block and .offset, .problem (text or None)"""
    def __init__(self, block, offset, head, length):
        self.block, self.offset, self.head, self.tail, self.problem = block, offset, head, None, None
        self.size, self.holes, self.sha = 0, 0, hashlib.sha256()
        self.sparse = Digest() if isinstance(head, dict) and "Z" in head else None
        self.attempt(check_head, head, length)

    def attempt(self, f, *args):
        try:
            self.problem or f(*args)
        except Malformed as e:
            self.problem = str(e)

    def item(self, v):
        hole = uint(CONTENT_MAX - self.size, 1)(v)
        if self.head["T"] not in (1, 9) or not (hole or isinstance(v, bytes) and v):
            raise Malformed("an item of content that is not allowed")
        self.size += v if hole else len(v)
        self.holes += v if hole else 0
        if self.sparse:
            self.sparse.hole(v) if hole else self.sparse.data(v)
            return
        if self.holes > HOLES_MAX:
            raise Malformed("holes of more than %d bytes, and no Z" % HOLES_MAX)
        for _ in range(v >> 20 if hole else 0):
            self.sha.update(bytes(1 << 20))
        self.sha.update(bytes(v & 0xFFFFF) if hole else v)

    def finish(self, tail, length):
        self.tail = tail
        check_tail(tail, length, self.head["T"], self.sparse)
        key, digest = ("Z", self.sparse) if self.sparse else ("h", self.sha)
        if "n" in tail and (tail["n"], tail[key]) != (self.size, digest.digest()):
            raise Malformed("size or checksum of the content is not the TAIL's")

class Reader:
    """Reads all packs in data: .entries in their order, .findings as (offset, text)."""
    def __init__(self, data, secret=None, passphrase=None):
        self.data, self.keys = bytes(data), (secret, passphrase)
        self.entries, self.findings, self.id = [], [], None
        self.find = lambda at, text: self.findings.append((at, text))
        at = self.pack(0)
        while at < len(self.data):
            at = self.pack(at)

    # Blocks: sections 2, 3 and 6.
    def pack(self, at):
        """Reads one pack from `at`, returns where it ends."""
        self.id, self.seq, self.start, self.kind, self.clean = None, -1, at, None, len(self.findings)
        self.key = self.key_payload = self.sealed = self.refused = None
        self.headers, self.done, self.listed, self.last_index = hashlib.sha256(), [], 0, 0
        self.entry, self.lost = None, False  # the open entry; whether the stream was interrupted
        while self.kind != END:
            h, at = self.next_block(at)
            if h is None:
                break
            self.lost = self.lost or h.seq != self.seq + 1
            self.id, self.seq, at = h.id, h.seq, h.end
            try:
                self.block(h)
            except Malformed as e:
                self.find(h.at, "%s block %d: %s" % (KINDS[h.kind], h.seq, e))
                self.lost = self.lost or h.kind == ENTRY
            self.headers.update(h.bytes)
            self.kind = h.kind
        self.drop("the pack ends in it")
        self.entries += self.done
        return at

    def next_block(self, at):
        """The next block of this pack and its offset; None at the end of the data."""
        while True:
            try:
                h = Header(self.data, at)
                if self.fits(h):
                    break
                self.find(at, "misplaced %s block %d of %s" % (KINDS[h.kind], h.seq, h.id.hex()))
                at = h.end
            except Malformed as e:
                self.find(at, str(e) if at + 64 <= len(self.data) else "cut: END is missing")
                at = self.search(at)
                if at == len(self.data):
                    return None, at
        if h.seq != self.seq + 1:
            self.find(at, "blocks %d to %d are missing" % (self.seq + 1, h.seq - 1))
        return h, at

    def fits(self, h):
        return self.id is None or h.id == self.id and h.seq > self.seq

    def search(self, at):
        """Resynchronisation: the offset of the next good header that fits."""
        while (at := self.data.find(MAGIC, at + 1)) >= 0:
            try:
                if self.fits(Header(self.data, at)):
                    return at
            except Malformed:
                pass
        return len(self.data)

    def block(self, h):
        if self.kind == START:
            self.sealed = h.kind == KEY
        elif (self.sealed is not None and not self.lost and h.seq != 2
              and (self.kind == KEY) != (self.sealed and h.kind in (INDEX, END))):
            raise Malformed("KEY blocks are not where they should be")
        payload = self.payload(h)
        if h.kind == START:
            self.refused = True
            self.refused = not check(cbor_all(payload), START_RULES, "FKH", "START")
        elif h.kind == ENTRY and not self.refused:
            self.items(h, payload)
        elif h.kind == INDEX:
            self.index(h, payload)
        elif h.kind == END:
            self.end(h, payload)

    def payload(self, h):
        """The raw payload: checked, decrypted, decompressed."""
        stored = self.data[h.at + 64:h.end]
        if len(stored) < h.stored or xxh3(stored) != h.check:
            raise Malformed("cut" if len(stored) < h.stored else "the payload is damaged")
        if h.kind == KEY:
            if self.key_payload not in (None, stored):
                raise Malformed("differs from the KEY before")
            self.key = self.key or open_key(stored, *self.keys)
            if self.key is None:
                raise Unsupported("the pack is sealed, and nothing given opens it")
            self.key_payload = stored
        elif h.seal:
            stored = opening.open_gcm(self.key or self.later_key(h.at), bytes(4) + h.seq.to_bytes(8, "big"),
                              h.bytes[:48], stored)
            if stored is None:
                raise Malformed("does not open: damaged or forged")
        elif h.kind != START and (self.key or self.keys != (None, None)):
            raise Malformed("is not sealed")
        return opening.unzstd(stored, h.raw) if h.codec else stored

    def later_key(self, at):
        """The first KEY was lost: a later one has the same payload."""
        while self.key is None:
            at = self.search(at)
            if at == len(self.data):
                raise Malformed("sealed, and no KEY is left")
            h = Header(self.data, at)
            if h.kind == KEY and xxh3(self.data[h.at + 64:h.end]) == h.check:
                self.payload(h)
        return self.key

    # Entries: section 4.
    def items(self, h, payload):
        at, first, begun = 0, NONE, 0
        if self.lost:
            self.drop("a part of it is lost")
            at = min(h.first, len(payload))
            self.lost = at == len(payload)
        while at < len(payload):
            begin = at
            value, at = cbor_get(payload, at)
            if self.entry is None:
                first = min(first, begin)
                if not isinstance(value, dict) or (begun := begun + 1) > BLOCK_ENTRIES:
                    raise Malformed("no HEAD, or one more than %d, at %d" % (BLOCK_ENTRIES, begin))
                self.entry = Entry(h.at, begin, value, at - begin)
            elif isinstance(value, dict):
                self.entry.attempt(self.entry.finish, value, at - begin)
                self.done.append(self.entry)
                if self.entry.problem:
                    self.drop(self.entry.problem)
                self.entry = None
            else:
                self.entry.attempt(self.entry.item, value)
        if first != h.first:
            raise Malformed("`first` is %d, the first HEAD is at %d" % (h.first, first))

    def drop(self, why):
        if self.entry:
            self.find(self.entry.block, "entry %s at %d: %s" % (name(self.entry.head), self.entry.offset, why))
            self.entry = None

    # INDEX and END. After damage they only serve to name what is lost.
    def index(self, h, payload):
        if len(self.findings) == self.clean:
            new = self.done[self.listed:]
            want = [cbor_put([self.last_index, self.listed, len(new)])]
            for e in new:
                want += [cbor_put([e.block - self.start, e.offset]),
                         cbor_put({k: e.head[k] for k in list(HEAD_RULES)[:12] if k in e.head}), cbor_put(e.tail)]
            if not new or b"".join(want) != payload:
                raise Malformed("is not what the entries give")
            self.listed, self.last_index = len(self.done), h.at - self.start
            return
        read, (_, at) = {name(e.head) for e in self.done if not e.problem}, cbor_get(payload)
        while at < len(payload):
            _, at = cbor_get(payload, at)
            head, at = cbor_get(payload, at)
            _, at = cbor_get(payload, at)
            if name(head) not in read:
                self.find(h.at, "entry %s was listed and is lost" % name(head))

    def end(self, h, payload):
        self.drop("END comes before its TAIL")
        if len(self.findings) > self.clean:
            return
        have = (h.at - self.start, h.seq, len(self.done), sum(e.size for e in self.done) & U64,
                self.last_index, sum("S" in e.tail for e in self.done))
        words = ("bytes", "blocks", "entries", "bytes of content", "as last INDEX", "entries not ok")
        for there, found, word in zip(struct.unpack_from("<6Q", payload), have, words):
            if there != found:
                self.find(h.at, "END says %d %s, found are %d" % (there, word, found))
        if payload[48:] != self.headers.digest():
            self.find(h.at, "END: the digest of the headers does not agree")
        if self.listed != len(self.done):
            self.find(h.at, "entries are in no INDEX")

def plain(v):
    """For JSON: bytes as text where they are UTF-8, else as {"base64": ...}."""
    if isinstance(v, bytes):
        try:
            return v.decode()
        except UnicodeDecodeError:
            return {"base64": base64.b64encode(v).decode()}
    return [[plain(k), plain(x)] for k, x in v.items()] if isinstance(v, dict) else v
def name(head):
    path = head.get("P") if isinstance(head, dict) else None
    return ascii(path)[1:] if isinstance(path, bytes) else "without a path"
def row(e):
    tail = {"mtime_after" if k == "t" else k: v for k, v in e.tail.items()}
    out = {NAMES.get(k, k): plain(v) for k, v in {**e.head, **tail}.items()}
    out.update(type=TYPES[e.head["T"]], status=STATUS[e.tail.get("S", 0)])
    out.pop("Z", None)
    sums = {name: tail[key].hex() for key, name in (("h", "sha256"), ("Z", "sparse_sha256")) if key in tail}
    return {**out, **sums}

def main(args):
    options, known = {}, ("--secret-hex", "--passphrase-file")
    while len(args) > 3 and args[-2] in known:
        *args, option, value = args
        options[option] = open(value, "rb").read().removesuffix(b"\n")
    if len(args) != 2 or args[0] not in ("verify", "list"):
        print(__doc__, file=sys.stderr)
        return 2
    data = sys.stdin.buffer.read() if args[1] == "-" else open(args[1], "rb").read()
    try:
        secret = bytes.fromhex(options[known[0]].decode()) if known[0] in options else None
        r = Reader(data, secret, options.get(known[1]))
    except Unsupported as e:
        print("%s: %s" % (args[1], e), file=sys.stderr)
        return 2
    for e in [e for e in r.entries if not e.problem and args[0] == "list"]:
        print(json.dumps(row(e)))
    for at, why in r.findings:
        print("%s: offset %d: %s" % (args[1], at, why), file=(sys.stdout, sys.stderr)[args[0] == "list"])
    return 5 if r.findings else 0

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
