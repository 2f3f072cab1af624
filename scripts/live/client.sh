#!/usr/bin/env bash
# A client of 20 lines of Python (socket and cbor2, no code of ours) says HELLO, pings a node through the switch, and
# decodes the Pong and a Nodes reply: through a hub, and through a node's embedded switch.
# shellcheck source=../lib.sh
source "$(dirname "$0")/../lib.sh"

python=$("$ROOT/scripts/venv.sh")/python
a=aa00000000000000000000000000000000000000000000000000000000000001
b=bb00000000000000000000000000000000000000000000000000000000000002
export RON_DHT_READY_ENTRIES=1

# ask ENDPOINT: both replies of node a, which must know itself and b.
ask() {
    "$python" "$ROOT/scripts/live/stock_client.py" "$1" "$a" >"$WORK/replies" || die "the client at $1"
    [[ $(head -n 1 "$WORK/replies") == "{'Pong': {}}" ]] || die "no Pong: $(head -n 1 "$WORK/replies")"
    "$python" - "$WORK/replies" "$a" "$b" <<'CHECK' || die "Nodes: $(tail -n 1 "$WORK/replies")"
import ast, sys
nodes = ast.literal_eval(open(sys.argv[1]).read().splitlines()[1])["Nodes"]["nodes"]
assert {bytes.fromhex(sys.argv[2]), bytes.fromhex(sys.argv[3])} <= {id for id, _ in nodes}
assert all(isinstance(at, str) and ":" in at for _, at in nodes)
CHECK
    ok "Pong, and Nodes with both nodes, from $1"
}

start_hub hub
start_node a "${OVERLAY[hub]}" --node-id "$a"
start_node b "${OVERLAY[hub]}" --node-id "$b"
await "a is ready" ready a
await "b is ready" ready b
ask "${OVERLAY[hub]}"
[[ $(metric a dht_routing_table_size) == 1 ]] || die "a client entered the routing table"
finish_ok

start_node a "" --node-id "$a" --embed-overlay 127.0.0.1:0
start_node b "${OVERLAY[a]}" --node-id "$b" --embed-overlay 127.0.0.1:0
await "a is ready" ready a
await "b is ready" ready b
ask "${OVERLAY[a]}"
finish_ok
say "client: passed"
