"""A fleet of certificates in a folder: those that the CA makes, and forged
ones, made by openssl, that nobody should accept.

  fleet.py PEER DIR     PEER is the program rpc-peer; DIR is made

Files NAME.key and NAME.crt; the tables below describe each. `rpc-peer fleet` (peer_make_fleet in
test/net/peer.h) makes the good ones without openssl.
"""

import os
import shutil
import subprocess
import sys

if shutil.which("openssl") is None:
    print("skipped: needs openssl")
    sys.exit(77)

HOST = "0123456789abcdef0123456789abcdef"

# file: role, name, signer ("" is the root), in the order of peer_make_fleet.
GOOD_ENDS = {
    "m1": ("manager", "m1", "m1"), "m2": ("manager", "m2", "m2"),
    "a1": ("agent", "a1", "m1"), "a2": ("agent", "a2", "m2"),
    "s1": ("store", "s1", "m1"), "s2": ("store", "s2", "m2"),
    "o1": ("operator", "o1", ""),
    "o-m1": ("operator", "m1", "m1"), "o-m2": ("operator", "m2", "m2"),
}
# Nobody accepts these.
BAD_ENDS = {
    "expired": ("agent", "expired", "m1"), "early": ("agent", "early", "m1"),
    # From another fleet, whose managers have the same names.
    "foreign-m1": ("manager", "m1", "m1"), "foreign-a1": ("agent", "a1", "m1"),
    "foreign-s1": ("store", "s1", "m1"), "foreign-o1": ("operator", "o1", ""),
    # What m1's intermediate may not sign, ...
    "m1-manager-m2": ("manager", "m2", "m1"), "m1-operator-m2": ("operator", "m2", "m1"),
    "m1-operator-o1": ("operator", "o1", "m1"),
    # ... nor the root, ...
    "root-agent": ("agent", "a9", ""), "root-store": ("store", "s9", ""),
    "root-manager": ("manager", "m1", ""),
    # ... nor an intermediate that m1 made for itself, in m2's name, ...
    "sub-manager-m2": ("manager", "m2", "m2"), "sub-agent": ("agent", "a9", "m2"),
    # ... nor an agent.
    "agent-agent": ("agent", "a9", "a1"),
    # Signed by an intermediate whose name is not an intermediate's; by one without a kind.
    "odd-agent": ("agent", "a9", "M1"), "kind-agent": ("agent", "a9", "m1"),
}


def run(*args, **rest):
    return subprocess.run([*map(str, args)], capture_output=True, text=True, timeout=60,
                          errors="replace", **rest)


def must(*args):
    r = run(*args)
    assert r.returncode == 0, (args, r.stdout, r.stderr)
    return r


def odd_cert(folder, name, subject, extensions, ca="int", days="1"):
    """A certificate that rpc/ca would never make, by openssl."""
    base = os.path.join(folder, name)
    ext = base + ".ext"
    with open(ext, "w") as f:
        f.write("\n".join(extensions) + "\n")
    must("openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", base + ".key")
    must("openssl", "req", "-new", "-key", base + ".key", "-subj", subject, "-out", base + ".csr")
    if ca is None:
        must("openssl", "x509", "-req", "-in", base + ".csr", "-signkey", base + ".key",
             "-days", days, "-extfile", ext, "-out", base + ".crt")
        return
    ca = os.path.join(folder, ca)
    must("openssl", "x509", "-req", "-in", base + ".csr", "-CA", ca + ".crt", "-CAkey", ca + ".key",
         "-CAcreateserial", "-days", days, "-extfile", ext, "-out", base + ".crt")
    with open(base + ".crt", "a") as f, open(ca + ".crt") as g:
        f.write(g.read())


GOOD = {"bc": "basicConstraints=CA:FALSE", "ku": "keyUsage=digitalSignature",
        "eku": "extendedKeyUsage=serverAuth,clientAuth", "san": "subjectAltName=DNS:{}"}


def ext(dns, **change):
    e = dict(GOOD, san=GOOD["san"].format(dns))
    e.update(change)
    return [v for v in e.values() if v]


def subject(name, role="agent", host=HOST):
    return "/CN=%s/OU=%s/serialNumber=%s" % (name, role, host)


def odd_ca(folder, name, subject, ca="root"):
    """An intermediate that rpc/ca would never make."""
    odd_cert(folder, name, subject, ["basicConstraints=critical,CA:TRUE",
                                     "keyUsage=keyCertSign"], ca=ca)


def intermediate(manager, host="f" * 32, kind="fdump manager"):
    return "/CN=%s/O=%s/serialNumber=%s" % (manager, kind, host)


def forge_end(folder, name, ca):
    role, of, _ = BAD_ENDS[name]
    odd_cert(folder, name, subject(of, role), ext("%s.%s.fdump" % (of, role)), ca=ca)


def make(peer, folder):
    """The whole fleet."""
    must(peer, "fleet", folder)
    foreign = os.path.join(folder, "foreign")
    os.makedirs(foreign)
    must(peer, "fleet", foreign)
    for name in BAD_ENDS:
        if name.startswith("foreign-"):
            for end in (".key", ".crt"):
                shutil.copy(os.path.join(foreign, name[len("foreign-"):] + end),
                            os.path.join(folder, name + end))
    odd_ca(folder, "sub", intermediate("m2"), ca="int")
    odd_ca(folder, "odd", intermediate("M1"))
    odd_ca(folder, "kind", intermediate("m1", kind="fdump CA"))
    for name in BAD_ENDS:
        by = name.split("-")[0]
        if by in ("m1", "root", "sub", "agent", "odd", "kind"):
            forge_end(folder, name, {"m1": "int", "agent": "a1"}.get(by, by))


if __name__ == "__main__":
    os.makedirs(sys.argv[2], exist_ok=True)
    make(sys.argv[1], sys.argv[2])
