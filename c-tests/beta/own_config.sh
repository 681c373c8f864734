#!/usr/bin/env bash
# A program with its own config.h, as masstree-beta's configure writes it, calls functions of
# masstree-beta's compiler.o in failed assertions, even in a file that includes only that config.h:
# checks that it links.
#
# Put back: `used`, in compiler.hh.
#
# usage: own_config.sh COMPILER LIBRARY FLAG...
set -euo pipefail

compiler=$1
library=$2
shift 2
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
cat >"$out/config.h" <<'END'
#define MASSTREE_CONFIG_H_INCLUDED 1
extern void fail_always_assert(const char* file, int line, const char* assertion,
    const char* message = 0) __attribute__((noreturn));
extern void fail_masstree_invariant(const char* file, int line, const char* assertion,
    const char* message = 0) __attribute__((noreturn));
extern void fail_masstree_precondition(const char* file, int line, const char* assertion,
    const char* message = 0) __attribute__((noreturn));
#define always_assert(x, ...) \
    do { if (!(x)) fail_always_assert(__FILE__, __LINE__, #x, ##__VA_ARGS__); } while (0)
#define masstree_invariant(x) \
    do { if (!(x)) fail_masstree_invariant(__FILE__, __LINE__, #x); } while (0)
#define masstree_precondition(x) \
    do { if (!(x)) fail_masstree_precondition(__FILE__, __LINE__, #x); } while (0)
END
cat >"$out/one.cpp" <<'END'
#include "config.h"
void one(int n);
void one(int n)
{
    masstree_invariant(n >= 0);
    masstree_precondition(n >= 0);
    always_assert(n != 1);
    always_assert(n != 2, "for a reason");
}
END
cat >"$out/main.cpp" <<'END'
#include "config.h"
#include "masstree.hh"
void one(int n);
int main(int argc, char**)
{
    one(argc - 1);
    return 0;
}
END
for file in one main; do
    "$compiler" -std=gnu++11 -O2 "$@" -Wno-pedantic -I "$out" -c "$out/$file.cpp" -o "$out/$file.o"
done
"$compiler" "$out/one.o" "$out/main.o" "$library" "-Wl,-rpath,$(dirname "$library")" -pthread -o "$out/program"
"$out/program"
for arguments in '1' '1 2'; do
    status=$( (ulimit -c 0; "$out/program" $arguments >"$out/said" 2>&1; echo $?) 2>/dev/null)
    [ $status -eq 134 ] || { echo "own_config.sh: answers $status" >&2; exit 1; }
done
grep -qF 'for a reason' "$out/said" && grep -qF 'assertion failed: n != 2' "$out/said" || {
    cat "$out/said" >&2
    exit 1
}
