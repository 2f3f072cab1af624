#!/usr/bin/env bash
# What the original's scripts ask, asked in the very words of their curl lines, of two nodes that are configured by the
# names in circulation: run-local (readyz, version, provide, find, metrics), two-node-local (the aliases, from one node
# to the other), ttl-demo (two seconds, then gone).
# shellcheck source=../lib.sh
source "$(dirname "$0")/../lib.sh"

has() { [[ $1 == *"$2"* ]] || die "no '$2' in: $1"; }

start_hub hub
for name in a b; do
    DHT_ADMIN_BIND=127.0.0.1:0 RON_DHT_SEEDS=${OVERLAY[hub]} SVC_DHT_READY_ENTRIES=1 start "$name" "$BIN/svc-dht"
    await "$name listens" logged "$name" listening admin
    ADMIN[$name]=$(logged "$name" listening admin)
done
ADDR=${ADMIN[a]}
CID=b3:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
NODE=local://nodeA
TTL=60

answers() { [[ $(curl -s -o /dev/null -w "%{http_code}" "http://$1/readyz") == 200 ]]; }
await "a answers readyz with 200" answers "$ADDR"
await "b answers readyz with 200" answers "${ADMIN[b]}"
has "$(curl -s "http://${ADDR}/version")" '"git":'
has "$(curl -s "http://${ADDR}/version")" '"built":'
said=$(curl -s -X POST "http://${ADDR}/dht/provide" \
    -H "content-type: application/json" \
    -d "{\"cid\":\"${CID}\",\"node\":\"${NODE}\",\"ttl_secs\":${TTL}}")
has "$said" '"ok":true'
has "$said" '"ttl_secs_used":60'
has "$(curl -s "http://${ADDR}/dht/find_providers/${CID}")" "\"providers\":[\"$NODE\"]"
page=$(curl -s "http://${ADDR}/metrics" | grep -E "dht_lookup_|dht_lookups_total|dht_provides_total")
has "$page" 'dht_provides_total 1'
for line in dht_lookups_total dht_lookup_latency_seconds_count dht_lookup_hops; do has "$page" "$line"; done
ok "run-local: readyz, version, provide, find, metrics"

said=$(curl -fsS -X POST "http://${ADDR}/provide" \
    -H 'content-type: application/json' \
    -d "{\"cid\":\"${CID}\",\"node\":\"crab://node/a1\",\"ttl_secs\":60}")
has "$said" '"ok":true'
found=$(curl -fsS "http://${ADMIN[b]}/find/${CID}")
has "$found" '"crab://node/a1"'
has "$found" "\"$NODE\""
has "$(curl -fsS "http://${ADMIN[b]}/metrics")" 'dht_lookups_total'
ok "two-node-local: /provide on one node, /find on the other"

CID=b3:$(printf '5e%.0s' {1..32})
get() { curl -sS "http://$ADDR$1"; }
post_json() { curl -sS -H "content-type: application/json" -d "$2" "http://$ADDR$1"; }
# Asked again where this machine took so long that the two seconds were over before it looked.
seen_alive() {
    [[ $(post_json /dht/provide "$(printf '{"cid":"%s","node":"%s","ttl_secs":%s}' "$CID" local://tmp 2)") \
        == *'"ttl_secs_used":2'* ]] &&
        [[ $(get "/dht/find_providers/$CID") == *'"providers":["local://tmp"]'* ]] &&
        [[ $(get /dht/_debug/list) == *"\"cid\":\"$CID\""*'"secs_left":'* ]]
}
await "a provider of two seconds is found and listed" seen_alive
# Nothing but time can show that two seconds end.
expired() { [[ $(get "/dht/find_providers/$CID") == *'"providers":[]'* ]]; }
await "the provider of two seconds expires" expired
ok "ttl-demo: provided for two seconds, listed, and gone"
finish_ok
say "original: passed"
