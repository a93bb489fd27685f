# Goal: `fdump cat` writes the content of one member: from a file and from a stream, of a hard link,
# with holes, across many blocks; of several with one name, the last counts.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"

mkdir t
head -c 5000000 /dev/urandom >t/big
printf small >t/small
printf 'a\nb' >t/tail
truncate -s 3M t/hole
printf end >>t/hole
: >t/empty
ln t/big t/zlink
ln t/small t/zsmall
printf '#!/bin/sh\necho dumped\n' >prog
chmod +x prog
"$FDUMP" pack -f p -C t --command dump=./prog .
for f in big small tail hole empty; do
	"$FDUMP" cat -f p $f | cmp - t/$f
	cat p | "$FDUMP" cat $f | cmp - t/$f
done
"$FDUMP" cat -f p dump | grep -qx dumped
"$FDUMP" cat -f p zlink | cmp - t/big
"$FDUMP" cat -f p ./zsmall | cmp - t/small

# fails STATUS TEXT ARGUMENT...
fails() {
	want=$1 text=$2 rc=0
	shift 2
	"$FDUMP" cat "$@" >out 2>err || rc=$?
	[ $rc = "$want" ] && grep -q -- "$text" err || { echo "$*: $rc"; cat err; exit 1; }
}
fails 2 "not in the pack" -f p nothing
fails 2 "directory has no content" -f p .
fails 2 "expected .*PATH" -f p
rc=0
cat p | "$FDUMP" cat zlink >out 2>err || rc=$?
[ $rc = 2 ] && grep -q "came earlier in the stream" err
