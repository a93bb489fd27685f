#!/bin/sh
# Runs the property test of cron/ against brute force over many random
# schedules, in chunks, each with its own seed.
#   test/cron-campaign.sh [SCHEDULES [FIRST SEED]]     BUILD=DIR as environment
set -eu
cd "$(dirname "$0")/.."
total=${1:-105000}
seed=${2:-1000}
chunk=21000
test=${BUILD:-build/test}/test/unit-cron_brute
[ -x "$test" ] || {
	echo "$test is not there; run test/run.sh first" >&2
	exit 2
}
done=0
while [ "$done" -lt "$total" ]; do
	echo "seed $seed: $("$test" "$chunk" "$seed")"
	done=$((done + chunk))
	seed=$((seed + 1))
done
echo "$done schedules in all"
