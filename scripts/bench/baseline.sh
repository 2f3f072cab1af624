#!/usr/bin/env bash
# Runs the micro-benchmarks and holds them against the committed baseline.
#
# Usage: scripts/bench/baseline.sh           compares; exit code 1 when a figure is worse by more than TOLERANCE %
#        scripts/bench/baseline.sh update    writes the baseline anew: Benchmarks/baseline.json
#
# What is compared is the ratio of each benchmark to its twin in C where it has one, which another machine shares, and
# nanoseconds otherwise.
# TOLERANCE=30 by default.
set -euo pipefail
cd "$(dirname "$0")/../.."
export BENCHMARK_DISABLE_JEMALLOC=1
raw=$(mktemp)
trap 'rm -f "$raw"' EXIT
(cd Benchmarks && swift build -c release --product HotPath)
# On its own the program prints every percentile; the package's plugin would print fewer.
Benchmarks/.build/release/HotPath --quiet true >"$raw"
python3 scripts/bench/baseline.py "$raw" Benchmarks/baseline.json "${1:-compare}"
