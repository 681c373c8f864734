#!/usr/bin/env bash
# Every status that the header documents for a function is provoked by some test,
# and no function returns another. The tests' calls go through macros generated from
# the header (traced.h, note.h), which note the statuses; each process leaves a log
# of them when it ends.
#
# usage: statuses.sh trace HEADER TRACED_H
#        statuses.sh forget LOGS
#        statuses.sh compare HEADER LOGS TABLE
set -euo pipefail
export LC_ALL=C
here=$(dirname "$0")

case $1 in
trace)
    awk -f "$here/read.awk" -f "$here/trace.awk" "$2" >"$3.new"
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
    if ! awk -v table="$4" -f "$here/read.awk" -f "$here/compare.awk" \
        "$2" "$here/exempt.txt" "${logs[@]}"; then
        echo "statuses.sh: the whole table is $4" >&2
        exit 1
    fi
    ;;
*)
    echo "statuses.sh: unknown command: $1" >&2
    exit 2
    ;;
esac
