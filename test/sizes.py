#!/usr/bin/env python3
"""Finds files of more than 800 lines, and functions of more than 80: in C, Python and shell.

usage: sizes.py FOLDER...

A file or function may be longer if a comment in its first five lines says why: "Long: ...".
Prints a line for each that is too long; status 1 if there is one.
"""
import ast, glob, re, sys

FILE_MAX, FUNCTION_MAX, FIRST = 800, 80, 5


def excused(lines):
    return any(re.search(r"\bLong: \w", line) for line in lines[:FIRST])


def c_functions(lines):
    """(name, first line, last line) of each: from the line at the left margin where it begins to its
    closing brace."""
    start = None
    for n, line in enumerate(lines):
        if re.match(r"[A-Za-z_]", line):
            if start is None:
                start = n
            if line.rstrip().endswith(";"):
                start = None  # a declaration
        elif line.startswith("}"):
            if start is not None and re.match(r"}\s*$", line):
                head = " ".join(lines[start:n])
                name = re.search(r"(\w+)\s*\(", head)
                yield (name.group(1) if name else "?"), start, n
            start = None
        elif line.strip() == "" and start is not None and not any(l.startswith("{") for l in lines[start:n]):
            start = None


def python_functions(lines):
    for node in ast.walk(ast.parse("\n".join(lines))):
        if isinstance(node, ast.FunctionDef):
            yield node.name, node.lineno - 1, node.end_lineno - 1


def shell_functions(lines):
    """From a line like `name() {` to the brace or parenthesis at the left margin."""
    name = None
    for n, line in enumerate(lines):
        begin = re.match(r"(\w+)\(\) *[{(]", line)
        if begin:
            name, start = begin.group(1), n
        elif name and re.match(r"[})]", line):
            yield name, start, n
            name = None


KINDS = {"*.[ch]": c_functions, "*.py": python_functions, "*.sh": shell_functions}
bad = False
for pattern, functions in KINDS.items():
    for path in sorted(path for folder in sys.argv[1:] for path in glob.glob(folder + "/" + pattern)):
        lines = open(path, errors="replace").read().split("\n")
        if lines[-1] == "":
            lines.pop()
        if len(lines) > FILE_MAX and not excused(lines):
            bad = True
            print("%s: %d lines, over %d" % (path, len(lines), FILE_MAX))
        for name, start, end in functions(lines):
            length = end - start + 1
            if length > FUNCTION_MAX and not excused(lines[start:end]):
                bad = True
                print("%s:%d: %s: %d lines, over %d" % (path, start + 1, name, length, FUNCTION_MAX))
sys.exit(bad)
