# Compares the statuses that the header documents with those that the tests saw.
#
# usage: awk -v table=FILE -f read.awk -f compare.awk HEADER EXEMPT LOG...
#
# A log has a line for each function and number that it returned. An @return line (a
# callback's own number) counts as one more status: any number that is not a status.

FILENAME == ARGV[2] {
    if (!/^#/ && NF > 0) {
        exempt[$1, $2] = 1
    }
    next
}
!(($1, $2) in seen) {
    seen[$1, $2] = 1
    numbers[$1] = numbers[$1] " " $2
}

function row(function_name, status, what) {
    return sprintf("%-34s %-24s %s", function_name, status, what)
}

function complain(function_name, status, what) {
    print row(function_name, status, what)
    failed = 1
}

function compare_documented(function_name, status, is_seen,    what) {
    documents[function_name, status] = 1
    what = is_seen ? "seen" : "never seen"
    if ((function_name, status) in exempt) {
        what = what ", exempt"
        if (is_seen) {
            complain(function_name, status, "in exempt.txt, but seen")
        }
    } else if (!is_seen) {
        complain(function_name, status, "documented, but no test provokes it")
    }
    print row(function_name, status, what) > table
}

function compare_function(name,    count, returned, i, status, own_seen) {
    for (i = 1; i <= documented_count[name]; i++) {
        status = documented[name, i]
        compare_documented(name, status, (name, number[status]) in seen)
    }
    count = split(numbers[name], returned, " ")
    for (i = 1; i <= count; i++) {
        status = returned[i] in name_of ? name_of[returned[i]] : returned[i]
        if (name in own_answers && status == returned[i]) {
            own_seen = 1
        } else if (!((name, status) in documents)) {
            complain(name, status, "returned, but not documented")
            print row(name, status, "seen, not documented") > table
        }
    }
    if (name in own_answers) {
        compare_documented(name, "@return", own_seen)
    }
}

END {
    for (f = 1; f <= function_count; f++) {
        compare_function(functions[f])
    }
    for (pair in exempt) {
        if (!(pair in documents)) {
            split(pair, part, SUBSEP)
            complain(part[1], part[2], "in exempt.txt, but not documented")
        }
    }
    exit failed
}
