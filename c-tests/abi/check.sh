#!/usr/bin/env bash
# Checks the exported symbols of the libraries.
#
# usage: check.sh CHECK LIBRARY INCLUDE_DIR
#
# Update symbols.txt after adding a function: nm -D --defined-only LIBRARY |
# awk '{ print $3 }' | LC_ALL=C sort > c-tests/abi/symbols.txt
set -euo pipefail
export LC_ALL=C

check=$1
library=$2
headers=("$3"/masstree.h "$3"/masstree/*.h)
golden=$(dirname "$0")/symbols.txt

# The symbols that a shared or static library exports.
exported() {
    case $library in
    *.a) nm -g --defined-only "$library" | awk 'NF == 3 { print $3 }' | sort ;;
    *) nm -D --defined-only "$library" | awk '{ print $3 }' | sort ;;
    esac
}
# Names before an opening parenthesis, outside of comments, that are no types.
declared() {
    sed -e 's://.*::' -e 's:/\*.*\*/::' -e '/^ *\/\*/,/\*\//d' "${headers[@]}" |
        grep -o 'masstree_[a-z0-9_]*(' | tr -d '(' | sort -u
}
same() {
    if ! diff -u --label "$1" --label "$3" "$2" "$4"; then
        echo "check.sh: $3 is not $1" >&2
        exit 1
    fi
}

case $check in
exports_the_golden_list)
    same "c-tests/abi/symbols.txt" "$golden" "what the library exports" <(exported)
    ;;
exports_what_the_headers_declare)
    same "what the headers declare" <(declared) "what the library exports" <(exported)
    ;;
carries_the_abi_in_its_name)
    abi=$(awk '$2 == "MASSTREE_ABI_VERSION" { print $3 }' "${headers[@]}")
    readelf -d "$library" | grep -F "Library soname: [libmasstree.so.$abi]"
    ;;
stays_loaded)
    readelf -d "$library" | grep -E 'FLAGS_1.*NODELETE'
    ;;
*)
    echo "check.sh: unknown check: $check" >&2
    exit 2
    ;;
esac
