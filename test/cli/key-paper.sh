# Goal: a key printed on paper and typed in again is the same key, and a mistyped line is named.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
umask 077
echo secret >pass

"$FDUMP" key new --no-passphrase --shared a >/dev/null
"$FDUMP" key new --passphrase-file pass b >/dev/null
for key in a b; do
	"$FDUMP" key export $key >paper
	[ "$(head -n 2 paper | grep -c '^#')" = 2 ]
	[ "$(awk '{ if (length > n) n = length } END { print n }' <(grep -v '^#' paper))" -le 48 ]
	"$FDUMP" key import back <paper >/dev/null
	cmp $key back
	cmp $key.pub back.pub
	rm back back.pub
	# As typed by someone in a hurry.
	grep -v '^#' paper | tr 'A-Z01' 'a-zoi' | sed 's/ //g; s/^/  /; s/$/ \r/' |
		"$FDUMP" key import back >/dev/null
	cmp $key back
	rm back back.pub
done
# The form of a protected key contains no more than the file: it is still protected.
"$FDUMP" key import back <paper >/dev/null
"$FDUMP" key show back | grep -q 'protected *yes'

# refused TEXT: standard input is not a key, and the message contains TEXT.
refused() {
	rc=0
	"$FDUMP" key import new >out 2>err || rc=$?
	[ $rc = 5 ] && [ ! -s out ] && [ ! -e new ] && [ ! -e new.pub ]
	grep -q "$1" err
}
awk '/^03/ { c = substr($2, 1, 1); sub(c, c == "7" ? "8" : "7", $2) } { print }' paper |
	refused "line 03 "
grep -v '^04' paper | refused "missing: line 04"
{
	cat paper
	grep '^05' paper
} | refused "line 05 "
echo hello | refused "number"
: | refused "missing: line 01"
head -c 100000 /dev/zero | refused "too long"

# Existing files are not replaced.
rc=0
"$FDUMP" key import a <paper 2>err || rc=$?
[ $rc = 2 ]
grep -q "already exists; not overwritten" err
