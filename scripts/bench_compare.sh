#!/usr/bin/env bash
# Runs the micro-benchmarks and holds them against the committed baseline.
#
# Usage: scripts/bench_compare.sh           compares; exit code 1 when a figure is worse by more than TOLERANCE %
#        scripts/bench_compare.sh update    writes the baseline anew: Benchmarks/baseline.json
#
# What is compared is the ratio of each benchmark to its twin in C where it has one, which another machine shares, and
# nanoseconds otherwise.
# TOLERANCE=30 by default.
set -euo pipefail
cd "$(dirname "$0")/.."
export BENCHMARK_DISABLE_JEMALLOC=1
raw=$(mktemp -d)
trap 'rm -rf "$raw"' EXIT
(
    cd Benchmarks
    swift package --allow-writing-to-directory "$raw" benchmark --format jmh --path "$raw" --quiet
) >"$raw/log" 2>&1 || {
    tail -n 30 "$raw/log" >&2
    exit 1
}
python3 scripts/bench_compare.py "$raw" Benchmarks/baseline.json "${1:-compare}"
