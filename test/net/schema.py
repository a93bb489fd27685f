#!/usr/bin/env python3
"""rpc/PROTOCOL.md against the C tables: each schema's keys, types and limits, the
methods, kinds, flags, deadlines, limits, codes. Fails where they differ.

usage: schema.py SOURCE-FOLDER"""

import os
import re
import subprocess
import sys
from pathlib import Path

root = Path(sys.argv[1] if len(sys.argv) > 1 else ".")
text = (root / "rpc/PROTOCOL.md").read_text()
c_files = {p: p.read_text() for p in sorted((root / "rpc").glob("*.[ch]"))}
for name in ("cbormap.h", "err.c"):
    c_files[root / "lib" / name] = (root / "lib" / name).read_text()
for name in ("proto.c", "proto.h", "plan.h", "report.h", "row.h", "service.c"):
    c_files[root / "cmd/manager" / name] = (root / "cmd/manager" / name).read_text()
for name in ("dump.h", "proof.h", "proto.c", "proto.h", "receipt.h", "record.h", "store.h"):
    c_files[root / "cmd/store" / name] = (root / "cmd/store" / name).read_text()
c_files[root / "lib/seal.h"] = (root / "lib/seal.h").read_text()
store_methods = (root / "cmd/store/methods.c").read_text()
problems = []

# Which table implements which schema; a table that is not here has no schema.
TABLES = {"hello_fields": "hello", "status_fields": "status", "rpc_enroll_fields": "enroll",
          "result_fields": "enroll-result", "rpc_renew_fields": "renew",
          "certificate_fields": "certificate", "token_fields": "token",
          "manager_fields": "manager", "store_fields": "store",
          "rpc_sponsor_fields": "sponsor", "request_fields": "sponsor-result",
          "rpc_grant_fields": "grant",
          "manager_hello_fields": "manager-hello", "manager_welcome_fields": "manager-welcome",
          "fleet_store_fields": "fleet-store", "fleet_manager_fields": "fleet-manager",
          "manager_report_fields": "report", "manager_acked_fields": "report-result",
          "manager_job_fields": "order-job", "manager_started_fields": "order-started", "manager_progress_fields": "progress",
          "manager_listing_fields": "listing", "manager_runs_fields_in": "runs",
          "manager_hosts_fields_in": "hosts",
          "manager_token_fields_in": "token-order", "manager_made_fields": "token-made",
          "manager_revoke_fields": "revoke",
          "manager_replace_fields": "replace", "manager_order_fields_in": "order",
          "store_begin_fields": "begin", "store_have_fields": "have", "store_put_fields": "put",
          "store_commit_fields": "commit", "store_end_fields": "end",
          "store_dumps_fields": "dumps", "store_dump_fields": "dump", "store_get_fields": "get",
          "store_about_fields": "about-result", "store_flag_fields": "flag",
          "store_bits_fields": "have-result", "store_result_fields": "commit-result"}
# For each method: its longest parameters, its deadline in milliseconds.
METHODS = {"enroll": ("RPC_ENROLL_MAX", "RPC_ENROLL_MS"), "renew": ("RPC_RENEW_MAX", "RENEW_MS"),
           "sponsor": ("RPC_SPONSOR_MAX", "RPC_TOKEN_SEC * 1000"),
           "grant": ("RPC_GRANT_MAX", "GRANT_MS")}
# Rows of section 11: the numbers in them, in order.
LIMITS = {
    "payload": ["RPC_PAYLOAD_MAX"], "HELLO": ["RPC_HELLO_MAX"],
    "status": ["RPC_STATUS_MAX", "RPC_TEXT_MAX"], "requests open, each side": ["RPC_CALLS_MAX"],
    "request blobs open that began with credit, each side": ["RPC_BLOBS_MAX"],
    "credit of a blob, at first and at most": ["RPC_WINDOW", "RPC_WINDOW_MAX"],
    "written and not read by the peer": ["RPC_OUT_MAX"],
    "depth of arrays and maps in a parameter": ["CBORMAP_DEPTH_MAX"],
}


