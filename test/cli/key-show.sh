# Goal: `fdump key show` says what a file is, without its passphrase; a file that is not a key is
# refused by name.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
umask 077
echo secret >pass

"$FDUMP" key new --json --passphrase-file pass --shared k >made
"$FDUMP" key show --json k >json
cmp made json
python3 - <<'END'
import json
made = json.load(open("json"))
assert list(made) == ["type", "id", "half", "shared", "protected"], made
assert made["type"] == "key" and len(bytes.fromhex(made["id"])) == 16
assert made["half"] == "secret" and made["shared"] and made["protected"]
END
"$FDUMP" key show --json k.pub | grep -q '"half":"public","shared":true,"protected":false'
"$FDUMP" key show k | grep -q 'shared *yes'

# refused STATUS TEXT FILE
refused() {
	rc=0
	"$FDUMP" key show "$3" >out 2>err || rc=$?
	[ $rc = "$1" ] && [ ! -s out ]
	grep -q "$3: .*$2" err
}
refused 2 "not found" none
refused 3 "not a key file" pass
sed 's/ 1 / 2 /' k >later
refused 3 "version" later
sed '2s/./\x00/9' k >damaged
refused 3 "damaged" damaged
head -c 50 k >cut
refused 3 "damaged" cut
refused 2 "" .
