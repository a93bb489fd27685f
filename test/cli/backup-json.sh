#!/bin/bash
# Goal: the result of backup --json names the stores that were left behind, the hook that failed and
# each warning; a store that caught up is mentioned on standard error only with -v.
. "$(dirname "$0")/lib.sh"
workspace
fail() { echo "$*"; cat out err; exit 1; }
status_of() { status=0; aged "$FDUMP" "$@" >out 2>err || status=$?; }
# Runs a backup: its result is in `r`, its exit status in `status`.
check() { python3 -c "
import json, sys
status = int(sys.argv[1])
r = [json.loads(line) for line in open('out')][-1]
assert r['id'] == 'backup.result', r
$1" "$status" || fail "not so: $1"; }

umask 022
mkdir tree hooks
echo one >tree/one
touch -d '10 seconds ago' tree/one
printf '#!/bin/sh\nexit 3\n' >hooks/bad
chmod 755 hooks/bad
for store in a b c; do "$FDUMP" store init $store; done
back() { status_of backup --unencrypted --state state --hooks hooks "$@"; }
back -s ./a -C tree . --json
check "assert status == 0 and r['behind'] == r['hooks'] == r['warnings'] == [], r"

# b lacks chunks that are carried over, and gets them.
back -s ./a -s ./b -C tree . --json
[ ! -s err ] || fail "messages despite success"
check "assert status == 0 and r['copies'] == 2, r
b, = r['behind']
assert b['store'] == './b' and 'lacks' in b['what'] and b['caught_up'] is True, r"
back -s ./a -s ./c -C tree . -v
grep -q "store ./c is left behind: .*lacks" err && grep -q "c has caught up" err || fail "-v says nothing"

# A name that is not a store.
back -s ./a -s ./nowhere --copies 1 -C tree . --json
[ "$(grep -c nowhere err)" = 1 ] || fail "not reported once"
check "assert status == 0 and r['copies'] == 1, r
b, = r['behind']
assert b['store'] == './nowhere' and 'nowhere' in b['what'] and b['caught_up'] is False, r"

# A hook that fails.
back -s ./a -C tree . --json --after bad
grep -q "hook bad" err || fail "not reported"
check "assert status == 1, r
h, = r['hooks']
assert h['hook'] == 'bad' and 'status 3' in h['what'], r"
back -s ./a -C tree . --json --before bad
[ $status = 2 ] && grep -q '"what":".*hook bad: .*status 3"' out || fail "a hook before it: status $status"

# Warnings: other paths than in the last backup; a store inside the tree.
echo two >tree/one
"$FDUMP" store init tree/store
back -s ./a -s tree/store tree --json
[ $status = 0 ] && [ "$(wc -l <err)" = 2 ] || fail "warnings on standard error"
check "assert len(r['warnings']) == 2 and r['behind'] == [], r
assert any('--name' in w['what'] and 'tree' in w['what'] for w in r['warnings']), r
assert any('tree/store' in w['what'] for w in r['warnings']), r"
