#!/bin/sh
# FDump from nothing: installs what the build needs, builds, and shows the
# main job at work on a real tree.
#   packaging/quickstart.sh              all of it; BUILD=DIR as environment
#   packaging/quickstart.sh --deps [PACKAGE...]
#                                        only installs what the build needs (and
#                                        these Debian packages too)
set -eu
cd "$(dirname "$0")/.."

deps="cmake gcc libc6-dev make pkg-config
libgcrypt20-dev libzstd-dev libxxhash-dev libjansson-dev liblmdb-dev libev-dev libmbedtls-dev"
# Several SHA-256 at once; x86 only, and not needed.
[ "$(uname -m)" != x86_64 ] || deps="$deps libipsec-mb-dev"

fail() {
	echo "quickstart: $*" >&2
	exit 2
}

# Installs the Debian packages given as arguments that are not there yet.
install_packages() {
	if ! command -v dpkg-query >/dev/null; then
		echo "This is no Debian; these packages, or what they are called here, are needed:"
		echo "$@"
		return 0
	fi
	missing=
	for p in "$@"; do
		dpkg-query -W -f '${Status}' "$p" 2>/dev/null | grep -q '^install ok installed' ||
			missing="$missing $p"
	done
	[ -n "$missing" ] || return 0
	sudo=
	if [ "$(id -u)" != 0 ]; then
		sudo=sudo
		command -v sudo >/dev/null || fail "these packages are missing:$missing
Install them as root: apt-get install --no-install-recommends$missing"
	fi
	echo "Installing:$missing"
	# shellcheck disable=SC2086
	{
		$sudo apt-get update -qq || echo "The package lists could not be renewed; going on."
		$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq \
			--no-install-recommends $missing >/dev/null </dev/null ||
			fail "apt-get could not install them"
	}
}

case "${1:-}" in
--deps)
	shift
	# shellcheck disable=SC2086
	install_packages $deps "$@"
	exit 0
	;;
?*)
	echo "usage: packaging/quickstart.sh [--deps]" >&2
	exit 2
	;;
esac
# shellcheck disable=SC2086
install_packages $deps
build=${BUILD:-build}
echo "Building in $build."
cmake -S . -B "$build" -DFDUMP_TESTS=OFF >/dev/null
cmake --build "$build" -j "$(nproc)"
build=$(cd "$build" && pwd)
fdump=$build/fdump
"$fdump" --version

exec packaging/fleet.sh "$fdump"
