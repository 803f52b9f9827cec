#!/usr/bin/env bash
# Installs what the tests need where that can be done, and passes all of them.
#
#   ./tests/run.sh            everything
#   ./tests/run.sh --quick    a first answer: the core, SeaORM's adapter on SQLite, SeaORM's own suite
set -euo pipefail
cd "$(dirname "$0")/.."
. tests/part.sh

part "what the tests need" ./tests/install.sh

if [ "${1:-}" = --quick ]; then
    export QUICK=1
    SUITES="routing_core core sea_orm_sqlite" ./tests/suites.sh
    SUITES="conformance seaorm" ./tests/suites.sh sqlite
    exit
fi

part "servers" ./tests/servers.sh

# A warning that the workspace's features hide is one in somebody's build.
check_quietly() {
    said=$(cargo check --quiet "$@" 2>&1) && [ -z "$said" ] || { echo "$said" >&2; exit 1; }
}
each_feature() {
    for features in token tower redis; do
        check_quietly -p routing-core --features "$features"
    done
    for features in sqlx-postgres sqlx-mysql sqlx-sqlite sqlx-sqlite,stream,schema-sync,rbac,entity-registry; do
        check_quietly -p routing-seaorm --no-default-features --features "$features"
    done
    for features in postgres mysql sqlite async-postgres rustls async-mysql async-sqlite async-sqlite,deadpool; do
        check_quietly -p routing-diesel --features "$features"
    done
    tree=$(cargo tree -p routing-diesel --features postgres,mysql,sqlite -e normal) || exit 1
    if grep -q ' tokio v' <<< "$tree"; then
        echo "Tokio is in the dependencies of the synchronous build" >&2
        exit 1
    fi
}

# What comes after a failure is run too.
failed=0
./tests/suites.sh || failed=1
(part "examples of the documentation" cargo test --quiet --workspace --doc) || failed=1
(part "each feature by itself, and no runtime where none is asked for" each_feature) || failed=1
(part "the lowest versions of the dependencies" ./tests/lowest.sh) || failed=1
exit $failed
