#!/usr/bin/env bash
# The test program, hidden itself, links and runs if it includes every header where visibility is
# hidden: the headers include standard headers under default visibility.
# Put back: take the pragmas around the #include lines of compiler.hh out.
#
# usage: hidden.sh COMPILER DIRECTORY LIBRARY FLAG...      (-I HEADERS among the flags)
set -euo pipefail

compiler=$1
source=$2
library=$3
shift 3
headers=$source/../../include/masstree_beta
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
{
    echo '#pragma GCC visibility push(hidden)'
    printf '%s\n' "$headers"/*.hh | sed 's:.*/:#include ":; s/$/"/'
    echo '#pragma GCC visibility pop'
    echo '#include "all.cpp"'
} >"$out/program.cpp"
"$compiler" -std=c++11 -O0 -fvisibility=hidden "$@" -I "$source" "$out/program.cpp" "$source/second_file.cpp" "$library" \
    "-Wl,-rpath,$(dirname "$library")" -pthread -o "$out/program"
"$out/program"
