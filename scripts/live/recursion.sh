#!/usr/bin/env bash
# Lookups are passed on over sessions that are open: sixteen nodes, each with a switch of its own, buckets so small that
# no table holds them all. Every value is found at every node; some requests are passed on and their answers handed
# back; and with RON_DHT_RECURSION=0 none are.
#
# Usage: scripts/live/recursion.sh
# shellcheck source=../lib.sh
source "$(dirname "$0")/../lib.sh"
readonly VALUES=20
export RON_DHT_READY_ENTRIES=3 RON_DHT_K=3 RON_DHT_REPLICA=2
nodes=(a b c d e f g h i j k l m n o p)

# cluster RECURSION: starts them all.
cluster() {
    export RON_DHT_RECURSION=$1
    start_node a '' --embed-overlay 127.0.0.1:0
    for name in "${nodes[@]:1}"; do start_node "$name" "${OVERLAY[a]}" --embed-overlay 127.0.0.1:0; done
    for name in "${nodes[@]}"; do await "$name is ready" ready "$name"; done
    for ((number = 0; number < VALUES; number++)); do
        curl -sS --fail -o /dev/null -X PUT --data "value $number" "http://${ADMIN[a]}/dht/kv/record-$number" ||
            die "record-$number was not stored"
    done
}

# read_all: each node reads each value.
read_all() {
    local name number
    for name in "${nodes[@]}"; do
        for ((number = 0; number < VALUES; number++)); do
            [[ $(fetch "$name" "/dht/kv/record-$number") == "value $number" ]] || die "record-$number is not found at $name"
        done
    done
}

# sum METRIC: over all nodes.
sum() {
    local name
    for name in "${nodes[@]}"; do metric "$name" "$1"; done | awk '{ sum += $1 } END { print sum + 0 }'
}

# The sessions that may be used are chosen when the table is tended, some seconds after the start; and a value that was
# read is cached, so each try needs values of its own.
passes_on() {
    local number
    tries=$((tries + 1))
    for ((number = 0; number < VALUES; number++)); do
        curl -sS --fail -o /dev/null -X PUT --data "$number" "http://${ADMIN[b]}/dht/kv/try-$tries-$number" || return 1
        for name in "${nodes[@]:2}"; do
            [[ $(fetch "$name" "/dht/kv/try-$tries-$number") == "$number" ]] || die "try-$tries-$number is not found at $name"
        done
    done
    (($(sum dht_passed_on_total) > 0 && $(sum dht_handed_back_total) > 0))
}

tries=0
cluster 2
ok "sixteen nodes are ready, $VALUES values stored"
await "requests are passed on" passes_on
read_all
ok "every value found at every node; $(sum dht_passed_on_total) requests passed on," \
    "$(sum dht_handed_back_total) answers handed back, $(sum 'dht_rejected_total{reason="stray_reply"}') strays"
for name in "${nodes[@]}"; do stop "$name"; done

cluster 0
read_all
(($(sum dht_passed_on_total) == 0)) || die "requests were passed on with RON_DHT_RECURSION=0"
ok "with RON_DHT_RECURSION=0 every value is found, and nothing passed on"
finish_ok
say "recursion: passed"
