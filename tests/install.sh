#!/usr/bin/env bash
# Installs what the tests need where that can be done (apt-get), and otherwise says what to install.
set -euo pipefail

have() { command -v "$1" > /dev/null 2>&1 || [ -x "/usr/sbin/$1" ]; }
have_postgres() {
    [ -n "${PG_BIN:-}" ] || have initdb || ls /usr/lib/postgresql/*/bin/initdb > /dev/null 2>&1
}
# The C libraries that Diesel's own connections link.
have_libraries() {
    { [ -e /usr/include/postgresql/libpq-fe.h ] ||
        [ -e "$(pg_config --includedir 2> /dev/null)/libpq-fe.h" ]; } &&
        { have mariadb_config || have mysql_config; }
}

# What each is called by apt-get, and what to say where there is none.
missing() {
    have cc || echo "gcc libc6-dev: a C compiler is needed, for SQLite: install gcc or clang"
    have pgbouncer || echo "pgbouncer: PgBouncer is needed: install it"
    have redis-server || echo "redis-server: Redis is needed: install its server"
    ! have apt-get || [ -e /usr/share/keyrings/debian-archive-keyring.gpg ] ||
        echo "debian-archive-keyring: the keys of Debian's packages are needed, for newer servers"
    have ps || echo "procps: ps is needed, to stop servers where they are: install procps"
    have_postgres ||
        echo "postgresql: PostgreSQL 14 or newer is needed: install it, and set PG_BIN to where initdb is"
    have mariadbd && have mariadb-install-db ||
        echo "mariadb-server: MariaDB 10.6 or newer is needed: install its server"
    have_libraries ||
        echo "libpq-dev libmariadb-dev pkg-config: the headers of libpq and of libmariadb are needed"
}

packages=$(missing | cut -d: -f1)
if [ -n "$packages" ] && have apt-get; then
    echo "installing" $packages
    as_root=()
    [ "$(id -u)" = 0 ] || as_root=(sudo)
    "${as_root[@]}" apt-get update -qq
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq $packages > /dev/null
fi

left=$(missing | sed 's/^[^:]*: //')
have cargo || left="Rust 1.94 or newer is needed: see https://rustup.rs
$left"
if [ -n "$left" ]; then
    echo "$left" >&2
    exit 1
fi
