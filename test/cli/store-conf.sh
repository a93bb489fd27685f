#!/bin/bash
# Goal: store.conf sets quotas, the age before deletion and the longest lock; an error in it is
# refused with file and line (status 3), and the service does not start.
. "$(dirname "$0")/lib.sh"
workspace
mkdir conf state
"$FDUMP" store init s >/dev/null
conf() { # LINE...: what the service prints with these lines
	{
		echo "store {"
		echo "path = \"$work/s\""
		printf '%s\n' "$@"
	} >conf/store.conf
	status=0
	"$FDUMP" store --config conf --state state >out 2>&1 || status=$?
}
wrong() { # WORDS LINE...
	conf "${@:2}"
	[ $status = 3 ] && grep -q "store.conf.*$1" out || fail "${*:2}: status $status: $(cat out)"
}
right() { # gets as far as the next thing that is missing: the service's key
	conf "$@"
	! grep -q "store.conf" out || fail "$*: $(cat out)"
}
right "}"
right 'quota = "10G"' 'min_age = "7d"' 'lock_max = "30d"' "}"
right 'quota = "none"' "}" 'agent "web-1" { quota = "200G" }' 'agent "web-2" { quota = "10%" }' 'agent "web-3" { }'
wrong "quota" 'quota = "much"' "}"
wrong "quota" 'quota = "0%"' "}"
wrong "quota" 'quota = "101%"' "}"
wrong "min_age" 'min_age = "soon"' "}"
wrong "lock_max" 'lock_max = "-1d"' "}"
wrong ":4: agent" "}" 'agent "Web_1" { quota = "1G" }'
wrong ":5: section agent \"a\" is given twice, first in line 4" "}" 'agent "a" { quota = "1G" }' 'agent "a" { quota = "2G" }'
wrong ":4: quota" "}" 'agent "a" { quota = "x" }'
mv s away
wrong "path: $work/s: No such file or directory (is its disk mounted" "}"
