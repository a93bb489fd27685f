# Goal: on a terminal the passphrase is asked for without echo, and twice if it is new; an interrupt
# restores the terminal's settings.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 - <<'END'
import os, pty, select, signal, sys, termios, time

FDUMP = os.environ["FDUMP"]

def talk(args, answers):
    """Runs fdump on a terminal of its own; answers: (prompt to wait for, bytes
    to type). Returns (exit status or -signal, all that the terminal showed,
    whether it still echoes)."""
    pid, fd = pty.fork()
    if pid == 0:
        os.execv(FDUMP, [FDUMP, "key"] + args)
    seen = shown = b""
    deadline = time.monotonic() + 60
    answers = list(answers)
    echo = None
    while time.monotonic() < deadline:
        if select.select([fd], [], [], 0.2)[0]:
            try:
                got = os.read(fd, 4096)
            except OSError:
                break
            if not got:
                break
            shown += got
            seen += got
        if answers and answers[0][0] in seen:
            # The prompt is written after echo is switched off.
            assert not termios.tcgetattr(fd)[3] & termios.ECHO
            seen = b""
            os.write(fd, answers.pop(0)[1])
    assert not answers, (answers, shown)
    try:
        echo = bool(termios.tcgetattr(fd)[3] & termios.ECHO)
    except termios.error:
        pass
    status = os.waitpid(pid, 0)[1]
    os.close(fd)
    code = os.WEXITSTATUS(status) if os.WIFEXITED(status) else -os.WTERMSIG(status)
    return code, shown, echo

code, shown, _ = talk(["new", "--shared", "k"], [(b"New passphrase for k: ", b"secret\n"), (b"Again", b"secret\n")])
assert code == 0 and b"secret\r" not in shown and b"Made key" in shown, (code, shown)
code, shown, _ = talk(["public", "k"], [(b"Passphrase for k: ", b"secret\n")])
assert code == 0 and open("k.pub", "rb").read().split(b"\n")[1] in shown, (code, shown)
code, shown, _ = talk(["public", "k"], [(b"Passphrase for k: ", b"Secret\n")])
assert code == 6 and b"wrong passphrase" in shown, (code, shown)
code, shown, _ = talk(["new", "l"], [(b"New", b"one\n"), (b"Again", b"two\n")])
assert code == 2 and b"not the same" in shown and b"--no-passphrase" not in shown and not os.path.exists("l"), (code, shown)
code, shown, _ = talk(["new", "l"], [(b"New", b"\n")])
assert code == 2 and b"is empty; --no-passphrase makes" in shown and not os.path.exists("l"), (code, shown)
code, shown, _ = talk(["new", "l"], [(b"New", b"\x04")])
assert code == 2 and b"empty" in shown, (code, shown)
code, shown, _ = talk(["new", "l"], [(b"New", b"x" * 1025 + b"\n")])
assert code == 2 and b"longer" in shown, (code, shown)

# Ctrl-C: a shell that outlives the command keeps the terminal open.
pid, fd = pty.fork()
if pid == 0:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    child = os.fork()
    if child == 0:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.execv(FDUMP, [FDUMP, "key", "new", "l"])
    status = os.waitpid(child, 0)[1]
    echo = termios.tcgetattr(0)[3] & termios.ECHO
    os._exit(0 if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGINT and echo else 1)
shown = b""
while b"New" not in shown:
    shown += os.read(fd, 4096)
os.write(fd, b"sec\x03")
while True:
    try:
        if not os.read(fd, 4096):
            break
    except OSError:
        break
assert os.waitpid(pid, 0)[1] == 0
assert not os.path.exists("l")
END
