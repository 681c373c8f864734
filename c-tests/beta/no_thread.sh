#!/usr/bin/env bash
# Runs no_thread.cpp, without optimization and with all levels of it.
#
# usage: no_thread.sh COMPILER DIRECTORY LIBRARY FLAG...
set -euo pipefail

compiler=$1
source=$2/no_thread.cpp
library=$3
shift 3
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
for level in -O0 -O2 -O3; do
    "$compiler" -std=c++11 $level "$@" "$source" "$library" "-Wl,-rpath,$(dirname "$library")" -pthread \
        -o "$out/program"
    (ulimit -c 0; "$out/program") || { echo "no_thread.sh: $compiler $level: ends with $?" >&2; exit 1; }
done
