#!/bin/bash
# Goal: a missing target is made, if its parent exists; a target with entries keeps its mode, owner
# and access list, unless the restore is in place; an empty target, or a new file system, gets those
# of the root entry.
. "$(dirname "$0")/lib.sh"
needs root
workspace

mkdir -p src/d
echo content >src/f
chown -R 4321:4322 src
chmod 710 src
touch -d 2001-02-03 src
"$FDUMP" pack -f p -C src .
! "$FDUMP" unpack -f p -C no/such 2>err && grep -q "no/such: No such file" err || fail "$(cat err)"
"$FDUMP" store init st >/dev/null
"$FDUMP" backup -s ./st --unencrypted --state state -C src . >/dev/null
show() { stat -c '%a %u %g' "$1"; }
for how in "unpack -f p" "unpack --overwrite if-changed -f p" "restore -s ./st --state state latest"; do
	rm -rf t
	mkdir t
	chmod 1777 t
	echo other >t/other
	# shellcheck disable=SC2086 # words
	set -- "$FDUMP" $how
	"$@" -C t
	[ "$(show t), $(cat t/f)" = "1777 0 0, content" ] || fail "$how: the target is $(show t)"
	[ "$(show t/d)" = "755 4321 4322" ] || fail "$how: a folder in it is $(show t/d)"
	for new in none empty lost+found; do
		rm -rf t
		[ $new = none ] || mkdir t
		[ $new != lost+found ] || mkdir t/$new
		"$@" -C t
		[ "$(show t) $(stat -c %Y t)" = "710 4321 4322 $(stat -c %Y src)" ] || fail "$how: $new: $(show t)"
	done
done
rm -rf t
(umask 0 && "$FDUMP" unpack -f p -C t f)
[ "$(show t)" = "700 0 0" ] || fail "a part: the target is $(show t)"
chmod 755 src
chown 0:0 src
rm src/f
"$FDUMP" restore -s ./st --state state latest --in-place
[ "$(show src), $(cat src/f)" = "710 4321 4322, content" ] || fail "in place: $(show src)"
chmod 755 src
"$FDUMP" restore -s ./st --state state latest --in-place --overwrite never
[ "$(show src)" = "755 4321 4322" ] || fail "in place, never: $(show src)"
