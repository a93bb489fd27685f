#!/usr/bin/env python3
"""fleetday.py - a day of slots in a fleet with two managers, one of which dies for good.

usage: fleetday.py FDUMP SHIM [--keep]

Two managers with the same configuration, two stores, two agents with a job each hour and one every three
hours, each with two copies. The wall clock is a file (SHIM), set forward by an hour when all runs of the
last hour have ended. In the middle of a run the first manager, which the agents follow, is killed
(SIGKILL) and its files are deleted; hours later another machine takes its place, at another address. The list of
slots is computed here; these conditions must hold:

- each slot is in its agent's journal once, ok, with receipts of both stores, which have the dump;
- the surviving manager shows each run, once, all the time;
- so does the replacement of the lost one: runs from before it existed, and from after."""
import hashlib, json, os, shutil, signal, subprocess, sys, tempfile, time
from fleetkill import Failure, Fleet, Service, await_, ports

HOUR, DAY = 3600, 86400
JITTER = 1800
AGENTS = {"web1": "m1", "web2": "m2"}  # the signers of each
JOBS = {"hourly": (HOUR, 0, JITTER), "third": (3 * HOUR, 15 * 60, 0)}  # every, at, jitter
CONFIG = """defaults { stores = {"nas1", "nas2"} copies = 2 }
job "hourly" { agents = {"web*"} paths = {"%(tree)s"} schedule = "0 * * * *" jitter = "%(jitter)ds" }
job "third" { agents = {"web*"} paths = {"%(tree)s"} schedule = "15 */3 * * *" }
store "nas1" { }
store "nas2" { }
manager "m1" { address = "127.0.0.1:%(m1)d" }
manager "m2" { address = "127.0.0.1:%(m2)d" }
"""
KILLED, RESTARTED, REPLACED, LAST = 8, 11, 14, 24  # hours

def slots(agent, job, begin, now):
    """The times at which the job was due so far: the latest one when the agent joined, and all since."""
    every, at, jitter = JOBS[job]
    digest = hashlib.sha256(b"fdump jitter %s@%s" % (job.encode(), agent.encode())).digest()
    at += int.from_bytes(digest[:8], "little") % (jitter + 1)
    first = begin - (begin - at) % every
    return list(range(first, now + 1, every))

