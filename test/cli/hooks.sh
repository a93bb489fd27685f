#!/bin/bash
# Goal: hooks run by name, before and after; one that fails stops the backup; one that others may
# write to is not run. An interrupted restore goes on without fetching what is there already.
. "$(dirname "$0")/lib.sh"
workspace
fdump() { "$FDUMP" "$@"; }
fail() { echo "$*"; cat out err; exit 1; }

umask 022
mkdir tree hooks
head -c 3000000 /dev/urandom >tree/a
head -c 3000000 /dev/urandom >tree/b
fdump store init store
printf '#!/bin/sh\necho "before $FDUMP_NAME" >>%s/log\n' "$work" >hooks/ready
printf '#!/bin/sh\necho "after $FDUMP_STATUS $FDUMP_DUMP" >>%s/log\necho said\n' "$work" >hooks/told
printf '#!/bin/sh\nexit 3\n' >hooks/bad
chmod 755 hooks/*
back() { status_of fdump backup -s ./store --unencrypted --state state --hooks hooks --name n -C tree "$@" .; }

back --before ready --after told --json
[ $status = 0 ] || fail "status $status"
grep -q said err || fail "a hook's output goes elsewhere"
id=$(sed -n 's/.*"dump": *"\([0-9a-f]*\)".*/\1/p' out)
printf 'before n\nafter 0 %s\n' "$id" | cmp - log

back --before bad --after told
[ $status = 2 ] || fail "a hook failed before: status $status"
[ "$(tail -1 log)" = "after 2 " ] || fail "the hook after it: $(tail -1 log)"
[ "$(fdump dumps -s ./store | grep -c n)" = 1 ] || fail "a dump in spite of the hook"
back --after bad
[ $status = 1 ] || fail "a hook failed after: status $status"
for signal in TERM HUP; do
	"$FDUMP" backup -s ./store --unencrypted --state state --hooks hooks --name n --before ready --after told \
		--command "slow=sleep 20" -C tree . >out 2>err &
	pid=$!
	for _ in $(seq 50); do
		[ "$(tail -1 log)" != "before n" ] || break
		sleep 0.1
	done
	sleep 0.3
	status=0
	kill -$signal $pid
	wait $pid || status=$?
	want=$((128 + $(kill -l $signal)))
	[ $status = $want ] || fail "SIG$signal: status $status"
	[ "$(tail -1 log)" = "after $want " ] || fail "the hook after SIG$signal: $(tail -1 log)"
done
back --before ../hooks/ready
[ $status = 2 ] || fail "a path as a name: status $status"
chmod g+w hooks/ready
back --before ready
[ $status = 2 ] || fail "others may write to it: status $status"
grep -q "others may write" err || fail "does not say why"

# A hook of a plan's job has no capabilities, even as root; run by hand it has its caller's.
if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null; then
	printf '#!/bin/sh\ngrep -E "^(Cap|NoNew)" /proc/self/status\n' >hooks/status
	chmod 755 hooks/status
	value() { sed -n "s/^$1:[[:space:]]*//p" err; }
	back --before status
	[ "$(value CapEff)" = "$(sed -n 's/^CapEff:[[:space:]]*//p' /proc/self/status)" ] || fail "by hand"
	back --before status --job 0:0123456789abcdef
	[ $status = 0 ] || fail "status $status"
	for set in CapInh CapPrm CapEff CapBnd CapAmb; do
		[ "$(value $set)" = 0000000000000000 ] || fail "$set: $(value $set)"
	done
	[ "$(value NoNewPrivs)" = "$(sed -n 's/^NoNewPrivs:[[:space:]]*//p' /proc/self/status)" ] || fail "NoNewPrivs"
	# The bounding set can't be emptied here; and, as in the agent's unit, being root gives no
	# capabilities.
	both=+dac_read_search,+sys_admin
	for with in "--bounding-set=-all,$both" \
		"--bounding-set=-all,$both --inh-caps=$both --ambient-caps=$both --no-new-privs --securebits=+noroot,+noroot_locked"; do
		# shellcheck disable=SC2086
		status_of setpriv $with "$FDUMP" backup -s ./store --unencrypted \
			--state state --hooks hooks --name n --before status --job 0:0123456789abcdef -C tree .
		[ $status = 0 ] || fail "status $status"
		[ "$(value CapPrm)$(value CapEff)" = 00000000000000000000000000000000 ] &&
			[ "$(value NoNewPrivs)" = 1 ] || fail "with $with: $(cat err)"
	done
fi
printf '#!/nowhere\n' >hooks/nowhere
chmod 755 hooks/nowhere
back --before nowhere
[ $status = 2 ] && grep -q "hook hooks/nowhere: No such file" err || fail "no interpreter: status $status"

# The chunks of files that are there already are no longer needed.
mkdir back
fdump restore -s ./store latest -C back
rm back/b
head -c 3000000 /dev/zero | tr '\0' x >kept
touch -r back/a kept
cp -p kept back/a
status_of fdump restore -s ./store latest -C back --overwrite=if-changed
[ $status = 0 ] || fail "restore goes on: status $status"
cmp back/b tree/b
cmp back/a kept
