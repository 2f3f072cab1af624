#!/usr/bin/env python3
"""Runs dht-sim under ten sets of options, each with ten seeds, and compares its output, hash by hash, with the
committed table.

A change that moves code and no behaviour leaves every hash as it is. One that means to change behaviour writes the
table anew with --write, and its commit says why.
"""

import argparse
import concurrent.futures
import hashlib
import json
import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
TABLE = ROOT / "Tests" / "DhtSimTests" / "hashes.json"
# Fields of these names differ from run to run of the same seed.
UNSTEADY = ("wall", "cpu", "rss")
SEEDS = range(1, 11)

OPTIONS = {
    "plain": "--nodes 200 --lookups 400",
    "churn": "--nodes 120 --lookups 400 --churn-median-s 84 --measure-s 300",
    "silent": "--nodes 120 --lookups 300 --churn-median-s 84 --measure-s 200 --dead-silent --replica 8",
    "returning": "--nodes 120 --lookups 300 --churn-median-s 120 --return-s 20 --measure-s 300",
    "liars": "--nodes 150 --lookups 300 --adversary liar --adversary-fraction 0.2 --paths 4",
    "forgers": "--nodes 150 --lookups 300 --adversary forger --adversary-fraction 0.1",
    "flooders": "--nodes 60 --lookups 200 --adversary flooder --adversary-fraction 0.05 --peer-rps 10 --measure-s 60",
    "no-recursion": "--nodes 200 --lookups 400 --recursion 0 --warm-per-bucket 0 --loss 0.02 --reorder 0.02",
    "partition": "--nodes 100 --lookups 300 --partition-s 60 --duplicate 0.02",
    "republish": "--nodes 60 --lookups 100 --publish 300 --republish-s 120 --measure-s 300 --hubs 6 --hub-down-s 30",
}


def digest(binary, name, seed):
    """A short hash of one run's output; ends the program when the run fails."""
    run = subprocess.run(
        [binary, "--json", "--seed", str(seed), "--check-every", "5000", *OPTIONS[name].split()],
        capture_output=True, text=True, check=False)
    if run.returncode != 0:
        raise SystemExit(
            f"{name}, seed {seed}: dht-sim ended with {run.returncode}: {run.stdout[-400:]}{run.stderr[-400:]}")
    return hashlib.sha256(json.dumps(steady(json.loads(run.stdout)), sort_keys=True).encode()).hexdigest()[:16]


def steady(item):
    """`item` without the fields that no seed determines."""
    if isinstance(item, dict):
        return {key: steady(value) for key, value in item.items() if not any(word in key for word in UNSTEADY)}
    return [steady(value) for value in item] if isinstance(item, list) else item


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binary", default=str(ROOT / ".build/release/dht-sim"))
    parser.add_argument("--write", action="store_true", help="write the table instead of comparing with it")
    parser.add_argument("--only", choices=OPTIONS, help="one set of options")
    arguments = parser.parse_args()
    if arguments.write and arguments.only:
        parser.error("--write writes the whole table")
    jobs = [(name, seed) for name in OPTIONS if arguments.only in (None, name) for seed in SEEDS]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        hashes = pool.map(lambda job: digest(arguments.binary, *job), jobs)
        found = {name: {} for name, _ in jobs}
        for (name, seed), value in zip(jobs, hashes):
            found[name][str(seed)] = value
    if arguments.write:
        TABLE.write_text(json.dumps(found, indent=2) + "\n")
    expected = json.loads(TABLE.read_text())
    differing = 0
    for name, row in found.items():
        wrong = [seed for seed, value in row.items() if expected.get(name, {}).get(seed) != value]
        differing += len(wrong)
        print(f"{name:13} {'DIFFERS with seeds ' + ' '.join(wrong) if wrong else 'same'}    {OPTIONS[name]}")
    print(f"sim-hashes: {len(jobs)} runs, {differing} differ")
    sys.exit(1 if differing else 0)


if __name__ == "__main__":
    main()
