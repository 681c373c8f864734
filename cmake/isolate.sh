#!/bin/sh
# Makes a static library that exports only the functions of the C headers. The one that rustc
# builds also exports Rust's standard library, so a program that links another Rust static
# library as well would have it twice. Sections that the functions do not need are dropped.
#
# usage: isolate.sh INCLUDE_DIR FROM TO      (LD, OBJCOPY and AR: the tools to use)
#
# Without GNU's tools, or if they fail, copies the library unchanged, with a warning.
set -eu
if [ $# -ne 3 ]; then
    echo "usage: $0 INCLUDE_DIR FROM TO" >&2
    exit 2
fi
include=$1
from=$2
to=$3
[ ! "$to" -nt "$from" ] || exit 0

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
sed -n 's/^[a-z][a-z0-9_ ]*[ *]\(masstree_[a-z0-9_]*\)(.*/--undefined=\1/p' \
    "$include/masstree.h" "$include"/masstree/*.h >"$work/functions"

# Section groups are dissolved: the linker merges groups of the same name, and would replace
# ours by those of another library, whose symbols our code cannot access. The format is explicit
# because otherwise objcopy may pass LLVM's bitcode, which the standard library contains, to a
# plugin of another version of LLVM.
isolate() {
    "${LD:-ld}" -r --gc-sections --force-group-allocation "@$work/functions" \
        --undefined=libmasstree_abort --defsym=abort=libmasstree_abort "$from" \
        -o "$work/all.o" &&
        format=$("${LD:-ld}" --print-output-format) &&
        "${OBJCOPY:-objcopy}" -I "$format" -O "$format" --remove-section=.llvmbc \
            --remove-section=.llvmcmd --wildcard --keep-global-symbol='masstree_*' \
            "$work/all.o" "$work/masstree.o" &&
        "${AR:-ar}" crsD "$work/libmasstree.a" "$work/masstree.o"
}
if ! isolate; then
    echo "isolate.sh: warning: $to also exports Rust's standard library" >&2
    cp "$from" "$work/libmasstree.a"
fi
mv "$work/libmasstree.a" "$to"
