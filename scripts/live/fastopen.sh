#!/usr/bin/env bash
# What a request to a node never contacted takes, with TCP fast open off, with a cookie, and always: a node behind a
# link with delay meets eight others, each with a host address of its own. Fails unless fast open saves a round trip:
# that is judged by the quickest request, for a busy machine makes requests slower and none quicker than the wire.
#
# Usage: scripts/live/fastopen.sh [ONE_WAY_MS]        default: 20
#
# The hosts are network namespaces with veth, in a namespace of the script's own: they end with it. Needs root, or a
# kernel that lets users have namespaces; without either nothing is done.
set -euo pipefail
if [[ -z ${FASTOPEN_INSIDE:-} ]]; then
    [[ -n ${SVC_DHT_BIN:-}${MAKELEVEL:-} ]] || make --no-print-directory -C "$(dirname "$0")/../.." build
    apart=(unshare --net --mount)
    ((EUID == 0)) || apart+=(--user --map-root-user)
    if ! "${apart[@]}" ip link add probe type veth >/dev/null 2>&1; then
        printf 'fastopen: skipped: no network namespaces with veth here, or no right to make them\n'
        exit 0
    fi
    FASTOPEN_INSIDE=1 MAKELEVEL=1 exec "${apart[@]}" "$0" "$@"
fi
# shellcheck source=../lib.sh
source "$(dirname "$0")/../lib.sh"

one_way=${1:-20}
far_nodes=8
export RON_DHT_LOG=debug RON_DHT_READY_ENTRIES=1

# on HOST COMMAND...: in the namespace of that host.
on() { nsenter --net="/run/netns/$1" "${@:2}"; }

# Two hosts, and a wire with delay between them. Each knows the other's hardware address and need not ask for it.
mount -t tmpfs none /run
mkdir /run/netns
declare -A hardware=([near]=02:00:00:00:00:01 [far]=02:00:00:00:00:02)
for host in near far; do
    ip netns add "$host"
    ip link add "$host" type veth peer name wire address "${hardware[$host]}" netns "$host"
    ip link set "$host" up
    on "$host" ip link set lo up
    on "$host" ip link set wire up
    on "$host" sysctl -qw net.ipv4.tcp_fastopen=3
done
on near ip address add 10.9.0.1/24 dev wire
on near ip neigh replace 10.9.0.2 lladdr "${hardware[far]}" dev wire
on near ip route add 10.0.0.0/8 via 10.9.0.2
on far ip address add 10.9.0.2/24 dev wire
on far ip neigh replace 10.9.0.1 lladdr "${hardware[near]}" dev wire
start wire "$ROOT/scripts/live/delay_line.py" near far "$one_way"
await "the wire is up" grep -q up "$WORK/wire.log"

# start_far MODE NETWORK: nodes with switches of their own at NETWORK.1, NETWORK.2, ... The others know the first.
start_far() {
    local i first=""
    UNDER=(nsenter --net=/run/netns/far)
    for ((i = 1; i <= far_nodes; i++)); do
        on far ip address add "$2.$i/32" dev wire
        start_node "far$i" "$first" --embed-overlay "$2.$i:0" --fast-open "$1"
        first=${OVERLAY[far1]}
    done
    UNDER=()
    for ((i = 2; i <= far_nodes; i++)); do await "far$i has peers" grep -q has_peers "$WORK/far$i.log"; done
}

# first_answers NAME: by node, milliseconds from a first request to its answer; without the node whose session was
# open before, and without the request to whoever is there, which goes to that one.
first_answers() {
    local home
    home=$(logged far1 listening node)
    sed -n 's/.*"event":"rpc","peer":"\([0-9a-f]*\)".*"ms":\([0-9.]*\),"cause":"ok".*/\1 \2/p' "$WORK/$1.log" |
        awk -v home="$home" '$1 != home && $1 !~ /^0+$/ && !seen[$1]++ { print $2 }'
}

met_all() { (($(first_answers "$1" | wc -l) >= far_nodes - 1)); }

# visit NAME MODE: a node that knows one of them meets the others. Leaves the median of its first requests in $took and
# the quickest in $least, in microseconds.
visit() {
    UNDER=(nsenter --net=/run/netns/near)
    start_node "$1" "${OVERLAY[far1]}" --fast-open "$2"
    UNDER=()
    await "$1 has met everybody" met_all "$1"
    stop "$1"
    read -r took least < <(first_answers "$1" | sort -n | awk '
        { of[NR] = $1 * 1000 }
        END { printf "%d %d\n", of[int((NR + 1) / 2)], of[1] }')
}

# show WHAT: what the latest visit took, and how many SYNs carried data so far and were taken.
show() {
    ok "$(printf '%-24s %3d.%d ms; SYNs with data that were acknowledged so far: %d' "$1" $((took / 1000)) \
        $((took % 1000 / 100)) "$(on near nstat -asz TcpExtTCPFastOpenActive | awk '/FastOpen/ { print $2 }')")"
}

say "median of $((far_nodes - 1)) first requests, round trip $((2 * one_way)) ms"
network=0
for mode in off cookie always; do
    # The kernel remembers cookies by address.
    network=$((network + 1))
    start_far "$mode" "10.10.$network"
    visit "first_$mode" "$mode"
    show "$mode, first visit"
    [[ $mode != off ]] || without=$least
    if [[ $mode == cookie ]]; then
        visit "second_$mode" "$mode"
        show "$mode, second visit"
        # Half a round trip is far more than noise, and half of what is to be saved.
        ((least + one_way * 1000 < without)) || die "the cookie saved nothing"
    fi
    for ((i = 1; i <= far_nodes; i++)); do stop "far$i"; done
done
((least + one_way * 1000 < without)) || die "fast open without a cookie saved nothing"
finish_ok
say "fastopen: passed"
