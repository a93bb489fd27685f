#!/bin/bash
# Goal: when a job gets into trouble, the alarm's hook is called once, even if the manager restarts,
# and once more when the trouble is over; the metrics contain the state of each job.
. "$(dirname "$0")/lib.sh"
workspace
fleet
m1 token agent web1 2>/dev/null | at web1 join - >/dev/null
stop() {
	kill $pid
	wait $pid || fail "the manager's status: $?"
}
stop
cat >hook <<END
#!/bin/sh
cat >>$work/told
END
chmod +x hook
cp m1/etc/manager.conf good
echo "alarm { hook = \"$work/hook\" metrics = \"$work/metrics\" }" >>good
sed 's|^defaults {|&\n  alarm_after = "1s"|' good >m1/etc/manager.conf
late() { [ $(($(date +%s) - $(stat -c %Y web1/var/agent/cert.pem))) -ge 3 ]; }
await 5 late
start_manager m1
await 5 test -s told || fail "nothing was reported: $(cat m1.log)"
grep -q '^{"type":"alarm","id":"alarm.raised","alarm":"agent/web1/job/system","kind":"job","role":"agent","name":"web1","job":"system","state":"late","reason":"no dump since .*"critical":true,"since":.*"manager":"m1"}$' told ||
	fail "$(cat told)"
grep -q "error: alarm: agent web1, job system: late: " m1.log || fail "$(cat m1.log)"
await 5 test -s metrics || fail "no metrics"
grep -q '^fdump_job_state{agent="web1",job="system",state="late"} 8$' metrics || fail "$(cat metrics)"
grep -q '^fdump_alarm{kind="job",role="agent",name="web1",job="system",state="late"} 2$' metrics || fail "$(cat metrics)"
m1 status | grep -q "1 late" || fail "$(m1 status)"
status=0
m1 status --check >out || status=$?
[ $status = 2 ] && grep -q "^FDUMP CRITICAL - .*system on web1: late: " out || fail "$status $(cat out)"

# The hook was called once; then the trouble ends.
stop
rm metrics
start_manager m1
await 5 test -s metrics || fail "no metrics again"
[ "$(wc -l <told)" = 1 ] || fail "reported twice: $(cat told)"
stop
cp good m1/etc/manager.conf
start_manager m1
over() { grep -q '"id":"alarm.over"' told; }
await 5 over || fail "$(cat told)"
stop
