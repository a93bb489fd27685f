# Goal: the value of an option is checked by its type, with the same form of message for all:
# --NAME, and the expected value. An option that the verb does not have is refused.
. "$(dirname "$0")/lib.sh"
workspace

refuses() { # TEXT ARGUMENTS
	local text=$1 status=0
	shift
	"$FDUMP" "$@" >out 2>err </dev/null || status=$?
	[ $status = 2 ] && [ ! -s out ] && grep -qF -e "$text" err || fail "$*: status $status: $(cat err)"
	grep -q "^Try 'fdump $1 --help'" err || fail "$*: does not say where the help is"
}
mkdir t
"$FDUMP" store init s

for n in 0 20 -1 x 1x 1.5 '' 99999999999999999999; do
	refuses "--copies: expected a number from 1 to " backup -s ./s --unencrypted --copies "$n" t
done
refuses "--level: expected a number from 0 to 19" pack --level 20 t
refuses "--threads: expected a number from 1 to 64" list --threads 0
for t in 3 1x -1d d ''; do
	refuses "--lock-wait: expected a time like " forget -s ./s -n --keep-last 1 --lock-wait "$t"
done
refuses "--valid: expected a time like 10m, 12h or 7d, at most 7d" token agent web1 --valid 8d
refuses "--for: expected a time" store scrub s --for 0s
refuses "--rate: expected a size like " store scrub s --rate 10X
refuses "--overwrite: expected one of always|if-changed|if-newer|never" unpack --overwrite often
refuses "--agent 'Web_1': not a name" runs --agent Web_1
refuses "--config '': empty path" hosts --config ''
refuses "--level needs a value" pack t --level
refuses "unrecognized option '--levle'" pack --levle 1 t
refuses "unrecognized option '-Z'" pack -Z t
refuses "--reserve: can't be used with 'gc'" store gc s --reserve 1M
refuses "--rate: can't be used without a verb" store --rate 1M
refuses "--keys: can't be used with 'agent'" token agent web1 --keys t
refuses "expected no arguments" hosts web1
refuses "expected [PATTERN] (a store is given as -s STORE)" dumps nas1 backup
refuses "quota: expected DIR AGENT SIZE|none" store quota s web1
# An unambiguous beginning of an option's name stands for it, as with getopt_long.
"$FDUMP" pack --lev 3 --rep -f p t && "$FDUMP" verify p >out || fail "abbreviated"
