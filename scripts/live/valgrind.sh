#!/usr/bin/env bash
# A round trip under memcheck: a hub, a node on it and a node with its own switch, put on one, get on the other, and a
# clean stop. Any error and any definite leak fails; scripts/live/valgrind.supp holds what is not ours, each with its reason.
# shellcheck source=../lib.sh
source "$(dirname "$0")/../lib.sh"
"$ROOT/scripts/setup.sh" valgrind

# Valgrind 3.19 gives up on the debug information of the static Foundation. Symbols are enough for its reports.
mkdir "$WORK/bin"
for program in svc-dht svc-overlay; do objcopy --strip-debug "$BIN/$program" "$WORK/bin/$program"; done
BIN=$WORK/bin

# Everything is some 30 times slower under valgrind.
PATIENCE=120
export RON_DHT_READY_ENTRIES=1 RON_DHT_REPLICA=2 RON_DHT_TIMEOUT_MS=20000 RON_DHT_DEADLINE_MS=60000
export RON_OVERLAY_HANDSHAKE_MS=20000
UNDER=(valgrind --tool=memcheck --leak-check=full --show-leak-kinds=definite --errors-for-leak-kinds=definite
    --error-exitcode=99 --num-callers=40 --suppressions="$ROOT/scripts/live/valgrind.supp" --log-file="$WORK/%p.valgrind")

start_hub hub
start_node a "${OVERLAY[hub]}"
start_node b "${OVERLAY[hub]}" --embed-overlay 127.0.0.1:0
await "a is ready" ready a
await "b is ready" ready b
head -c 65536 /dev/urandom >"$WORK/value"
for size in 0 1 1024 65536; do
    head -c "$size" "$WORK/value" >"$WORK/sent"
    curl --silent --fail --max-time 60 --data-binary @"$WORK/sent" --request PUT \
        "http://${ADMIN[a]}/dht/kv/size-$size" >/dev/null || die "put of $size bytes"
    curl --silent --fail --max-time 60 "http://${ADMIN[b]}/dht/kv/size-$size" >"$WORK/got" || die "get of $size bytes"
    cmp "$WORK/sent" "$WORK/got" || die "the value of $size bytes differs"
done
fetch a /metrics >/dev/null
ok "4 values put on one node and got from the other"

names=("${!PID[@]}")
declare -A pids
for name in "${names[@]}"; do pids[$name]=${PID[$name]}; done
for name in "${names[@]}"; do
    kill -TERM "${PID[$name]}"
    gone_or_killed "${PID[$name]}" || die "$name did not end within $PATIENCE s of SIGTERM"
    status=0
    wait "${PID[$name]}" || status=$?
    unset "PID[$name]"
    report=$WORK/${pids[$name]}.valgrind
    if ((status)); then
        cat "$report" >&2
        die "$name ended with $status under valgrind"
    fi
    say "  $name: $(sed -n 's/^==[0-9]*== *\(ERROR SUMMARY: .*\)/\1/p' "$report");" \
        "definitely lost: $(sed -n 's/^==[0-9]*== *definitely lost: //p' "$report" | grep . || echo none)"
done
say "valgrind: passed"
