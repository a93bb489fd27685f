"""storereader.py - restores from a store as cmd/store/LAYOUT.md and cmd/dump/CHUNKS.md describe it, without
FDump and without the store's index.

usage: storereader.py list STORE
       storereader.py restore STORE DUMP DIR [SECRET]    DUMP: the first digits of its id
       SECRET: file with the secret half of the key, in hexadecimal

Verifies every block's check, a sealed dump's record by its HMAC, each piece of the manifest by its id, and
each file by its SHA-256. Restores directories, files, symbolic and hard links, with mode and mtime. Exit
status 5 if anything does not match."""
import glob, hashlib, hmac, os, struct, sys
import opening, reader
from opening import Malformed

VOLUME, CHUNK, DUMP, DELETE, LOCK = range(16, 21)

def blocks(data):
    """The good blocks of a volume: kind, payload. Skips damage."""
    at, known = 0, None
    while at + 64 <= len(data):
        b = data[at:at + 64]
        kind, ident, seq = b[5], b[16:32], reader.le(b, 32)
        raw, stored = reader.le(b, 40, 4), reader.le(b, 44, 4)
        if (b[:5] != reader.MAGIC + b"\1" or reader.xxh3(b[:56]) != reader.le(b, 56) or known not in (None, ident)
                or b[6] or b[7] or raw != stored or not 1 <= raw <= (4 << 20) + 4096):
            at += 1
            continue
        known, payload = ident, data[at + 64:at + 64 + stored]
        if len(payload) == stored and reader.xxh3(payload) == reader.le(b, 48):
            yield kind, payload
        at += 64 + stored

def hkdf(secret, info):
    return opening.hkdf(secret, info)

class Record:
    """A chunk's record; content() opens it."""
    def __init__(self, b):
        version, self.codec, self.wraps, zero, self.raw = struct.unpack_from("<4BI", b)
        self.id, self.head = b[8:40], 84 + 64 * self.wraps if self.wraps else 40
        if version != 1 or self.codec > 1 or self.wraps > 16 or zero or not 1 <= self.raw <= 4 << 20:
            raise Malformed("record with a value that is not allowed")
        self.bytes = b
    def content(self, domain, secret, runs):
        body = self.bytes[self.head:]
        if self.wraps:
            ephemeral = self.bytes[52:84]
            if ephemeral not in runs:
                runs[ephemeral] = unwrap(self.bytes[84:self.head], ephemeral, domain, secret, b"fdump record wrap")
            key = hmac.digest(runs[ephemeral], b"fdump record" + self.id, "sha256")
            body = opening.open_gcm(key, self.bytes[40:52], self.bytes[:self.head], body)
            if body is None:
                raise Malformed("a record is not authentic")
        if self.codec:
            body = opening.unzstd(body, self.raw)
        if len(body) != self.raw:
            raise Malformed("a record's length does not agree")
        return body

def unwrap(wraps, ephemeral, domain, secret, label):
    """Opens 32 bytes that were sealed to a secret's public half."""
    if secret is None:
        raise opening.Unsupported("sealed: a secret is wanted")
    public = opening.x25519(secret)
    ident = hashlib.sha256(b"fdump key" + public).digest()[:16]
    for at in range(0, len(wraps), 64):
        if wraps[at:at + 16] == ident:
            key = hkdf(opening.x25519(secret, ephemeral), label + ephemeral + public)
            plain = opening.open_gcm(key, bytes(12), domain, wraps[at + 16:at + 64])
            if plain is None:
                raise Malformed("a wrap is not authentic")
            return plain
    raise opening.Unsupported("sealed to other keys")

class Store:
    """.chunks: (domain, id) -> record; .dumps: id -> (time, record)"""
    def __init__(self, path):
        self.chunks, self.dumps, deleted = {}, {}, set()
        for name in sorted(glob.glob(os.path.join(glob.escape(path), "volumes", "*.vol"))):
            with open(name, "rb") as f:
                data = f.read()
            for kind, payload in blocks(data):
                if kind == CHUNK:
                    r = Record(payload[16:])
                    self.chunks.setdefault((payload[:16], r.id), r)
                elif kind == DUMP:
                    record = payload[73:]
                    m, = reader.cbor_all(record[32:]),
                    if "j" in m and not (len(m["j"]) == 2 and isinstance(m["j"][0], int) and len(m["j"][1]) == 8):
                        raise Malformed("dump of a malformed job")
                    self.dumps[m["I"]] = (reader.le(payload, 0), record, m)
                elif kind == DELETE:
                    deleted.add(payload[:16])
        for ident in deleted:
            self.dumps.pop(ident, None)

