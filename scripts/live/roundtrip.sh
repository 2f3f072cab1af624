#!/usr/bin/env bash
# What is put on one node is got from the others, byte for byte:
#   2 nodes on one hub; 8 nodes over 3 hubs that know nothing of each other; 5 nodes that carry their own switch.
#
# Usage: scripts/live/roundtrip.sh [hub] [hubs] [embedded]      (default: all three)
# With RON_DHT_BOOTSTRAP set, `hub` uses the overlay that runs there instead of starting one.
# shellcheck source=../lib.sh
source "$(dirname "$0")/../lib.sh"

values=$WORK/values
mkdir "$values"
: >"$values/empty"
printf 'x' >"$values/one-byte"
head -c 1024 /dev/urandom >"$values/1-KiB"
head -c 65536 /dev/urandom >"$values/64-KiB"
printf 'a\0b\0\0\377\n' >"$values/binary"
printf 'hello, overlay\n' >"$values/text"

# pass TAG NODE...: every value is put on one node and got from all the others.
pass() {
    local tag=$1 nodes=("${@:2}") turn=0 file key putter node gets=0
    declare -A puts_before gets_before
    for node in "${nodes[@]}"; do
        puts_before[$node]=$(metric "$node" dht_put_total)
        gets_before[$node]=$(metric "$node" dht_get_total)
    done
    for file in "$values"/*; do
        key=$tag-$(basename "$file")
        putter=${nodes[turn % ${#nodes[@]}]}
        turn=$((turn + 1))
        "$BIN/svc-dht" put "$key" --file "$file" --node "${ADMIN[$putter]}" >"$WORK/said" 2>&1 ||
            die "put $key on $putter: $(cat "$WORK/said")"
        for node in "${nodes[@]}"; do
            [[ $node != "$putter" ]] || continue
            "$BIN/svc-dht" get "$key" --node "${ADMIN[$node]}" >"$WORK/got" 2>"$WORK/said" ||
                die "get $key on $node: $(cat "$WORK/said")"
            cmp "$file" "$WORK/got" || die "$key differs on $node"
            gets=$((gets + 1))
        done
    done
    absent "${nodes[0]}" "$tag-absent"
    moved "${nodes[0]}" dht_put_total "${puts_before[${nodes[0]}]}"
    for node in "${nodes[@]}"; do
        moved "$node" dht_get_total "${gets_before[$node]}"
        moved "$node" dht_rpcs_total 0
    done
    ok "$tag: $turn values put, $gets got from other nodes, all the same bytes; metrics moved"
}

# absent NODE KEY: a key nobody stored is not found, and said to be so.
absent() {
    local status=0
    "$BIN/svc-dht" get "$2" --node "${ADMIN[$1]}" >"$WORK/got" 2>/dev/null || status=$?
    ((status == 1)) || die "get of an absent key ended with $status, not 1"
    [[ ! -s $WORK/got ]] || die "get of an absent key wrote something"
    status_is "$1" "/dht/kv/$2" 404 || die "GET of an absent key was not answered with 404"
}

# all_ready NODE...: each node ready, with every other one in its routing table.
all_ready() {
    local node others=$(($# - 1))
    for node in "$@"; do
        await "$node is ready" ready "$node"
        await "$node knows $others others" metric_over "$node" dht_routing_table_size $((others - 1))
    done
}

one_hub() {
    local hub=${RON_DHT_BOOTSTRAP:-} frames
    if [[ -z $hub ]]; then
        start_hub hub
        hub=${OVERLAY[hub]}
    fi
    export RON_DHT_READY_ENTRIES=1 RON_DHT_REPLICA=2
    start_node a "$hub"
    start_node b "$hub"
    all_ready a b
    pass hub a b
    if [[ -n ${ADMIN[hub]:-} ]]; then
        frames=$(metric hub overlay_frames_total)
        ((frames > 0)) || die "the hub counted no frame"
        ok "hub: $frames frames through the hub"
    fi
    finish_ok
}

# Hub 1 has three nodes of its own. Those of hubs 2 and 3 are attached to their hub and name hub 1 as a second
# entry; hubs 2 and 3 never hear of each other, and their nodes meet by the home endpoints in contacts.
three_hubs() {
    local index hub
    for index in 1 2 3; do start_hub "hub$index"; done
    export RON_DHT_READY_ENTRIES=7 RON_DHT_REPLICA=3
    for index in 1 2 3; do start_node "n$index" "${OVERLAY[hub1]}"; done
    for index in 4 5 6; do start_node "n$index" "${OVERLAY[hub2]},${OVERLAY[hub1]}"; done
    for index in 7 8; do start_node "n$index" "${OVERLAY[hub3]},${OVERLAY[hub1]}"; done
    all_ready n1 n2 n3 n4 n5 n6 n7 n8
    pass hubs n1 n2 n3 n4 n5 n6 n7 n8
    for hub in hub1 hub2 hub3; do
        metric_over "$hub" 'overlay_frames_total{path="forward"}' 0 || die "$hub forwarded nothing"
    done
    ok "hubs: each of the three forwarded frames"
    finish_ok
}

embedded() {
    local index
    export RON_DHT_READY_ENTRIES=4 RON_DHT_REPLICA=3
    start_node e1 "" --embed-overlay 127.0.0.1:0
    for index in 2 3 4 5; do
        start_node "e$index" "${OVERLAY[e1]}" --embed-overlay 127.0.0.1:0
    done
    all_ready e1 e2 e3 e4 e5
    pass embedded e1 e2 e3 e4 e5
    finish_ok
}

for scene in "${@:-all}"; do
    case $scene in
        hub) one_hub ;;
        hubs) three_hubs ;;
        embedded) embedded ;;
        all)
            one_hub
            three_hubs
            embedded
            ;;
        *) die "no such scene: $scene" ;;
    esac
done
say "roundtrip: passed"
