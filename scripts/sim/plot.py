#!/usr/bin/env python3
"""Draws what scripts/sim/report.py measured, as PNG in docs/img.

    plot_sim.py                 reads out/sim/*.jsonl; a picture whose lines are not there is left as it is
    plot_sim.py --from DIR      reads DIR/*.jsonl

matplotlib is installed into .venv-plot, beside the checkout's other environments, when it is not there yet.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import venv

ROOT = pathlib.Path(__file__).resolve().parents[2]
IMAGES = ROOT / "docs/img"
MATPLOTLIB = "matplotlib==3.11.2"


def ensure_matplotlib():
    """Runs this script again inside an environment that has matplotlib."""
    folder = ROOT / ".venv-plot"
    python = folder / "bin/python"
    if pathlib.Path(sys.prefix) == folder:
        return
    if not python.exists():
        print(f"plot: installing {MATPLOTLIB} into {folder.name}", file=sys.stderr)
        venv.create(folder, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", MATPLOTLIB], check=True)
    os.execv(python, [str(python), *sys.argv])


def read(folder, name):
    """The reports of a group, by label, in the order they were written."""
    path = folder / f"{name}.jsonl"
    reports = {}
    if path.exists():
        for line in path.read_text().splitlines():
            report = json.loads(line)
            reports.setdefault(report["label"], []).append(report)
    return reports


def curve(reports, x, y):
    """Points (x, median y, least y, greatest y) over rows, by ascending x."""
    points = []
    for runs in reports:
        values = [run[y] for run in runs]
        points.append((x(runs[0]), statistics.median(values), min(values), max(values)))
    return sorted(points)


def draw(axis, points, label, **style):
    """A line through the medians, and the range over seeds behind it."""
    xs, middles, lows, highs = zip(*points)
    (line,) = axis.plot(xs, middles, marker="o", label=label, **style)
    axis.fill_between(xs, lows, highs, alpha=0.15, color=line.get_color(), linewidth=0)


def mark(axes, xs):
    """Labels the logarithmic axes at the values measured, as plain numbers: those of its own choice overlap where an
    axis is shorter than a few decades."""
    places = sorted(set(xs))
    for axis in axes:
        axis.set_xticks(places, [f"{x:g}" if x < 10_000 else f"{x / 1000:g}k" for x in places])
        axis.set_xticks([], minor=True)


def plot_scale(plt, reports):
    figure, (hops, latency) = plt.subplots(1, 2, figsize=(10, 4))
    rows = list(reports.values())
    nodes = lambda run: run["config"]["nodes"]  # noqa: E731
    for field, label in (("hops_mean", "mean"), ("hops_p99", "p99")):
        draw(hops, curve(rows, nodes, field), label)
    for field, label in (("get_p50_ms", "p50"), ("get_p95_ms", "p95"), ("get_p99_ms", "p99")):
        draw(latency, curve(rows, nodes, field), label)
    latency.axhline(rows[0][0]["median_rtt_ms"], linestyle=":", color="gray", label="median round trip")
    hops.set(title="Hops of a get", xlabel="nodes", ylabel="hops", xscale="log", ylim=(0, None))
    latency.set(title="Time of a get", xlabel="nodes", ylabel="ms", xscale="log", ylim=(0, None))
    mark((hops, latency), (nodes(runs[0]) for runs in rows))
    return figure, (hops, latency)


def plot_churn(plt, reports):
    figure, (success, traffic) = plt.subplots(1, 2, figsize=(10, 4))
    median = lambda run: run["config"]["churn_median_s"] / 60  # noqa: E731
    for replica in sorted({runs[0]["config"]["replica"] for runs in reports.values()}):
        rows = [runs for runs in reports.values() if runs[0]["config"]["replica"] == replica]
        draw(success, curve(rows, median, "lookup_success"), f"REPLICA {replica}")
        draw(traffic, curve(rows, median, "bytes_per_node_per_s"), f"REPLICA {replica}")
    success.set(title="Gets that find", xlabel="median life of a node, minutes", ylabel="share", xscale="log")
    traffic.set(title="Traffic of a node", xlabel="median life of a node, minutes", ylabel="bytes a second",
                xscale="log", ylim=(0, None))  # fmt: skip
    success.set_ylim(0, 1.02)
    mark((success, traffic), (median(runs[0]) for runs in reports.values()))
    return figure, (success, traffic)


def plot_adversaries(plt, reports):
    figure, axis = plt.subplots(figsize=(7, 4.5))
    share = lambda run: run["config"]["adversary_fraction"]  # noqa: E731
    kinds = {}
    for runs in reports.values():
        config = runs[0]["config"]
        kinds.setdefault((config["adversary"], config["paths"]), []).append(runs)
    colours = {}
    for (kind, paths), rows in sorted(kinds.items()):
        colour = colours.setdefault(kind, f"C{len(colours)}")
        style = "-" if paths == 1 else "--"
        label = kind if paths == 1 else f"{kind}, {paths} disjoint paths"
        draw(axis, curve(rows, share, "lookup_success"), label, color=colour, linestyle=style)
    axis.set(title="Gets that find, among adversaries", xlabel="share of adversaries", ylabel="share of gets",
             ylim=(0, 1.02))  # fmt: skip
    return figure, (axis,)


def plot_replicas(plt, reports):
    figure, axis = plt.subplots(figsize=(7, 4.5))
    for label, runs in reports.items():
        hours = [point["t_s"] / 3600 for point in runs[0]["series"]]
        copies = [
            statistics.median(run["series"][index]["replicas_mean"] for run in runs) for index in range(len(hours))
        ]
        axis.plot(hours, copies, label=label)
    axis.set(title="Live copies of a record", xlabel="hours", ylabel="mean copies", ylim=(0, None))
    return figure, (axis,)


PICTURES = {
    "sim-scale": ("scale", plot_scale),
    "sim-churn": ("churn", plot_churn),
    "sim-adversaries": ("adversaries", plot_adversaries),
    "sim-replicas": ("churn", plot_replicas),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--from", dest="folder", type=pathlib.Path, default=ROOT / "out/sim")
    options = parser.parse_args()
    ensure_matplotlib()
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    IMAGES.mkdir(parents=True, exist_ok=True)
    for name, (group, plot) in PICTURES.items():
        reports = read(options.folder, group)
        if not reports:
            print(f"plot: no lines of '{group}' in {options.folder}; {name}.png is left as it is")
            continue
        figure, axes = plot(plt, reports)
        for axis in axes:
            axis.grid(alpha=0.3)
            axis.legend()
        figure.tight_layout()
        figure.savefig(IMAGES / f"{name}.png", dpi=110, metadata={"Software": None})
        plt.close(figure)
        print(f"plot: docs/img/{name}.png")


if __name__ == "__main__":
    main()
