/* Checks whether a history of committed transactions is serializable, from their reads and writes
   alone, without the engine or the tree.

   Every write first reads what it overwrites, and every value contains its writer. So the
   versions of a key form a chain, each with its predecessor. The checker builds the graph of
   Adya (Weak Consistency, 1999) and looks for a cycle:

   - from the writer of a version to the writer of the next one;
   - from the writer of a version to each of its readers;
   - from each reader of a version to the writer of the next one;
   - from each transaction of a session to its next.

   An absent key has a version like any other: the initial one, or that of the transaction that
   deleted it. So reading a range without a key counts as a read of that key. */
#ifndef MASSTREE_TEST_SILO_CHECKER_H
#define MASSTREE_TEST_SILO_CHECKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct access {
    uint32_t key;
    uint64_t version; /* the writer of the version read; 0: the initial state */
};

struct committed {
    uint64_t number; /* not 0, of one transaction only */
    uint32_t session;
    struct access *reads;
    size_t read_count;
    struct access *writes; /* with the version that each overwrote */
    size_t write_count;
};

struct history {
    struct committed *transactions; /* those of a session in order */
    size_t count;
    size_t capacity;
};

/* Copies the accesses. */
void history_add(struct history *history, const struct committed *transaction);
void history_clear(struct history *history);
/* Moves the history of `other` to this one. */
void history_take(struct history *history, struct history *other);

/* Prints violations to `out`, which may be NULL. */
bool is_serializable(const struct history *history, FILE *out);

#endif