def expect(what, protocol, c):
    if protocol != c:
        problems.append(f"{what}: PROTOCOL.md has {protocol}, the C code {c}")


# --- numbers in C -------------------------------------------------------------

defines = {"UINT16_MAX": "65535", "UINT64_MAX": "18446744073709551615"}
for source in c_files.values():
    for name, value in re.findall(r"^#define (\w+)[ \t]+([^\n/]+)", source, re.M):
        defines[name] = value.strip()
    defines.update(re.findall(r"^\t((?:MANAGER|STORE)_METHOD_\w+) =\s+(\d+)", source, re.M))
    for body in re.findall(r"^enum \{ ([^}]*) \};", source, re.M):
        for name, value in re.findall(r"(\w+) = (\d+)", body):
            defines[name] = value


def number(text):
    text = re.sub(r"\b(\d+)[uUlL]+\b", r"\1", text)
    text = re.sub(r"[A-Za-z_]\w+", lambda m: str(number(defines[m.group()])), text)
    if not re.fullmatch(r"[0-9 ()*/+<\s-]+", text):
        raise SystemExit(f"schema.py: not a number: {text}")
    return eval("(" + text.replace("/", "//") + ")")


# --- tables in C --------------------------------------------------------------

KINDS = {"CBORMAP_UINT": "uint", "CBORMAP_INT": "int", "CBORMAP_BOOL": "bool", "CBORMAP_BYTES": "bytes", "CBORMAP_BLOB": "bytes", "CBORMAP_TEXT": "text", "CBORMAP_NAME": "name"}
tables = {}
items = {}  # named types: of single fields that lists are made of


def preprocessed(path):
    """A source file with its macros written out."""
    cc = os.environ.get("CC", "cc").split()
    return subprocess.run([*cc, "-E", "-P", "-I", root, path], check=True, capture_output=True, text=True).stdout


def braced(source, at):
    """The text between the brace at this place and its closing brace."""
    depth = 0
    for end in range(at, len(source)):
        depth += (source[end] == "{") - (source[end] == "}")
        if depth == 0:
            return source[at + 1:end]
    raise SystemExit("schema.py: a brace is never closed")


def size(source, text):
    """From `sizeof((struct NAME *)0)->MEMBER`: the field's bytes, or items if it is an array of another
    type."""
    if not (m := re.fullmatch(r"sizeof\(\(struct (\w+) \*\)0\)->([\w.]+)", text)):
        return None if "sizeof" in text else number(text)
    struct, member = m.groups()
    for name in member.split("."):
        body = braced(source, re.search(rf"\bstruct {struct} (?=\{{)", source).end())
        struct, dimension = re.search(rf"(?:struct )?(\w+) (?:\w+(?:\[[^;]+\])?, )*\**{name}(?:\[([^]]+)\])?[^;{{}}]*;", body).groups()
    return number(dimension) if dimension else None


def item_name(text):
    """The name in PROTOCOL.md: address for `&(rpc_address_field)`."""
    return re.fullmatch(r"\W*(?:rpc_)?(\w+)_field\W*", text)[1].replace("_", "-")


def c_field(source, body):
    """A field's kind and limits; of a list the kind is its items' name in brackets."""
    values = {k: " ".join(v.split()) for k, v in re.findall(r"\.(\w+) = (.+?)(?=,\s*\.\w+ =|$)", body, re.S)}
    kind = values["type"]
    if kind == "CBORMAP_MAP":
        return TABLES[values["sub"]], 0, 0
    low, high = "0", "UINT64_MAX" if kind == "CBORMAP_UINT" else "0"
    if "size" in values and (room := size(source, values["size"])):
        if kind == "CBORMAP_BYTES":
            low = high = str(room)
        elif kind in ("CBORMAP_TEXT", "CBORMAP_LIST"):
            high = str(room - (kind == "CBORMAP_TEXT"))
    word = "[%s]" % item_name(values["of"]) if kind == "CBORMAP_LIST" else KINDS[kind]
    return word, number(values.get("min", low)), number(values.get("max", high))


