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

missing=()
command -v cargo > /dev/null 2>&1 || missing+=(cargo)
command -v cc > /dev/null 2>&1 || missing+=(cc)
command -v python3 > /dev/null 2>&1 || missing+=(python3)
have_postgres || missing+=(postgresql)

if [ ${#missing[@]} -gt 0 ] && command -v apt-get > /dev/null 2>&1; then
    packages=()
    for tool in "${missing[@]}"; do
        case $tool in
            cc) packages+=(gcc libc6-dev) ;;
            postgresql) packages+=(postgresql) ;;
            python3) packages+=(python3) ;;
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
[ "$failed" = 0 ] || exit 1

say "the workspace's tests"
cargo test --workspace --all-targets
cargo test --workspace --doc

if [ "${1:-}" != --quick ]; then
    say "SeaORM's own suite over RoutedConnection, on PostgreSQL with a standby"
    ./tests/sea-orm-suite/run.sh postgres
    say "SeaORM's own suite over RoutedConnection, on SQLite"
    ./tests/sea-orm-suite/run.sh sqlite
fi
