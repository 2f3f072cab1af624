#!/usr/bin/env bash
# Debian's Prometheus scrapes two nodes and their hub: promtool likes every page, its API says that all targets are up,
# and dht_get_latency_seconds has samples. The alert rules are tested first.
# shellcheck source=../lib.sh
source "$(dirname "$0")/../lib.sh"
"$ROOT/scripts/setup.sh" prometheus python

(cd "$ROOT/deploy/prometheus" && promtool test rules svc-dht.test.yml >"$WORK/said" 2>&1) || die "$(cat "$WORK/said")"
promtool check config "$ROOT/deploy/prometheus/prometheus.yml" >"$WORK/said" 2>&1 || die "$(cat "$WORK/said")"
python3 -m json.tool "$ROOT/deploy/grafana/svc-dht.json" >/dev/null || die "the dashboard is no JSON"
ok "alert rules, scrape configuration and dashboard are sound"

start_hub hub
export RON_DHT_READY_ENTRIES=1 RON_DHT_REPLICA=2
start_node a "${OVERLAY[hub]}"
start_node b "${OVERLAY[hub]}"
for name in a b; do await "$name is ready" ready "$name"; done
"$BIN/svc-dht" put key value --node "${ADMIN[a]}" >/dev/null
for name in a b; do "$BIN/svc-dht" get key --node "${ADMIN[$name]}" >/dev/null; done

for name in a b hub; do
    fetch "$name" /metrics | promtool check metrics >"$WORK/said" 2>&1 || die "$name: $(cat "$WORK/said")"
    [[ ! -s $WORK/said ]] || die "promtool about $name: $(cat "$WORK/said")"
done
ok "promtool has nothing to say about the metrics of nodes and hub"

# Prometheus does not tell which port it got for 0.
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
cat >"$WORK/prometheus.yml" <<CONFIG
global: {scrape_interval: 500ms, scrape_timeout: 500ms}
rule_files: ['$ROOT/deploy/prometheus/svc-dht.rules.yml']
scrape_configs:
  - {job_name: svc-dht, static_configs: [{targets: ['${ADMIN[a]}', '${ADMIN[b]}']}]}
  - {job_name: svc-overlay, static_configs: [{targets: ['${ADMIN[hub]}']}]}
CONFIG
start prometheus prometheus --config.file="$WORK/prometheus.yml" --storage.tsdb.path="$WORK/tsdb" \
    --web.listen-address="127.0.0.1:$port" --log.level=warn
ADMIN[prometheus]=127.0.0.1:$port

# ask QUERY: the value of the only sample that the query gives.
ask() {
    curl --silent --fail --max-time 5 --get --data-urlencode "query=$1" "http://${ADMIN[prometheus]}/api/v1/query" |
        python3 -c 'import json, sys; [sample] = json.load(sys.stdin)["data"]["result"]; print(sample["value"][1])'
}
says() { [[ $(ask "$1") == "$2" ]]; }

await "Prometheus sees three targets up" says 'sum(up)' 3
await "both gets are in the histogram" says 'sum(dht_get_latency_seconds_count{job="svc-dht"})' 2
await "their buckets add up" says 'sum(dht_get_latency_seconds_bucket{le="+Inf"})' 2
await "the put is counted" says 'sum(dht_put_total)' 1
await "all are ready" says 'min(dht_ready)' 1
await "the hub's sessions are seen" says 'sum(overlay_sessions_active{job="svc-overlay"})' 2
ok "Prometheus: 3 targets up, 2 gets in dht_get_latency_seconds"
finish_ok
say "prometheus: passed"
