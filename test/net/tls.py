"""Goal: only a peer with a good certificate and the expected identity gets beyond
the TLS handshake; no byte of a refused peer is parsed.

  tls.py PEER     PEER is the program rpc-peer
"""

import os
import shutil
import socket
import ssl
import sys
import tempfile
import threading
import time

import wire
from fleet import ext, must, odd_cert, run, subject
from server import Server
from wire import Connection

peer = sys.argv[1]


def odd_clients(folder):
    """Names of certificates, each wrong in one way, except the first."""
    odd_cert(folder, "c-good", subject("c-good"), ext("c-good.agent.fdump"))
    yield "c-good"
    odd_cert(folder, "c-eku-none", subject("c-eku-none"),
             ext("c-eku-none.agent.fdump", eku="extendedKeyUsage=codeSigning"))
    odd_cert(folder, "c-eku-server", subject("c-eku-server"),
             ext("c-eku-server.agent.fdump", eku="extendedKeyUsage=serverAuth"))
    odd_cert(folder, "c-ku", subject("c-ku"), ext("c-ku.agent.fdump", ku="keyUsage=keyAgreement"))
    odd_cert(folder, "c-san", subject("c-san"), ext("other.agent.fdump"))
    odd_cert(folder, "c-san-two", subject("c-san-two"),
             ext("c-san-two.agent.fdump", san="subjectAltName=DNS:c-san-two.agent.fdump,DNS:x"))
    odd_cert(folder, "c-san-none", subject("c-san-none"), ext("", san=None))
    odd_cert(folder, "c-role", subject("c-role", "root"), ext("c-role.root.fdump"))
    odd_cert(folder, "c-role-nobody", subject("c-role-nobody", "nobody"),
             ext("c-role-nobody.nobody.fdump"))
    odd_cert(folder, "c-name", subject("..\\/x"), ext("..x.agent.fdump"))
    odd_cert(folder, "c-name-two", subject("c-name-two") + "/CN=other",
             ext("c-name-two.agent.fdump"))
    odd_cert(folder, "c-host", subject("c-host", host="0123"), ext("c-host.agent.fdump"))
    odd_cert(folder, "c-self", subject("c-self"), ext("c-self.agent.fdump"), ca=None)
    odd_cert(folder, "c-below-end", subject("c-below-end"), ext("c-below-end.agent.fdump"),
             ca="a1")  # an end certificate is not a CA
    now = int(time.time())
    must(peer, "cert", folder, "c-expired", "agent", "-", now - 1000, now - 1)
    must(peer, "cert", folder, "c-early", "agent", "-", now + 1000, now + 2000)
    must(peer, "cert", folder, "c-denied", "agent", "f" * 32)
    other = os.path.join(folder, "other")
    os.mkdir(other)
    must(peer, "ca", other)
    must(peer, "cert", other, "c-other-ca", "agent")
    for end in ("key", "crt"):
        shutil.copy(os.path.join(other, "c-other-ca." + end), folder)
    for name in ("c-eku-none", "c-eku-server", "c-ku", "c-san", "c-san-two", "c-san-none", "c-role",
                 "c-role-nobody", "c-name", "c-name-two", "c-host", "c-self", "c-below-end",
                 "c-expired", "c-early", "c-denied", "c-other-ca"):
        yield name


def clients(folder):
    server = Server(peer, folder, "s1", "deny=" + os.path.join(folder, "deny"))
    tried = 0
    versions = [ssl.TLSVersion.TLSv1_2, None]
    for name in [*odd_clients(folder), None]:
        for tls in versions:
            try:
                c = Connection.dial(folder, name, server.port, tls=tls)
                assert name == "c-good", "%s was accepted" % name
                assert c.call(1, {"data": b"x"})["data"] == b"x"
                c.bye()
            except (ssl.SSLError, OSError) as e:
                assert name != "c-good", e
            tried += 1
    deadline = time.time() + 5
    while server.counts()["connections"] > 0 and time.time() < deadline:
        time.sleep(0.05)
    counts = server.counts()
    # Only the good one was served or logged: no byte of the others was parsed.
    assert counts["handled"] == counts["logged"] == len(versions), counts
    server.stop()
    print("%d handshakes with odd client certificates: ok" % tried)


