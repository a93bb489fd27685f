#!/bin/sh
# Goal: the same source with mbedTLS 3.6 (Debian 13) passes the tests of rpc/,
# and works with mbedTLS 2.28 (Debian 12), each as client and as server.
#   test/net/debian13.sh ROOT [PEER]     as root, on Debian 12; by hand
# ROOT is a folder for the Debian 13 system: made by mmdebstrap if it does
# not exist, and kept. PEER is this system's rpc-peer.
set -eu
cd "$(dirname "$0")/../.."
root=$1
here=${2:-build/test/test/rpc-peer}
size=${SIZE:-67108864}

[ -d "$root/usr" ] || mmdebstrap --variant=minbase --include=gcc,libc6-dev,cmake,make,pkg-config,\
libgcrypt20-dev,libzstd-dev,libxxhash-dev,libjansson-dev,liblmdb-dev,libipsec-mb-dev,libev-dev,libmbedtls-dev,\
libcmocka-dev,python3,openssl trixie "$root"
mkdir -p "$root/src" "$root/certs"
tar -c --exclude='./build*' --exclude=./.git . | tar -x -C "$root/src"
in13() { chroot "$root" /usr/bin/env -C /src PATH=/usr/bin:/bin "$@"; }
mount --bind /dev "$root/dev"
mount --bind /proc "$root/proc"
trap 'umount "$root/dev" "$root/proc"' EXIT

in13 cmake -S . -B build -DFDUMP_WERROR=ON >/dev/null
in13 cmake --build build -j2
in13 ctest --test-dir build --output-on-failure -R 'rpc|net/|name|pool'

# One CA for both; the keys stay 0600 in it.
rm -rf "$root/certs"/*
"$here" ca "$root/certs"
"$here" cert "$root/certs" a1 agent
in13 build/test/rpc-peer cert /certs s1 store

talk() { # server's command, client's command, what for
	out=$(mktemp)
	$1 >"$out" &
	pid=$!
	while ! grep -q port "$out"; do sleep 0.1; done
	port=$(sed -n 's/port //p' "$out")
	for call in "echo count=1000" "sink len=$size seed=5" "source len=$size seed=6" \
		"twice len=$size" "early len=5000000" whoami; do
		# shellcheck disable=SC2086
		$2 "$port" store s1 $call >"$out.client" || {
			echo "FAILED $3: $call: $(cat "$out.client")"
			kill $pid
			exit 1
		}
	done
	# The chroot's process is a child of env's; both get the signal by exec.
	kill $pid
	wait $pid || true
	rm -f "$out" "$out.client"
	echo "ok $3"
}

talk "in13 build/test/rpc-peer serve /certs s1" "$here call $root/certs a1" \
	"client mbedTLS 2.28, server 3.6"
talk "$here serve $root/certs s1" "in13 build/test/rpc-peer call /certs a1" \
	"client mbedTLS 3.6, server 2.28"
talk "in13 build/test/rpc-peer serve /certs s1" "in13 build/test/rpc-peer call /certs a1" \
	"client and server mbedTLS 3.6"
