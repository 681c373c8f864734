#!/usr/bin/env bash
# Counts the instructions of operations on a tree of 200,000 8-byte keys with callgrind, which
# counts exactly and whatever else the machine does. valgrind has no AVX-512: nodes are searched
# with AVX2. The phases beta-… are those of a program for masstree-beta; in those with long, keys have
# 100 bytes.
#
# usage: count.sh INCLUDE_DIR LIBRARY_DIR         prints: phase, instructions an operation
set -euo pipefail

if [ $# -ne 2 ]; then
    echo "usage: $0 INCLUDE_DIR LIBRARY_DIR" >&2
    exit 2
fi
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cc -O2 -I"$1" "$here/instructions.c" -o "$work/instructions" -L"$2" -Wl,-rpath,"$(realpath "$2")" \
    -lmasstree
c++ -std=c++17 -O2 -I"$1" -I"$1/masstree_beta" "$here/beta.cpp" -o "$work/beta" -L"$2" \
    -Wl,-rpath,"$(realpath "$2")" -lmasstree -pthread
for phase in get get-outside get-long insert insert-sequential insert-long update remove \
    remove-sequential scan load load-from export get_many put_many put_many-sequential update_many \
    insert_many remove_many beta-get beta-get-outside beta-insert beta-insert-outside \
    beta-insert-sequential beta-insert-long beta-insert-long-outside beta-update \
    beta-update-outside beta-remove beta-remove-outside; do
    case $phase in beta-*) program=beta ;; *) program=instructions ;; esac
    valgrind --tool=callgrind --callgrind-out-file=/dev/null --toggle-collect=counted \
        "$work/$program" "$phase" 2>"$work/log" || { cat "$work/log" >&2; exit 1; }
    awk -v phase="$phase" '/Collected/ { printf "%-24s %.1f\n", phase, $NF / 200000 }' "$work/log"
done
