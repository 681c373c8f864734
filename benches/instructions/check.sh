#!/usr/bin/env bash
# Compares instruction counts (see count.sh) with the recorded ones, and fails if one has grown by
# more than 2 %. Another compiler counts differently: then nothing is compared.
#
# usage: check.sh INCLUDE_DIR LIBRARY_DIR           compares with counts.txt
#        check.sh record INCLUDE_DIR LIBRARY_DIR    records counts.txt
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
compiler="rustc $(rustc --version | cut -d' ' -f2-), c++ $(c++ -dumpfullversion), $(uname -m)"
if [ "${1:-}" = record ] && [ $# -eq 3 ]; then
    counts=$("$here/count.sh" "$2" "$3")
    printf '# instructions an operation, with %s\n%s\n' "$compiler" "$counts" >"$here/counts.txt"
    exit
fi
if [ $# -ne 2 ]; then
    echo "usage: $0 [record] INCLUDE_DIR LIBRARY_DIR" >&2
    exit 2
fi
if ! grep -qxF "# instructions an operation, with $compiler" "$here/counts.txt"; then
    echo "not compared: counts.txt is not for $compiler"
    exit 0
fi
counts=$("$here/count.sh" "$1" "$2")
awk 'FNR == NR { if ($1 != "#") recorded[$1] = $2; next }
    !($1 in recorded) { printf "%s: not in counts.txt: record it\n", $1; failed = 1; next }
    $2 > 1.02 * recorded[$1] {
        printf "%s: %s instructions, %s recorded: %+.1f %%\n", $1, $2, recorded[$1], \
            100 * ($2 / recorded[$1] - 1)
        failed = 1
    }
    END { exit failed }' "$here/counts.txt" - <<<"$counts"
