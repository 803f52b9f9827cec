#!/usr/bin/env bash
# Finds the servers that the tests run on, makes those that are missing, and prints them: ./tests/servers.sh
#
# The system's own servers are used as they are. Newer ones come as Debian's packages, which are unpacked below
# target/servers, or $SERVERS_HOME: nothing is installed, and neither root nor a chroot is needed, as each program
# gets the loader and the libraries that it was built for. apt-get and dpkg-deb have to be there.
#
# The list, target/servers/list, is what the tests read: one server in each line, as NAME VERSION ROOT. A test takes
# the newest of its kind; SERVERS="postgresql-15 mysql" has others used (`tests/src/servers.rs`).
set -euo pipefail
cd "$(dirname "$0")/.."
umask 022
servers=${SERVERS_HOME:-$PWD/target/servers}
mkdir -p "$servers"
# Root starts them as other users, who may not enter the directory of this clone.
roots=$servers
if [ "$(id -u)" = 0 ] && ! su -s /bin/sh nobody -c "cd '$servers'" 2> /dev/null; then
    roots=/var/cache/routing-servers
    mkdir -p "$roots"
fi

# Debian's suites, and the packages that are taken from each.
packages_of() {
    case $1 in
        trixie) echo postgresql-17 mariadb-server-core mariadb-client-core ;;
        sid) echo postgresql-18 mysql-server-core pgbouncer patroni python3-etcd etcd-server ;;
    esac
}

fetch() {
    local suite=$1 root=$roots/$1 apt=$roots/$1.apt
    rm -rf "$root" "$root.unfinished" "$apt"
    mkdir -p "$apt/lists/partial" "$apt/archives/partial"
    touch "$apt/status"
    # The system's own mirror of Debian, if it has one.
    local mirror
    mirror=$(apt-get indextargets --format '$(ORIGIN) $(REPO_URI)' 'Created-By: Packages' |
        awk '$1 == "Debian" && $2 !~ /security/ && !found { found = 1; print $2 }')
    mirror=${mirror:-http://deb.debian.org/debian}
    local keys=/usr/share/keyrings/debian-archive-keyring.gpg
    echo "deb [signed-by=$keys] $mirror $suite main" > "$apt/sources"
    cat > "$apt/conf" << END
Dir::State "$apt";
Dir::State::status "$apt/status";
Dir::Cache "$apt";
Dir::Etc::SourceList "$apt/sources";
Dir::Etc::SourceParts "/dev/null";
Dir::Etc::Preferences "/dev/null";
Dir::Etc::PreferencesParts "/dev/null";
Acquire::Check-Valid-Until "false";
Acquire::Languages "none";
APT::Install-Recommends "false";
APT::Default-Release "";
APT::Sandbox::User "";
END
    # A suite changes while it is read, now and then.
    local try
    for try in 1 2 3; do
        if APT_CONFIG=$apt/conf apt-get update -qq &&
            APT_CONFIG=$apt/conf apt-get install -y -qq --download-only patchelf $(packages_of "$suite") > "$apt/log"
        then
            break
        elif [ "$try" = 3 ]; then
            echo "the packages of Debian's $suite cannot be had; the tests need $(packages_of "$suite")" >&2
            return 1
        fi
        sleep 5
    done
    local package
    for package in "$apt"/archives/*.deb; do
        dpkg-deb -x "$package" "$root.unfinished"
    done
    adapt "$root.unfinished" "$root"
    rm -rf "$apt"
    packages_of "$suite" > "$root.unfinished/packages"
    mv "$root.unfinished" "$root"
}

# Gives the programs below a directory the loader and the libraries that lie there too, once it is at its place.
adapt() {
    local now=$1 then=$2 loader libraries=usr/lib/$(uname -m)-linux-gnu program
    loader=$(cd "$now" && echo usr/lib*/ld-linux-*.so.*)
    for program in "$now"/usr/lib/postgresql/*/bin/* "$now"/usr/sbin/{mysqld,mariadbd,pgbouncer} \
        "$now"/usr/bin/{my_print_defaults,resolveip}; do
        # Scripts stay as they are.
        [ -f "$program" ] && [ ! -L "$program" ] && [ "$(head -c 4 "$program")" = $'\x7fELF' ] || continue
        "$now/$loader" --library-path "$now/$libraries" "$now/usr/bin/patchelf" --force-rpath \
            --set-interpreter "$then/$loader" --set-rpath "$then/$libraries" "$program"
    done
    # patchelf breaks Python's, which is no position-independent program.
    for program in "$now"/usr/bin/python3.*; do
        [ -f "$program" ] || continue
        rm "$now/usr/bin/python3"
        cat > "$now/usr/bin/python3" << END
#!/bin/sh
export PYTHONHOME="$then/usr" PYTHONPATH="$then/usr/lib/python3/dist-packages"
exec "$then/$loader" --argv0 "$then/usr/bin/python3" --library-path "$then/$libraries" \\
    "$then/usr/bin/$(basename "$program")" "\$@"
END
        chmod 755 "$now/usr/bin/python3"
        sed -i "1s|.*|#!$then/usr/bin/python3|" "$now/usr/bin/patroni"
    done
}

# The servers below a directory: NAME VERSION ROOT.
found() {
    local root=${1%/} program version
    ask() { # NAME PROGRAM: its name has the number of the release series that its version begins with.
        [ -x "$2" ] || return 0
        version=$("$2" --version | grep -oE '[0-9]+(\.[0-9]+)+' | head -1)
        case $1 in
            postgresql) echo "$1-${version%%.*} $version ${root:-/}" ;;
            *) echo "$1-$(cut -d. -f1,2 <<< "$version") $version ${root:-/}" ;;
        esac
    }
    for program in "$root"/usr/lib/postgresql/*/bin/postgres; do
        ask postgresql "$program"
    done
    ask mariadb "$root/usr/sbin/mariadbd"
    # MariaDB has a program of that name, too.
    if [ -x "$root/usr/sbin/mysqld" ] && ! "$root/usr/sbin/mysqld" --version | grep -q MariaDB; then
        ask mysql "$root/usr/sbin/mysqld"
    fi
    ask pgbouncer "$root/usr/sbin/pgbouncer"
    ask etcd "$root/usr/bin/etcd"
    # The system's Patroni is for the system's Python, which ours is not.
    [ -z "$root" ] || ask patroni "$root/usr/bin/patroni"
}

# One run at a time.
exec 9> "$roots/lock"
flock 9
for suite in trixie sid; do
    # Unpacked, and with all that is asked for now.
    [ "$(cat "$roots/$suite/packages" 2> /dev/null)" != "$(packages_of "$suite")" ] || continue
    command -v apt-get > /dev/null && command -v dpkg-deb > /dev/null || {
        echo "apt-get and dpkg-deb are needed, to unpack $(packages_of "$suite") from Debian's $suite" >&2
        exit 1
    }
    fetch "$suite"
done
for root in / "$roots"/{trixie,sid}; do
    found "$root"
done | sort -t- -k1,1 -k2,2V > "$servers/list.unfinished"
mv "$servers/list.unfinished" "$servers/list"
awk '{ printf "%-16s %-10s %s\n", $1, $2, $3 }' "$servers/list"
