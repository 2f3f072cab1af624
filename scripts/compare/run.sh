#!/usr/bin/env bash
# svc-dht beside OpenDHT, libtorrent, redis and nats-server: one run, one machine, one table. See README.md.
#
# Usage: scripts/compare/run.sh [--rounds N] [rpc] [storage] [relay] [cluster]      (default: all four, 3 rounds)
# SVC_DHT_BIN names a directory with other binaries than .build/release. The figures go to out/compare.json too.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
bin=${SVC_DHT_BIN:-$root/.build/release}
out=$root/.build/compare

if [[ ! -x $bin/svc-dht || ! -x $bin/svc-overlay ]]; then
    echo "compare: no svc-dht in $bin; build it with: swift build -c release --static-swift-stdlib" >&2
    exit 1
fi
"$here/setup.sh"
make --no-print-directory -s -C "$here" OUT="$out"
mkdir -p "$root/out"
exec python3 "$here/compare.py" --svc-dht "$bin" --compare "$out" --json "$root/out/compare.json" "$@"
