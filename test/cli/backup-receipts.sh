#!/bin/bash
# Goal: the result of backup --json contains each store's signed receipt, and another program can
# verify it with the store's public key; a store that lacks the dump has no receipt, and the status
# is 4.
. "$(dirname "$0")/lib.sh"
needs openssl python3
workspace
mkdir tree
echo one >tree/one
for store in a b; do "$FDUMP" store init $store; done
back() {
	status=0
	"$FDUMP" backup --unencrypted --agent web --state state -C tree . --json "$@" >out 2>err || status=$?
}
# check STATUS STORE...: there are receipts from exactly these stores.
check() {
	[ $status = "$1" ] || fail "status $status"
	shift
	python3 - "$@" <<'END'
import json, subprocess, sys
r = [json.loads(line) for line in open("out")][-1]
assert [s["store"] for s in r["receipts"]] == ["./" + name for name in sys.argv[1:]], r
assert len(bytes.fromhex(r["record"])) == 32
for s in r["receipts"]:
    about = dict(line.split(" ", 1) for line in open(s["store"] + "/fdump-store").read().splitlines())
    assert about["uid"] == s["uid"] and about["public"] == s["public"], s
    text = b"fdump receipt 1\0" + bytes.fromhex(s["uid"] + r["dump"] + r["record"])
    open("text", "wb").write(text + s["time"].to_bytes(8, "little") + b"web")
    open("key", "wb").write(bytes.fromhex("302a300506032b6570032100" + s["public"]))
    open("signature", "wb").write(bytes.fromhex(s["signature"]))
    subprocess.run("openssl pkeyutl -verify -pubin -inkey key -keyform DER -rawin -in text"
        " -sigfile signature".split(), check=True, stdout=subprocess.DEVNULL)
END
}

back -s ./a -s ./b
check 0 a b
back -s ./nowhere -s ./b
check 4 b
back -s ./nowhere -s ./b --copies 1
check 0 b
# A store that caught up has signed too.
rm -r b
"$FDUMP" store init b
back -s ./a -s ./b
check 0 a b
