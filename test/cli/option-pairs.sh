# Goal: options that can't be combined are wrong usage, with a fitting message; none is silently
# ignored.
. "$(dirname "$0")/lib.sh"
workspace
wrong() { # TEXT ARGUMENTS
	text=$1
	shift
	status=0
	"$FDUMP" "$@" >out 2>err </dev/null || status=$?
	[ $status = 2 ] && grep -q -e "$text" err || { echo "$*: status $status"; cat err; exit 1; }
}
"$FDUMP" store init a
wrong '-C and --in-place exclude each other' restore -s ./a latest -C b --in-place
wrong '-C and --in-place exclude each other' restore -s ./a latest -C b --in-place --dry-run
wrong 'no target given' restore -s ./a latest
wrong '--tz goes with --schedule' store scrub a --tz UTC
wrong '--tz' cron check --tz UTC @daily
wrong '--from' cron check --from 2026-11-23 @daily
wrong '--count' cron explain -n 1 @daily
"$FDUMP" cron explain --seed x @daily >out
"$FDUMP" store scrub a --rate 0 >out
