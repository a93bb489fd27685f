# Goal: the output of `fdump list` agrees with tar and sha256sum; names are escaped, one entry is
# one line; a file and a stream give the same.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
export TZ=America/St_Johns

mkdir -p t/sub
head -c 70000 /dev/zero >t/a
printf x >"t/b c"
printf y >"$(printf 't/n\nl')"
printf z >'t/back\slash'
printf w >"$(printf 't/cr\r')"
printf v >"$(printf 't/\377')"
ln -s "b c" t/link
mkfifo t/fifo
chmod 6751 t/a
chmod 1777 t/sub
touch -d 2001-02-03T04:05:06Z t/a
touch -d 1969-07-20T20:17:40Z t/link -h
ln t/a t/sub/hard
"$FDUMP" pack -f p -C t .
"$FDUMP" list -f p >names
"$FDUMP" list <p | cmp - names
cat p | "$FDUMP" list | cmp - names
[ "$(wc -l <names)" = 11 ]
# A pack that is named without -f.
for command in list unpack; do
	! "$FDUMP" $command p </dev/null 2>err && grep -q "'-f p' reads that file" err
done
grep -qx 'n\\nl' names
grep -qx 'back\\\\slash' names
grep -qx '\\377' names
for form in -v --json --sums --null; do
	"$FDUMP" list $form -f p >by-index
	cat p | "$FDUMP" list $form >in-sequence
	cmp by-index in-sequence
done
# As tar -tv shows them: mode, owners, size, local time to the minute. (Its column of sizes becomes
# wider as it goes.)
tar -C t --no-recursion -cf tar ./a ./link ./fifo ./sub ./sub/hard
tar -tvf tar | sed 's|\./||; s|link to ./|link to |; s|/$||' | tr -s ' ' >want
"$FDUMP" list -v -f p a link fifo sub | tr -s ' ' >have
grep -v "^h" want | LC_ALL=C sort >want1
grep -v "^h" have | LC_ALL=C sort >have1
diff want1 have1
grep -q "^h.* sub/hard link to a$" have
# sha256sum accepts the sums.
"$FDUMP" list --sums -f p >sums
[ "$(wc -l <sums)" = 6 ]
(cd t && sha256sum -c --quiet ../sums)
"$FDUMP" list --null -f p | python3 -c '
import sys
names = sys.stdin.buffer.read().split(b"\0")
assert b"n\nl" in names and b"\xff" in names and names[-1] == b"" and len(names) == 12'
python3 - <<'END'
import json, os, subprocess
out = subprocess.check_output([os.environ["FDUMP"], "list", "--json", "-f", "p"])
e = {l["path"]: l for l in map(json.loads, out.splitlines())}
assert e["n\nl"]["size"] == 1 and e["\\377"]["path_base64"] == "/w=="
assert e["a"]["mode"] == "6751" and e["a"]["mtime"] == "2001-02-03T04:05:06+00:00"
assert e["link"]["target"] == "b c" and e["link"]["epoch"] == -14182940
assert e["sub/hard"]["link"] == "a" and e["a"]["kind"] == "regular"
assert all(l["type"] == "entry" and l["id"] == "list.entry" for l in e.values())
END
