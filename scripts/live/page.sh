#!/usr/bin/env bash
# The page at GET / in headless Chromium: it loads without a word on the console, shows as many peers as there are,
# and its screenshots, light and dark, land in docs/img.
#
# Usage: scripts/live/page.sh [DIRECTORY]      for the screenshots; default docs/img
# shellcheck source=../lib.sh
source "$(dirname "$0")/../lib.sh"
"$ROOT/scripts/setup.sh" chromium python
images=$(realpath -m "${1:-$ROOT/docs/img}")
mkdir -p "$images"

export RON_DHT_READY_ENTRIES=4 RON_DHT_REPLICA=3
start_node n1 "" --embed-overlay 127.0.0.1:0
for index in 2 3 4 5; do start_node "n$index" "${OVERLAY[n1]}" --embed-overlay 127.0.0.1:0; done
for index in 1 2 3 4 5; do await "n$index is ready" ready "n$index"; done
for key in one two three; do
    "$BIN/svc-dht" put "$key" "value of $key" --node "${ADMIN[n1]}" >/dev/null
    "$BIN/svc-dht" get "$key" --node "${ADMIN[n1]}" >/dev/null
done
"$BIN/svc-dht" get nothing --node "${ADMIN[n1]}" >/dev/null 2>&1 || true

# chrome ARGUMENT...: Chromium with a profile of its own and no network beyond the node.
chrome() {
    timeout 180 chromium --headless=new --no-sandbox --disable-gpu --disable-dev-shm-usage --no-first-run \
        --user-data-dir="$WORK/profile" --virtual-time-budget=6000 --enable-logging=stderr --v=0 \
        --window-size=1200,1350 "$@" "http://${ADMIN[n1]}/" 2>"$WORK/chrome.err"
}

chrome --dump-dom >"$WORK/dom.html" || die "Chromium: $(tail -n 5 "$WORK/chrome.err")"
if grep 'CONSOLE' "$WORK/chrome.err"; then die "the page talks on the console"; fi
peers=$(fetch n1 /dht/routing | python3 -c 'import json, sys; print(json.load(sys.stdin)["contacts"])')
grep -q "data-peers=\"$peers\"" "$WORK/dom.html" || die "the page does not show $peers peers"
grep -q 'class="pill good">ready<' "$WORK/dom.html" || die "the page does not say that the node is ready"
grep -q 'not_found' "$WORK/dom.html" || die "the page does not show the last calls"
ok "page: $peers peers, ready, last calls, and a silent console"

chrome --screenshot="$images/page-light.png" >/dev/null || die "no screenshot"
chrome --force-dark-mode --blink-settings=preferredColorScheme=0 --screenshot="$images/page-dark.png" >/dev/null ||
    die "no dark screenshot"
[[ -s $images/page-light.png && -s $images/page-dark.png ]] || die "no screenshots"
ok "screenshots in ${images#"$ROOT"/}"
finish_ok
say "page: passed"
