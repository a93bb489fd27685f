#!/usr/bin/env python3
"""A second writer and reader of plans and reports, from the text of cmd/manager/plan.h and
report.h: test/data/plan.cbor and test/data/report.fdj are, to the byte, what it makes from the values
below; the unit tests compare the C side with the same files.

usage: plans.py SOURCE-FOLDER [--write]"""

import sys
from pathlib import Path

from reader import cbor_get, cbor_put, le, xxh3

T0 = 1767225600

PLAN = {
    "agent": "web1",
    "jobs": [
        {"name": "web", "schedule": "~ 1~4 * * *", "zone": "Europe/Riga", "before": "dump-db",
         "after": "done", "paths": [b"/etc", b"/srv/\xff"], "exclude": [b"*.tmp"],
         "stores": ["nas1", "offsite"], "recipients": ["fleet"], "copies": 2, "level": 9,
         "jitter": 600, "lock-for": 14 * 86400, "alarm-after": 28800, "exclude-caches": True,
         "one-file-system": True},
        {"name": "a", "schedule": "@daily", "zone": "UTC", "paths": [b"/etc"], "stores": ["nas1"],
         "unencrypted": True},
    ],
    "stores": [
        {"name": "nas1", "uid": b"\1\2" + bytes(14), "key": b"\3\4" + bytes(30)},
        {"name": "offsite", "address": "backup.example.org:7421"},
    ],
}


def run(n):
    return n.to_bytes(2, "little") + bytes(13) + b"\1"


REPORT = [
    {"kind": "starting", "time": T0 + 1, "job": "a", "run": run(1), "slot": T0},
    {"kind": "ended", "time": T0 + 100, "job": "b", "run": run(2), "slot": T0, "result": "ok",
     "dump": b"\2" + bytes(15), "record": bytes(31) + b"\t",
     "stats": {"read": 2, "stored": 2**64 - 1, "content": 1 << 30, "entries": 2, "problems": 0},
     "receipts": [
         {"store": "nas1", "uid": bytes(16), "time": 0, "signature": bytes(64)},
         {"store": "offsite", "uid": bytes(16), "time": T0 + 99, "signature": b"\xab" * 64}]},
    {"kind": "plan", "time": T0, "digest": b"\1\2\3" + bytes(29)},
    {"kind": "held", "time": -5, "job": "a"},
    {"kind": "released", "time": T0, "job": "a"},
    {"kind": "clock", "time": T0, "job": "a"},
    {"kind": "alarm", "time": T0, "text": "plan.recipient"},
]


def sort(value):
    """Keys in the order of their encodings: RFC 8949, 4.2.1."""
    if isinstance(value, list):
        return [sort(v) for v in value]
    if not isinstance(value, dict):
        return value
    return {k: sort(value[k]) for k in sorted(value, key=cbor_put)}


def frame(payload):
    checked = len(payload).to_bytes(4, "little") + payload
    return b"FDJ1" + xxh3(checked).to_bytes(8, "little") + checked


def frames(b):
    """The records of a report, each with its check verified."""
    at = 0
    while at < len(b):
        length = le(b, at + 12, 4)
        end = at + 16 + length
        assert b[at:at + 4] == b"FDJ1" and end <= len(b), at
        assert le(b, at + 4) == xxh3(b[at + 12:end]), at
        record, used = cbor_get(b, at + 16)
        assert used == end, at
        yield record
        at = end


def main():
    data = Path(sys.argv[1]) / "test/data"
    report = [dict(record, number=i + 1) for i, record in enumerate(REPORT)]
    files = {"plan.cbor": cbor_put(sort(PLAN)),
             "report.fdj": b"".join(frame(cbor_put(sort(r))) for r in report)}
    for name, made in files.items():
        if "--write" in sys.argv:
            (data / name).write_bytes(made)
        assert (data / name).read_bytes() == made, name
    plan, used = cbor_get((data / "plan.cbor").read_bytes())
    assert used == len(files["plan.cbor"]) and plan == PLAN, plan
    assert list(frames((data / "report.fdj").read_bytes())) == report


main()
