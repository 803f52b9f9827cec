#!/usr/bin/env bash
# Checks the three crates with all features over the lowest versions that they say they work with.
#
# An application may pin its ORM; what it pins must not be refused here for no reason, and what is
# accepted here must compile.
set -euo pipefail
cd "$(dirname "$0")/.."

target=$(cargo metadata --no-deps --format-version 1 | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')
copy=$target/lowest
crates=(routing-core routing-seaorm routing-diesel)
rm -rf "$copy"
mkdir -p "$copy"
cp -r "${crates[@]}" "$copy"
# Only the three: the tests ask for more.
awk -v members="$(printf '"%s",' "${crates[@]}")" '
    /^members = \[/ { print "members = [" members "]"; skipped = 1 }
    /^\[/ { skipped = /^\[profile\.dev\.package\.routing-/ }
    !skipped && !/^exclude|^routing-examples/ { print }
    /^\]/ { skipped = 0 }
' Cargo.toml > "$copy/Cargo.toml"
cd "$copy"
RUSTC_BOOTSTRAP=1 cargo generate-lockfile --quiet -Z direct-minimal-versions
# SeaORM takes any of its macros' 2.0, but works only with those of its own version.
orm=$(cargo pkgid sea-orm | sed 's/.*@//')
cargo update --quiet --package sea-orm-macros --precise "$orm"
CARGO_TARGET_DIR=$target cargo check --quiet --workspace --all-features
