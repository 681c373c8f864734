#!/usr/bin/env bash
# Compiles the C and C++ blocks of Markdown files, with warnings as errors, runs them, and compares
# their output with the next block if it is ```text; otherwise they must print nothing.
#
# A block with a main is a program. Other blocks are fragments: those that begin with a
# definition are placed before the others of their file, which become functions that are called
# in their order. In C, each gets two new trees that contain fruit, `tree` of words and `bytes` of
# byte strings: see fragments.h.
#
# usage: programs.sh CC CXX INCLUDE_DIR LIBRARY_DIR FILE...
# CFLAGS, if set, are passed to the compilers, too.
set -euo pipefail

if [ $# -lt 5 ]; then
    echo "usage: $0 CC CXX INCLUDE_DIR LIBRARY_DIR FILE..." >&2
    exit 2
fi
cc=$1 cxx=$2 include=$3 library=$(cd "$4" && pwd)
shift 4
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
programs=0

compiled() {
    local compiler=("$cc" -std=c11)
    [[ $1 != *.cpp ]] || compiler=("$cxx" -std=c++17)
    # shellcheck disable=SC2086 # a list of words
    "${compiler[@]}" -Wall -Wextra -Wpedantic -Werror -Wno-unused-parameter -pthread ${CFLAGS:-} \
        -I"$include" -I"$here" "$1" -o "$2" -L"$library" -Wl,-rpath,"$library" -lmasstree
}

# Compiles SOURCE, runs it in an empty directory, and compares. Returns statuses explicitly: within `… || bad=1` bash
# continues after errors.
check() {
    local source=$1 expected=$2 what=$3
    programs=$((programs + 1))
    compiled "$source" "$work/program" || { echo "$what: does not compile" >&2; return 1; }
    rm -rf "$work/here"
    mkdir "$work/here"
    (cd "$work/here" && exec "$work/program") >"$work/output" || { echo "$what: answers $?" >&2; return 1; }
    diff -u --label "$what, as it is written" --label "what it prints" "$expected" "$work/output"
}

is_definition() {
    grep -m 1 . "$1" | grep -qE '^(#(include|define) |(static|typedef|template|using|enum|inline) ?|(struct|class) [a-z_]+ \{$)'
}

# Starts the program of a file's fragments.
begin_fragments() {
    local part
    for part in definitions functions calls expected; do
        : >"$work/$part.$1"
    done
}

add_fragment() {
    local block=$1 language=$2 line=$3 expected=$4 file=$5 name=line_$3
    local parameters="masstree_t *tree, masstree_t *bytes"
    [ "$language" = c ] || parameters=""
    if is_definition "$block"; then
        { echo "#line $((line + 1)) \"$file\""; cat "$block"; } >>"$work/definitions.$language"
        return
    fi
    {
        echo "static void $name(${parameters:-void})"
        printf '{\n#line %d "%s"\n' "$((line + 1))" "$file"
        cat "$block"
        echo "}"
    } >>"$work/functions.$language"
    echo "    puts(\"line $line:\");" >>"$work/calls.$language"
    if [ "$language" = c ]; then
        echo "    plant(&tree, &bytes); $name(tree, bytes);" \
            "masstree_destroy(tree); masstree_destroy(bytes);" >>"$work/calls.c"
    else
        echo "    std::fflush(stdout); $name(); std::cout << std::flush;" >>"$work/calls.cpp"
    fi
    { echo "line $line:"; cat "$expected"; } >>"$work/expected.$language"
}

end_fragments() {
    local language=$1 file=$2
    [ -s "$work/calls.$language" ] || return 0
    {
        if [ "$language" = c ]; then
            echo '#include "fragments.h"'
        else
            printf '#include <%s>\n' masstree.hpp cstdio iostream map memory mutex string thread vector
        fi
        cat "$work/definitions.$language" "$work/functions.$language"
        echo 'int main(void)'
        echo '{'
        [ "$language" != c ] || echo '    masstree_t *tree, *bytes;'
        cat "$work/calls.$language"
        echo '}'
    } >"$work/fragments.$language"
    check "$work/fragments.$language" "$work/expected.$language" "$file, fragments of $language"
}

check_file() {
    local file=$1 bad=0 blocks block language line expected i
    rm -rf "$work/blocks"
    mkdir "$work/blocks"
    awk -v dir="$work/blocks" -f "$here/blocks.awk" "$file" >"$work/list" || bad=1
    mapfile -t blocks <"$work/list"
    begin_fragments c
    begin_fragments cpp
    : >"$work/nothing"
    for i in "${!blocks[@]}"; do
        IFS=$'\t' read -r block language line _ <<<"${blocks[$i]}"
        [[ $language = c || $language = cpp ]] || continue
        expected=$work/nothing
        [[ ${blocks[$((i + 1))]:-} != *$'\ttext\t'* ]] || expected=${blocks[$((i + 1))]%%$'\t'*}
        if grep -q '^int main(' "$block"; then
            check "$block" "$expected" "$file:$line" || bad=1
        else
            add_fragment "$block" "$language" "$line" "$expected" "$file"
        fi
    done
    end_fragments c "$file" || bad=1
    end_fragments cpp "$file" || bad=1
    return $bad
}

failed=0
for file in "$@"; do
    check_file "$file" || failed=1
done
if [ $programs -eq 0 ]; then
    echo "programs.sh: there is nothing to compile in $*" >&2
    exit 1
fi
echo "$programs programs"
exit $failed
