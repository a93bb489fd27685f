#!/bin/bash
# Goal: on separate machines, each with its own systemd, the services start by their units; the
# agent's unit permits enough to back up all that root can see; and a first fleet can be set up with
# the commands of the manual.
#
# A campaign. It needs root, systemd-nspawn and mmdebstrap, and is skipped where containers can't
# boot.
#
#   bash test/fleet-nspawn.sh       with the program of build/test, or of BUILD
#
# The machines are containers over one root of Debian 12 (made once, kept in BUILD/fleet-root), with
# what 'cmake --install' installs. Everything, including the network, disappears with this script's
# namespaces. KEEP=1 keeps the machines' folder and prints its name.
. "$(dirname "$0")/cli/lib.sh"
needs root systemd-nspawn mmdebstrap unshare nsenter ip pgrep cmake

# The libraries that the program is linked with, and the programs that its units call.
packages=systemd,systemd-sysv,procps,libgcrypt20,libzstd1,libxxhash0,libjansson4
packages+=,liblmdb0,libev4,libmbedtls14,libipsec-mb1
base=$BUILD/fleet-root
peer=$BUILD/test/rpc-peer
prefix=$(sed -n 's/^CMAKE_INSTALL_PREFIX:PATH=//p' "$BUILD/CMakeCache.txt")

# --- namespaces, and what lives in them -------------------------------------------

# Where systemd keeps its control groups: one hierarchy, or two.
hierarchies() {
	local h
	for h in /sys/fs/cgroup /sys/fs/cgroup/systemd /sys/fs/cgroup/unified; do
		[ ! -f "$h/cgroup.procs" ] || echo "$h"
	done
}

if [ -z "${FLEET_INNER:-}" ]; then
	# Outside of the namespace, where there is a network.
	if [ ! -d "$base" ]; then
		mmdebstrap --quiet --variant=minbase --include=$packages bookworm "$base.new" >out 2>&1 ||
			skip "no root of Debian 12 can be made: $(tail -n 1 out)"
		: >"$base.new/etc/machine-id"
		mv "$base.new" "$base"
	fi
	FLEET_INNER=fdump-fleet-$$
	export FLEET_INNER
	status=0
	unshare --mount --net --pid --fork --kill-child --mount-proc bash "$0" "$@" || status=$?
	for h in $(hierarchies); do
		[ ! -d "$h/$FLEET_INNER" ] || find "$h/$FLEET_INNER" -depth -type d -exec rmdir {} +
	done
	exit $status
fi

# --- machines -------------------------------------------------------------------

declare -A leader=()
number=0

prepare() {
	local arch=
	mkdir install
	DESTDIR=$work/install cmake --install "$BUILD" >out 2>&1 || fail "cmake --install: $(tail out)"
	# Like all mounts here, invisible outside of this mount namespace.
	mkdir -p /run/netns
	mount -t tmpfs none /run/netns
	ip link set lo up
	ip link add fleet type bridge
	ip link set fleet up
}

