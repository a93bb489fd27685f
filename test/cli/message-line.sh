# Goal: a message is one line, whatever the given names contain.
. "$(dirname "$0")/lib.sh"
workspace
name=$(printf 'no\nsuch\033[31m\377')
one() { # LINES ARGUMENTS
	lines=$1
	shift
	"$FDUMP" "$@" >out 2>err </dev/null && :
	[ "$(wc -l <err)" = "$lines" ] && grep -q 'no\\nsuch\\033\[31m\\377' err && ! LC_ALL=C grep -q "$(printf '\033')" err || {
		echo "$*"
		cat err
		exit 1
	}
}

mkdir t
echo content >t/file
"$FDUMP" store init a
"$FDUMP" pack -f p t
"$FDUMP" backup -s ./a --unencrypted --state state t >/dev/null
one 1 dumps -s "$name"
one 1 dumps -s "./$name"
one 1 dumps -s ./a -s "$name"
one 2 dumps -s ./a -s "./$name"
one 1 key show "$name"
one 1 unpack -f p -C "$name/in"
one 1 unpack -f "$name" -C t
one 1 restore -s ./a latest -C "$name/in"
one 1 restore -s ./a "$name" -C t
one 1 cat -s ./a latest "$name"
one 1 cat -s ./a "$name" file
one 1 store stat "$name"
one 2 store "$name" a # and a line that says where the help is
one 1 files -s ./a "$name"
one 2 backup -s "./$name" --unencrypted --state state t
one 1 backup -s ./a -s "./$name" --copies 1 --unencrypted --state state t
one 1 diff -f p -C "$name"
one 1 list -f "$name"
one 1 verify "$name"
one 1 "$name"
