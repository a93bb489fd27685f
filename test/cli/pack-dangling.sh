#!/bin/bash
# Goal: -f with a link: the file that it leads to is replaced and the link stays; a dangling link is
# refused, and stays as well.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
mkdir tree
echo content >tree/file
"$FDUMP" pack -f real -C tree file
ln -s real link
"$FDUMP" pack -f link -C tree .
[ -L link ] && "$FDUMP" verify real >/dev/null
ln -s nowhere dangling
status=0
"$FDUMP" pack -f dangling -C tree . 2>said || status=$?
[ "$status" = 2 ] && grep -q "dangling: is a link that leads nowhere" said
[ "$(readlink dangling)" = nowhere ] && [ ! -e nowhere ]
