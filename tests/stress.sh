#!/usr/bin/env bash
# Runs the suites, or the tests whose names have FILTER in them, N times while other work has the
# machine busy, and says which tests failed how often: ./tests/stress.sh N [FILTER]
#
#   SUITES="chaos web"   only these programs
#   LOAD=8               how many busy threads there are; otherwise two for each core
#
# The tests are built once, before the busy threads start. The outputs of the runs that failed stay in the
# directory that is printed at the end.
set -euo pipefail
cd "$(dirname "$0")/.."

times=${1:-}
[[ $times =~ ^[1-9][0-9]*$ ]] || { echo "usage: $0 N [FILTER]" >&2; exit 2; }
shift
report=$(mktemp -d)
busy=()
stop() {
    [ ${#busy[@]} = 0 ] || kill "${busy[@]}" 2> /dev/null || true
    rmdir "$report" 2> /dev/null || true
}
trap stop EXIT

echo "building the tests"
PROGRAMS=$report/programs ./tests/suites.sh --build
export PROGRAMS=$report/programs
for ((thread = 0; thread < ${LOAD:-$((2 * $(nproc)))}; thread++)); do
    (while :; do :; done) &
    busy+=($!)
done

failed=0
for ((run = 1; run <= times; run++)); do
    begun=$SECONDS
    status=0
    ./tests/suites.sh "$@" > "$report/$run" 2>&1 || status=$?
    passed=$(awk '/^[^ ]+ +(passed|FAILED): / { sum += $3 } END { print sum + 0 }' "$report/$run")
    printf 'run %d of %d: %d s, %d passed, at a load of %s\n' \
        "$run" "$times" $((SECONDS - begun)) "$passed" "$(cut -d' ' -f1 /proc/loadavg)"
    # A wrong name is as wrong the next time.
    [ $status != 2 ] || { cat "$report/$run" >&2; exit 2; }
    if [ $status = 0 ]; then
        rm "$report/$run"
    else
        failed=$((failed + 1))
        grep -hE '^test .* FAILED$' "$report/$run" || echo "  no test failed by name: see $report/$run"
    fi
done
rm "$PROGRAMS"
[ "$failed" != 0 ] || exit 0
printf '\nfailed runs: %d; their outputs are in %s; failures by test:\n' "$failed" "$report"
grep -hE '^test .* FAILED$' "$report"/* | sort | uniq -c | sort -rn
exit 1
