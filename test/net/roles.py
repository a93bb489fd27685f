"""Goal: who may do what. Each method of the store service and of the manager service, called by
every identity of a fleet: the answer is the one in the tables below, and a method without a line
here fails. For what an agent may not see, the answer is byte for byte as if it did not exist.

  roles.py PEER FDUMP SOURCE-FOLDER     PEER is the program rpc-peer
"""

import hashlib
import os
import re
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import time

import fleet
import wire
from fleet import must
from wire import BLOB, ERROR, LAST, MORE, REPLY, REQUEST, RESPONSE, WINDOW_MORE, Connection

peer, fdump, source = sys.argv[1:4]

# --- expectations ---------------------------------------------------------------

# ok: it is done. none: answered as if the object did not exist. denied: refused, in the same way for an object
# that does not exist. The target is always a dump of the agent a1, in the domain that a1 has proved.
STORE = """
method       a1      a2      s2      m1      m2      o1
about        ok      ok      ok      ok      ok      ok
begin        ok      none    denied  denied  denied  denied
have         ok      denied  ok      denied  denied  ok
put          ok      denied  denied  denied  denied  denied
commit       ok      denied  denied  denied  denied  denied
end          ok      ok      denied  denied  denied  denied
dumps        ok      none    ok      ok      ok      ok
hold         ok      none    ok      denied  denied  ok
get          ok      denied  ok      denied  denied  ok
lock         ok      none    denied  ok      ok      ok
trust-clock  denied  denied  denied  denied  denied  ok
delete       denied  denied  denied  denied  denied  ok
"""
# On the manager m1: ok means that the request itself is examined.
MANAGER = """
method       a1      a2      s1      s2      m2      o1      o-m1
renew        ok      ok      ok      ok      denied  denied  denied
sponsor      denied  denied  denied  denied  denied  ok      ok
grant        denied  denied  denied  denied  denied  ok      ok
hello        ok      ok      ok      ok      denied  denied  denied
plan         ok      ok      denied  denied  denied  denied  denied
report       ok      ok      denied  denied  denied  denied  denied
status       denied  denied  denied  denied  denied  ok      ok
alarms       denied  denied  denied  denied  denied  ok      ok
hosts        denied  denied  denied  denied  denied  ok      ok
runs         denied  denied  denied  denied  denied  ok      ok
token        denied  denied  denied  denied  denied  ok      ok
revoke       denied  denied  denied  denied  denied  ok      ok
fleet        denied  denied  denied  denied  denied  ok      ok
replace      denied  denied  denied  denied  denied  ok      ok
order        denied  denied  denied  denied  denied  ok      ok
"""
NOTIFIED = {"progress"}  # not to be called
# Peers that get no connection at all; so do peers with the service's own certificate.
NOT_STORE = ["foreign-a1", "foreign-s1", "foreign-m1", "foreign-o1", "denied", "expired", "early",
             "o-m1", "o-m2", "s1"]
NOT_MANAGER = ["foreign-a1", "foreign-s1", "foreign-m1", "foreign-o1", "denied", "expired", "early",
               "o-m2", "m1"]


def table(text):
    """For each method: identity -> expectation."""
    head, *lines = [line.split() for line in text.strip().splitlines()]
    return {line[0]: dict(zip(head[1:], line[1:], strict=True)) for line in lines}


def methods(path, table, expected):
    """The number of each method in the C table; all of them must have an expectation."""
    with open(os.path.join(source, path)) as f:
        text = f.read()
    numbers = {}
    for header in ("cmd/store/proto.h", "cmd/manager/proto.h", "rpc/enroll.h", "rpc/join.h",
                   "rpc/sponsor.h", "rpc/wire.h"):
        with open(os.path.join(source, header)) as f:
            numbers.update(re.findall(r"\b((?:STORE|MANAGER|RPC)_METHOD_\w+)(?: =|[ \t]+)\s*(\d+)",
                                      f.read()))
    body = text[text.index("struct rpc_method %s[]" % table):]
    found = re.findall(r'^\t\{(\w+), "([\w-]+)"', body[:body.index("\n};")], re.M)
    assert len(found) > 8, found
    lacks = {name for _, name in found} ^ set(expected) - NOTIFIED
    lacks -= NOTIFIED
    assert not lacks, "%s: methods that only the C table or only roles.py has: %s" % (path, lacks)
    return {name: int(numbers[number]) for number, name in found}


