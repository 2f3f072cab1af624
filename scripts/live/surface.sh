#!/usr/bin/env bash
# The routes and commands that need a network, against four real nodes: delete, If-Match, providers and their expiry,
# the aliases in circulation, lookup, explain, ping.
#
# Usage: scripts/live/surface.sh
# shellcheck source=../lib.sh
source "$(dirname "$0")/../lib.sh"
export RON_DHT_READY_ENTRIES=3

# call NODE CODE METHOD PATH [CURL ARGUMENT...]: the body, which must come with that status.
call() {
    local node=$1 wanted=$2 method=$3 path=$4 code
    shift 4
    code=$(curl -sS --max-time 10 -o "$WORK/body" -D "$WORK/head" -w '%{http_code}' -X "$method" "$@" \
        "http://${ADMIN[$node]}$path") || die "$method $path: no answer"
    [[ $code == "$wanted" ]] || die "$method $path: $code where $wanted is due: $(cat "$WORK/body")"
    cat "$WORK/body"
}
has() { [[ $1 == *"$2"* ]] || die "no '$2' in: $1"; }

start_node a '' --embed-overlay 127.0.0.1:0
for name in b c d; do start_node "$name" "${OVERLAY[a]}" --embed-overlay 127.0.0.1:0; done
for name in a b c d; do await "$name is ready" ready "$name"; done

call a 200 PUT /dht/kv/k --data-binary one >/dev/null
call c 200 GET /dht/kv/k >/dev/null
etag=$(tr -d '\r' <"$WORK/head" | awk 'tolower($1) == "etag:" { print $2 }')
has "$(call c 409 PUT /dht/kv/k -H 'If-Match: "5"' --data-binary two)" "\"seq\":${etag//\"/}"
call c 200 PUT /dht/kv/k -H "If-Match: $etag" --data-binary two >/dev/null
[[ $(call a 200 GET /dht/kv/k) == two ]] || die "the conditional put is not what is read"
call d 409 DELETE /dht/kv/k -H "If-Match: $etag" >/dev/null
ok "If-Match: another version is a conflict that names it, the right one goes on"

has "$(call d 200 DELETE /dht/kv/k)" '"acks":3'
for name in a b c d; do call "$name" 404 GET /dht/kv/k >/dev/null; done
ok "a deleted value is gone on every node"

cid=b3:$(printf 'ab%.0s' {1..32})
json='content-type: application/json'
provide() { call "$1" 200 POST /dht/provide -H "$json" -d "{\"cid\":\"$cid\",\"node\":\"$2\",\"ttl_secs\":$3}"; }
has "$(provide a local://a 60)" '"ok":true,"ttl_secs_used":60'
call b 200 POST /provide -H "$json" -d "{\"cid\":\"$cid\",\"node\":\"local://b\"}" >/dev/null
found=$(call c 200 GET "/dht/find_providers/$cid")
has "$found" local://a && has "$found" local://b && has "$found" '"complete":true'
has "$(call d 200 GET "/find/$cid")" local://a
has "$(call a 400 POST /provide -H "$json" -d "{\"cid\":\"$cid\",\"node\":\"nope\"}")" '"error":"invalid node URI"'
# Three of the four hold it; which, their ids decide.
has "$(for name in a b c d; do call "$name" 200 GET /dht/_debug/list; done)" "$cid"
# Its two seconds end: nothing but time can show that. Provided again where this machine took longer than that to look.
brief() { [[ $(call c 200 GET "/dht/find_providers/$cid") == *local://brief*'"complete":true'* ]]; }
seen_alive() { [[ $(provide d local://brief 2) == *'"ok":true'* ]] && brief; }
expired() {
    local found
    found=$(call c 200 GET "/dht/find_providers/$cid") &&
        [[ $found == *local://a* && $found == *local://b* && $found != *local://brief* ]]
}
await "a provider of two seconds is found" seen_alive
await "the provider of two seconds expires" expired
ok "providers are merged, found under every alias, and expire each by itself"

call a 200 PUT /dht/kv/z --data-binary v >/dev/null
has "$(call c 200 GET '/dht/lookup?key=z')" '"value":"v"'
call c 404 GET '/dht/lookup?key=nothing' >/dev/null
has "$(call c 200 GET /dht/explain/z)" '"answer":"found"'
id=$(logged a listening node)
has "$(call d 200 GET "/dht/ping/$id")" "\"endpoint\":\"${OVERLAY[a]}\""
has "$("$BIN/svc-dht" explain z --node "${ADMIN[c]}")" found
has "$("$BIN/svc-dht" ping "$id" --node "${ADMIN[c]}")" "${OVERLAY[a]}"
has "$("$BIN/svc-dht" find "$cid" --node "${ADMIN[d]}")" local://b
"$BIN/svc-dht" delete z --node "${ADMIN[b]}" >/dev/null
status=0
"$BIN/svc-dht" get z --node "${ADMIN[a]}" >/dev/null 2>&1 || status=$?
((status == 1)) || die "get of a deleted key ends with $status, not 1"
ok "lookup, explain and ping tell what they should; the commands do the same"

finish_ok
say "surface: passed"
