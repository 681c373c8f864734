#!/usr/bin/env bash
# Checks that the lists of names in include/masstree_beta/README.md are complete: each name in "Names
# provided" is used in test_names.cpp, and each function and type that the headers show to programs
# is in that list, or in the list of omitted ones.
#
# usage: names.sh HEADERS TEST
set -euo pipefail
export LC_ALL=C

headers=$1
tested=$2
guide=$headers/README.md

# The unqualified identifiers in `code` in the sections with these names.
listed() {
    awk -v sections="$1" '/^## / { on = index(sections, substr($0, 4) "\n") } on' "$guide" |
        grep -o '`[^`]*`' | tr -d '`' | sed 's/([^)]*)//g; s/.*:://; s/<.*//' | grep -x '[A-Za-z_0-9]*' | sort -u
}

# The declarations in headers outside of namespace masstree_beta that are not private.
declared() {
    local header
    for header in "$headers"/*.hh; do
        [[ $header == */@(abi|libmasstree|table_guard).hh ]] || awk '
            { gsub(/MASSTREE_BETA_ABI /, "") }
            /^namespace (masstree_beta|scanning)/ { inside = 1 }
            /^} \/\/ namespace (masstree_beta|scanning)/ { inside = 0 }
            /^private:|^protected:/ { hidden = 1 }
            /^public:|^};/ { hidden = 0 }
            /^ *\/\/ Shown to programs/ { inside = 0 }
            match($0, /^template <.*> using [a-z_]+ = /) { sub(/ = .*/, ""); print $NF; next }
            inside || hidden || /operator|struct writer|__asm__/ || /^ *(\/\/|\/\*|\*|#|return|if|while|friend|for|static_assert|: )/ { next }
            match($0, /^(    )?(typedef .* |class |struct )[A-Za-z_0-9]+( : .*|;|( \{)?)$/) {
                sub(/;$/, ""); sub(/ \{$/, ""); sub(/ : .*/, ""); print $NF; next
            }
            match($0, /^(    )?[A-Za-z_][A-Za-z_0-9:<>,&* ]* [*&]?[a-z_0-9]+\(/) {
                sub(/\(.*/, ""); sub(/.*[ *&]/, ""); print
            }' "$header"
    done | sort -u
}

failed=0
complain() {
    echo "names.sh: $*" >&2
    failed=1
}
provided=$(listed $'Names provided\n')
refused=$(listed $'Deliberately omitted\n')
[ "$(wc -l <<<"$provided")" -gt 150 ] || complain "finds only $(wc -l <<<"$provided") names in $guide"
for name in $provided; do
    grep -qw -- "$name" "$tested" || complain "$name is in the list, and not in $tested"
done
all=$(declared)
[ "$(wc -l <<<"$all")" -gt 150 ] || complain "finds only $(wc -l <<<"$all") names in the headers"
for name in $all; do
    grep -qx -- "$name" <<<"$provided"$'\n'"$refused" || complain "$name is declared, and in no list of $guide"
done
for header in "$headers"/*.h*; do
    grep -qF "\`$(basename "$header")\`" "$guide" || complain "$(basename "$header") is not in $guide"
done
exit $failed
