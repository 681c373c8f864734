/* Decides whether what a crash has left is the state after some commit, with all that was acknowledged. */
#ifndef MASSTREE_TEST_CRASH_ORACLE_H
#define MASSTREE_TEST_CRASH_ORACLE_H

#include "crash_journal.h"

/* What a key has: the number of the commit, 0 if it has no value, and the tag of the value. */
struct crash_version {
    uint64_t number;
    uint64_t tag;
};

struct crash_state {
    struct crash_version of[CRASH_TREES][CRASH_KEYS];
    uint64_t last; /* the highest number that is known to have been given out */
};

/* What checks have counted. */
struct crash_counts {
    uint64_t commits;      /* that were found */
    uint64_t lost;         /* that were made, and lost: none was acknowledged */
    uint64_t acknowledged; /* rounds in which some were */
};

/* Reads the content of an open store. Prints what is wrong with it, and returns false then. */
bool crash_read(masstree_store_t *store, struct crash_state *found);
/* Whether what was found is `base` and the journal's commits in their order, up to one that is at or
   after `acknowledged`, and all of their numbers are new. Prints what is wrong. Sets `found->last`. */
bool crash_check(const struct crash_state *base, struct crash_journal *journal,
                 uint64_t acknowledged, struct crash_state *found, struct crash_counts *counts);
/* `state` becomes that after all commits of the journal, whose operations have all returned. */
void crash_finish(struct crash_state *state, struct crash_journal *journal);

#endif
