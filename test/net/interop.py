"""Goal: the C and the Python implementation of the wire understand each other,
as client and as server, with blobs of random pieces and an orderly end; a breach
of the protocol ends the connection, while other connections are still served.

  interop.py PEER [BYTES]     PEER is the program rpc-peer; BYTES of each blob
"""

import random
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

import wire
from wire import (BLOB, BYE, CANCEL, ERROR, HELLO, LAST, MORE, NOTIFY, PING, PONG, REPLY, REQUEST,
                  RESPONSE, WINDOW_MORE, Connection, Ended, Refused)

peer = sys.argv[1]
size = int(sys.argv[2]) if len(sys.argv) > 2 else 48 << 20
ECHO, SINK, SOURCE, SLEEP, FAIL, TIGHT, ABORT, STUCK, EARLY, PUT = 1, 2, 3, 4, 6, 8, 11, 12, 13, 15


def run(*args):
    return subprocess.run([peer, *map(str, args)], capture_output=True, text=True, timeout=300)


def serve(folder, *options):
    p = subprocess.Popen([peer, "serve", folder, "s1", *options], stdout=subprocess.PIPE, text=True)
    return p, int(p.stdout.readline().split()[1])


def python_client(folder, port):
    c = Connection.dial(folder, "a1", port)
    assert c.tls.version() in ("TLSv1.2", "TLSv1.3"), c.tls.version()
    assert c.call(ECHO, {"data": b"hello"}) == {"data": b"hello"}
    c.random = random.Random(7)
    start = time.time()
    id = c.start(SINK, more=True)
    c.send_blob(id, size, seed=1)
    assert c.reply(id)[0] == {"len": size, "good": True}
    print("python -> C: %d MB/s" % (size / (time.time() - start) / 1e6))
    start = time.time()
    id = c.start(SOURCE, {"len": size, "seed": 9})
    assert c.reply(id) == ({"len": size}, True)
    assert c.receive_blob(id) == size
    print("C -> python: %d MB/s" % (size / (time.time() - start) / 1e6))
    for method, params, code in ((FAIL, None, "damage"), (999, None, "unsupported"),
                                 (22, None, "denied"), (ECHO, {}, "format"),
                                 (ECHO, {"data": b"x", "New": 1}, "unsupported"),
                                 (TIGHT, {"data": b"x" * 65}, "limit"),
                                 (TIGHT, {"name": "../x"}, "format")):
        try:
            c.call(method, params)
            raise AssertionError(method)
        except Refused as e:
            assert e.args[0] == code, e
            assert len(e.args[1]) <= 480
    assert c.call(ECHO, {"data": b"y", "later": [1, {"a": None}]}) == {"data": b"y"}
    # A blob whose source fails is not complete.
    id = c.start(ABORT, {"len": 50000})
    c.reply(id)
    try:
        c.receive_blob(id)
        raise AssertionError("a failed blob was whole")
    except Refused as e:
        assert e.args[0] == "io", e
    # A cancelled request always ends.
    id = c.start(SOURCE, {"len": 1 << 40, "seed": 0})
    c.reply(id)
    c.send(CANCEL, id=id)
    c.flush()
    while True:
        kind, flags, of, payload = c.receive()
        assert kind == BLOB and of == id
        if flags & LAST:
            assert flags & ERROR and wire.loads(payload)["code"] == "cancelled"
            break
    c.send(PING, id=77)
    c.flush()
    assert c.receive()[:3] == (PONG, RESPONSE, 77)
    c.bye()


def python_server(folder):
    """The C client against the Python server."""
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    for args in (["echo", "count=100"], ["sink", "len=%d" % size, "seed=3"],
                 ["source", "len=%d" % size, "seed=4"]):
        t = threading.Thread(target=wire.serve_one, args=(folder, "s1", listener),
                             kwargs={"seed": 11})
        t.start()
        start = time.time()
        r = run("call", folder, "a1", port, "store", "s1", *args)
        t.join(30)
        assert r.returncode == 0 and not t.is_alive(), r.stdout
        print("C client, python server, %s: %.1f s" % (args[0], time.time() - start))


def versions(folder, port):
    c = Connection.dial(folder, "a1", port, versions=(1, 7))
    assert c.call(ECHO, {"data": b"x"}) == {"data": b"x"}
    c.bye()
    try:
        Connection.dial(folder, "a1", port, versions=(2, 7)).receive()
        raise AssertionError("version 2 was spoken")
    except Ended as e:
        assert e.args[0] == "unsupported", e


def header(kind, flags=0, method=0, length=0, id=0, version=1, zero=0):
    return wire.HEADER.pack(version, kind, flags, zero, method, 0, length, id)


def sleep(id):
    params = wire.dumps({"ms": 9000})
    return header(REQUEST, method=SLEEP, length=len(params), id=id) + params


