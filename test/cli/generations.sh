# Goal: a tree that changes at random, backed up again and again: each dump restores to exactly
# what was there, after gc and from damaged stores too. test/generations.py does more.
python3 "${SRC:-.}/test/generations.py" "$FDUMP" --generations 8
