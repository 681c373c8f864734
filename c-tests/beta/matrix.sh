#!/usr/bin/env bash
# Compiles the program of these tests with every installed compiler, in every standard, with the
# epochs defined in either way, and runs each.
#
# usage: matrix.sh INCLUDE_DIR LIBRARY
set -euo pipefail

include=$1/masstree_beta
library=$(realpath "$2")
here=$(cd "$(dirname "$0")" && pwd)
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
for compiler in g++ clang++; do
    if ! command -v $compiler >/dev/null; then
        echo "$compiler: is not there"
        continue
    fi
    for standard in c++11 c++14 c++17 c++20; do
        for globals in VOLATILE_GLOBALS RELAXED_GLOBALS; do
            $compiler -std=$standard -O2 -Wall -Wextra -Wpedantic -Werror -Wshadow -D$globals \
                -I "$include" "$here/all.cpp" "$here/second_file.cpp" "$library" \
                "-Wl,-rpath,$(dirname "$library")" -pthread -o "$out/program"
            echo "$compiler -std=$standard -D$globals: $("$out/program" | tail -n 1)"
        done
    done
done
