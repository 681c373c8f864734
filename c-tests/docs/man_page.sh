#!/usr/bin/env bash
# Checks docs/masstree.3: its list of functions is that of the headers; mandoc and groff do not
# warn; it names every status, and no other names; and its example compiles and runs.
#
# usage: man_page.sh PAGE CC CXX INCLUDE_DIR LIBRARY_DIR
set -euo pipefail
export LC_ALL=C.UTF-8

if [ $# -ne 5 ]; then
    echo "usage: $0 PAGE CC CXX INCLUDE_DIR LIBRARY_DIR" >&2
    exit 2
fi
page=$1
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
header=$work/all.h symbols=$work/symbols
cat "$4"/masstree.h "$4"/masstree/*.h >"$header"
"$here/../abi/functions.sh" "$4" >"$symbols"
failed=0
complain() {
    echo "$page: $*" >&2
    failed=1
}

# The items of the first list that are not in the second.
missing() { LC_ALL=C comm -23 <(LC_ALL=C sort -u "$1") <(LC_ALL=C sort -u "$2"); }

"$here/../../docs/man_functions.sh" "$4" "$page" | diff "$page" - >&2 ||
    complain "its list of functions is not that of the headers: make header"
grep -v '^\.\\"' "$page" >"$work/page"
grep -oE '\bmasstree_[a-z0-9_]+' "$work/page" | grep -v '_$' >"$work/named"
grep -oE '\bmasstree_[a-z0-9_]+_t\b' "$header" | cat - "$symbols" >"$work/functions_and_types"
for name in $(missing "$symbols" "$work/named"); do
    complain "does not name $name, which the headers declare: make header"
done
for name in $(missing "$work/named" "$work/functions_and_types"); do
    [ "$name" = masstree_t ] || complain "names $name, which is no function in the headers, nor a type"
done

grep -oE '\bMASSTREE_[A-Z0-9_]+' "$work/page" >"$work/constants"
grep -oE '\bMASSTREE_[A-Z0-9_]+' "$header" >"$work/declared"
sed -nE 's/.*@retval (MASSTREE_[A-Z_]+).*/\1/p' "$header" >"$work/statuses"
for name in $(missing "$work/statuses" "$work/constants"); do
    complain "does not say what the status $name means"
done
for name in $(missing "$work/constants" "$work/declared"); do
    complain "names $name, which the C headers do not have"
done

mandoc -T lint -W warning "$page" || complain "mandoc warns"
groff -mdoc -Tutf8 -ww "$page" 2>"$work/warnings" >"$work/text"
if [ -s "$work/warnings" ]; then
    cat "$work/warnings" >&2
    complain "groff warns"
fi

{
    echo '```c'
    sed -n '/^\.Bd -literal/,/^\.Ed/p' "$page" | sed -e '/^\./d' -e 's/\\e/\\/g'
    printf '```\n\n```text\n42\n```\n'
} >"$work/example.md"
"$here/programs.sh" "$2" "$3" "$4" "$5" "$work/example.md" || complain "the example fails"
exit $failed
