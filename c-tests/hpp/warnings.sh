#!/usr/bin/env bash
# Checks that the headers compile without warnings, with all that make sense enabled, also where
# SOURCE instantiates their templates. Warnings about SOURCE itself do not count.
# Put back: a useless cast (value.hpp), a static category that is destroyed.
#
# usage: warnings.sh COMPILER INCLUDE_DIR SOURCE FLAG...
set -euo pipefail

compiler=$1
include=$2
source=$3
shift 3
case $(basename "$compiler") in
clang*)
    # Disabled: C++98 compatibility; padding; virtual tables without a key function, which a
    # header-only library cannot have; and, of later versions, pointer arithmetic and every switch
    # over an enumeration.
    warnings="-Weverything -Wno-c++98-compat -Wno-c++98-compat-pedantic -Wno-padded
        -Wno-weak-vtables -Wno-unknown-warning-option -Wno-unsafe-buffer-usage
        -Wno-switch-default"
    ;;
*)
    warnings="-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wcast-align
        -Wcast-qual -Wundef -Wformat=2 -Wswitch-enum -Wswitch-default -Wredundant-decls
        -Wmissing-declarations -Wduplicated-cond -Wduplicated-branches -Wlogical-op
        -Wdouble-promotion -Wfloat-equal -Wnull-dereference -Wunused-macros -Wvla"
    case $source in
    *.cpp)
        warnings="$warnings -Wold-style-cast -Wuseless-cast -Wextra-semi -Wnon-virtual-dtor
            -Wzero-as-null-pointer-constant -Woverloaded-virtual -Wsuggest-override
            -Wctor-dtor-privacy -Wstrict-null-sentinel -Wnoexcept -Wdeprecated-copy-dtor
            -Wcomma-subscript"
        ;;
    *) warnings="$warnings -Wc++-compat -Wstrict-prototypes -Wmissing-prototypes" ;;
    esac
    ;;
esac
said=$(mktemp)
trap 'rm -f "$said"' EXIT
# shellcheck disable=SC2086 # a list of flags
"$compiler" "$@" $warnings -I "$include" -fsyntax-only "$source" 2>"$said" ||
    { cat "$said" >&2; exit 1; }
! grep -F "$include/" "$said" | grep 'warning:' >&2
