#!/bin/sh
# Makes a static library that defines nothing but the functions of the C headers. rustc's own
# also defines Rust's standard library, so that a program which links another Rust static
# library too would have it twice. What the functions do not need is left out.
#
# usage: isolate.sh INCLUDE_DIR FROM TO      (LD, OBJCOPY and AR: the tools to use)
#
# Without GNU's tools, or should they fail, the library stays as it is, with a warning.
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

# Groups of sections that programs merge by name would be merged with another library's,
# to whose symbols ours have no access. LLVM's bitcode, which comes with the standard
# library, would have the plugin of another LLVM look at it: hence the explicit format.
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
    echo "isolate.sh: warning: $to defines all of Rust's standard library" >&2
    cp "$from" "$work/libmasstree.a"
fi
mv "$work/libmasstree.a" "$to"
