#!/usr/bin/env bash
# Compares the memtable with RocksDB's skip list by an unmodified db_bench; the two take turns. Prints
# for each benchmark the median CPU time of an operation with both, and the ratio. Nothing is flushed,
# and there is no write-ahead log.
#
# usage: compare.sh LIBRARY [KEYS [ROUNDS [KEY_SIZE [THREADS]]]]
#
# DB_BENCH: the program, if it is not in PATH. SKIP_LIST: a library to be loaded for both, such as a
# skip list compiled without assertions. DB_BENCH_FLAGS: further flags.
set -euo pipefail

library=$1
keys=${2:-1000000}
rounds=${3:-3}
key_size=${4:-16}
threads=${5:-1}
db_bench=${DB_BENCH:-db_bench}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# One benchmark, after another has filled the memtable (CPU time of the fill is measured by itself).
# usage: cpu MEMTABLE BENCHMARKS...    prints seconds of the whole process
cpu() {
    local memtable=$1 benchmarks=$2 preload=${SKIP_LIST:-}
    [ "$memtable" = skip_list ] || preload=$library${preload:+:$preload}
    local TIMEFORMAT='%U %S'
    { time LD_PRELOAD=$preload "$db_bench" --db="$work/db" --memtablerep="$memtable" \
        --num="$keys" --key_size="$key_size" --threads="$threads" --disable_wal=1 \
        --write_buffer_size=17179869184 --db_write_buffer_size=0 --max_write_buffer_number=2 \
        --disable_auto_compactions=1 --benchmarks="$benchmarks" --seed=1 ${DB_BENCH_FLAGS:-} \
        >"$work/out" 2>&1; } 2>"$work/time" || { cat "$work/out" >&2; exit 1; }
    awk '{ print $1 + $2 }' "$work/time"
    rm -rf "$work/db"
}

# usage: measure NAME FIRST BENCHMARK: CPU of FIRST,BENCHMARK less that of FIRST alone.
measure() {
    local name=$1 first=$2 benchmark=$3 memtable round both alone
    for round in $(seq "$rounds"); do
        for memtable in masstree skip_list; do
            both=$(cpu "$memtable" "${first:+$first,}$benchmark")
            alone=$(cat "$work/$memtable.${first:-none}.$round" 2>/dev/null || true)
            [ -n "$alone" ] || alone=$(cpu "$memtable" "${first:-compact}")
            echo "$alone" >"$work/$memtable.${first:-none}.$round"
            awk -v a="$both" -v b="$alone" 'BEGIN { print a - b }' >>"$work/$memtable.$name"
        done
    done
    awk -v name="$name" -v ours="$(median "$work/masstree.$name")" \
        -v theirs="$(median "$work/skip_list.$name")" -v n="$((keys * threads))" 'BEGIN {
            printf "%-24s %8.2f µs %8.2f µs %6.2f\n", name, ours / n * 1e6, theirs / n * 1e6, theirs / ours }'
}

median() { sort -g "$1" | sed -n "$(((rounds + 1) / 2))p"; }

echo "$keys keys of $key_size bytes, $threads threads, medians of $rounds rounds: CPU time an operation"
printf '%-24s %11s %11s %6s\n' '' masstree 'skip list' ratio
for benchmark in ${BENCHMARKS:-fillrandom fillseq overwrite readrandom seekrandom readwhilewriting}; do
    case $benchmark in
    fill*) measure "$benchmark" '' "$benchmark" ;;
    *) measure "$benchmark" fillrandom "$benchmark" ;;
    esac
done
