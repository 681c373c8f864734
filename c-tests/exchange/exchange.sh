#!/usr/bin/env bash
# Two libraries for different processors exchange stores: what one has written, the other reads, goes on
# writing, and gives back.
#
# usage: exchange.sh INCLUDE_DIR NATIVE_LIBRARY FOREIGN_LIBRARY    with CC and EMULATOR as .ci/cross sets them
set -euo pipefail

if [ $# -ne 3 ] || [ -z "${EMULATOR:-}" ]; then
    sed -n 's/^# \{0,1\}//; 5p' "$0" >&2
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
for order in 'native foreign' 'foreign native'; do
    read -r first second <<<"$order"
    store=$work/$first.store
    $first write "$store"
    $first print "$store" >"$work/first"
    $second print "$store" >"$work/second"
    cmp "$work/first" "$work/second"
    $second write "$store"
    $second print "$store" >"$work/second"
    $first print "$store" >"$work/first"
    cmp "$work/first" "$work/second"
    echo "ok: $order: $(wc -l <"$work/first") lines"
done
