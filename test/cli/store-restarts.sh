#!/bin/bash
# Goal: if a store's service is killed and restarted during a backup or a restore, neither ends:
# both go on by themselves, and nothing is missing.
. "$(dirname "$0")/lib.sh"
needs python3
workspace
peers
mkdir tree
for i in $(seq 300); do head -c 200000 /dev/urandom >"tree/$(printf '%0200d' "$i")"; done
serve s1

# The program's output is part of the backup: it ends only after the service is back.
cat >again <<END
#!/bin/bash
kill -9 "\$(cat $work/pid)"
"$FDUMP" store --config $work/conf-s1 --state $work/state-s1 >>$work/s1.log 2>&1 </dev/null &
echo \$! >$work/pid
for ((i = 0; i < 200; i++)); do
	(exec 3<>/dev/tcp/127.0.0.1/$(sed -n 's/^s1 .*://p' config/stores)) 2>/dev/null && break
	sleep 0.05
done
echo again
END
chmod +x again
echo "${served[s1]}" >pid
status=0
"$FDUMP" backup --config config --state agent --unencrypted --agent a1 -s s1 --command "m=$work/again" -C tree . \
	>out 2>err || status=$?
[ $status = 0 ] && grep -q '1 of 1 copies' out || fail "backup: status $status: $(cat out err)"
wait "${served[s1]}" 2>/dev/null || true

# restore -v names each file; its reader reads a few lines, has the service restarted, and reads on.
mkdir restored
python3 - "$FDUMP" restore --config config --state agent --identity operator -s s1 a1/backup@latest -C restored -v <<'END' ||
import fcntl, os, subprocess, sys
r, w = os.pipe()
fcntl.fcntl(w, 1031, 4096)  # F_SETPIPE_SZ: the writer can't run far ahead
child = subprocess.Popen(sys.argv[1:], stdout=w, stderr=w)
os.close(w)
lines = os.fdopen(r, errors="replace")
for _ in range(20):
    lines.readline()
assert child.poll() is None
assert len(os.listdir("restored")) < 200, "it is over already"
subprocess.run(["./again"], check=True, stdout=subprocess.DEVNULL)
rest = lines.read()
status = child.wait()
if status != 0:
    sys.exit("status %d: %s" % (status, rest[-2000:]))
END
	fail "restore"
rm restored/m
diff -r tree restored
kill "$(cat pid)"
[ "$(grep -c 'hold' s1.log)" -ge 2 ] || fail "the dump was not held again: $(cat s1.log)"
