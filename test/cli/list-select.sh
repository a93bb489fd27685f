# Goal: `fdump list PATH...` lists these entries and everything below them, and says which PATH does
# not exist (exit 2).
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"

mkdir -p t/a/b t/ab
touch t/a/b/c t/a/x t/ab/y t/z
"$FDUMP" pack -f p -C t .
"$FDUMP" list -f p a/b z >out
printf 'a/b\na/b/c\nz\n' | cmp - out
"$FDUMP" list -f p ./a/ >out
printf 'a\na/b\na/b/c\na/x\n' | cmp - out
rc=0
"$FDUMP" list -f p z nowhere a/nothing >out 2>err || rc=$?
[ $rc = 2 ]
printf 'z\n' | cmp - out
grep -q "nowhere: not in the pack" err
grep -q "a/nothing: not in the pack" err
rc=0
"$FDUMP" list -f p <p nowhere >out 2>err || rc=$?
[ $rc = 2 ]
rc=0
"$FDUMP" list -v --json -f p 2>err || rc=$?
[ $rc = 2 ] && grep -q "exclude each other" err
