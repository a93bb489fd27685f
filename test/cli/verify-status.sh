# Goal: `fdump verify` lists entries that were not read properly when they were packed, as notes:
# exit 1. --json has types and ids to filter by, and, for names that are not UTF-8, their bytes.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"

mkdir t
head -c 100000 /dev/urandom >"$(printf 't/a\377\nb')"
echo x >t/ok
printf "#!/bin/sh\necho half\nexit 3\n" >failing
chmod +x failing
rc=0
"$FDUMP" pack -f p -C t --command dump=./failing . 2>/dev/null || rc=$?
[ $rc = 1 ]
rc=0
"$FDUMP" verify p >out || rc=$?
[ $rc = 1 ]
grep -qx "p: dump: command-failed (exit status 3)" out
grep -q "^p: 1 pack, 4 entries, .*: ok, but 1 " out

"$FDUMP" verify --json p >json || [ $? = 1 ]
python3 - p <<'END'
import base64, json, subprocess, sys, os
lines = [json.loads(l) for l in open("json")]
assert [(l["type"], l["id"]) for l in lines] == [("note", "verify.status"), ("result", "verify.result")]
assert lines[0]["path"] == "dump" and lines[0]["status"] == "command-failed", lines
assert "path_base64" not in lines[0]
assert lines[1]["status"] == "ok" and lines[1]["entries"] == 4 and lines[1]["content"] == 100007 and lines[1]["not_ok"] == 1

p = bytearray(open("p", "rb").read())
at = p.index(b"a\xff\nb") + 5000
p[at] ^= 1
open("d", "wb").write(p)
out = subprocess.run([os.environ["FDUMP"], "verify", "--json", "d"], stdout=subprocess.PIPE)
assert out.returncode == 5
lines = [json.loads(l) for l in out.stdout.splitlines()]
found = [l for l in lines if l["type"] == "problem"]
assert found[0]["id"] == "verify.block" and "path" not in found[0], lines
lost = [l for l in lines if l["id"] == "verify.entry" and "path_base64" in l]
assert [base64.b64decode(l["path_base64"]) for l in lost] == [b"a\xff\nb"], lines
assert lost[0]["path"] == "a\\377\\nb" and lost[0]["offset"] > 0
assert lines[-1]["id"] == "error.damage" and lines[-1]["exit"] == 5
assert lines[-2]["id"] == "verify.result" and lines[-2]["status"] == "damaged"
assert lines[-2]["problems"] == sum(l["type"] == "problem" for l in lines)
END
