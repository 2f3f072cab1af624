#!/usr/bin/env bash
# Time from the start of the process to `listening`, median of 20, for a node with an embedded switch and for a
# switch of its own. Usage: scripts/bench/startup.sh [LIMIT_MS]      fails when every start takes longer (default 50)
# shellcheck source=../lib.sh
source "$(dirname "$0")/../lib.sh"

limit=${1:-50}
export RON_DHT_ADMIN_ADDR=127.0.0.1:0 SVC_OVERLAY_LISTEN_ADDR=127.0.0.1:0 SVC_OVERLAY_HTTP_ADDR=127.0.0.1:0
python3 "$ROOT/scripts/bench/startup.py" 20 "$limit" "$BIN/svc-dht" run --embed-overlay 127.0.0.1:0
python3 "$ROOT/scripts/bench/startup.py" 20 "$limit" "$BIN/svc-overlay"
say "startup: passed"
