#!/bin/bash
# Goal: the second reader (Python, written from the format's text) passes its own tests, and stays
# within 500 lines.
set -eu
[ "$(wc -l <"$SRC/test/reader.py")" -le 500 ]
exec python3 "$SRC/test/reader_test.py"
