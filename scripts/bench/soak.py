"""Runs `svc-dht bench` second by second and watches processes. Called by scripts/bench/soak.sh.

Usage: soak.py SVC_DHT SECONDS PICTURE [NAME=PID...] -- BENCH_ARGUMENT...
"""

import json
import os
import pathlib
import subprocess
import sys
import time

SLICE_S = 1.0
SIZE, PAD = (900, 220), 50


def read(pid):
    """Resident KiB, open descriptors, CPU seconds of a process."""
    proc = pathlib.Path(f"/proc/{pid}")
    pages = int((proc / "statm").read_text().split()[1])
    cpu = sum(int(task.read_text().split()[0]) for task in proc.glob("task/*/schedstat"))
    return {"rss": pages * os.sysconf("SC_PAGESIZE") // 1024, "fds": len(list((proc / "fd").iterdir())), "cpu": cpu / 1e9}


def run_slice(binary, arguments, seconds):
    done = subprocess.run([binary, "bench", "--json", "--seconds", str(seconds), *arguments], capture_output=True, text=True)
    if not done.stdout:
        raise SystemExit(f"soak: bench ended with {done.returncode}: {done.stderr.strip()}")
    result = json.loads(done.stdout)
    result["failed"] = done.returncode != 0
    return result


def soak(binary, seconds, watched, arguments):
    """One entry a slice: the bench's figures and those of each process."""
    history, began = [], time.monotonic()
    while (left := seconds - (time.monotonic() - began)) > 0:
        result = run_slice(binary, arguments, max(0.1, min(SLICE_S, left)))
        processes = {}
        for name, pid in watched.items():
            try:
                processes[name] = read(pid)
            except (FileNotFoundError, ProcessLookupError):
                raise SystemExit(f"soak: {name} died")
        entry = {"at": time.monotonic() - began, "result": result, "processes": processes}
        history.append(entry)
        show(entry)
    return history


def show(entry):
    result = entry["result"]
    worst = max(op["p99.9"] for op in result["latency_us"].values())
    line = (f"  {entry['at']:6.1f} s  {result['per_second']:9.0f}/s  p99.9 {worst:8.1f} us  "
            f"{result['lost']} lost  RSS {sum(p['rss'] for p in entry['processes'].values())} KiB")
    if sys.stderr.isatty():
        print(f"\r{line}", end="", file=sys.stderr, flush=True)


def check(history, watched):
    """What went wrong, as sentences."""
    wrong = [f"{entry['result']['vanished']} requests vanished after {entry['at']:.0f} s"
             for entry in history if entry["result"]["failed"]]
    middle, end = history[len(history) // 2]["processes"], history[-1]["processes"]
    for name in watched:
        for what, limit in (("rss", int(os.environ["GROWTH_KIB"])), ("fds", int(os.environ["GROWTH_FDS"]))):
            if end[name][what] - middle[name][what] > limit:
                wrong.append(f"{name}: {what} grew from {middle[name][what]} to {end[name][what]} in the second half")
    return wrong


def summary(history, watched):
    sums = {key: sum(entry["result"][key] for entry in history)
            for key in ("sent", "answered", "lost", "refused", "not_found", "stray")}
    print("  " + ", ".join(f"{value} {key}" for key, value in sums.items()))
    for op in sorted({op for entry in history for op in entry["result"]["latency_us"]}):
        slices = [entry["result"]["latency_us"][op] for entry in history if op in entry["result"]["latency_us"]]
        print(f"  {op}: p50 {sorted(s['p50'] for s in slices)[len(slices) // 2]:.1f} us (median second), "
              f"p99.99 {max(s['p99.99'] for s in slices):.1f} us, max {max(s['max'] for s in slices):.1f} us (worst second)")
    first, end = history[0]["processes"], history[-1]["processes"]
    for name in sorted(watched):
        print(f"  {name}: RSS {first[name]['rss']} to {end[name]['rss']} KiB, descriptors {first[name]['fds']} to "
              f"{end[name]['fds']}, {end[name]['cpu'] - first[name]['cpu']:.2f} s CPU")


def curve(points, top, colour):
    """A polyline of (seconds, value), `top` values high."""
    last = points[-1][0] or 1
    places = " ".join(f"{PAD + at / last * SIZE[0]:.1f},{PAD + SIZE[1] - value / top * SIZE[1]:.1f}" for at, value in points)
    return f'<polyline points="{places}" fill="none" stroke="{colour}" stroke-width="1.5"/>'


def plot(history, path):
    """Two panels: p50, p99 and p99.9 of the slowest operation; resident memory of all processes."""
    colours = ["#1b6ca8", "#d1603d", "#7a3e9d"]
    panels = [("latency, us", {f"p{p}": [(e["at"], max(op[f"p{p}"] for op in e["result"]["latency_us"].values()))
                                         for e in history] for p in ("50", "99", "99.9")})]
    if history[0]["processes"]:
        panels.append(("RSS of all processes, KiB",
                       {"RSS": [(e["at"], sum(p["rss"] for p in e["processes"].values())) for e in history]}))
    out, height = [], SIZE[1] + 2 * PAD
    for index, (title, curves) in enumerate(panels):
        top = max(value for points in curves.values() for _, value in points) or 1
        out.append(f'<g transform="translate(0,{index * height})">')
        out.append(f'<text x="{PAD}" y="{PAD - 12}">{title}; 0 to {top:.0f}, over {history[-1]["at"]:.0f} s</text>')
        out.append(f'<rect x="{PAD}" y="{PAD}" width="{SIZE[0]}" height="{SIZE[1]}" fill="none" stroke="#999"/>')
        for colour, (name, points) in zip(colours, curves.items()):
            out.append(curve(points, top, colour))
            out.append(f'<text x="{PAD + SIZE[0] - 60}" y="{PAD + 16 + 15 * colours.index(colour)}" fill="{colour}">{name}</text>')
        out.append("</g>")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f'<svg xmlns="http://www.w3.org/2000/svg" font-family="sans-serif" font-size="12" '
                    f'viewBox="0 0 {SIZE[0] + 2 * PAD} {len(panels) * height}">'
                    f'<rect width="100%" height="100%" fill="#fff"/>{"".join(out)}</svg>\n')
    print(f"  picture: {path}")


def main():
    split = sys.argv.index("--")
    binary, seconds, picture = sys.argv[1:4]
    watched = dict(word.split("=") for word in sys.argv[4:split])
    history = soak(binary, float(seconds), watched, sys.argv[split + 1:])
    if sys.stderr.isatty():
        print(file=sys.stderr)
    summary(history, watched)
    if os.environ.get("SOAK_PLOT") == "1":
        plot(history, pathlib.Path(picture))
    wrong = check(history, watched)
    for sentence in wrong:
        print(f"  FAIL  {sentence}", file=sys.stderr)
    sys.exit(1 if wrong else 0)


main()
