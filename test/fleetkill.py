#!/usr/bin/env python3
"""fleetkill.py - kills the services of a fleet while its agents back up, and checks what is left.

usage: fleetkill.py FDUMP [--kills N] [--together N] [--down SECONDS] [--seed S] [--keep]

A manager, two stores and two agents on loopback, and a job with two copies: every minute, and ordered
in each round on trees that change. In a round one service is killed (SIGKILL) at a random moment of
the runs, and restarted after a random time (--down: seconds at most, default 8): --kills times
each of manager, stores and agents (default 20), and --together times (default 5) one of each in the
same round. After each round the next run has to be complete on both stores, and of everything reported:

- each run that an agent started has ended once, and a slot only runs again if its run was lost or failed;
- the manager lists each run that ended, once, with its result, and no others;
- a run is ok with receipts of two stores, and not with fewer;
- the dump of each receipt is in its store, whose contents `fdump verify DIR --key` proves.

A line for each failure; exit status 1 if there is one."""
import json, os, random, shutil, signal, socket, subprocess, sys, tempfile, threading, time
import reader

TIMES = "500,1500,4000,1000"
AGENTS, STORES = ["web1", "web2"], {"nas1": "server", "nas2": "nas2"}
KEPT = ("ok", "partial", "copies")

class Service:
    """fdump ROLE on a machine."""
    def __init__(self, fleet, machine, role, ready):
        self.fleet, self.machine, self.role, self.ready = fleet, machine, role, ready
        self.log = os.path.join(fleet.work, "%s-%s.log" % (machine, role))
        self.process = None
    def start(self):
        begun = os.path.getsize(self.log) if os.path.exists(self.log) else 0
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen([self.fleet.fdump, self.role, *self.fleet.folders(self.machine)],
                                            stdout=log, stderr=log, env=self.fleet.env)
        if self.ready:
            await_(lambda: self.ready in self.said(begun), "%s %s" % (self.machine, self.role), self)
    def said(self, since=0):
        with open(self.log, errors="replace") as f:
            f.seek(since)
            return f.read()
    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            self.process.wait()

class Failure(Exception):
    pass

def await_(what, text, service=None, seconds=60):
    end = time.monotonic() + seconds
    while True:
        value = what()
        if value:
            return value
        if service and service.process.poll() is not None:
            raise Failure("%s ended by itself, with status %d: %s" % (text, service.process.returncode,
                                                                      service.said()[-400:]))
        if time.monotonic() > end:
            raise Failure("%s: not within %d seconds" % (text, seconds))
        time.sleep(0.05)

def ports(count=5):
    """Finds the first of so many consecutive ports on which nobody listens."""
    while True:
        first = random.randrange(20000, 31900)
        try:
            for port in range(first, first + count):
                with socket.socket() as s:
                    s.bind(("127.0.0.1", port))
            return first
        except OSError:
            pass

