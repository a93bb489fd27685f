#!/bin/bash
# Runs every configuration of the tests, prints a line for each, and a summary.
#   test/all.sh [NAME...]     default: all, in this order
#
#   lint      shell syntax and shellcheck, Python syntax
#   format    clang-format
#   layers    who includes what
#   gcc       test/run.sh
#   clang     test/run.sh with clang
#   asan      test/run.sh with address and undefined behaviour sanitizers
#   tsan      test/run.sh with the thread sanitizer
#   valgrind  unit tests and the quick command line tests under valgrind
#   fuzz      libFuzzer targets, FUZZ_SECONDS (10) each from their corpus
#   campaign  the tests that run a sample in test/run.sh, whole (20 minutes or more)
#   release   optimised, installed into a scratch root, run from there
#   debian12  in a fresh root of Debian 12, with nothing but compilers and
#   debian13  cmake: both set-up commands as root, then the tests as a user
#   clean     nothing was left behind in the source tree
#
# The output of each is in build/all/NAME.log. Build folders are kept and used
# again. Exit status: 0 all passed or were skipped, 1 something failed.
set -u
cd "$(dirname "$0")/.." || exit 1
all="lint format layers gcc clang asan tsan valgrind fuzz campaign release debian12 debian13 clean"
logs=$PWD/build/all
mkdir -p "$logs"
git_before=$(git status --porcelain)
scratch=$(mktemp -d -p /var/tmp)
trap 'rm -rf "$scratch"' EXIT

# The functions below run with set -e. The last line that a function prints is shown as its result;
# status 77 means skipped.

skip() {
	echo "$*"
	exit 77
}

want() {
	command -v "$1" >/dev/null || skip "no $1"
}

do_lint() {
	local f shell bad=0
	for f in $(git ls-files '*.sh' .ci/run); do
		shell=bash
		! head -n 1 "$f" | grep -q '^#!/bin/sh' || shell="sh"
		$shell -n "$f" || bad=1
		! command -v shellcheck >/dev/null ||
			shellcheck -x -P SCRIPTDIR -s $shell -S warning -e SC2034,SC2165,SC2167,SC2238 "$f" || bad=1
	done
	for f in $(git ls-files '*.py'); do
		python3 -c 'import sys; compile(open(sys.argv[1]).read(), sys.argv[1], "exec")' "$f" ||
			bad=1
	done
	command -v shellcheck >/dev/null || echo "without shellcheck"
	[ $bad = 0 ]
}

do_format() {
	want clang-format
	git ls-files '*.c' '*.h' | xargs clang-format --dry-run -Werror
	clang-format --version
}

do_layers() {
	bash test/cli/layers.sh
}

do_gcc() {
	BUILD=build/all/gcc CC=gcc test/run.sh
}

do_clang() {
	want clang
	BUILD=build/all/clang CC=clang test/run.sh
}

# Benchmarks of time and memory are meaningless under these tools.
do_asan() {
	BUILD=build/all/asan OPTIONS=-DFDUMP_SANITIZE=address,undefined test/run.sh -E '^bench/'
}

do_tsan() {
	# Runs without address space randomisation, which this sanitizer can't cope with. Tests of
	# progress that is shown after some seconds are meaningless here.
	BUILD=build/all/tsan OPTIONS=-DFDUMP_SANITIZE=thread setarch -R \
		test/run.sh -E '^bench/|^unit/cron|^cli/progress'
}

do_valgrind() {
	want valgrind
	packaging/quickstart.sh --deps libcmocka-dev python3 tzdata valgrind
	local build=$logs/gcc t name failed="" count=0
	[ -x "$build/fdump" ] || BUILD=$build CC=gcc test/run.sh -N
	local valgrind="valgrind -q --error-exitcode=99 --leak-check=full --child-silent-after-fork=yes"
	for t in "$build"/test/unit-*; do
		name=${t##*/}
		case $name in
		unit-cron_brute | unit-tz) continue ;; # an hour each
		unit-store-dump | unit-store-volume) ;;
		unit-store-*) continue ;; # no address space for the index's map
		esac
		echo "== $name"
		$valgrind "$t" || failed="$failed $t"
		count=$((count + 1))
	done
	printf '#!/bin/sh\nexec %s "%s" "$@"\n' "$valgrind" "$build/fdump" >"$scratch/fdump"
	chmod +x "$scratch/fdump"
	for name in key-new key-show key-usage pack verify-good unpack list cat diff; do
		for t in test/cli/"$name"*.sh; do
			[ -e "$t" ] || continue
			[ "${t##*/}" != list-seek.sh ] || continue # counts bytes read
			! grep -q 'store init' "$t" || continue    # as unit-store-*
			echo "== $t"
			FDUMP=$scratch/fdump SRC=$PWD BUILD=$build bash "$t" || [ $? = 77 ] ||
				failed="$failed $t"
			count=$((count + 1))
		done
	done
	echo "$count programs${failed:+, failed:$failed}"
	[ -z "$failed" ]
}

