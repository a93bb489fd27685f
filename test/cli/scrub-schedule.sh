#!/bin/bash
# Goal: a scheduled scrub runs when it is due, reports its findings, goes on, and ends at SIGTERM
# within moments, even in the middle of a volume.
. "$(dirname "$0")/lib.sh"
workspace
fdump() { "$FDUMP" "$@"; }
# Starts a scrub in the background whose clock is the file `clock`.
scrub() {
	rm -f out err
	LD_PRELOAD=$BUILD/test/shim.so SHIM_CLOCK=clock "$FDUMP" store scrub store "$@" >out 2>err &
	pid=$!
}
at() { echo $((1800000000 + $1)) >clock.new && mv clock.new clock; } # 1800000000 is 08:00:00 UTC
# Waits for a line in a file.
told() { await 20 grep -q "$1" "$2" || fail "no '$1' in $2: $(cat "$2")"; }
# Ends the background process at once; sets status.
end() {
	local began=$SECONDS
	kill -"$1" $pid
	status=0
	wait $pid || status=$?
	[ $((SECONDS - began)) -le 5 ] || fail "took $((SECONDS - began)) s to end"
}
flip() {
	python3 - store/volumes/"$1".vol <<'END2'
import sys
with open(sys.argv[1], "r+b") as f:
    f.seek(1000000)
    b = f.read(1)[0]
    f.seek(1000000)
    f.write(bytes([b ^ 1]))
END2
}

mkdir tree
head -c 3000000 /dev/urandom >tree/a
fdump store init store
fdump backup --unencrypted --state state -C tree . -s ./store >/dev/null

for wrong in "--schedule nonsense" "--schedule @reboot" "--for 0" "--for long" \
	"--schedule @daily --tz Nowhere/Land"; do
	# shellcheck disable=SC2086 # words
	fdump store scrub store $wrong >out 2>err && fail "$wrong is accepted"
	grep -q . err || fail "$wrong: says nothing"
done

# Between two scheduled times.
at 0
scrub --schedule "0 9 * * *" --tz UTC
sleep 0.5
at 3590
sleep 1.5
[ ! -s err ] || fail "it says: $(cat err)"
end TERM
[ $status = 0 ] || fail "waiting, ended: status $status: $(cat err)"
[ ! -s out ] || fail "it was not due: $(cat out)"

# Every minute, for a store that first is missing, then exists, then is damaged.
mv store away
at 30
scrub --schedule "* * * * *" --json
sleep 0.5 # it reads the clock when it starts
at 61
told "not an FDump store" err
mv away store
at 125
told '"type": *"result"' out
grep '"id": *"store.scrub"' out | grep -q '"missing": *0' || fail "result: $(cat out)"
flip 00000001
at 185
told '"missing": *1' out
end INT
[ $status = 5 ] || fail "it found damage: status $status"
[ "$(grep -c '"result"' out)" = 2 ] || fail "results: $(cat out)"

# In the middle of a volume: here the wait is a pause of the rate limit.
rm -rf store state
fdump store init store
fdump backup --unencrypted --state state -C tree . -s ./store >/dev/null
"$FDUMP" store scrub store --rate 10K >out 2>err &
pid=$!
sleep 1
end TERM
[ $status = 2 ] || fail "stopped: status $status: $(cat out err)"
grep -q ", 1 volumes left: ok" out || fail "stopped: $(cat out)"

fdump store scrub store --for 1h >out || fail "for an hour: status $?"
grep -q "1 dumps: ok" out || fail "for an hour: $(cat out)"
