#!/bin/sh
# The soak test calls every function that has to do with a tree.
#
# usage: every_function.sh GOLDEN_LIST SOURCE...
set -eu
list=$1
shift
forgotten=$(grep -vxE 'masstree_(version_.*|abi_version|strerror|u64_to_key)' "$list" |
    while read -r name; do
        grep -qwF "$name" "$@" || echo "$name"
    done)
[ -z "$forgotten" ] || { echo "not called by the soak test:" $forgotten >&2; exit 1; }