do_fuzz() {
	want clang
	local build=$logs/fuzz t name count=0 seconds=${FUZZ_SECONDS:-10}
	packaging/quickstart.sh --deps libcmocka-dev python3
	cmake -S . -B "$build" -DCMAKE_C_COMPILER=clang -DFDUMP_WERROR=ON -DFDUMP_FUZZ=ON \
		-DFDUMP_SANITIZE=address,undefined
	cmake --build "$build" -j "$(nproc)"
	for t in "$build"/test/fuzz-*; do
		name=${t##*/fuzz-}
		echo "== $name"
		mkdir "$scratch/$name"
		"$t" -max_total_time="$seconds" -timeout=20 -artifact_prefix="$scratch/" \
			-print_final_stats=1 "$scratch/$name" "test/fuzz/corpus/$name" ||
			{ cp -v "$scratch"/*-* "$logs"; false; }
		count=$((count + 1))
	done
	echo "$count targets, $seconds s each"
}

do_campaign() {
	BUILD=build/all/campaign OPTIONS=-DFDUMP_CAMPAIGNS=ON test/run.sh -L campaign
}

do_release() {
	local build=$logs/release root=$scratch/root fdump
	packaging/quickstart.sh --deps
	cmake -S . -B "$build" -DCMAKE_BUILD_TYPE=Release -DFDUMP_TESTS=OFF -DFDUMP_WERROR=ON \
		-DCMAKE_INSTALL_PREFIX=/usr
	cmake --build "$build" -j "$(nproc)"
	DESTDIR=$root cmake --install "$build"
	(cd "$root" && find . -type f | sort)
	fdump=$root/usr/bin/fdump
	! readelf -d "$fdump" | grep -E 'RPATH|RUNPATH'
	ln -s fdump "$root/usr/bin/fdump-pack"
	"$fdump" --version
	cp -a cmd "$scratch/tree"
	(
		cd "$scratch"
		"$root/usr/bin/fdump-pack" -f p.fdump tree
		"$fdump" verify p.fdump
		"$fdump" list -f p.fdump >list
		[ "$(wc -l <list)" = "$(find tree | wc -l)" ]
		mkdir out
		"$fdump" unpack -f p.fdump -C out
		diff -r tree out/tree
		"$fdump" diff -f p.fdump
	)
	[ ! -d "$root/usr/share/man" ] || [ "$(find "$root/usr/share/man" -name 'fdump*.1' | wc -l)" = \
		"$(find packaging/man -name '*.scd' | wc -l)" ]
	echo "$(stat -c %s "$fdump") bytes, $(find "$root" -type f | wc -l) files installed"
}

# in_root SUITE: runs the set-up commands and the tests in a fresh root.
in_root() {
	local root=$scratch/$1 include=gcc,clang,cmake
	[ "$(id -u)" = 0 ] || skip "wants root"
	want mmdebstrap
	mmdebstrap --quiet --variant=minbase --include=$include "$1" "$root"
	mkdir "$root/fdump"
	git ls-files -co --exclude-standard | tar -cf - -T - | tar -C "$root/fdump" -xf -
	# The namespace takes the mounts with it when it ends.
	# shellcheck disable=SC2016
	unshare --mount sh -eu -c '
		mount --rbind /dev "$1/dev" && mount --make-rslave "$1/dev"
		mount -t proc proc "$1/proc"
		mount -t sysfs sysfs "$1/sys"
		exec chroot "$1" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root \
			sh -eu -c "$2"' sh "$root" '
		cd /fdump
		packaging/quickstart.sh
		packaging/quickstart.sh --deps
		bad=0
		test/run.sh || bad=1
		echo "== clang"
		BUILD=build/clang CC=clang test/run.sh || bad=1
		echo "== as a user"
		chown -R nobody build
		setpriv --reuid=nobody --regid=nogroup --clear-groups env HOME=/tmp test/run.sh || bad=1
		exit $bad'
}

do_debian12() {
	in_root bookworm
}

do_debian13() {
	in_root trixie
}

do_clean() {
	local after
	after=$(git status --porcelain)
	echo "$after"
	[ "$after" = "$git_before" ]
	[ -z "$after" ] || echo "as before, but there are changes"
}

ok=0 failed=0 skipped=0
[ $# -gt 0 ] || eval "set -- $all"
for name in "$@"; do
	case " $all " in
	*" $name "*) ;;
	*)
		echo "test/all.sh: no configuration '$name'; there are: $all" >&2
		exit 2
		;;
	esac
	start=$SECONDS
	(
		set -e
		"do_$name"
	) >"$logs/$name.log" 2>&1 </dev/null
	case $? in
	0)
		word="ok" ok=$((ok + 1))
		;;
	77)
		word="skipped" skipped=$((skipped + 1))
		;;
	*)
		word="FAILED" failed=$((failed + 1))
		;;
	esac
	printf '%-9s %-8s %4d s  %s\n' "$name" "$word" $((SECONDS - start)) \
		"$(tail -n 1 "$logs/$name.log" | cut -c 1-100)"
	[ $word != FAILED ] || echo "          see build/all/$name.log"
done
echo "$ok ok, $failed failed, $skipped skipped"
[ $failed = 0 ]
