#!/bin/bash
# Goal: an entry that was incomplete when it was packed or backed up is named when it is taken out
# again (status 1), and taking it out is no failure (status 2).
. "$(dirname "$0")/lib.sh"
workspace
fail() { echo "$*"; cat said; exit 1; }
as=()
if [ "$(id -u)" = 0 ]; then
	needs setpriv
	as=(setpriv --reuid=65534 --regid=65534 --clear-groups)
	chown 65534:65534 "$work"
fi
user() { "${as[@]}" "$FDUMP" "$@"; }
run() { # STATUS ARGUMENTS
	want=$1
	shift
	status=0
	user "$@" >out 2>said || status=$?
	[ "$status" = "$want" ] || fail "$*: status $status, not $want"
}

mkdir -p tree
echo a >tree/a
echo b >tree/b
ln tree/b tree/link
chmod 0 tree/b
printf '#!/bin/sh\necho part\nexit 3\n' >part
chmod +x part
[ "$(id -u)" != 0 ] || chown -R 65534:65534 tree
run 0 store init s
run 1 pack -f p --command "c=./part" tree
run 1 backup -s ./s --unencrypted --state state --command "c=./part" tree
for how in "packed unpack -f p" "backed+up restore -s ./s --state state latest"; do
	made=${how%% *}
	# shellcheck disable=SC2086 # words
	{
		rm -rf o
		mkdir -m 777 o
		run 1 ${how#* } -C o
		grep -q "tree/b: not restored: it could not be read when it was ${made/+/ }" said || fail "$how: b not reported"
		grep -q "c: not restored: the command failed with status 3" said || fail "$how: c not reported"
		grep -q "tree/link: not restored: the entry that it is a hard link to was not restored" said || fail "$how: link not reported"
		[ "$(ls o/tree)" = a ] || fail "$how: not a alone"
		[ ! -e o/c ] || fail "$how: part of the output"
		run 1 ${how#* } -C o --json
		grep -q '"missing":3' out || fail "$how: $(cat out)"
		# It is not linked to the file that was there before.
		echo old >o/tree/b
		chmod 666 o/tree/b
		run 1 ${how#* } -C o
		[ ! -e o/tree/link ] || fail "$how: a link to something else"
		# A failure while taking it out counts more.
		rm -rf o/tree
		mkdir -p o/tree/a/x
		run 2 ${how#* } -C o
	}
done
for from in "-f p" "-s ./s latest"; do
	# shellcheck disable=SC2086
	run 1 cat $from c
	[ "$(cat out)" = part ] || fail "cat $from: not what there is"
done
