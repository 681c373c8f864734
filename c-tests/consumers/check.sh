#!/usr/bin/env bash
# Installs a built libmasstree, and builds and runs programs that use it as users do, from the
# prefix to which it was installed, and from the directory to which that prefix was moved.
#
# usage: check.sh BUILD_DIR
#
# Works in BUILD_DIR/../consumers, which it creates anew.
set -euo pipefail
export LC_ALL=C

if [ $# -ne 1 ] || [ ! -f "$1/cmake_install.cmake" ]; then
    echo "usage: $0 BUILD_DIR (where libmasstree was built with CMake)" >&2
    exit 2
fi
build=$(cd "$1" && pwd)
here=$(cd "$(dirname "$0")" && pwd)
source=$(cd "$here/../.." && pwd)
header=$source/include/masstree.h
work=$(dirname "$build")/consumers
rm -rf "$work"
mkdir -p "$work"

define() { awk -v name="MASSTREE_$1" '$2 == name { gsub("\"", "", $3); print $3 }' "$header"; }
version=$(define VERSION_STRING)
abi=$(define ABI_VERSION)
cached() { sed -n "s/^$1:[A-Z]*=//p" "$build/CMakeCache.txt"; }
lib=$(cached CMAKE_INSTALL_LIBDIR)

fail() {
    echo "check.sh: $*" >&2
    exit 1
}

# Every file below a directory, links with their targets.
listed() {
    find "$1" -type l -printf '%P -> %l\n' -o -type f -printf '%P\n' | sort
}

# Runs a consumer and compares its output.
run() {
    local output
    output=$("$@") || fail "$1 answers $?"
    [[ $output =~ ^"masstree $version: apple=1 fig=2 pear="[0-9]$ ]] || fail "$1 says: $output"
    echo "ok: ${*#"$work/"}"
}

# The files in installed.txt, every header, every page, and the examples.
installs_the_listed_files() {
    local doc=share/doc/masstree
    {
        find "$source/include" -name '*.h' -printf 'include/%P\n' -o \
            -name '*.hpp' -printf 'include/%P\n' -o -name '*.hh' -printf 'include/%P\n' -o \
            -name README.md -printf 'include/%P\n'
        find "$source/docs" \( -name '*.md' -o -name '*.svg' \) -printf "$doc/docs/%P\n"
        env -C "$source/examples" find c cpp python \
            \( -name '*.[ch]' -o -name '*.cpp' -o -name '*.py' \) -printf "$doc/examples/%p\n"
        sed -e "s/VERSION/$version/g" -e "s/ABI/$abi/g" -e "s:^lib/:$lib/:" "$here/installed.txt"
    } | sort | diff -u --label installed.txt --label installed - <(listed "$1")
}

honours_destdir() {
    DESTDIR=$work/destdir cmake --install "$build" --prefix /usr/local >/dev/null
    diff -r --no-dereference "$1" "$work/destdir/usr/local"
}

# The command line needs no libmasstree of another version.
runs_the_command_line() {
    local store=$work/store
    rm -rf "$store"
    "$1/bin/masstree" put --create "$store" fruit apple red
    [ "$("$1/bin/masstree" get "$store" fruit apple)" = red ] || fail "masstree get answers otherwise"
    ! readelf -d "$1/bin/masstree" | grep -F libmasstree || fail "masstree needs a shared libmasstree"
    echo "ok: ${1#"$work/"}/bin/masstree"
}

# Compares the libraries that rustc lists for this crate with those in masstree.pc.
names_the_native_libraries_of_today() {
    local said told
    said=$(env -C "$source" cargo rustc --lib --crate-type staticlib -- \
        --print native-static-libs 2>&1 | sed -n 's/^note: native-static-libs: //p')
    told=$(sed -n 's/^Libs.private: //p' "$1/$lib/pkgconfig/masstree.pc")
    [ -n "$said" ] || fail "rustc names no native libraries"
    diff -u --label "rustc --print native-static-libs" --label "masstree.pc" \
        <(tr ' ' '\n' <<<"$said" | sort -u) <(tr ' ' '\n' <<<"$told" | sort -u)
}

by_pkg_config() {
    local prefix=$1 out=$2/pkg-config
    mkdir -p "$out"
    pc() { PKG_CONFIG_PATH=$prefix/$lib/pkgconfig pkg-config "$@" masstree; }
    [ "$(pc --modversion)" = "$version" ] || fail "masstree.pc has another version"
    # shellcheck disable=SC2046 # these are lists of words
    cc -std=c11 -Wall -Wextra -Wpedantic -Werror "$here/consumer.c" -o "$out/c_shared" \
        $(pc --cflags --libs) -Wl,-rpath,"$(pc --variable=libdir)"
    # shellcheck disable=SC2046
    cc -std=c11 "$here/consumer.c" -o "$out/c_static" $(pc --cflags) \
        $(pc --static --libs | sed 's/-lmasstree/-l:libmasstree.a/')
    run "$out/c_shared"
    run "$out/c_static"
    ! readelf -d "$out/c_static" | grep -F libmasstree || fail "c_static needs a shared libmasstree"
}

# A program for masstree-beta, built as include/masstree_beta/README.md says: by the include path,
# and by a link in place of a copy of masstree-beta.
for_masstree_beta() {
    local prefix=$1 out=$2/masstree-beta
    mkdir -p "$out/third_party"
    pc() { PKG_CONFIG_PATH=$prefix/$lib/pkgconfig pkg-config "$@" masstree; }
    ln -s "$prefix/include/masstree_beta" "$out/third_party/masstree-beta"
    # shellcheck disable=SC2046
    c++ -std=c++11 -Wall -Wextra -Wpedantic -Werror "$here/consumer_beta.cpp" -o "$out/by_path" \
        -I "$(pc --variable=includedir)/masstree_beta" $(pc --libs) -pthread \
        -Wl,-rpath,"$(pc --variable=libdir)"
    # shellcheck disable=SC2046
    c++ -std=c++20 -DVENDORED -I "$out/third_party" "$here/consumer_beta.cpp" -o "$out/by_link" \
        $(pc --static --libs | sed 's/-lmasstree/-l:libmasstree.a/') -pthread
    run "$out/by_path"
    run "$out/by_link"
}

# In either order, because the first library that defines a symbol wins.
beside_another_rust_library() {
    local prefix=$1 out=$work/beside
    mkdir -p "$out"
    env -C "$source" rustc -O --edition 2024 --crate-type staticlib "$here/other.rs" \
        -o "$out/libother.a"
    local libraries=("$prefix/$lib/libmasstree.a" "$out/libother.a")
    cc -I "$prefix/include" "$here/beside_rust.c" -o "$out/before" \
        "${libraries[0]}" "${libraries[1]}" -lgcc_s -lpthread -lm -ldl
    cc -I "$prefix/include" "$here/beside_rust.c" -o "$out/after" \
        "${libraries[1]}" "${libraries[0]}" -lgcc_s -lpthread -lm -ldl
    for program in before after; do
        "$out/$program" 2>/dev/null || fail "$program answers $?"
        echo "ok: beside/$program"
    done
}

# As docs/linking.md says. MASSTREE_MUSL_LIBRARY: one that was built elsewhere.
for_musl() {
    local out=$work/musl target=x86_64-unknown-linux-musl library=${MASSTREE_MUSL_LIBRARY:-}
    if ! command -v musl-gcc >/dev/null; then
        echo "skipped: musl: musl-gcc is not installed"
        return
    fi
    mkdir -p "$out"
    if [ -z "$library" ]; then
        if ! [ -d "$(rustc --print target-libdir --target $target)" ]; then
            echo "skipped: musl: Rust's target $target is not installed"
            return
        fi
        CARGO_TARGET_X86_64_UNKNOWN_LINUX_MUSL_LINKER=musl-gcc env -C "$source" cargo rustc --quiet \
            --release --lib --crate-type staticlib --target $target --target-dir "$out/target"
        library=$out/target/$target/release/libmasstree.a
    fi
    "$source/cmake/isolate.sh" "$source/include" "$library" "$out/libmasstree.a"
    sed -n "s/^echo '\(.*\)' >find_object.c$/\1/p" "$source/docs/linking.md" >"$out/find_object.c"
    musl-gcc -static -I "$source/include" "$here/consumer.c" "$out/find_object.c" \
        "$out/libmasstree.a" -o "$out/c_static"
    run "$out/c_static"
    ! readelf -d "$out/c_static" | grep -F NEEDED || fail "c_static needs a shared library"
}

# In both ways of docs/abi.md. -fvisibility=hidden is not one: it affects what is compiled, not what
# is linked.
as_a_plugin() {
    local prefix=$1 out=$work/plugin way
    mkdir -p "$out"
    link() {
        # shellcheck disable=SC2046
        cc -shared -fPIC -fvisibility=hidden "$here/plugin.c" -o "$out/$1.so" "${@:2}" \
            $(PKG_CONFIG_PATH=$prefix/$lib/pkgconfig pkg-config --cflags --static --libs masstree |
                sed 's/-lmasstree/-l:libmasstree.a/')
    }
    shown() { nm -D --defined-only "$out/$1.so" | awk '{ print $3 }'; }
    link careless
    shown careless | grep '^masstree_' >/dev/null || fail "a plugin shows no masstree_ functions anyway"
    link exclude_libs -Wl,--exclude-libs,ALL
    link version_script -Wl,--version-script="$here/plugin.map"
    cc "$here/plugin_host.c" -o "$out/host" -ldl -pthread
    for way in exclude_libs version_script; do
        [ "$(shown $way)" = plugin_count ] || fail "plugin/$way shows more than plugin_count"
        echo "ok: plugin/$way"
    done
    "$out/host" "$out/exclude_libs.so" "$out/version_script.so" || fail "plugin/host answers $?"
    echo "ok: plugin/host"
}

by_find_package() {
    local prefix=$1 out=$2/cmake
    cmake -S "$here/cmake" -B "$out" -DCMAKE_PREFIX_PATH="$prefix" -DWANTED="$version" >/dev/null
    cmake --build "$out" >/dev/null
    for program in {c,cpp,beta}_masstree{,_static}; do
        run "$out/$program"
    done
    ! readelf -d "$out/cpp_masstree_static" | grep -F libmasstree ||
        fail "cpp_masstree_static needs a shared libmasstree"
    if cmake -S "$here/cmake" -B "$2/cmake-99" -DCMAKE_PREFIX_PATH="$prefix" -DWANTED=99 \
        >/dev/null 2>&1; then
        fail "find_package takes version $version for version 99"
    fi
}

# Meson needs ninja, and each source inside the project.
by_meson() {
    local prefix=$1 project=$2/meson-project out=$2/meson
    mkdir -p "$project"
    cp "$here/meson/meson.build" "$here/consumer.c" "$project"
    PKG_CONFIG_PATH=$prefix/$lib/pkgconfig meson setup "$out" "$project" >/dev/null
    ninja -C "$out" >/dev/null
    run "$out/c_masstree"
}

by_fetch_content() {
    cmake -S "$here/subdirectory" -B "$work/subdirectory" -DMASSTREE_SOURCE="$source" \
        -DMASSTREE_CARGO_TARGET_DIR="$(cached MASSTREE_CARGO_TARGET_DIR)" >/dev/null
    cmake --build "$work/subdirectory" >/dev/null
    run "$work/subdirectory/c_masstree"
    run "$work/subdirectory/c_masstree_static"
}

# The number of the next block.
number_after() {
    local name=${1##*/}
    printf '%03d' $((10#${name%.*} + 1))
}

# The CMake code in docs/linking.md, with the README's example beside a directory libmasstree.
as_the_pages_say() {
    local out=$work/readme number=0 block example project
    mkdir -p "$out/blocks"
    awk -v dir="$out/blocks" -f "$source/c-tests/docs/blocks.awk" "$source/README.md" >"$out/list"
    example=$(awk -F'\t' '$2 == "c" { print $1; exit }' "$out/list")
    mkdir "$out/linking"
    awk -v dir="$out/linking" -f "$source/c-tests/docs/blocks.awk" "$source/docs/linking.md" >"$out/list"
    for block in $(awk -F'\t' '$2 == "cmake" { print $1 }' "$out/list"); do
        number=$((number + 1))
        project=$out/$number
        mkdir "$project"
        ln -s "$source" "$project/libmasstree"
        cp "$example" "$project/my_program.c"
        { printf '%s\n' 'cmake_minimum_required(VERSION 3.16)' 'project(my_program C)' \
            'add_executable(my_program my_program.c)'; cat "$block"; } >"$project/CMakeLists.txt"
        cmake -S "$project" -B "$project/build" --no-warn-unused-cli -DCMAKE_PREFIX_PATH="$1" \
            -DMASSTREE_CARGO_TARGET_DIR="$(cached MASSTREE_CARGO_TARGET_DIR)" >/dev/null
        cmake --build "$project/build" >/dev/null
        "$project/build/my_program" | diff -u "${example%/*}/$(number_after "$example").text" -
        echo "ok: readme/$number"
    done
    [ $number -gt 0 ] || fail "docs/linking.md says nothing of CMake"
}
prefix=$work/prefix
cmake --install "$build" --prefix "$prefix" >/dev/null
installs_the_listed_files "$prefix"
honours_destdir "$prefix"
names_the_native_libraries_of_today "$prefix"
beside_another_rust_library "$prefix"
as_a_plugin "$prefix"
for_musl
for place in prefix moved; do
    [ $place = prefix ] || mv "$work/prefix" "$work/$place"
    runs_the_command_line "$work/$place"
    by_pkg_config "$work/$place" "$work/from-$place"
    for_masstree_beta "$work/$place" "$work/from-$place"
    by_find_package "$work/$place" "$work/from-$place"
    by_meson "$work/$place" "$work/from-$place"
done
by_fetch_content
as_the_pages_say "$work/moved"