def servers(folder):
    """The C client against servers other than it expects."""
    now = int(time.time())
    must(peer, "cert", folder, "s2", "store")
    must(peer, "cert", folder, "m1", "manager")
    must(peer, "cert", folder, "s-expired", "store", "-", now - 1000, now - 1)
    odd_cert(folder, "s-client-only", subject("s-client-only", "store"),
             ext("s-client-only.store.fdump", eku="extendedKeyUsage=clientAuth"))
    odd_cert(folder, "s-self", subject("s-self", "store"), ext("s-self.store.fdump"), ca=None)
    tries = (("s1", "store", "s1", True), ("s2", "store", "s1", False),
             ("m1", "store", "m1", False), ("s-expired", "store", "s-expired", False),
             ("s-client-only", "store", "s-client-only", False),
             ("s-self", "store", "s-self", False), ("a1", "agent", "a1", False))
    for name, role, expect, good in tries:
        listener = socket.create_server(("127.0.0.1", 0))

        def serve():
            try:
                wire.serve_one(folder, name, listener)
            except (ssl.SSLError, OSError, EOFError):
                pass

        t = threading.Thread(target=serve)
        t.start()
        r = run(peer, "call", folder, "a1", listener.getsockname()[1], role, expect, "echo")
        t.join(30)
        assert (r.returncode == 0) == good, (name, r.stdout)
        assert good or r.stdout.startswith("error denied"), (name, r.stdout)
        listener.close()
    print("servers that are not what is expected: ok")


def s_client(folder, port, *args, cert="a1", stdin=""):
    base = os.path.join(folder, cert)
    return run("openssl", "s_client", "-connect", "127.0.0.1:%d" % port, "-cert", base + ".crt",
               "-cert_chain", base + ".crt", "-key", base + ".key", "-CAfile",
               os.path.join(folder, "root.crt"), *args, input=stdin)


def old_tls(folder):
    server = Server(peer, folder)
    tried = [("-tls1",), ("-tls1_1",)]
    tried += [("-tls1_2", "-cipher", c + ":@SECLEVEL=0") for c in (
        "NULL", "aNULL", "EXPORT:LOW", "RSA", "DHE", "ECDHE-ECDSA-AES128-SHA",
        "ECDHE-ECDSA-AES256-SHA384", "ECDHE-ECDSA-AES128-CCM", "PSK")]
    for args in tried:
        if args[0] != "-tls1_2":
            args = (*args, "-cipher", "ALL:@SECLEVEL=0")
        r = s_client(folder, server.port, *args)
        assert "BEGIN CERTIFICATE" not in r.stdout or r.returncode != 0, (args, r.stdout)
        assert "Cipher is (NONE)" in r.stdout or r.returncode != 0, (args, r.stdout)
    r = s_client(folder, server.port, "-tls1_2")
    assert "Verification: OK" in r.stdout and "Compression: NONE" in r.stdout, r.stdout
    assert "AES128-GCM" in r.stdout or "AES_128_GCM" in r.stdout
    # Renegotiation is ignored, or ends the connection.
    r = s_client(folder, server.port, "-tls1_2", stdin="R\n")
    assert "RENEGOTIATING" in r.stdout + r.stderr
    assert "no renegotiation" in r.stderr or "error" in r.stderr or r.returncode != 0, r.stderr
    assert server.counts()["logged"] == 0
    server.stop()
    print("%d old versions and suites, renegotiation: ok" % len(tried))


def resumption(folder):
    server = Server(peer, folder)
    for tls in (ssl.TLSVersion.TLSv1_2, None):
        ctx = wire.context(folder, "a1", False, tls)
        session = None
        for _ in range(3):
            raw = socket.create_connection(("127.0.0.1", server.port), timeout=20)
            sock = ctx.wrap_socket(raw, server_hostname="s1.store.fdump", session=session,
                                   suppress_ragged_eofs=False)
            assert not sock.session_reused
            c = Connection(sock)
            assert c.call(1, {"data": b"x"})["data"] == b"x"
            session = sock.session or session
            c.bye()
    server.stop()
    print("no session is resumed: ok")


with tempfile.TemporaryDirectory() as folder:
    must(peer, "ca", folder)
    must(peer, "cert", folder, "a1", "agent")
    must(peer, "cert", folder, "s1", "store")
    with open(os.path.join(folder, "deny"), "w") as f:
        f.write("f" * 32 + " m1 " + "0" * 32 + "\n")
    clients(folder)
    servers(folder)
    old_tls(folder)
    resumption(folder)
print("ok")
