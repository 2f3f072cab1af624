#!/usr/bin/env bash
# Installs with apt what the build, or a script, needs and this machine lacks. Does nothing when all is there.
#
# Usage: scripts/setup.sh [build] [python] [valgrind] [http] [strace] [prometheus]
#        [chromium] [systemd] [man]      (default: build)
set -euo pipefail

# Groups of Debian packages, and for each package a test that tells whether it is there without asking apt.
present() {
    case $1 in
        libcbor-dev) pkg-config --exists libcbor ;;
        libmicrohttpd-dev) pkg-config --exists libmicrohttpd ;;
        libc-ares-dev) pkg-config --exists libcares ;;
        nettle-dev) pkg-config --exists nettle ;;
        pkg-config | curl | valgrind | strace | python3 | prometheus | chromium | mandoc) command -v "$1" ;;
        binutils) command -v objcopy ;;
        python3-venv) python3 -c 'import ensurepip, venv' ;;
        *) dpkg-query --show --showformat='${db:Status-Status}' "$1" | grep -qx installed ;;
    esac >/dev/null 2>&1
}

wanted=()
for group in "${@:-build}"; do
    case $group in
        # pkg-config first: the tests of the libraries use it.
        build) wanted+=(pkg-config libcbor-dev libmicrohttpd-dev libc-ares-dev nettle-dev curl) ;;
        python) wanted+=(python3 python3-venv) ;;
        valgrind) wanted+=(valgrind binutils) ;;
        http) wanted+=(wrk nginx-light redis-server redis-tools) ;;
        man) wanted+=(mandoc binutils) ;;
        strace | prometheus | chromium | systemd) wanted+=("$group") ;;
        *)
            echo "setup: unknown group '$group'; there are: build python valgrind http strace prometheus chromium systemd man" >&2
            exit 2
            ;;
    esac
done

missing=()
for package in "${wanted[@]}"; do
    present "$package" || missing+=("$package")
done
((${#missing[@]})) || exit 0

if ! command -v apt-get >/dev/null; then
    echo "setup: this machine lacks: ${missing[*]}" >&2
    echo "setup: it has no apt-get; install what corresponds to these Debian packages and try again" >&2
    exit 1
fi
sudo=()
if ((EUID != 0)); then
    if ! command -v sudo >/dev/null; then
        echo "setup: run as root: apt-get install ${missing[*]}" >&2
        exit 1
    fi
    sudo=(sudo)
fi
echo "setup: installing with apt: ${missing[*]}"
"${sudo[@]}" apt-get update -qq
"${sudo[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends "${missing[@]}" </dev/null >/dev/null

for package in "${missing[@]}"; do
    if ! present "$package"; then
        echo "setup: apt installed $package, and it still cannot be found" >&2
        exit 1
    fi
done
