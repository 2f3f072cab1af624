#!/usr/bin/env bash
# What users install and operators deploy: `make install` into a directory of its own, the manual pages, completions that
# bash loads and that complete, and deploy/ held against the binaries and a live node (scripts/live/deploy.py).
# shellcheck source=../lib.sh
source "$(dirname "$0")/../lib.sh"
"$ROOT/scripts/setup.sh" man

make --no-print-directory -C "$ROOT" install DESTDIR="$WORK/root" PREFIX=/usr >"$WORK/said" 2>&1 ||
    die "$(tail -n 20 "$WORK/said")"
share=$WORK/root/usr/share
for file in bin/svc-dht bin/svc-overlay share/man/man1/svc-dht.1 share/man/man1/svc-overlay.1 \
    share/man/man1/svc-dht.run.1 share/zsh/site-functions/_svc-dht share/fish/vendor_completions.d/svc-dht.fish; do
    [[ -s $WORK/root/usr/$file ]] || die "make install leaves no $file"
done
for program in svc-dht svc-overlay; do
    "$WORK/root/usr/bin/$program" --help >"$WORK/said" || die "the installed $program does not run"
done
ok "make install: programs, manual pages, completions"

# Words that the parser's generator writes are not ours to mend; what mandoc could not show is.
mandoc -T lint -W error "$share"/man/man1/*.1 >"$WORK/said" 2>&1 || die "$(head -n 10 "$WORK/said")"
mandoc -T utf8 "$share/man/man1/svc-dht.run.1" >"$WORK/said"
grep -q RON_DHT_CANARY_SECS "$WORK/said" || die "svc-dht.run(1) lacks a setting"
ok "manual: $(find "$share/man/man1" -name '*.1' | wc -l) pages that mandoc reads"

# complete WORD...: what bash offers for the last word.
complete_words() {
    bash --noprofile --norc -s -- "$share/bash-completion/completions/$1" "$@" <<'BASH'
source "$1"
shift
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMP_LINE="$*" COMP_POINT=${#COMP_LINE} COMP_TYPE=9 COMP_KEY=9
function=$(complete -p "$1") && function=${function#*-F } && "${function%% *}" "$1" "${@: -1}" "${@: -2:1}"
printf '%s\n' "${COMPREPLY[@]}"
BASH
}
for program in svc-dht svc-overlay; do
    bash -n "$share/bash-completion/completions/$program" || die "bash does not take the completions of $program"
done
[[ $(complete_words svc-dht exp) == explain* ]] || die "exp<TAB> offers: $(complete_words svc-dht exp)"
[[ $(complete_words svc-dht run --canary) == *--canary-secs* ]] || die "run --canary<TAB> offers nothing"
ok "completions: bash loads them, and they complete"

start_node a "" --embed-overlay 127.0.0.1:0
fetch a /metrics >"$WORK/page"
"$("$ROOT/scripts/venv.sh")/python" "$ROOT/scripts/live/deploy.py" "$ROOT" "$BIN" "$WORK/page" || die "deploy/"
ok "container file, manifests, sample configuration, dashboard and alerts agree with the binaries"
finish_ok
say "deploy: passed"
