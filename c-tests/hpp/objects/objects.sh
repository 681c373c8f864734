#!/usr/bin/env bash
# Builds two shared objects that hide their symbols, and program.cpp, which loads them with
# RTLD_LOCAL; and again with RTLD_GLOBAL, as if they were linked to it.
#
# usage: objects.sh COMPILER SECOND_COMPILER DIRECTORY INCLUDE_DIR LIBRARY FLAG...
set -euo pipefail

first=$1
second=$2
source=$3
include=$4
library=$5
shift 5
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
flags=("$@" -std=c++17 -fvisibility=hidden -fPIC -I "$include")
libraries=("$library" "-Wl,-rpath,$(dirname "$library")" -ldl)

"$first" "${flags[@]}" -shared -Wl,-z,defs "$source/object.cpp" "${libraries[@]}" -o "$out/first.so"
"$second" "${flags[@]}" -shared -Wl,-z,defs "$source/object.cpp" "${libraries[@]}" -o "$out/second.so"
"$first" "${flags[@]}" -c "$source/program.cpp" -o "$out/program.o"
for how in local global; do
    [ $how = local ] && exports=() || exports=(-rdynamic)
    "$first" "$@" "${exports[@]}" "$out/program.o" "${libraries[@]}" -o "$out/$how"
    "$out/$how" $how "$out/first.so" "$out/second.so"
done
