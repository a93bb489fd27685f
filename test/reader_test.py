#!/usr/bin/env python3
"""Goal: the second reader works: its algorithms give the published results, it accepts a good
pack, and finds the errors that packmake.py makes."""
import os, sys, unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import opening, packmake, reader
from packmake import END, ENTRY, INDEX, START, Pack, Raw

# From libxxhash 0.8.1, of the first n bytes of (7 i + 3) mod 256: each branch of the algorithm.
XXH3 = (
    (0, 0x2D06800538D394C2), (1, 0x13E608BC156DEFED), (3, 0xA9088DDA485B481C), (4, 0x6D9253B16C8B1ED3),
    (8, 0x60539DB630471163), (9, 0xFEFF668361D723A8), (16, 0xB8C859B0F030B585), (17, 0x714A04408E79B80F),
    (32, 0x19FF4EE1D6BA1A55), (33, 0x3E44983AD21679C8), (64, 0x287EB1FA9E4BE2C1), (65, 0x829218DE4D798646),
    (96, 0xF084E7CFBC624743), (97, 0x1DAA83271A8E7B7C), (128, 0x67425A03650261BF), (129, 0xC664BF3311C6ABC4),
    (240, 0x64556DC6B462A6CF), (241, 0x8BEADD3A8874FE17), (1024, 0x9B81661C641C72B1),
    (1025, 0x806C2072ED713576), (2048, 0xABE604813BA62ED1), (5000, 0x799AADDD7339581D))


def sample(**how):
    p = Pack(**how)
    p.entry(b".", type=2)
    p.entry(b"a", data=[b"one" * 3000, 100000, b"x"])
    p.entry(b"l", type=3, head={"L": b"a"})
    p.index()
    p.entry(b"\xff", tail={"S": 4, "e": [0, 5]}, head={"x": {b"user.a": b"\0"}})
    p.entry(b"out", type=9, data=[b"text"], tail={"X": 3, "S": 6})
    return p.finish()


def one(path=b"a", **how):
    p = Pack()
    p.entry(path, **how)
    return p.finish()


class Algorithms(unittest.TestCase):
    def test_xxh3(self):
        pattern = bytes((7 * i + 3) & 255 for i in range(5000))
        for n, want in XXH3:
            self.assertEqual(reader.xxh3(pattern[:n]), want, n)

    def test_x25519(self):  # RFC 7748, 5.2
        k = bytes.fromhex("a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4")
        u = bytes.fromhex("e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c")
        self.assertEqual(opening.x25519(k, u).hex(),
                         "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552")

    def test_hkdf(self):  # RFC 5869, A.3: the first 32 bytes do not depend on the length
        self.assertEqual(opening.hkdf(b"\x0b" * 22, b"").hex(),
                         "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d")

    def test_gcm(self):  # the GCM specification of McGrew and Viega, test cases 13 and 14
        self.assertEqual(opening.open_gcm(bytes(32), bytes(12), b"", bytes.fromhex(
            "530f8afbc74536b9a963b4f1c4cb738b")), b"")
        sealed = bytes.fromhex("cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919")
        self.assertEqual(opening.open_gcm(bytes(32), bytes(12), b"", sealed), bytes(16))
        self.assertIsNone(opening.open_gcm(bytes(32), bytes(12), b"", sealed[:-1] + b"\0"))

    def test_cbor(self):
        for v in (0, 23, 24, 255, 256, 65535, 65536, 2**32, 2**64 - 1, -1, -2**64, b"", b"x" * 300,
                  "text", [], [1, [2]], {"a": 1, "B": {b"k": None}}, True, False, None):
            self.assertEqual(reader.cbor_get(reader.cbor_put(v)), (v, len(reader.cbor_put(v))))
        self.assertEqual(reader.cbor_get(b"\x1b" + bytes(7) + b"\5"), (5, 9))
        for bad in (b"", b"\x18", b"\x41", b"\x5f", b"\x9f\xff", b"\xc0\x00", b"\xf9\0\0", b"\xf7", b"\xf8\x20",
                    b"\x1c", b"\xa1\1\1", b"\xa2\x61a\1\x61a\2", b"\x9b" + b"\xff" * 8, b"\x81" * 99 + b"\0"):
            with self.assertRaises(reader.Malformed, msg=bad):
                reader.cbor_get(bad)


