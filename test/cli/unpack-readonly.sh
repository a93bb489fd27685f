#!/bin/bash
# Goal: a user restores into folders of his own that deny him access; they have their modes
# afterwards, also after an error or a signal.
. "$(dirname "$0")/lib.sh"
needs root setpriv python3 # root, to be another user
workspace
as=(setpriv --reuid 65534 --regid 65534 --clear-groups)
chmod 755 .
cp "$FDUMP" fdump
"${as[@]}" ./fdump --version >/dev/null 2>&1 || skip "can't run as a user here"

mkdir -p src/read/in src/write src/none src/set src/z new
for d in read read/in write none set z; do for f in a b; do echo $d$f >src/$d/$f; done; done
head -c 3000000 /dev/urandom >src/read/large
ln src/read/a src/z/linked
modes=(555 read 500 read/in 300 write 0 none 555 set)
set_modes() { # DIR
	local i
	for ((i = ${#modes[@]}; i > 0; i -= 2)); do chmod "${modes[i - 2]}" "$1/${modes[i - 1]}"; done
}
set_modes src
chown -R 65534:65534 src new
"$FDUMP" pack -f p -C src .
chmod 644 p
show() { (cd "$1" && stat -c '%n %a' read write none set); }
check() { # STATUS WORDS -- COMMAND...: and the modes are unchanged after it
	local want=$1 words=$2
	shift 3
	status=0
	"${as[@]}" "$@" >out 2>&1 || status=$?
	[ $status = "$want" ] || { cat out; fail "$*: status $status"; }
	[ -z "$words" ] || grep -q "$words" out || { cat out; fail "$*: '$words' is not reported"; }
	[ "$(show t)" = "$(show src)" ] || { show t; fail "$*: other modes"; }
}
again() { # restores the target, without some of its entries
	[ ! -e t ] || { chmod -R u+rwx t && rm -rf t; }
	cp -a new t
	"${as[@]}" ./fdump unpack -f p -C t
	chmod -R u+rwx t
	rm t/*/b t/read/in/b t/read/large
	set_modes t
	[ "$(show t)" = "$(show src)" ] || fail "the modes can't be set here"
}
whole() { # everything is there
	chmod -R u+rwx t src
	diff -r src t || fail "something is missing"
	set_modes t
	set_modes src
}
# The modes of the pack and the existing modes: of folders that are entries, and of others.
for how in "" "--overwrite if-changed" "--overwrite never" "--threads 1"; do
	again
	# shellcheck disable=SC2086 # words
	check 0 "" -- ./fdump unpack $how -f p -C t
	whole
done
again
check 0 "" -- ./fdump unpack -f p -C t read/b read/in/b write/b none/b set/b read/large z
whole
again # this does not lose a set-group-id bit
chmod 2555 t/set
"${as[@]}" ./fdump unpack -f p -C t set/b
[ "$(stat -c %a t/set) $("${as[@]}" cat t/set/b)" = "2555 setb" ] || fail "set-group-id: $(stat -c %a t/set)"
# The target itself.
again
chmod 555 t
"${as[@]}" ./fdump unpack -f p -C t z/b read/b
[ "$(stat -c %a t) $("${as[@]}" cat t/z/b)" = "555 zb" ] || fail "the target: $(stat -c %a t)"
chmod 755 t
# It ends at damage.
again
size=$(stat -c %s p)
head -c $((size / 2)) p >half
chmod 644 half
check 5 damage -- ./fdump unpack -f half -C t
# It ends by a signal, while it waits for more of the pack.
cat >ended.py <<'PY'
import os, signal, subprocess, sys, time
pack = open("p", "rb").read()
child = subprocess.Popen(sys.argv[2:], stdin=subprocess.PIPE, preexec_fn=lambda:
    [signal.signal(s, signal.SIG_DFL) for s in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)])
child.stdin.write(pack[: len(pack) // 2])
child.stdin.flush()
for _ in range(500):
    if os.stat("t/read").st_mode & 0o777 == 0o755:
        break
    time.sleep(0.02)
else:
    sys.exit("it was not made accessible")
child.send_signal(getattr(signal, sys.argv[1]))
sys.exit(0 if child.wait() not in (0, 1, 2, 5) else "it ended by itself")
PY
for signal in SIGINT SIGTERM SIGHUP; do
	again
	python3 ended.py $signal "${as[@]}" ./fdump unpack -C t || fail "$signal"
	[ "$(show t)" = "$(show src)" ] || { show t; fail "$signal: other modes"; }
done
