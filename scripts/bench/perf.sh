#!/usr/bin/env bash
# Where the time goes: flame graphs of a node and of a switch under load, in out/perf/*.svg, and the functions with the
# most samples of their own.
#
# Usage: scripts/bench/perf.sh [SECONDS [OP...]]      default: 5 seconds of each of find_node get ping put relay
#        IN_FLIGHT=64
#
# Samples by the CPU clock, which every machine has; hardware counters are often not passed to guests. The kernel's
# part is seen when /proc/sys/kernel/perf_event_paranoid and the user allow it.
# shellcheck source=../lib.sh
source "$(dirname "$0")/../lib.sh"
# The limits of what peers may ask are on, and far away: what they cost is measured, what they refuse is not.
export RON_DHT_PEER_RPS=10000000 RON_DHT_GLOBAL_RPS=10000000

seconds=${1:-5}
shift $(($# > 0 ? 1 : 0))
(($#)) || set -- find_node get ping put relay
in_flight=${IN_FLIGHT:-64}
PATIENCE=$((PATIENCE + seconds))
out=$ROOT/out/perf
mkdir -p "$out"
command -v perf >/dev/null || die "perf is missing (Debian: linux-perf)"

# profile NAME OP: samples the daemon NAME while it serves OP.
profile() {
    local name=$1 op=$2
    "$BIN/svc-dht" bench --overlay "${OVERLAY[$name]}" --op "$op" --in-flight "$in_flight" --prefill \
        --seconds "$((seconds + 1))" --json >"$WORK/load.log" 2>&1 &
    PID[load]=$!
    sleep 0.5
    perf record -q -e cpu-clock -F 5000 --call-graph fp -p "${PID[$name]}" -o "$WORK/$op.data" -- sleep "$seconds" \
        2>"$WORK/$op.err" || die "perf record: $(cat "$WORK/$op.err")"
    ended load
    perf script -i "$WORK/$op.data" -F comm,ip,sym 2>/dev/null |
        python3 "$ROOT/scripts/bench/flame_graph.py" "$out/$op.svg" "$name, $op, $in_flight in flight"
}

for op; do
    if [[ $op == relay ]]; then
        start_hub hub
        # The bench would look for a node to prefill; a relay needs none.
        "$BIN/svc-dht" bench --overlay "${OVERLAY[hub]}" --op relay --requests 1 --json >/dev/null
        profile hub relay
        stop hub
    else
        start_node node "" --embed-overlay 127.0.0.1:0
        "$BIN/svc-dht" bench --overlay "${OVERLAY[node]}" --contacts 100 --requests 1 --json >/dev/null
        profile node "$op"
        stop node
    fi
done
