#!/usr/bin/env bash
# Checks that every header with masstree-beta's names compiles alone, after itself, and after every
# other one, as C++11; includes the standard headers in brings_along.txt; and declares the epochs for
# programs that request it.
#
# usage: headers_alone.sh COMPILER HEADERS FLAG...
set -euo pipefail

compiler=$1
headers=$2
brought=$(dirname "$0")/brings_along.txt
shift 2
try() { "$compiler" -x c++ -std=c++11 "$@" -fsyntax-only - || { echo "$0: $header" >&2; exit 1; }; }
for header in "$headers"/*.hh "$headers"/*.h; do
    name=$(basename "$header")
    {
        printf '#include "%s"\n#include "%s"\n' "$name" "$name"
        sed -n "s/^$name //p" "$brought"
    } | try "$@" -Wno-unused
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

# If the program has masstree-beta's compiler.hh, the headers need no names beyond its own.
header="all, with a compiler.hh of the program's"
{
    cat <<'END'
#include <stdint.h>
#define MASSTREE_COMPILER_HH 1
inline void relax_fence() {}
struct relax_fence_function { void operator()() const {} };
inline uint64_t host_to_net_order(uint64_t x) { return __builtin_bswap64(x); }
inline uint64_t net_to_host_order(uint64_t x) { return __builtin_bswap64(x); }
END
    printf '%s\n' "$headers"/*.h* | sed 's:.*/:#include ":; s/$/"/'
    echo 'uint64_t f(Masstree::key<uint64_t> k) { return k.ikey(); }'
} | try "$@"
header="compiler.hh, before one of the program's"
printf '%s\n' '#include "compiler.hh"' '#ifndef MASSTREE_COMPILER_HH' '#error it is seen twice' '#endif' |
    try "$@"
