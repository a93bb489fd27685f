# Goal: find and forget print JSON, one object a line with type and id; every command that fails
# with --json ends with an object for the error, which has the exit status, and prints the error on
# standard error too.
. "$(dirname "$0")/lib.sh"
needs python3
workspace
fail() { echo "$*"; cat out err; exit 1; }
status_of() { status=0; "$FDUMP" "$@" >out 2>err || status=$?; }
# Parses the lines of `out`, all of them JSON, into `l`; the exit status is in `status`.
check() { python3 -c "
import json, sys
status = int(sys.argv[1])
l = [json.loads(line) for line in open('out')]
assert all(o['type'] and o['id'] for o in l), l
$1" "$status" || fail "not so: $1"; }
# There is nothing but the error, which is the last line.
failed() { # STATUS ID
	[ "$status" = "$1" ] || fail "status $status, not $1"
	check "assert (l[-1]['type'], l[-1]['id'], l[-1]['exit']) == ('error', '$2', status), l
assert sum(o['type'] == 'error' for o in l) == 1, l
assert l[-1]['what'] in open('err').read(), l"
}

mkdir tree
echo one >tree/one
echo two >"$(printf 'tree/\377')"
"$FDUMP" store init s >/dev/null
"$FDUMP" key new --no-passphrase key >/dev/null
back() { "$FDUMP" backup -s ./s --state state -C tree "$@" . >/dev/null; }
back --unencrypted
back --unencrypted
back --unencrypted --name locked
back --unencrypted --name locked --lock 1d
back --unencrypted --name locked

# find
status_of find -s ./s --json one
[ $status = 0 ] || fail "find: status $status"
check "assert len(l) == 5 and len({o['dump'] for o in l}) == 5, l
assert all(len(o['dump']) == 32 and o['path'] == 'one' and o['size'] == 4 for o in l), l"
status_of find -s ./s --json 'nowhere*'
[ $status = 1 ] && [ ! -s out ] || fail "find of nothing: status $status"
back --to key.pub --name sealed
status_of find -s ./s --json one
check "assert [o['id'] for o in l] == 5 * ['list.entry'] + ['find.dump'] and l[-1]['type'] == 'problem' and l[-1]['dump'], l"

# forget
status_of forget -s ./s --keep-last 1 -n --json
[ $status = 1 ] || fail "forget -n: status $status"
check "assert [o['id'] for o in l] == 6 * ['forget.dump'] + ['forget.result'], l
assert sorted(o['verdict'] for o in l[:-1]) == ['forget', 'forget', 'keep', 'keep', 'keep', 'locked'], l
assert all(o['store'] == './s' and o['agent'] and ('reason' in o) == (o['verdict'] == 'keep') for o in l[:-1]), l
assert (l[-1]['dry_run'], l[-1]['forgotten'], l[-1]['locked'], l[-1]['unreadable']) == (True, 2, 1, 0), l"
status_of forget -s ./s --keep-last 1 --json
failed 2 error.usage
status_of forget -s ./s --keep-last 1 --yes --json
[ $status = 1 ] || fail "forget: status $status"
check "assert len(l) == 4 and not l[-1]['dry_run'] and l[-1]['forgotten'] == 2, l"
[ "$("$FDUMP" dumps -s ./s | wc -l)" = 4 ] || fail "forget deleted others"

# what would be restored
status_of restore -s ./s -n --json backup@latest one
[ $status = 0 ] || fail "restore -n: status $status"
check "o, = l
assert (o['type'], o['id'], o['path'], o['size']) == ('entry', 'list.entry', 'one', 4), l"
status_of restore -s ./s -n --json backup@latest
check "assert len(l) == 3 and sum('path_base64' in o for o in l) == 1, l"
status_of restore -s ./s -n --json backup@latest nowhere
failed 2 error.not-found
# store
cp -a s other
"$FDUMP" store init copy
for command in "stat s" "gc s" "scrub s" "rebuild s" "replicate --from ./s copy"; do
	# shellcheck disable=SC2086 # words
	status_of store $command --json
	[ $status = 0 ] && [ ! -s err ] || fail "store $command: status $status"
	check "assert len(l) == 1 and l[0]['type'] == 'result' and l[0]['id'] == 'store.${command%% *}', l"
done
check "assert l[0]['dumps'] > 0 and l[0]['chunks'] > 0 and l[0]['bytes'] > 0 and l[0]['failed'] == 0, l"
for command in "rebuild other" "replicate --from ./other copy"; do
	dd if=/dev/zero of=other/volumes/00000001.vol bs=1 seek=200 count=200 conv=notrunc 2>/dev/null
	rm -rf copy
	"$FDUMP" store init copy
	# shellcheck disable=SC2086 # words
	status_of store $command --json
	failed 5 error.damage
	check "assert [o['type'] for o in l[-2:]] == ['result', 'error'], l
assert any(o['id'] == 'store.problem' and o.get('dump') for o in l), l"
done

# errors
for command in "find -s ./nowhere x" "forget -s ./nowhere --keep-last 1 --yes" "dumps -s ./nowhere" "files -s ./nowhere latest" \
	"restore -s ./nowhere latest -C ." "verify nowhere" "unpack -f nowhere" "store stat nowhere" "diff -f nowhere" \
	"backup -s ./nowhere --unencrypted --state state tree" "pack -f nowhere/p tree"; do
	# shellcheck disable=SC2086 # words
	status_of $command --json
	check "assert l[-1]['type'] == 'error', l"
	failed $status "$(python3 -c "import json; print([json.loads(l)['id'] for l in open('out')][-1])")"
	[ $status -ge 2 ] || fail "$command: status $status"
done
status_of find --json --wrong
failed 2 error.usage
status_of find --wrong --json
failed 2 error.usage
status_of restore -s ./s --state state sealed@latest --json -C tree
failed 6 error.denied
"$FDUMP" pack -f p -C tree .
status_of unpack -f p --json -C tree nowhere
failed 2 error.not-found
status_of list -f p --json nowhere
failed 2 error.not-found
dd if=/dev/zero of=p bs=1 seek=200 count=9 conv=notrunc 2>/dev/null
status_of unpack -f p --json -C tree
failed 5 error.damage
check "r = l[-2]
assert r['id'] == 'unpack.result' and r['damaged'] == 1 and r['missing'] == 0 and r['exit'] == 5, l"
status_of verify --json p
failed 5 error.damage

# If the pack goes to standard output, its objects do not.
status_of pack --json -C tree -T nowhere
[ $status = 2 ] && [ ! -s out ] && grep -q '"id":"error.io"' err || fail "pack: status $status"

# Without --json, or if nothing fails, there is no such object.
status_of find -s ./nowhere x
[ $status = 2 ] && [ ! -s out ] || fail "without --json"
status_of export -s ./s --json latest
[ $status = 2 ] && [ ! -s out ] || fail "a command that has no --json"
status_of find -s ./s --key key -- --json
[ $status = 1 ] && [ ! -s out ] || fail "a pattern --json"
