# Goal: if the reader of a listing has enough (head) that is no error: there is no message, and the
# status is that of a completed listing.
. "$(dirname "$0")/lib.sh"
workspace
mkdir t
(cd t && for i in $(seq 3000); do : >"a-name-that-is-long-enough-to-fill-what-a-pipe-holds-$i"; done)
"$FDUMP" store init s
"$FDUMP" backup -s ./s --unencrypted --state state -C t . >/dev/null
"$FDUMP" pack -f p.fdump -C t .
mkdir none
head_of() { # STATUS COMMAND...
	{ got=0; "$FDUMP" "${@:2}" 2>err || got=$?; echo $got >status; } | head -n 1 >/dev/null
	[ "$(cat status)" = "$1" ] && [ ! -s err ] || fail "${*:2}: status $(cat status): $(cat err)"
}
head_of 0 list -f p.fdump
head_of 0 list -f p.fdump --json
head_of 0 files -s ./s latest
head_of 0 files -s ./s latest -v
head_of 0 find -s ./s '*'
head_of 0 cron next -n 5000 '* * * * *'
head_of 1 diff -f p.fdump -C none
head_of 0 restore -s ./s -n latest
head_of 0 restore -s ./s -n latest --json

# A fleet's lists: the reader is gone before anything is written.
fleet
manager=$pid
gone() { # STATUS COMMAND...
	touch reader
	{ await 10 test ! -e reader; got=0; m1 "${@:2}" 2>err || got=$?; echo $got >status; } |
		sh -c 'exec <&-; rm reader'
	[ "$(cat status)" = "$1" ] && [ ! -s err ] || fail "${*:2}: status $(cat status): $(cat err)"
}
for command in status hosts runs; do
	for form in "" --json; do
		# shellcheck disable=SC2086 # a word or none
		gone 0 $command $form
	done
done
kill "$manager"
wait "$manager" || :