class Fleet:
    def __init__(self, fdump, work):
        self.fdump, self.work, self.key = fdump, work, os.path.join(work, "keys", "backup.key")
        self.passphrase = os.path.join(work, "passphrase")
        self.env = dict(os.environ, FDUMP_TEST_TIMES=TIMES, HOME=work)
        self.env.pop("JOURNAL_STREAM", None)
        self.managers, self.stores, self.agents = [], [], []
        self.runs, self.receipts = {}, 0
    def folders(self, machine):
        return ["--config", os.path.join(self.work, machine, "etc"),
                "--state", os.path.join(self.work, machine, "state")]
    def call(self, *args, stdin=None, statuses=(0,), seconds=120):
        p = subprocess.run([self.fdump, *args], input=stdin, capture_output=True, text=True, env=self.env,
                           timeout=seconds)
        if p.returncode not in statuses:
            raise Failure("%s: status %d: %s" % (" ".join(args[:3]), p.returncode, p.stderr.strip()[-400:]))
        return p.stdout
    def at(self, machine, *args, **options):
        return self.call(*args, *self.folders(machine), **options)
    def store(self, name):
        return os.path.join(self.work, STORES[name], "dir")

    def set_up(self):
        with open(self.passphrase, "w") as f:
            f.write("correct horse battery staple\n")
        os.chmod(self.passphrase, 0o600)
        port = ports()
        for name in ["server", "nas2"]:
            os.makedirs(os.path.join(self.work, name))
        for name in AGENTS:
            os.makedirs(os.path.join(self.work, "tree", name))
            self.change(name, 30)
        self.at("server", "setup", "--name", "nas1", "--listen", "127.0.0.1:%d" % port, "--address", "127.0.0.1",
                "--store", self.store("nas1"), "--keys", os.path.join(self.work, "keys"),
                "--passphrase-file", self.passphrase)
        trees = ", ".join('"%s/tree/%s"' % (self.work, name) for name in AGENTS)
        with open(os.path.join(self.work, "server", "etc", "manager.conf"), "w") as f:
            f.write('defaults { stores = {"nas1", "nas2"} copies = 2 }\n'
                    'job "demo" { agents = {"web*"} paths = {%s} schedule = "* * * * *" }\n'
                    'store "nas1" { address = "127.0.0.1:%d" }\n'
                    'store "nas2" { address = "127.0.0.1:%d" }\n' % (trees, port + 1, port + 3))
        manager = Service(self, "server", "manager", "port %d" % port)
        self.managers.append(manager)
        manager.start()
        token = self.at("server", "token", "store", "nas2")
        self.at("nas2", "join", "-", "--store", self.store("nas2"), "--listen", "127.0.0.1:%d" % (port + 3),
                stdin=token)
        for name, at in STORES.items():
            self.stores.append(Service(self, at, "store", "port %d" % (port + 1 if name == "nas1" else port + 3)))
        for name in AGENTS:
            self.at(name, "join", "-", stdin=self.at("server", "token", "agent", name))
            self.agents.append(Service(self, name, "agent", None))
        for service in self.stores + self.agents:
            service.start()
    def services(self):
        return self.managers + self.stores + self.agents
    def stop(self):
        for service in reversed(self.services()):
            service.stop()

    def change(self, name, files=6):
        """Rewrites some files of some megabytes."""
        for _ in range(files):
            with open(os.path.join(self.work, "tree", name, "%d" % random.randrange(12)), "wb") as f:
                f.write(random.randbytes(random.randrange(3000000)))
    def order(self, name):
        """Orders the agent to run the job now. Returns its row of the run, or None if it was not accepted
        or not reported."""
        try:
            p = subprocess.run([self.fdump, "run", "demo", "--agent", name, "--wait", "--json",
                                *self.folders("server")], capture_output=True, text=True, env=self.env, timeout=90)
        except subprocess.TimeoutExpired:
            raise Failure("%s: run --wait did not end" % name)
        rows = [json.loads(line) for line in p.stdout.splitlines()]
        runs = [row for row in rows if row["id"] == "run.run"]
        if runs and runs[0]["result"] not in KEPT + ("failed", "lost"):
            raise Failure("%s: run --wait: %s" % (name, p.stdout))
        return runs[0] if runs else None

    # The contents of the agents' journals.
    def journal(self, name):
        with open(os.path.join(self.work, name, "state", "agent", "journal"), "rb") as f:
            data = f.read()
        records, at = [], 0
        while at + 16 <= len(data):
            length = int.from_bytes(data[at + 12:at + 16], "little")
            if data[at:at + 4] != b"FDJ1" or at + 16 + length > len(data):
                break  # the last record, still being written
            record, _ = reader.cbor_get(data, at + 16)
            if "kind" in record:
                records.append(record)
            at += 16 + length
        return records
    def look_at_journal(self, name):
        """Runs that ended, by id."""
        open_, ended, done = None, {}, set()
        for r in self.journal(name):
            if r["kind"] == "starting":
                if open_:
                    raise Failure("%s: a run began while another one was under way" % name)
                open_, slot = r["run"], r.get("slot")
                if slot in done:
                    raise Failure("%s: the slot %d ran again, although it was done" % (name, slot))
            elif r["kind"] == "ended":
                if r["run"] != open_ or r.get("slot") != slot:
                    raise Failure("%s: a run ended that was not under way" % name)
                open_, result, receipts = None, r["result"], r.get("receipts", [])
                if slot is not None and result in KEPT:
                    done.add(slot)
                if (result == "ok") != (len(receipts) == 2 and "dump" in r) and result != "partial":
                    raise Failure("%s: %s with %d receipts" % (name, result, len(receipts)))
                if receipts and "dump" not in r:
                    raise Failure("%s: receipts, but no dump" % name)
                ended[r["run"].hex()] = r
        return ended, open_

    def listed(self):
        rows = [json.loads(line) for line in self.at("server", "runs", "--count", "100000", "--json").splitlines()]
        return [r for r in rows if r["id"] == "runs.run"]
    def look_at_list(self, name, ended):
        """Returns None if the manager has the same runs, otherwise the difference."""
        rows = [r for r in self.listed() if r["agent"] == name]
        if len({r["run"] for r in rows}) != len(rows):
            raise Failure("%s: a run is listed twice" % name)
        if {r["run"] for r in rows} - set(ended):
            ended.update(self.look_at_journal(name)[0])  # a run that ended in the meantime
        for r in rows:
            e = ended.get(r["run"])
            if e is None:
                raise Failure("%s: the run %s is listed, but not in the journal" % (name, r["run"]))
            if r["result"] != e["result"] or r["copies"] != len(e.get("receipts", [])):
                raise Failure("%s: the run %s is listed as %s, %d copies; the journal has %s" % (
                    name, r["run"], r["result"], r["copies"], e["result"]))
        return len(rows) == len(ended)

    def dumps(self, store):
        """The agent of each run, by id."""
        rows = [json.loads(line) for line in self.call("dumps", "-s", self.store(store), "--json").splitlines()]
        return {row["dump"]: row["agent"] for row in rows}
    def look_at_dumps(self, name, has):
        """A store may have dumps of a run that was lost after its commit, and of a run in progress, but no
        others."""
        ended, open_ = self.look_at_journal(name)
        known = {run["dump"].hex() for run in ended.values() if "dump" in run}
        lost = sum("dump" not in run for run in ended.values()) + (open_ is not None)
        for store in STORES:
            more = [dump for dump, agent in has[store].items() if agent == name and dump not in known]
            if len(more) > lost:
                raise Failure("%s: %s has %d dumps that no run made" % (name, store, len(more) - lost))
    def look(self, verify):
        journals = {name: self.look_at_journal(name)[0] for name in AGENTS}
        for name in AGENTS:
            await_(lambda: self.look_at_list(name, journals[name]), "%s: all runs in the manager's list" % name,
                   seconds=20)
        has = {store: self.dumps(store) for store in STORES}
        for name in AGENTS:
            self.look_at_dumps(name, has)
        self.receipts = 0
        for name in AGENTS:
            for run in journals[name].values():
                for receipt in run.get("receipts", []):
                    self.receipts += 1
                    if run["dump"].hex() not in has[receipt["store"]]:
                        raise Failure("%s: the dump %s is acknowledged, but %s lacks it" % (
                            name, run["dump"].hex(), receipt["store"]))
        self.runs = journals
        for service in self.services():
            if service.process.poll() is not None:
                raise Failure("%s %s ended by itself: %s" % (service.machine, service.role, service.said()[-400:]))
        if verify:
            for store in STORES:
                self.call("verify", self.store(store), "--key", self.key, "--passphrase-file", self.passphrase,
                          seconds=300)
    def heal(self, name):
        """With all services running again, the next accepted run must be complete; one may already be in
        progress."""
        for _ in range(6):
            run = await_(lambda: self.order(name), "%s: a run that is taken" % name)
            if run["result"] == "ok" and run["copies"] == 2:
                return
            if run["result"] not in ("lost", "copies", "failed"):
                break
            self.healed_late += 1
        raise Failure("%s: after it: %s" % (name, run))

    def lengths(self):
        return {agent.machine: os.path.getsize(agent.log) for agent in self.agents}
    def await_line(self, names, since, text):
        """Waits until one of the agents has logged this, for at most five seconds."""
        end = time.monotonic() + 5
        while time.monotonic() < end and not any(
                text in agent.said(since[agent.machine]) for agent in self.agents if agent.machine in names):
            time.sleep(0.005)
    def measure(self):
        """How long a run takes if no service dies."""
        since = self.lengths()
        self.change(AGENTS[0])
        thread = threading.Thread(target=self.quietly, args=(self.order, AGENTS[0]))
        thread.start()
        self.await_line(AGENTS[:1], since, "started")
        begun = time.monotonic()
        self.await_line(AGENTS[:1], since, "demo: ok")
        self.length = 1.3 * (time.monotonic() - begun)
        thread.join()

    def kill(self, victim, begun):
        """Waits for a random moment of a run."""
        self.await_line(AGENTS if victim.role != "agent" else [victim.machine], begun, "started")
        time.sleep(random.uniform(0, self.length))
        victim.kill()
        time.sleep(random.choice([0, random.uniform(0, 1), random.uniform(0, self.down),
                                  random.uniform(self.down / 2, self.down)]))
        victim.start()
    def round(self, victims, number):
        threads, begun = [], self.lengths()
        for name in AGENTS:
            self.change(name)
            threads.append(threading.Thread(target=self.quietly, args=(self.order, name)))
        for victim in victims:
            threads.append(threading.Thread(target=self.quietly, args=(self.kill, victim, begun)))
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for name in AGENTS:
            self.heal(name)
        self.look(number % 10 == 9)
    def quietly(self, what, *args):
        """Runs in a thread."""
        try:
            what(*args)
        except Failure as e:
            self.said.append(str(e))

    def campaign(self, kills, together, down):
        self.down = down
        self.said, self.healed_late, failed = [], 0, 0
        self.set_up()
        for name in AGENTS:
            self.heal(name)
        self.measure()
        kinds = [self.managers, self.stores, self.agents]
        rounds = [[random.choice(kind)] for kind in kinds for _ in range(kills)]
        rounds += [[random.choice(kind) for kind in kinds] for _ in range(together)]
        random.shuffle(rounds)
        for number, victims in enumerate(rounds):
            try:
                self.round(victims, number)
            except Failure as e:
                self.said.append(str(e))
            for text in self.said:
                failed += 1
                print("round %d, %s killed: %s" % (
                    number, ", ".join("%s %s" % (v.machine, v.role) for v in victims), text), flush=True)
            self.said = []
        try:
            self.look(True)
        except Failure as e:
            failed += 1
            print("at the end: %s" % e)
        ends = [run["result"] for name in AGENTS for run in self.runs.get(name, {}).values()]
        print("%d kills, %d runs (%s), %d receipts, %d healed later than by the next run, "
              "%.2f s a run, %d failed" % (
            sum(map(len, rounds)), len(ends), ", ".join("%d %s" % (ends.count(r), r) for r in sorted(set(ends))),
            self.receipts, self.healed_late, self.length / 1.3, failed))
        return failed

def main(args):
    def number(option, default):
        return int(args[args.index(option) + 1]) if option in args else default
    seed = number("--seed", random.randrange(1000000))
    random.seed(seed)
    os.umask(0o077)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # its services end with it
    work = tempfile.mkdtemp()
    fleet = Fleet(os.path.abspath(args[0]), work)
    failed = 1
    try:
        failed = fleet.campaign(number("--kills", 20), number("--together", 5), number("--down", 8))
    finally:
        fleet.stop()
        if failed:
            print("seed %d%s" % (seed, ", left in " + work if "--keep" in args else ""))
        if not (failed and "--keep" in args):
            shutil.rmtree(work)
    return 1 if failed else 0

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
