/* All operations at the same time, for any duration: shared by the parts of the soak test.

   A run is a sequence of epochs. Each creates a tree with other options and other families of
   keys; threads call all functions on it, and verify each result as far as it can be known. From
   time to time all threads end, the tree is checked, and others start. At the end all memory
   must have been freed. */
#ifndef MASSTREE_SOAK_H
#define MASSTREE_SOAK_H

#include <stdatomic.h>

#include "support.h"

enum { SOAK_THREADS = 4, SOAK_KEY_MAX = 400, SOAK_VALUE_MAX = 80, SOAK_GROUPS = 3 };

struct soak_key {
    unsigned char bytes[SOAK_KEY_MAX];
    size_t len;
};

/* Similar keys: a tag and some bytes before the key of a family, others after. */
struct soak_group {
    enum family family;
    size_t before;
    size_t after;
    bool tagged;
};

/* Sums of unique values, which must be equal in the end. */
struct soak_account {
    uint64_t values;
    uint64_t sum;
};

struct soak {
    masstree_t *tree;
    masstree_t *called; /* of soak_call only */
    masstree_t *versioned; /* of soak_versions only */
    masstree_store_t *store; /* of soak_store only, as are its trees */
    char directory[64];      /* the store's; empty: it is in memory only */
    masstree_t *accounts;
    masstree_t *owned;
    uint64_t seed;
    bool holds_bytes;
    bool destroys;   /* words have a destructor */
    bool wild;       /* other threads clear and load the tree at any time: little is known */
    bool long_guard; /* some thread always holds a guard */
    uint32_t keys;
    unsigned groups;
    struct soak_group group[SOAK_GROUPS];
    _Atomic(masstree_guard_t *) passed_on; /* a guard that no thread uses at present */
    uint64_t *held; /* for each key that a thread owns: its value, 0 if absent */
    atomic_uint_fast64_t destroyed_values;
    atomic_uint_fast64_t destroyed_sum;
    atomic_uint_fast64_t retired_freed;
    atomic_uint_fast64_t operations;
    atomic_uint_fast64_t violations;
    struct soak_account accepted;
    struct soak_account taken;
    uint64_t retired;
    atomic_uint_fast64_t peak_limbo;
};

/* The role of a key number. */
enum soak_kind { SOAK_OWNED, SOAK_SHARED, SOAK_STABLE };

struct soak_worker {
    struct soak *soak;
    unsigned id;
    uint64_t random;
    uint64_t made; /* values */
    uint64_t steps;
    masstree_guard_t *guard; /* held, and refreshed now and then */
    uint64_t operations;
    uint64_t retired;
    struct soak_account accepted;
    struct soak_account taken;
};

/* Counts violations, with their places; prints the first few. */
#define EXPECT(worker, condition)                                                                  \
    ((condition) ? true : soak_violation((worker)->soak, __FILE__, __LINE__, #condition))
bool soak_violation(struct soak *soak, const char *file, int line, const char *condition);

/* soak_keys.c: keys and values. */
void soak_choose_groups(struct soak *soak, uint64_t *random);
struct soak_key soak_key_of(const struct soak *soak, uint32_t number);
enum soak_kind soak_kind_of(uint32_t number);
/* A number whose key the worker may write, or any number. */
uint32_t soak_writable(struct soak_worker *worker);
uint32_t soak_any(struct soak_worker *worker);
uint64_t soak_value(uint32_t number, unsigned thread, uint64_t mark);
uint64_t soak_fresh(struct soak_worker *worker, uint32_t number);
uint32_t soak_number(uint64_t value);
/* Values as byte strings that contain a check of their integrity. */
masstree_slice_t soak_encode(uint64_t value, unsigned char *bytes);
uint64_t soak_decode(struct soak_worker *worker, const void *data, size_t len);
/* The value that the worker found for a key, 0: none; and its value from here on. */
void soak_saw(struct soak_worker *worker, uint32_t number, uint64_t value);
void soak_set(struct soak_worker *worker, uint32_t number, uint64_t value);
/* Values that the tree took over, and those that the caller got back. */
void soak_accepted(struct soak_worker *worker, uint64_t value);
void soak_taken(struct soak_worker *worker, uint64_t value);
/* The worker's guard, or NULL. */
masstree_guard_t *soak_guard(struct soak_worker *worker);

/* One step each. */
typedef void soak_operation(struct soak_worker *worker);
/* soak_point.c */
soak_operation soak_look, soak_put, soak_exchange, soak_insert, soak_remove, soak_pop, soak_replace,
    soak_compare_exchange, soak_remove_if_equal, soak_update, soak_get_or_insert;
/* soak_versions.c */
soak_operation soak_versions;
/* soak_store.c */
soak_operation soak_store;
void soak_open_store(struct soak_worker *only);
void soak_close_store(struct soak_worker *only);

/* soak_call.c */
soak_operation soak_call;
/* soak_range.c */
soak_operation soak_scan, soak_count, soak_longest_prefix, soak_sample, soak_walk;
/* soak_observe.c */
soak_operation soak_reread, soak_rewalk, soak_transact;
/* soak_held.c */
soak_operation soak_hold;
/* soak_many.c */
soak_operation soak_get_many, soak_put_many, soak_insert_many, soak_remove_many;
/* soak_whole.c */
soak_operation soak_refresh, soak_move_guard, soak_retire, soak_flush, soak_maintain, soak_barrier,
    soak_inspect, soak_clear_or_load;
/* Leaves the guard that was passed on, if any. */
void soak_leave_passed_on(struct soak *soak);
/* Checks how much memory waits for guards; returns the bytes in use. */
uint64_t soak_watch(struct soak *soak);
/* On the only thread. */
void soak_fill(struct soak_worker *only);
void soak_verify_quiet(struct soak_worker *only);

#endif
