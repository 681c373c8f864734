#!/usr/bin/env bash
# Checks that every header of the C++ interface includes the standard headers that it uses itself,
# and no others; under default visibility, so that a program that hides symbols around a header
# still links with the system's functions.
# Put back: a missing #include in one of them, a missing pragma.
#
# usage: includes.sh INCLUDE_DIR
set -euo pipefail

include=$1
awk '
BEGIN {
    table = "algorithm: count fill_n min transform|chrono: chrono|cstddef: ptrdiff_t size_t|" \
        "cstdint: int32_t int64_t uint32_t uint64_t uintptr_t SIZE_MAX|cstdio: fprintf stderr|" \
        "cstdlib: abort|cstring: memcpy strcmp|" \
        "exception: current_exception exception_ptr rethrow_exception|" \
        "iterator: back_inserter begin distance end forward_iterator_tag input_iterator_tag " \
        "iterator_traits|limits: numeric_limits|memory: unique_ptr|memory_resource: pmr|" \
        "experimental/memory_resource: experimental|new: launder nothrow|" \
        "optional: nullopt optional|string: string|string_view: string_view|" \
        "system_error: errc error_category error_code error_condition is_error_code_enum " \
        "system_error|" \
        "thread: thread|" \
        "type_traits: add_lvalue_reference_t conditional_t decay_t enable_if_t " \
        "has_unique_object_representations_v invoke_result_t is_base_of_v is_convertible_v " \
        "is_default_constructible_v is_empty_v is_floating_point_v is_integral_v is_pointer_v " \
        "is_reference_v is_same_v is_scalar_v is_signed_v is_trivially_copyable_v is_void_v " \
        "remove_cv_t remove_reference_t true_type void_t|" \
        "utility: declval exchange forward move pair swap|vector: vector"
    count = split(table, rows, "|")
    for (i = 1; i <= count; i++) {
        split(rows[i], row, ": ")
        words = split(row[2], names, " ")
        for (j = 1; j <= words; j++)
            from[names[j]] = row[1]
    }
}
function complain(what) {
    print file ": " what
    failed = 1
}
function finish(header) {
    for (header in used)
        if (!(header in included))
            complain("uses " used[header] " and does not include <" header ">")
    for (header in included)
        if (!(header in used))
            complain("includes <" header "> and does not use it")
    if (depth != 0)
        complain("leaves a visibility pushed")
    split("", used)
    split("", included)
    depth = 0
}
FNR == 1 { if (file != "") finish(); file = FILENAME }
/^ *\*/ || /^ *\/\*/ { next }
{ sub(/\/\/.*/, "") }
/^#pragma GCC visibility push\(default\)/ { depth++; next }
/^#pragma GCC visibility pop/ { depth--; next }
/^#include </ {
    header = $2
    gsub(/[<>]/, "", header)
    included[header] = 1
    if (depth != 1)
        complain("includes <" header "> under whatever visibility there is")
    next
}
/^#/ { next }
/new \(/ { used["new"] = "placement new" }
{
    while (match($0, /std::[a-z_0-9]+|SIZE_MAX|stderr/)) {
        name = substr($0, RSTART, RLENGTH)
        $0 = substr($0, RSTART + RLENGTH)
        sub(/^std::/, "", name)
        if (name in from)
            used[from[name]] = name
        else
            complain("uses " name ", whose header is not in the table of this script")
    }
}
END { finish(); exit failed }
' "$include"/masstree.hpp "$include"/masstree/*.hpp
