# Goal: fdump files with the PATH of a directory lists it and what is below it, as list and restore
# do; a PATTERN is still a pattern.
. "$(dirname "$0")/lib.sh"
workspace
fail() { echo "$*"; cat got; exit 1; }
mkdir -p tree/dir/sub tree/dir2 'tree/[x]/in' tree/dir2/sub
for f in dir/one dir/sub/two dir2/three '[x]/in/four' sub; do echo "$f" >"tree/$f"; done
"$FDUMP" store init s >/dev/null
"$FDUMP" backup -s ./s --unencrypted --state state -C tree . >/dev/null
"$FDUMP" pack -f p -C tree .
files() { "$FDUMP" files -s ./s latest "$@" >got || fail "files $*: status $?"; }
# The same output as list's.
for path in dir dir/ ./dir /dir dir/sub '[x]' . dir2/three; do
	files -- "$path"
	"$FDUMP" list -f p "$path" | sort >want
	sort got | cmp - want || fail "files $path"
done
files dir
grep -qx dir/sub/two got || fail "not what is below"
! grep -q dir2 got || fail "another name with that beginning"
files --json dir
[ "$(wc -l <got)" = 4 ] || fail "--json"
# A pattern for the name, and one for the whole path.
files 't*'
[ "$(sort got | tr '\n' ' ')" = "dir/sub/two dir2/three " ] || fail "a name"
files 'dir/s*'
[ "$(sort got | tr '\n' ' ')" = "dir/sub dir/sub/two " ] || fail "a path"
files sub # the file, and files of the same name elsewhere
[ "$(sort got | tr '\n' ' ')" = "dir/sub dir2/sub sub " ] || fail "a name that is a path too"
files 'dir*/s?b/'
[ "$(sort got | tr '\n' ' ')" = "dir/sub dir2/sub " ] || fail "a path with '/' at its end"
# find accepts a path as files does.
for path in dir/sub /dir/sub ./dir/sub/ dir/sub/ '/d*r/s?b//'; do
	"$FDUMP" find -s ./s "$path" >got || fail "find $path: status $?"
	[ "$(sed 's/.*  //' got)" = dir/sub ] || fail "find $path"
done
"$FDUMP" find -s ./s dir/ >got || fail "find dir/: status $?"
[ "$(sed 's/.*  //' got)" = dir ] || fail "find dir/"
"$FDUMP" find -s ./s / >got || fail "find /: status $?"
[ "$(sed 's/.*  //' got)" = . ] || fail "find /"
# Nothing matches.
for command in find files; do
	args=(-s ./s)
	[ $command = find ] || args+=(latest)
	status_of "$FDUMP" $command "${args[@]}" 'no*where'
	[ $status = 1 ] && [ ! -s out ] && grep -qx "fdump $command: nothing matches 'no\*where'" err ||
		fail "$command: status $status: $(cat err)"
done
