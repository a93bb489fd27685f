# Goal: writers, gc, forget, scrub and readers at once, and killed, do not get in each other's way. A few
# seconds; test/storeload.py goes on for longer.
python3 "${SRC:-.}/test/storeload.py" "$FDUMP" --minutes 0.1
