#!/bin/bash
# Goal: the time that `fdump dumps` prints is the one that NAME@TIME selects by: the time of the
# commit, at the end of the backup. A day or a minute means its end; Z is UTC.
. "$(dirname "$0")/lib.sh"
workspace
export TZ=Asia/Tokyo
fail() { echo "$*"; cat out; exit 1; }
# NAME@TIME selects the dump with this text in its file, or none.
is() {
	said=$("$FDUMP" cat -s ./s "$1" f 2>out) || true
	[ "$said" = "$2" ] || fail "$1: $said, not $2"
}
before() { date "${@:3}" -d "@$(($(date -d "$1" +%s) - $2))" "+%FT%T"; }

mkdir t
"$FDUMP" store init s
echo 1 >t/f
"$FDUMP" backup -s ./s --unencrypted --state state -C t f --command 'slow=sleep 1.2' >/dev/null
echo 22 >t/f
"$FDUMP" backup -s ./s --unencrypted --state state -C t f --command 'slow=sleep 1.2' >/dev/null
"$FDUMP" dumps -s ./s >out
first=$(sed -n '1s/^[0-9a-f]*  \([-0-9]* [:0-9]*\).*/\1/p' out)
second=$(sed -n '2s/^[0-9a-f]*  \([-0-9]* [:0-9]*\).*/\1/p' out)
is "backup@$first" 1
is "backup@${first/ /T}" 1
is "backup@$second" 22
is "backup@$(before "$first" 1)" ""
is "backup@$(before "$second" 1)" 1
is "backup@$(before "$first" 0 -u)Z" 1
is "backup@$(before "$first" 1 -u)Z" ""
is "backup@${second%:*}" 22
is "backup@${second% *}" 22
yesterday=$(before "$first" 86400)
is "backup@${yesterday%T*}" ""
