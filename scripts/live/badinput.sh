#!/usr/bin/env bash
# What no peer and no HTTP client should send, to a hub and to a node: each gets its error, its counter moves, both
# processes live, and their memory does not grow. Usage: scripts/live/badinput.sh [ROUNDS]
# shellcheck source=../lib.sh
source "$(dirname "$0")/../lib.sh"

python=$("$ROOT/scripts/venv.sh")/python
id=aa00000000000000000000000000000000000000000000000000000000000001
limit=4096
# Half a HELLO is given up after 500 ms, so that the rounds stay short, and a busy machine says a whole one in time.
export RON_OVERLAY_HANDSHAKE_MS=500 RON_DHT_READY_ENTRIES=1 RON_DHT_MAX_VALUE=$limit

start_hub hub
start_node node "${OVERLAY[hub]}" --node-id "$id"
start_node other "${OVERLAY[hub]}"
for name in node other; do await "$name is ready" ready "$name"; done
"$python" "$ROOT/scripts/live/badinput.py" "${OVERLAY[hub]}" "${ADMIN[hub]}" "${ADMIN[node]}" "$id" "$limit" \
    "${PID[hub]}" "${PID[node]}" "${1:-20}"
await "the node is ready after all that" ready node
"$BIN/svc-dht" put still works --node "${ADMIN[node]}" >/dev/null || die "a put after all that"
[[ $("$BIN/svc-dht" get still --node "${ADMIN[other]}") == works ]] || die "a get after all that"
ok "both live, and still put and get"
finish_ok
say "badinput: passed"
