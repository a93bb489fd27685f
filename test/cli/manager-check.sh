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

# Mistakes of all kinds are reported in one go, and nothing that only follows from one: a misspelt
# word, a section that is not closed, a value, a store that nobody has.
cat >many.conf <<'END'
defaults { stores = {"s1"} }
job "a" { agents = "*"  path = {"/etc"}  schedule = "99 * * * *" }
job "b" { agents = "*"  schedule = "@daily"
job "c" { agents = "*"  paths = {"/etc"}  schedule = "@daily"  stores = {"s2", "s3"} }
job "d" { agents = "*"  paths = {"/etc",  schedule = "@daily" }
job "e" agents = "*" }
} stray
job "f" { agents = "*"  paths = "/etc"  schedule = "@daily"  copies = 3 }
stroe "s2" { adress = "x" }
END
expect 3 "" "many.conf: 9 problems" check many.conf
for line in "2: unknown key 'path' in 'job': did you mean 'paths'?" \
	'3: the section job "b" that begins here is not closed before line 4' \
	"5: the list that begins here is not closed before line 5: '}' is missing" \
	"6: expected '{', found 'agents'" "9: unknown key 'adress' in 'store': did you mean 'address'?" \
	"9: unknown section 'stroe': did you mean 'store'?" \
	"2: schedule: minute (field 1), column 1: 99 is too large" \
	"4: job \"c\": unknown store 's3'" '8: job "f": 3 copies need more than 1 store'; do
	grep -qF "many.conf:$line" err || { echo "not reported: $line"; cat err; failed=1; }
done
for i in $(seq 30); do echo "job \"j$i\" { keep = $i }"; done >long.conf
expect 3 "" "long.conf: 150 problems; only the first are shown" check long.conf
[ "$(wc -l <err)" = 21 ] || { cat err; failed=1; }

# A configuration without a job is valid.
echo 'job "a" { agents = "*"  paths = {"/etc"}  schedule = "@daily"  stores = "s1"  enabled = no }
store "s1" { }' >none.conf
expect 0 "valid" "fdump manager: none.conf: warning: no jobs: nothing will be backed up" check none.conf
: >none.conf
expect 0 "none.conf: valid; 1 file, 0 jobs, 0 stores" "no jobs: nothing will be backed up" check none.conf

# The settings of this machine alone are checked too.
printf 'manager {\n  lisen = "x"\n  foo = "y"\n}\n' >etc/local.conf
expect 3 "" "etc/local.conf:2: unknown key 'lisen' in 'manager': did you mean 'listen'?" check --config etc
grep -qF "etc/local.conf:3: unknown key 'foo' in 'manager'" err || { cat err; failed=1; }
echo 'manager { listen = "7420" }' >etc/local.conf
expect 3 "" "fdump manager: etc/local.conf: " check --config etc
echo 'manager { listen = "[::]:7420" }' >etc/local.conf
expect 0 "etc/manager.conf: valid" "" check --config etc

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
