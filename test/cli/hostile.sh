#!/bin/bash
# Goal: no pack, however it was made, changes anything outside the folder it is
# unpacked into, as root or as a user; what is sound in it is unpacked.
# (test/hostile_run.py --long has more.)
set -eu
[ "$(id -u)" = 0 ] || { echo "needs root"; exit 77; }
command -v setpriv >/dev/null || { echo "needs setpriv"; exit 77; }
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
chmod 755 "$tmp"
cp "$FDUMP" "$tmp/fdump" # the build folder may be closed to others
python3 "$SRC/test/hostile_run.py" "$tmp/fdump" &
first=$!
python3 "$SRC/test/hostile_run.py" "$tmp/fdump" --user
wait $first
