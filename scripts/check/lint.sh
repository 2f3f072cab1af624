#!/usr/bin/env bash
# Every check that needs no build: format, order of the rooms, heads of the sources, shell and Python scripts, golden vectors,
# grammar, the checker of histories, the places of mutations.
set -euo pipefail
cd "$(dirname "$0")/../.."
tools=$(scripts/venv.sh)

swift format lint --strict -r Sources Tests Examples Fuzz/Sources Benchmarks/Benchmarks Package.swift Fuzz/Package.swift \
    Benchmarks/Package.swift
scripts/check/layers.py
scripts/check/headers.py
scripts/gen/page.py --check
"$tools/shellcheck" --external-sources --source-path=SCRIPTDIR scripts/*.sh scripts/*/*.sh .ci/run
"$tools/python" scripts/gen/vectors.py --check
"$tools/python" scripts/check/cddl.py
scripts/proof/test_history.py 2>&1 | tail -n 1
scripts/proof/test_cluster.py 2>&1 | tail -n 1
scripts/proof/mutants.py --check
