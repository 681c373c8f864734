#!/usr/bin/env bash
# Installs a libmasstree that was built for another processor, and builds and runs programs that use it, by
# pkg-config and by CMake with a toolchain file; compares what the library exports, its SONAME and the layout
# of the structs with those of the committed interface, which is that of x86-64.
#
# usage: cross.sh BUILD_DIR    with CC, CMAKE_TOOLCHAIN_FILE and EMULATOR as .ci/cross sets them
#
# Works in BUILD_DIR/consumers, which it creates anew.
set -euo pipefail
export LC_ALL=C

if [ $# -ne 1 ] || [ ! -f "$1/cmake_install.cmake" ] || [ -z "${EMULATOR:-}" ]; then
    echo "usage: $0 BUILD_DIR (where libmasstree was built with CMake), within .ci/cross" >&2
    exit 2
fi
build=$(cd "$1" && pwd)
here=$(cd "$(dirname "$0")" && pwd)
source=$(cd "$here/../.." && pwd)
work=$build/consumers
rm -rf "$work"
mkdir -p "$work"
prefix=$work/prefix
cmake --install "$build" --prefix "$prefix" >/dev/null
lib=$prefix/$(sed -n 's/^CMAKE_INSTALL_LIBDIR:PATH=//p' "$build/CMakeCache.txt")

# Runs a consumer and compares its output.
run() {
    local output
    # shellcheck disable=SC2086 # a list of words
    output=$($EMULATOR "$@")
    [[ $output == "masstree "*": apple=1 fig=2 pear="[0-9] ]] || {
        echo "cross.sh: $1 says: $output" >&2
        exit 1
    }
    echo "ok: ${1#"$work/"}"
}

by_pkg_config() {
    pc() { PKG_CONFIG_LIBDIR=$lib/pkgconfig pkg-config "$@" masstree; }
    # shellcheck disable=SC2046 # these are lists of words
    "$CC" -std=c11 -Wall -Wextra -Wpedantic -Werror "$here/consumer.c" -o "$work/c_shared" \
        $(pc --cflags --libs) -Wl,-rpath,"$(pc --variable=libdir)"
    # shellcheck disable=SC2046
    "$CC" -std=c11 "$here/consumer.c" -o "$work/c_static" $(pc --cflags) \
        $(pc --static --libs | sed 's/-lmasstree/-l:libmasstree.a/')
    run "$work/c_shared"
    run "$work/c_static"
}

by_find_package() {
    cmake -S "$here/cmake" -B "$work/cmake" -DCMAKE_PREFIX_PATH="$prefix" >/dev/null
    cmake --build "$work/cmake" >/dev/null
    for program in {c,cpp,beta}_masstree{,_static}; do
        run "$work/cmake/$program"
    done
}

has_the_committed_interface() {
    local check
    for check in exports_what_the_headers_declare carries_the_abi_in_its_name stays_loaded; do
        "$source/c-tests/abi/check.sh" $check "$lib/libmasstree.so" "$source/include"
    done
    "$source/c-tests/abi/check.sh" exports_what_the_headers_declare "$lib/libmasstree.a" "$source/include"
    "$source/c-tests/abi/abi.sh" check "$source/include"
    echo "ok: exports, name, and layout of the structs"
}

by_pkg_config
by_find_package
has_the_committed_interface
