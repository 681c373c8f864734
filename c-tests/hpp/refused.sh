#!/usr/bin/env bash
# Checks that the compiler refuses each line of refused.cpp that follows a comment, with a message
# that contains the comment's text; and refuses nothing else.
#
# usage: refused.sh COMPILER SOURCE FLAG...
set -euo pipefail

compiler=$1
source=$2
shift 2
said=$(mktemp)
trap 'rm -f "$said"' EXIT
failed=0
fail() {
    echo "refused.sh: $1" >&2
    failed=1
}

"$compiler" "$@" -fsyntax-only "$source" || fail "does not compile"
! "$compiler" "$@" -DREFUSED -fsyntax-only "$source" >"$said" 2>&1 || fail "compiles"
lines=0
while IFS=: read -r line text; do
    lines=$((lines + 1))
    grep -q "refused.cpp:$((line + 1))[:,]" "$said" || fail "line $((line + 1)) is not refused"
    grep -qF -- "$text" "$said" || fail "says nothing of: $text"
done < <(sed -n '/^#if defined(REFUSED)/,/^#endif/{/^ *\/\/ /{=;s/^ *\/\/ //p}}' "$source" | paste -d: - -)
[ $lines -eq 18 ] || fail "has $lines cases, not 18"
[ $failed -eq 0 ] || cat "$said" >&2
exit $failed
