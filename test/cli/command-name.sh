#!/bin/sh
# Goal: an entry whose name is that of a command's output is left out and reported; the output is
# never lost.
. "$(dirname "$0")/lib.sh"
workspace
fail() { echo "$*"; cat said; exit 1; }

mkdir -p m/d
echo file >m/a
echo more >m/d/x
ln -s d m/l
"$FDUMP" store init s 2>/dev/null

# Packs or backs up m with a command of this name; some entries are in its way, others are not.
try() { # NAME LEFT-OUT ENTRIES
	status=0
	"$FDUMP" pack -f p --exclude '*.no' --command "$1=echo output" m 2>said || status=$?
	[ $status = 1 ] || fail "pack, $1: status $status"
	grep -q "^fdump pack: $2: is where the output of a --command goes: left out" said || fail "pack, $1: not reported"
	[ "$("$FDUMP" list -f p | tr '\n' ' ')" = "$3" ] || fail "pack, $1: $("$FDUMP" list -f p)"
	"$FDUMP" verify p >/dev/null 2>&1 || fail "pack, $1: verify"
	[ "$("$FDUMP" cat -f p "$1")" = output ] || fail "pack, $1: cat"

	for again in 1 2; do
		status=0
		"$FDUMP" backup -s ./s --unencrypted --state state --command "$1=echo output" m >/dev/null 2>said || status=$?
		[ $status = 1 ] || fail "backup $again, $1: status $status"
		grep -q "^fdump backup: $2: is where" said || fail "backup $again, $1: not reported"
		rm -rf out && mkdir out
		"$FDUMP" restore -s ./s --state state latest -C out 2>said || fail "restore $again, $1"
		[ "$(cat "out/$1")" = output ] || fail "restore $again, $1: not the output"
	done
}
try m/a m/a "m/a m m/d m/d/x m/l "
try m m "m "
try m/d m/d "m/d m m/a m/l "
try m/a/dump m/a "m/a/dump m m/d m/d/x m/l "
try m/l/dump m/l "m/l/dump m m/a m/d m/d/x "

# A PATH below the command's name.
status=0
"$FDUMP" pack -f p --command "m=echo output" m/a m/d/x 2>said || status=$?
[ $status = 1 ] || fail "PATH below: status $status"
[ "$(grep -c "is where" said)" = 2 ] || fail "PATH below: not reported"
[ "$("$FDUMP" list -f p)" = m ] || fail "PATH below: list"

# Not in the way: a directory that contains the output, excluded entries, names with the same
# beginning.
"$FDUMP" pack -f p --exclude /m/a --command "m/a=echo output" --command "m/dd=echo other" m 2>said || fail "excluded"
[ "$("$FDUMP" list -f p | tr '\n' ' ')" = "m/a m/dd m m/d m/d/x m/l " ] || fail "excluded: list"