# --- calling --------------------------------------------------------------------

def ask(c, method, params, blob=None):
    """The answer: (code, message) of an error, or ("", result, blob)."""
    id = c.start(method, params, more=blob is not None)
    credit, sent = c.peer_hello.get("credit", wire.WINDOW), 0
    while True:
        if blob is not None and credit > 0 and sent < len(blob):
            piece = blob[sent:sent + min(credit, wire.PAYLOAD_MAX)]
            sent += len(piece)
            credit -= len(piece)
            c.send(BLOB, LAST if sent == len(blob) else 0, id=id, payload=piece)
            continue
        c.flush()
        kind, flags, got, payload = c.receive()
        if got != id:
            continue
        if kind == WINDOW_MORE:
            credit += struct.unpack("<I", payload)[0]
            continue
        assert kind == REPLY and flags & RESPONSE, kind
        if flags & ERROR:
            status = wire.loads(payload)
            return status["code"], status["message"]
        result, out = wire.loads(payload), b""
        while flags & MORE or kind == BLOB and not flags & LAST:
            kind, flags, got, payload = c.receive()
            assert kind == BLOB and got == id, kind
            if flags & ERROR:
                status = wire.loads(payload)
                return status["code"], status["message"]
            out += payload
        return "", result, out


def dial(folder, who, port, server):
    return Connection.dial(folder, who, port, server, tls=ssl.TLSVersion.TLSv1_2)


def is_refused(folder, who, port, server):
    try:
        dial(folder, who, port, server).close()
        return False
    except (ssl.SSLError, OSError, EOFError, wire.Ended):
        return True


# --- an agent's dump --------------------------------------------------------------

class Domain:
    """An unsealed domain with a key of its own."""

    def __init__(self, folder, name):
        self.key = os.path.join(folder, name + ".domain")
        must("openssl", "genpkey", "-algorithm", "ed25519", "-out", self.key)
        self.public = subprocess.run(
            ["openssl", "pkey", "-in", self.key, "-pubout", "-outform", "DER"],
            capture_output=True, check=True).stdout[-32:]
        self.id = hashlib.sha256(self.public).digest()[:16]

    def prove(self, uid, host, run):
        path = self.key + ".message"
        with open(path, "wb") as f:
            f.write(b"fdump access 1\0" + uid + host + run)
        return subprocess.run(["openssl", "pkeyutl", "-sign", "-inkey", self.key, "-rawin", "-in",
                               path], capture_output=True, check=True).stdout


def record(content):
    """An unsealed record, and its id."""
    id = hashlib.sha256(content).digest()
    return struct.pack("<BBBBI", 1, 0, 0, 0, len(content)) + id + content, id


class Target:
    """A dump of a1; a real one, or one that does not exist."""

    def __init__(self, agent, domain, content):
        self.agent, self.domain = agent, domain
        self.id = os.urandom(16)
        self.chunk, self.chunk_id = record(content)
        self.list, self.list_id = record(self.chunk_id)
        self.dump = bytes(32) + self.dump_of(agent)

    def dump_of(self, agent):
        return wire.dumps({
            "F": 1, "I": self.id, "A": agent, "N": "test", "D": self.domain, "t": [1, 0],
            "e": [1, 0], "b": b"/", "p": [b"/x"], "s": [1, 1, 0], "M": [1, len(self.chunk) - 40],
            "C": 1, "L": self.list_id})


def host_of(folder, name):
    """The host id in a certificate."""
    text = must("openssl", "x509", "-noout", "-subject", "-nameopt", "multiline", "-in",
                os.path.join(folder, name + ".crt")).stdout
    return [line.split()[-1] for line in text.splitlines() if "serialNumber" in line][0]


# --- the store ---------------------------------------------------------------------

