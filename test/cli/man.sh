# Goal: each command answers --help and has a manual page; both have the same options, letters and
# words for values.
set -u
cd "${SRC:-.}" || exit 1
pages=packaging/man
bad=0

# "-s, --store STORE", one a line.
help_options() {
	grep -oE -- '^  (-., |    )--[a-z][a-z-]+( [A-Z][^ ]*)?' | sed 's/^ *//; s/^-., --help/--help/' | sort -u
}
page_options() {
	grep -E '^\*-.*[*_]$' "$1" | sed 's/[*_]//g' | sort -u
}
commands=$("$FDUMP" --help | sed -n '/^commands:/,/^$/s/^  \([a-z]*\) .*/\1/p')
[ -n "$commands" ] || exit 1
for c in $commands; do
	help=$("$FDUMP" "$c" --help) || { echo "fdump $c --help: status $?"; bad=1; }
	[ "$help" = "$("$FDUMP" help "$c")" ] || { echo "fdump help $c: another text"; bad=1; }
	grep -q '.\{81\}' <<<"$help" && { echo "fdump $c --help: over 80 columns"; bad=1; }
	page=$pages/fdump-$c.1.scd
	[ -f "$page" ] || { echo "$page is missing"; bad=1; continue; }
	sed '1,/^# SEE ALSO/d' $pages/fdump.1.scd | grep -q "fdump-$c\*(1)" || { echo "fdump.1.scd: $c is missing"; bad=1; }
	diff <(help_options <<<"$help" | grep -vx -- --help) <(page_options "$page" | grep -v -- --help) |
		sed -n "s~^<~fdump $c --help only:~p; s~^>~$page only:~p" | grep . && bad=1
done
exit $bad
