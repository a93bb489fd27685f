# Goal: a store that lies is caught: chunks exchanged, an old dump presented as the newest, an
# altered list, a missing chunk. The affected entries are named; the others are right.
. "$(dirname "$0")/lib.sh"
needs python3
workspace
fail() { echo "$how: $*"; cat out err; exit 1; }
mkdir tree
for f in a b c; do head -c 300000 /dev/urandom >tree/$f; done
echo small >tree/small
"$FDUMP" key new --no-passphrase key >/dev/null
"$FDUMP" store init honest
for i in 1 2; do
	echo $i >tree/changed
	"$FDUMP" backup -s ./honest --to key.pub --state state -C tree . >/dev/null
done

lie() { # sets how; makes the store
	how=$1
	rm -rf store back
	cp -a honest store
	python3 "$SRC/test/liar.py" store "$how"
	"$FDUMP" store rebuild store >/dev/null 2>&1 || [ $? = 5 ]
	mkdir back
	status_of "$FDUMP" restore --state state -s ./store --key key latest -C back
}

lie swap
[ $status = 5 ] || fail "status $status"
grep -qE 'restore: [abc]:' err || fail "does not name a file"
[ "$(cat back/small)" = small ] || fail "an untouched entry is wrong"
for f in a b c; do # every file that has its name has the right content
	[ ! -e back/$f ] || cmp back/$f tree/$f || fail "a wrong file was put in place"
done
status_of "$FDUMP" verify --key key store
[ $status = 5 ] || fail "verify: status $status"

lie relabel
[ $status = 5 ] || [ $status = 6 ] || fail "status $status"
grep -q 'not authentic' err || fail "does not say why"
[ ! -e back/changed ] || fail "the old dump passed for the new one"

for how in list cut; do
	lie $how
	[ $status = 5 ] || fail "status $status"
	grep -q 'not authentic' err || fail "does not say why"
done

lie lose
[ $status = 5 ] || fail "status $status"
grep -qE 'restore: [abc]:' err || fail "does not name the file"
[ "$(ls back | wc -l)" = 4 ] || fail "the others are not there"
status_of "$FDUMP" verify store # this needs no key
[ $status = 5 ] || fail "verify: status $status"
