#!/usr/bin/env bash
# Compares the binary interface that the C headers declare with the committed one:
# masstree.abi has the functions and types, as libabigail writes them, constants.txt the
# constants. Functions and constants may be added; any other difference fails. `write`
# regenerates both files: see docs/abi.md.
#
# usage: abi.sh check|write INCLUDE_DIR      (CC: the compiler, which may be one for another processor)
set -euo pipefail
export LC_ALL=C

if [ $# -ne 2 ] || [[ $1 != check && $1 != write ]] || [ ! -f "$2/masstree.h" ]; then
    echo "usage: $0 check|write INCLUDE_DIR" >&2
    exit 2
fi
include=$(realpath "$2")
headers=("$include"/masstree.h "$include"/masstree/*.h)
here=$(cd "$(dirname "$0")" && pwd)
committed=$here/masstree.abi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The Rust library's debug information has Rust's types. A library of empty functions has
# those of the headers, which build.rs compares with src/ffi, and `check.sh` with the
# exported functions.
printf '#include "%s"\n' "${headers[@]}" | "${CC:-gcc}" -E -P -x c - |
    awk '/^[a-z].* \*?masstree_[a-z0-9_]*\(/ { declared = 1 }
         declared && /;$/ { sub(/;$/, " { __builtin_trap(); }"); declared = 0 }
         { print }' >"$work/functions.c"
"${CC:-gcc}" -w -g -shared -fPIC -nostdlib "$work/functions.c" -o "$work/libmasstree.so"
grep -c __builtin_trap "$work/functions.c" | diff - <("$here/functions.sh" "$include" | wc -l) ||
    { echo "abi.sh: some functions of the headers were not found" >&2; exit 1; }

constants() { awk '{ gsub(/[()]/, "", $3) }
                   $1 == "#define" && NF == 3 && $3 ~ /^-?[0-9]+$/ && $2 !~ /_VERSION_/ { print $2, $3 }
                   $2 == "MASSTREE_ABI_VERSION" { print $2, $3 }' "${headers[@]}" | sort -u; }

if [ "$1" = write ]; then
    abidw --no-architecture --no-corpus-path --no-comp-dir-path --no-show-locs --no-write-default-sizes \
        --type-id-style hash --out-file "$committed" "$work/libmasstree.so"
    constants >"$here/constants.txt"
    exit 0
fi

bad=0
abidiff --no-architecture --no-show-locs --no-added-syms "$committed" "$work/libmasstree.so" || bad=1
if comm -23 "$here/constants.txt" <(constants) | grep .; then
    echo "abi.sh: the headers have these constants no more, or with another value" >&2
    bad=1
fi
[ $bad -eq 0 ] || echo "abi.sh: the binary interface is not the committed one: see docs/abi.md" >&2
exit $bad
