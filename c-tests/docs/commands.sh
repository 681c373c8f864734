#!/usr/bin/env bash
# Runs the commands in Markdown files: the ```sh blocks of each section, unchanged, one after the
# other in one shell, in the repository's root and with a new home directory, except those in
# not_run.txt.
#
# Then, in that shell, it runs the section's complete programs in Go and Zig, and compares their
# output with the next ```text block. In a section that mentions my_program.c, that file is the
# README's first example, and the program's output is compared if it was built.
#
# usage: commands.sh FILE...
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cd "$here/../.."
if [ $# -eq 0 ]; then
    echo "usage: $0 FILE..." >&2
    exit 2
fi

# Tools and their caches stay in place.
export CARGO_HOME=${CARGO_HOME:-$HOME/.cargo} RUSTUP_HOME=${RUSTUP_HOME:-$HOME/.rustup}
export GOCACHE=${GOCACHE:-$HOME/.cache/go-build} GOFLAGS=-mod=readonly GOPROXY=off
export ZIG_GLOBAL_CACHE_DIR=${ZIG_GLOBAL_CACHE_DIR:-$HOME/.cache/zig}
export PIP_CACHE_DIR=${PIP_CACHE_DIR:-$HOME/.cache/pip}
work=$(mktemp -d)
made=(my_program.c my_program a.out)
for file in "${made[@]}"; do
    if [ -e "$file" ]; then
        echo "commands.sh: $PWD/$file is in the way" >&2
        exit 1
    fi
done
trap 'rm -rf "$work" "${made[@]}"' EXIT
# A constant name: Go caches the directory in which pkg-config found a library.
export HOME=$PWD/build/home WORK=$work
rm -rf "$HOME"
mkdir -p "$HOME" "$work/readme"
grep -v '^#' "$here/not_run.txt" | grep . >"$work/not_run"

# The commands of a block, except those in not_run.txt.
commands() {
    awk -v not_run="$work/not_run" '
        BEGIN { while ((getline line <not_run) > 0) skip[line] = 1 }
        { command = $0; sub(/ +# .*/, "", command) }
        !(command in skip)' "$1"
}

# The commands that run a program of a language.
program() {
    local language=$1 block=$2 expected=$3
    case $language in
    go)
        echo "cd \"$PWD/examples/go\""
        echo "go build -o \"\$WORK/program\" \"$block\" && cd \"\$(mktemp -d -p \"\$WORK\")\""
        echo "\"\$WORK/program\" | diff -u --label README.md \"$expected\" -"
        ;;
    zig)
        echo "cd \"$PWD/examples/zig\""
        echo "mkdir \"\$WORK/zig\" && cp -r build.zig build.zig.zon src \"\$WORK/zig\""
        echo "cp \"$block\" \"\$WORK/zig/src/example.zig\""
        echo "cache=\$PWD/.zig-cache python=\$PWD/../../build/zig/bin/python && cd \"\$WORK/zig\""
        echo "\"\$python\" -m ziglang build --cache-dir \"\$cache\" run | diff -u --label README.md \"$expected\" -"
        ;;
    esac
}

run_section() {
    local file=$1 section=$2 blocks=$3 script=$work/script
    : >"$script"
    while IFS=$'\t' read -r block language _ within; do
        [ "$within" = "$section" ] || continue
        [ "$language" != sh ] || commands "$block" >>"$script"
    done <"$blocks"
    grep -q . "$script" || return 0
    if grep -q 'my_program\.c' "$script"; then
        cp "$work/readme/first.c" my_program.c
    fi
    while IFS=$'\t' read -r block language _ within; do
        [ "$within" = "$section" ] && [[ $language = go || $language = zig ]] || continue
        grep -qE '^(package main|pub fn main)' "$block" || continue
        program "$language" "$block" "$(next_text "$block")" >>"$script"
    done <"$blocks"
    echo "== $file: ${section:-at the top}"
    env -u MAKEFLAGS -u MAKELEVEL -u MFLAGS bash -euxo pipefail "$script"
    if [ -x my_program ]; then
        LD_LIBRARY_PATH=$HOME/.local/lib ./my_program | diff -u --label README.md "$work/readme/first.text" -
    fi
    rm -f "${made[@]}"
}

# The file of the next block, which must be ```text.
next_text() {
    local number=${1##*/}
    number=$(printf '%03d' $((10#${number%.*} + 1)))
    echo "${1%/*}/$number.text"
}

mkdir "$work/readme/blocks"
awk -v dir="$work/readme/blocks" -f "$here/blocks.awk" README.md >"$work/readme/list"
first=$(awk -F'\t' '$2 == "c" { print $1; exit }' "$work/readme/list")
cp "$first" "$work/readme/first.c"
cp "$(next_text "$first")" "$work/readme/first.text"

number=0
for file in "$@"; do
    number=$((number + 1))
    mkdir "$work/$number"
    awk -v dir="$work/$number" -f "$here/blocks.awk" "$file" >"$work/list.$number"
    cut -f 4 "$work/list.$number" | awk '!seen[$0]++' >"$work/sections.$number"
    while read -r section <&3; do
        run_section "$file" "$section" "$work/list.$number"
    done 3<"$work/sections.$number"
done
while read -r command; do
    if ! grep -qF -- "$command" "$@"; then
        echo "commands.sh: not_run.txt has \"$command\", but no page shows it" >&2
        exit 1
    fi
done <"$work/not_run"
