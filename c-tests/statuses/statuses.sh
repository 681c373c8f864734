#!/usr/bin/env bash
# Checks that some test provokes every status that the C headers document for a function,
# and that no function returns another. The tests' calls go through macros generated from
# the headers (traced.h, note.h), which note the statuses; each process leaves a log
# of them when it ends.
#
# usage: statuses.sh trace INCLUDE_DIR TRACED_H
#        statuses.sh forget LOGS
#        statuses.sh compare INCLUDE_DIR LOGS TABLE
set -euo pipefail
export LC_ALL=C
here=$(dirname "$0")
all=$(mktemp)
trap 'rm -f "$all"' EXIT

# The C headers, as one file.
all_headers() { cat "$1"/masstree.h "$1"/masstree/*.h >"$all"; }

case $1 in
trace)
    all_headers "$2"
    awk -f "$here/read.awk" -f "$here/trace.awk" "$all" >"$3.new"
    mv "$3.new" "$3"
    ;;
forget)
    rm -rf "$2"
    mkdir -p "$2"
    ;;
compare)
    shopt -s nullglob
    logs=("$3"/*)
    if [ ${#logs[@]} -eq 0 ]; then
        echo "statuses.sh: the tests left no log in $3" >&2
        exit 1
    fi
    : >"$4"
    all_headers "$2"
    if ! awk -v table="$4" -f "$here/read.awk" -f "$here/compare.awk" \
        "$all" "$here/exempt.txt" "${logs[@]}"; then
        echo "statuses.sh: the whole table is $4" >&2
        exit 1
    fi
    ;;
*)
    echo "statuses.sh: unknown command: $1" >&2
    exit 2
    ;;
esac