class Day(Fleet):
    def __init__(self, fdump, shim, work):
        super().__init__(fdump, work)
        self.clock, self.tree = os.path.join(work, "clock"), os.path.join(work, "tree")
        midnight = (int(time.time()) // DAY + 2) * DAY
        self.begin = midnight + HOUR - 10
        self.set_hour(0)
        self.env.update(FDUMP_TEST_TIMES="30000,90000,600000,1000", LD_PRELOAD=shim, SHIM_CLOCK=self.clock)
        self.keys = ["--keys", os.path.join(work, "keys"), "--passphrase-file", self.passphrase]
        self.port = ports(10)
        self.addresses = {"m1": self.port, "m2": self.port + 3, "tree": self.tree, "jitter": JITTER}
    def set_hour(self, hour):
        self.now = self.begin + hour * HOUR
        with open(self.clock + ".new", "w") as f:
            f.write("%d\n" % self.now)
        os.rename(self.clock + ".new", self.clock)

    def serve(self, services, machine, role, ready):
        service = Service(self, machine, role, ready)
        services.append(service)
        service.start()
        return service
    def configure(self, machine):
        with open(os.path.join(self.work, machine, "etc", "manager.conf"), "w") as f:
            f.write(CONFIG % self.addresses)
    def join(self, by, machine, role, name, *options, token=()):
        """A machine joins with a token that the manager on another machine made."""
        if role != "manager":
            return self.at(machine, "join", "-", *options, stdin=self.at(by, "token", role, name))
        with subprocess.Popen([self.fdump, "token", role, name, *token, *self.keys, *self.folders(by)], text=True,
                              stdout=subprocess.PIPE, env=self.env) as made:
            try:
                self.at(machine, "join", "-", *options, stdin=made.stdout.readline())
                if made.wait(60):
                    raise Failure("token %s %s: status %d" % (role, name, made.returncode))
            finally:
                made.kill()
    def set_up(self):
        with open(self.passphrase, "w") as f:
            f.write("correct horse battery staple\n")
        os.chmod(self.passphrase, 0o600)
        os.mkdir(self.tree)
        shutil.copy(__file__, self.tree)
        for machine in "m1", "m2", "nas1", "nas2", *AGENTS:
            os.mkdir(os.path.join(self.work, machine))
        self.at("m1", "setup", "--name", "m1", "--listen", "127.0.0.1:%d" % self.port, "--address", "127.0.0.1",
                "--store", os.path.join(self.work, "unused"), *self.keys)
        self.configure("m1")
        self.first = self.serve(self.managers, "m1", "manager", "port %d" % self.port)
        self.join("m1", "m2", "manager", "m2", "--listen", "127.0.0.1:%d" % self.addresses["m2"])
        self.configure("m2")
        self.second = self.serve(self.managers, "m2", "manager", "port %d" % self.addresses["m2"])
        for name, port in ("nas1", self.port + 1), ("nas2", self.port + 4):
            self.join("m1", name, "store", name, "--store", self.directory(name), "--listen", "127.0.0.1:%d" % port)
            self.serve(self.stores, name, "store", "port %d" % port)
        for manager in "m1", "m2":
            await_(lambda: self.connected(manager) == {"nas1", "nas2"}, "stores at " + manager)
        for name, by in AGENTS.items():
            self.join(by, name, "agent", name)
            self.serve(self.agents, name, "agent", "agent " + name)
    def directory(self, store):
        return os.path.join(self.work, store, "dir")

    def rows(self, machine, command, *options):
        lines = self.at(machine, command, "--json", *options).splitlines()
        return [row for row in map(json.loads, lines) if row["type"] != "result"]
    def connected(self, machine):
        return {row["name"] for row in self.rows(machine, "hosts") if row.get("up") and row["role"] != "operator"}
    def expected(self):
        return sorted((agent, job, slot) for agent in AGENTS for job in JOBS
                      for slot in slots(agent, job, self.begin, self.now))
    def ended(self):
        """Runs that ended, from the journals: (agent, job, slot) and the record."""
        return sorted((((name, r["job"], r["slot"]), r) for name in AGENTS for r in self.journal(name)
                       if r["kind"] == "ended"), key=lambda pair: pair[0])
    def listed(self, machine):
        return sorted((row["agent"], row["job"], row["slot_epoch"])
                      for row in self.rows(machine, "runs", "--count", "100000")
                      if row["result"] == "ok" and row["copies"] == 2)
    def await_runs(self, *managers):
        """Waits until all slots up to now are done and these managers know it."""
        expected = self.expected()
        await_(lambda: len(self.ended()) >= len(expected), "the runs of hour %d" % ((self.now - self.begin) / HOUR))
        for manager in managers:
            await_(lambda: len(self.listed(manager)) >= len(expected), "%d runs at %s" % (len(expected), manager))
            self.compare("at " + manager, self.listed(manager), expected)
        for service in self.services():
            if service.process.poll() is not None:
                raise Failure("%s %s ended by itself: %s" % (service.machine, service.role, service.said()[-400:]))
    def compare(self, where, got, expected):
        if got != expected:
            raise Failure("%s: lost %s, too many %s" % (where, [x for x in expected if x not in got],
                                                        [x for x in got if x not in expected or got.count(x) > 1]))

    def kill_first(self):
        """Kills it for good, in the middle of a run."""
        since = self.lengths()
        self.set_hour(KILLED)
        self.await_line(AGENTS, since, "started")
        self.first.kill()
        self.managers.remove(self.first)
        shutil.rmtree(os.path.join(self.work, "m1"))
    def replace_first(self):
        """Replaces it by another machine at another address."""
        self.addresses["m1"] = self.port + 7
        self.configure("m2")
        self.second.process.send_signal(signal.SIGHUP)
        os.mkdir(os.path.join(self.work, "m1-new"))
        self.join("m2", "m1-new", "manager", "m1", "--listen", "127.0.0.1:%d" % self.addresses["m1"],
                  token=["--replace"])
        self.configure("m1-new")
        self.serve(self.managers, "m1-new", "manager", "port %d" % self.addresses["m1"])
        await_(lambda: self.connected("m1-new") == {"nas1", "nas2", *AGENTS}, "all at the new m1")
    def pass_day(self):
        self.await_runs("m1", "m2")
        for hour in range(1, LAST + 1):
            if hour == KILLED:
                self.kill_first()
            self.set_hour(hour)
            if hour < KILLED or hour > REPLACED:
                self.await_runs()
            else:
                self.await_runs("m2")
            if hour == RESTARTED:
                self.agents[1].stop()
                self.agents[1].start()
            if hour == REPLACED:
                self.replace_first()
                self.await_runs("m1-new")
        self.await_runs("m1-new", "m2")

    def look(self):
        expected = self.expected()
        ended = self.ended()
        self.compare("ended, by the journals", [key for key, _ in ended], expected)
        self.compare("started, by the journals", sorted(
            (name, r["job"], r["slot"]) for name in AGENTS for r in self.journal(name) if r["kind"] == "starting"),
            expected)
        dumps = {name: {row["dump"] for row in map(json.loads, self.call(
            "dumps", "-s", self.directory(name), "--json").splitlines()) if "dump" in row} for name in ("nas1", "nas2")}
        for key, r in ended:
            stores = sorted(receipt["store"] for receipt in r["receipts"])
            if r["result"] != "ok" or stores != ["nas1", "nas2"]:
                raise Failure("%s: %s with receipts of %s" % (key, r["result"], stores))
            for name in stores:
                dumps[name].discard(r["dump"].hex()) if r["dump"].hex() in dumps[name] else self.lacks(name, key)
        if any(dumps.values()):
            raise Failure("dumps that no run made: %s" % dumps)
        return len(expected)
    def lacks(self, store, key):
        raise Failure("%s lacks the dump of %s" % (store, key))

def main(args):
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # its services end with it
    os.umask(0o077)
    work = tempfile.mkdtemp()
    day = Day(os.path.abspath(args[0]), os.path.abspath(args[1]), work)
    failed = True
    try:
        began = time.monotonic()
        day.set_up()
        day.pass_day()
        print("%d slots, %.0f s" % (day.look(), time.monotonic() - began))
        failed = False
    except Failure as e:
        print(e)
        for service in day.services():
            print("--- %s %s\n%s" % (service.machine, service.role, service.said()[-1500:]))
    finally:
        day.stop()
        statuses = {(s.machine, s.role): s.process.returncode for s in day.services()}
        if not failed and any(statuses.values()):
            print("they ended with: %s" % statuses)
            failed = True
        if not (failed and "--keep" in args):
            shutil.rmtree(work)
        else:
            print("left in " + work)
    return 1 if failed else 0

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
