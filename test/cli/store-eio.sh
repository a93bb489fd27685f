# Goal: a call that fails while a store is written is told, and nothing that was acknowledged is
# lost. A few places; test/storeeio.py has all.
command -v strace >/dev/null || exit 77
strace -o /dev/null true 2>/dev/null || exit 77
python3 "${SRC:-.}/test/storeeio.py" "$FDUMP" --stride 9
