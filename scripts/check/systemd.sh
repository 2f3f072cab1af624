#!/usr/bin/env bash
# The units as systemd judges them: verify finds no fault, and security finds little exposed.
set -euo pipefail
cd "$(dirname "$0")/../.."
scripts/setup.sh systemd

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
# Verify wants the programs to be there; the units name their installed place.
mkdir -p "$scratch/units"
for unit in svc-dht svc-overlay; do
    sed "s|/usr/local/bin/$unit|/bin/true|; /^Documentation=/d" "deploy/systemd/$unit.service" >"$scratch/units/$unit.service"
done
for unit in svc-dht svc-overlay; do
    said=$(SYSTEMD_UNIT_PATH="$scratch/units:" systemd-analyze verify "$scratch/units/$unit.service" 2>&1) || true
    if grep -F "$unit" <<<"$said" >&2; then
        echo "systemd: verify finds fault with $unit" >&2
        exit 1
    fi
    # Ten times the exposure level, which must stay below 2.0.
    systemd-analyze security --offline=yes --threshold=20 "$scratch/units/$unit.service" >"$scratch/said" 2>&1 || {
        tail -n 60 "$scratch/said" >&2
        exit 1
    }
    tail -n 1 "$scratch/said" | sed 's/[^[:print:]]//g'
done
