#!/bin/bash
# Goal: there is one grammar of names. A host name with capitals and '_' becomes the agent's name,
# which can be given a quota; --agent NAME selects another agent, also for 'latest'; a name that
# breaks the rule is refused at once, with the rule in the message.
. "$(dirname "$0")/lib.sh"
workspace
apart=(unshare -u)
unshare -u true 2>/dev/null || apart=(unshare -Uru)
rule="names are made of lower-case letters, digits, '-' and '.', 1 to 63 bytes"

refused() { # its status is 2 or 3, and the rule is in the message
	status=0
	"$FDUMP" "$@" >out 2>&1 || status=$?
	case $status in 2 | 3) ;; *) fail "not refused: $*" ;; esac
	grep -qF "$rule" out || fail "no rule in: $(cat out)"
}
here() {
	"${apart[@]}" sh -c 'echo Web_1.Example >/proc/sys/kernel/hostname && exec "$@"' sh "$FDUMP" "$@"
}

mkdir d && echo one >d/file
"$FDUMP" store init s >/dev/null
back=(backup -s ./s --unencrypted --state state)
"$FDUMP" "${back[@]}" --agent other.host d >/dev/null 2>&1 || fail "backup --agent"
echo two >d/file
named=no
if here dumps -s ./s >/dev/null 2>&1; then
	named=yes
	here "${back[@]}" d >/dev/null 2>&1 || fail "backup of a host with capitals and '_'"
	"$FDUMP" dumps -s ./s | grep -q "web-1.example" || fail "the agent's name is not the host's: $("$FDUMP" dumps -s ./s)"
	[ "$(here cat -s ./s latest d/file)" = two ] || fail "latest is not this host's"
	[ "$(here cat -s ./s --agent other.host latest d/file)" = one ] || fail "cat --agent"
fi
"$FDUMP" store quota s web-1.example 10G >/dev/null || fail "no quota for it"
[ "$("$FDUMP" cat -s ./s --agent other.host latest d/file)" = one ] || fail "cat --agent"
"$FDUMP" files -s ./s --agent other.host latest | grep -q d/file || fail "files --agent"
"$FDUMP" restore -s ./s --agent other.host -n --in-place latest >/dev/null 2>&1 || fail "restore --agent"
"$FDUMP" forget -s ./s --agent other.host -n latest | grep -q other.host || fail "forget --agent"

for name in Web1 web_1 -web a..b ''; do
	refused backup -s ./s --unencrypted --agent="$name" d
	refused backup -s ./s --unencrypted --name="$name" d
	refused cat -s ./s --agent="$name" latest d/file
done
refused store quota s Web_1 10G
refused backup -s ./s --unencrypted --hooks . --before Hook d
refused cat -s ./s Web_1/backup@latest d/file
if "$FDUMP" dumps -s ./s | grep -q Web; then fail "a refused name was used"; fi
[ $named = yes ] || skip "may not have a host name of its own; all else was looked at"
