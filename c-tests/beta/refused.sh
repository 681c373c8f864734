#!/usr/bin/env bash
# Checks that each case of refused.cpp is refused with the message in the comment before it: by the
# compiler, or by the program, which aborts; and that without a case, nothing is.
#
# usage: refused.sh COMPILER DIRECTORY LIBRARY FLAG...
set -euo pipefail

compiler=$1
source=$2/refused.cpp
library=$3
shift 3
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
failed=0

compile() {
    "$compiler" -std=c++11 "$@" >"$out/said" 2>&1
}
fail() {
    echo "refused.sh: case $number: $1" >&2
    head -20 "$out/said" >&2
    failed=1
}

number=none
if ! compile "$@" -DCASE=0 "$source" "$library" "-Wl,-rpath,$(dirname "$library")" -pthread \
    -o "$out/program" || ! "$out/program" >"$out/said" 2>&1; then
    fail "without a case it must compile and run"
fi

number=0
while read -r when sentence; do
    number=$((number + 1))
    case $when in
    compile:)
        ! compile "$@" -DCASE=$number -fsyntax-only "$source" || fail "compiles"
        ;;
    run:)
        status=$( (ulimit -c 0; "$out/program" $number >"$out/said" 2>&1; echo $?) 2>/dev/null)
        [ $status -eq 134 ] || fail "answers $status, and not as abort does"
        ;;
    esac
    grep -qF -- "$sentence" "$out/said" || fail "says nothing of: $sentence"
done < <(sed -n 's:^ *// \(\(compile\|run\)\: .*\):\1:p' "$source")
[ $number -eq 20 ] || fail "is the last, of 20"
exit $failed
