#!/bin/bash
# Goal: with --json there is always a last object: also when a signal ends a backup, when no dump
# has the given time, and when a command prints nothing else.
. "$(dirname "$0")/lib.sh"
workspace
fail() { echo "$*"; cat out err; exit 1; }
last() { # ID WHAT
	python3 -c 'import json, sys
o = [json.loads(line) for line in open("out")][-1]
assert o["id"] == sys.argv[1] and eval(sys.argv[2]), o' "$1" "$2" || fail "$1"
}

"$FDUMP" store init a --json >out 2>err
last store.init 'o["reserve"] == 64 << 20'
"$FDUMP" store quota a web 1M --json >out 2>err
last store.quota 'o["quota"] == 1 << 20'
"$FDUMP" store quota a web none --json >out 2>err
last store.quota '"quota" not in o'
"$FDUMP" store trust-clock a --json >out 2>err
last store.trust-clock True
"$FDUMP" store quota a web 1M >out 2>err
[ ! -s out ] || fail "text that was not asked for"

for verb in next prev; do
	status=0
	"$FDUMP" cron $verb --json '0 0 30 2 *' >out 2>err || status=$?
	[ $status = 1 ] && [ "$(wc -l <err)" = 1 ] || fail "cron $verb: status $status"
	last cron.none '"never" in o["what"]'
done

for signal in TERM HUP; do
	rm -f begun
	printf '#!/bin/sh\n: >begun\nexec sleep 20\n' >slow
	chmod +x slow
	"$FDUMP" backup -s ./a --unencrypted --state state --json --command "slow=./slow" >out 2>err &
	pid=$!
	for _ in $(seq 100); do
		[ ! -e begun ] || break
		sleep 0.1
	done
	status=0
	kill -s $signal $pid
	wait $pid || status=$?
	[ $status = $((128 + $(kill -l $signal))) ] || fail "SIG$signal: status $status"
	last error.cancelled "o['exit'] == $status and 'signal' in o['what']"
done
