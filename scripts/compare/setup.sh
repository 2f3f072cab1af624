#!/usr/bin/env bash
# Installs with apt the peers that svc-dht is compared with, where they are missing. Starts none of them.
set -euo pipefail
wanted=(g++ make pkg-config libopendht-dev libtorrent-rasterbar-dev libssl-dev redis-server nats-server)

missing=()
for package in "${wanted[@]}"; do
    dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed ||
        missing+=("$package")
done
((${#missing[@]})) || exit 0

sudo=()
((EUID == 0)) || sudo=(sudo)
echo "compare: installing with apt: ${missing[*]}" >&2
"${sudo[@]}" apt-get update -qq
# A policy that forbids starting services: redis-server and nats-server would start at once and at every boot.
policy=/usr/sbin/policy-rc.d
if [[ ! -e $policy ]]; then
    printf '#!/bin/sh\nexit 101\n' | "${sudo[@]}" tee "$policy" >/dev/null
    "${sudo[@]}" chmod +x "$policy"
    trap '"${sudo[@]}" rm -f "$policy"' EXIT
fi
"${sudo[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends "${missing[@]}" </dev/null >/dev/null