def store_question(method, who, target, domains, uid, hosts):
    """Parameters and blob of a call for the target."""
    if method == "begin":
        domain, run = domains[who], os.urandom(16)
        return {"run": run, "domain": domain.id, "name": "test", "base": target.id,
                "public": domain.public, "proof": domain.prove(uid, hosts[who], run)}, None
    if method == "have":
        return {"domain": target.domain, "ids": target.chunk_id}, None
    if method == "put":
        return {"domain": target.domain, "id": target.chunk_id, "size": len(target.chunk)}, \
            target.chunk
    if method == "commit":
        return {}, bytes(32) + target.dump_of(who if who in ("a1", "a2") else "a1")
    if method == "end":
        return {"run": os.urandom(16)}, None
    if method == "dumps":
        return {"agent": target.agent}, None
    if method in ("hold", "delete"):
        return {"dump": target.id}, None
    if method == "lock":
        return {"dump": target.id, "until": 1}, None
    if method == "get":
        return {"domain": target.domain, "id": target.chunk_id}, None
    return None, None


def is_there(method, answer, target):
    """Whether the answer contains the target."""
    code, result, blob = (*answer, b"")[:3]
    if code:
        return False
    if method in ("begin", "lock", "delete", "end", "put", "trust-clock"):
        return result["is"]
    if method == "have":
        return result["has"] == b"\1"
    if method == "commit":
        return "signature" in result
    if method in ("dumps", "hold"):
        return target.id in blob
    return blob == target.chunk if method == "get" else "uid" in result


def check_store(folder, port):
    expected = table(STORE)
    numbers = methods("cmd/store/methods.c", "store_methods", expected)
    who = list(expected["about"])
    conns = {w: dial(folder, w, port, "s1.store.fdump") for w in who}
    hosts = {w: bytes.fromhex(host_of(folder, w)) for w in who}
    domains = {w: Domain(folder, w) for w in who}
    uid = ask(conns["a1"], numbers["about"], None)[1]["uid"]
    real = Target("a1", domains["a1"].id, b"the only copy")
    # An id or name of each kind that does not exist.
    fake = Target("nobody", os.urandom(16), os.urandom(20))

    def question(w, method, target):
        params, blob = store_question(method, w, target, domains, uid, hosts)
        return ask(conns[w], numbers[method], params, blob)

    # a1 makes its dump, and can't backdate it without another store's receipt.
    assert question("a1", "begin", fake)[0] == ""
    for chunk, id in ((real.chunk, real.chunk_id), (real.list, real.list_id)):
        params = {"domain": real.domain, "id": id, "size": len(chunk)}
        assert ask(conns["a1"], numbers["put"], params, chunk)[0] == ""
    receipt = {"time": int(time.time()) - 86400, "store": os.urandom(16), "signature": os.urandom(64)}
    past = ask(conns["a1"], numbers["commit"], receipt, real.dump)
    assert past[0] == "denied", past
    past = ask(conns["a1"], numbers["commit"], {**receipt, "store": uid}, real.dump)
    assert past[0] == "denied", past
    for part in receipt:
        past = ask(conns["a1"], numbers["commit"], {part: receipt[part]}, real.dump)
        assert past[0] == "format", past
    got = question("a1", "commit", real)
    assert is_there("commit", got, real), got
    # Nor can a2 commit it in a1's name.
    assert question("a2", "begin", fake)[0] == ""
    forged = ask(conns["a2"], numbers["commit"], {}, real.dump)
    assert forged[0] == "denied", forged

    tried = 0
    for method in expected:  # delete is the last
        for w, want in expected[method].items():
            got = question(w, method, real)
            there = is_there(method, got, real)
            note = "%s asks the store for %s: %s" % (w, method, got)
            if want == "ok":
                assert there, note
            else:
                assert not there and (got[0] == "denied") == (want == "denied"), note
                assert got == question(w, method, fake), note + ", other than for a missing object"
            tried += 1
    assert question("o1", "delete", real) == question("o1", "delete", fake)
    for w in NOT_STORE:
        assert is_refused(folder, w, port, "s1.store.fdump"), w
        tried += len(numbers)
    return tried


# --- the manager ---------------------------------------------------------------------

