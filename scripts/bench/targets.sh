#!/usr/bin/env bash
# Measures the project's performance targets on this machine and prints them in one table.
#
# Usage: scripts/bench/targets.sh [TARGET...]       such as T1 T3b; default: all
#        ROUNDS=5 by default; a figure is the median of that many rounds, each with fresh processes
#
# Servers run on the first processor, clients on the last; rows that say so run both on one. CPU is user + system time
# of the server process, from /proc/PID/task/*/schedstat. Exit code 1 when a target is missed and STRICT=1 is set.
# shellcheck source=../lib.sh
source "$(dirname "$0")/../lib.sh"

cc -O2 -Wall -Wextra -Werror -o "$WORK/answer" "$ROOT/scripts/bench/answer.c"
python3 "$ROOT/scripts/bench/targets.py" "$BIN" "$WORK" "$@"
