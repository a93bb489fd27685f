#!/bin/sh
# FDump from nothing: installs what the build needs, builds, and shows the
# main job at work.
#   packaging/quickstart.sh         all of it
#   packaging/quickstart.sh --deps  only installs what the build needs
set -eu
cd "$(dirname "$0")/.."

deps="cmake gcc libc6-dev make pkg-config
<<<<<<< HEAD
libgcrypt20-dev libzstd-dev libxxhash-dev libcbor-dev libjansson-dev libev-dev libmbedtls-dev"
=======
libgcrypt20-dev libzstd-dev libxxhash-dev libcbor-dev libjansson-dev"
# Several SHA-256 at once; x86 only, and not needed.
[ "$(dpkg --print-architecture)" = amd64 ] && deps="$deps libipsec-mb-dev"
>>>>>>> main

# Installs the Debian packages given as arguments that are not there yet.
install_packages() {
	missing=
	for p in "$@"; do
		dpkg-query -W -f '${Status}' "$p" 2>/dev/null | grep -q '^install ok installed' ||
			missing="$missing $p"
	done
	[ -n "$missing" ] || return 0
	echo "Installing:$missing"
	sudo=
	[ "$(id -u)" = 0 ] || sudo=sudo
	$sudo apt-get update -qq
	# shellcheck disable=SC2086
	$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
		$missing >/dev/null
}

case "${1:-}" in
--deps)
	shift
	# shellcheck disable=SC2086
	install_packages $deps "$@"
	exit 0
	;;
"") ;;
*)
	echo "usage: packaging/quickstart.sh [--deps]" >&2
	exit 2
	;;
esac
# shellcheck disable=SC2086
install_packages $deps
cmake -S . -B build -DFDUMP_TESTS=OFF >/dev/null
cmake --build build -j "$(nproc)" --target fdump
build/fdump --version