def breaches():
    """Name, whether HELLO goes first, bytes that break the protocol."""
    ask = header(REQUEST, method=EARLY, id=1)
    stuck = header(REQUEST, MORE, STUCK, id=1)
    full = header(BLOB, length=wire.PAYLOAD_MAX, id=1) + bytes(wire.PAYLOAD_MAX)
    yield "noise instead of HELLO", False, bytes(range(256)) * 4
    yield "HTTP", False, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
    yield "zeros", False, bytes(1000)
    yield "ones", False, b"\xff" * 1000
    yield "request before HELLO", False, ask
    yield "HELLO of CBOR garbage", False, header(HELLO, length=3) + b"\xff\xff\xff"
    yield "HELLO too long", False, header(HELLO, length=257) + bytes(257)
    yield "HELLO twice", True, header(HELLO, length=1) + b"\xa0"
    for n in (wire.PAYLOAD_MAX + 1, 65536, 1 << 31, (1 << 32) - 1):
        yield "length %d" % n, True, header(REQUEST, method=ECHO, length=n, id=1)
        yield "BLOB of length %d" % n, True, stuck + header(BLOB, length=n, id=1)
    yield "version 2", True, header(PING, id=1, version=2)
    yield "unknown kind", True, header(11)
    yield "kind 0", True, header(0)
    yield "reserved byte", True, header(PING, id=1, zero=1)
    yield "unknown flag", True, header(PING, 16, id=1)
    yield "id 0", True, header(REQUEST, method=EARLY, id=0)
    yield "id not the next", True, header(REQUEST, method=EARLY, id=2)
    yield "id twice", True, ask + ask
    yield "reply to nothing", True, header(REPLY, RESPONSE, id=1)
    yield "reply to what is to come", True, header(REPLY, RESPONSE, id=99)
    yield "blob to nothing", True, header(BLOB, LAST, id=1)
    yield "blob of a reply to nothing", True, header(BLOB, LAST | RESPONSE, id=1)
    yield "blob of a request without", True, ask + header(BLOB, LAST, id=1)
    yield "second blob", True, header(REQUEST, MORE, SINK, id=1) + header(BLOB, LAST, id=1) * 2
    yield "blob after CANCEL", True, stuck + header(CANCEL, id=1) + header(BLOB, LAST, id=1)
    yield "cancel of what never was", True, header(CANCEL, id=1)
    yield "cancel with a payload", True, ask + header(CANCEL, length=1, id=1) + b"x"
    yield "over the window", True, stuck + full * 65
    yield "credit for nothing", True, header(WINDOW_MORE, length=4, id=1) + b"\1\0\0\0"
    yield "credit beyond the window", True, (sleep(1) + header(WINDOW_MORE, length=4, id=1) +
                                             b"\1\0\x70\0")
    yield "credit of nothing", True, sleep(1) + header(WINDOW_MORE, length=4, id=1) + bytes(4)
    yield "PONG without PING", True, header(PONG, RESPONSE, id=1)
    yield "BYE twice", True, header(BYE) * 2
    yield "request after BYE", True, header(BYE) + ask
    yield "too many requests", True, b"".join(sleep(i) for i in range(1, 258))
    yield "too many blobs", True, b"".join(
        header(REQUEST, MORE, STUCK, id=i) for i in range(1, 34))
    yield "malformed error", True, header(BYE, ERROR, length=1) + b"\xff"


def breaks(folder, port):
    well = Connection.dial(folder, "a1", port)
    for name, hello, data in breaches():
        c = Connection.dial(folder, "a1", port, hello=hello)
        start = time.time()
        try:
            c.tls.sendall(data)
            while True:
                c.receive()
        except (Ended, OSError, EOFError, AssertionError) as e:
            assert not isinstance(e, AssertionError), (name, e)
            assert not isinstance(e, (EOFError, TimeoutError)), (name, e)
        assert time.time() - start < 2, name
        c.close()
        assert well.call(ECHO, {"data": name.encode()}) == {"data": name.encode()}
    well.bye()


def ends(c, code):
    try:
        while True:
            c.receive()
    except Ended as e:
        assert e.args[0] == code, e
    c.close()


