#!/usr/bin/env bash
# Runs the commands of sections of the README as they are written: the ```sh blocks, in the
# repository's root, with a new home directory.
#
# usage: readme_commands.sh SECTION...
set -euo pipefail
cd "$(dirname "$0")/.."
if [ $# -eq 0 ]; then
    echo "usage: $0 SECTION..." >&2
    exit 2
fi

# The tools and what they keep stay where they are.
export CARGO_HOME=${CARGO_HOME:-$HOME/.cargo} RUSTUP_HOME=${RUSTUP_HOME:-$HOME/.rustup}
export GOCACHE=${GOCACHE:-$HOME/.cache/go-build}
export ZIG_GLOBAL_CACHE_DIR=${ZIG_GLOBAL_CACHE_DIR:-$HOME/.cache/zig}
export PIP_CACHE_DIR=${PIP_CACHE_DIR:-$HOME/.cache/pip}
HOME=$(mktemp -d)
export HOME
trap 'rm -rf "$HOME"' EXIT

for section in "$@"; do
    commands=$HOME/commands
    awk -v section="## $section" '
        /^## / { here = $0 == section }
        /^```/ { shell = here && $0 == "```sh"; next }
        shell' README.md >"$commands"
    if [ ! -s "$commands" ]; then
        echo "readme_commands.sh: README.md has no commands below \"## $section\"" >&2
        exit 1
    fi
    echo "== $section"
    env -u MAKEFLAGS -u MAKELEVEL bash -euxo pipefail "$commands"
done
