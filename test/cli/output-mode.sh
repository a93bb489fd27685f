# Goal: the output file of pack -f and export -f has mode 0666 less the umask, sealed or not; if it
# replaces a file, it has that file's mode.
. "$(dirname "$0")/lib.sh"
workspace
mkdir tree
echo x >tree/x
"$FDUMP" store init s >/dev/null
"$FDUMP" key new --no-passphrase key >/dev/null
"$FDUMP" backup -s ./s --unencrypted --state state -C tree . >/dev/null
write() { # PROGRAM FILE
	case $1 in
	pack) "$FDUMP" pack -C tree . -f "$2" ;;
	sealed) "$FDUMP" pack --to key.pub -C tree . -f "$2" ;;
	export) "$FDUMP" export -s ./s latest -f "$2" ;;
	esac
}
mode() { # MODE FILE WHAT
	[ "$(stat -c %a "$2")" = "$1" ] || fail "$3: $(stat -c %a "$2"), not $1"
}
for p in pack sealed export; do
	for mask in 022 002 077 000; do
		rm -f file
		(umask $mask && write $p file)
		mode "$(printf %o $((0666 & ~mask)))" file "$p, umask $mask"
	done
	for m in 640 600 664 444; do
		chmod $m file
		(umask 022 && write $p file)
		mode $m file "$p over $m"
		ln -sf file link
		(umask 077 && write $p link)
		mode $m file "$p over $m by a link"
		[ -L link ] || fail "$p: the link is gone"
	done
done
