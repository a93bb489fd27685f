#!/bin/bash
# Goal: while a run is in progress its manager knows how far it is: status shows it, in JSON too,
# and run --wait shows it on a terminal.
. "$(dirname "$0")/lib.sh"
needs script
workspace
fleet
manager=$pid
head -c 5000000 /dev/urandom >src/file
sed -i "s|paths = .*|&  after = \"hold\"|" m1/etc/manager.conf
kill -HUP "$manager"
await 5 grep -q reloaded m1.log || fail "$(cat m1.log)"
start m1 store
store=$pid
m1 token agent web1 2>/dev/null | at web1 join - >/dev/null
# The run lasts as long as its hook.
mkdir -p web1/etc/hooks
cat >web1/etc/hooks/hold <<END
#!/bin/sh
while [ ! -e $work/go ]; do sleep 0.1; done
END
chmod 755 web1/etc/hooks web1/etc/hooks/hold
start web1 agent
agent=$pid
running() { m1 status --all | grep -q "web1 *system *running .* for [0-9]*s: 4.[0-9] MiB, [1-9] entries"; }
await 20 running || fail "$(m1 status --all) $(cat web1.agent.log)"
touch go
ok() { [ "$(m1 runs --json | grep -c '"result":"ok"')" = "$1" ]; }
await 10 ok 1 || fail "$(m1 runs)"
m1 status --all | grep -q "web1 *system *ok " || fail "$(m1 status --all)"

# The next run is compared with this one.
rm go
script -qefc "$FDUMP run system --wait --config m1/etc --state m1/var" out >/dev/null &
waits=$!
json() { m1 status --json | grep -q '"state":"running".*"bytes":[1-9][0-9]*,"entries":[1-9],"rate":[0-9]*,"total":5000000}'; }
await 20 json || fail "$(m1 status --json)"
m1 status --all | grep -q "running .* of 4.8 MiB ([0-9]* %)" || fail "$(m1 status --all)"
shown() { grep -q "fdump run: .* of 4.8 MiB ([0-9]* %), [1-9] entries" out; }
await 20 shown || fail "$(cat out)"
touch go
wait $waits || fail "$(cat out)"
grep -q "web1: ok, 1 copy" out || fail "$(cat out)"
kill "$agent" "$store" "$manager"
wait
