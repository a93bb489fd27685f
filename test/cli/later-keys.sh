#!/bin/bash
# Goal: a key that a later version may add to a TAIL is ignored, and is not damage, although an
# index that repeats it can't be compared.
set -eu
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"

PYTHONPATH="$SRC/test" python3 - >pack.fdump <<'PY'
import sys
from packmake import Pack
p = Pack()
p.entry(b"key", data=[b"content"], head={"later": [1, 2]}, tail={"later": {"a": b"b"}})
p.entry(b"change", data=[b"content"], tail={"S": 1, "c": ["size", "colour"]})
p.index()
p.entry(b"plain", data=[b"content"])
sys.stdout.buffer.write(p.finish())
PY
status=0
"$FDUMP" verify pack.fdump >out || status=$?
[ $status = 1 ] || { echo "exit $status"; cat out; exit 1; }
grep -q '3 entries' out
# The next index is compared again: it lists another size.
PYTHONPATH="$SRC/test" python3 - >pack.fdump <<'PY'
import sys
from packmake import Pack
p = Pack()
p.entry(b"key", data=[b"content"], tail={"later": 1})
p.index()
p.entry(b"plain", data=[b"content"])
p.flush()
p.index(p.index_payload().replace(b"plain", b"plane"))
sys.stdout.buffer.write(p.finish())
PY
"$FDUMP" verify pack.fdump >out && exit 1
grep -q 'index does not match' out
