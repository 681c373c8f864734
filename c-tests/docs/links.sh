#!/usr/bin/env bash
# Everything that Markdown files name exists: files and headings that they link to, functions and
# constants of the C headers, and targets of make.
#
# usage: links.sh FILE...      (in the repository's root)
set -euo pipefail
export LC_ALL=C.UTF-8
if [ $# -eq 0 ] || [ ! -f include/masstree.h ]; then
    echo "usage: $0 FILE... (in the repository's root)" >&2
    exit 2
fi
failed=0
complain() {
    echo "links.sh: $*" >&2
    failed=1
}

# The anchors of a file's headings, as GitHub generates them.
anchors() {
    sed -nE '/^```/,/^```/d; s/^#+ //p' "$1" | tr '[:upper:]' '[:lower:]' |
        sed -E -e 's/`//g' -e 's/[^a-z0-9 _-]//g' -e 's/ /-/g'
}

check_links() {
    local file=$1 target path anchor
    while read -r target; do
        case $target in
        *://*) continue ;;
        esac
        path=${target%%#*} anchor=
        [[ $target != *'#'* ]] || anchor=${target#*#}
        if [ -z "$path" ]; then
            path=$file
        else
            path=$(dirname "$file")/$path
        fi
        if [ ! -e "$path" ]; then
            complain "$file links to $target, which does not exist"
        elif [ -n "$anchor" ] && ! grep -qxF -- "$anchor" <<<"$(anchors "$path")"; then
            complain "$file links to $target, but $path has no such heading"
        fi
    done < <(sed '/^```/,/^```/d' "$1" | grep -oE '\]\([^) ]+\)' | sed -E 's/^\]\((.*)\)$/\1/')
}

# Names with an ellipsis, such as `masstree_…_bytes`, are not checked.
check_names() {
    local file=$1 name
    while read -r name; do
        grep -qwF -- "$name" include/masstree.h include/masstree/*.h || grep -qwF -- "$name" Makefile ||
            complain "$file speaks of $name, which the C headers do not have"
    done < <(sed -E 's/find_package\(masstree[^)]*\)|[a-z_]*\.hh//g' "$file" | grep -oE '\b(masstree_[a-z0-9_]*[a-z0-9]|MASSTREE_[A-Z0-9_]*[A-Z0-9])\b' |
        grep -vE '^(masstree_(static|beta|invariant|precondition|btree|perturb|asan|tsan|library|rocksdb.*|test_.*)|MASSTREE_(WRITE_HEADER|TEST_.*|MODEL_.*|BUILD_.*|ANNOTATE_TSAN|LIBRARY_FILE|BETA_.*|MAXKEYLEN))$' | sort -u)
    # Targets: `make a b`, or `make a`, `b` (the second must have a hyphen).
    while read -r name; do
        grep -qE "^$name:" Makefile || grep -qE "^[^	#]*[: ]$name( |\$)" Makefile ||
            complain "$file speaks of make $name, which the Makefile does not have"
    done < <(grep -oE '`make [a-z][a-z0-9 -]*' "$file" | sed 's/^`make //' | tr ' ' '\n' | grep . | sort -u)
}

for file in "$@"; do
    check_links "$file"
    check_names "$file"
done
exit $failed
