#!/bin/sh
# Checks the formatting; runs the tests and the examples. pkg-config and the loader must
# find libmasstree.
#
# usage: check.sh ZIG_EXECUTABLE
set -eu
if [ $# -ne 1 ]; then
    echo "usage: $0 ZIG_EXECUTABLE" >&2
    exit 2
fi
zig=$1
cd "$(dirname "$0")"
# Zig compiles its translator of C headers at first use: without optimisation that takes a
# third of the time.
export ZIG_DEBUG_CMD=1

"$zig" fmt --check .
"$zig" build test --summary all
"$zig" build run -- cur >.zig-cache/said
printf '%s\n' 'curtain: 7 letters' 'cursor: 6 letters' 'current: 7 letters' 'curl: 4 letters' \
    'curious: 7 letters' 'cure: 4 letters' | diff -u - .zig-cache/said

rm -rf .zig-cache/objects
"$zig" build objects -- .zig-cache/objects >.zig-cache/said
printf '%s\n' 'logs/1: Exists' 'logs/' 'pictures/' 'pictures/2026/' 'pictures/a.jpg (1 byte)' \
    'pictures/d.jpg (1 byte)' | diff -u - .zig-cache/said
