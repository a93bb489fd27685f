#!/usr/bin/env python3
"""Finds circles of calls between the .c files of a folder, and of includes between its headers.

usage: circles.py FOLDER...

A file exports the functions and variables that it defines and a header of the folder declares; it depends on
the files of the same folder whose exports it mentions. Prints a line for each circle; status 1 if there is one.
"""
import glob, os, re, sys


def bare(path):
    text = open(path, errors="replace").read()
    text = re.sub(r"/\*.*?\*/", " ", text, flags=re.S)
    text = re.sub(r'"(\\.|[^"\\\n])*"', '""', text)
    return re.sub(r"\b(struct|enum|union)\s+\w+", r"\1", text)


def declared(folder):
    """The names that the folder's headers declare: functions, and extern variables."""
    text = " ".join(bare(p) for p in glob.glob(folder + "/*.h"))
    rows = re.findall(r"\bextern\b([^;]*);", text)
    return set(re.findall(r"\b(\w+)\s*\(", text)) | {w for r in rows for w in re.findall(r"\w+", r)}


def offered(text):
    """Names defined at the left margin that are not static."""
    names = re.findall(r"^(?!static\b|extern\b|typedef\b)[a-z][\w\s*]*?\b(\w+)\s*\([^;{}]*\)\s*\{", text, re.M)
    names += re.findall(r"^(?!static\b|extern\b)[a-z][\w\s*]*?\b(\w+)\s*(?:\[\w*\])?\s*=", text, re.M)
    names += re.findall(r"\},\s+(\w+)\[\] = ", text)
    return set(names)


def components(edges):
    """Tarjan's algorithm: groups of nodes that reach each other."""
    index, low, stack, out = {}, {}, [], []

    def visit(v):
        index[v] = low[v] = len(index)
        stack.append(v)
        for w in sorted(edges.get(v, ())):
            if w not in index:
                visit(w)
                low[v] = min(low[v], low[w])
            elif w in stack:
                low[v] = min(low[v], index[w])
        if low[v] == index[v]:
            row = []
            while not row or row[-1] != v:
                row.append(stack.pop())
            if len(row) > 1:
                out.append(sorted(row))

    for v in sorted(edges):
        if v not in index:
            visit(v)
    return out


def calls(folder):
    texts = {os.path.basename(p): bare(p) for p in sorted(glob.glob(folder + "/*.c"))}
    known, owner = declared(folder), {}
    for name, text in texts.items():
        for symbol in offered(text) & known:
            owner[symbol] = name
    edges, why = {}, {}
    for name, text in texts.items():
        edges[name], statics = set(), own_statics(text)
        for word in set(re.findall(r"\w+", text)):
            other = owner.get(word)
            if other and other != name and word not in statics:
                edges[name].add(other)
                why.setdefault((name, other), word)
    return edges, why


def own_statics(text):
    return set(re.findall(r"^static[\w\s*]*?\b(\w+)\s*[(\[=]", text, flags=re.M))


def includes(folder):
    edges = {}
    for path in glob.glob(folder + "/*.h"):
        edges[path] = {i for i in re.findall(r'^\s*#\s*include\s*"([^"]+)"', open(path).read(), re.M)
                       if os.path.dirname(i) == folder}
    return edges


bad = False
for folder in sys.argv[1:]:
    edges, why = calls(folder)
    for row in components(edges):
        bad = True
        links = ["%s>%s (%s)" % (a, b, why[a, b]) for a in row for b in sorted(edges[a]) if b in row]
        print("%s: circle of %s: %s" % (folder, " ".join(row), ", ".join(links)))
    for row in components(includes(folder)):
        bad = True
        print("%s: circle of headers: %s" % (folder, " ".join(row)))
sys.exit(bad)
