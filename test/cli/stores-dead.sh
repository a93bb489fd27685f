#!/bin/bash
# Goal: stores are opened at the same time: services that do not answer cost one short grace period,
# however many they are, and are reported while the command waits for them; one that comes up during
# a backup catches up at its end.
. "$(dirname "$0")/lib.sh"
needs python3
workspace
peers
mkdir tree
for i in $(seq 20); do head -c 20000 /dev/urandom >tree/$i; done
serve s1
# Three services that accept connections but never answer, and an address where nobody listens.
python3 - <<'END' >ports &
import socket, time
silent = [socket.create_server(("127.0.0.1", 0)) for _ in range(3)]
print(*[s.getsockname()[1] for s in silent], flush=True)
time.sleep(600)
END
await 10 test -s ports || fail "no ports"
i=0
for port in $(cat ports); do
	i=$((i + 1))
	echo "silent$i 127.0.0.1:$port" >>config/stores
done
echo "closed 127.0.0.1:1" >>config/stores
dead=(-s silent1 -s silent2 -s silent3 -s closed)

# timed SECONDS COMMAND...: sets $status, and fails if it took longer than that.
timed() {
	local began=$SECONDS limit=$1
	shift
	status=0
	"$FDUMP" "$@" >out 2>err || status=$?
	[ $((SECONDS - began)) -le "$limit" ] || fail "$1 took $((SECONDS - began)) s: $(cat err)"
}
back=(backup --config config --state agent --unencrypted --agent a1 -C tree .)

# Enough stores are there: it costs a grace period, and as much again for the last try at the end.
timed 25 "${back[@]}" --copies 1 -s silent1 -s silent2 -s s1 -s silent3 -s closed --json
[ $status = 0 ] && grep -q '"copies":1' out || fail "backup: status $status: $(cat out err)"
grep -q 'waiting for store silent2: 127.0.0.1 port .*: no answer' err || fail "does not say whom it waits for: $(cat err)"
grep -q 'waiting for store closed: connect to 127.0.0.1 .*: Connection refused' err || fail "does not say why: $(cat err)"
grep -q 'store silent3 is left behind: not reached in [0-9]* s' err || fail "does not say who is left behind: $(cat err)"
mkdir restored
timed 15 restore --config config --state agent --identity operator "${dead[@]}" -s s1 a1/backup@latest -C restored
[ $status = 0 ] || fail "restore: status $status: $(cat out err)"
diff -r tree restored
timed 15 dumps --config config --identity operator "${dead[@]}" -s s1
[ $status = 2 ] && [ "$(grep -c a1 out)" = 1 ] || fail "dumps: status $status: $(cat out err)"

# Fewer than wanted: not much longer. A store whose service starts during the backup has the dump at
# the end.
cat >begin <<END
#!/bin/bash
"$FDUMP" store --config conf-s2 --state state-s2 >>s2.log 2>&1 </dev/null &
echo \$! >s2.pid
for ((i = 0; i < 200; i++)); do
	(exec 3<>/dev/tcp/127.0.0.1/$(sed -n 's/^s2 .*://p' config/stores)) 2>/dev/null && exit 0
	sleep 0.05
done
exit 1
END
chmod +x begin
echo more >tree/more
timed 35 "${back[@]}" -s s1 -s s2 -s silent1 --command "x=$work/begin" --json
kill "$(cat s2.pid)"
[ $status = 4 ] && grep -q '"copies":2' out || fail "backup with a late one: status $status: $(cat out err)"
grep -q 'store s2 is left behind' err && grep -q 'store s2 has caught up' err || fail "not reported: $(cat err)"

# If no available store has the data, the command waits for a late one, which may have it.
rm tree/more
serve s2
timed 15 "${back[@]}" -s s2
[ $status = 0 ] || fail "backup to s2: status $status: $(cat out err)"
id=$(sed -n 's/^dump \([0-9a-f]*\):.*/\1/p' out)
kill "${served[s2]}"
wait "${served[s2]}" || :
rm -rf restored
mkdir restored
"$FDUMP" restore --config config --state agent --identity operator -s s1 -s s2 "$id" -C restored >out 2>err &
restores=$!
await 15 grep -q "s2: not reached in" err || fail "not late: $(cat out err)"
serve s2
wait $restores || fail "restore from a late store: status $?: $(cat out err)"
diff -r tree restored
