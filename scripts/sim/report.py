#!/usr/bin/env python3
"""Runs dht-sim over what the documents claim, and prints the tables: medians over seeds, and aims met or missed.

    report.py                       every group, 5 seeds
    report.py scale latency         these groups only (--list names them)
    report.py --short               a small form of each group, one seed: what CI runs
    report.py --strict              exit 1 when an aim is missed
    report.py --jobs 2 --seeds 7    two runs at a time, seeds 1 to 7

Each run's JSON line is kept in out/sim/GROUP.jsonl (out/sim-short with --short), from which scripts/sim/plot.py draws.
"""

import argparse
import concurrent.futures
import json
import math
import os
import pathlib
import shlex
import statistics
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = pathlib.Path(os.environ.get("DHT_SIM", ROOT / ".build/release/dht-sim"))
OUT = ROOT / "out/sim"
SHORT_OUT = ROOT / "out/sim-short"
# Fields that differ from run to run of the same seed; they are reported, never compared.
COST = ("wall", "cpu", "rss")


class Row:
    """One line of a table: what to call it, and the arguments of its runs."""

    def __init__(self, label, arguments, seeds=None):
        self.label = label
        self.arguments = shlex.split(arguments)
        # At most so many runs, for a row that takes very long; None: as many as of the others.
        self.seeds = seeds


class Group:
    """A table: its rows, the fields to show, and the aims its numbers are held against.

    An aim is (row label, what it says, a function of the row's medians and of all rows' medians by label).
    """

    def __init__(self, title, rows, fields, aims=(), after=None):
        self.title, self.rows, self.fields, self.aims, self.after = title, rows, fields, aims, after


def fit_to_log(medians):
    """Messages per lookup as a + b log2 N, least squares, with R squared."""
    points = [(math.log2(m["config"]["nodes"]), m["messages_per_lookup"]) for m in medians.values()]
    if len(points) < 2:
        return ""
    slope, intercept = statistics.linear_regression(*zip(*points))
    mean = statistics.mean(y for _, y in points)
    total = sum((y - mean) ** 2 for _, y in points)
    rest = sum((y - intercept - slope * x) ** 2 for x, y in points)
    quality = 1 - rest / total if total else 1.0
    return f"messages per lookup = {intercept:.2f} + {slope:.2f} log2 N, R^2 = {quality:.4f}"


PUT = ["put_success", "put_p50_ms", "put_p95_ms", "put_p99_ms"]
LOOKUP = ["lookup_success", "get_p50_ms", "get_p95_ms", "get_p99_ms", "hops_p50", "hops_p99", "messages_per_lookup"]
COSTS = ["bytes_per_node_per_s", "messages_per_node_per_s"]


def reads(count):
    """So many gets, each of another record but for chance: no cache on the way flatters them."""
    return f"--lookups {count} --records {count}"


def swift_gets(label):
    """What a get may take, in median round trips of the run."""
    return [
        (label, "get p50 <= 3 median RTT", lambda m, _: m["get_p50_ms"] <= 3 * m["median_rtt_ms"]),
        (label, "get p95 <= 6 median RTT", lambda m, _: m["get_p95_ms"] <= 6 * m["median_rtt_ms"]),
    ]


def scale(short):
    sizes = [100, 300, 1000] if short else [100, 300, 1000, 3000, 10000]
    rows = [Row(f"N={n}", f"--nodes {n} {reads(2000 if short else min(10 * n, 10000))} --measure-s 200") for n in sizes]
    largest = f"N={sizes[-1]}"
    return Group(
        "Size, no faults", rows, LOOKUP + PUT + COSTS + ["median_rtt_ms", "table_neighbours_known", "network_size_estimate"],
        [(f"N={n}", "every lookup finds", lambda m, _: m["lookup_success"] == 1) for n in sizes]
        + [(largest, "hops p99 <= 5", lambda m, _: m["hops_p99"] <= 5), *swift_gets(largest)],
        fit_to_log)  # fmt: skip


