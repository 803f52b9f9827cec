#!/usr/bin/env bash
# Installs what the tests need where that can be done, and passes all of them.
#
#   ./tests/run.sh            everything
#   ./tests/run.sh --quick    without SeaORM's own suite, which takes some minutes to build
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf '\n== %s\n' "$*"; }

have_postgres() {
    [ -n "${PG_BIN:-}" ] || ls /usr/lib/postgresql/*/bin/initdb > /dev/null 2>&1 ||
        command -v initdb > /dev/null 2>&1
}

have_mariadb() {
    # Debian has the server where only root looks.
    { command -v mariadbd > /dev/null 2>&1 || [ -x /usr/sbin/mariadbd ]; } &&
        command -v mariadb-install-db > /dev/null 2>&1
}

# The C libraries that Diesel's own connections link.
have_libraries() {
    { [ -e /usr/include/postgresql/libpq-fe.h ] ||
        [ -e "$(pg_config --includedir 2> /dev/null)/libpq-fe.h" ]; } &&
        { command -v mariadb_config > /dev/null 2>&1 || command -v mysql_config > /dev/null 2>&1; }
}

missing=()
command -v cargo > /dev/null 2>&1 || missing+=(cargo)
command -v cc > /dev/null 2>&1 || missing+=(cc)
command -v python3 > /dev/null 2>&1 || missing+=(python3)
command -v pgbouncer > /dev/null 2>&1 || [ -x /usr/sbin/pgbouncer ] || missing+=(pgbouncer)
command -v redis-server > /dev/null 2>&1 || missing+=(redis)
command -v ps > /dev/null 2>&1 || missing+=(procps)
have_postgres || missing+=(postgresql)
have_mariadb || missing+=(mariadb)
have_libraries || missing+=(libraries)

if [ ${#missing[@]} -gt 0 ] && command -v apt-get > /dev/null 2>&1; then
    packages=()
    for tool in "${missing[@]}"; do
        case $tool in
            cc) packages+=(gcc libc6-dev) ;;
            postgresql) packages+=(postgresql) ;;
            mariadb) packages+=(mariadb-server) ;;
            libraries) packages+=(libpq-dev libmariadb-dev pkg-config) ;;
            python3) packages+=(python3) ;;
            pgbouncer) packages+=(pgbouncer) ;;
            redis) packages+=(redis-server) ;;
            procps) packages+=(procps) ;;
        esac
    done
    if [ ${#packages[@]} -gt 0 ]; then
        say "installing ${packages[*]}"
        as_root=()
        [ "$(id -u)" = 0 ] || as_root=(sudo)
        "${as_root[@]}" apt-get update -qq
        DEBIAN_FRONTEND=noninteractive "${as_root[@]}" apt-get install -y -qq "${packages[@]}"
    fi
fi

failed=0
if ! command -v cargo > /dev/null 2>&1; then
    echo "Rust 1.94 or newer is needed: see https://rustup.rs" >&2
    failed=1
fi
if ! command -v cc > /dev/null 2>&1; then
    echo "a C compiler is needed, for SQLite: install gcc or clang" >&2
    failed=1
fi
if ! command -v python3 > /dev/null 2>&1; then
    echo "python3 is needed, to find SeaORM's suite: install it" >&2
    failed=1
fi
if ! have_postgres; then
    echo "PostgreSQL 14 or newer is needed: install its server, and set PG_BIN to where initdb is" >&2
    failed=1
fi
if ! have_mariadb; then
    echo "MariaDB 10.6 or newer is needed: install its server" >&2
    failed=1
fi
if ! have_libraries; then
    echo "the headers of libpq and of libmariadb (or libmysqlclient) are needed: install them" >&2
    failed=1
fi
if ! command -v pgbouncer > /dev/null 2>&1 && [ ! -x /usr/sbin/pgbouncer ]; then
    echo "PgBouncer is needed: install it" >&2
    failed=1
fi
if ! command -v redis-server > /dev/null 2>&1; then
    echo "Redis is needed: install its server" >&2
    failed=1
fi
if ! command -v ps > /dev/null 2>&1; then
    echo "ps is needed, to stop servers where they are: install procps" >&2
    failed=1
fi
[ "$failed" = 0 ] || exit 1

say "the workspace's tests"
cargo test --workspace --all-targets
cargo test --workspace --doc

say "each feature by itself, and no runtime where none is asked for"
# A warning that the workspace's features hide is one in somebody's build.
check_quietly() {
    said=$(cargo check --quiet "$@" 2>&1) || { echo "$said" >&2; exit 1; }
    [ -z "$said" ] || { echo "$said" >&2; exit 1; }
}
for features in token tower redis; do
    check_quietly -p routing-core --features "$features"
done
for features in sqlx-postgres sqlx-mysql sqlx-sqlite sqlx-sqlite,stream,schema-sync,rbac,entity-registry; do
    check_quietly -p routing-seaorm --no-default-features --features "$features"
done
for features in postgres mysql sqlite async-postgres async-mysql async-sqlite async-sqlite,deadpool; do
    check_quietly -p routing-diesel --features "$features"
done
if cargo tree -p routing-diesel --features postgres,mysql,sqlite -e normal | grep -q ' tokio v'; then
    echo "Tokio is in the dependencies of the synchronous build" >&2
    exit 1
fi

if [ "${1:-}" != --quick ]; then
    say "SeaORM's own suite over RoutedConnection, on PostgreSQL with a standby"
    ./tests/sea-orm-suite/run.sh postgres
    say "SeaORM's own suite over RoutedConnection, on SQLite"
    ./tests/sea-orm-suite/run.sh sqlite
fi
