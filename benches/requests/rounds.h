/* What the programs here share: checks, times, medians of rounds. */
#ifndef ROUNDS_H
#define ROUNDS_H

#include <pthread.h>
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

/* Runs `work` on threads, each with one of the workers, which have `size` bytes each. Returns the nanoseconds until
   all have ended. */
static inline double run_on_threads(void *(*work)(void *), void *workers, size_t size, size_t threads)
{
    pthread_t ids[MOST_THREADS];
    double begin = now();
    for (size_t i = 0; i < threads; i++) {
        require(pthread_create(&ids[i], NULL, work, (char *)workers + i * size) == 0, "no thread");
    }
    for (size_t i = 0; i < threads; i++) {
        pthread_join(ids[i], NULL);
    }
    return now() - begin;
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
