#!/usr/bin/env bash
# Sourced by the scripts. Starts daemons on ports that the kernel chooses, waits until something is so rather than for
# a while, and stops every process it started, by its id, however the script ends.
#
# A script sources this, calls `start_hub` and `start_node`, and ends with `finish_ok`. SVC_DHT_BIN names a directory
# with other binaries than the release build's.
# shellcheck disable=SC2034  # what seems unused here is used by the scripts
set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
WORK=$(mktemp -d "${TMPDIR:-/tmp}/svc-dht.XXXXXX")
# By the name a script gave: process id, admin address, overlay address.
declare -A PID=() ADMIN=() OVERLAY=()
# A command the daemons are run under, such as valgrind.
UNDER=()
# Seconds that `await` and `stop` give by default. Generous: it bounds a failure, it is not a measure.
PATIENCE=${PATIENCE:-60}

if [[ -n ${SVC_DHT_BIN:-} ]]; then
    BIN=$(cd "$SVC_DHT_BIN" && pwd)
else
    BIN=$ROOT/.build/release
    [[ -n ${MAKELEVEL:-} ]] || make --no-print-directory -C "$ROOT" build
fi

say() { printf '%s\n' "$*"; }
ok() { printf '  ok    %s\n' "$*"; }
die() {
    printf '  FAIL  %s\n' "$*" >&2
    exit 1
}

# What the script must always do at its end, also after a failure or a signal.
cleanup() {
    local status=$? name log until=$((SECONDS + 5))
    trap - EXIT INT TERM
    # One that a script has frozen wakes up to its end.
    for name in "${!PID[@]}"; do
        kill -TERM "${PID[$name]}" 2>/dev/null || true
        kill -CONT "${PID[$name]}" 2>/dev/null || true
    done
    for name in "${!PID[@]}"; do
        gone_or_killed "${PID[$name]}" "$until" || true
    done
    if ((status != 0)) && compgen -G "$WORK/*.log" >/dev/null; then
        for log in "$WORK"/*.log; do
            printf -- '--- last lines of %s\n' "$(basename "$log")" >&2
            tail -n 15 "$log" >&2
        done
    fi
    rm -rf "$WORK"
    exit "$status"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# gone_or_killed PID [UNTIL]: waits for a process to end; one that has not when SECONDS is at UNTIL (PATIENCE seconds
# from now) is killed, which is a failure.
gone_or_killed() {
    local pid=$1 until=${2:-$((SECONDS + PATIENCE))}
    while kill -0 "$pid" 2>/dev/null; do
        if ((SECONDS >= until)); then
            kill -KILL "$pid" 2>/dev/null || true
            return 1
        fi
        sleep 0.025
    done
}

# await WHAT COMMAND...: until COMMAND succeeds; fails after PATIENCE seconds, or at once when a daemon has died.
await() {
    local what=$1 until=$((SECONDS + PATIENCE)) name
    shift
    until "$@" >/dev/null 2>&1; do
        for name in "${!PID[@]}"; do
            kill -0 "${PID[$name]}" 2>/dev/null || die "$name died while waiting for: $what"
        done
        ((SECONDS < until)) || die "not within $PATIENCE s: $what"
        sleep 0.02
    done
}

# start NAME COMMAND...: in the background, its output in $WORK/NAME.log.
start() {
    local name=$1
    shift
    : >"$WORK/$name.log"
    "${UNDER[@]}" "$@" </dev/null >>"$WORK/$name.log" 2>&1 &
    PID[$name]=$!
}

# stop NAME: asks it to end, and fails unless it ends by itself with status 0.
stop() {
    local name=$1 pid=${PID[$1]} status=0
    unset "PID[$name]"
    kill -TERM "$pid" 2>/dev/null || die "$name had died before it was stopped"
    gone_or_killed "$pid" || die "$name did not end within $PATIENCE s of SIGTERM"
    wait "$pid" || status=$?
    ((status == 0)) || die "$name ended with status $status"
}

# ended NAME: waits for what ends by itself; fails when that takes more than PATIENCE seconds, or unless its status is 0.
ended() {
    local name=$1 pid=${PID[$1]} status=0
    gone_or_killed "$pid" || die "$name had not ended after $PATIENCE s"
    unset "PID[$name]"
    wait "$pid" || status=$?
    ((status == 0)) || die "$name ended with status $status: $(tail -n 3 "$WORK/$name.log")"
}

# crash NAME: what a power cut does to a process.
crash() {
    local pid=${PID[$1]}
    unset "PID[$1]"
    kill -KILL "$pid"
    wait "$pid" 2>/dev/null || true
}

# finish_ok: stops all that runs, and fails if one of them does not end well.
finish_ok() {
    local name
    for name in "${!PID[@]}"; do stop "$name"; done
}

# logged NAME EVENT FIELD: the text of FIELD in the last line of NAME's log with that event.
logged() {
    local value
    value=$(sed -n "s/.*\"event\":\"$2\".*\"$3\":\"\([^\"]*\)\".*/\1/p" "$WORK/$1.log" | tail -n 1)
    [[ -n $value ]] && printf '%s\n' "$value"
}

