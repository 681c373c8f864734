/* What the sweeps share: keys, and the loop that lets one allocation after the other fail. */
#ifndef MASSTREE_TEST_SWEEP_H
#define MASSTREE_TEST_SWEEP_H

#include "support.h"

struct key {
    unsigned char bytes[FAMILY_KEY_MAX + 300];
    size_t len;
};
/* Of all families, some with long suffixes. */
struct key key_of(uint64_t number);

/* What a tree of byte strings has for a number. */
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

/* What came of the failures. */
struct tally {
    size_t refused;  /* calls that answered MASSTREE_NOMEM */
    size_t absorbed; /* failures that a call did without */
};

/* Runs a workload in which the allocation of this number fails, or that and those after it
   as long as the call goes on; false if the workload came to its end without. */
typedef bool sweep_run(bool holds_bytes, size_t fail_at, bool fail_on, struct tally *tally);

/* Runs it for each allocation; of slow builds, for every so many. */
void sweep(sweep_run *run, bool holds_bytes, bool fail_on);

#endif
