#!/bin/bash
# Goal: whatever root does to another user's store, all files in it belong to that user, who can go
# on alone, whichever command made them.
. "$(dirname "$0")/lib.sh"
needs root setpriv
workspace
user=65534
chmod 755 "$work"
mkdir mine tree
chown $user:$user mine
FDUMP_HOME=$work/home
mkdir "$FDUMP_HOME" && chown $user "$FDUMP_HOME"
cp "$FDUMP" fdump && chmod 755 fdump
for i in $(seq 40); do head -c 40000 /dev/urandom >tree/$i; done
chmod -R a+rX tree
key=$work/key
"$FDUMP" key new --no-passphrase "$key" >/dev/null && chmod 644 key.pub

as_user() {
	setpriv --reuid $user --regid $user --clear-groups env HOME="$FDUMP_HOME" "$work/fdump" "$@" >out 2>&1 ||
		fail "as the user: $*: status $?: $(cat out)"
}
theirs() { # WHAT: no file is root's
	[ -z "$(find mine ! -user $user -o ! -group $user)" ] || fail "after $1: $(find mine ! -user $user -ls)"
}
everything() { # WHAT: after it the user can do everything
	theirs "$1"
	echo "$1" >tree/note
	as_user backup -s mine/s --unencrypted --state "$FDUMP_HOME/state" -C tree .
	as_user dumps -s mine/s
	as_user restore -s mine/s latest --any-origin -C "$FDUMP_HOME" -n
	as_user store scrub mine/s
	as_user store gc mine/s --threshold 1
	as_user verify mine/s
	theirs "the user, after $1"
}

mkdir mine/s && chown $user:$user mine/s
"$FDUMP" store init mine/s >/dev/null
everything "store init"
"$FDUMP" backup -s mine/s --to key.pub --state state -C tree . >/dev/null
everything backup
rm mine/s/lock mine/s/index/lock.mdb
"$FDUMP" dumps -s mine/s >/dev/null
everything "dumps without a lock file"
rm mine/s/lock
"$FDUMP" store scrub mine/s >/dev/null
everything "store scrub"
"$FDUMP" store quota mine/s host 1T >/dev/null
everything "store quota"
"$FDUMP" store trust-clock mine/s
everything "store trust-clock"
"$FDUMP" forget -s mine/s --keep-last 1 --yes >/dev/null
everything forget
"$FDUMP" store gc mine/s --threshold 1 >/dev/null
everything "store gc"
"$FDUMP" store rebuild mine/s >/dev/null
everything "store rebuild"
rm mine/s/identity mine/s/fdump-store
"$FDUMP" store rebuild mine/s >/dev/null 2>&1
everything "store rebuild, with a new identity"
"$FDUMP" store init two >/dev/null
"$FDUMP" backup -s ./two --unencrypted --state state --agent other -C tree . >/dev/null
"$FDUMP" store replicate --from ./two mine/s >/dev/null
everything "store replicate"
