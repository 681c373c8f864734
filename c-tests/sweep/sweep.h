/* Shared by the sweeps: keys, and the loop that makes one allocation after the other fail. */
#ifndef MASSTREE_TEST_SWEEP_H
#define MASSTREE_TEST_SWEEP_H

#include "support.h"

struct key {
    unsigned char bytes[FAMILY_KEY_MAX + 300];
    size_t len;
};
/* Of all families, some with long suffixes. */
struct key key_of(uint64_t number);

/* The value for a number in a tree of byte strings. */
enum { VALUE_MAX = 300 };
masstree_slice_t value_of(uint64_t number, unsigned char *bytes);

/* Keys and their values, of either kind. */
enum { BATCH = 20 };
struct batch {
    struct key keys[BATCH];
    masstree_slice_t slices[BATCH];
    uint64_t words[BATCH];
    unsigned char bytes[BATCH][VALUE_MAX];
    masstree_slice_t values[BATCH];
};
void batch_set(struct batch *batch, size_t place, struct key key, uint64_t number);

/* Totals of failures. */
struct tally {
    size_t refused;  /* calls that returned MASSTREE_NOMEM */
    size_t absorbed; /* failures that a call tolerated */
};

/* Runs a workload in which the allocation with this number fails, or that and all later ones of
   the same call; false if the workload ended before. */
typedef bool sweep_run(bool holds_bytes, size_t fail_at, bool fail_on, struct tally *tally);

/* Runs it for each allocation; in slow builds, for every n-th. */
void sweep(sweep_run *run, bool holds_bytes, bool fail_on);

#endif
