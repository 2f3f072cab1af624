#!/usr/bin/env bash
# A flood slows the flooder and nobody else: one session asks a node as fast as it can, a second one asks 200 times a
# second. The first is answered at RON_DHT_PEER_RPS and told Busy for some of the rest; the second gets every answer.
# Then SIGHUP lifts the limit.
#
# Usage: scripts/live/flood.sh [SECONDS]        default: 5
#        PEER_RPS=2000 FLOOD_RPS=50000 QUIET_RPS=200
# shellcheck source=../lib.sh
source "$(dirname "$0")/../lib.sh"

seconds=${1:-5}
peer_rps=${PEER_RPS:-2000}
flood_rps=${FLOOD_RPS:-50000}
quiet_rps=${QUIET_RPS:-200}
PATIENCE=$((PATIENCE + seconds))

# begin NAME ARGUMENT...: a bench in the background; its result is all that $WORK/NAME.log will hold.
begin() { start "$1" "$BIN/svc-dht" bench --overlay "${OVERLAY[node]}" --node "${ADMIN[node]}" --op find_node --json "${@:2}"; }

# bench NAME ARGUMENT...: the same, to its end. Each request has time: one that a busy machine is late with is not lost.
bench() {
    begin "$@" --timeout-ms 10000
    ended "$1"
}

# figures NAME: one line about it.
figures() {
    python3 - "$1" "$WORK/$1.log" <<'PYTHON'
import json, sys
got = json.load(open(sys.argv[2]))
latency = got["latency_us"]["find_node"]
print(f"{sys.argv[1]}: {got['sent']} asked in {got['elapsed_s']:.1f} s, {got['answered'] - got['busy']} answered, "
      f"{got['busy']} Busy, {got['lost']} dropped; p50 {latency['p50']:.0f} us, p99 {latency['p99']:.0f} us")
PYTHON
}

# holds NAME CONDITION: a Python condition on the result.
holds() {
    python3 -c "import json,sys; got = json.load(open(sys.argv[1])); sys.exit(not ($2))" "$WORK/$1.log" ||
        die "$1: not $2"
}

printf 'RON_DHT_PEER_RPS=%s\n' "$peer_rps" >"$WORK/node.conf"
start_node node "" --embed-overlay 127.0.0.1:0 --config-file "$WORK/node.conf"
"$BIN/svc-dht" bench --overlay "${OVERLAY[node]}" --contacts 100 --requests 1 --json >/dev/null

bench alone --rate "$quiet_rps" --seconds "$seconds"
begin flood --rate "$flood_rps" --seconds "$((seconds + 2))" --timeout-ms 500
await "the flood is on" metric_over node 'dht_rpcs_total{op="find_node",code="shed"}' 0
# Another seed makes another id: the switch lets only one session have each.
bench beside --seed 2 --rate "$quiet_rps" --seconds "$seconds"
ended flood
for name in alone beside flood; do say "  $(figures "$name")"; done

holds beside "got['answered'] == got['sent'] and got['refused'] == 0"
ok "beside a flood of $flood_rps a second every request was answered, none with Busy"
holds flood "got['busy'] > 0"
holds flood "got['answered'] - got['busy'] <= $peer_rps * (got['elapsed_s'] + 0.5)"
grep -q '"event":"shedding"' "$WORK/node.log" || die "the log says nothing of the flood"
told=$(grep -c '"event":"shedding"' "$WORK/node.log")
holds flood "$told <= got['elapsed_s'] + 2"
ok "the flood was answered at $peer_rps a second, and told of in the log"

printf 'RON_DHT_PEER_RPS=0\nRON_DHT_GLOBAL_RPS=0\n' >"$WORK/node.conf"
kill -HUP "${PID[node]}"
await "the limit is lifted" grep -q '"event":"reloaded".*"setting":"RON_DHT_PEER_RPS"' "$WORK/node.log"
bench lifted --in-flight 64 --requests 20000
holds lifted "got['answered'] == got['sent'] and got['refused'] == 0"
ok "SIGHUP lifts the limit: 20000 in a burst, none refused"
finish_ok
say "flood: passed"
