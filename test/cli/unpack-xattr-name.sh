#!/bin/bash
# Goal: an attribute that can't be set is reported, however long and odd its name, and the file is
# restored.
set -u
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp" || exit 1

PYTHONPATH="$SRC/test" python3 - >pack.fdump <<'PY'
import sys
from packmake import Pack
p = Pack()
p.entry(b"file", data=[b"content"], head={"x": {b"\x01" * 255: b"v", b"\xff" * 255: b"w"}})
sys.stdout.buffer.write(p.finish())
PY
"$FDUMP" unpack -f pack.fdump -C "$tmp" 2>messages
status=$?
[ $status = 1 ] || { echo "exit $status"; cat messages; exit 1; }
grep -q 'file: .*\\001' messages || { cat messages; exit 1; }
[ "$(cat file)" = content ]