class Dump:
    """An opened dump: .entries() yields head, [items], tail."""
    def __init__(self, store, record, m, secret):
        self.store, self.m, self.secret, self.runs = store, m, secret, {}
        if m["F"] != 1:
            raise Malformed("dump of version %r" % m["F"])
        self.domain, self.id_key = m["D"], None
        if "W" in m:
            ephemeral, wraps = m["W"]
            domain_secret = unwrap(wraps, ephemeral, self.domain, secret, b"fdump domain wrap")
            public = opening.ed25519_public(hkdf(domain_secret, b"fdump access"))
            if hashlib.sha256(public).digest()[:16] != self.domain:
                raise Malformed("the domain's secret is another's")
            if hmac.digest(hkdf(domain_secret, b"fdump dump"), record[32:], "sha256") != record[:32]:
                raise Malformed("the dump's record is not authentic")
            self.id_key = hkdf(domain_secret, b"fdump chunk id")
        ids = b"".join(self.piece(m["L"][i:i + 32]) for i in range(0, len(m["L"]), 32))
        self.ids = [ids[i:i + 32] for i in range(0, len(ids), 32)]
        if len(self.ids) != m["C"] or len(set(self.ids[m["M"][0]:])) != m["C"] - m["M"][0]:
            raise Malformed("the list has another length, or a chunk twice")
    def piece(self, ident):
        content = self.chunk(ident)
        if hashlib.sha256(content).digest() != ident:
            raise Malformed("a piece of the list is another")
        return content
    def chunk(self, ident):
        r = self.store.chunks.get((self.domain, ident))
        if r is None:
            raise Malformed("chunk %s is missing" % ident.hex()[:12])
        return r.content(self.domain, self.secret, self.runs)
    def named(self, content):
        return hmac.digest(self.id_key, content, "sha256") if self.id_key else hashlib.sha256(content).digest()
    def entries(self):
        stream, listed = b"", set(self.ids[self.m["M"][0]:])
        for ident in self.ids[:self.m["M"][0]]:
            content = self.chunk(ident)
            if self.named(content) != ident:
                raise Malformed("a piece of the manifest is another")
            stream += content
        if len(stream) != self.m["M"][1]:
            raise Malformed("the manifest has another length")
        at = 0
        while at < len(stream):
            head, at = reader.cbor_get(stream, at)
            items, item = [], None
            while not isinstance(item, dict):
                item, at = reader.cbor_get(stream, at)
                items.append(item)
                if isinstance(item, list) and item[0] not in listed:
                    raise Malformed("a chunk of %r is not on the list" % head["P"])
            yield head, items[:-1], item
    def content(self, items, tail):
        """The pieces of a file, [(offset, bytes)], and its size."""
        if "Z" in tail:
            return self.sparse(items, tail)
        out, cache = bytearray(), {}
        for item in items:
            if isinstance(item, int):
                out += bytes(item)
                continue
            ident, offset, length = item
            if ident != cache.get("id"):
                cache = {"id": ident, "content": self.chunk(ident)}
            out += cache["content"][offset:offset + length]
        if len(out) != tail["n"] or hashlib.sha256(out).digest() != tail["h"]:
            raise Malformed("content does not agree with its SHA-256")
        return [(0, out)], len(out)
    def sparse(self, items, tail):
        at, pieces, digest = 0, [], reader.Digest()
        for item in items:
            if isinstance(item, int):
                digest.hole(item)
                at += item
                continue
            data = self.chunk(item[0])[item[1]:item[1] + item[2]]
            digest.data(data)
            pieces.append((at, data))
            at += len(data)
        if at != tail["n"] or digest.digest() != tail["Z"]:
            raise Malformed("content does not agree with its sparse digest")
        return pieces, at

def restore(dump, target):
    late, wrong = [], 0
    for head, items, tail in dump.entries():
        path = os.path.join(os.fsencode(target), head["P"])
        try:
            if head["T"] == 1:
                with open(path, "wb") as f:
                    pieces, size = dump.content(items, tail)
                    for at, data in pieces:
                        f.seek(at)
                        f.write(data)
                    f.truncate(size)
            elif head["T"] == 2:
                os.makedirs(path, exist_ok=True)
            elif head["T"] == 3:
                os.symlink(head["L"], path)
                continue
            elif head["T"] == 4:
                os.link(os.path.join(os.fsencode(target), head["H"]), path, follow_symlinks=False)
                continue
            else:
                continue
        except Malformed as e:
            wrong += 1
            print("%s: %s" % (os.fsdecode(head["P"]), e), file=sys.stderr)
            continue
        late.append((path, head["m"], head["t"]))
    for path, mode, time in reversed(late):
        os.chmod(path, mode)
        os.utime(path, ns=(time[0] * 10**9 + time[1],) * 2)
    return 5 if wrong else 0

def main(args):
    if len(args) < 2 or args[0] not in ("list", "restore") or args[0] == "restore" and not 4 <= len(args) <= 5:
        print(__doc__, file=sys.stderr)
        return 2
    store = Store(args[1])
    if args[0] == "list":
        for ident, (time, _, m) in sorted(store.dumps.items(), key=lambda d: d[1][0]):
            job = ["%d:%s" % (m["j"][0], m["j"][1].hex())] if "j" in m else []
            print(ident.hex(), time, m["A"], m["N"], m["s"][0], m["s"][1], *job)
        return 0
    found = [d for i, d in store.dumps.items() if i.hex().startswith(args[2])]
    if len(found) != 1:
        print("%s: %d dumps" % (args[2], len(found)), file=sys.stderr)
        return 2
    secret = bytes.fromhex(open(args[4]).read()) if len(args) > 4 else None
    try:
        return restore(Dump(store, *found[0][1:], secret), args[3])
    except Malformed as e:
        print(e, file=sys.stderr)
        return 5
    except opening.Unsupported as e:
        print(e, file=sys.stderr)
        return 6

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
