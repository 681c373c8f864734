#!/usr/bin/env bash
# Writes the list of functions in the man page, between the lines `.\" begin` and `.\" end`: each
# section of the C headers, each function with the first sentence of its comment. `make header`
# runs it; c-tests/docs/man_page.sh checks that the page is up to date.
#
# usage: man_functions.sh INCLUDE_DIR PAGE      prints the page
set -euo pipefail
export LC_ALL=C
list=$(mktemp)
trap 'rm -f "$list"' EXIT

awk '
function close_list() { if (open) print ".El"; open = 0 }
# Functions for other keys or values stand beside the one that they are like.
function show_section(    i, name) {
    close_list()
    if (count == 0) return
    print ".Ss " heading
    print ".Bl -tag -width Ds -compact"
    open = 1
    for (i = 1; i <= count; i++) {
        name = names[i]
        if (name in like) continue
        printf ".It Fn %s%s\n%s\n", name, others[name], text[name]
    }
    count = 0
}
function read_function(name) {
    names[++count] = name
    sub(/[.:;]? *$/, ".", sentence)
    gsub(/\\/, "\\e", sentence)
    text[name] = sentence
    if (match(sentence, /^Like masstree_[a-z0-9_]+, for /)) {
        base = substr(sentence, 6, RLENGTH - 11)
        while (base in like) base = like[base]
        if (base in text && index(" " listed, " " base " ")) {
            like[name] = base
            others[base] = others[base] " , Fn " name
        }
    }
    listed = listed name " "
}
/^ \* ====/ || /^\/\* ====/ { bars++; if (bars % 2) { show_section(); listed = "" } next }
bars % 2 { sub(/^ \* /, ""); heading = $0; next }
/^\/\*\*/ { in_comment = 1; sentence = ""; done = 0; next }
in_comment && /\*\// { in_comment = 0; next }
in_comment {
    sub(/^ \* ?/, "")
    if (done || /^@/ || ($0 == "" && sentence != "")) { done = 1; next }
    sentence = sentence (sentence == "" ? "" : " ") $0
    if (match(sentence, /\. /)) { sentence = substr(sentence, 1, RSTART); done = 1 }
    else if (sentence ~ /\.$/) done = 1
    next
}
/^[a-z].*[ *]masstree_[a-z0-9_]+\(/ && !/^typedef/ {
    match($0, /masstree_[a-z0-9_]+\(/)
    read_function(substr($0, RSTART, RLENGTH - 1))
}
/;$/ || /^#/ { sentence = "" }
END { show_section(); close_list() }' "$1/masstree.h" "$1"/masstree/*.h >"$list"

sed -e '/^\.\\" begin/r '"$list" -e '/^\.\\" begin/,/^\.\\" end/{//!d;}' "$2"
