#!/usr/bin/env bash
# Makes .venv-tools with the Python packages of scripts/requirements.txt, if it is not there yet, and prints the
# path of its bin directory.
set -euo pipefail
cd "$(dirname "$0")/.."

venv=$PWD/.venv-tools
stamp=$venv/requirements.stamp
if ! cmp -s scripts/requirements.txt "$stamp"; then
    scripts/setup.sh python >&2
    echo "venv: installing $(grep -c '==' scripts/requirements.txt) Python packages into .venv-tools" >&2
    rm -rf "$venv"
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet --requirement scripts/requirements.txt >&2
    cp scripts/requirements.txt "$stamp"
fi
echo "$venv/bin"
