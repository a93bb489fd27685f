#!/bin/bash
# Goal: a hard tree (test/tree.py) that an agent backs up as root to two remote stores comes back
# without a difference: through an operator; with every manager gone; on a new machine that has an
# operator's certificate and the key; and with nothing but the program, one store's directory and
# the key.
#
# TREE=DIR uses an existing tree, and COMPARE=PROGRAM compares: PROGRAM TREE COPY, status 0 if
# equal.
. "$(dirname "$0")/lib.sh"
needs root python3
workspace
compare=${COMPARE:-$SRC/test/compare.py}
if [ -n "${TREE:-}" ]; then
	tree=$(realpath "$TREE")
else
	tree=$work/tree
	mkdir tree
	if whole; then
		python3 "$SRC/test/tree.py" tree
	else
		python3 "$SRC/test/tree.py" tree --small
	fi
fi

fleet
manager=$pid
cat >m1/etc/manager.conf <<END
defaults { stores = {"m1", "s2"}  copies = 2 }
job "hard" { agents = {"a"}  paths = {"$tree"}  schedule = "0 0 1 1 *" }
END
kill -HUP "$manager"
start m1 store
first=$pid
m1 token store s2 2>/dev/null | at s2 join - --store "$work/s2/store" --listen "127.0.0.1:$((base + 3))" >/dev/null
start s2 store
second=$pid
m1 token operator alice --keys keys --passphrase-file passphrase >alice.token 2>alice.err &
token=$!
await 10 test -s alice.token || fail "$(cat alice.err)"
at alice join - --identity "$work/alice" <alice.token >alice.out || fail "$(cat alice.err)"
wait $token
both() { [ "$(m1 hosts | grep -c '^store.* connected')" = 2 ]; }
await 20 both || fail "$(m1 hosts)"

m1 token agent a 2>/dev/null | at a join - >/dev/null
start a agent
agent=$pid
ended() { m1 runs --agent a --json | grep -q '"result":"[a-z]'; }
await 250 ended || fail "$(cat a.agent.log)"
m1 runs --agent a --json | grep '"result":"ok"' | grep -q '"copies":2' ||
	fail "$(m1 runs --json; cat a.agent.log)"
kill $agent
wait $agent || :

# back NAME COMMAND...: COMMAND restores to the folder NAME, which must then equal the tree.
back() {
	local name=$1
	shift
	mkdir "$name"
	"$@" --key "$work/keys/backup.key" --passphrase-file "$work/passphrase" --any-origin \
		-C "$name" a/hard@latest >"$name.out" 2>&1 || fail "$name: status $?: $(tail "$name.out")"
	"$compare" "$tree" "$name$tree" >"$name.differences" ||
		fail "$name: $(wc -l <"$name.differences") differences: $(head "$name.differences")"
	chattr -R -f -i -a "$name" 2>/dev/null || :
	python3 "$SRC/test/tree.py" --remove "$name"
}
# A machine that has only the program and HOME.
bare() {
	env -i HOME="$1" PATH="$PATH" FDUMP_TEST_TIMES=1000,2000,3000 ${ASAN_OPTIONS:+ASAN_OPTIONS="$ASAN_OPTIONS"} \
		"$FDUMP" restore --config "$1/etc" --state "$1/var" "${@:2}"
}
mkdir home new alone
back both bare "$work/home" --identity "$work/alice" -s m1 -s s2

kill -9 "$manager"
wait "$manager" 2>/dev/null || :
back no-manager bare "$work/home" --identity "$work/alice" -s s2

mkdir -p new/.config
cp -R alice new/.config/fdump
back new-machine bare "$work/new" -s m1

kill "$first" "$second"
wait "$first" "$second" || :
cp -R s2/store alone/store
rm -rf s2/store store m1 a alice s2
back store-alone bare "$work/alone" -s "$work/alone/store"
