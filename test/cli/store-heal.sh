# Goal: damage in a store is found and named, replaced from another store during a restore, and
# repaired by replicate and by the next backup; garbage is given back; a lost index is rebuilt.
. "$(dirname "$0")/lib.sh"
workspace
fdump() { "$FDUMP" "$@"; }
# Changes a byte of the only volume of a store.
flip() {
	python3 - "$1/volumes/00000001.vol" "$2" <<'END'
import sys
with open(sys.argv[1], "r+b") as f:
    f.seek(int(sys.argv[2]))
    b = f.read(1)[0]
    f.seek(int(sys.argv[2]))
    f.write(bytes([b ^ 1]))
END
}

mkdir tree
head -c 6000000 /dev/urandom >tree/a
head -c 6000000 /dev/urandom >tree/b
mkdir tree/many
for i in $(seq 200); do echo "file $i" >tree/many/$i; done
fdump store init one
fdump store init two
back() { fdump backup --unencrypted --state state -C tree . "$@"; }
back -s ./one -s ./two >/dev/null

# Different blocks of the two stores.
flip one 1000000
flip two 9000000
for s in one two; do
	status_of fdump verify $s
	[ $status = 5 ] || fail "verify $s: status $status"
	mkdir out-$s
	status_of fdump restore -s ./$s latest -C out-$s
	[ $status = 5 ] || fail "restore from $s: status $status"
	grep -qE 'restore: (a|b):' err || fail "does not say which file: $(cat err)"
done
mkdir whole
for s in one two; do cp -a $s $s-mended; done # a restore repairs the stores
fdump restore -s ./one-mended -s ./two-mended latest -C whole 2>err || fail "restore from both: status $?"
diff -r tree whole

# Scrub marks the damage; replicate repairs it, in either direction.
for s in one two; do
	status_of fdump store scrub $s
	[ $status = 5 ] || fail "scrub $s: status $status"
done
fdump store replicate --from ./two one >/dev/null
fdump verify one >/dev/null || fail "one is not complete again"
fdump store replicate --from ./one two >/dev/null
fdump verify two >/dev/null || fail "two is not complete again"

# The next backup also repairs, if it reads the files.
flip one 3000000
status_of fdump store scrub one
[ $status = 5 ] || fail "scrub: status $status"
back -s ./one >/dev/null 2>err || fail "backup: status $?"
fdump verify one >/dev/null || fail "the backup did not repair it"

# A lost index.
rm one/index/*
status_of fdump dumps -s ./one
[ $status != 0 ] || fail "dumps without an index"
fdump store rebuild one >/dev/null 2>&1 || [ $? = 5 ] || fail "rebuild: status $?"
fdump verify one >/dev/null || fail "rebuilt, but incomplete"

# Garbage: the space of deleted dumps is given back.
for i in 1 2 3; do
	head -c 20000000 /dev/urandom >tree/a
	back -s ./two >/dev/null
done
fdump forget -s ./two --keep-last 1 --yes >/dev/null
before=$(du -s ./two | cut -f1)
fdump store gc two --dry-run --json | grep '"id": *"store.gc"' | grep -q '"dry_run": *true' ||
	fail "gc --dry-run --json"
fdump store gc two --json >out
grep '"volumes": *[1-9]' out | grep '"damaged": *0' | grep -q '"bytes": *[0-9]\{8,\}' ||
	fail "gc --json: $(cat out)"
after=$(du -s ./two | cut -f1)
[ $((before - after)) -gt 30000 ] || fail "gc gave back $((before - after)) KiB"
fdump verify two >/dev/null || fail "gc broke it"
rm -rf whole
mkdir whole
fdump restore -s ./two latest -C whole
diff -r tree whole

# A locked dump stays.
back -s ./two --lock 1d >/dev/null
back -s ./two >/dev/null
status_of fdump forget -s ./two --keep-last 1 --yes
[ $status = 1 ] || fail "forget of a locked one: status $status"
[ "$(fdump dumps -s ./two | wc -l)" = 2 ] || fail "a locked dump is gone"

# An incomplete dump is named by agent, name and time.
fdump store init three
back -s ./three --name nightly >/dev/null
flip three 1000000
for how in "verify three" "store scrub three" "verify --json three" "store scrub --json three"; do
	# shellcheck disable=SC2086 # words
	status_of fdump $how
	[ $status = 5 ] || fail "$how: status $status"
	case $how in
	*json*) grep '"type": *"problem"' out | grep '"what": *"incomplete' |
		grep '"name": *"nightly"' | grep -q '"began": *[0-9]' ;;
	*) grep -qE "dump [0-9a-f]{12} \([^ ]+/nightly, 20[0-9-]+ [0-9:]+\): incomplete" err ;;
	esac || fail "$how does not name the dump: $(cat out err)"
done
grep '"type": *"result"' out | grep -q '"incomplete": *1' || fail "scrub --json: $(cat out)"

# A missing store is reported once, as missing.
status_of fdump restore -s ./two -s ./none latest -C whole nonesuch
[ $status = 2 ] || fail "a path that is not there: status $status"
grep -q "nonesuch: not in the dump" err || fail "not reported: $(cat err)"
status_of fdump dumps -s ./none -s ./nor
[ "$(grep -c "nor: not an FDump store" err)" = 1 ] || fail "not once: $(cat err)"
status_of fdump backup --unencrypted --state state -C tree -s ./none -s ./nor .
[ "$(grep -c "left behind: .*nor: not an FDump store" err)" = 1 ] || fail "not once: $(cat err)"
