"""Goal: the AES-GCM that TLS uses is correct, and is rpc/gcm.c: it agrees with mbedTLS's
own code, and works with openssl s_client and s_server, with each suite. If mbedTLS
does not find it, TLS works without it, and prefers ChaCha20-Poly1305.

  gcm.py PEER OURS THEIRS SLOW     PEER is rpc-peer, SLOW the same with rpc/gcm.c
                                   hidden, the others are gcm.c built twice
"""

import os
import socket
import struct
import subprocess
import sys
import tempfile
import time

import wire
from wire import BLOB, BYE, ERROR, HEADER, HELLO, LAST, MORE, REPLY, REQUEST, RESPONSE

peer, ours, theirs, slow = sys.argv[1:5]
SUITES = ("ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384",
          "ECDHE-ECDSA-CHACHA20-POLY1305")
SINK, SOURCE = 2, 3
SIZE = 1000000  # within the first credit


def run(*args):
    return subprocess.run([*map(str, args)], capture_output=True, text=True, timeout=120)


def output(program):
    r = run(program)
    assert r.returncode == 0, r.stdout[-200:]
    return r.stdout


def frame(kind, flags=0, method=0, id=0, payload=b""):
    return HEADER.pack(1, kind, flags, 0, method, 0, len(payload), id) + payload


def blob(id, flags):
    for at in range(0, SIZE, wire.PAYLOAD_MAX):
        piece = wire.pattern(at, min(wire.PAYLOAD_MAX, SIZE - at))
        yield frame(BLOB, flags | (LAST if at + len(piece) == SIZE else 0), id=id, payload=piece)


class Openssl:
    """s_client or s_server: its input goes through TLS, what it receives is its output."""

    def __init__(self, *args):
        self.p = subprocess.Popen(["openssl", *args], stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)

    def hello(self):
        self.send(frame(HELLO, payload=wire.dumps({"min": 1, "max": 1})))

    def send(self, data):
        self.p.stdin.write(data)
        self.p.stdin.flush()

    def read(self, n):
        data = self.p.stdout.read(n)
        assert len(data) == n, "openssl has ended"
        return data

    def receive(self):
        _, kind, flags, _, method, _, length, id = HEADER.unpack(self.read(HEADER.size))
        return kind, flags, method, id, self.read(length)

    def expect_blob(self, id):
        got = 0
        while True:
            kind, flags, _, of, payload = self.receive()
            if kind != BLOB:
                continue
            assert of == id and not flags & ERROR and payload == wire.pattern(got, len(payload))
            got += len(payload)
            if flags & LAST:
                assert got == SIZE
                return

    def end(self):
        self.p.kill()
        self.p.wait()


def identity(folder, name):
    base = os.path.join(folder, name)
    return ("-cert", base + ".crt", "-cert_chain", base + ".crt", "-key", base + ".key",
            "-CAfile", os.path.join(folder, "root.crt"), "-verify_return_error")


def client(folder, port, suite):
    """openssl s_client connects to our server: a blob in each direction."""
    c = Openssl("s_client", "-connect", "127.0.0.1:%d" % port, *identity(folder, "a1"), "-quiet",
                "-nocommands", "-tls1_2", "-cipher", suite)
    c.hello()
    assert c.receive()[0] == HELLO
    c.send(frame(REQUEST, MORE, SINK, 1))
    for f in blob(1, 0):
        c.send(f)
    while True:
        kind, flags, _, id, payload = c.receive()
        if kind == REPLY:
            break
    assert id == 1 and not flags & ERROR
    assert wire.loads(payload) == {"len": SIZE, "good": True}
    c.send(frame(REQUEST, 0, SOURCE, 2, wire.dumps({"len": SIZE})))
    kind, flags, _, id, payload = c.receive()
    assert kind == REPLY and flags & MORE and id == 2
    c.expect_blob(2)
    c.end()


def server(folder, suite):
    """Our client connects to openssl s_server: a blob in each direction."""
    for method in ("sink", "source"):
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        s = Openssl("s_server", "-accept", "127.0.0.1:%d" % port, *identity(folder, "s1"),
                    "-Verify", "3", "-quiet", "-tls1_2", "-cipher", suite)
        for _ in range(500):  # until it listens
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except ConnectionRefusedError:
                time.sleep(0.01)
        c = subprocess.Popen([peer, "call", folder, "a1", str(port), "store", "s1", method,
                              "len=%d" % SIZE], stdout=subprocess.PIPE, text=True)
        assert s.receive()[0] == HELLO
        s.hello()  # not before: it could go to the connection that only tested whether it listens
        kind, flags, number, id, payload = s.receive()
        assert (kind, id) == (REQUEST, 1), (kind, id)
        if method == "sink":
            assert number == SINK and flags & MORE
            s.expect_blob(1)
            s.send(frame(REPLY, RESPONSE, 0, 1, wire.dumps({"len": SIZE, "good": True})))
        else:
            assert number == SOURCE
            s.send(frame(REPLY, RESPONSE | MORE, 0, 1, wire.dumps({"len": SIZE})))
            for f in blob(1, RESPONSE):
                s.send(f)
        while s.receive()[0] != BYE:
            pass
        s.send(frame(BYE))
        out = c.communicate(timeout=60)[0]
        assert c.returncode == 0 and out.startswith("ok"), out
        s.end()


def preferred(folder, program, suite):
    """The suite that a server chooses if the client leaves it the choice; and it works."""
    p = subprocess.Popen([program, "serve", folder, "s1"], stdout=subprocess.PIPE, text=True)
    try:
        c = wire.Connection.dial(folder, "a1", int(p.stdout.readline().split()[1]))
        assert c.tls.cipher()[0] == suite, c.tls.cipher()
        id = c.start(SOURCE, {"len": SIZE})
        assert c.reply(id)[1] and c.receive_blob(id) == SIZE
        c.bye()
    finally:
        p.terminate()
        assert p.wait(20) == 0


a, b = output(ours), output(theirs)
assert a == b, "ours and mbedTLS's own differ"
print("%d results as mbedTLS's own" % len(a.splitlines()))
with tempfile.TemporaryDirectory() as folder:
    for args in (("ca", folder), ("cert", folder, "a1", "agent"), ("cert", folder, "s1", "store")):
        assert run(peer, *args).returncode == 0
    preferred(folder, peer, SUITES[0])
    preferred(folder, slow, SUITES[2])
    p = subprocess.Popen([peer, "serve", folder, "s1"], stdout=subprocess.PIPE, text=True)
    try:
        port = int(p.stdout.readline().split()[1])
        for suite in SUITES:
            client(folder, port, suite)
            server(folder, suite)
            print("%s: openssl as client, as server" % suite)
    finally:
        p.terminate()
        assert p.wait(20) == 0
print("ok")
