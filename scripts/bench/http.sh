#!/usr/bin/env bash
# CPU per HTTP request: /healthz and a get of a local 100-byte value, beside libmicrohttpd answering with a constant
# 100 bytes (target T13: at most 1.2 times that), nginx serving a file of 100 bytes, and redis GET.
#
# Usage: scripts/bench/http.sh [SECONDS]    a round, default 2; ROUNDS=5 by default, figures are medians
#
# One load client (wrk; redis-benchmark for redis), 32 connections, servers on the first processor, the client on the
# last. Rounds alternate between the servers, so that a busy spell meets all of them.
# shellcheck source=../lib.sh
source "$(dirname "$0")/../lib.sh"
seconds=${1:-2}
rounds=${ROUNDS:-5}
"$ROOT/scripts/setup.sh" build http
cc -O2 -Wall -Wextra -Werror -o "$WORK/constant" "$ROOT/scripts/bench/constant.c" -lmicrohttpd
last=$(($(nproc) - 1))
value=$(printf 'v%.0s' {1..100})

UNDER=(taskset -c 0)
RON_DHT_READY_ENTRIES=0 RON_DHT_READY_PEERS=0 start_node node '' --embed-overlay 127.0.0.1:0
start constant "$WORK/constant"
await "the constant server listens" grep -q '^[0-9]' "$WORK/constant.log"
port_of() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
nginx_port=$(port_of)
mkdir -p "$WORK/www"
printf '%s' "$value" >"$WORK/www/value"
cat >"$WORK/nginx.conf" <<END
daemon off; master_process off; pid $WORK/nginx.pid; error_log stderr;
events { worker_connections 256; }
http { access_log off; keepalive_requests 100000000; client_body_temp_path $WORK/b; proxy_temp_path $WORK/p;
  fastcgi_temp_path $WORK/f; uwsgi_temp_path $WORK/u; scgi_temp_path $WORK/s;
  server { listen 127.0.0.1:$nginx_port; root $WORK/www; } }
END
start nginx /usr/sbin/nginx -c "$WORK/nginx.conf"
redis_port=$(port_of)
start redis redis-server --port "$redis_port" --bind 127.0.0.1 --save '' --appendonly no
await "redis answers" redis-cli -p "$redis_port" set value "$value"
await "nginx answers" curl -sf "http://127.0.0.1:$nginx_port/value"
await "the node is ready" ready node
curl -sf -X PUT --data-binary "$value" "http://${ADMIN[node]}/dht/kv/value" >/dev/null

declare -A url=(
    [healthz]="http://${ADMIN[node]}/healthz" [kv]="http://${ADMIN[node]}/dht/kv/value"
    [constant]="http://127.0.0.1:$(head -n 1 "$WORK/constant.log")/" [nginx]="http://127.0.0.1:$nginx_port/value"
)
declare -A server=([healthz]=node [kv]=node [constant]=constant [nginx]=nginx [redis]=redis)

# one WORK: requests per second and CPU-us per request of one round.
one() {
    local before after count
    before=$(cpu_us "${server[$1]}")
    if [[ $1 == redis ]]; then
        taskset -c "$last" redis-benchmark -p "$redis_port" -c 32 -n $((40000 * seconds)) -q GET value >"$WORK/load"
        count=$((40000 * seconds))
    else
        taskset -c "$last" wrk -t1 -c32 -d"${seconds}s" "${url[$1]}" >"$WORK/load"
        ! grep -q 'Non-2xx\|Socket errors' "$WORK/load" || die "$1: $(grep 'Non-2xx\|Socket errors' "$WORK/load")"
        count=$(awk '/requests in/ { print $1 }' "$WORK/load")
    fi
    after=$(cpu_us "${server[$1]}")
    awk -v n="$count" -v us=$((after - before)) -v s="$seconds" 'BEGIN { printf "%.3f %.0f\n", us / n, n / s }' \
        >>"$WORK/figures.$1"
}
median() { sort -n "$WORK/figures.$1" | awk -v f="$2" '{ v[NR] = $f } END { print v[int((NR + 1) / 2)] }'; }

for ((round = 0; round < rounds; round++)); do
    for work in constant healthz kv nginx redis; do one "$work"; done
done
say "machine: $(awk -F': ' '/model name/ { print $2; exit }' /proc/cpuinfo), $(nproc) processors, load $(cut -d' ' -f1 /proc/loadavg)"
say "32 connections, medians of $rounds rounds of $seconds s"
say
say "| work | CPU us a request | requests a second |"
say "| --- | ---: | ---: |"
say "| libmicrohttpd, a constant of 100 B | $(median constant 1) | $(median constant 2) |"
say "| svc-dht /healthz | $(median healthz 1) | $(median healthz 2) |"
say "| svc-dht get of a local value of 100 B | $(median kv 1) | $(median kv 2) |"
say "| nginx, a file of 100 B | $(median nginx 1) | $(median nginx 2) |"
say "| redis GET of 100 B | $(median redis 1) | - |"
say
awk -v kv="$(median kv 1)" -v c="$(median constant 1)" 'BEGIN { printf "T13: %.2f times the constant (target 1.2)\n", kv / c }'
# nginx without a master ends with another status on SIGTERM; it holds nothing.
crash nginx
crash constant
finish_ok
