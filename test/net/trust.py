"""Goal: who accepts whom, for each role and issuer: every certificate of the fleet
(fleet.py) against an agent, a store, both managers and an operator, dialling and dialled.

  trust.py PEER     PEER is the program rpc-peer
"""

import os
import socket
import ssl
import sys
import tempfile
import threading

import fleet
import wire
from fleet import run
from wire import Connection
from server import Server

peer = sys.argv[1]
ENDS = dict(fleet.GOOD_ENDS, **fleet.BAD_ENDS)


def accepts(self_role, self_name, file):
    """The rule, as in PROTOCOL.md."""
    role, name, issuer = ENDS[file]
    if file in fleet.BAD_ENDS:
        return False
    if role == "operator" and issuer != "":
        return self_role == "manager" and self_name == issuer
    return True


def dials(folder, file, server, dns):
    """Whether the holder of the certificate gets an answer."""
    try:
        c = Connection.dial(folder, file, server.port, dns, tls=ssl.TLSVersion.TLSv1_2)
        assert c.call(1, {"data": b"x"})["data"] == b"x"
        c.bye()
        return True
    except (ssl.SSLError, OSError, EOFError):
        return False


def is_dialled(folder, file, who):
    """Whether `who` sends a request to the holder of the certificate."""
    role, name, _ = ENDS[file]
    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        try:
            wire.serve_one(folder, file, listener, tls=ssl.TLSVersion.TLSv1_2)
        except (ssl.SSLError, OSError, EOFError):
            pass

    t = threading.Thread(target=serve)
    t.start()
    r = run(peer, "call", folder, who, listener.getsockname()[1], role, name, "echo")
    t.join(30)
    listener.close()
    assert r.returncode == 0 or r.stdout.startswith("error denied"), r.stdout
    return r.returncode == 0


with tempfile.TemporaryDirectory() as folder:
    fleet.make(peer, folder)
    tried = good = 0
    for who in ("a1", "s1", "m1", "m2", "o1"):
        role, name, _ = ENDS[who]
        server = Server(peer, folder, who)
        for file in ENDS:
            if file == who:
                continue  # itself
            right = accepts(role, name, file)
            got = dials(folder, file, server, "%s.%s.fdump" % (name, role))
            assert got == right, "%s dials %s: %s" % (file, who, got)
            got = is_dialled(folder, file, who)
            assert got == right, "%s dials %s: %s" % (who, file, got)
            tried += 2
            good += 2 * right
        server.stop()
    # Denying a manager denies everything that it signed; certificates of other signers stay valid.
    with open(os.path.join(folder, "int2.crt")) as f:
        text = run("openssl", "x509", "-noout", "-subject", "-nameopt", "multiline",
                   input=f.read()).stdout
    host = [line.split()[-1] for line in text.splitlines() if "serialNumber" in line][0]
    with open(os.path.join(folder, "deny"), "w") as f:
        f.write("%s m1 %s\n" % (host, "0" * 32))
    server = Server(peer, folder, "m1", "deny=" + os.path.join(folder, "deny"))
    for file, (_, _, issuer) in fleet.GOOD_ENDS.items():
        if file != "m1":
            assert dials(folder, file, server, "m1.manager.fdump") == (issuer != "m2"), file
            tried += 1
    server.stop()
print("%d handshakes, %d of them good: ok" % (tried, good))
