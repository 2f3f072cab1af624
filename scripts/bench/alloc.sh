#!/usr/bin/env bash
# Proves that nothing on the hot path allocates: counts the calls of malloc and its kin in a real process while it
# serves 1000 and then 2000 requests, which must be the same number.
#
# Usage: scripts/bench/alloc.sh
#
# What a session needs when it opens, and buffers that grow to the size of a burst, come before: each run warms up
# with WARMUP requests (default 5000). A node also does things unasked, such as looking for peers; a run that one
# of those falls into is repeated, at most TRIES times (default 5).
source "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
# The limits of what peers may ask are on, and far away: what they cost is measured, what they refuse is not.
export RON_DHT_PEER_RPS=10000000 RON_DHT_GLOBAL_RPS=10000000

WARMUP=${WARMUP:-5000}
TRIES=${TRIES:-5}

cc -O2 -Wall -Wextra -Werror -shared -fPIC -o "$WORK/count_malloc.so" "$ROOT/scripts/bench/count_malloc.c"

# counted NAME COMMAND...: the command with its allocations counted in $WORK/NAME.count.
counted() {
    local name=$1
    shift
    head -c 8 /dev/zero >"$WORK/$name.count"
    UNDER=(env LD_PRELOAD="$WORK/count_malloc.so" COUNT_MALLOC_FILE="$WORK/$name.count")
    "$@"
    UNDER=()
}

# allocations NAME REQUESTS BENCH_ARGUMENT...: allocations of NAME while it serves that many requests.
allocations() {
    local name=$1 requests=$2
    shift 2
    "$BIN/svc-dht" bench --overlay "${OVERLAY[$name]}" --allocations "$WORK/$name.count" --json \
        --requests "$requests" --warmup "$WARMUP" --timeout-ms 20000 "$@" >"$WORK/bench.log" 2>&1 ||
        die "bench $*: $(tail -n 3 "$WORK/bench.log")"
    sed -n 's/.*"server_allocations":\([0-9]*\).*/\1/p' "$WORK/bench.log"
}

# steady WHAT NAME BENCH_ARGUMENT...
steady() {
    local what=$1 name=$2 try small large
    shift 2
    for ((try = 1; try <= TRIES; try++)); do
        small=$(allocations "$name" 1000 "$@")
        large=$(allocations "$name" 2000 "$@")
        if [[ -n $small && $small == "$large" ]]; then
            ok "$what: $small allocations in 1000, $large in 2000"
            return
        fi
    done
    die "$what: $small allocations in 1000, $large in 2000"
}

say "allocations on the hot path"
counted node start_node node "" --embed-overlay 127.0.0.1:0
counted router start_node router "" --embed-overlay 127.0.0.1:0
counted hub start_hub hub

# Values stay when the bench that put them is gone. Contacts don't: they are played for as long as they are needed, at
# a node of their own, which has no records to copy to those who come.
"$BIN/svc-dht" bench --overlay "${OVERLAY[node]}" --prefill --keys 1000 --op ping --requests 1 --json >/dev/null
start crowd "$BIN/svc-dht" bench --overlay "${OVERLAY[router]}" --contacts 100 --seed 2 --op ping \
    --rate 1 --seconds 3600
await "the crowd is in the table" metric_over router dht_routing_table_size 99
for window in 1 64; do
    steady "ping, $window in flight" node --op ping --in-flight "$window"
    steady "find_node, $window in flight" router --op find_node --in-flight "$window"
    steady "get of a stored value, $window in flight" node --op get --keys 1000 --in-flight "$window"
    steady "forward in the embedded switch, $window in flight" node --op relay --in-flight "$window"
    steady "forward in svc-overlay, $window in flight" hub --op relay --in-flight "$window"
done

answer=$("$BIN/svc-dht" bench --overlay "${OVERLAY[router]}" --op find_node --requests 100 --json)
[[ $answer == *'"contacts":2000,'* ]] || die "find_node was not answered with 20 contacts each: $answer"
ok "find_node was answered with 20 contacts each"
crash crowd
for name in node router hub; do
    (($(od -An -t u8 "$WORK/$name.count") > 100)) || die "the allocations of $name were not counted at all"
done

head -c 8 /dev/zero >"$WORK/core.count"
core=$(LD_PRELOAD="$WORK/count_malloc.so" COUNT_MALLOC_FILE="$WORK/core.count" \
    "$BIN/svc-dht" bench-core --operations 100000 --allocations "$WORK/core.count")
while IFS= read -r line; do
    [[ $line == *", 0 allocations in "* ]] || die "$line"
    ok "$line"
done <<<"$core"
finish_ok
