"""liar.py - makes a store lie: rewrites its volumes, with correct checks, as the owner of the store
could do without the key.

usage: liar.py STORE HOW     swap: two chunks' contents are exchanged
                             relabel: the oldest dump claims to be the newest
                             list: two ids in a dump's list are exchanged
                             lose: a chunk is missing
                             cut: a dump's list is shorter
                             manifest: the first piece of each manifest is malformed; the store
                             is unsealed and not compressed
                             odd: of such a store; entries whose names end in odd-head or odd-tail
                             get a key that must be understood and that no version knows
The index is removed: `fdump store rebuild` makes a matching one."""
import glob, hashlib, os, shutil, struct, sys, time
import reader, storereader
from storereader import CHUNK, DUMP

def write(path, parts):
    ident, out = os.urandom(16), bytearray()
    for seq, (kind, payload) in enumerate(parts, 1):
        head = struct.pack("<4BHHI16sQII", 1, kind, 0, 0, 0, 0, reader.NONE, ident, seq, len(payload), len(payload))
        head = reader.MAGIC + head + struct.pack("<Q", reader.xxh3(payload))
        out += head + struct.pack("<Q", reader.xxh3(head)) + payload
    with open(path, "wb") as f:
        f.write(out)

def open_record(content):
    return struct.pack("<4BI", 1, 0, 0, 0, len(content)) + hashlib.sha256(content).digest() + content

def is_list(payload, dumps):
    return payload[24:56] in b"".join(reader.cbor_all(d[73 + 32:])["L"] for d in dumps)

def main(store, how):
    path, = glob.glob(os.path.join(glob.escape(store), "volumes", "*.vol"))
    with open(path, "rb") as f:
        parts = [list(p) for p in storereader.blocks(f.read())]
    dumps = [p[1] for p in parts if p[0] == DUMP]
    chunks = [p for p in parts if p[0] == CHUNK and not is_list(p[1], dumps)]
    lists = [p for p in parts if p[0] == CHUNK and is_list(p[1], dumps)]
    if how == "swap":  # each under the other's id
        a, b = sorted(chunks, key=lambda p: -len(p[1]))[:2]
        a[1], b[1] = a[1][:24] + b[1][24:56] + a[1][56:], b[1][:24] + a[1][24:56] + b[1][56:]
    elif how == "relabel":
        old, = [d for d in parts if d[1] == dumps[0]][:1]
        record = old[1][73:]
        ident = reader.cbor_all(record[32:])["I"]
        parts.append([DUMP, struct.pack("<q", int(time.time())) + old[1][8:73] + record.replace(ident, os.urandom(16))])
    elif how in ("list", "cut"):
        for p in [p for p in lists if len(p[1]) >= 56 + 64]:
            content = p[1][56:]
            fresh = open_record(content[32:64] + content[:32] + content[64:] if how == "list" else content[:-32])
            parts.insert(1, [CHUNK, p[1][:16] + fresh])
            for d in [d for d in parts if d[0] == DUMP]:
                d[1] = d[1].replace(p[1][24:56], fresh[8:40])
    elif how in ("manifest", "odd"):
        content = {p[1][24:56]: p[1][56:] for p in parts if p[0] == CHUNK}
        for d in [d for d in parts if d[0] == DUMP]:
            first = reader.cbor_all(d[1][73 + 32:])["L"][:32]
            piece = content[content[first][:32]]
            if how == "odd":  # rename "t" of HEAD, "h" of TAIL
                for name, key, to in ((b"odd-headaT", b"at\x82", b"aO\x82"), (b"odd-tailaT", b"ah\x58", b"aO\x58")):
                    at = piece.find(name)
                    while at >= 0:
                        at = piece.index(key, at)
                        piece = piece[:at] + to + piece[at + 3:]
                        at = piece.find(name, at)
                bad = open_record(piece)
            else:
                bad = open_record(piece[: len(piece) * 3 // 4] + b"\xff" * 2000)
            ids = open_record(bad[8:40] + content[first][32:])
            parts[1:1] = [[CHUNK, chunks[0][1][:16] + r] for r in (bad, ids)]
            d[1] = d[1].replace(first, ids[8:40])
    elif how == "lose":
        parts.remove(max(chunks, key=lambda p: len(p[1])))
    else:
        sys.exit(__doc__)
    write(path, parts)
    shutil.rmtree(os.path.join(store, "index"))

main(*sys.argv[1:])
