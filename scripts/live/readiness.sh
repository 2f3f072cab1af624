#!/usr/bin/env bash
# Readiness tells the truth: a node whose last peer, or whole surroundings, are gone is not ready within 30 s, be they
# killed or frozen without a word; and a canary says so by itself. Four pairs of nodes, all hit at one moment.
# shellcheck source=../lib.sh
source "$(dirname "$0")/../lib.sh"
export RON_DHT_READY_ENTRIES=1

gate() { shows "$1" /readyz "\"$2\":$3"; }
closed() { [[ $(curl --silent --max-time 10 "http://${ADMIN[$1]}/readyz") =~ '"missing":['[^]]*"\"$2\"" ]]; }

start_hub lasting
start_node left "${OVERLAY[lasting]}"
start_node leaver "${OVERLAY[lasting]}"
start_hub dying
start_node orphan "${OVERLAY[dying]}"
start_node sibling "${OVERLAY[dying]}"
start_node watcher "" --embed-overlay 127.0.0.1:0
start_node frozen "${OVERLAY[watcher]}" --embed-overlay 127.0.0.1:0
start_node miner "" --embed-overlay 127.0.0.1:0 --canary-secs 5
start_node ice "${OVERLAY[miner]}" --embed-overlay 127.0.0.1:0
for name in left orphan watcher miner; do await "$name is ready" ready "$name"; done
await "miner is ready with its canary" gate miner canary_ok true
await "left is ready" gate left routing_ready true
gate left canary_ok true && die "left has a canary that it was not given"
metric_over miner 'dht_canary_total{outcome="ok"}' 0 || die "the canary is not counted"
shows miner /dht/_debug/list '"bytes":1' || say "  note: its record lives at the other node"
ok "four nodes are ready, one of them with a canary"

began=${EPOCHREALTIME/./}
crash leaver
crash dying
crash sibling
kill -STOP "${PID[frozen]}" "${PID[ice]}"
# Which gate of a frozen node's closes first, its canary or its table, depends on where the canary was in its round.
declare -A SECONDS_OF=()
note() {
    [[ -n ${SECONDS_OF[$1]:-} ]] || ! "${@:2}" ||
        SECONDS_OF[$1]=$(awk -v us=$((${EPOCHREALTIME/./} - began)) 'BEGIN { printf "%.1f", us / 1e6 }')
}
all_noted() {
    local name
    for name in left orphan watcher miner; do note "$name" unready "$name"; done
    note canary closed miner canary_ok
    ((${#SECONDS_OF[@]} == 5))
}
PATIENCE=30 await "none of them is ready, and the canary knows why" all_noted
metric_over miner 'dht_canary_total{outcome="failed"}' 1 || die "failed canaries are not counted"
ok "not ready after: last peer killed ${SECONDS_OF[left]} s, hub and peer killed ${SECONDS_OF[orphan]} s," \
    "last peer frozen ${SECONDS_OF[watcher]} s, the same with a canary ${SECONDS_OF[miner]} s," \
    "its canary's gate ${SECONDS_OF[canary]} s"
[[ $(curl -s -o /dev/null -w '%{http_code}' -X PUT --data x "http://${ADMIN[watcher]}/dht/kv/k") == 503 ]] ||
    die "a node that is not ready takes a write"

kill -CONT "${PID[frozen]}" "${PID[ice]}"
start_node returner "${OVERLAY[lasting]}"
for name in left watcher miner; do await "$name is ready again" ready "$name"; done
ok "ready again once somebody is there; writes were refused in between"
finish_ok
say "readiness: passed"
