#!/bin/bash
# Measures the peak memory of each command on trees that are each large in one way. The limit is 32
# MiB, whatever the tree. A campaign, run by hand:
#
#   test/memory.sh FDUMP [SET...]     sets: files links apart names deep holes
#
# DIR (default /var/tmp) needs about 12 GB and 2.2 million inodes. Prints a line for each set and
# command: peak RSS in KiB and the time taken. LIMIT (KiB) sets another limit.
set -u
fdump=$(realpath "${1:?usage: test/memory.sh FDUMP [SET...]}")
shift
limit=${LIMIT:-32768}
dir=$(mktemp -d "${DIR:-/var/tmp}/memory.XXXXXX")
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 2
worst=0

# run WHAT COMMAND...: measures its peak memory and compares it with the limit.
run() {
	local what=$1 status=0 peak start=$SECONDS
	shift
	/usr/bin/time -o peak -f %M "$@" >/dev/null 2>messages || status=$?
	peak=$(tail -n 1 peak)
	printf '%-6s %-7s %7d KiB  %4d s' "$set" "$what" "$peak" $((SECONDS - start))
	if [ "$status" != 0 ]; then
		printf '  exit %d: %s' "$status" "$(head -c 300 messages | head -n 1)"
		worst=1
	fi
	if [ "$peak" -gt "$limit" ]; then
		printf '  OVER %d' "$limit"
		worst=1
	fi
	echo
}

make_tree() {
	mkdir tree
	case $set in
	files) python3 - <<'PY' ;;
import os
for d in range(1000):
    os.mkdir("tree/%03d" % d)
    for f in range(1000):
        with open("tree/%03d/%03d" % (d, f), "wb", buffering=0) as out:
            out.write(b"%099d\n" % (d * 1000 + f))
PY
	links) python3 - <<'PY' ;;  # both names in one directory, side by side
import os
for d in range(500):
    os.mkdir("tree/%03d" % d)
    for f in range(1000):
        name = "tree/%03d/%03d" % (d, f)
        os.close(os.open(name, os.O_CREAT | os.O_WRONLY))
        os.link(name, name + "b")
PY
	apart) python3 - <<'PY' ;;  # the second names all come after the first ones
import os
os.makedirs("tree/a"), os.makedirs("tree/b")
for d in range(500):
    os.mkdir("tree/a/%03d" % d), os.mkdir("tree/b/%03d" % d)
    for f in range(1000):
        name = "/%03d/%03d" % (d, f)
        os.close(os.open("tree/a" + name, os.O_CREAT | os.O_WRONLY))
        os.link("tree/a" + name, "tree/b" + name)
PY
	names) python3 - <<'PY' ;;
import os
for f in range(500000):
    os.close(os.open("tree/a-name-of-some-length-%06d" % f, os.O_CREAT | os.O_WRONLY))
PY
	deep) python3 - <<'PY' ;;  # the path grows to 62,000 bytes
import os
os.chdir("tree")
for d in range(2000):
    name = "%030d" % d
    os.mkdir(name)
    os.chdir(name)
    open("file", "w").close()
PY
	holes) truncate -s 100G tree/sparse ;;
	esac
}

has() {
	"$fdump" "$1" --help >help 2>&1
}

for set in "${@:-files links apart names deep holes}"; do
	for set in $set; do
		make_tree
		run pack "$fdump" pack -C tree -f pack.fdump .
		run verify "$fdump" verify pack.fdump
		has list && run list "$fdump" list -v -f pack.fdump
		has cat && [ "$set" = names ] &&
			run cat "$fdump" cat -f pack.fdump a-name-of-some-length-499999
		has diff && run diff "$fdump" diff -f pack.fdump -C tree
		rm -rf tree
		mkdir tree
		run unpack "$fdump" unpack -f pack.fdump -C tree
		rm -rf tree pack.fdump
	done
done
exit $worst
