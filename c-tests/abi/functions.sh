#!/bin/sh
# Prints the functions that the C headers declare, sorted: names before an opening parenthesis,
# outside of comments, that are no types. Every build compares the headers with src/ffi.
#
# usage: functions.sh INCLUDE_DIR
set -eu
export LC_ALL=C
sed -e 's://.*::' -e 's:/\*.*\*/::' -e '/^ *\/\*/,/\*\//d' "$1"/masstree.h "$1"/masstree/*.h |
    grep -o 'masstree_[a-z0-9_]*(' | tr -d '(' | sort -u
