#!/bin/sh
# Installs what the tests need, builds, runs all of them, and ends with a count.
#   test/run.sh [ctest options]
# Environment: BUILD=DIR (build/test), CC=COMPILER and OPTIONS=CMAKE-OPTIONS
# (both only for a new BUILD).
set -eu
cd "$(dirname "$0")/.."

packaging/quickstart.sh --deps libcmocka-dev e2fsprogs mount openssl python3 python3-lmdb scdoc strace tzdata
build=${BUILD:-build/test}
# shellcheck disable=SC2086
cmake -S . -B "$build" -DFDUMP_TESTS=ON -DFDUMP_WERROR=ON ${OPTIONS:-} >/dev/null
cmake --build "$build" -j "$(nproc)"

out=$(mktemp)
trap 'rm -f "$out"' EXIT
# ctest's output is shown as it comes, and counted afterwards.
{
	ctest --test-dir "$build" -j "$(nproc)" --output-on-failure --no-tests=error "$@" 2>&1 &&
		echo "ctest: 0" || echo "ctest: $?"
} | tee "$out" | grep --line-buffered -v '^ctest: '
awk '
	/ Test +#/ && / Passed /        { passed++ }
	/ Test +#/ && /\*\*\*Skipped/   { skipped++; next }
	/ Test +#/ && /\*\*\*/          { failed++ }
	END {
		printf "%d passed, %d failed", passed, failed
		printf skipped ? ", %d skipped\n" : "\n", skipped
	}' "$out"
exit "$(sed -n 's/^ctest: //p' "$out" | tail -n 1)"
