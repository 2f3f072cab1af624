#!/usr/bin/env bash
# Records outlive their holders: of six nodes two are stopped by SIGTERM one after the other, then two are killed by
# kill -9 one after the other, and the two that are left give every value. REPLICA is 2, so nothing but the hand-over
# of those that stop, and the copies that the others make when one is gone, can keep them.
#
# Usage: scripts/live/replicas.sh [VALUES]    default 200, at most 1000
# shellcheck source=../lib.sh
source "$(dirname "$0")/../lib.sh"
values=${1:-200}
# Time to hand over is not what is measured.
export RON_DHT_READY_ENTRIES=3 RON_DHT_REPLICA=2 RON_DHT_DRAIN_MS=30000

start_node a '' --embed-overlay 127.0.0.1:0
for name in b c d e f; do start_node "$name" "${OVERLAY[a]}" --embed-overlay 127.0.0.1:0; done
for name in a b c d e f; do await "$name is ready" ready "$name"; done

put_all() {
    local number
    for ((number = 0; number < values; number++)); do
        printf 'url = "http://%s/dht/kv/record-%d"\nrequest = PUT\ndata = "value %d"\noutput = /dev/null\nfail\nnext\n' \
            "${ADMIN[a]}" "$number" "$number"
    done | sed "\$d" | curl -sS --config -
}
put_all || die "not every value was stored"
ok "$values values stored, two copies each"

records() { metric "$1" dht_records; }
# Whether the nodes named hold two copies of everything. Key by key: a get leaves copies of its own, so that a sum could
# be right with one record three times and another one once.
whole() {
    local name
    for name in "$@"; do fetch "$name" /dht/_debug/list | { grep -o '"cid":"[^"]*"' || true; }; done |
        sort | uniq -c | awk -v values="$values" '$1 >= 2 { twice++ } END { exit twice < values }'
}
await "two copies of each" whole a b c d e f

# found NODE: every value, asked of that node.
found() {
    local number
    for ((number = 0; number < values; number++)); do
        [[ $(fetch "$1" "/dht/kv/record-$number") == "value $number" ]] || die "record-$number is gone at $1"
    done
}

for name in f e; do
    held=$(records "$name")
    stop "$name"
    handed=$(sed -n 's/.*"event":"handed_over","records":\([0-9]*\).*/\1/p' "$WORK/$name.log")
    [[ -n $handed ]] || die "$name does not say what it handed over"
    ((handed >= held)) || die "$name held $held records and handed over $handed"
    ok "$name held $held records, handed over $handed, and ended"
done
await "two copies of each are left" whole a b c d
found b
ok "after two stops b gives every value"

left=(a b c d)
for name in d c; do
    held=$(records "$name")
    crash "$name"
    left=("${left[@]/$name/}")
    # shellcheck disable=SC2206  # the gap that the killed one left is to vanish
    left=(${left[@]})
    await "what $name held is copied" whole "${left[@]}"
    ok "$name was killed with $held records; the others have two copies of everything again"
done
found b
ok "after two kills b gives every value"

finish_ok
say "replicas: passed"