def latency(short):
    base = f"--nodes 300 {reads(2000)}" if short else f"--nodes 3000 {reads(3000)} --measure-s 100"
    knobs = {
        "neither": "--warm-per-bucket 0 --recursion 0",
        "warm sessions only": "--recursion 0",
        "3 warm a bucket": "--warm-per-bucket 3",
        "1 step": "--recursion 1",
        "3 steps": "--recursion 3",
        "as shipped": "",
        "fast open, cookie": "--fast-open cookie",
        "fast open, always": "--fast-open always",
    }
    rows = [Row(name, f"{base} {arguments}") for name, arguments in knobs.items()]
    fields = ["get_p50_ms", "get_p95_ms", "get_p99_ms", "put_p95_ms", "median_rtt_ms", "sessions_mean"]
    fields += ["session_bytes_per_node_per_s", *COSTS, "messages_per_lookup"]
    return Group(
        "Latency and what spares round trips (cold sessions charged for)", rows, fields,
        [aim for row in ("as shipped", "fast open, cookie", "fast open, always") for aim in swift_gets(row)])  # fmt: skip


def hedging(short):
    base = f"--nodes {300 if short else 1000} --lookups 2000 --puts {2000 if short else 10000} --stragglers 0.05"
    rows = [Row(f"beta={beta}", f"{base} --beta {beta}") for beta in (0, 1, 2)]
    plain = "beta=0"
    return Group(
        "Hedging, 5 % of nodes ten times slower", rows, LOOKUP + PUT + COSTS,
        [("beta=1", "put p99 at least 25 % lower", lambda m, all: m["put_p99_ms"] <= 0.75 * all[plain]["put_p99_ms"]),
         ("beta=1", "get p99 no higher", lambda m, all: m["get_p99_ms"] <= 1.05 * all[plain]["get_p99_ms"]),
         ("beta=1", "at most 1.2x the messages",
          lambda m, all: m["messages_per_node_per_s"] <= 1.2 * all[plain]["messages_per_node_per_s"])])  # fmt: skip


def dead(short):
    nodes = 300 if short else 1000
    row = Row("20 % silently dead", f"--nodes {nodes} --lookups 2000 --puts 2000 --dead-fraction 0.2 --measure-s 120")
    return Group(
        "Nodes that are dead and still in tables", [row], LOOKUP + PUT + ["table_dead"],
        [(row.label, "every put acked at REPLICA", lambda m, _: m["put_success"] == 1),
         (row.label, "put p95 < 1 s", lambda m, _: m["put_p95_ms"] < 1000)])  # fmt: skip


def churn(short):
    medians = [600, 84] if short else [3600, 600, 84]
    base = "--nodes 200 --lookups 1000 --hours 0.1" if short else "--nodes 1000 --lookups 2000 --hours 0.2"
    rows = [
        Row(f"median {median} s, REPLICA {replica}", f"{base} --replica {replica} --churn-median-s {median}")
        for replica in (3, 8) for median in medians
    ]  # fmt: skip
    worst = "median 84 s, REPLICA 8"
    if not short:
        rows.append(Row(f"{worst}, 6 h", "--nodes 1000 --lookups 20000 --hours 6 --replica 8 --churn-median-s 84", 1))
    return Group(
        "Churn", rows, ["lookup_success", "get_p95_ms", "put_success", "records_lost", "replicas_mean", *COSTS],
        [(worst, "lookups >= 99.9 %", lambda m, _: m["lookup_success"] >= 0.999)]
        + ([] if short else [(worst, "<= 900 B/s a node", lambda m, _: m["bytes_per_node_per_s"] <= 900)]))  # fmt: skip


