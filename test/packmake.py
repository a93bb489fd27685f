"""packmake.py - a small writer of packs in which every field can be wrong.

    p = Pack()                                   an id of its own; START is written
    p.entry(b"a/b", data=[b"bytes", 4096])       DATA, and a HOLE of 4096; SHA-256 and size are computed
    p.entry(b"l", type=3, head={"L": b"target"}) more keys of HEAD; tail={...} the same; None drops a key
    p.item(b"...")                               any bytes into the stream of entries
    p.block(ENTRY, payload, seq=7, stored=9)     any block; each field of its header can be given
    data = p.finish()                            INDEX and END; p.index() and p.end() do it by hand

Fields that are not given follow pack/FORMAT.md; nothing here checks anything. Codec zstd needs libzstd.so.1.
"""
import ctypes, hashlib, os, struct

from reader import BLOCK_ENTRIES, Digest, END, ENTRY, INDEX, MAGIC, NONE, START, cbor_head, cbor_put, xxh3

HEAD_ORDER = ("P", "T", "m", "u", "g", "un", "gn", "t", "s", "D", "L", "H", "x", "f", "Z")
TAIL_ORDER = ("n", "h", "Z", "S", "c", "e", "t", "X")
INDEX_ORDER = ("P", "T", "m", "u", "g", "un", "gn", "t", "D", "L", "H", "Z")
MTIME = [1700000000, 123456789]


class Raw(bytes):
    """Raw CBOR bytes, in a content list or as a value in a map."""


def zstd(b):
    """One zstd frame."""
    lib, n = ctypes.CDLL("libzstd.so.1"), ctypes.c_size_t
    lib.ZSTD_compress.restype = lib.ZSTD_compressBound.restype = n
    out = ctypes.create_string_buffer(lib.ZSTD_compressBound(n(len(b))))
    size = lib.ZSTD_compress(out, n(len(out)), b, n(len(b)), 3)
    return out.raw[:size]


def encode(v):
    """cbor_put, with Raw passed through."""
    if isinstance(v, Raw):
        return bytes(v)
    if isinstance(v, dict):
        return cbor_head(5, len(v)) + b"".join(encode(k) + encode(x) for k, x in v.items())
    if isinstance(v, list):
        return cbor_head(4, len(v)) + b"".join(map(encode, v))
    return cbor_put(v)


def ordered(m, order):
    """The map in canonical order, without None values; unknown keys last."""
    keys = [k for k in order if k in m] + [k for k in m if k not in order]
    return {k: m[k] for k in keys if m[k] is not None}


def content_sum(data):
    """(size, SHA-256) of a list of DATA and HOLE. Holes of over 1 GiB are not hashed."""
    sha, size = hashlib.sha256(), 0
    for d in data:
        if isinstance(d, Raw):
            continue
        size += len(d) if isinstance(d, bytes) else d
        if isinstance(d, bytes):
            sha.update(d)
        elif 0 < d <= 1 << 30:
            for _ in range(d >> 20):
                sha.update(bytes(1 << 20))
            sha.update(bytes(d & 0xFFFFF))
    return size, sha.digest()


def sparse_sum(data):
    """The digest of pack/FORMAT.md, section 4.5, of a list of DATA and HOLE."""
    digest = Digest()
    for d in data:
        digest.data(d) if isinstance(d, bytes) else digest.hole(d)
    return digest.digest()


