# Goal: a command on a store that is killed anywhere loses nothing that was acknowledged, leaves
# nothing in part, and does its work when it is run again. A few places; test/storekill.py has all.
command -v strace >/dev/null || exit 77
strace -o /dev/null true 2>/dev/null || exit 77
python3 "${SRC:-.}/test/storekill.py" "$FDUMP" --stride 5
