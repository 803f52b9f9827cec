# Sourced: `part NAME COMMAND…` runs a part of a script, and prints how long it took.
part() {
    local name=$1 begun=$SECONDS
    shift
    printf '\n== %s\n' "$name"
    "$@"
    printf '== %s: %d s\n' "$name" $((SECONDS - begun))
}