# machine NAME...: boots them at the same time.
machine() {
	local m h
	for m; do
		number=$((number + 1))
		mkdir -p "$m"/{upper/etc,work,root}
		echo "$m" >"$m/upper/etc/hostname"
		: >"$m/upper/etc/machine-id"
		mount -t overlay -o "lowerdir=install:$base,upperdir=$m/upper,workdir=$m/work" none "$m/root" ||
			skip "no overlay can be mounted"
		mounts+=("$work/$m/root")
		ip netns add "$m" || skip "no network namespace can be made"
		ip link add "v$number" type veth peer name eth0 netns "$m"
		ip link set "v$number" master fleet up
		ip -n "$m" addr add "10.77.0.$number/24" dev eth0
		ip -n "$m" link set eth0 up
		ip -n "$m" link set lo up
		echo "10.77.0.$number $m" >>hosts
	done
	for m; do
		{ echo "127.0.0.1 localhost" && cat hosts; } >"$m/root/etc/hosts"
		(
			for h in $(hierarchies); do
				mkdir -p "$h/$FLEET_INNER/$m"
				echo 0 >"$h/$FLEET_INNER/$m/cgroup.procs"
			done
			exec systemd-nspawn --quiet --settings=no --directory="$m/root" --machine="$m" \
				--network-namespace-path="/run/netns/$m" --register=no --keep-unit \
				--resolv-conf=off --timezone=off --boot </dev/null >"$m/console" 2>&1
		) &
		leader[$m]=$!
	done
	for m; do
		if ! await 60 up "$m"; then
			[ $number -gt $# ] || skip "a container can't boot here: $(tail -n 3 "$m/console")"
			fail "$m does not boot: $(tail -n 3 "$m/console")"
		fi
	done
}

# on MACHINE COMMAND...: runs it there as root, with all capabilities.
on() {
	local pid
	pid=$(pgrep -P "${leader[$1]}" | head -n 1) || return 1
	shift
	nsenter --target "$pid" --mount --uts --ipc --net --pid --wdns=/root -- \
		env -i PATH="$prefix/bin:/usr/sbin:/usr/bin:/sbin:/bin" HOME=/root "$@"
}

up() {
	on "$1" systemctl is-active --quiet multi-user.target 2>/dev/null
}

# must MACHINE COMMAND...: it must succeed; its output is in out.
must() {
	on "$@" >out 2>&1 || {
		local status=$?
		journal "$1"
		fail "on $1: ${*:2}: status $status: $(cat out)"
	}
}

journal() {
	on "$1" journalctl --no-pager --boot --lines 40 --unit 'fdump-*' || true
}

# state MACHINE UNIT PROPERTY
state() {
	on "$1" systemctl show --value --property "$3" "$2"
}

running() {
	[ "$(state "$1" "$2" ActiveState)" = active ]
}

# put FILE MACHINE PATH OWNER: copies a file there, with mode 0600.
put() {
	on "$2" install -D -m 0600 -o "$4" -g "$4" /dev/stdin "$3" <"$1"
}

# Whether the program can run as this service, or only knows its verbs.
serves() {
	"$FDUMP" "$1" --help 2>/dev/null | grep -q "^usage: fdump $1 \[--config"
}

# --- by hand ----------------------------------------------------------------------

listeners() {
	on "$1" cat /proc/net/tcp /proc/net/tcp6 | awk '$4 == "0A"' | wc -l
}

identity() { # MACHINE ROLE CERTIFICATE OWNER
	put "certs/$3.key" "$1" "/var/lib/fdump/$2/key.pem" "$4"
	put "certs/$3.crt" "$1" "/var/lib/fdump/$2/cert.pem" "$4"
	put certs/root.crt "$1" "/var/lib/fdump/$2/ca.pem" "$4"
}

by_hand() {
	local role
	machine server desk
	for role in agent manager store; do
		must server systemctl enable "fdump-$role"
		must server systemctl start "fdump-$role"
		running server "fdump-$role" && fail "$role: runs on a machine that is not configured"
	done
	[ "$(listeners server)" = 0 ] || fail "a machine that is not configured listens"
	must server stat -c '%n %U %a' /etc/fdump /var/lib/fdump /var/lib/fdump/{agent,manager,store}
	diff - out <<-END
		/etc/fdump root 755
		/var/lib/fdump root 755
		/var/lib/fdump/agent root 700
		/var/lib/fdump/manager _fdump-manager 700
		/var/lib/fdump/store _fdump-store 700
	END

	mkdir certs
	"$peer" fleet certs
	echo "m1 server" >managers
	echo "s1 server" >stores

	# The store.
	must server install -d -o _fdump-store -g _fdump-store -m 0700 /srv/fdump
	must server setpriv --reuid=_fdump-store --regid=_fdump-store --clear-groups \
		fdump store init /srv/fdump
	identity server store s1 _fdump-store
	put managers server /var/lib/fdump/store/managers _fdump-store
	on server sh -c 'echo "store { path = \"/srv/fdump\" }" >/etc/fdump/store.conf'
	must server systemctl start fdump-store
	running server fdump-store || fail "the store does not run"
	must server systemctl reload fdump-store
	on server systemctl kill --signal=KILL fdump-store
	await 30 killed_once server fdump-store || fail "the store is not started again after a crash"

	# The manager, if there is one.
	if serves manager; then
		identity server manager m1 _fdump-manager
		put certs/int.key server /var/lib/fdump/manager/int.key _fdump-manager
		put certs/int.crt server /var/lib/fdump/manager/int.pem _fdump-manager
		on server sh -c 'cat >/etc/fdump/manager.conf' <<-END
			defaults { stores = {"s1"} }
			job "etc" { agents = {"*"} paths = {"/etc"} schedule = "@daily" unencrypted = "yes" }
		END
		must server systemctl start fdump-manager
		must server systemctl reload fdump-manager
		running server fdump-manager || fail "the manager does not run"
	else
		echo "without the manager: fdump manager is no service yet"
	fi

	# The agent, and its machine's backups.
	identity desk agent a1 root
	put managers desk /var/lib/fdump/agent/managers root
	put stores desk /var/lib/fdump/agent/stores root
	must desk systemctl start fdump-agent
	running desk fdump-agent || fail "the agent does not run"
	must desk systemctl reload fdump-agent
	must desk fdump backup -s s1 --agent a1 --unencrypted --name etc /etc
	must desk fdump dumps -s s1
	grep -q etc out || fail "the dump is not listed: $(cat out)"

	wrong_conf
	as_the_agent
}

killed_once() {
	running "$1" "$2" && [ "$(state "$1" "$2" NRestarts)" = 1 ]
}

# A unit that can't succeed is not restarted.
wrong_conf() {
	on server sh -c 'echo "nonsense" >>/etc/fdump/store.conf'
	on server systemctl restart fdump-store 2>/dev/null && fail "the store starts with nonsense in store.conf"
	[ "$(state server fdump-store ExecMainStatus)" = 3 ] || fail "store.conf: status $(state server fdump-store ExecMainStatus)"
	[ "$(state server fdump-store ActiveState)" = failed ] || fail "store.conf: tried again"
	on server sed -i /nonsense/d /etc/fdump/store.conf
	must server systemctl restart fdump-store
}

# A backup with the rights of the agent's unit contains everything that root sees.
as_the_agent() {
	local upper=desk/root
	must desk sh -c '
		umask 077
		mkdir -p /home/user/private /usr/lib/modules/6.1 /var/tmp/deep
		echo a >/home/user/private/a
		echo b >/usr/lib/modules/6.1/b
		echo c >/tmp/c
		echo d >/var/tmp/deep/d
		echo e >/root/e
		mknod /dev/shm/f p
		mknod /var/tmp/zero c 1 5
		chown -R 1234:1234 /home/user /var/tmp/deep /var/tmp/zero
		chmod 0 /home/user/private/a'
	if command -v setfattr >/dev/null; then
		setfattr -n trusted.test -v seen "/proc/$(pgrep -P "${leader[desk]}")/root/home/user/private/a"
	fi
	# A job's hook has no capabilities; work that needs them is started as a unit of its own.
	must desk sh -c '
		mkdir -p /etc/fdump/hooks
		printf "[Service]\nType=oneshot\nUser=nobody\nExecStart=/bin/sh -c \"id -un >/tmp/dumped\"\n" \
			>/etc/systemd/system/dump-db.service
		printf "#!/bin/sh\ngrep Cap[PE] /proc/self/status >&2\nexec systemctl start dump-db.service\n" \
			>/etc/fdump/hooks/dump-db
		chmod 755 /etc/fdump/hooks/dump-db'
	# The agent's own unit, except for the program it runs.
	on desk sh -c "sed -e 's/^Type=.*/Type=oneshot/' -e '/^Restart/d' -e '/^ExecReload/d' \
		-e 's|^ExecStart=.*|ExecStart=$prefix/bin/fdump backup -s s1 --agent a1 --unencrypted --name seen \
--job 0:0123456789abcdef --before dump-db --exclude /var/log /etc /home /root /tmp /usr /var /dev/shm|' \
		$prefix/lib/systemd/system/fdump-agent.service >/etc/systemd/system/seen.service"
	must desk systemctl daemon-reload
	must desk systemctl start seen
	[ "$(state desk seen ExecMainStatus)" = 0 ] || fail "as the agent: status $(state desk seen ExecMainStatus)"
	[ "$(on desk cat /tmp/dumped)" = nobody ] || fail "as the agent: the hook's unit did not run"
	must desk journalctl --no-pager --boot --unit seen
	[ "$(grep -cE 'Cap(Prm|Eff):[[:space:]]*0000000000000000' out)" = 2 ] || fail "the hook's capabilities: $(cat out)"
	# The comparison runs with all rights.
	on desk fdump diff -s s1 --exclude /var/log --exclude /var/lib/fdump --live a1/seen@latest >out 2>&1 ||
		fail "as the agent: $(cat out)"
	for file in home/user/private/a usr/lib/modules/6.1/b tmp/c var/tmp/deep/d var/tmp/zero root/e dev/shm/f; do
		on desk fdump files -s s1 a1/seen@latest "$file" | grep -q . || fail "as the agent: no $file"
	done
}

# --- as in the manual -------------------------------------------------------------

# On the server: setup. For each machine: a token on the server, and join on the machine.
by_the_manual() {
	local c m
	for c in setup token join; do
		"$FDUMP" "$c" --help >/dev/null 2>&1 || skip "the rest: there is no 'fdump $c' yet"
	done
	machine first web1 web2
	on first sh -c 'umask 077; echo "a long passphrase" >/root/passphrase'
	must first fdump setup --passphrase-file /root/passphrase
	for m in fdump-manager fdump-store; do
		running first $m || {
			journal first
			fail "after setup $m does not run; setup said: $(cat out)"
		}
	done
	for m in web1 web2; do
		on first fdump token agent $m >token 2>err || fail "no token: status $?: $(cat err)"
		on $m fdump join - <token >out 2>&1 || {
			journal $m
			fail "$m can't join: status $?: $(cat out)"
		}
		running $m fdump-agent || {
			journal $m
			fail "after join $m has no agent running; join said: $(cat out)"
		}
		await 30 kept $m || {
			journal $m
			fail "$m: no first dump: $(cat err)"
		}
	done
	must first find /srv/fdump /var/lib/fdump/store ! -user _fdump-store
	[ ! -s out ] || fail "not the store's own: $(cat out)"
	# With the keys that were moved away, and the store's directory alone.
	must first mkdir /root/back
	must first fdump restore -s /srv/fdump --key /root/fdump-keys/backup.key \
		--passphrase-file /root/passphrase -C /root/back web1/system@latest etc/hostname
	[ "$(on first cat /root/back/etc/hostname)" = web1 ] || fail "web1's /etc/hostname was not restored"
}

# What the machine itself sees in the store.
kept() {
	on "$1" fdump dumps -s first --json 2>err | grep -q "\"agent\": *\"$1\""
}

# --- all of it --------------------------------------------------------------------

work=$(mktemp -d -p /var/tmp fdump-fleet.XXXXXX)
cd "$work"
[ -z "${KEEP:-}" ] || { echo "kept: $work" && trap - EXIT; }
prepare
by_hand
echo "by hand: ok"
by_the_manual
echo "by the manual: ok"
