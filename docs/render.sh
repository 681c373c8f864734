#!/usr/bin/env bash
# Renders the documentation of the C interface to build/docs/html, and that of the C++
# interface to build/docs/cpp/html, with Doxygen. What Doxygen warns of is an error.
set -euo pipefail
cd "$(dirname "$0")/.."

rm -rf build/docs
mkdir -p build/docs
MASSTREE_VERSION=$(sed -n 's/^version *= *"\(.*\)"/\1/p;T;q' Cargo.toml)
export MASSTREE_VERSION
doxygen docs/Doxyfile
mkdir -p build/docs/cpp
doxygen docs/Doxyfile.cpp

# Where a header has no comment on the file, Doxygen leaves its functions out and
# does not warn.
for page in html/index.html html/masstree_8h.html; do
    if ! grep -q masstree_create "build/docs/$page"; then
        echo "render.sh: the functions are not in build/docs/$page" >&2
        exit 1
    fi
done
for class in tree basic__bytes__tree guard basic__cursor range; do
    if [ ! -f "build/docs/cpp/html/classmasstree_1_1$class.html" ]; then
        echo "render.sh: the class $class is not in build/docs/cpp/html" >&2
        exit 1
    fi
done