def adversaries(short):
    base = "--nodes 200 --lookups 1000 --measure-s 120" if short else "--nodes 1000 --lookups 2000 --measure-s 200"
    # Where disjoint paths help, how it goes with fewer and with more of them; the others are not the better for paths.
    shares = {kind: (0.2,) if short else (0.1, 0.2, 0.3) for kind in ("silent", "liar")}
    rows = [
        Row(f"{kind} {share:.0%}, d={d}", f"{base} --adversary {kind} --adversary-fraction {share} --paths {d}")
        for kind in ("silent", "liar", "sybil", "forger", "flooder") for share in shares.get(kind, (0.2,)) for d in (1, 4)
    ]  # fmt: skip
    return Group(
        "Adversaries", rows, ["lookup_success", "get_p95_ms", "put_success", "put_p95_ms", *COSTS],
        [(f"{kind} 20%, d=4", ">= 99 %", lambda m, _: m["lookup_success"] >= 0.99) for kind in ("silent", "liar")])


def republish(short):
    nodes, records, measured = (200, 2000, 400) if short else (1000, 100000, 3200)
    row = Row(
        f"{records} records",
        f"--nodes {nodes} --lookups 0 --publish {records} --republish-s {measured // 4} --measure-s {measured}", 2)
    fields = ["published_full", "publisher_messages_per_record", "publish_s", "refreshed",
              "refresh_messages_per_record", "refresh_share_of_puts"]  # fmt: skip
    aims = [] if short else [
        (row.label, "a refresh takes at most 3 % of the messages",
         lambda m, _: m["refresh_share_of_puts"] <= 0.03)]  # fmt: skip
    return Group("One publisher, and the refresh of what it put", [row], fields, aims)


def partition(short):
    base = "--nodes 200 --lookups 1000 --partition-s 60" if short else "--nodes 1000 --lookups 20000 --partition-s 600"
    rows = [Row("both ways", base), Row("one way", base + " --partition-one-way")]
    fields = [f"lookup_success_{period}" for period in ("before", "during", "healing", "after")]
    return Group(
        "A partition, healed; whole again two minutes later", rows,
        [*fields, "records_lost", "table_neighbours_known"],
        [(row.label, text, check) for row in rows for text, check in (
            ("every lookup finds after two minutes", lambda m, _: m["lookup_success_after"] == 1),
            ("no record lost", lambda m, _: m["records_lost"] == 0),
            ("tables know 98 % of their neighbours", lambda m, _: m["table_neighbours_known"] >= 0.98))])  # fmt: skip


def hubs(short):
    nodes = 200 if short else 1000
    base = f"--nodes {nodes} --lookups 2000"
    rows = [
        Row("one hub", f"{base} --hubs 1"),
        Row("three hubs", f"{base} --hubs 3"),
        Row("one of three down for 60 s", f"{base} --hubs 3 --hub-down-s 60"),
    ]
    return Group("Shared hubs", rows, LOOKUP + COSTS + ["records_lost"])


def network(short):
    base = f"--nodes {200 if short else 1000} --lookups 2000"
    rows = [
        Row("5 % loss", f"{base} --loss 0.05"),
        Row("5 % twice, 10 % overtaken", f"{base} --duplicate 0.05 --reorder 0.1"),
        Row("64 kbit/s a session", f"{base} --session-kbps 64"),
    ]
    return Group("A bad network", rows, LOOKUP + PUT + ["frames_lost", "frames_queue_dropped"])


def speed(short):
    row = Row("speed", "--nodes 300 --lookups 3000" if short else "--nodes 10000 --lookups 100000", 1)
    rows = [row]
    if not short:
        rows.append(Row("largest", "--nodes 100000 --lookups 10000 --records 1000 --join-s 100 --settle-s 30 --measure-s 60", 1))
    return Group(
        "The simulator itself", rows, ["events", "events_per_cpu_s", "cpu_s", "rss_peak_mib", "rss_bytes_per_node", "lookup_success", "hops_p99"],
        [("speed", "within 5 minutes of CPU", lambda m, _: m["cpu_s"] <= 300)])  # fmt: skip


