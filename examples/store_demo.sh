#!/usr/bin/env bash
# Fills a store with the command line, kills it (kill -9), opens the store again, and goes on.
#
# usage: store_demo.sh MASSTREE
set -euo pipefail

if [ $# -ne 1 ] || [ ! -x "$1" ]; then
    echo "usage: $0 MASSTREE (the command line)" >&2
    exit 2
fi
masstree=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
{
    printf 'masstree dump 1\nformat text\ntree numbers\n'
    seq -f ' number %09.0f	is a number' 300000
    echo end
} >dump

mkfifo recorded
"$masstree" load store dump --json >recorded &
loading=$!
# The load prints how many entries are durable. It is killed after the first such line.
read -r first <recorded
kill -9 $loading 2>/dev/null || true
wait $loading 2>/dev/null || true
echo "a load was killed after it said: $first"
"$masstree" stat store | sed -n 1p
"$masstree" load store dump
"$masstree" verify store