# start_hub NAME [LISTEN]: a switch of its own.
start_hub() {
    local name=$1 listen=${2:-127.0.0.1:0}
    SVC_OVERLAY_LISTEN_ADDR=$listen SVC_OVERLAY_HTTP_ADDR=127.0.0.1:0 start "$name" "$BIN/svc-overlay"
    await "$name listens" logged "$name" listening overlay
    OVERLAY[$name]=$(logged "$name" listening overlay)
    ADMIN[$name]=$(logged "$name" listening admin)
}

# start_node NAME BOOTSTRAP [ARGUMENT...]: a node; an empty BOOTSTRAP names nobody.
start_node() {
    local name=$1 bootstrap=$2
    shift 2
    [[ -z $bootstrap ]] || set -- --bootstrap "$bootstrap" "$@"
    RON_DHT_ADMIN_ADDR=127.0.0.1:0 start "$name" "$BIN/svc-dht" run "$@"
    await "$name listens" logged "$name" listening admin
    ADMIN[$name]=$(logged "$name" listening admin)
    OVERLAY[$name]=$(logged "$name" listening overlay || true)
}

# fetch NAME PATH: the body of a 200.
fetch() { curl --silent --show-error --fail --max-time 10 "http://${ADMIN[$1]}$2"; }

# shows NAME PATH TEXT: whether the body of a 200 holds TEXT. All of it is read first: `fetch | grep -q` fails now and
# then, for a grep that has found what it looks for leaves curl with a broken pipe.
shows() {
    local body
    body=$(fetch "$1" "$2") && [[ $body == *"$3"* ]]
}

# status_is NAME PATH CODE
status_is() {
    local code
    code=$(curl --silent --output /dev/null --write-out '%{http_code}' --max-time 10 "http://${ADMIN[$1]}$2") || true
    [[ $code == "$3" ]]
}

ready() { status_is "$1" /readyz 200; }
unready() { status_is "$1" /readyz 503; }

# metric NAME SERIES: a number; SERIES with its labels, or a bare family name for the sum over all its labels.
metric() {
    fetch "$1" /metrics | awk -v want="$2" '
        /^#/ { next }
        { family = $1; sub(/\{.*/, "", family) }
        $1 == want || family == want { sum += $NF; seen = 1 }
        END { if (!seen) exit 1; printf "%d\n", sum }'
}

# metric_over NAME SERIES NUMBER: whether it is greater.
metric_over() {
    local value
    value=$(metric "$1" "$2") && ((value > $3))
}

# moved NAME SERIES BEFORE: dies unless the counter has grown.
moved() {
    local now
    now=$(metric "$1" "$2") || die "$1 has no metric $2"
    ((now > $3)) || die "$1: $2 did not move ($3)"
}

# CPU time of a process in microseconds: the scheduler's own count, finer than the clock ticks of /proc/PID/stat.
cpu_us() { awk '{ sum += $1 } END { printf "%d\n", sum / 1000 }' /proc/"${PID[$1]}"/task/*/schedstat; }

# memory_kib NAME FIELD: VmRSS or RssAnon.
memory_kib() { awk -v field="$2:" '$1 == field { print $2 }' /proc/"${PID[$1]}"/status; }
