# Reads the C headers, the first file named, for the script that follows this one:
#
#   functions[1 .. function_count]  those that return a status, in the header's order
#   documented[function, 1 .. documented_count[function]]
#                                   the names of their @retval lines, in order
#   own_answers[function]           it has an @return line: it may return a callback's
#                                   own number
#   number[name], name_of[number]   of the statuses in @retval lines

FILENAME == ARGV[1] { read_line(); next }

function read_line() {
    if (/^\/\*/) {
        in_comment = 1
        forget()
    }
    if (in_comment) {
        read_comment()
    } else if (/^#/) {
        gsub(/[()]/, "", $3)
        if ($1 == "#define" && $3 ~ /^-?[0-9]+$/) {
            number[$2] = $3
        }
        forget()
    } else {
        declaration = declaration " " $0
        if (/[;{]/) {
            read_declaration()
            forget()
        }
    }
}

function read_comment() {
    if ($2 == "@retval") {
        retvals[++retval_count] = $3
    } else if ($2 == "@return") {
        has_return = 1
    }
    in_comment = !/\*\//
}

function read_declaration(    name, i) {
    if (declaration !~ /^ *int32_t +masstree_[a-z0-9_]+\(/) {
        return
    }
    name = declaration
    sub(/^ *int32_t +/, "", name)
    sub(/\(.*/, "", name)
    functions[++function_count] = name
    documented_count[name] = retval_count
    for (i = 1; i <= retval_count; i++) {
        documented[name, i] = retvals[i]
    }
    if (has_return) {
        own_answers[name] = 1
    }
}

# A comment documents the declaration that directly follows it.
function forget() {
    retval_count = has_return = 0
    declaration = ""
}

function wrong(what) {
    print "c-tests/statuses: " ARGV[1] ": " what > "/dev/stderr"
    failed = 1
}

END {
    if (function_count == 0) {
        wrong("no function returns a status")
    }
    for (f = 1; f <= function_count; f++) {
        function_name = functions[f]
        if (documented_count[function_name] == 0) {
            wrong(function_name " documents no status (@retval)")
        }
        for (i = 1; i <= documented_count[function_name]; i++) {
            status = documented[function_name, i]
            if (!(status in number)) {
                wrong(function_name " documents " status ", which is not defined")
            }
            name_of[number[status]] = status
        }
    }
    if (failed) {
        exit 1 # nor does the other script's END run
    }
}
