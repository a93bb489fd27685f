"""A second implementation of rpc/PROTOCOL.md, over Python's ssl module.

Written from the document, not from the C code. Blocking and simple: one
connection, one request at a time. Used by the tests in this folder.
"""

import os
import random
import socket
import ssl
import struct

HEADER = struct.Struct("<BBBBHHIQ")
PAYLOAD_MAX = 16384 - HEADER.size
WINDOW = 1 << 20

HELLO, REQUEST, REPLY, NOTIFY, BLOB, CANCEL, WINDOW_MORE, PING, PONG, BYE = range(1, 11)
MORE, LAST, ERROR, RESPONSE = 1, 2, 4, 8

PATTERN_LEN = 65521
_one = bytes(((j * j * 7 + j * 13 + (j >> 3)) & 0xFF) for j in range(PATTERN_LEN))
_pattern = _one + _one


def pattern(offset, length):
    """The bytes of every test blob from this offset; at most PATTERN_LEN."""
    at = offset % PATTERN_LEN
    return _pattern[at:at + length]


class Refused(Exception):
    """The peer answered with an error: code, message."""


class Ended(Exception):
    """The peer ended the connection with BYE: code, message."""


# --- CBOR (RFC 8949), as far as the protocol uses it ---

def _head(major, value):
    for info, size in ((24, 1), (25, 2), (26, 4), (27, 8)):
        if value < 24:
            return bytes([major << 5 | value])
        if value < 1 << 8 * size:
            return bytes([major << 5 | info]) + value.to_bytes(size, "big")
    raise ValueError(value)


def dumps(x):
    if x is None:
        return b"\xf6"
    if isinstance(x, bool):
        return b"\xf5" if x else b"\xf4"
    if isinstance(x, int):
        return _head(0, x) if x >= 0 else _head(1, -1 - x)
    if isinstance(x, bytes):
        return _head(2, len(x)) + x
    if isinstance(x, str):
        return _head(3, len(x.encode())) + x.encode()
    if isinstance(x, (list, tuple)):
        return _head(4, len(x)) + b"".join(map(dumps, x))
    return _head(5, len(x)) + b"".join(dumps(k) + dumps(v) for k, v in x.items())


def _load(b, at):
    major, info = b[at] >> 5, b[at] & 31
    at += 1
    value = info
    if major != 7 and info >= 24:
        size = 1 << (info - 24)
        value = int.from_bytes(b[at:at + size], "big")
        at += size
    if major == 0:
        return value, at
    if major == 1:
        return -1 - value, at
    if major in (2, 3):
        raw = bytes(b[at:at + value])
        return (raw if major == 2 else raw.decode()), at + value
    if major == 4:
        out = []
        for _ in range(value):
            item, at = _load(b, at)
            out.append(item)
        return out, at
    if major == 5:
        pairs = {}
        for _ in range(value):
            key, at = _load(b, at)
            pairs[key], at = _load(b, at)
        return pairs, at
    return {20: False, 21: True, 22: None}[info], at


def loads(b):
    if not b:
        return {}
    x, at = _load(b, 0)
    assert at == len(b), "bytes after the end"
    return x


# --- TLS ---

def context(folder, name, server, tls=None):
    """A context with NAME's certificate; verification is always required."""
    ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if server else ssl.PROTOCOL_TLS_CLIENT)
    ctx.minimum_version = ssl.TLSVersion.TLSv1_2
    if tls:
        ctx.minimum_version = ctx.maximum_version = tls
    ctx.verify_mode = ssl.CERT_REQUIRED
    ctx.load_verify_locations(os.path.join(folder, "root.crt"))
    if name:
        base = os.path.join(folder, name)
        ctx.load_cert_chain(base + ".crt", base + ".key")
    return ctx


