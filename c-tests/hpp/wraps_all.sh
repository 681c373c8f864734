#!/usr/bin/env bash
# Checks that the C++ headers use every function of the C interface, except those in omitted.txt,
# which gives the reason; and that omitted.txt lists no function that is used, or does not exist.
#
# usage: wraps_all.sh INCLUDE_DIR OMITTED
set -euo pipefail

include=$1
omitted=$2
symbols=$(mktemp)
trap 'rm -f "$symbols"' EXIT
"$(dirname "$0")/../abi/functions.sh" "$include" >"$symbols"
names=$(sed -n 's/^\(masstree_[a-z0-9_]*\) .*/\1/p' "$omitted")

used=$(grep -oh 'masstree_[a-z0-9_]*' "$include"/masstree.hpp "$include"/masstree/*.hpp | sort -u)
failed=0
while read -r name; do
    if grep -qx "$name" <<<"$used"; then
        wrapped=1
    else
        wrapped=0
    fi
    if grep -qx "$name" <<<"$names"; then
        wrapped=$((wrapped + 2))
    fi
    case $wrapped in
    0) echo "$name has no counterpart in the C++ headers: wrap it, or give a reason in $omitted" ;;
    3) echo "$name is in $omitted, but the C++ headers use it" ;;
    *) continue ;;
    esac
    failed=1
done <"$symbols"
for name in $names; do
    if ! grep -qx "$name" "$symbols"; then
        echo "$name is in $omitted, but not in the library"
        failed=1
    fi
done
exit $failed
