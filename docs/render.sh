#!/usr/bin/env bash
# Renders the documentation of the C interface to build/docs/html with Doxygen. What
# Doxygen warns of is an error.
set -euo pipefail
cd "$(dirname "$0")/.."

rm -rf build/docs
mkdir -p build/docs
MASSTREE_VERSION=$(sed -n 's/^version *= *"\(.*\)"/\1/p' Cargo.toml | head -n 1)
export MASSTREE_VERSION
doxygen docs/Doxyfile

# Where a header has no comment on the file, Doxygen leaves its functions out and
# does not warn.
for page in html/index.html html/masstree_8h.html; do
    if ! grep -q masstree_create "build/docs/$page"; then
        echo "render.sh: the functions are not in build/docs/$page" >&2
        exit 1
    fi
done
