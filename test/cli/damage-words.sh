# Goal: a message about damage says which entry is lost, where, why, and what to do: once for each
# entry, by unpack and verify of packs, and by restore, cat, export, diff and verify of stores.
. "$(dirname "$0")/lib.sh"
workspace
fail() { echo "$*"; cat out err; exit 1; }
run() { # STATUS COMMAND...
	local want=$1 status=0
	shift
	"$FDUMP" "$@" >out 2>err || status=$?
	[ $status = "$want" ] || fail "$*: status $status, not $want"
}
says() { grep -qE "$1" "${2-err}" || fail "does not say: $1"; }
once() { [ "$(cat out err | grep -c "$1")" = 1 ] || fail "not once: $1"; }
hurt() { printf 'damage' | dd of="$1" bs=1 seek="$2" conv=notrunc 2>/dev/null; }

mkdir tree back
head -c 5000000 /dev/urandom >tree/big
echo small >tree/small
touch -d '10 seconds ago' tree/*

# A pack with a damaged block, one that is cut, and a file that is not a pack.
"$FDUMP" pack -f whole -C tree .
cp whole hurt
hurt hurt 2500000
head -c 3000000 whole >cut
echo text >none
run 5 unpack -f hurt -C back
says 'offset [0-9]+: ENTRY block [0-9]+: the payload.s checksum does not match \(what is in it is lost\)'
says 'offset [0-9]+: big: lost: part of it is in a block that is damaged or missing'
says 'stopped at damage .*--skip-damaged'
run 5 unpack --skip-damaged -f hurt -C back
once 'big: '
says '[0-9]+ of the pack.s [0-9]+ entries were found'
says 'what could be read is unpacked'
cmp tree/small back/small
run 5 verify hurt
once 'big: '
says 'hurt: damaged: fdump unpack --skip-damaged'
for command in "cat big" list "diff -C tree"; do
	run 5 $command -f - < <(cat hurt)
	says '^fdump [a-z]+: (-: )?offset [0-9]+: '
done
run 5 unpack -f hurt -C back big
says 'big: lost: block at [0-9]+: the payload.s checksum does not match'
run 5 verify cut
says 'big: lost: the pack is cut within it' out
says 'cut: the pack has no end; it was not written, or not copied, to the last' out
run 5 unpack --skip-damaged -f none -C back
says 'not a pack'
run 5 unpack -f none -C back
says 'not a pack, or its beginning is damaged'
: >empty
run 5 verify empty
says 'not a pack: it is empty' out

# A store with a damaged chunk: each command names the entry once, and says what to do.
for s in one two; do "$FDUMP" store init $s >/dev/null; done
"$FDUMP" backup -s ./one -s ./two --unencrypted --state state -C tree . >/dev/null
hurt one/volumes/00000001.vol 2500000
for command in "restore -C back latest" "cat latest big" "export latest -f p" "restore -C back latest big"; do
	# shellcheck disable=SC2086 # words
	run 5 $command -s ./one
	[ "$(wc -l <err)" = 2 ] || fail "$command: not two lines"
	says 'big: lost: chunk [0-9a-f]{12}: volume 00000001 at [0-9]+: a block.s checksum does not match'
	says "fdump ${command%% *}: chunks are lost: name another store that has the dump with -s, .*fdump store scrub, then replicate"
done
run 5 diff -s ./one latest --live
once 'big: '
run 5 restore -s ./one --state state -C back latest --json
[ "$(grep -c '"path":"big".*"what":"lost: chunk' out)" = 1 ] || fail "--json: not the entry"
! grep -q '"offset"' out || fail "--json: an offset in nothing"
"$FDUMP" key new --no-passphrase key >/dev/null
run 5 verify --key key one
once ': big: '
says 'dump [0-9a-f]{12} \(.*\): big: lost: chunk'
says 'one: damaged: fdump store scrub marks what is lost, .*replicate'
# Following that advice: another store has the chunk.
cp -a one mended # a restore repairs the store
run 0 restore -s ./mended -s ./two --state state -C back latest
cmp tree/big back/big
run 5 store scrub one
run 5 restore -s ./one --state state -C back latest
says 'big: lost: chunk [0-9a-f]{12}: it is not in the store'
run 0 store replicate --from ./two one
run 0 restore -s ./one --state state -C back latest

# The list of files is damaged: nothing can be read without it, and restore can't offer
# --skip-damaged.
size=$(stat -c %s two/volumes/00000001.vol)
for at in $(seq $((size - 400)) -100 $((size - 3000))); do
	rm -rf three
	cp -r two three
	hurt three/volumes/00000001.vol "$at"
	"$FDUMP" restore -s ./three --state state -C back latest >out 2>err || true
	! grep -q 'skip-damaged' err || fail "offers what does not exist"
	grep -q manifest err && found=1
done
[ "${found-}" ] || fail "no manifest was damaged"
