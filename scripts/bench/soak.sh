#!/usr/bin/env bash
# Load for a while, and what it does to the processes: answers, latency, memory, descriptors, CPU time.
#
# Usage: scripts/bench/soak.sh [SECONDS [IN_FLIGHT]]        default: 60 seconds, 64 in flight
#        MIX=find_node=6,get=3,put=1     what is asked
#        NODES=5                         size of the cluster that is started
#        SOAK_OVERLAY=HOST:PORT          load a cluster that runs, instead of one of its own; with
#        SOAK_ADMIN=HOST:PORT            its node's admin address, and
#        SOAK_PID=PID                    its process, where they are known
#        SOAK_PLOT=1                     draws latency and memory over time: out/soak.svg
#
# Fails when a request vanished that nobody counted, when a process of the cluster died, when its memory grew by more
# than GROWTH_KIB (8192) or its descriptors by more than GROWTH_FDS (8) between the middle and the end of the load.
# shellcheck source=../lib.sh
source "$(dirname "$0")/../lib.sh"
# The limits of what peers may ask are on, and far away: what they cost is measured, what they refuse is not.
export RON_DHT_PEER_RPS=10000000 RON_DHT_GLOBAL_RPS=10000000

seconds=${1:-60}
in_flight=${2:-64}
mix=${MIX:-find_node=6,get=3,put=1}
export GROWTH_KIB=${GROWTH_KIB:-8192} GROWTH_FDS=${GROWTH_FDS:-8}
watch=()

if [[ -n ${SOAK_OVERLAY:-} ]]; then
    overlay=$SOAK_OVERLAY
    [[ -z ${SOAK_PID:-} ]] || watch+=("node=$SOAK_PID")
    target=(${SOAK_ADMIN:+--node "$SOAK_ADMIN"} ${SOAK_PID:+--pid "$SOAK_PID"})
else
    export RON_DHT_READY_ENTRIES=1
    start_node node1 "" --embed-overlay 127.0.0.1:0
    for ((i = 2; i <= ${NODES:-5}; i++)); do
        start_node "node$i" "${OVERLAY[node1]}" --embed-overlay 127.0.0.1:0
    done
    for ((i = 1; i <= ${NODES:-5}; i++)); do await "node$i is ready" ready "node$i"; done
    overlay=${OVERLAY[node1]}
    target=(--node "${ADMIN[node1]}" --pid "${PID[node1]}")
    for name in "${!PID[@]}"; do watch+=("$name=${PID[$name]}"); done
    id=$(logged node1 listening node)
    target+=(--id "$id")
fi

say "soak: $mix, $in_flight in flight, $seconds s"
python3 "$ROOT/scripts/bench/soak.py" "$BIN/svc-dht" "$seconds" "$ROOT/out/soak.svg" "${watch[@]}" -- \
    --overlay "$overlay" "${target[@]}" --op "$mix" --in-flight "$in_flight" --prefill
finish_ok
say "soak: passed"