class Connection:
    """Frames over one TLS connection; both sides use it."""

    def __init__(self, tls, versions=(1, 1), hello=True, credit=None):
        self.tls = tls
        self.next_id = 1
        self.buffer = bytearray()
        self.random = None  # a random.Random: writes have random sizes
        self.pending = bytearray()
        if hello:
            self.hello(versions, credit)

    @classmethod
    def dial(cls, folder, name, port, peer="s1.store.fdump", tls=None, **rest):
        raw = socket.create_connection(("127.0.0.1", port), timeout=20)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        ctx = context(folder, name, False, tls)
        return cls(ctx.wrap_socket(raw, server_hostname=peer, suppress_ragged_eofs=False), **rest)

    def hello(self, versions, credit=None):
        ours = {"min": versions[0], "max": versions[1], "features": 0}
        if credit is not None:
            ours["credit"] = credit
        self.send(HELLO, payload=dumps(ours))
        kind, _, _, payload = self.receive()
        assert kind == HELLO, kind
        self.peer_hello = loads(payload)

    # Bytes

    def write(self, data):
        if self.random is None:
            self.tls.sendall(data)
            return
        # Split at places that are no frame boundaries: the reader must not care.
        self.pending += data
        while len(self.pending) > 40000:
            n = self.random.randrange(1, 40000)
            self.tls.sendall(self.pending[:n])
            del self.pending[:n]

    def flush(self):
        if self.pending:
            self.tls.sendall(self.pending)
            self.pending.clear()

    def read(self, n):
        while len(self.buffer) < n:
            got = self.tls.recv(65536)
            if not got:
                raise EOFError("close_notify")
            self.buffer += got
        out = bytes(self.buffer[:n])
        del self.buffer[:n]
        return out

    # Frames

    def send(self, kind, flags=0, method=0, id=0, payload=b""):
        self.write(HEADER.pack(1, kind, flags, 0, method, 0, len(payload), id) + payload)

    def receive(self):
        """The next frame that is not a PING or PONG: kind, flags, id, payload."""
        while True:
            version, kind, flags, z1, method, z2, length, id = HEADER.unpack(self.read(HEADER.size))
            assert version == 1 and z1 == 0 and z2 == 0 and length <= PAYLOAD_MAX
            payload = self.read(length)
            self.method = method
            if kind == PING:
                self.send(PONG, RESPONSE, id=id)
                self.flush()
            elif kind == BYE and flags & ERROR:
                status = loads(payload)
                raise Ended(status["code"], status["message"])
            else:
                return kind, flags, id, payload

    # Requests

    def start(self, method, params=None, more=False):
        id = self.next_id
        self.next_id += 1
        self.send(REQUEST, MORE if more else 0, method, id,
                  dumps(params) if params is not None else b"")
        return id

    def reply(self, id):
        """Waits for the reply: result, whether a blob follows."""
        self.flush()
        while True:
            kind, flags, got, payload = self.receive()
            if kind == WINDOW_MORE:
                continue
            assert kind == REPLY and flags & RESPONSE and got == id, (kind, flags, got)
            if flags & ERROR:
                status = loads(payload)
                raise Refused(status["code"], status["message"])
            return loads(payload), bool(flags & MORE)

    def call(self, method, params=None):
        return self.reply(self.start(method, params))[0]

    def send_blob(self, id, length, response=False, seed=None):
        """Sends length bytes of the pattern, in pieces of random size with a seed."""
        side = RESPONSE if response else 0
        rnd = random.Random(seed) if seed is not None else None
        credit, sent = self.peer_hello.get("credit", WINDOW), 0
        while True:
            while credit == 0:
                self.flush()
                kind, flags, got, payload = self.receive()
                assert kind == WINDOW_MORE and got == id and flags & RESPONSE == RESPONSE ^ side
                credit += struct.unpack("<I", payload)[0]
            n = min(PAYLOAD_MAX, credit, length - sent)
            if rnd:
                n = min(n, rnd.randrange(1, PAYLOAD_MAX + 1))
            last = sent + n == length
            self.send(BLOB, side | (LAST if last else 0), id=id, payload=pattern(sent, n))
            sent += n
            credit -= n
            if last:
                self.flush()
                return

    def receive_blob(self, id, response=True):
        """Receives a blob and compares it with the pattern; returns its length."""
        side = RESPONSE if response else 0
        got = taken = 0
        while True:
            kind, flags, of, payload = self.receive()
            assert kind == BLOB and of == id and flags & RESPONSE == side, (kind, flags, of)
            if flags & ERROR:
                status = loads(payload)
                raise Refused(status["code"], status["message"])
            assert payload == pattern(got, len(payload)), "blob differs at %d" % got
            got += len(payload)
            taken += len(payload)
            if flags & LAST:
                return got
            if taken >= WINDOW // 4:
                self.send(WINDOW_MORE, RESPONSE ^ side, id=id, payload=struct.pack("<I", taken))
                self.flush()
                taken = 0

    # The end

    def bye(self):
        """Ends in an orderly way: BYE in both directions, then close_notify in both."""
        self.send(BYE)
        self.flush()
        kind, _, _, _ = self.receive()
        assert kind == BYE, kind
        try:
            self.read(1)
            raise AssertionError("bytes after BYE")
        except EOFError:  # their close_notify
            pass
        self.tls.unwrap().close()  # ours

    def close(self):
        self.tls.close()


def serve_one(folder, name, listener, tls=None, seed=None):
    """A server for one connection: echo, sink, source, until BYE."""
    raw, _ = listener.accept()
    raw.settimeout(20)
    raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    ctx = context(folder, name, True, tls)
    conn = Connection(ctx.wrap_socket(raw, server_side=True, suppress_ragged_eofs=False))
    if seed is not None:
        conn.random = random.Random(seed)
    while True:
        kind, flags, id, payload = conn.receive()
        if kind == BYE:
            conn.send(BYE)
            conn.flush()
            conn.tls.unwrap().close()
            return
        if kind in (CANCEL, WINDOW_MORE):
            continue
        assert kind == REQUEST, kind
        method, params = conn.method, loads(payload)
        if method == 1:
            conn.send(REPLY, RESPONSE, id=id, payload=dumps({"data": params["data"]}))
        elif method == 2:
            got = conn.receive_blob(id, response=False) if flags & MORE else 0
            conn.send(REPLY, RESPONSE, id=id, payload=dumps({"len": got, "good": True}))
        elif method == 3:
            conn.send(REPLY, RESPONSE | MORE, id=id, payload=dumps({"len": params["len"]}))
            conn.send_blob(id, params["len"], response=True, seed=seed)
        else:
            conn.send(REPLY, RESPONSE | ERROR, id=id,
                      payload=dumps({"code": "unsupported", "message": "no such method"}))
        conn.flush()
