#!/usr/bin/env bash
# Runs the suites, or the tests whose names have FILTER in them, N times while other work has the
# machine busy, and says which tests failed how often: ./tests/stress.sh N [FILTER]
#
#   SUITES="chaos web"   only these programs
#   LOAD=8               how many busy threads there are; otherwise two for each core
set -euo pipefail
cd "$(dirname "$0")/.."

times=${1:?how often? usage: $0 N [FILTER]}
shift
report=$(mktemp)
busy=()
stop() {
    [ ${#busy[@]} = 0 ] || kill "${busy[@]}" 2> /dev/null || true
    rm -f "$report" "$report.now"
}
trap stop EXIT
cargo test --workspace --no-run --quiet
for ((thread = 0; thread < ${LOAD:-$((2 * $(nproc)))}; thread++)); do
    (while :; do :; done) &
    busy+=($!)
done

failed=0
for ((run = 1; run <= times; run++)); do
    begun=$SECONDS
    status=0
    ./tests/suites.sh "$@" > "$report.now" 2>&1 || status=$?
    [ $status = 0 ] || failed=$((failed + 1))
    printf 'run %d of %d: %d s, at a load of %s; %d runs have failed\n' \
        "$run" "$times" $((SECONDS - begun)) "$(cut -d' ' -f1 /proc/loadavg)" "$failed"
    grep -hE '^test .* FAILED$' "$report.now" | tee -a "$report" || true
    if [ $status != 0 ]; then
        mv "$report.now" "$report.$run"
        echo "  its output: $report.$run"
    fi
done
echo "failures by test:"
sort "$report" | uniq -c | sort -rn
[ "$failed" = 0 ]
