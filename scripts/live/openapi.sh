#!/usr/bin/env bash
# schemathesis sends a live node what docs/openapi.yaml allows, and what it forbids, and holds the answers against it.
#
# Usage: scripts/live/openapi.sh [EXAMPLES]      for each operation; default 20
# shellcheck source=../lib.sh
source "$(dirname "$0")/../lib.sh"
tools=$("$ROOT/scripts/venv.sh")

export RON_DHT_READY_ENTRIES=1 RON_DHT_REPLICA=2 RON_DHT_DEADLINE_MS=1000
start_node a "" --embed-overlay 127.0.0.1:0
start_node b "${OVERLAY[a]}" --embed-overlay 127.0.0.1:0
await "a is ready" ready a
# Answers that say 5xx on purpose (no provider engine, deadline) are in the document: only their shape is judged.
checks=response_schema_conformance,content_type_conformance,response_headers_conformance,status_code_conformance
"$tools/schemathesis" run "$ROOT/docs/openapi.yaml" --url "http://${ADMIN[a]}" --max-examples "${1:-20}" \
    --checks "$checks" --phases examples,coverage,fuzzing --generation-deterministic --no-color \
    >"$WORK/said" 2>&1 || { tail -n 60 "$WORK/said" >&2; die "schemathesis"; }
grep -E 'Test cases|generated|passed' "$WORK/said" | tail -n 4
await "a is ready after all that" ready a
finish_ok
say "openapi: passed"
