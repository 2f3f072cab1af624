#!/usr/bin/env python3
"""Runs the scenarios against svc-dht and its peers and prints one table; see README.md."""

import argparse
import pathlib
import sys

from contestants import Binaries
from report import Report
from scenarios import SCENARIOS, Plan


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--svc-dht", type=pathlib.Path, required=True, help="directory of svc-dht and svc-overlay")
    parser.add_argument("--compare", type=pathlib.Path, required=True, help="directory of load and the peers' wrappers")
    parser.add_argument("--rounds", type=int, default=3, help="rounds of which the median is taken")
    parser.add_argument("--server-cpu", type=int, default=0, help="core of the servers that are flooded")
    parser.add_argument("--client-cpu", type=int, default=1, help="core of the load client")
    parser.add_argument("--json", type=pathlib.Path, help="where the figures go as JSON")
    parser.add_argument("scenarios", nargs="*", metavar="SCENARIO", help="some of: " + " ".join(SCENARIOS))
    options = parser.parse_args()
    unknown = set(options.scenarios) - set(SCENARIOS)
    if unknown:
        parser.error("no such scenario: " + " ".join(sorted(unknown)))

    binaries = Binaries(options.svc_dht, options.compare)
    plan, report = Plan(binaries, options.rounds, options.server_cpu, options.client_cpu), Report()
    for name in options.scenarios or SCENARIOS:
        print(f"compare: {name}", file=sys.stderr)
        for row, title, value in SCENARIOS[name](plan):
            report.add(row, title, value)
    print(report.table())
    if options.json:
        options.json.write_text(report.json() + "\n", encoding="utf-8")
        print(f"compare: figures in {options.json}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