for path, source in c_files.items():
    if path.suffix != ".c" or "struct cbormap_field" not in source:
        continue
    source = preprocessed(path)
    for m in re.finditer(r"struct cbormap_field (\w+_fields(?:_in)?)\[[^]]*\] = (?=\{)", source):
        name, fields = m[1], {}
        for entry in re.findall(r"\{([^{}]+)\}", braced(source, m.end())):
            if key := re.search(r'\.key = "(\w+)"', entry):
                kind, low, high = c_field(source, entry)
                fields[key[1]] = (kind, ".need = true" in " ".join(entry.split()).replace("= 1", "= true"), low, high)
        if name not in TABLES:
            problems.append(f"{path}: {name}: has no schema in PROTOCOL.md")
        else:
            tables[TABLES[name]] = fields
    for m in re.finditer(r"struct cbormap_field (\w+_field) = (?=\{)", source):
        name, field = item_name(m[1]), c_field(source, braced(source, m.end()))
        if items.setdefault(name, field) != field:
            problems.append(f"{path}: {m[1]}: differs from the one in another file")

# --- schemas ------------------------------------------------------------------

cddl = "\n".join(re.findall(r"```cddl\n(.*?)```", text, re.S))
schemas = {}
named = {}


def cddl_type(kind):
    low, high = 0, 0
    if size := re.fullmatch(r"(\w+) \.size \(?(\d+)(?:\.\.(\d+))?\)?", kind):
        kind, low, high = size[1], int(size[2]), int(size[3] or size[2])
    elif size := re.fullmatch(r"(\d+)\.\.(\d+)", kind):
        kind, low, high = "uint", int(size[1]), int(size[2])
    elif size := re.fullmatch(r"\[(\d+)\*(\d+) ([\w-]+)\]", kind):
        kind, low, high = f"[{size[3]}]", int(size[1]), int(size[2])
    elif kind == "uint":
        high = 2 ** 64 - 1
    elif kind in named:
        kind, low, high = named[kind]
    return kind, low, high


for name, kind in re.findall(r"^([\w-]+) = ((?:text|bytes) \.size [^;\n]+)", cddl, re.M):
    named[name] = cddl_type(kind.strip())
for name, body in re.findall(r"^([\w-]+) = \{\n(.*?)\n\}", cddl, re.M | re.S):
    fields = {}
    for line in body.splitlines():
        line = line.split(";")[0].strip().rstrip(",")
        if line in ("* extension", ""):
            continue
        m = re.fullmatch(r"(\? )?([\w-]+): (.+)", line)
        kind, low, high = cddl_type(m.group(3))
        fields[m.group(2)] = (kind, m.group(1) is None, low, high)
    schemas[name] = fields

for name in sorted(set(tables) | set(schemas)):
    p, c = schemas.get(name, {}), tables.get(name, {})
    for key in sorted(set(p) | set(c)):
        expect(f"{name}.{key}", p.get(key), c.get(key))

# --- methods, limits, codes -----------------------------------------------------

