# Goal: each layer includes only what it may: cmd uses rpc, pack, cron and lib; those three use lib
# and themselves; lib uses lib. The headers of a third-party library are included in one place only,
# and in none of lib's headers. Within a folder files do not call each other in a circle. No file is
# over 800 lines and no function over 80, in the tests too. No wait uses the clock that can be set.
set -u
circles=$(cd "$(dirname "$0")/.." && pwd)/circles.py
sizes=$(cd "$(dirname "$0")/.." && pwd)/sizes.py
cd "${SRC:-.}" || exit 1
bad=$(mktemp)
trap 'rm -f "$bad"' EXIT

includes() { # FOLDER: prints file:"header" or file:<header>
	grep -ro --include='*.[ch]' '^[[:blank:]]*#[[:blank:]]*include[[:blank:]]*[<"][^>"]*[>"]' "$1" |
		sed 's/#[[:blank:]]*include//; s/[[:blank:]]//g'
}

# may FOLDER PATTERN: of our own headers, FOLDER includes only those.
may() {
	[ -d "$1" ] || return 0
	includes "$1" | grep ':"' | grep -vE ":\"($2)/[^\"]*\"$" |
		sed "s~$~  ($1 may use only: $2)~"
}

# only HEADERS WHERE: no other files include these headers.
only() {
	for folder in lib pack cron rpc cmd; do
		[ ! -d $folder ] || includes $folder
	done | grep -E ":<$1>$" | grep -vE "^($2):" | sed "s~$~  (only in: $2)~"
}

{
	may lib lib
	may pack 'lib|pack'
	may cron 'lib|cron'
	may rpc 'lib|rpc'
	may cmd 'lib|pack|cron|rpc|cmd'
	[ ! -d cmd/manager ] || includes cmd/manager | grep ':"cmd/agent/' |
		sed 's~$~  (a manager uses nothing of the agent)~'
	[ ! -d cmd/agent ] || includes cmd/agent | grep ':"cmd/manager/' |
		grep -vE ':"cmd/manager/(plan|slots|report|proto|uplink)\.h"' |
		sed 's~$~  (an agent uses of the manager only what the two say to each other)~'
	# Signals, processes and exits belong to the commands.
	for where in cmd/store cmd/dump cron lib/db.c; do
		[ ! -e $where ] || grep -rnE --include='*.c' '\b(sigaction|signal|fork|alarm|_?exit) ?\(' $where
	done
	# Waits use the clock that can't be set: lib/mutex, lib/uptime.
	for folder in lib pack cron rpc cmd; do
		[ ! -d $folder ] || grep -rnE --include='*.c' '_timed(wait|join_np|lock)' $folder
	done
	only 'gcrypt\.h' 'lib/(gcm|hash|seal)\.c'
	only 'intel-ipsec-mb\.h' 'lib/(sums|gcm)\.c'
	only 'xxhash\.h' 'lib/hash\.c'
	only 'z(std|dict)[^>]*\.h' 'lib/zst\.c'
	only 'lmdb\.h' 'lib/[a-z]*\.c'
	only 'ev\.h' 'rpc/loop\.c'
	# The link is below calls and connections.
	[ ! -d rpc ] || includes rpc | grep -E '^rpc/(link|tls|loop|wire)\.[ch]:"rpc/(inner|call|conn)\.h'
	only '(mbedtls|psa)/[^>]*' 'rpc/[^:]*\.c'
	only '(jansson|microhttpd)\.h' 'cmd/[^:]*'
} >"$bad"
[ "$(grep -rl --include='*.c' '<lmdb\.h>' lib | wc -l)" -le 1 ] ||
	echo "lmdb.h is included in more than one file of lib" >>"$bad"
folders=
for folder in lib pack cron rpc cmd cmd/*/; do
	[ ! -d "$folder" ] || folders="$folders ${folder%/}"
done
# shellcheck disable=SC2086 # a list of folders
python3 "$circles" $folders >>"$bad"
for folder in test test/*/; do
	[ ! -d "$folder" ] || folders="$folders ${folder%/}"
done
# shellcheck disable=SC2086
python3 "$sizes" $folders >>"$bad"
cat "$bad"
[ ! -s "$bad" ] || exit 1

# The rules do find violations.
scratch=$(mktemp -d)
trap 'rm -rf "$bad" "$scratch"' EXIT
if [ "${1:-}" != again ]; then
	mkdir -p "$scratch/lib" "$scratch/pack" "$scratch/cron" "$scratch/cmd/manager" "$scratch/test/cli"
	echo '#include "pack/block.h"' >"$scratch/lib/a.c"
	echo '#  include <gcrypt.h>' >"$scratch/pack/b.c"
	echo '#include "cmd/cmd.h"' >"$scratch/pack/c.h"
	echo '#include <jansson.h>' >"$scratch/cron/d.c"
	echo '#include "pack/block.h"' >"$scratch/cron/e.c"
	echo '#include "cmd/agent/journal.h"' >"$scratch/cmd/manager/f.c"
	echo 'int b(void); int a(void);' >"$scratch/lib/ab.h"
	printf 'int a(void)\n{\n\treturn b();\n}\n' >"$scratch/lib/one.c"
	printf 'int b(void)\n{\n\treturn a();\n}\n' >"$scratch/lib/two.c"
	echo 'int c(void) { return sem_timedwait(0, 0); }' >"$scratch/pack/c.c"
	long=$(seq 81 | sed 's/.*/\tx = &;/')
	printf 'static void g(int x)\n{\n%s\n}\n' "$long" >"$scratch/lib/long.c"
	printf 'static void h(int x)\n{\n\t/* Long: to be seen. */\n%s\n}\n' "$long" >>"$scratch/lib/long.c"
	seq 801 | sed 's/.*/int x&;/' >"$scratch/lib/long.h"
	{ echo '/* Long: a table. */' && seq 801 | sed 's/.*/int x&;/'; } >"$scratch/lib/table.h"
	{ echo "f() {" && seq 81 && echo "}"; } >"$scratch/test/cli/long.sh"
	{ echo "def f():" && seq 81 | sed "s/^/    /"; } >"$scratch/test/long.py"
	found=$(SRC=$scratch sh "$0" again | wc -l)
	[ "$found" = 12 ] || { echo "of 12 wrong includes, waits, circles and sizes $found were found"; exit 1; }
fi