def credit(folder):
    """HELLO's credit, in both directions: no byte of a blob comes before its receiver allows it."""
    server, port = serve(folder, "credit=%d" % 0xffffffff, "puts=2")
    try:
        # A hundred blobs are offered. Two are requested at a time; every third never.
        c = Connection.dial(folder, "a1", port)
        assert c.peer_hello["credit"] == 0
        wanted = {}
        for i in range(100):
            length = 1000 + 40000 * (i % 7)
            id = c.start(PUT, {"len": length, "had": i % 3 == 0}, more=True)
            wanted[id] = length
        c.flush()
        sent = had = running = 0
        while wanted:
            kind, flags, id, payload = c.receive()
            assert flags & RESPONSE
            if kind == WINDOW_MORE:
                length = wanted[id]
                assert struct.unpack("<I", payload)[0] == length
                running += 1
                assert running <= 2
                for at in range(0, length, wire.PAYLOAD_MAX):
                    piece = wire.pattern(at, min(wire.PAYLOAD_MAX, length - at))
                    c.send(BLOB, LAST if at + len(piece) == length else 0, id=id, payload=piece)
                c.flush()
                sent += 1
                continue
            assert kind == REPLY and not flags & (MORE | ERROR), (kind, flags)
            if wire.loads(payload) == {"had": True}:
                c.send(CANCEL, id=id)
                had += 1
            else:
                running -= 1
            del wanted[id]
        assert (sent, had) == (66, 34)
        c.bye()
        # A byte without credit is a breach of the protocol, an empty blob is not.
        c = Connection.dial(folder, "a1", port)
        c.start(STUCK, more=True)
        c.send(BLOB, id=1, payload=b"x")
        ends(c, "limit")
        c = Connection.dial(folder, "a1", port)
        id = c.start(SINK, more=True)
        c.send(BLOB, LAST, id=id)
        assert c.reply(id)[0] == {"len": 0, "good": True}
        c.bye()
        # The other direction: a reply's blob.
        c = Connection.dial(folder, "a1", port, credit=0)
        id = c.start(SOURCE, {"len": 3 << 20, "seed": 0})
        assert c.reply(id)[1]
        assert c.call(ECHO, {"data": b"nothing before it"})
        c.send(WINDOW_MORE, id=id, payload=struct.pack("<I", 8 << 20))
        assert c.receive_blob(id) == 3 << 20
        # The most credit at once, and one byte more.
        id = c.start(SLEEP, {"ms": 9000})
        c.send(WINDOW_MORE, id=id, payload=struct.pack("<I", 8 << 20))
        assert c.call(ECHO, {"data": b"x"})
        c.send(WINDOW_MORE, id=id, payload=struct.pack("<I", 1))
        ends(c, "format")
        # HELLO with more credit than permitted.
        try:
            Connection.dial(folder, "a1", port, credit=(8 << 20) + 1).receive()
            raise AssertionError("a credit of more than 8 MiB was taken")
        except Ended as e:
            assert e.args[0] == "limit", e
    finally:
        server.terminate()
        assert server.wait(20) == 0


def late_cancel(folder):
    """The end of a request's blob may come late, behind other blobs; but not if nothing comes."""
    server, port = serve(folder, "cancel=400")
    try:
        c = Connection.dial(folder, "a1", port)
        early = c.start(EARLY, more=True)
        c.reply(early)
        sink = c.start(SINK, more=True)
        for i in range(10):
            c.send(BLOB, id=sink, payload=wire.pattern(i, 1))
            c.flush()
            time.sleep(0.1)
        c.send(CANCEL, id=early)
        c.send(BLOB, LAST, id=sink)
        assert c.reply(sink)[0] == {"len": 10, "good": True}
        c.reply(c.start(EARLY, more=True))
        ends(c, "timeout")
    finally:
        server.terminate()
        assert server.wait(20) == 0


def slow_line(folder):
    """A peer that takes bytes slowly is not silent, even if a PONG would be far behind them."""
    server, port = serve(folder, "ping=300", "dead=1200")
    try:
        c = Connection.dial(folder, "a1", port, credit=8 << 20)
        c.tls.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        id = c.start(SOURCE, {"len": 6 << 20, "seed": 0})
        c.reply(id)
        got = 0
        while got < 6 << 20:
            kind, _, _, payload = c.receive()
            assert kind == BLOB
            got += len(payload)
            time.sleep(0.012)
        c.bye()
    finally:
        server.terminate()
        assert server.wait(20) == 0


def never_reads(folder, port):
    """Data that a peer does not read is limited: the peer is cut off."""
    c = Connection.dial(folder, "a1", port)
    pings = b"".join(header(PING, id=i) for i in range(1, 5001))
    sent = 0
    try:
        while sent < 64 << 20:
            c.tls.sendall(pings)
            sent += len(pings)
        raise AssertionError("64 MiB of PING were taken")
    except (OSError, TimeoutError):
        pass
    c.close()
    print("cut off after %.1f MB that it did not read" % (sent / 1e6))


def notes_and_refused_requests_keep_it(folder, port):
    """An error in one request affects that request only."""
    c = Connection.dial(folder, "a1", port)
    c.write(header(NOTIFY, method=9, length=1) + b"\xff")
    c.write(header(NOTIFY, method=999))
    id = c.start(999, more=True)
    try:
        c.reply(id)
        raise AssertionError
    except Refused as e:
        assert e.args[0] == "unsupported"
    c.send_blob(id, 100000)
    assert c.call(ECHO, {"data": b"z"}) == {"data": b"z"}
    c.bye()


with tempfile.TemporaryDirectory() as folder:
    assert run("ca", folder).returncode == 0
    assert run("cert", folder, "a1", "agent").returncode == 0
    assert run("cert", folder, "s1", "store").returncode == 0
    server, port = serve(folder)
    try:
        python_client(folder, port)
        python_server(folder)
        versions(folder, port)
        breaks(folder, port)
        never_reads(folder, port)
        notes_and_refused_requests_keep_it(folder, port)
        credit(folder)
        late_cancel(folder)
        slow_line(folder)
    finally:
        server.terminate()
        assert server.wait(20) == 0
print("ok")
