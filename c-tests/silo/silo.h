/* A small engine for serializable transactions over one tree, after Tu, Zheng, Kohler,
   Liskov, Madden: Speedy Transactions in Multicore In-Memory Databases (SOSP 2013).

   The tree maps keys to records. Each record has a TID word: a number that grows with every
   write, and bits for "locked" and "absent". A transaction records what it reads, with the TID
   that it found (the read set); buffers what it writes (the write set); and observes the leaves
   that it searches (the node set). Commit has three phases:

   1. lock the records of the write set, in the order of their keys;
   2. after a fence, check that no record of the read set has another TID or is locked by another
      transaction, and that every leaf of the node set is unchanged;
   3. store what was written, and unlock with a new TID.

   When a transaction writes a key that is not in the tree, it inserts an absent record at once;
   the change to the tree is applied to the node set. A deleted record is marked absent.
   collect() later removes records that stay absent from the tree.

   A transaction that meets a lock aborts, and its caller retries.

   For the checker, a value is the transaction that wrote it (`writer`), beside an amount. */
#ifndef MASSTREE_TEST_SILO_H
#define MASSTREE_TEST_SILO_H

#include <stdatomic.h>

#include "support.h"

enum { SILO_KEYS = 96, SILO_KEY_MAX = 40, SILO_READS = 1024, SILO_WRITES = 32, SILO_NODES = 4096 };

struct record {
    atomic_uint_fast64_t tid;
    atomic_uint_fast64_t writer;
    atomic_uint_fast64_t amount;
};

/* The value of a key as a transaction reads it. */
struct row {
    bool is_present;
    uint64_t amount;
    uint64_t writer; /* the transaction that wrote or deleted it; 0: the initial state */
};

struct silo {
    masstree_t *tree;
    unsigned spelling; /* of keys: how they share slices */
    uint32_t keys;     /* numbers are below this */
    bool leaves_out_nodes;
    bool leaves_out_deltas;
    /* The transaction that deleted a key that is not in the tree; valid while it is not. */
    atomic_uint_fast64_t gone[SILO_KEYS];
};

struct read_entry {
    struct record *record; /* NULL: not in the tree */
    uint64_t tid;
    uint32_t key;
    uint64_t writer;
};

struct write_entry {
    struct record *record;
    uint32_t key;
    struct row row;
    uint64_t before; /* the writer that it read */
    bool inserts;    /* the record is this transaction's */
};

/* Why a transaction aborts. */
enum cause { CAUSE_LOCK, CAUSE_READ_SET, CAUSE_NODE_SET, CAUSE_DELTA, CAUSE_ROOM, CAUSES };

struct transaction {
    struct silo *silo;
    masstree_guard_t *guard;
    uint64_t number; /* of the transaction, not 0 */
    uint64_t last_tid;
    bool is_doomed;
    enum cause cause;
    struct read_entry reads[SILO_READS];
    size_t read_count;
    struct write_entry writes[SILO_WRITES];
    size_t write_count;
    masstree_observation_t nodes[SILO_NODES];
    size_t node_count;
    uint32_t garbage[256]; /* keys of which this thread left absent records */
    size_t garbage_count;
};

/* A key's bytes: numbers and keys have the same order. */
size_t silo_key(const struct silo *silo, uint32_t number, unsigned char *key);
uint32_t silo_number(const struct silo *silo, const void *key, size_t len);

void silo_open(struct silo *silo, unsigned spelling, uint32_t keys);
/* No thread may use it any more. */
void silo_close(struct silo *silo);
/* Before any transaction: an initial row. */
void silo_load(struct silo *silo, uint32_t key, uint64_t amount);

/* All of the following return false if the transaction must abort. */
void transaction_begin(struct transaction *transaction, uint64_t number);
bool transaction_read(struct transaction *transaction, uint32_t key, struct row *row);
/* Overwrites, inserts or deletes a key that was read before. */
bool transaction_write(struct transaction *transaction, uint32_t key, bool is_present,
                       uint64_t amount);
enum how { HOW_FORWARD, HOW_REVERSE, HOW_CURSOR, HOWS };
/* Visits the numbers from `low` to below `high`, also absent ones, with their rows, each once. */
bool transaction_scan(struct transaction *transaction, uint32_t low, uint32_t high, enum how how,
                      void (*visit)(uint32_t key, const struct row *row, void *ctx), void *ctx);
/* In two parts, with other threads' work in between: phases 1, 2 and 3. */
bool transaction_lock(struct transaction *transaction);
bool transaction_commit(struct transaction *transaction);
void transaction_abort(struct transaction *transaction);
/* Removes absent records that this thread's transactions left in the tree. */
void transaction_collect(struct transaction *transaction);

#endif
