#!/bin/sh
# Installs what the tests need, builds, and runs all of them. Ends in a count.
#   test/run.sh [ctest options]     BUILD=DIR and CC=COMPILER as environment
set -eu
cd "$(dirname "$0")/.."

packaging/quickstart.sh --deps libcmocka-dev python3 strace tzdata
build=${BUILD:-build/test}
cmake -S . -B "$build" -DFDUMP_WERROR=ON >/dev/null
cmake --build "$build" -j "$(nproc)"

out=$(mktemp)
trap 'rm -f "$out"' EXIT
status=0
ctest --test-dir "$build" -j "$(nproc)" --output-on-failure "$@" >"$out" 2>&1 || status=$?
cat "$out"
# The count, from ctest's own lines.
awk '
	/ Test +#/ && / Passed /        { passed++ }
	/ Test +#/ && /\*\*\*Skipped/   { skipped++; next }
	/ Test +#/ && /\*\*\*/          { failed++ }
	END { printf "%d passed, %d failed, %d skipped\n", passed, failed, skipped }' "$out"
exit $status
