#!/bin/sh
# Compiles the README's first ```c block as shown, with warnings as errors, runs
# it, and compares its output with the ```text block that follows it.
#
# usage: readme_example.sh COMPILER INCLUDE_DIR LIBRARY_DIR [README]
# CFLAGS, if set, are passed to the compiler too.
set -eu

if [ $# -lt 3 ] || [ $# -gt 4 ]; then
    echo "usage: $0 COMPILER INCLUDE_DIR LIBRARY_DIR [README]" >&2
    exit 2
fi
compiler=$1
include_dir=$2
library_dir=$(cd "$3" && pwd)
readme=${4:-$(dirname "$0")/../README.md}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

awk -v code="$work/example.c" -v text="$work/expected" '
    /^```/ && inside { inside = 0; if (out == text) exit; next }
    inside { print > out; next }
    /^```c$/ && !found { found = inside = 1; out = code; next }
    /^```text$/ && found { inside = 1; out = text; next }
    /^```/ { inside = 1; out = "/dev/null" }
' "$readme"
for part in example.c expected; do
    if [ ! -s "$work/$part" ]; then
        echo "$readme: no \`\`\`c block with a \`\`\`text block after it" >&2
        exit 1
    fi
done

"$compiler" -std=c11 -Wall -Wextra -Wpedantic -Werror ${CFLAGS:-} -I"$include_dir" "$work/example.c" \
    -o "$work/example" -L"$library_dir" -Wl,-rpath,"$library_dir" -lmasstree
"$work/example" > "$work/output"
diff -u "$work/expected" "$work/output"
