# Goal: forget deletes the named dumps, including the last of a name, of which the question warns;
# locked dumps are kept; --name and --agent limit the rules to some dumps.
. "$(dirname "$0")/lib.sh"
needs python3
workspace
fail() { echo "$*"; cat out err; exit 1; }
status_of() { status=0; "$FDUMP" "$@" >out 2>err </dev/null || status=$?; }
back() { "$FDUMP" backup -s "./$1" --unencrypted --state state -C tree . --name "$2" ${3+--lock "$3"} >out; sed -n 's/^dump \([0-9a-f]*\):.*/\1/p' out; }
count() { "$FDUMP" dumps -s ./one | grep -c "/$1\( +\)\?$" || :; }
# Runs a command on a terminal and answers its question.
asked() { # ANSWER ARGUMENTS
	python3 - "$FDUMP" "$@" >out 2>err <<'END'
import os, pty, sys
pid, at = pty.fork()
if pid == 0:
    os.execv(sys.argv[1], [sys.argv[1]] + sys.argv[3:])
said = b""
while True:
    try:
        some = os.read(at, 4096)
    except OSError:
        break
    if not some:
        break
    said += some
    if said.endswith(b"[y/N] "):
        os.write(at, sys.argv[2].encode() + b"\n")
sys.stdout.buffer.write(said)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
END
}

mkdir tree
echo one >tree/a
"$FDUMP" store init one
"$FDUMP" store init two
for i in 1 2 3; do eval "day$i=\$(back one day)"; done
day2_short=$(echo "${day2:?}" | head -c 12)
old=$(back one old)
back one other >/dev/null
locked=$(back one locked 1d)
host=$("$FDUMP" dumps -s ./one --json | python3 -c 'import json, sys; print(json.loads(sys.stdin.readline())["agent"])')

# Dumps that are refused.
for wrong in "" "--keep-last 1 ${day1:?}" "--name day" "--name day ${day1:?}" "--agent $host ${day1:?}" "${day1:?}"; do
	# shellcheck disable=SC2086 # words
	status_of forget -s ./one $wrong
	[ $status = 2 ] || fail "forget $wrong: status $status"
done
status_of forget -s ./one --yes "$day1" day@1999-01-01
[ $status = 2 ] && grep -q 'no such dump' err || fail "one that is not there: status $status"
[ "$(count day)" = 3 ] || fail "something was deleted nevertheless"

# By id, by prefix and by name; with several stores, by where the dump is.
status_of forget -s ./one -n "${day1:0:12}"
[ $status = 0 ] && grep -q "^forget  ${day1:0:12} " out && [ "$(wc -l <out)" = 1 ] && [ "$(count day)" = 3 ] || fail "-n: status $status"
status_of forget -s ./two -s ./one --yes "${day1:0:12}"
[ $status = 0 ] && [ "$(count day)" = 2 ] || fail "by prefix: status $status"
[ "$(tail -n 1 out)" = "To free the space: fdump store gc ./one" ] || fail "does not mention the space"
status_of forget -s ./one --yes "$host/day@latest"
[ $status = 0 ] && [ "$(count day)" = 1 ] && "$FDUMP" dumps -s ./one | grep -q "$day2_short" || fail "the latest: status $status"

# If a store can't be read, it is not known which dump is the latest.
both=$(back one both)
sleep 1
back two both >/dev/null
mv two away
status_of forget -s ./one -s ./two --yes both@latest
[ $status = 2 ] && [ "$(count both)" = 1 ] && "$FDUMP" dumps -s ./one | grep -q "${both:0:12}" || fail "a store is not there: status $status"
mv away two

# The last dump of a name: the question says so.
asked n forget -s ./one "$old" || fail "asked: status $?"
grep -q 'last of its name' out && [ "$(count old)" = 1 ] || fail "not reported, or not kept"
status_of forget -s ./one -n --json old@latest
grep -q '"last": *true' out || fail "--json does not say so"
asked y forget -s ./one old@latest "$day2" || fail "asked: status $?"
[ "$(count old)" = 0 ] && [ "$(count day)" = 0 ] && [ "$(count other)" = 1 ] || fail "not deleted, or others"

# Locked dumps are kept.
status_of forget -s ./one --yes "$locked"
[ $status = 1 ] && grep -q '^locked' out && [ "$(count locked)" = 1 ] || fail "a locked one: status $status"

# Rules for some of the dumps.
for i in 1 2 3; do back one day >/dev/null; back one other >/dev/null; done
status_of forget -s ./one --keep-last 1 --name day --yes
[ $status = 0 ] && [ "$(count day)" = 1 ] && [ "$(count other)" = 4 ] || fail "--name: status $status"
status_of forget -s ./one --keep-last 1 --agent nobody --yes
[ $status = 2 ] && grep -q 'nobody' err || fail "--agent of none: status $status"
status_of forget -s ./one --keep-last 2 --agent "$host" --name other --yes
[ $status = 0 ] && [ "$(count other)" = 2 ] || fail "--agent --name: status $status"

# A dump whose record can't be read is deleted by its id, and gc goes on.
end=$(stat -c %s one/volumes/00000001.vol)
lost=$(back one lost)
truncate -s "$end" one/volumes/00000001.vol
status_of store gc one
[ $status = 5 ] || fail "gc: status $status"
status_of forget -s ./one -n "$lost"
[ $status = 0 ] && grep -q "^forget  ${lost:0:12}.*can't be read" out || fail "-n of one that can't be read: status $status"
status_of forget -s ./one --yes "$lost"
[ $status = 0 ] || fail "one that can't be read: status $status"
status_of store gc one
[ $status = 0 ] || fail "gc after it: status $status"
