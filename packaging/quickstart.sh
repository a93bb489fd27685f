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
libgcrypt20-dev libzstd-dev libxxhash-dev libcbor-dev libjansson-dev libconfuse-dev liblmdb-dev libev-dev libmbedtls-dev"
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

# The main job. Everything is made in, and goes with, one folder.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
tree=$work/tree
mkdir "$tree" "$work/back"
size_of() {
	du -sk "$1" 2>/dev/null | cut -f 1
}
# A real tree of some tens of MB, and what other archivers stumble over.
for d in /usr/share/doc /usr/include /usr/lib/python3 /usr/share/perl /usr/share/man "$PWD/lib"; do
	kib=$(size_of "$d") || kib=0
	[ "${kib:-0}" -lt 2000 ] || [ "$kib" -gt 65536 ] || break
done
cp -a "$d" "$tree/"
echo "one file, two names" >"$tree/first"
ln "$tree/first" "$tree/second"
ln -s "nowhere at all" "$tree/dangling"
truncate -s 100M "$tree/holes"
echo "odd" >"$tree/$(printf 'a newline\nin the name')"

# run TEXT COMMAND...: says what it does, does it, says how long it took.
run() {
	echo
	echo "$1"
	shift
	printf '  $'
	printf ' %s' "$@" | sed "s|$build/||g; s|$work/||g"
	echo
	start=$(date +%s%N)
	(cd "$work" && "$@") || fail "that failed, with exit status $?"
	printf '  done, in %s ms\n' $((($(date +%s%N) - start) / 1000000))
}
told() {
	sed 's/^/  /' "$work/$1"
}

echo
echo "The tree: a copy of $d, two names of one file, a dangling link, 100 MiB that are"
echo "a hole, and a newline in a name: $(find "$tree" -printf . | wc -c) entries, $(size_of "$tree") KiB on disk."
run "Pack it: every file with its SHA-256, compressed, in one pass." \
	"$fdump" pack -C tree -f tree.fdump .
echo "  tree.fdump: $(($(wc -c <"$work/tree.fdump") / 1024)) KiB"
run "Verify every block and every file's checksum." \
	"$fdump" verify tree.fdump
run "List some of it." \
	"$fdump" list -v -f tree.fdump holes dangling first second
run "Unpack it somewhere else." \
	"$fdump" unpack -f tree.fdump -C back
run "Compare the pack with the tree that it was made of." \
	"$fdump" diff -f tree.fdump -C tree
run "Compare it with what was unpacked: names, contents, owners, modes, times." \
	"$fdump" diff -f tree.fdump -C back
run "Compare the two trees by a program that knows nothing of packs." \
	diff -r --no-dereference tree back
run "Make a key. The public half seals, the secret half opens. (Without a passphrase only here.)" \
	"$fdump" key new --no-passphrase demo.key
run "Pack sealed: the machine that packs needs the public half only." \
	"$fdump" pack --to demo.key.pub -C tree -f sealed.fdump .
run "Verify it with the secret half." \
	"$fdump" verify --key demo.key sealed.fdump
echo
echo "Without the key it opens for nobody:"
status=0
"$fdump" list -f "$work/sealed.fdump" >"$work/out" 2>&1 || status=$?
told out
[ "$status" != 0 ] || fail "a sealed pack was listed without its key"
echo "  exit status $status"
echo
echo "All is as it was. The program is $fdump; 'fdump --help' says more."
