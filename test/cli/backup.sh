#!/bin/bash
# Goal: a tree that is backed up and restored is the same in everything that is kept; the second run
# reads nothing that was not touched; equal content is stored once; without the key there is no
# content.
. "$(dirname "$0")/lib.sh"
workspace
fdump() { "$FDUMP" "$@"; }
# Prints the names of the members in a JSON line.
field() { sed -n "s/.*\"$1\": *\\([0-9]*\\).*/\\1/p"; }

python3 "$SRC/test/tree.py" --small tree >/dev/null
head -c 9000000 /dev/urandom >tree/large
touch -d '10 seconds ago' tree/large
fdump key new --no-passphrase key >/dev/null
fdump store init one
fdump store init two
back() { aged "$FDUMP" backup -s ./one -s ./two --to key.pub --state state --json -C tree . "$@"; }

back >first || fail "first: status $?"
back >second || fail "second: status $?"
[ "$(field read <second)" = 0 ] || fail "the second run read $(cat second)"
[ "$(field unchanged <second)" = "$(field entries <second)" ] || fail "not all carried over"
[ "$(field stored <second)" = 0 ] || fail "an unchanged tree was stored again"
[ "$(field copies <second)" = 2 ] || fail "not in both"

# Only what was touched is read again.
echo more >>tree/large
back >third
[ "$(field read <third)" = 9000005 ] || fail "read $(field read <third)"
[ "$(field stored <third)" -lt 5000000 ] || fail "stored $(field stored <third)"
[ "$(fdump dumps -s ./one | wc -l)" = 3 ] || fail "three dumps"

# Each of the stores has everything.
for s in one two; do
	mkdir out-$s
	fdump restore --state state -s ./$s --key key latest -C out-$s || fail "restore: status $?"
	if [ "$(id -u)" = 0 ]; then user=; else user=--user; fi
	python3 "$SRC/test/compare.py" tree out-$s $user || fail "differs"
done
fdump diff -s ./one --key key latest --live || fail "diff disagrees"
fdump cat -s ./one --key key latest large | cmp - tree/large
fdump export -s ./one --key key latest >p.fdump
fdump verify p.fdump >/dev/null || fail "no good pack"
fdump list -f p.fdump | sort >listed
fdump files -s ./one --key key latest | sort | cmp - listed || fail "other names"
[ "$(fdump find -s ./one --key key large | wc -l)" = 3 ] || fail "find"
fdump verify --key key one >/dev/null || fail "verify: status $?"

# The agent's own files open nothing.
status=0
fdump restore --state state -s ./one latest -C out-one 2>/dev/null || status=$?
[ $status = 6 ] || fail "without a key: status $status"
fdump key new --no-passphrase other >/dev/null
status=0
fdump restore --state state -s ./one --key other latest -C out-one 2>/dev/null || status=$?
[ $status = 6 ] || fail "with another key: status $status"

# Losing the state costs reading everything again; the store gets nothing new but the names.
rm -rf state
back >fourth
[ "$(field unchanged <fourth)" = 0 ] || fail "carried over from nothing"
mkdir again
fdump restore --state state -s ./two --key key latest -C again
cmp again/large tree/large

# Neither a key nor --unencrypted: the backup is refused.
status=0
fdump backup -s ./one --state state tree 2>/dev/null || status=$?
[ $status = 2 ] || fail "unsealed by mistake: status $status"
fdump backup -s ./one --unencrypted --state state tree >/dev/null
mkdir open
fdump restore --state state -s ./one latest -C open
cmp open/tree/large tree/large

# With one store gone the other gets the dump, and the missing copy is reported.
mv two gone
status=0
back >fifth 2>/dev/null || status=$?
[ $status = 4 ] || fail "a copy less: status $status"
status=0
back --copies 1 >/dev/null 2>&1 || status=$?
[ $status = 0 ] || fail "enough copies: status $status"

# A command's output is a member of the dump; a failed command is marked; the rest is carried over.
aged "$FDUMP" backup -s ./one --unencrypted --state state --name db --command 'z.sql=seq 200000' -C tree . >/dev/null
fdump cat -s ./one db@latest z.sql >z.sql
seq 200000 | cmp - z.sql
status=0
aged "$FDUMP" backup -s ./one --unencrypted --state state --name db --command 'a.sql=false' --json -C tree . >sixth || status=$?
[ $status = 1 ] || fail "a failed command: status $status"
# The command, and the file that was just touched
[ "$(field unchanged <sixth | tail -1)" -ge $(($(field entries <sixth | tail -1) - 2)) ] || fail "read again beside a command: $(cat sixth)"
