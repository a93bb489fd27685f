#!/bin/bash
# Goal: on a terminal a long command shows its progress, with rate and time left, and removes it at
# the end; in a pipe it prints progress only when SIGUSR1 asks for it, also while it waits.
. "$(dirname "$0")/lib.sh"
workspace
mkdir tree out
head -c 9000000 /dev/urandom >tree/big
echo small >tree/small
"$FDUMP" pack -f p -C tree .
"$FDUMP" store init store
"$FDUMP" backup -s ./store --unencrypted --state state -C tree . >/dev/null
traced=traced
strace -qq -o /dev/null true 2>/dev/null || traced=not
ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0 python3 - "$FDUMP" $traced <<'PY'
import concurrent.futures, os, pty, re, signal, subprocess, sys, time
fdump = sys.argv[1]
pack = open("p", "rb").read()
tsan = b"__tsan_init" in open(fdump, "rb").read()  # delivers no signal to a thread that waits in readv


def on_terminal(words, feed=None, seconds=1.8):
    """What a command says on a terminal, held up by its input."""
    main, sub = pty.openpty()
    child = subprocess.Popen([fdump, *words], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=sub)
    os.close(sub)
    if feed:
        child.stdin.write(feed[:len(feed) // 2])
        child.stdin.flush()
        time.sleep(seconds)
        child.stdin.write(feed[len(feed) // 2:])
    child.stdin.close()
    said = b""
    while True:
        try:
            piece = os.read(main, 65536)
        except OSError:
            break
        if not piece:
            break
        said += piece
    return child.wait(), said.decode()


def screen(said):
    """What is left of it on the screen."""
    lines, column = [""], 0
    for c in said:
        if c == "\r":
            column = 0
        elif c == "\n":
            lines.append("")
            column = 0
        else:
            lines[-1] = lines[-1][:column].ljust(column) + c + lines[-1][column + 1:]
            column += 1
    return [line.rstrip() for line in lines if line.rstrip()]


def asked(words, feed=None, times=1, **more):
    """What a command says in a pipe when it is asked, while it waits for its input: the last line."""
    child = subprocess.Popen([fdump, *words], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, **more)
    if feed:
        child.stdin.write(feed[:len(feed) // 2])
        child.stdin.flush()
    time.sleep(1.5)
    for _ in range(times):
        child.send_signal(signal.SIGUSR1)
        line = child.stderr.readline().decode()
        time.sleep(0.1)
    said = child.communicate(feed[len(feed) // 2:] if feed else None)[1].decode()
    assert child.returncode == 0, (words, child.returncode, said)
    assert said == "", said
    return line


rate = r"[0-9.]+ (B|KiB|MiB|GiB)/s"


def slow(n):
    return ["pack", "-f", "q%d" % n, "-C", "tree", "--command", "slow=sleep 1.8", "."]


def back(n):
    subprocess.run([fdump, "store", "init", "store%d" % n], check=True)
    return ["backup", "-s", "./store%d" % n, "--unencrypted", "--state", "state%d" % n, "-C", "tree", "--command", "slow=sleep 1.8", "."]


def unpack(n):
    os.mkdir("out%d" % n)
    return ["unpack", "-C", "out%d" % n]


def seen(words, feed):
    status, said = on_terminal(words, feed)
    assert status == 0, (words, status, said)
    assert re.search(r"\rfdump %s: [0-9.]+ (B|KiB|MiB)[^,]*, \d+ entr\w+, %s *\r" % (words[0], rate), said), (words, said)
    assert screen(said) == [], (words, screen(said))


def answered(words, feed):
    if feed and tsan:
        return
    line = asked(words, feed)
    assert re.fullmatch(r"fdump %s: [0-9.]+ (B|KiB|MiB), \d+ entr\w+, %s\n" % (words[0], rate), line), (words, line)

def answered_twice(words):
    """pack and backup find out how much there is when they are asked first."""
    line = asked(words, times=2)
    assert re.fullmatch(r"fdump %s: .*B of [0-9.]+ MiB \(\d+ %%\), \d+ entr.*\n" % words[0], line), (words, line)

def share(call, words):
    """Of a file, and of what is restored, it is known how much there is: the share, and the time left. It takes long
    enough under strace only."""
    main, sub = pty.openpty()
    child = subprocess.Popen(["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"inject={call}:delay_enter=250000", fdump, *words],
                             stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=sub)
    os.close(sub)
    said = b""
    try:
        while piece := os.read(main, 65536):
            said += piece
    except OSError:
        pass
    assert child.wait() == 0, said
    assert re.search(rb"B of [0-9.]+ MiB \(\d+ %\), \d+ entr\w+, [0-9.]+ .iB/s, 0:00:\d\d left", said), said
    assert screen(said.decode()) == [], said

def counted(words):
    """pack and backup count beforehand, where somebody watches."""
    status, said = on_terminal(words)
    assert re.search(r"[0-9.]+ (B|KiB|MiB) of [0-9.]+ MiB \(\d+ %\), ", said), said

def troubled(words):
    """A problem is not mixed up with the line."""
    status, said = on_terminal(words)
    assert status == 1 and screen(said) == ["fdump pack: nowhere: No such file or directory"] or "nowhere" in screen(said)[0], said
    assert len(screen(said)) == 1, screen(said)


# A short command shows nothing.
status, said = on_terminal(["verify", "p"])
assert (status, said) == (0, ""), said
# The other cases mostly wait, so they run at the same time.
restore = ["restore", "-s", "./store", "--state", "state", "-C", "out", "backup@latest", "big"]
cases = [(seen, ["verify", "-"], pack), (seen, unpack(1), pack), (seen, slow(1), None), (seen, back(1), None),
         (answered, ["verify", "-"], pack), (answered, unpack(2), pack), (answered, slow(2), None), (answered, back(2), None),
         (answered_twice, slow(3)), (answered_twice, back(3)), (counted, slow(4)), (counted, back(4)),
         (troubled, slow(5) + ["nowhere"])]
if sys.argv[2] == "traced":
    cases += [(share, "readv", ["verify", "p"]), (share, "pread64", restore)]
with concurrent.futures.ThreadPoolExecutor(5) as at_once:
    for case in [at_once.submit(*c) for c in cases]:
        case.result()
PY
[ $traced = traced ] || skip "strace may not trace here; all but the share was looked at"
