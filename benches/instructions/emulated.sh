#!/usr/bin/env bash
# Counts the instructions of operations, as count.sh does, of a library for another processor under emulation,
# with each of these searches of nodes.
#
# usage: emulated.sh INCLUDE_DIR LIBRARY_DIR SEARCH...   prints: phase, instructions with each search
#        (with CC and EMULATOR as .ci/cross sets them)
set -euo pipefail

if [ $# -lt 3 ] || [ -z "${EMULATOR:-}" ]; then
    sed -n 's/^# \{0,1\}//; 5,6p' "$0" >&2
    exit 2
fi
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$CC" -O2 -I"$1" "$here/instructions.c" -o "$work/instructions" -L"$2" -Wl,-rpath,"$(realpath "$2")" -lmasstree
# Each qemu loads plugins for some versions of its interface. What the plugin calls is the same in all of
# them, and the library is built for one that this qemu loads.
build() { cc -std=c11 -O2 -Wall -Wextra -shared -fPIC -DPLUGIN_VERSION="$1" "$here/qemu_counts.c" -o "$work/counts.so"; }
counts() {
    # shellcheck disable=SC2086 # a list of words
    MASSTREE_SEARCH=$1 $EMULATOR -plugin "$work/counts.so" "$work/instructions" "$2" 2>"$work/log" ||
        { cat "$work/log" >&2; return 1; }
    awk '/^counted: / { printf "%.1f\n", $2 / 200000 }' "$work/log"
}
for version in 1 2 3 4 5; do
    build $version
    counts "$3" load >/dev/null 2>&1 && break
done
printf '%-20s' phase; printf '%10s' "${@:3}"; echo
for phase in get get-outside get-long insert insert-sequential insert-long update remove scan get_many put_many; do
    printf '%-20s' $phase
    for search in "${@:3}"; do
        printf '%10s' "$(counts "$search" $phase)"
    done
    echo
done
