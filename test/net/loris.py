"""Goal: slow, silent or too many connections do not keep other connections from being
served, and memory stays bounded. Run by hand; prints a line for each case.

  loris.py PEER
"""

import os
import resource
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time

import wire
from wire import Connection

peer = sys.argv[1]
COUNT = 1000
resource.setrlimit(resource.RLIMIT_NOFILE, (20000, 20000))


class Server:
    def __init__(self, folder, *options):
        self.p = subprocess.Popen([peer, "serve", folder, "s1", "per-peer=5000", *options],
                                  stdout=subprocess.PIPE, text=True)
        self.port = int(self.p.stdout.readline().split()[1])

    def rss(self):
        with open("/proc/%d/status" % self.p.pid) as f:
            return [int(x.split()[1]) / 1024 for x in f if x.startswith("RssAnon")][0]

    def count(self):
        self.p.send_signal(signal.SIGUSR1)
        return int(self.p.stdout.readline().split()[1])

    def stop(self):
        self.p.terminate()
        assert self.p.wait(20) == 0


def latency(conn, seconds, between=lambda: None):
    """Median and 99th percentile of a small call, in ms."""
    took = []
    end = time.time() + seconds
    while time.time() < end:
        start = time.perf_counter()
        conn.call(1, {"data": b"x" * 16})
        took.append((time.perf_counter() - start) * 1000)
        between()
    took.sort()
    return took[len(took) // 2], took[len(took) * 99 // 100]


def client_hello(folder):
    bio = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = wire.context(folder, "a1", False).wrap_bio(*bio, server_hostname="s1.store.fdump")
    try:
        tls.do_handshake()
    except ssl.SSLWantReadError:
        return bio[1].read()


def connect(port):
    return socket.create_connection(("127.0.0.1", port), timeout=10)


def trickle(socks, data, state):
    """Sends a byte on each socket once a second, spread over the second."""
    now = time.time()
    want = int((now - state["from"]) * len(socks))
    while state["sent"] < want:
        i, at = state["sent"] % len(socks), state["sent"] // len(socks)
        state["sent"] += 1
        try:
            socks[i].send(data[at % len(data):at % len(data) + 1])
        except OSError:
            state["lost"] += 1


def slow(folder, name, make, data):
    server = Server(folder, "shaking=2000", "shaking-host=2000", "handshake=120000",
                    "frame=120000", "dead=240000", "ping=120000")
    good = Connection.dial(folder, "a1", server.port)
    latency(good, 1)
    before = latency(good, 4)
    socks = [make(server.port) for _ in range(COUNT)]
    state = {"from": time.time(), "sent": 0, "lost": 0}
    first = server.rss()
    under = latency(good, 4, lambda: trickle(socks, data, state))
    middle = server.rss()
    latency(good, 4, lambda: trickle(socks, data, state))
    last = server.rss()
    start = time.time()
    Connection.dial(folder, "a1", server.port).bye()
    fresh = time.time() - start
    held = server.count()
    print("%s: %d slow ones, median %.3f -> %.3f ms, p99 %.3f -> %.3f ms, new connection %.0f ms, "
          "RssAnon %.1f, %.1f, %.1f MiB" % (name, held - 1, before[0], under[0], before[1], under[1],
                                             fresh * 1000, first, middle, last))
    assert held > COUNT and state["lost"] == 0
    assert under[0] < 2 * before[0], "latency"
    assert last - middle < 1, "memory"
    for s in socks:
        s.close()
    server.stop()


def half_open(folder):
    """10,000 silent connections, with the default limits."""
    server = Server(folder)
    good = Connection.dial(folder, "a1", server.port)
    before = latency(good, 2)
    socks = []
    start = time.time()
    for _ in range(10000):
        socks.append(connect(server.port))
        if len(socks) > 500:  # this process's descriptors
            socks.pop(0).close()
    rate = 10000 / (time.time() - start)
    under = latency(good, 2)
    held, rss = server.count(), server.rss()
    start = time.time()
    Connection.dial(folder, "a1", server.port).bye()
    print("half open: 10000 at %.0f a second, %d held, median %.3f -> %.3f ms, new connection "
          "%.0f ms, RssAnon %.1f MiB" % (rate, held, before[0], under[0],
                                          (time.time() - start) * 1000, rss))
    assert held <= 65 and time.time() - start < 1
    server.stop()


def handshakes(folder):
    """ClientHellos at up to 1,000 a second, each making the server sign."""
    hello = client_hello(folder)
    server = Server(folder)
    good = Connection.dial(folder, "a1", server.port)
    before = latency(good, 2)
    socks, worst, took, state = [], 0, [], {"n": 0}
    begin = time.time()
    while time.time() - begin < 5:
        while state["n"] < (time.time() - begin) * 1000:
            state["n"] += 1
            s = connect(server.port)
            s.send(hello)
            socks.append(s)
            if len(socks) > 500:
                socks.pop(0).close()
            if state["n"] % 10 == 0:
                break
        start = time.perf_counter()
        good.call(1, {"data": b"x"})
        took.append((time.perf_counter() - start) * 1000)
    took.sort()
    worst = took[-1]
    rss = server.rss()
    start = time.time()
    Connection.dial(folder, "a1", server.port).bye()
    fresh = time.time() - start
    print("handshakes: %d in 5 s, median %.3f -> %.3f ms, worst %.0f ms, right after it a new "
          "connection in %.0f ms, RssAnon %.1f MiB" % (state["n"], before[0], took[len(took) // 2],
                                                       worst, fresh * 1000, rss))
    assert fresh < 1
    server.stop()


with tempfile.TemporaryDirectory() as folder:
    for args in (["ca", folder], ["cert", folder, "a1", "agent"], ["cert", folder, "s1", "store"]):
        subprocess.run([peer, *args], check=True)
    hello = client_hello(folder)

    def half(port):
        s = connect(port)
        s.send(hello[:100])
        return s

    def known(port):
        return Connection.dial(folder, "a1", port).tls

    slow(folder, "before the handshake", connect, hello)
    slow(folder, "in the handshake", half, hello[100:])
    request = wire.HEADER.pack(1, wire.REQUEST, 0, 0, 1, 0, 16000, 1) + bytes(16000)
    slow(folder, "in a frame", known, request)
    half_open(folder)
    handshakes(folder)
print("ok")