GROUPS = [dead, hedging, partition, scale, latency, churn, adversaries, republish, hubs, network, speed]


def run(arguments, seed):
    """One run's report; a string when the program refused or broke."""
    command = [str(PROGRAM), "--json", "--seed", str(seed), *arguments]
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode:
        return (result.stderr or result.stdout).strip().splitlines()[0]
    return json.loads(result.stdout)


def median_of(reports):
    """The median of each plain field over seeds; the first report's other fields."""
    merged = dict(reports[0])
    for name, value in merged.items():
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            merged[name] = statistics.median(report[name] for report in reports)
    return merged


def shown(value):
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.5g}" if abs(value) < 1e5 else f"{value:.0f}"
    return str(value)


def print_table(group, medians, refusals):
    columns = ["", *group.fields]
    lines = [[row.label] + [shown(medians[row.label].get(f)) for f in group.fields]
             for row in group.rows if row.label in medians]  # fmt: skip
    widths = [max(len(line[i]) for line in [columns, *lines]) for i in range(len(columns))]
    for line in [columns, ["-" * width for width in widths], *lines]:
        print("| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths)) + " |")
    for label, why in refusals.items():
        print(f"\n{label}: not run ({why})")


def check_aims(group, medians):
    """Prints each aim, and returns how many were missed. An aim of a row that was not run is missed."""
    missed = 0
    for label, text, check in group.aims:
        met = label in medians and check(medians[label], medians)
        missed += not met
        print(f"{'met   ' if met else 'MISSED'}  {label}: {text}")
    return missed


def run_group(group, name, seeds, pool, out):
    """Runs a group and prints its table; returns the number of aims missed."""
    jobs = {
        row.label: [pool.submit(run, row.arguments, seed) for seed in list(seeds)[: row.seeds]]
        for row in group.rows
    }
    medians, refusals = {}, {}
    out.mkdir(parents=True, exist_ok=True)
    with open(out / f"{name}.jsonl", "w") as lines:
        for label, futures in jobs.items():
            reports = [future.result() for future in futures]
            refused = [report for report in reports if isinstance(report, str)]
            if refused:
                refusals[label] = refused[0]
                continue
            medians[label] = median_of(reports)
            for report in reports:
                lines.write(json.dumps({"label": label, **report}) + "\n")
    print(f"\n## {group.title}\n")
    if medians:
        print_table(group, medians, refusals)
    else:
        print("\n".join(f"{label}: not run ({why})" for label, why in refusals.items()))
    if group.after and medians:
        print("\n" + group.after(medians))
    print()
    return check_aims(group, medians)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("groups", nargs="*", metavar="GROUP")
    parser.add_argument("--list", action="store_true", help="name the groups")
    parser.add_argument("--short", action="store_true", help="a small form, one seed")
    parser.add_argument("--seeds", type=int, help="runs of each row (default 5; 1 with --short)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="runs at a time")
    parser.add_argument("--strict", action="store_true", help="fail when an aim is missed")
    options = parser.parse_args()
    known = {group.__name__: group for group in GROUPS}
    if options.list:
        print("\n".join(known))
        return 0
    unknown = [name for name in options.groups if name not in known]
    if unknown:
        parser.error(f"no group is called {', '.join(unknown)}; there are: {', '.join(known)}")
    if not PROGRAM.exists():
        parser.error(f"{PROGRAM} is not there; build it: swift build -c release --product dht-sim")
    seeds = range(1, 1 + (options.seeds or (1 if options.short else 5)))
    missed = 0
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        for name in options.groups or known:
            missed += run_group(known[name](options.short), name, seeds, pool, SHORT_OUT if options.short else OUT)
            sys.stdout.flush()
    print(f"\n{missed} aims missed" if missed else "\nall aims met")
    return 1 if missed and options.strict else 0


if __name__ == "__main__":
    sys.exit(main())
