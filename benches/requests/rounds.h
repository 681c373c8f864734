/* What the programs here share: checks, times, medians of rounds. */
#ifndef ROUNDS_H
#define ROUNDS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { MOST_ROUNDS = 99, MOST_THREADS = 2 };

/* Ends the program unless the condition holds. */
static inline void require(bool holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "%s\n", what);
        exit(1);
    }
}

/* Nanoseconds. */
static inline double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

static inline int compare_doubles(const void *left, const void *right)
{
    double a = *(const double *)left;
    double b = *(const double *)right;
    return (a > b) - (a < b);
}

/* Sorts the values. */
static inline double median(double *values, size_t count)
{
    qsort(values, count, sizeof *values, compare_doubles);
    return values[count / 2];
}

/* An argument of the command line: a number from `least` to `most`, or the default if it is absent. */
static inline uint64_t number_of(int argc, char **argv, int index, uint64_t by_default, uint64_t least,
                                 uint64_t most, const char *usage)
{
    if (index >= argc) {
        return by_default;
    }
    char *end = NULL;
    unsigned long long value = strtoull(argv[index], &end, 10);
    require(end != argv[index] && *end == '\0' && value >= least && value <= most, usage);
    return value;
}

#endif
