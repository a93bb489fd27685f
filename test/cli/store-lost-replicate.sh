# Goal: replicate also brings back dumps whose records were in a lost volume; a scrub and a rebuild
# after it find nothing; if something can't be repaired replicate ends with status 5. gc forgets a
# lost volume that nothing needs.
. "$(dirname "$0")/lib.sh"
workspace
fdump() { "$FDUMP" "$@"; }
fail() { echo "$*"; cat out err; exit 1; }
back() { fdump backup --unencrypted --state state -C tree . "$@" >/dev/null; }

mkdir tree
for store in one two; do fdump store init $store; done
for n in 1 2 3; do
	head -c 300000 /dev/urandom >tree/$n
	back -s ./one -s ./two
done
# A dump that was deleted by a record in the lost volume stays deleted.
gone=$(fdump dumps -s ./one | sed -n '1s/ .*//p')
fdump forget -s ./one "$gone" --yes >/dev/null
cp -a one deleted
for when in scrubbed not cut; do
	rm -r one
	cp -a deleted one
	if [ $when = cut ]; then truncate -s 450000 one/volumes/*; else rm one/volumes/*; fi
	if [ $when = scrubbed ]; then
		status_of fdump store scrub one
		[ $status = 5 ] || fail "scrub: status $status"
		grep -q replicate err || fail "scrub does not say what repairs it"
	fi
	status_of fdump store replicate --from ./two one
	[ $status = 0 ] || fail "replicate, $when: status $status"
	[ $when = cut ] || grep -q '^2 dumps, ' out || fail "not two dumps"
	for verb in scrub rebuild; do
		status_of fdump store $verb one
		[ "$status" = 0 ] && [ ! -s err ] || fail "$verb after it, $when: status $status"
	done
	[ "$(fdump dumps -s ./one | wc -l)" = 2 ] || fail "not two dumps in it"
	status_of fdump verify one
	[ $status = 0 ] || fail "verify: status $status"
	status_of fdump store replicate --from ./two one
	grep -q '^0 dumps, 0 chunks' out || fail "copied twice"
	[ $status = 0 ] || fail "replicate again: status $status"
done

# A dump that the other store does not have.
back -s ./one --name alone
rm one/volumes/*
for n in 1 2; do
	status_of fdump store replicate --from ./two one
	[ $status = 5 ] || fail "can't be repaired, run $n: status $status"
	grep -q "its record can't be read" err || fail "does not say which dump"
done
lost=$(sed -n "s/.*dump \([0-9a-f]*\).*its record can't be read.*/\1/p" err)
fdump forget -s ./one "$lost" --yes >/dev/null
status_of fdump store gc one
[ $status = 0 ] || fail "gc: status $status"
status_of fdump store scrub one
[ $status = 0 ] && [ ! -s err ] || fail "scrub after gc: status $status"
[ "$(fdump dumps -s ./one | wc -l)" = 2 ] || fail "not two dumps at the end"
