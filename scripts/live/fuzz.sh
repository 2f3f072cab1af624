#!/usr/bin/env bash
# Builds the libFuzzer targets with the address sanitizer and runs each for a bounded time, seeded with the golden
# vectors. A crash, a time-out or a leak ends it with an error and leaves the input under out/fuzz/.
#
# Usage: scripts/live/fuzz.sh [SECONDS]      for each target; default 30
set -euo pipefail
cd "$(dirname "$0")/../.."
scripts/setup.sh build python

seconds=${1:-30}
out=$PWD/out/fuzz
build=(swift build --package-path Fuzz
    -Xswiftc "-sanitize=fuzzer,address" -Xswiftc -use-ld=lld)

"${build[@]}"
bin=$("${build[@]}" --show-bin-path)

for target in Fuzz/Sources/fuzz-*/; do
    name=$(basename "$target")
    mkdir -p "$out/$name/seeds" "$out/$name/corpus"
    python3 scripts/gen/fuzz_seeds.py "$name" "$out/$name/seeds"
    echo "fuzz: $name for $seconds s"
    # The Swift backtracer and the sanitizer's own handlers do not mix: the process would hang instead of ending.
    if ! SWIFT_BACKTRACE=enable=no "$bin/$name" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=1024 \
        -max_len=65536 -print_final_stats=1 -artifact_prefix="$out/$name/" \
        "$out/$name/corpus" "$out/$name/seeds" >"$out/$name/log" 2>&1 </dev/null; then
        tail -n 40 "$out/$name/log" >&2
        echo "fuzz: $name failed; the input is in out/fuzz/$name/" >&2
        exit 1
    fi
    grep -E '^stat::number_of_executed_units|^#.*DONE' "$out/$name/log"
done