class Packs(unittest.TestCase):
    def good(self, data, entries):
        r = reader.Reader(data)
        self.assertEqual(r.findings, [])
        self.assertEqual(len(r.entries), entries)

    def bad(self, data, why, at=None):
        found = reader.Reader(data).findings
        self.assertTrue(any(why in text for _, text in found), (why, found))
        if at is not None:
            self.assertIn(at, [a for a, _ in found])

    def test_good(self):
        for how in ({}, {"codec": 1}, {"room": 300}, {"codec": 1, "room": 4096}):
            self.good(sample(**how), 5)
        self.good(sample() + sample(), 10)
        self.good(Pack().finish(), 0)
        self.good(one(data=[packmake.cbor_put(b"x" * 50)] * 3, head={"y": [1, {"deep": b""}]}, tail={"z": 1}), 1)
        self.good(one(data=[Raw(b"\x5b" + bytes(7) + b"\1x")], tail={"n": 1, "h": packmake.content_sum([b"x"])[1]}), 1)

    def test_blocks(self):
        for how, why in (({"magic": b"\xf7DMQ"}, "no good block"), ({"header_check": 1}, "no good block"),
                         ({"version": 2}, "version 2"), ({"must": 4}, "0x0004"), ({"codec": 2}, "not allowed"),
                         ({"seal": 2}, "not allowed"), ({"first": 1}, "not allowed"), ({"raw": 0}, "not allowed"),
                         ({"check": 5}, "payload is damaged"), ({"id": bytes(16)}, "misplaced"), ({"seq": 0}, "not allowed"),
                         ({"seq": 9}, "blocks 1 to 8 are missing")):
            p = Pack()
            at = len(p.out)
            p.block(ENTRY, b"\xa0", **how)
            self.bad(p.finish(), why, at)

    def test_heads(self):
        for head, why in (({"P": b"/x"}, "'P'"), ({"P": b"a/../b"}, "'P'"), ({"P": b"x\0y"}, "'P'"), ({"P": b"a" * 256}, "'P'"),
                          ({"P": None}, "'P'"), ({"T": 10}, "'T'"), ({"m": 4096}, "'m'"), ({"m": None}, "no mode"),
                          ({"u": 2**32 - 1}, "'u'"), ({"t": [0, 10**9]}, "'t'"), ({"L": b"x"}, "'L'"),
                          ({"Q": 1}, "'Q' is not known"), ({"x": {"a": b""}}, "'x'"), ({"P": b"."}, "root")):
            self.bad(one(head=head), why)
        for tail, why in (({"n": 7}, "size or checksum"), ({"h": bytes(32)}, "size or checksum"), ({"h": None}, "'h'"),
                          ({"S": 8}, "'S'"), ({"X": 0}, "'X'"), ({"c": ["size"]}, "status"), ({"Q": 1}, "'Q' is not known")):
            self.bad(one(tail=tail), why)
        for data, why in (([Raw(b"\x00")], "not allowed"), ([Raw(b"\x40")], "not allowed"), ([Raw(b"\x80")], "not allowed"),
                          ([(1 << 63) - 1, 1], "not")):
            self.bad(one(data=data), why)
        self.bad(one(type=2, data=[b"x"]), "not allowed")

    def test_index_and_end(self):
        for field in ("length", "blocks", "entries", "content", "index", "bad", "digest"):
            p = Pack()
            p.entry(b"a", data=[b"x"])
            p.index()
            p.end(**{field: 99 if field != "digest" else bytes(32)})
            self.bad(bytes(p.out), "END")
        p = Pack()
        p.entry(b"a")
        p.index(p.index_payload() + b"\0") if not p.flush() else None
        p.end()
        self.bad(bytes(p.out), "is not what the entries give")
        p = Pack()
        p.entry(b"a")
        p.flush()
        p.end()
        self.bad(bytes(p.out), "in no INDEX")

    def test_loss(self):
        """Each block is lost in turn: the lost entries are named, all others are read."""
        p = Pack(room=2000)
        for i in range(20):
            p.entry(b"f%02d" % i, data=[b"%d" % i * 700])
        parts = packmake.blocks(p.finish())
        for i in range(len(parts)):
            r = reader.Reader(b"".join(parts[:i] + parts[i + 1:]))
            self.assertTrue(r.findings, i)
            names = {e.head["P"] for e in r.entries}
            for k in range(20):
                self.assertTrue(b"f%02d" % k in names or any("f%02d" % k in t for _, t in r.findings), (i, k))
            self.assertGreaterEqual(len(names), 16)
        self.bad(b"".join(parts)[:-1], "cut")
        self.bad(b"".join(parts) + b"\0", "cut")


if __name__ == "__main__":
    unittest.main()
