# Writes traced.h, whose macros note every call of a function that returns a status; see note.h.
END {
    print "/* Generated from the C headers by c-tests/statuses/trace.awk. */"
    print "#define TRACED_FUNCTIONS " function_count
    print "#define TRACED_NAMES \\"
    for (i = 1; i <= function_count; i++) {
        print "    \"" functions[i] "\"" (i < function_count ? ", \\" : "")
    }
    for (i = 1; i <= function_count; i++) {
        call = "(" functions[i] ")(__VA_ARGS__)"
        print "#define " functions[i] "(...) note_status(" i - 1 ", " call ")"
    }
}
