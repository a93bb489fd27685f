"""storefault.py - shared by the campaigns on stores: running fdump, small trees, what a store must contain.

A dump is acknowledged once backup has printed its id. picture() describes a tree; a store is
complete if every dump that it lists is, both to fdump and to the reader that uses no index."""
import hashlib, json, os, random, re, shutil, subprocess, sys, tempfile, time
import storereader

class Failed(Exception):
    pass

def run(*args, ok=(0,), timeout=120):
    try:
        p = subprocess.run(args, capture_output=True, text=True, errors="replace", timeout=timeout)
    except subprocess.TimeoutExpired:
        raise Failed("%s: hangs" % " ".join(args[1:3]))
    if ok is not None and p.returncode not in ok:
        raise Failed("%s: status %d: %s" % (" ".join(args[1:3]), p.returncode, p.stderr.strip()[-300:]))
    return p

def change(top, rng, files=12, most=60000):
    """Rewrites some files of a tree; some contents occur again."""
    os.makedirs(top, exist_ok=True)
    for _ in range(rng.randrange(1, files)):
        with open(os.path.join(top, "f%d" % rng.randrange(2 * files)), "wb") as f:
            f.write(random.Random(rng.randrange(10**6)).randbytes(rng.randrange(most)))

def picture(top):
    h = hashlib.sha256()
    for name in sorted(os.listdir(top)):
        with open(os.path.join(top, name), "rb") as f:
            h.update(b"%s %s\n" % (name.encode(), hashlib.sha256(f.read()).digest()))
    return h.hexdigest()

def said(text):
    """The dumps that backup's output acknowledges."""
    return re.findall(r"^dump (\w+):", text, re.M)

class Store:
    def __init__(self, fdump, path):
        self.fdump, self.path = fdump, path
    def init(self, reserve="0"):
        run(self.fdump, "store", "init", self.path, "--reserve", reserve)
        return self
    def backup(self, tree, state, name="backup", ok=(0,)):
        return run(*self.backup_args(tree, state, name), ok=ok)
    def backup_args(self, tree, state, name="backup"):
        return [self.fdump, "backup", "-s", self.path, "--unencrypted", "--state", state, "--name", name, "-C", tree, "."]
    def dumps(self):
        """Names of the dumps in the order of commits: [(id, name)]"""
        lines = run(self.fdump, "dumps", "-s", self.path, "--json").stdout.splitlines()
        return [(d["dump"], d["name"]) for d in map(json.loads, lines)]
    def restored(self, dump):
        """The picture of what a dump restores to."""
        with tempfile.TemporaryDirectory() as out:
            run(self.fdump, "restore", "-s", self.path, dump, "-C", out)
            return picture(out)
    def opens(self, limit=1.0):
        begun = time.monotonic()
        ids = [d for d, _ in self.dumps()]
        if time.monotonic() - begun > limit:
            raise Failed("took %.1f s to open" % (time.monotonic() - begun))
        return ids
    def read_outside(self, ids):
        """The reader without an index finds every chunk of every dump."""
        s = storereader.Store(self.path)
        for ident in ids:
            if bytes.fromhex(ident) not in s.dumps:
                raise Failed("dump %s: the second reader does not find it" % ident)
            try:
                d = storereader.Dump(s, *s.dumps[bytes.fromhex(ident)][1:], None)
                for chunk in d.ids:
                    d.chunk(chunk)
            except storereader.Malformed as e:
                raise Failed("dump %s: %s" % (ident, e))
    def whole(self, was, outside=False):
        """was: dump -> picture. Checks that every listed dump is complete and as it was; returns the ids."""
        ids = self.opens()
        run(self.fdump, "verify", self.path)
        for ident in ids:
            if ident in was and self.restored(ident) != was[ident]:
                raise Failed("dump %s restores to another tree" % ident)
        if outside:
            self.read_outside(ids)
        return ids
