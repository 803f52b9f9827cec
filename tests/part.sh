# Sourced: `part NAME COMMAND…` runs a part of a script, prints how long it took, and fails as the part does.
# Bash ignores `set -e` in a function that is called so: each of its steps says `|| return 1` itself.
part() {
    local name=$1 begun=$SECONDS status=0
    shift
    printf '\n== %s\n' "$name"
    "$@" || status=$?
    printf '== %s: %d s\n' "$name" $((SECONDS - begun))
    return $status
}
