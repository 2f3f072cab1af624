#!/usr/bin/env bash
# Instructions per request, by valgrind's callgrind: a count that does not depend on the load of the machine. Each
# operation is counted twice, for 2000 and for 12 000 requests; the difference over 10 000 is one request.
#
# Usage: scripts/bench/callgrind.sh [OP...]        default: ping find_node get relay
#        LIMIT_find_node=5000 fails when a request takes more instructions; likewise LIMIT_ping, ...
#
# User space only: what the kernel does for a request is not in it. Profiles are left in out/callgrind.
# shellcheck source=../lib.sh
source "$(dirname "$0")/../lib.sh"
# The limits of what peers may ask are on, and far away: what they cost is measured, what they refuse is not.
export RON_DHT_PEER_RPS=10000000 RON_DHT_GLOBAL_RPS=10000000
"$ROOT/scripts/setup.sh" valgrind

(($#)) || set -- ping find_node get relay
few=2000
many=12000
out=$ROOT/out/callgrind
mkdir -p "$out" "$WORK/bin"
# Valgrind gives up on some of the debug information of a Swift binary; the names of functions are kept.
for binary in svc-dht svc-overlay; do
    objcopy --strip-debug "$BIN/$binary" "$WORK/bin/$binary"
done
BIN=$WORK/bin
PATIENCE=${PATIENCE:-60}

# instructions OP REQUESTS: of a whole life that serves that many, in $counted. Not printed: what a subshell starts
# nobody would stop after a failure.
instructions() {
    local op=$1 requests=$2 name=node options=()
    UNDER=(valgrind --tool=callgrind "--callgrind-out-file=$out/$op.$requests" --log-file="$WORK/callgrind")
    if [[ $op == relay ]]; then
        name=hub
        start_hub hub
    else
        start_node node "" --embed-overlay 127.0.0.1:0
        options=(--contacts 100 --prefill)
    fi
    UNDER=()
    "$BIN/svc-dht" bench --overlay "${OVERLAY[$name]}" --op "$op" --requests "$requests" --timeout-ms 20000 \
        "${options[@]}" --json >"$WORK/bench.log" 2>&1 || die "$op: $(tail -n 3 "$WORK/bench.log")"
    stop "$name"
    counted=$(awk '/^summary:|^totals:/ { print $2; exit }' "$out/$op.$requests")
    [[ -n $counted ]] || die "callgrind left no total in $out/$op.$requests"
}

for op; do
    instructions "$op" "$few"
    low=$counted
    instructions "$op" "$many"
    each=$(((counted - low) / (many - few)))
    limit=LIMIT_$op
    if [[ -n ${!limit:-} ]]; then
        ((each <= ${!limit})) || die "$op: $each instructions a request, over ${!limit}"
    fi
    ok "$op: $each instructions a request"
done
