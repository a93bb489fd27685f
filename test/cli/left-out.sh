# Goal: backup and pack report what they leave out: a PATH that is a link to a directory (with a
# slash at its end it is followed), each mount that --one-file-system does not enter, and a pattern
# for one path that matched nothing.
. "$(dirname "$0")/lib.sh"
workspace
mkdir -p data/home
echo content >data/home/thesis
ln -s data/home home
"$FDUMP" store init s
run() { # pack or backup, ARGUMENTS; sets names
	case $1 in
	pack)
		"$FDUMP" pack -f p.fdump "${@:2}" 2>err || fail "pack: $(cat err)"
		names=$("$FDUMP" list -f p.fdump) ;;
	backup)
		"$FDUMP" backup -s ./s --unencrypted --state state "${@:2}" >out 2>err || fail "backup: $(cat err)"
		names=$("$FDUMP" files -s ./s latest) ;;
	esac
}
for how in pack backup; do
	run $how home
	[ "$names" = home ] && grep -q 'home is a symbolic link.*home/ follows' err || fail "$how home: $names"
	run $how home/
	grep -qx home/thesis <<<"$names" && ! grep -q symbolic err || fail "$how home/: $names"
	run $how -T <(find home) --no-recursion
	! grep -q symbolic err || fail "$how -T --no-recursion: $(cat err)"
	run $how data --exclude /home/thesis --exclude '*.tmp' --exclude '/home/*/x' --exclude /data/home/ --exclude /data/home/in
	grep -q "pattern matched nothing: '/home/thesis'$" err || fail "$how, patterns: $(cat err)"
	run $how data --exclude /data/home/thesis --exclude '/data/*/thesis'
	! grep -q 'matched nothing' err || fail "$how, pattern that matched: $(cat err)"
done
# A plan's patterns are for many machines.
run backup data --exclude /home/thesis --job "0:$(printf '%016d' 0)"
! grep -q 'matched nothing' err || fail "a job of a plan: $(cat err)"

mkdir data/mounted
mount_tmpfs size=1m data/mounted
echo there >data/mounted/file
for how in pack backup; do
	run $how data --one-file-system
	[ "$(grep -c 'data/mounted: another file system' err)" = 1 ] || fail "$how --one-file-system: $(cat err)"
	grep -qx data/mounted <<<"$names" && ! grep -q mounted/file <<<"$names" || fail "$how --one-file-system: $names"
	run $how data data/mounted --one-file-system # a PATH of its own, inside another one
	grep -qx data/mounted/file <<<"$names" && ! grep -q 'another file system' err || fail "$how, both: $names"
done
