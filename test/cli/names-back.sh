# Goal: a name is accepted in its raw form and as fdump prints it: by cat, restore, files, find,
# diff and -T, for dumps and packs.
. "$(dirname "$0")/lib.sh"
workspace
mkdir src
names=($'new\nline' $'tab\there' $'lat\344' 'back\slash' $'esc\033[1m' plain 'octal\101')
for i in "${!names[@]}"; do echo "$i" >"src/${names[i]}"; done
"$FDUMP" store init s
"$FDUMP" backup -s ./s --unencrypted --state state -C src . >/dev/null
"$FDUMP" pack -f p.fdump -C src .
"$FDUMP" files -s ./s latest | grep -vx '\.' >printed
[ "$(wc -l <printed)" = ${#names[@]} ] || fail "names are not a line each"
all=$(seq 0 $((${#names[@]} - 1)))
each() { # COMMAND..., followed by the name
	while IFS= read -r n; do "$@" "$n"; done <printed
}
[ "$(each "$FDUMP" cat -s ./s latest | sort -n)" = "$all" ] || fail "cat -s"
[ "$(each "$FDUMP" cat -f p.fdump | sort -n)" = "$all" ] || fail "cat -f"
[ "$(each "$FDUMP" list -f p.fdump | sort)" = "$(sort printed)" ] || fail "list"
[ "$(each "$FDUMP" files -s ./s latest | sort)" = "$(sort printed)" ] || fail "files"
[ "$(each "$FDUMP" find -s ./s | wc -l)" = ${#names[@]} ] || fail "find"
each "$FDUMP" diff -f p.fdump -C src || fail "diff"
for from in "restore -s ./s --state state latest" "unpack -f p.fdump"; do
	mkdir t
	# shellcheck disable=SC2086 # words
	"$FDUMP" $from -C t -T printed || fail "$from -T"
	diff -r src t || fail "$from -T"
	rm -r t
	mkdir t
	# The raw form too; after -T only if it ends in NUL.
	# shellcheck disable=SC2086 # words
	"$FDUMP" $from -C t "${names[3]}" "${names[6]}" || fail "$from, as it is"
	[ "$(cat t/*)" = "$(printf '3\n6')" ] || fail "$from, as it is: $(ls t)"
	printf 'lat\\344\0' >list
	# shellcheck disable=SC2086 # words
	! "$FDUMP" $from -C t -T list --null 2>err || fail "$from --null"
	rm -r t
done
! "$FDUMP" cat -s ./s latest 'no\nsuch' 2>err
grep -q 'not in the dump' err || fail "one that is not there"
! "$FDUMP" restore -s ./s latest -n nosuch 2>err
grep -q 'nosuch: not in the dump [0-9a-f]\{12\} ([^/]*/backup, 20' err || fail "which dump: $(cat err)"
