#!/bin/bash
# Goal: a store service that ends in the middle of a backup, for good, is reported, and left behind after a
# while; the backup goes on with the other store.
. "$(dirname "$0")/lib.sh"
workspace
peers
# The patience: 60 s, and a twentieth of it without a connection.
export FDUMP_TEST_TIMES=1000,3000,60000,200
mkdir tree
for i in $(seq 40); do head -c 300000 /dev/urandom >tree/$i; done
serve s1
serve s2
# The first member of the dump: its program ends the store.
cat >end <<END
#!/bin/bash
kill -9 ${served[s2]}
echo ended
END
chmod +x end
began=$SECONDS status=0
timeout 60 "$FDUMP" backup --config config --state agent --unencrypted --agent a1 --threads 2 --command "a=$work/end" \
	-C tree . -s s1 -s s2 >out 2>err || status=$?
[ $status = 4 ] || fail "status $status: $(cat out err)"
[ $((SECONDS - began)) -le 40 ] || fail "it took $((SECONDS - began)) s: $(cat err)"
grep -q "waiting for store s2: .*refused" err || fail "it does not say whom it waits for: $(cat err)"
grep -q "store s2 is left behind: .*no progress for 3 s: .*refused" err || fail "it does not say why: $(cat err)"
grep -q "1 of 2 copies" out || fail "$(cat out)"
"$FDUMP" dumps --config config --identity operator -s s1 | grep -q a1/backup || fail "no dump"
