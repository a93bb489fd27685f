#!/bin/bash
# Goal: fdump manager check accepts a right configuration and shows what an agent has to do; for a
# wrong one it reports each error with file and line, status 3.
. "$(dirname "$0")/lib.sh"
workspace
failed=0

# expect STATUS OUTPUT ERROR ARGUMENTS...: parts of the output; "" means nothing is printed.
expect() {
	local want=$1 out=$2 err=$3 status=0
	shift 3
	"$FDUMP" manager "$@" >out 2>err || status=$?
	if [ "$status" != "$want" ] || { [ -z "$out" ] && [ -s out ]; } ||
		{ [ -z "$err" ] && [ -s err ]; } || ! grep -qF -- "$out" <(cat out; echo) ||
		! grep -qF -- "$err" <(cat err; echo); then
		echo "fdump manager $*: status $status, not $want"
		echo "out: $(cat out)"
		echo "err: $(cat err)"
		failed=1
	fi
}

cat >manager.conf <<'END'
# A configuration with everything, checked twice.
defaults {
  stores = {"nas1", "nas2", "offsite"}   copies = 2
  zone = "Europe/Riga"
  exclude = {"*.tmp", "/var/cache/"}
  lock = "14d"
}
job "system" { agents = {"*"}   paths = {"/etc", "/home", "/root", "/var/lib"}  schedule = "~ 1~4 * * *" }
job "web"    { agents = {"web*"} paths = {"/srv/www"}  schedule = "15 */6 * * *"  alarm_after = "8h" }
store "offsite" { address = "backup.example.org:7421" }
END
expect 0 "manager.conf: valid; 1 file, 2 jobs, 3 stores" "" check manager.conf
expect 0 "system: next at " "" check --agent web1 manager.conf
expect 0 "web: next at " "" check --agent web1 manager.conf
expect 0 "  exclude: *.tmp /var/cache/" "" check --agent db manager.conf
! grep -q "^web" out || { echo "db has web's job"; failed=1; }
# The slot shown is the one that fdump cron computes from the seed that the manual page names.
"$FDUMP" manager check --json --agent web1 manager.conf >out
mine=$(sed -n 's/.*"job":"system".*"next":"\([^"]*\)".*/\1/p' out)
[ "$mine" = "$("$FDUMP" cron next --tz Europe/Riga --seed system@web1 '~ 1~4 * * *')" ] ||
	{ echo "the slot is not that of fdump cron: $mine"; failed=1; }
tail -n 1 out | grep -qx '{"type":"result","id":"manager.check","files":1,"jobs":2,"stores":3}' ||
	{ echo "JSON: $(tail -n 1 out)"; failed=1; }

mkdir etc
cp manager.conf etc/
expect 0 "etc/manager.conf: valid" "" check --config etc

# An agent without work is an error, in its name or in the jobs' lists.
sed '/"system"/d' manager.conf >only.conf
expect 2 "" 'only.conf: no job is for the agent db (the agents of jobs are "web*")' check --agent db only.conf

# conf.d is read in the order of names; hidden files and other names are ignored.
mkdir conf.d
printf 'agent "lap*" { expect = "14d" }\n' >conf.d/10-laptops.conf
printf 'nonsense\n' | tee conf.d/.hidden.conf >conf.d/README
expect 0 "2 files, 2 jobs" "" check manager.conf
(cd conf.d && expect 0 "2 files" "" check ../manager.conf)
printf '\n\njob "web" { agents = {"*"} paths = {"/"} schedule = "@daily" }\n' >conf.d/20.conf
expect 3 "" 'conf.d/20.conf:3: job "web" is given twice, first at manager.conf:9' check manager.conf
printf 'job "x" { agents = {"*"} paths = {"/"} schedule = "@daily" stores = {"nsa1"} }\n' >conf.d/20.conf
expect 3 "" "conf.d/20.conf:1: job \"x\": unknown store 'nsa1'" check manager.conf
rm -r conf.d

# All errors are reported, with lines; no message comes straight from the library.
cat >bad.conf <<'END'
/* two
   lines */
defaults {
  stores = {"nas1"}   # and a comment
  zone = "Europe/Pari"
}
job "j" {
  agents = {"*"}  paths = {"etc"}
  schedule = "5/15 * * * *"
  keep = 3
}
END
expect 3 "" "fdump manager: bad.conf:10: unknown key 'keep' in 'job'" check bad.conf
grep -qF "bad.conf:5: zone: no such time zone" err || { cat err; failed=1; }
sed -i /keep/d bad.conf
expect 3 "" "bad.conf:9: schedule: minute (field 1), column 2: a step goes only after" check bad.conf
grep -qF "bad.conf:8: paths: 'etc' is not an absolute path" err || { cat err; failed=1; }
grep -qF "bad.conf: 3 problems" err || { cat err; failed=1; }
! grep -v '^fdump manager: ' err || { echo "lines of someone else"; failed=1; }
status=0
"$FDUMP" manager check --json bad.conf >out 2>err || status=$?
[ "$status" = 3 ] && grep -q '^{"type":"problem","id":"manager.config","file":"bad.conf","line":5,' out &&
	tail -n 1 out | grep -q '"id":"error.config".*"exit":3' || { cat out; failed=1; }

# Wrong usage, and missing files.
expect 3 "" "this machine is not a manager" --config . --state .
expect 2 "" "'chekc': expected check" chekc
expect 2 "" "check: expected [FILE]" check a b
expect 2 "" "--agent 'Web': not a name" check --agent Web manager.conf
expect 2 "" "nothere.conf" check nothere.conf
printf 'defaults { zone = "UTC" }\n\0' >nul.conf
expect 3 "" "nul.conf:2: a zero byte" check nul.conf
printf 'agent "lap\\' >open.conf
expect 3 "" "open.conf:1: this quote is never closed" check open.conf
exit $failed
