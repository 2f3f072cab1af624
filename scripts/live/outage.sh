#!/usr/bin/env bash
# The hub is killed with -9 and started again. Both nodes must notice, stay up without a busy loop, find back by
# themselves, and still have the value.
# shellcheck source=../lib.sh
source "$(dirname "$0")/../lib.sh"

# The hub stays away this long, in seconds: several attempts to reconnect fall into it.
away=${1:-5}
export RON_DHT_READY_ENTRIES=1 RON_DHT_REPLICA=2

start_hub hub
start_node a "${OVERLAY[hub]}"
start_node b "${OVERLAY[hub]}"
await "a is ready" ready a
await "b is ready" ready b
head -c 1024 /dev/urandom >"$WORK/value"
"$BIN/svc-dht" put kept --file "$WORK/value" --node "${ADMIN[a]}" >/dev/null || die "put"
ok "two nodes are ready, a value is stored"

# The time of day, in milliseconds, at which NODE logged that the session ended: closed, or reset where the hub died with
# something unread.
down_ms() {
    local when
    when=$(sed -n 's/.*"ts":"\([^"]*\)".*"event":"overlay_down".*/\1/p' "$WORK/$1.log" | tail -n 1)
    [[ -n $when ]] && date -d "$when" +%s%3N
}

declare -A before
killed_ms=$(date +%s%3N)
crash hub
for node in a b; do before[$node]=$(cpu_us "$node"); done
for node in a b; do await "$node says 503" unready "$node"; done
ok "hub killed with -9: /readyz is 503 on both"
for node in a b; do
    await "$node has logged the end of its session" down_ms "$node"
    say "        $node: knew $(($(down_ms "$node") - killed_ms)) ms after the kill"
done

sleep "$away"
for node in a b; do
    spent=$(($(cpu_us "$node") - before[$node]))
    say "        $node: $((spent / 1000)).$(printf %03d $((spent % 1000))) ms CPU over $away s without the hub"
    # A busy loop burns all of it; a node that waits and retries needs less than a hundredth.
    ((spent < away * 10000)) || die "$node was busy while the hub was away"
    status_is "$node" /healthz 200 || die "$node is not healthy without its hub"
done

start_hub hub "${OVERLAY[hub]}"
for node in a b; do await "$node is ready again" ready "$node"; done
for node in a b; do
    "$BIN/svc-dht" get kept --node "${ADMIN[$node]}" >"$WORK/got" || die "get on $node after the outage"
    cmp "$WORK/value" "$WORK/got" || die "the value changed on $node"
done
ok "hub back: both ready again by themselves, the value is the same"
finish_ok
say "outage: passed"
