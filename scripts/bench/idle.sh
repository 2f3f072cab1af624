#!/usr/bin/env bash
# What a node costs that is attached, ready, and has nothing to do: memory, CPU time and wake-ups over 10 s, for a node
# on a hub and for a node with its own switch. Fails over: RSS 14 MiB, RssAnon 4 MiB, 0.1 % CPU, 20 wake-ups, 1 thread.
#
# Usage: scripts/bench/idle.sh [SECONDS]
# shellcheck source=../lib.sh
source "$(dirname "$0")/../lib.sh"
"$ROOT/scripts/setup.sh" strace

window=${1:-10}
export RON_DHT_READY_ENTRIES=1

# quiet NAME: no frame of its own in flight any more.
quiet() { [[ $(metric "$1" dht_pending_queries) == 0 ]]; }

# spend NAME: sets `spent`, the CPU us of one window. A busy machine, or one that counts CPU time in ticks of 10 ms,
# can charge a window with more than the node spent; so one over the limit is measured again, the least of three counts.
spend() {
    local before least="" try
    for try in 1 2 3; do
        before=$(cpu_us "$1")
        sleep "$window"
        spent=$(($(cpu_us "$1") - before))
        if [[ -z $least ]] || ((spent < least)); then least=$spent; fi
        ((least > window * 1000)) || break
        say "  $1: $spent us CPU over $window s in window $try"
    done
    spent=$least
}

# watch NAME: measures one process.
watch() {
    local name=$1 pid=${PID[$1]} rss anon threads spent wakeups
    await "$name has no query pending" quiet "$name"
    spend "$name"

    timeout --signal=INT "$window" strace -f -c -o "$WORK/strace" -p "$pid" 2>"$WORK/strace.err" || true
    [[ -s $WORK/strace ]] || grep -q detached "$WORK/strace.err" || die "strace: $(cat "$WORK/strace.err")"
    kill -0 "$pid" || die "$name died under strace"
    wakeups=$(awk '$NF ~ /^epoll_p?wait2?$/ { calls += $4 } END { print calls + 0 }' "$WORK/strace")

    rss=$(memory_kib "$name" VmRSS)
    anon=$(memory_kib "$name" RssAnon)
    threads=$(memory_kib "$name" Threads)
    say "  $name: RSS $rss KiB, RssAnon $anon KiB, $threads thread(s);" \
        "over $window s: $spent us CPU, $wakeups wake-ups"
    ((rss <= 14 * 1024)) || die "RSS over 14 MiB"
    ((anon <= 4 * 1024)) || die "RssAnon over 4 MiB"
    ((threads == 1)) || die "more than one thread"
    ((spent <= window * 1000)) || die "over 0.1 % CPU"
    ((wakeups <= window * 2)) || die "more than 2 wake-ups a second"
}

start_hub hub
start_node a "${OVERLAY[hub]}"
start_node b "${OVERLAY[hub]}"
await "a is ready" ready a
await "b is ready" ready b
watch a
finish_ok

start_node embedded "" --embed-overlay 127.0.0.1:0
start_node other "${OVERLAY[embedded]}" --embed-overlay 127.0.0.1:0
await "embedded is ready" ready embedded
await "other is ready" ready other
watch embedded
finish_ok
say "idle: passed"
