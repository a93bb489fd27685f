# Goal: links, pipes and folders in the place of a store's files are refused and not followed, and
# nothing hangs.
. "$(dirname "$0")/lib.sh"
workspace
fdump() { timeout 20 "$FDUMP" "$@"; }
fail() { echo "$*"; cat out err; exit 1; }
mkdir tree
head -c 300000 /dev/urandom >tree/a
fdump store init store
fdump backup -s ./store --unencrypted --state state -C tree . >/dev/null
echo precious >victim
cp victim before

# try WHAT COMMAND...: runs the command on a copy of the store that was changed as WHAT says.
try() {
	rm -rf odd
	cp -a store odd
	eval "$1"
	shift
	status=0
	fdump "$@" >out 2>err || status=$?
	[ $status != 124 ] || fail "hangs: $*"
	cmp -s victim before || fail "a link was followed: $*"
}
for file in fdump-store volumes/00000001.vol index/data.mdb index/lock.mdb; do
	[ -e store/$file ] || continue
	for command in "dumps -s ./odd" "verify odd" "store gc odd" "store scrub odd" "store rebuild odd" \
		"backup -s ./odd --unencrypted --state state -C tree ." "restore -s ./odd latest -C out.d"; do
		mkdir -p out.d
		try "rm odd/$file; ln -s ../../victim odd/$file; ln -sf ../victim odd/fdump-store.x" $command
		try "rm odd/$file; mkfifo odd/$file" $command
		case $file in fdump-store) [ $status != 0 ] || fail "a pipe for $file: $command" ;; esac
		try "rm odd/$file; mkdir odd/$file" $command
	done
done
