#!/bin/bash
# Goal: other troubles of a fleet are reported to the alarm's hook as late jobs are, shown by
# status, and reported again when they are over: a dump that is far too small, a damaged store, a
# full store, a wrong clock.
. "$(dirname "$0")/lib.sh"
workspace
fleet
manager=$pid
end() { # PROCESS
	kill "$1"
	wait "$1" || fail "status: $?"
}
cat >hook <<END
#!/bin/sh
cat >>$work/told
END
chmod +x hook
for i in $(seq 39); do
	head -c 3000 /dev/urandom >"src/$i"
done
echo "alarm { hook = \"$work/hook\" }" >>m1/etc/manager.conf
# No slot comes while a clock is ahead.
sed -i 's|schedule = .*|schedule = "0 0 1 7 *"|' m1/etc/manager.conf
kill -HUP "$manager"
start m1 store
store=$pid
m1 token agent web1 2>/dev/null | at web1 join - >/dev/null
start web1 agent
agent=$pid
known() { m1 runs --json | grep -q '"result":"ok"'; }
await 20 known || fail "$(m1 runs) $(cat web1.agent.log)"
m1 status | grep -q "all is well" || fail "$(m1 status)"

# A path that does not exist is named.
sed -i.one "s|paths = .*|paths = {\"$work/src\", \"$work/gone\"}|" m1/etc/manager.conf
kill -HUP "$manager"
two_paths() { grep -q "$work/gone" web1/var/agent/plan; }
await 10 two_paths || fail "$(cat web1.agent.log)"
status=0
m1 run system --wait >out || status=$?
[ $status = 1 ] || fail "$status $(cat out)"
m1 status | grep -q "web1 *system *partial .* $work/gone[,:] " || fail "$(m1 status)"
mv m1/etc/manager.conf.one m1/etc/manager.conf
kill -HUP "$manager"
one_path() { ! two_paths; }
await 10 one_path || fail "$(cat web1.agent.log)"
m1 run system --wait >out || fail "run: $? $(cat out)"

# Nearly all files are gone. The job's line says why the run is partial.
find src -type f ! -name '[12]' -delete
status=0
m1 run system --wait >out || status=$?
[ $status = 1 ] || fail "$status $(cat out)"
m1 status >out
grep -q "web1 *system *partial .*3 entries, the last whole dump had 41: is everything mounted" out || fail "$(cat out)"
grep -q "dump too small *agent web1, system .* the last whole one had 41" out || fail "$(cat out)"
status=0
m1 status --check >out || status=$?
[ $status = 1 ] && grep -q "^FDUMP WARNING - .*critical=0" out || fail "$status $(cat out)"

# A store that is damaged and full.
end "$store"
vol=$(ls store/volumes/*.vol | head -n 1)
printf '\xff\xff\xff\xff' | dd of="$vol" bs=1 seek=$(($(stat -c %s "$vol") / 2)) conv=notrunc 2>/dev/null
status=0
"$FDUMP" store scrub store >/dev/null 2>&1 || status=$?
[ $status = 5 ] || fail "scrub: $status"
cp store/fdump-store about
sed -i 's/^reserve .*/reserve 9000000000000000/' store/fdump-store
start m1 store
store=$pid
# A machine whose clock is two hours ahead.
end "$agent"
echo $(($(date +%s) + 7200)) >clock
LD_PRELOAD=$BUILD/test/shim.so SHIM_CLOCK=$work/clock start web1 agent
agent=$pid
all() {
	m1 status >out
	grep -q "^  clock wrong *agent web1 .* its clock is 2h 0m ahead\|^  clock wrong *agent web1 .* its clock is 1h 59m ahead" out &&
		grep -q "^  damaged *store m1 " out && grep -q "^  full *store m1 .*it may use 0 B more" out
}
await 20 all || fail "$(cat out) $(cat m1.log)"
grep -q "^  m1 *connected .* [0-9.]* [KM]iB *0 B " out || fail "$(cat out)"
status=0
m1 status --check >out || status=$?
[ $status = 2 ] && grep -q "^FDUMP CRITICAL - .*; store m1: .*critical=2" out || fail "$status $(cat out)"
m1 status --json | grep -q '"id":"status.alarm","alarm":"store/m1/space","kind":"space","role":"store","name":"m1","job":"","state":"full",.*"critical":true' ||
	fail "$(m1 status --json)"

# Each trouble is reported once.
told() { # HOW OF: how often the hook was called with HOW for OF
	grep -c "\"id\":\"alarm.$1\",\"alarm\":\"$2\"" told
}
end "$manager"
start_manager m1
manager=$pid
all_told() {
	[ -f told ] && told raised store/m1/space >/dev/null && told raised store/m1/damage >/dev/null &&
		told raised agent/web1/clock >/dev/null && told raised agent/web1/small/system >/dev/null &&
		told raised agent/web1/job/system >/dev/null
}
await 10 all_told || fail "$(cat told m1.log)"

# What is over is reported too; the rest is not reported again.
end "$agent"
start web1 agent
agent=$pid
end "$store"
cp about store/fdump-store
start m1 store
store=$pid
over() {
	m1 status >out && ! grep -q "clock wrong\|^  full" out && grep -q "^  damaged" out
}
await 20 over || fail "$(cat out)"
end "$manager"
start_manager m1
manager=$pid
over_told() {
	told over store/m1/space >/dev/null && told over agent/web1/clock >/dev/null
}
await 10 over_told || fail "$(cat told m1.log)"
[ "$(told raised store/m1/damage) $(told raised store/m1/space) $(told raised agent/web1/small/system)" = "1 1 1" ] ||
	fail "$(cat told)"
! told over store/m1/damage >/dev/null || fail "$(cat told)"
end "$agent"
end "$store"
end "$manager"
