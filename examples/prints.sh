#!/bin/sh
# Runs an example and compares what it prints with the lines after "Prints:" in the comment
# that its source begins with.
#
# usage: prints.sh SOURCE COMMAND...
set -eu
if [ $# -lt 2 ]; then
    echo "usage: $0 SOURCE COMMAND..." >&2
    exit 2
fi
source=$1
shift
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

awk '/^ \*\/|^"""/ && said { exit }
     said { sub(/^( \*)?    ( )?/, ""); print }
     /^( \* )?Prints/ { said = 1 }' "$source" >"$work/expected"
if [ ! -s "$work/expected" ]; then
    echo "prints.sh: $source does not say what it prints" >&2
    exit 1
fi
"$@" >"$work/printed"
diff -u "$work/expected" "$work/printed"
