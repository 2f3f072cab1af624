#!/usr/bin/env bash
# Shows a small cluster to a person: three hosts, each one process that is a node and a switch; a value put on the
# first is got from the others. On a terminal the cluster stays up until Ctrl-C.
# shellcheck source=../lib.sh
source "$(dirname "$0")/../lib.sh"

bold='' dim='' plain=''
if [[ -t 1 ]]; then bold=$'\e[1m' dim=$'\e[2m' plain=$'\e[0m'; fi

# show NODE COMMAND ARGUMENT...: types a command of ours and runs it on that node.
show() {
    local node=$1 typed='' word
    shift
    for word in "$@"; do
        [[ $word != *' '* ]] || word="'$word'"
        typed+="$word "
    done
    say "${bold}\$ svc-dht ${typed}--node ${ADMIN[$node]}${plain}"
    "$BIN/svc-dht" "$@" --node "${ADMIN[$node]}" >"$WORK/shown" || die "svc-dht $1 on $node"
    # A value ends without a newline of its own; awk adds it.
    awk '{ print "  " $0 }' "$WORK/shown"
}

export RON_DHT_READY_ENTRIES=2 RON_DHT_REPLICA=3
say "Starting three hosts; each is one process, a node with its own overlay switch."
start_node host1 "" --embed-overlay 127.0.0.1:0
for host in host2 host3; do start_node "$host" "${OVERLAY[host1]}" --embed-overlay 127.0.0.1:0; done
for host in host1 host2 host3; do
    await "$host is ready" ready "$host"
    say "  $host  overlay ${OVERLAY[$host]}  admin http://${ADMIN[$host]}  ${dim}pid ${PID[$host]}${plain}"
done

say
say "A value goes in at host 1:"
show host1 put greeting "hello from host 1"
say
say "and comes out at the others:"
show host2 get greeting
show host3 get greeting
say
say "The same over HTTP:"
say "${bold}\$ curl http://${ADMIN[host3]}/dht/kv/greeting${plain}"
say "  $(fetch host3 /dht/kv/greeting)"
say
say "What host 2 says of itself:"
show host2 status

got=$("$BIN/svc-dht" get greeting --node "${ADMIN[host3]}")
[[ $got == "hello from host 1" ]] || die "host 3 answered: $got"

if [[ -t 0 && -t 1 ]]; then
    trap 'say; exit 0' INT
    say
    say "The cluster runs until Ctrl-C. In another terminal, try:"
    say "  ${BIN#"$PWD/"}/svc-dht put colour blue --node ${ADMIN[host2]}"
    say "  ${BIN#"$PWD/"}/svc-dht get colour --node ${ADMIN[host3]}"
    say "  curl http://${ADMIN[host1]}/metrics"
    say "  kill -9 ${PID[host3]}        # and get again: two replicas are left"
    # Not a sleep: a signal that comes just before one would wait for its end.
    wait "${PID[host1]}" "${PID[host2]}" "${PID[host3]}" 2>/dev/null || true
    die "all three hosts have ended"
fi
finish_ok
say
say "demo: stopped cleanly"