# All of the managers' methods are in one table, with their roles.
ROLES = {"BOTH": "agent, store", "AGENT": "agent", "OPERATOR": "operator"}
c_methods = {}
for number_text, name, roles, longest, blob, ms in re.findall(
        r'^\t\{((?:RPC|MANAGER)_METHOD_\w+), "([\w-]+)", (\w+), ([^,]+), ([^,]+),\s+([^,]+),',
        c_files[root / "cmd/manager/service.c"], re.M):
    c_methods[name] = (number(number_text), ROLES[roles], number(longest), number(blob),
                       number(ms) // 1000)

# So are the stores'.
ROLE = {"A": "agent", "O": "operator", "M": "manager", "S": "store"}
longest_of = dict(re.findall(r"^#define (HAVE_PARAMS|DEADLINE_MS)\s+([^\n/]+)", store_methods, re.M))
for number_text, name, roles, longest, blob, ms in re.findall(
        r'^\t\{(STORE_METHOD_\w+), "([\w-]+)", ([AOMS |]+), (\w+), (\w+),\s+(\w+),',
        store_methods, re.M):
    c_methods[name] = (number(number_text), ", ".join(ROLE[r] for r in roles.split(" | ")),
                       number(longest_of.get(longest, longest)), number(blob),
                       number(longest_of.get(ms, ms)) // 1000)

methods = re.findall(
    r"^; method (\d+), ([\w-]+): ([a-z, ]+); at most (\d+) bytes(?:; blob of at most (\d+) bytes)?; (\d+) s",
    cddl, re.M)
for n, name, roles, longest, blob, seconds in methods:
    if name in c_methods:
        expect(name, (int(n), roles, int(longest), int(blob or 0), int(seconds)), c_methods[name])
    if name not in METHODS:
        continue
    expect(f"number of {name}", int(n), number(f"RPC_METHOD_{name.upper()}"))
    expect(f"longest parameters of {name}", int(longest), number(METHODS[name][0]))
    expect(f"deadline of {name}, s", int(seconds), number(METHODS[name][1]) // 1000)
expect("methods", sorted(m[1] for m in methods), sorted({*METHODS, *c_methods}))
for name, item in items.items():
    expect(f"{name}", named.get(name, (name, 0, 0)), item)

rows = dict(re.findall(r"^\| ([^|]+) \| ([^|]+) \|$", text[text.index("## 11."):], re.M))
for row, names in LIMITS.items():
    expect(f"limit of {row}", [int(n) for n in re.findall(r"\d+", rows.get(row, ""))],
           [number(n) for n in names])

# The same limits where other sections mention them, and limits that are not defines.
for what, pattern, name in [
        ("requests open, section 6", r"most \*\*(\d+)\*\* requests", "RPC_CALLS_MAX"),
        ("request blobs, section 6", r"most \*\*(\d+)\*\* of these", "RPC_BLOBS_MAX"),
        ("credit, section 7", r"gave, \*\*(\d+)\*\* bytes", "RPC_WINDOW"),
        ("most credit, section 7", r"never above \*\*(\d+)\*\*", "RPC_WINDOW_MAX"),
        ("HELLO, section 4", r"1 to (\d+) bytes, CBOR", "RPC_HELLO_MAX"),
        ("message, section 8", r"message: text .size \(0..(\d+)\)", "RPC_TEXT_MAX")]:
    expect(what, re.findall(pattern, text), [str(number(name))])
expect("payloads, section 4", set(re.findall(r"\b0 to (\d+) bytes", text)),
       {str(number("RPC_PAYLOAD_MAX"))})

listen = c_files[root / "rpc/listen.c"]
c = re.search(r"limits_default = \{([^}]*)\}", listen)[1].split(", ")
row = {k: re.findall(r"\b\d+(?=,|;| |$)", v) for k, v in rows.items() if "connections" in k}
expect("limits of connections", [n for k in row for n in row[k] if n != "64:"],
       [c[0], c[1], c[3], c[2]])

times = dict(re.findall(r"^\t\.(\w+) = (\d+) \* 1000,", c_files[root / "rpc/link.c"], re.M))
life = text[text.index("## 9."):text.index("## 10.")]
expect("deadlines, section 9", re.findall(r"(\d+) s\b", life),
       [times[k] for k in ("handshake", "frame", "cancel", "ping", "dead", "bye")])

wire_h = c_files[root / "rpc/wire.h"]
for what, first in (("kinds", "HELLO"), ("flags", "MORE")):
    part = text[text.index(f"| 1 | {first}"):].split("\n\n")[0]
    for n, name in re.findall(r"^\| (\d+) \| ([A-Z]+) \|", part, re.M):
        found = re.search(rf"\bRPC_{name}(?:_MORE)?(?: = | +)(\d+)", wire_h)
        expect(f"{what}: {name}", n, found and found[1])

codes = re.search(r"^Codes: `([^`]+)`", text, re.M)[1].split()
expect("codes", sorted(codes), sorted(
    name for name in re.findall(r'\[ERR_\w+\] = \{"([\w-]+)"', c_files[root / "lib/err.c"])
    if name != "ok" and name != "none"))

for problem in problems:
    print(problem)
print(f"{len(schemas)} schemas, {len(methods)} methods, {len(LIMITS)} limits, "
      f"{len(codes)} codes: {len(problems)} differ")
sys.exit(bool(problems))
