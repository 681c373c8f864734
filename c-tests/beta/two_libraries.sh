#!/usr/bin/env bash
# One program may include these headers in one file and masstree-beta's in another, with the same
# name for its parameters in both: checks that the linker does not merge inline functions of the two.
# foreign.cpp stands for masstree-beta. Also checks that every symbol of these headers has the tag or
# is in a namespace of their own.
#
# Put back: MASSTREE_BETA_ABI empty, in abi.hh: the program crashes, and the symbols are listed.
#
# usage: two_libraries.sh COMPILER DIRECTORY LIBRARY FLAG...
set -euo pipefail

compiler=$1
here=$2
library=$3
shift 3
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
failed=0
compile() { "$compiler" -std=c++11 -O0 "$@"; }

compile "$@" -c "$here/ours.cpp" -o "$out/ours.o"
compile "$@" -c "$here/foreign.cpp" -o "$out/foreign.o"
for order in 'ours foreign' 'foreign ours'; do
    read -r first second <<<"$order"
    "$compiler" "$out/$first.o" "$out/$second.o" "$library" "-Wl,-rpath,$(dirname "$library")" -pthread \
        -o "$out/program"
    said=$( (ulimit -c 0; "$out/program" 2>&1) 2>/dev/null) || {
        echo "two_libraries.sh: $order: ends with $?: $said" >&2
        failed=1
    }
done

# The symbols that the linker may merge of a file that uses every name, without those of the standard
# library and the tests.
compile "$@" -c "$here/test_names.cpp" -o "$out/names.o"
nm --defined-only "$out/names.o" | sed -n 's/^[0-9a-f]* [WVu] \(_Z.*\)/\1/p' |
    grep -vE '^_Z(GV|T[ISV])?(ZNK?|NK?)?(S|9__gnu_cxx|5store|9all_of_it|14number_printer)' |
    grep -vE '^_Z(GV)?Z?N?K?(12check_failed|9all_tests|17test_registration)|^_Zn[wa]' >"$out/symbols" || true
[ "$(wc -l <"$out/symbols")" -gt 150 ] || {
    echo "two_libraries.sh: finds only $(wc -l <"$out/symbols") symbols" >&2
    failed=1
}
if grep -vE 'B11libmasstree|^_Z(GV|T[ISV])?(ZNK?|NK?)?13masstree_beta' "$out/symbols" >"$out/untagged"; then
    echo "two_libraries.sh: without a tag:" >&2
    cat "$out/untagged" >&2
    failed=1
fi
exit $failed
