#!/usr/bin/env python3
"""chart.py [--work DIR] [--files N,N...] [--gib N,N...] [--svg FILE] FDUMP

Measures time and memory (peak RssAnon) of a first and an unchanged backup, for trees of N files of
100 bytes, and of N GiB in files of 1 GiB. Prints a table; with --svg also draws a chart."""
import argparse, os, shutil, subprocess, sys, tempfile, time


def run(command):
    """Seconds, and the peak of RssAnon in MiB."""
    start, most = time.monotonic(), 0
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as p:
        while p.poll() is None:
            try:
                with open("/proc/%d/status" % p.pid) as f:
                    most = max([most] + [int(l.split()[1]) for l in f if l.startswith("RssAnon")])
            except OSError:
                pass
            time.sleep(0.01)
    if p.returncode:
        sys.exit("%s: status %d" % (" ".join(command), p.returncode))
    return time.monotonic() - start, most / 1024


def make_files(tree, count):
    for i in range(count):
        if i % 1000 == 0:
            os.makedirs("%s/%04d" % (tree, i // 1000))
        with open("%s/%04d/%d" % (tree, i // 1000, i), "wb") as f:
            f.write(b"%099d\n" % i)


def make_gib(tree, count):
    os.makedirs(tree)
    for i in range(count):
        with open("%s/%d" % (tree, i), "wb") as f:
            for _ in range(64):
                block = os.urandom(4 << 20)
                f.write(block + block[::-1] + bytes(8 << 20))  # half of it zeros


def measure(fdump, work, make, count):
    tree, store, state = (os.path.join(work, n) for n in ("tree", "store", "state"))
    make(tree, count)
    time.sleep(4)
    subprocess.check_call([fdump, "store", "init", store], stdout=subprocess.DEVNULL)
    back = [fdump, "backup", "-s", store, "--unencrypted", "--state", state, "-C", tree, "."]
    row = run(back) + run(back)
    for path in (tree, store, state):
        shutil.rmtree(path)
    return row


def draw(path, panels):
    """Each panel: title, unit of x, rows of (x, first s, MiB, unchanged s, MiB). Both axes are
    logarithmic."""
    import math
    width, height, left, top, gap = 380, 300, 60, 40, 110
    out = ['<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="sans-serif" font-size="12">'
           % (2 * (width + gap) + 20, height + 100), '<rect width="100%" height="100%" fill="white"/>']
    lines = (("first backup, s", 1, "#1f6feb"), ("unchanged, s", 3, "#2da44e"),
             ("first backup, MiB", 2, "#cf222e"), ("unchanged, MiB", 4, "#bf8700"))
    low, high = -2, 3
    for n, (title, unit, rows) in enumerate(panels):
        x0 = left + n * (width + gap)
        xs = [math.log10(r[0]) for r in rows]
        px = lambda x: x0 + (x - xs[0]) / ((xs[-1] - xs[0]) or 1) * width
        py = lambda y: top + height - (math.log10(max(y, 0.01)) - low) / (high - low) * height
        out.append('<text x="%d" y="%d" font-size="14">%s</text>' % (x0, top - 14, title))
        for e in range(low, high + 1):
            y = py(10 ** e)
            out.append('<path d="M%d %.1fh%d" stroke="#ddd"/><text x="%d" y="%.1f" text-anchor="end">%g</text>'
                       % (x0, y, width, x0 - 8, y + 4, 10 ** e))
        for x, r in zip(xs, rows):
            out.append('<text x="%.1f" y="%d" text-anchor="middle">%s %s</text>' % (px(x), top + height + 18,
                                                                                  "{:,}".format(r[0]), unit))
        for name, column, colour in lines:
            points = " ".join("%.1f,%.1f" % (px(x), py(r[column])) for x, r in zip(xs, rows))
            out.append('<polyline points="%s" fill="none" stroke="%s" stroke-width="2"/>' % (points, colour))
            out += ['<circle cx="%.1f" cy="%.1f" r="3" fill="%s"/>' % (px(x), py(r[column]), colour)
                    for x, r in zip(xs, rows)]
    for i, (name, _, colour) in enumerate(lines):
        x = left + i * 200
        out.append('<path d="M%d %dh24" stroke="%s" stroke-width="3"/><text x="%d" y="%d">%s</text>'
                   % (x, top + height + 44, colour, x + 30, top + height + 48, name))
    with open(path, "w") as f:
        f.write("\n".join(out + ["</svg>", ""]))


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--work", default="/var/tmp")
    p.add_argument("--files", default="10000,100000,1000000")
    p.add_argument("--gib", default="1,4,16")
    p.add_argument("--svg")
    p.add_argument("fdump")
    a = p.parse_args()
    panels = []
    for title, unit, make, counts in (("files of 100 bytes", "files", make_files, a.files),
                                      ("files of 1 GiB", "GiB", make_gib, a.gib)):
        rows = []
        for count in (int(c) for c in counts.split(",") if c):
            work = tempfile.mkdtemp(dir=a.work)
            try:
                rows.append((count,) + measure(os.path.abspath(a.fdump), work, make, count))
            finally:
                shutil.rmtree(work, ignore_errors=True)
            print("%9d %-5s  first %7.2f s %6.1f MiB   unchanged %6.2f s %6.1f MiB" % (
                rows[-1][0], unit, rows[-1][1], rows[-1][2], rows[-1][3], rows[-1][4]), flush=True)
        panels.append((title, unit, rows))
    if a.svg:
        draw(a.svg, [p for p in panels if p[2]])


if __name__ == "__main__":
    main()
