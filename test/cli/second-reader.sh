#!/bin/bash
# Goal: the output of `fdump pack` is, byte for byte, what the format's text prescribes: the second
# reader verifies it, and its list equals the tree.
set -eu
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"

mkdir -p tree/sub/deep tree/many
cp -r "$SRC/lib" "$SRC/pack" tree/
for i in $(seq 300); do echo "file $i" >"tree/many/$i"; done
ln tree/lib/err.c tree/sub/hard
ln -s ../nowhere tree/sub/soft
mkfifo tree/sub/fifo
truncate -s 3M tree/sub/holes
printf data | dd of=tree/sub/holes bs=1 seek=1M conv=notrunc status=none
head -c 3000000 /dev/urandom >tree/sub/noise
touch -d '1960-01-01 00:00:00.5' tree/sub/old
name=$(printf 'tree/odd\n\033\377')
: >"$name"

check() {
	what=$1
	shift
	status=0
	"$FDUMP" pack -C tree -f pack.fdump "$@" . || status=$?
	[ $status = 0 ] || { echo "pack $what: exit $status"; exit 1; }
	python3 "$SRC/test/reader.py" verify pack.fdump || { echo "$what: the readers disagree"; exit 1; }
	python3 "$SRC/test/reader.py" list pack.fdump >list
	# Each regular file's checksum is that of sha256sum; each entry is there, once.
	find tree -printf '.\n' | wc -l >want
	wc -l <list >have
	cmp want have
	python3 - <<'PY'
import base64, hashlib, json, os
for line in open("list"):
    e = json.loads(line)
    path = e["path"]
    path = base64.b64decode(path["base64"]) if isinstance(path, dict) else path.encode()
    if e["type"] == "file":
        with open(b"tree/" + path, "rb") as f:
            assert hashlib.sha256(f.read()).hexdigest() == e["sha256"], path
    if e["type"] != "hardlink":
        s = os.lstat(b"tree/" + path)
        assert e["mtime"][0] * 10**9 + e["mtime"][1] == s.st_mtime_ns, path
        assert e["mode"] == s.st_mode & 0o7777, path
PY
}

check "as is"
check uncompressed --level 0
check "at level 9" --level 9
check reproducible --reproducible
check "with one thread" --threads 1

"$FDUMP" pack -C tree sub >one.fdump
"$FDUMP" pack -C tree many >two.fdump
cat one.fdump two.fdump | python3 "$SRC/test/reader.py" verify -
mkdir empty
"$FDUMP" pack -C empty . | python3 "$SRC/test/reader.py" verify -

printf '#!/bin/sh\necho output\nexit 3\n' >program
chmod +x program
status=0
"$FDUMP" pack -f command.fdump --command "member=$tmp/program" || status=$?
[ $status = 1 ] || { echo "a failed command: exit $status"; exit 1; }
python3 "$SRC/test/reader.py" verify command.fdump
python3 "$SRC/test/reader.py" list command.fdump | grep -q '"command-failed".*"exit": 3'

# Sealed: to two keys and a passphrase, each of which opens it; damage does not spread.
"$FDUMP" key new --no-passphrase one.key >/dev/null
"$FDUMP" key new --no-passphrase two.key >/dev/null
printf 'a passphrase\n' >passphrase
chmod 600 passphrase
for half in one two; do # the secret half: 32 bytes after the public one (lib/key.h)
	tail -n 1 $half.key | base64 -d | tail -c +33 | head -c 32 | od -An -v -tx1 | tr -d ' \n' >$half.hex
done
"$FDUMP" pack -C tree -f sealed.fdump --to one.key.pub --to two.key.pub --passphrase-file passphrase .
for key in "--secret-hex one.hex" "--secret-hex two.hex" "--passphrase-file passphrase"; do
	# shellcheck disable=SC2086
	python3 "$SRC/test/reader.py" verify sealed.fdump $key || { echo "sealed, $key: the readers disagree"; exit 1; }
done
status=0
python3 "$SRC/test/reader.py" verify sealed.fdump 2>/dev/null || status=$?
[ $status = 2 ] || { echo "without a key: exit $status"; exit 1; }
