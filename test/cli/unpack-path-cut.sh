#!/bin/bash
# Goal: named entries can be taken out of a pack that has lost its end, or that follows other data
# in the input: if the index can't help, unpack reads through.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
mkdir -p tree out1 out2 out3
echo first >tree/a
for n in 1 2 3 4; do head -c 400000 /dev/urandom >tree/b$n; done
"$FDUMP" pack -f p -C tree .
head -c 1000000 p >cut
status=0
"$FDUMP" unpack -f cut -C out1 a 2>said || status=$?
[ "$status" = 5 ]
grep -q "reading all of it" said
[ "$(cat out1/a)" = first ] && [ "$(ls out1)" = a ]
status=0
"$FDUMP" unpack -f cut -C out2 b4 2>said || status=$?
[ "$status" != 0 ] && [ -z "$(ls out2)" ]
# The input begins after a line that was read before.
{ echo "a line"; cat p; } >both
{ read -r line; "$FDUMP" unpack -C out3 a; } <both
[ "$line" = "a line" ] && [ "$(cat out3/a)" = first ]
