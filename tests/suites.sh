#!/usr/bin/env bash
# Builds all tests, and runs those whose names have FILTER in them, or all: ./tests/suites.sh [FILTER…]
#
# A program's tests run side by side, more of them than there are cores, as most of what they do is wait; and
# so do two programs. The output of each program that fails is printed whole, at the end. `--exact` and more
# filters are taken as libtest takes them. `--build` only builds.
#
# Without FILTER, some programs run again on servers that are not the newest PostgreSQL or MariaDB.
#
#   SUITES="core sea_orm_sqlite"   only these programs
#   SERVERS="mysql postgresql-15"  on these servers of ./tests/servers.sh; of other kinds, on the newest
#   PROGRAMS=FILE                  what was built: --build writes it, and a later run builds nothing
set -euo pipefail
cd "$(dirname "$0")/.."
. tests/part.sh

filter=("$@")
# The servers' data are in memory where there is enough of it: files are made by the thousand.
if [ -w /dev/shm ] && [ "$(df --output=avail -k /dev/shm | tail -1)" -gt 8000000 ]; then
    export TMPDIR=/dev/shm
fi
logs=$(mktemp -d)
# Servers start from copies of a data directory that the first of them makes.
ROUTING_TEMPLATES=$(mktemp -d)
export ROUTING_TEMPLATES
trap 'rm -rf "$logs" "$ROUTING_TEMPLATES"' EXIT
chmod 755 "$ROUTING_TEMPLATES"

list=${SERVERS_HOME:-target/servers}/list
# The quick run starts none of them.
if [ -z "${QUICK:-}" ] && [ ! -e "$list" ]; then
    part "servers" ./tests/servers.sh
fi

build() {
    cargo test --workspace --no-run --message-format=json-render-diagnostics > "$logs/build" || return 1
    # The programs that have tests, by name and path: those with quick answers come first, then the one
    # that waits most, so that others run beside it.
    sed -n 's|.*"reason":"compiler-artifact".*"executable":"\([^"]*/deps/\([^"]*\)-[0-9a-f]*\)".*|\2 \1|p' \
        "$logs/build" |
        awk '{ print $1 ~ /core|sqlite|simulation/ ? 0 : $1 == "chaos" ? 1 : 2, $0 }' |
        sort -s -n -k1,1 | cut -d' ' -f2- > "$logs/programs" || return 1
    [ -s "$logs/programs" ]
}
if [ "${1:-}" = --build ]; then
    build
    cp "$logs/programs" "$PROGRAMS"
    exit
elif [ -n "${PROGRAMS:-}" ]; then
    cp "$PROGRAMS" "$logs/programs"
else
    part "building the tests" build
fi

# What runs on other servers: a program, the servers, and filters. MySQL's is the same work as MariaDB's; the system's
# own servers, which are older, get what depends on a release: positions, failures, functions, isolation.
others() {
    local system
    system=$(awk '$3 == "/" && $1 !~ /^pgbouncer/ { print $1 }' "$list" | paste -sd,)
    cat << END
conformance mysql mysql
web mysql mysql
chaos mysql on_mysql start:: switch_over
seaorm mysql mysql
diesel mysql mysql
sea_orm_mysql mysql
END
    [ -n "$system" ] || return 0
    cat << END
conformance $system positions:: transactions:: health:: state:: statements::
seaorm $system differential:: failures:: schema:: standby_log::
END
}

run() {
    local name=$1 program=$2 label=$1 begun=$SECONDS before=() threads=4 filter=("${filter[@]}")
    if [ $# -gt 2 ]; then
        local -x SERVERS=${3//,/ }
        label="$name-$3"
        filter=("${@:4}")
    fi
    case $name in
        chaos) threads=8 ;;
        sea_orm_sqlite) before=(env DATABASE_URL=sqlite::memory:) ;;
        sea_orm_postgres | sea_orm_mysql)
            before=("$(dirname "$program")/../with_servers" "${name#sea_orm_}")
            ;;
    esac
    local status=passed
    "${before[@]}" "$program" --test-threads="$threads" "${filter[@]}" < /dev/null > "$logs/$label.log" 2>&1 ||
        status=FAILED
    # Names that are spelled wrong run nothing.
    [ "$label" = "$name" ] || grep -q '^test result:.* [1-9][0-9]* passed' "$logs/$label.log" || status=FAILED
    awk -v name="$label" -v status=$status -v took=$((SECONDS - begun)) '
        /^test result:/ { passed += $4; failed += $6 }
        END { printf "%-18s %s: %d passed, %d failed, %d s\n", name, status, passed, failed, took }
    ' "$logs/$label.log"
    [ $status = passed ] || touch "$logs/$label.failed"
}

# Two programs at a time: the last tests of each leave the cores to the next.
all() {
    local name program again running=0
    while read -r name program again; do
        case " ${SUITES:-$name} " in
            *" $name "*) ;;
            *) continue ;;
        esac
        if [ $running = 2 ]; then
            wait -n
            running=1
        fi
        run "$name" "$program" $again &
        running=$((running + 1))
    done < <(
        cat "$logs/programs"
        # Without FILTER and SERVERS, some programs run again on other servers.
        if [ ${#filter[@]} = 0 ] && [ -z "${SERVERS:-}" ] && [ -e "$list" ]; then
            while read -r name again; do
                echo "$name $(awk -v name="$name" '$1 == name { print $2 }' "$logs/programs") $again"
            done < <(others)
        fi
    )
    wait
}
part "tests" all

# A name that is spelled wrong is no success.
for name in ${SUITES:-}; do
    grep -q "^$name " "$logs/programs" || { echo "there is no program $name" >&2; exit 2; }
done
# A program that ended itself has not named the test.
compgen -G "$logs/*.failed" > "$logs/which" ||
    grep -qhE '^test .* \.\.\. |^test result:.* [1-9][0-9]* (passed|failed)' "$logs"/*.log ||
    { echo "there is no such test" >&2; exit 2; }

for failed in "$logs"/*.failed; do
    [ -e "$failed" ] || exit 0
    log=${failed%.failed}.log
    printf '\n-- %s\n' "$(basename "${log%.log}")"
    cat "$log"
    if ! grep -q '^test result:' "$log"; then
        echo "test $(basename "${log%.log}") (the whole program) ... FAILED"
    fi
done
exit 1
