#!/bin/bash
# Goal: the services' units are valid, start the program as its manual says, and have a small
# exposure; the agent's unit hides nothing that is to be backed up. Users and folders are as the
# program expects.
. "$(dirname "$0")/lib.sh"
needs systemd-analyze
workspace

units=$SRC/packaging/systemd
for role in agent manager store; do
	name=fdump-$role.service
	unit=$units/$name.in
	grep -qx "ExecStart=@CMAKE_INSTALL_FULL_BINDIR@/fdump $role" "$unit" || fail "$name: ExecStart"
	grep -qx 'Type=notify' "$unit" || fail "$name: Type"
	grep -qx 'RestartPreventExitStatus=3 5 6' "$unit" || fail "$name: RestartPreventExitStatus"
	grep -q '^ConditionPathExists=' "$unit" || fail "$name: starts where nothing is configured"
	# The program need not be installed.
	sed "s|^ExecStart=[^ ]*|ExecStart=$FDUMP|" "$unit" >"$name"
	systemd-analyze verify --man=no "./$name" >out 2>&1 || fail "$name: $(cat out)"
	! grep "$name" out || fail "$name: see above"
	systemd-analyze security --offline=true --threshold=30 "./$name" >out 2>&1 ||
		fail "$name: $(tail -n 1 out)"
done

agent=$units/fdump-agent.service.in
! grep -nE '^(Private(Tmp|Devices|Users)|Protect(Home|Proc|KernelModules)|InaccessiblePaths|TemporaryFileSystem|Bind.*Paths|Root.*|User)=' \
	"$agent" || fail "fdump-agent.service: would change what is backed up"
grep -qx 'CapabilityBoundingSet=CAP_DAC_READ_SEARCH CAP_SYS_ADMIN' "$agent" ||
	fail "fdump-agent.service: CapabilityBoundingSet"

needs systemd-sysusers systemd-tmpfiles root
mkdir -p root/etc
systemd-sysusers --root="$work/root" "$SRC/packaging/sysusers.d/fdump.conf" >out 2>&1 ||
	fail "sysusers.d: $(cat out)"
systemd-tmpfiles --root="$work/root" --create "$SRC/packaging/tmpfiles.d/fdump.conf" >out 2>&1 ||
	fail "tmpfiles.d: $(cat out)"
uid_of() {
	sed -n "s/^$1:[^:]*:\([0-9]*\):.*/\1/p" root/etc/passwd
}
is() {
	[ "$(stat -c '%a %u' "root/$1")" = "$2" ] || fail "/$1 is $(stat -c '%a %u' "root/$1"), not $2"
}
is etc/fdump "755 0"
is var/lib/fdump "755 0"
is var/lib/fdump/agent "700 0"
is var/lib/fdump/manager "700 $(uid_of _fdump-manager)"
is var/lib/fdump/store "700 $(uid_of _fdump-store)"
