#!/bin/bash
# Goal: verify of a store names what each dump has lost, also what several dumps share: the files, or
# the dump before that has lost the same ones.
. "$(dirname "$0")/lib.sh"
workspace
mkdir t
head -c 300000 /dev/urandom >t/good
head -c 300000 /dev/urandom >t/bad
cp t/bad t/twin
cp t/bad bad
"$FDUMP" store init s
back() { "$FDUMP" backup -s ./s --unencrypted --state state -C t . | sed -n 's/^dump \(............\).*/\1/p'; }
first=$(back)
second=$(back)
mv t/bad t/renamed
third=$(back)
fourth=$(back)
rm t/renamed t/twin
good=$(back)
[ "$("$FDUMP" verify s | sed 's/.*dumps; //')" = "18 entries, 3900000 bytes of content proved: ok" ] || fail "whole: $("$FDUMP" verify s)"

python3 - <<'END'
with open("s/volumes/00000001.vol", "r+b") as volume:
    at = volume.read().index(open("bad", "rb").read(1000))
    volume.seek(at + 500)
    volume.write(b"damage")
END
lost() { # DUMP: the names that it has lost, or which other dump has lost the same
	sed -n "s/^fdump verify: s: dump $1 ([^)]*): \(.*lost: [^:]*\).*/\1/p" err | sed 's/: lost: chunk.*//'
}
for threads in 1 4; do
	status_of "$FDUMP" verify s --threads $threads
	[ $status = 5 ] || fail "status $status"
	[ "$(lost "$first")" = $'bad\ntwin' ] || fail "the first: $(cat err)"
	[ "$(lost "$second")" = "lost: the same as of dump $first (2 problems)" ] || fail "the second: $(cat err)"
	[ "$(lost "$third")" = $'renamed\ntwin' ] || fail "the third: $(cat err)"
	[ "$(lost "$fourth")" = "lost: the same as of dump $third (2 problems)" ] || fail "the fourth: $(cat err)"
	! grep -q "$good" err || fail "a dump that has lost nothing: $(cat err)"
done
