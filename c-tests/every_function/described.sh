#!/bin/sh
# Checks that a row of CALLS in support/calls.c describes each function that takes a tree or a
# cursor and returns a status, with which the tests of all functions call it; and that the soak
# test calls every other function by its name.
#
# usage: described.sh INCLUDE_DIR CALLS_C SOAK_SOURCE...
set -eu
export LC_ALL=C
include=$1
calls=$2
shift 2
# May be called without a tree.
undescribed=leaf_version
# Have nothing to do with a tree.
uncalled='u64_to_key|u64_from_key|version_.*|abi_version|strerror'

described=$(sed -n 's/^    X(\([a-z0-9_]*\),.*/\1/p' "$calls")
failed=0
for name in $("$(dirname "$0")/../abi/functions.sh" "$include"); do
    short=${name#masstree_}
    echo "$described" | grep -qx "$short" && continue
    if cat "$include"/masstree.h "$include"/masstree/*.h |
        grep -qE "^int32_t $name\((const )?masstree_(t|cursor_t) " &&
        ! echo "$short" | grep -qxE "$undescribed"; then
        echo "$name: add a row to CALLS in c-tests/support/calls.c" >&2
        failed=1
    elif ! grep -qwF "$name" "$@" && ! echo "$short" | grep -qxE "$uncalled"; then
        echo "$name: call it in the soak test, c-tests/soak" >&2
        failed=1
    fi
done
for short in $described; do
    "$(dirname "$0")/../abi/functions.sh" "$include" | grep -qx "masstree_$short" || {
        echo "$short: described in c-tests/support/calls.c, but not declared" >&2
        failed=1
    }
done
exit $failed
