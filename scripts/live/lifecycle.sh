#!/usr/bin/env bash
# A node's life as its supervisor sees it: SIGHUP changes what can change and says what cannot; SIGTERM ends it
# with status 0 and a count of what was cut; off loopback a token is needed to write.
# shellcheck source=../lib.sh
source "$(dirname "$0")/../lib.sh"

logs() { grep -q "$2" "$WORK/$1.log"; }

start_hub hub
export RON_DHT_READY_ENTRIES=1 RON_DHT_REPLICA=2
printf 'RON_DHT_LOG=info\n' >"$WORK/a.conf"
start_node a "${OVERLAY[hub]}" --config-file "$WORK/a.conf"
start_node b "${OVERLAY[hub]}"
await "a is ready" ready a

printf 'RON_DHT_LOG=debug\nRON_DHT_TX_WATERMARK=50\nRON_DHT_K=8\n' >"$WORK/a.conf"
kill -HUP "${PID[a]}"
await "a has read it" logs a '"event":"signal".*SIGHUP'
logs a '"event":"reloaded".*"setting":"RON_DHT_LOG"' || die "the level did not change"
logs a '"event":"needs_restart".*"setting":"RON_DHT_K"' || die "nobody said that K needs a restart"
shows a /readyz '"tx_watermark":50' || die "the watermark did not change"
printf 'RON_DHT_LOG=nonsense\n' >"$WORK/a.conf"
kill -HUP "${PID[a]}"
await "a refuses nonsense" logs a '"event":"reload_failed"'
ready a || die "a is no longer ready"
await "a tells each RPC" logs a '"level":"debug".*"event":"rpc"'
ok "SIGHUP: level and watermark at once, K with a restart, nonsense not at all"

# Nobody listens on the discard port of this host, one hopes; the list is in the file, so that it can change.
printf 'RON_DHT_BOOTSTRAP=127.0.0.1:9\n' >"$WORK/moved.conf"
start_node moved '' --config-file "$WORK/moved.conf"
await "moved cannot reach its overlay" logs moved '"event":"dial_failed".*127.0.0.1:9"'
ready moved && die "moved is ready without an overlay"
printf 'RON_DHT_BOOTSTRAP=%s\n' "${OVERLAY[hub]}" >"$WORK/moved.conf"
kill -HUP "${PID[moved]}"
await "moved is ready at the overlay it was told" ready moved
logs moved '"event":"reloaded".*"setting":"RON_DHT_BOOTSTRAP"' || die "nobody said that the list changed"
start_hub other
printf 'RON_DHT_BOOTSTRAP=%s\n' "${OVERLAY[other]}" >"$WORK/moved.conf"
kill -HUP "${PID[moved]}"
at_home() { [[ $(logged "$1" home peer) == "$2" ]]; }
await "moved is at home at the other hub" at_home moved "${OVERLAY[other]}"
stop moved
stop other
ok "SIGHUP: another bootstrap list, and the node moves there without a restart"

# Only "localhost" is known without asking: in capitals it is a name, which c-ares finds without a network.
keeps_one() { [[ $(fetch "$1" /dht/stats | grep -o '"kept":true' | wc -l) == 1 ]]; }
start_node carrier "" --embed-overlay 127.0.0.1:0
for at in hub carrier; do
    start_node named "LOCALHOST:${OVERLAY[$at]##*:},${OVERLAY[$at]}" --embed-overlay 127.0.0.1:0
    await "a node finds the nodes at the $at that it knows by name" ready named
    await "and keeps one session there, not two" keeps_one named
    stop named
done
start_node named "LOCALHOST:${OVERLAY[hub]##*:}"
await "a node without a switch, too" ready named
knows() { shows "$1" /dht/routing "$(logged "$2" listening node)"; }
await "and others find it there" knows a named
stop named
stop carrier
ok "names: an overlay is found by name, and is one overlay under two names"

stop b
logs b '"event":"stopping".*"drain_ms":5000' || die "b did not say that it ends"
logs b '"event":"stopped".*"calls_cut":0' || die "b did not say what it left: $(tail -n 1 "$WORK/b.log")"
ok "SIGTERM: the end is announced, nothing is cut, status 0"

# A peer that takes three seconds for each answer and never answers a get: a call to it runs for many seconds.
RON_DHT_TIMEOUT_MS=30000 RON_DHT_DEADLINE_MS=60000 RON_DHT_DRAIN_MS=60000 start_node c "${OVERLAY[hub]}"
start slow "$("$ROOT/scripts/venv.sh")/python" "$ROOT/scripts/live/slow_peer.py" "${OVERLAY[hub]}" 3
knows_all() { [[ $(metric c dht_routing_table_size) == 2 ]]; }
await "c knows a and the slow peer" knows_all
curl --silent --output /dev/null "http://${ADMIN[c]}/dht/kv/nothing" &
asked=$!
running() { [[ $(metric c dht_get_total) == 1 ]]; }
await "c has a get running" running
kill -TERM "${PID[c]}"
await "c waits for the get" logs c '"event":"stopping".*"calls":1'
kill -TERM "${PID[c]}"
gone_or_killed "${PID[c]}" || die "c did not end on the second signal"
status=0
wait "${PID[c]}" || status=$?
unset 'PID[c]'
wait "$asked" || true
((status == 1)) || die "c was cut short and ended with $status, not 1"
logs c 'second SIGTERM' || die "c did not say why it ends"
logs c '"event":"stopped".*"calls_cut":1' || die "c did not say what it cut: $(tail -n 1 "$WORK/c.log")"
crash slow
ok "a second SIGTERM: at once, with a count of the calls that were cut, status 1"

printf '0123456789abcdef0123456789abcdef\n' >"$WORK/token"
RON_DHT_ADMIN_TOKEN_FILE=$WORK/token
export RON_DHT_ADMIN_TOKEN_FILE
start e "$BIN/svc-dht" run --bootstrap "${OVERLAY[hub]}" --admin-addr 0.0.0.0:0
await "e listens" logged e listening admin
ADMIN[e]=127.0.0.1:$(logged e listening admin | sed 's/.*://')
await "e is ready" ready e
code() { curl --silent --output /dev/null --write-out '%{http_code}' --max-time 10 "$@"; }
[[ $(code -X PUT --data x "http://${ADMIN[e]}/dht/kv/k") == 401 ]] || die "a write without a token was taken"
[[ $(code -X PUT --data x -H "Authorization: Bearer $(cat "$WORK/token")" "http://${ADMIN[e]}/dht/kv/k") == 200 ]] ||
    die "a write with the token was refused"
[[ $(code "http://${ADMIN[e]}/dht/_debug/list") == 403 ]] || die "debugging is open off loopback"
ok "token: needed for writes off loopback, debugging shut"
finish_ok
say "lifecycle: passed"
