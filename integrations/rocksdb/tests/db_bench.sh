#!/usr/bin/env bash
# Runs an unmodified db_bench on the memtable, and checks that it ran on it and found every key.
#
# usage: db_bench.sh DB_BENCH LIBRARY DIRECTORY
#
# Put back: without LD_PRELOAD, db_bench does not know the name.
set -euo pipefail

db_bench=$1
library=$2
directory=$3
rm -rf "$directory"
run() {
    "$db_bench" --db="$directory" --memtablerep=masstree --num=20000 --disable_wal=1 \
        --benchmarks=fillrandom,readseq,readreverse,seekrandom,overwrite,deleterandom,readrandom \
        "$@" 2>&1
}
output=$(LD_PRELOAD=$library run)
grep -q '^seekrandom' <<<"$output" || { echo "$output" >&2; exit 1; }
grep -q 'memtable_factory: masstree' "$directory/LOG"
! grep -q 'this memtable is a skip list' "$directory/LOG"
# Filled in sequence, every key is found.
rm -rf "$directory"
output=$(LD_PRELOAD=$library "$db_bench" --db="$directory" --memtablerep=masstree --num=20000 --disable_wal=1 \
    --benchmarks=fillseq,readrandom 2>&1)
grep -q '(20000 of 20000 found)' <<<"$output" || { echo "$output" >&2; exit 1; }
if run >"$directory.without" 2>&1; then
    echo "db_bench knows the name without the library" >&2
    exit 1
fi
rm -rf "$directory" "$directory.without"
