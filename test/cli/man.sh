# Goal: each command answers --help, and has a manual page; the long options of
# the one are those of the other.
set -u
cd "${SRC:-.}" || exit 1
pages=packaging/man
bad=0

commands=$("$FDUMP" --help | sed -n '/^commands:/,/^$/s/^  \([a-z]*\) .*/\1/p')
[ -n "$commands" ] || exit 1
for c in $commands; do
	help=$("$FDUMP" "$c" --help) || { echo "fdump $c --help: status $?"; bad=1; }
	page=$pages/fdump-$c.1.scd
	[ -f "$page" ] || { echo "$page is missing"; bad=1; continue; }
	sed '1,/^# SEE ALSO/d' $pages/fdump.1.scd | grep -q "fdump-$c\*(1)" || { echo "fdump.1.scd: $c is missing"; bad=1; }
	# In the page an option is a line that begins with it; --help is in each.
	diff <(grep -oE -- '--[a-z][a-z-]+' <<<"$help" | sort -u | grep -vx -- --help) \
		<(grep -E '^\*-' "$page" | grep -oE -- '--[a-z][a-z-]+' | sort -u | grep -vx -- --help) |
		sed -n "s~^<~fdump $c --help only:~p; s~^>~$page only:~p" | grep . && bad=1
done
exit $bad
