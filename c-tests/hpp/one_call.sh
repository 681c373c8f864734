#!/usr/bin/env bash
# Checks the assembly of the functions of one_call.cc, each named after a C function: it must call
# that function, or jump to it, and call no other except errors::report.
#
# usage: one_call.sh COMPILER INCLUDE_DIR SOURCE
set -euo pipefail

"$1" -std=c++17 -O2 -fno-asynchronous-unwind-tables -I "$2" -S -o - "$3" | awk '
/^_Z[0-9]+one_call_[a-z0-9_]+/ {
    name = $1
    sub(/^_Z[0-9]+one_call_/, "", name)
    wanted = name ~ /^get_u64/ ? "masstree_get_u64" : name ~ /^get/ ? "masstree_get" : \
        name ~ /^contains/ ? "masstree_contains" : name ~ /^put/ ? "masstree_put" : \
        name ~ /^insert/ ? "masstree_insert" : "masstree_remove_u64"
    seen[wanted] += 0
}
/^[A-Za-z_][^ ]*:/ && !/one_call_/ { wanted = "" }
wanted != "" && ($1 ~ /^(call|jmp|bl|b)q?$/) && $2 !~ /^\.L/ {
    callee = $2
    sub(/@.*/, "", callee)
    if (callee == wanted)
        seen[wanted]++
    else if (callee !~ /^_ZN8masstree6errors6report/ && callee !~ /__clang_call_terminate/) {
        print wanted ": calls " callee
        failed = 1
    }
}
END {
    for (name in seen) {
        functions++
        if (seen[name] != 1) {
            print name ": is called " seen[name] " times"
            failed = 1
        }
    }
    if (functions != 6) {
        print "found " functions + 0 " functions of 6"
        failed = 1
    }
    exit failed
}'
