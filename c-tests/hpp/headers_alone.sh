#!/usr/bin/env bash
# Every header of the C++ interface compiles alone, and after itself.
#
# usage: headers_alone.sh COMPILER INCLUDE_DIR FLAG...
set -euo pipefail

compiler=$1
include=$2
shift 2
for header in "$include"/masstree.hpp "$include"/masstree/*.hpp; do
    printf '#include "%s"\n#include "%s"\n' "$header" "$header" |
        "$compiler" -x c++ -std=c++17 "$@" -I "$include" -fsyntax-only - ||
        { echo "headers_alone.sh: $header" >&2; exit 1; }
done
