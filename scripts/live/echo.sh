#!/usr/bin/env bash
# A node on a hub that only echoes: it stays up and not ready, drops its own frames and counts them.
# shellcheck source=../lib.sh
source "$(dirname "$0")/../lib.sh"

start echo python3 "$ROOT/scripts/live/echo_hub.py"
await "the echo hub listens" grep -q : "$WORK/echo.log"
RON_DHT_READY_ENTRIES=1 start_node a "$(head -n 1 "$WORK/echo.log")"

await "own frames are counted" metric_over a 'dht_rejected_total{reason="own_echo"}' 2
unready a || die "the node calls itself ready"
status_is a /healthz 200 || die "the node is not healthy"
[[ $(metric a dht_routing_table_size) == 0 ]] || die "the node met itself"
ok "$(metric a 'dht_rejected_total{reason="own_echo"}') frames of its own dropped and counted; up, and not ready"

status=0
"$BIN/svc-dht" put k v --node "${ADMIN[a]}" >"$WORK/said" 2>&1 || status=$?
((status == 1)) || die "put without peers ended with $status, not 1: $(cat "$WORK/said")"
status_is a /healthz 200 || die "the node is not healthy after a put"
ok "a put is refused: $(head -n 1 "$WORK/said")"

stop a
crash echo
say "echo: passed"
