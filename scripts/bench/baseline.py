"""Holds the micro-benchmarks against the committed baseline. Called by scripts/bench/baseline.sh.

Usage: bench_compare.py OUTPUT BASELINE compare|update        OUTPUT is what the benchmarks printed

A figure is the fastest run, in nanoseconds an operation: on a shared machine every other one tells of the neighbours.
What is compared is the ratio to the C twin of a benchmark where it has one, for a baseline travels between machines.
"""

import json
import os
import pathlib
import re
import sys

SWIFT, C = ", Swift", ", C"
# A run is a thousand operations, but of these, which are long enough to be timed alone.
SINGLE = {"a page of metrics: node, switch, process"}


def read(path):
    """Nanoseconds an operation by name; the fastest run is at percentile 0."""
    figures, name, clock = {}, None, False
    for line in pathlib.Path(path).read_text(errors="replace").splitlines():
        if found := re.match(r"Debug results for (.*):$", line):
            name = found.group(1)
        elif line.endswith(":") and not line.startswith(" "):
            clock = line.startswith("Time (wall clock)")
        elif clock and name and (found := re.match(r"\s*([\d.]+)\s+0\.0+\s", line)):
            figures[name] = round(float(found.group(1)) / (1 if name in SINGLE else 1000), 2)
    return figures


def ratios(figures):
    """The Swift of each pair over its C."""
    return {name[:-len(SWIFT)]: ns / figures[name[:-len(SWIFT)] + C] for name, ns in figures.items()
            if name.endswith(SWIFT) and name[:-len(SWIFT)] + C in figures}


def main():
    output, baseline_path, task = sys.argv[1:4]
    figures = read(output)
    if not figures:
        raise SystemExit("bench_compare: the benchmarks printed no figures")
    if task == "update":
        pathlib.Path(baseline_path).write_text(json.dumps(dict(sorted(figures.items())), indent=1) + "\n")
    baseline = json.loads(pathlib.Path(baseline_path).read_text())
    tolerance = float(os.environ.get("TOLERANCE", "30")) / 100
    now, then = ratios(figures), ratios(baseline)
    worse = []
    print(f"{'benchmark':44} {'ns':>10} {'baseline':>10} {'x C':>6} {'baseline':>9}")
    for name, ns in sorted(figures.items()):
        if name.endswith(C):
            continue
        plain = name.removesuffix(SWIFT)
        print(f"{plain:44} {ns:10.1f} {baseline.get(name, 0):10.1f} {now.get(plain, 0):6.2f} {then.get(plain, 0):9.2f}")
        if plain in now and plain in then and now[plain] > then[plain] * (1 + tolerance):
            worse.append(plain)
        elif plain not in now and name in baseline and ns > baseline[name] * (1 + tolerance):
            worse.append(plain)
    for name in worse:
        print(f"worse than the baseline by more than {tolerance:.0%}: {name}", file=sys.stderr)
    sys.exit(1 if worse else 0)


main()
