#!/usr/bin/env bash
# Two libraries for different processors exchange stores: what one has written, the other reads, goes on
# writing, and gives back.
#
# Put back: in durable::bytes, write and read numbers in the order of the processor.
#
# usage: exchange.sh INCLUDE_DIR NATIVE_LIBRARY FOREIGN_LIBRARY    with CC and EMULATOR as .ci/cross sets them
set -euo pipefail

if [ $# -ne 3 ] || [ -z "${EMULATOR:-}" ]; then
    sed -n 's/^# \{0,1\}//; 7p' "$0" >&2
    exit 2
fi
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# The loader looks for the SONAME.
compile() {
    mkdir -p "$work/$2"
    cp "$3" "$work/$2/libmasstree.so.0"
    "$1" -std=c11 -O1 -Wall -Wextra -Wpedantic -Werror -I "$4" "$here/exchange.c" -o "$work/$2/exchange" \
        "$work/$2/libmasstree.so.0" -Wl,-rpath,"$work/$2"
}
compile cc native "$2" "$1"
compile "$CC" foreign "$3" "$1"
native() { "$work/native/exchange" "$@"; }
# shellcheck disable=SC2086 # a list of words
foreign() { $EMULATOR "$work/foreign/exchange" "$@"; }

# Both libraries find the same in a store.
compare() {
    native print "$1" >"$work/by-native"
    foreign print "$1" >"$work/by-foreign"
    grep -q '^checkpoint of [1-9][0-9]*, [1-9][0-9]* keys; [1-9][0-9]* records$' "$work/by-native"
    cmp "$work/by-native" "$work/by-foreign"
}

for order in 'native foreign' 'foreign native'; do
    read -r first second <<<"$order"
    store=$work/$first.store
    $first write "$store"
    compare "$store"
    $second write "$store"
    compare "$store"
    echo "ok: written by $first, then by $second: $(wc -l <"$work/by-native") lines"
done