def check_manager(folder, port):
    expected = table(MANAGER)
    numbers = methods("cmd/manager/service.c", "methods", expected)
    who = [*expected["hello"], "denied"]
    conns = {w: dial(folder, w, port, "m1.manager.fdump") for w in who}
    for w in ("a1", "a2", "s1", "s2", "denied"):
        hello = {"version": "test", "boot": os.urandom(8), "clock": int(time.time())}
        if w[0] == "s":
            hello.update(uid=os.urandom(16), key=os.urandom(32))
        got = ask(conns[w], numbers["hello"], hello)
        assert got[0] == "", got
    tried = 0
    for method in [*expected, *NOTIFIED]:
        # A text instead of a map: only peers that may call the method learn of it.
        for w in who[:-1]:
            want = expected[method][w] if method in expected else "denied"
            code = ask(conns[w], numbers[method], "x")[0]
            note = "%s asks the manager for %s: %s" % (w, method, code)
            if method in NOTIFIED:
                assert code in ("denied", "unsupported"), note
            else:
                assert (code == "denied") == (want == "denied"), note
            tried += 1
    # Each gets its own plan only.
    for w in ("a1", "a2"):
        other = "a2" if w == "a1" else "a1"
        plan = ask(conns[w], numbers["plan"], {})[2]
        assert w.encode() in plan and other.encode() not in plan, plan
    got = ask(conns["o1"], numbers["revoke"], {"role": "agent", "name": "a3"})
    assert got[0] == "", got
    for w in NOT_MANAGER:
        assert is_refused(folder, w, port, "m1.manager.fdump"), w
        tried += len(numbers)
    return tried


# --- services --------------------------------------------------------------------------

class Service:
    """Starts fdump ROLE, as NAME of the fleet."""

    def __init__(self, folder, role, name, config):
        base = os.path.join(folder, role + "." + name)
        self.etc, self.state = base + "/etc", base + "/var"
        self.dir = os.path.join(self.state, role)
        self.log = base + "/log"
        os.makedirs(self.etc)
        os.makedirs(self.dir, 0o700)
        files = {name + ".key": "key.pem", name + ".crt": "cert.pem", "root.crt": "ca.pem"}
        if role == "manager":
            files.update({"int.key": "int.key", "int.crt": "int.pem"})
        for f, to in files.items():
            must("cp", os.path.join(folder, f), os.path.join(self.dir, to))
        for file, text in config.items():
            with open(os.path.join(self.etc, file), "w") as f:
                f.write(text)

    def start(self, role):
        with open(self.log, "w") as log:
            self.p = subprocess.Popen([fdump, role, "--config", self.etc, "--state", self.state],
                                      stderr=log)
        for _ in range(600):
            with open(self.log) as log:
                text = log.read()
            if found := re.search(r", port (\d+)", text):
                self.port = int(found[1])
                return self
            assert self.p.poll() is None, text
            time.sleep(0.05)
        raise AssertionError("no start: " + text)

    def stop(self):
        self.p.terminate()
        assert self.p.wait(20) == 0, open(self.log).read()


with tempfile.TemporaryDirectory() as folder:
    os.umask(0o077)
    fleet.make(peer, folder)
    fleet.odd_cert(folder, "denied", fleet.subject("a3", host="d" * 32),
                   fleet.ext("a3.agent.fdump"))
    path = os.path.join(folder, "kept")
    must(fdump, "store", "init", path)
    store = Service(folder, "store", "s1", {
        "store.conf": 'store {\n\tpath = "%s"\n\tlisten = "127.0.0.1:0"\n\tgc = "never"\n'
                      '\tscrub = "never"\n}\n' % path})
    # Without the denial it is accepted.
    store.start("store")
    assert not is_refused(folder, "denied", store.port, "s1.store.fdump")
    store.stop()
    with open(os.path.join(store.dir, "deny"), "w") as f:
        f.write("%s m1 %s\n" % ("d" * 32, host_of(folder, "int")))
    store.start("store")
    try:
        tried = check_store(folder, store.port)
    finally:
        store.p.poll() is None and store.stop()
    manager = Service(folder, "manager", "m1", {
        "local.conf": 'manager {\n\tlisten = "127.0.0.1:0"\n\tenroll = "127.0.0.1:0"\n'
                      '\taddress = "127.0.0.1"\n}\n',
        "manager.conf": 'job "system" { agents = {"a*"} paths = {"/x"} schedule = "0 3 * * *" '
                        'stores = {"s1"} }\nstore "s1" { }\n'})
    manager.start("manager")
    try:
        tried += check_manager(folder, manager.port)
    finally:
        manager.p.poll() is None and manager.stop()
print("%d questions answered as they should be" % tried)
