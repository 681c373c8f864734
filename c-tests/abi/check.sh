#!/usr/bin/env bash
# Checks the exported symbols of the libraries.
#
# usage: check.sh CHECK LIBRARY INCLUDE_DIR
set -euo pipefail
export LC_ALL=C

check=$1
library=$2
include=$3
headers=("$include"/masstree.h "$include"/masstree/*.h)
here=$(dirname "$0")

# The symbols that a shared or static library exports.
exported() {
    case $library in
    *.a) nm -g --defined-only "$library" | awk 'NF == 3 { print $3 }' | sort ;;
    *) nm -D --defined-only "$library" | awk '{ print $3 }' | sort ;;
    esac
}
same() {
    if ! diff -u --label "$1" --label "$3" "$2" "$4"; then
        echo "check.sh: $3 is not $1" >&2
        exit 1
    fi
}

case $check in
exports_what_the_headers_declare)
    same "what the headers declare" <("$here/functions.sh" "$include") \
        "what $library exports" <(exported)
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
