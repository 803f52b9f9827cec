#!/usr/bin/env bash
# Runs SeaORM's own integration suite over `RoutedConnection`: ./run.sh postgres|sqlite [--bare]
#
# The suite's files are those of the published crate, unmodified. With --bare they run over
# SeaORM's own connections, for comparison.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
database=${1:-}
features=sqlx-$database
case "$database" in
    postgres | sqlite) ;;
    *) echo "usage: $0 postgres|sqlite [--bare]" >&2; exit 2 ;;
esac
[ "${2:-}" != --bare ] || features=$features,bare
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$root/target}

cargo fetch --quiet --manifest-path "$here/Cargo.toml"
source=$(cargo metadata --quiet --format-version 1 --manifest-path "$here/Cargo.toml" |
    python3 -c '
import json, os, sys
packages = json.load(sys.stdin)["packages"]
print(*[os.path.dirname(p["manifest_path"]) for p in packages if p["name"] == "sea-orm"])')
rm -rf "$here/tests"
cp -r "$source/tests" "$here/tests"
chmod -R u+w "$here/tests"

test=(cargo test --quiet --manifest-path "$here/Cargo.toml" --features "$features" --no-fail-fast)
log=$(mktemp)
report=$(mktemp)
trap 'rm -f "$log" "$report"' EXIT
if ! "${test[@]}" --no-run > "$report" 2>&1; then
    grep -E '^error' -A 6 "$report"
    exit 1
fi
export REPLICA_LOG=$log
status=0
if [ "$database" = postgres ]; then
    (cd "$root" && cargo build --quiet -p routing-tests --bin with_postgres)
    "$CARGO_TARGET_DIR/debug/with_postgres" "${test[@]}" -- --test-threads=2 > "$report" 2>&1 || status=$?
else
    DATABASE_URL=sqlite::memory: "${test[@]}" > "$report" 2>&1 || status=$?
fi
grep -E '^test .* FAILED|panicked at' "$report" || true
awk '/^test result:/ { passed += $4; failed += $6 }
     END { printf "%d passed, %d failed\n", passed, failed }' "$report"
echo "statements that a replica ran: $(wc -l < "$log")"
if [ "$status" != 0 ] && ! grep -qE '^test .* FAILED' "$report"; then
    tail -50 "$report"
fi
exit "$status"
