#!/bin/bash
# Goal: the folders above a restored entry get their metadata from the pack or dump, however the
# entry was selected; but a folder that existed already and was not selected stays as it is.
. "$(dirname "$0")/lib.sh"
needs root
workspace

umask 022
mkdir -p src/a/b/c src/a/other src/h/i src/k
echo secret >src/a/b/c/f
echo other >src/a/b/g
head -c 3000000 /dev/urandom >src/a/b/c/large
ln src/a/b/c/f src/h/i/f
ln src/a/b/c/f src/h/i/g
for n in $(seq 300); do mkdir -p src/m/$n; done
chown -R 4321:4322 src/a src/h src/k
chmod 711 src/a
chmod 2750 src/a/b
chmod 500 src/a/b/c
chmod 700 src/h src/h/i
setfacl -m u:77:rx src/a/b 2>/dev/null || true
for d in src/a/b/c src/a/b src/a src/h/i src/h; do touch -d 2001-02-03 $d; done
"$FDUMP" pack -f p -C src .
"$FDUMP" store init st >/dev/null
"$FDUMP" backup -s ./st --unencrypted --state state -C src . >/dev/null
echo a/b/c/f >list
show() { (cd "$1" && shift && stat -c '%n %A %u %g %Y' "$@" && getfacl -nsc "$@" 2>/dev/null); } # DIR FOLDERS
check() { # FOLDERS -- COMMAND...
	local folders=()
	while [ "$1" != -- ]; do folders+=("$1"); shift; done
	shift
	rm -rf t
	mkdir t
	"$@"
	cmp <(show src "${folders[@]}") <(show t "${folders[@]}") ||
		{ show t "${folders[@]}"; fail "$*: folders on the way have other metadata"; }
	[ ! -e t/k ] && [ ! -e t/m ] && [ ! -e t/a/other ] || fail "$*: more than was asked for"
	[ "$(stat -c '%a %u' t)" = "755 0" ] || fail "$*: the target has got metadata"
}
for threads in 1 4; do
	for how in "unpack -f p" "restore -s ./st --state state latest"; do
		# shellcheck disable=SC2086 # words
		set -- "$FDUMP" $how --threads $threads -C t
		check a a/b a/b/c -- "$@" a/b/c/f
		check a a/b a/b/c -- "$@" a/b/c/large a/b/g
		check a a/b a/b/c -- "$@" a/b/c
		check a a/b a/b/c -- "$@" -T list
		check a a/b a/b/c -- "$@" --exclude '*' --exclude '!/a' --exclude '!/a/b' --exclude '!/a/b/**'
		check h h/i -- "$@" h/i/f h/i/g # links, without the names that they link to
	done
done
check a a/b a/b/c -- "$FDUMP" unpack -C t a/b/c/f <p
rm -rf t; mkdir t
"$FDUMP" unpack --strip-components 1 -f p -C t a/b/c/f
cmp <(cd src/a && stat -c '%n %A %u %g %Y' b b/c) <(cd t && stat -c '%n %A %u %g %Y' b b/c) || fail "stripped"

for how in "unpack -f p" "restore -s ./st --state state latest"; do
	rm -rf t
	mkdir -p t/a/b
	chmod 777 t/a
	# shellcheck disable=SC2086 # words
	"$FDUMP" $how -C t a/b/c/f
	[ "$(stat -c '%a %u %g' t/a t/a/b t/a/b/c | tr '\n' ,)" = "777 0 0,755 0 0,500 4321 4322," ] ||
		fail "$how: folders that were there have other metadata"
done
