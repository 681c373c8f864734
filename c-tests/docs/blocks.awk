# Extracts the fenced blocks of a Markdown file to DIR/001.c, DIR/002.text and so on, and prints a
# line for each: the file, its language, its first line's number, its section.
#
# usage: awk -v dir=DIR -f blocks.awk FILE
BEGIN {
    split("c cpp sh text go zig cmake", names)
    for (i in names)
        known[names[i]] = 1
}
/^## / && !inside { section = substr($0, 4) }
/^```/ && inside { inside = 0; close(out); next }
/^```/ {
    language = substr($0, 4)
    if (!(language in known)) {
        print FILENAME ":" FNR ": a block of no language that is known here: " $0 >"/dev/stderr"
        failed = 1
    }
    out = sprintf("%s/%03d.%s", dir, ++number, language)
    printf "" >out
    print out "\t" language "\t" FNR "\t" section
    inside = 1
    next
}
inside { print >out }
END {
    if (inside) {
        print FILENAME ": the last block has no end" >"/dev/stderr"
        failed = 1
    }
    exit failed
}
