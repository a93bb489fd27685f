# Goal: a dump made while the clock was years ahead or behind displaces no other dump: latest is the
# last one made, forget deletes no good dump because of it, and the dumps with wrong times are
# reported and kept.
. "$(dirname "$0")/lib.sh"
needs faketime python3
workspace
at() { local t=$1; shift; faketime "$t" "$FDUMP" "$@"; }
back() { echo "$2" >src/f; at "$1" backup -s ./s --unencrypted --state state -C src . >out 2>err || fail "backup: $(cat err)"; }
contents() { # of all dumps, in the order in which they are listed
	at "$now" dumps -s "./$1" --json | python3 -c '
import json, sys
for line in sys.stdin: print(json.loads(line)["dump"])' >ids
	while read -r id; do at "$now" cat -s "./$1" "$id" f 2>/dev/null; done <ids | tr '\n' ' '
}
now='2026-11-10 10:00'
mkdir src
at '2026-11-01 09:00' store init s
back '2026-11-01 10:00' one
back '2031-01-01 10:00' ahead
at '2026-11-02 10:00' dumps -s ./s | grep -q 2031- || skip "faketime does not work on this program"
! grep -q future err || fail "reported too early"
back '2026-11-03 10:00' two
grep -q 'in the future' err || fail "the backup does not tell of the dump that is ahead"
back '1970-01-02 10:00' behind
back '2026-11-05 10:00' three
[ "$(contents s)" = "one ahead two behind three " ] || fail "order: $(contents s)"
[ "$(at "$now" dumps -s ./s | grep -c '~')" = 2 ] || fail "not marked"
[ "$(at "$now" cat -s ./s latest f)" = three ] || fail "latest"
[ "$(at "$now" cat -s ./s backup@2026-11-04 f)" = behind ] || fail "backup@2026-11-04"
at "$now" store trust-clock s >/dev/null
at '2026-11-10 10:10' forget -s ./s --keep-daily 2 --yes >out
[ "$(contents s)" = "ahead two behind three " ] || fail "daily 2: $(contents s)"
at '2026-11-10 10:20' forget -s ./s --keep-within 1d --yes >out
[ "$(contents s)" = "ahead behind three " ] || fail "within 1d: $(contents s)"

# A copy keeps its time in the future. If there are only such dumps, they are the latest.
at "$now" store init copy
at "$now" store replicate --from ./s copy >/dev/null
[ "$(at "$now" cat -s ./copy latest f)" = three ] || fail "latest of the copy"
at '2026-11-10 09:00' store init only
echo x >src/f
at '2031-01-01 10:00' backup -s ./only --unencrypted --state state -C src . >/dev/null 2>&1
[ "$(at "$now" cat -s ./only latest f)" = x ] || fail "latest of nothing but dumps that are ahead"
back '2031-01-01 10:00' ahead
[ "$(at "$now" cat -s ./s latest f 2>err)" = three ] && grep -q 'dated in the future, so it does not count as latest' err ||
	fail "latest, and a later one that is ahead: $(cat err)"
