#!/usr/bin/env bash
# Every header for programs of masstree-beta's compiles alone, after itself, and after every other
# one; as C++11. And it declares the epochs for programs that ask for it.
#
# usage: headers_alone.sh COMPILER HEADERS FLAG...
set -euo pipefail

compiler=$1
headers=$2
shift 2
try() { "$compiler" -x c++ -std=c++11 "$@" -fsyntax-only - || { echo "$0: $header" >&2; exit 1; }; }
for header in "$headers"/*.hh "$headers"/*.h; do
    name=$(basename "$header")
    printf '#include "%s"\n#include "%s"\n' "$name" "$name" | try "$@"
done
header="all, forwards and backwards"
for order in '' -r; do
    printf '%s\n' "$headers"/*.h* | sort $order | sed 's:.*/:#include ":; s/$/"/' | try "$@"
done
header="kvthread.hh, with MASSTREE_BETA_EPOCH_TYPE"
printf '%s\n' '#include "kvthread.hh"' 'volatile uint64_t globalepoch = 1, active_epoch = 1;' \
    'int main() { return globalepoch == active_epoch ? 0 : 1; }' |
    try "$@" '-DMASSTREE_BETA_EPOCH_TYPE=volatile uint64_t'
printf '%s\n' '#include "kvthread.hh"' 'void tick() { globalepoch += 2; active_epoch.store(7); }' |
    try "$@" '-DMASSTREE_BETA_EPOCH_TYPE=relaxed_atomic<mrcu_epoch_type>'