class Pack:
    def __init__(self, id=None, codec=0, room=1 << 20, most=BLOCK_ENTRIES, start=True, **start_keys):
        """room, most: the raw bytes and HEADs that an ENTRY block holds before the next one begins.
        start=False: no START."""
        self.id, self.codec, self.room, self.most, self.begun = id or os.urandom(16), codec, room, most, 0
        self.out, self.seq, self.headers = bytearray(), 0, hashlib.sha256()
        self.payload, self.first = bytearray(), NONE  # of the ENTRY block being filled
        self.entries, self.content, self.bad = 0, 0, 0
        self.waiting, self.unlisted = [], []  # [offset of block, of HEAD, head, tail]; whether the block is known
        self.last_index, self.listed, self.waiting_bytes = 0, 0, 0
        if start:
            m = {"F": 1, "K": "pack", "H": "sha256", "w": "packmake", "t": MTIME}
            self.block(START, encode(ordered({**m, **start_keys}, tuple(m))))

    def block(self, kind, payload, first=NONE, codec=0, seal=0, must=0, may=0, version=1, magic=MAGIC,
              id=None, seq=None, raw=None, stored=None, check=None, header_check=None):
        """Appends a block; fields that are not given are right. Returns its offset."""
        size, at = len(payload), len(self.out)
        if codec == 1:
            small = zstd(payload)
            payload, codec = (small, 1) if len(small) < size else (payload, 0)
        h = magic + struct.pack(
            "<4BHHI16sQIIQ", version, kind, codec, seal, must, may, first, id or self.id,
            self.seq if seq is None else seq, size if raw is None else raw,
            len(payload) if stored is None else stored, xxh3(payload) if check is None else check)
        h += struct.pack("<Q", xxh3(h) if header_check is None else header_check)
        self.seq += 1
        self.headers.update(h)
        self.out += h + payload
        return at

    def flush(self, **fields):
        """Ends the ENTRY block that is being filled, if it is not empty."""
        if not self.payload:
            return
        at = self.block(ENTRY, bytes(self.payload), **{"first": self.first, "codec": self.codec, **fields})
        for e in self.waiting:
            e[0] = at
        self.waiting, self.payload, self.first, self.begun = [], bytearray(), NONE, 0

    def item(self, b, head=False):
        """Appends bytes to the stream, without a block boundary inside. head: a HEAD begins with them."""
        if len(self.payload) + len(b) > self.room or head and self.begun == self.most:
            self.flush()
        self.begun += head
        if head and self.first == NONE:
            self.first = len(self.payload)
        self.payload += b
        return len(self.payload) - len(b)

    def data(self, d):
        if isinstance(d, Raw):
            self.item(d)
        elif isinstance(d, int):
            self.item(cbor_put(d))
        else:
            while d:
                room = self.room - len(self.payload) - 5
                if room <= 0:
                    self.flush()
                    room = self.room - 5
                self.item(cbor_put(d[:room]))
                d = d[room:]

    def entry(self, path, type=1, data=(), head=None, tail=None, no_tail=False):
        """One entry; keys in head and tail override the computed ones. head={"Z": 1}: the TAIL fits it."""
        has_content = type in (1, 9)
        size, digest = content_sum(data)
        h = {"P": path, "T": type, "m": 0o755 if type == 2 else 0o777 if type == 3 else 0o644,
             "u": os.geteuid(), "g": os.getegid(), "t": MTIME, "s": size if type == 1 and size < 1 << 63 else None}
        if type == 4:
            h.update(m=None, u=None, g=None, t=None)
        t = {"n": size & (1 << 64) - 1, "h": digest} if has_content else {}
        if head and head.get("Z") == 1:
            t.update(h=None, Z=sparse_sum(data))
        if type == 9:
            t["X"] = 0
        h, t = ordered({**h, **(head or {})}, HEAD_ORDER), ordered({**t, **(tail or {})}, TAIL_ORDER)
        at = self.item(encode(h), head=True)
        e = [None, at, h, t]
        self.waiting.append(e)
        for d in data:
            self.data(d)
        if no_tail:
            return
        self.item(encode(t))
        self.unlisted.append(e)
        self.entries += 1
        self.content += t.get("n", 0) if isinstance(t.get("n", 0), int) else 0
        self.bad += "S" in t
        self.waiting_bytes += len(path) + 100
        if self.waiting_bytes > 256 << 10:
            self.index()

    def index_payload(self):
        out = [encode([self.last_index, self.listed, len(self.unlisted)])]
        for block, at, h, t in self.unlisted:
            out += [encode([block, at]), encode({k: h[k] for k in INDEX_ORDER if k in h}), encode(t)]
        return b"".join(out)

    def index(self, payload=None, **fields):
        self.flush()
        if payload is None:
            payload = self.index_payload()
        at = self.block(INDEX, payload, **{"codec": self.codec, **fields})
        self.last_index, self.listed, self.unlisted = at, self.listed + len(self.unlisted), []
        self.waiting_bytes = 0

    def end(self, payload=None, **fields):
        """Fields of END by name: length, blocks, entries, content, index, bad, digest; of the header: as
        for block()."""
        have = {"length": len(self.out), "blocks": self.seq, "entries": self.entries,
                "content": self.content & (1 << 64) - 1, "index": self.last_index, "bad": self.bad,
                "digest": self.headers.digest()}
        have.update((k, fields.pop(k)) for k in list(fields) if k in have)
        self.block(END, payload or struct.pack("<6Q32s", *have.values()), **fields)

    def finish(self):
        self.flush()
        if self.unlisted:
            self.index()
        self.end()
        return bytes(self.out)


def blocks(data):
    """The blocks of a good pack, as bytes, in order."""
    out, at = [], 0
    while at < len(data):
        stored = struct.unpack_from("<I", data, at + 44)[0]
        out.append(data[at:at + 64 + stored])
        at += 64 + stored
    return out
