/* The workload of the sweep with one thread: a tree, a sorted array as its model, and calls that
   are repeated until they do not run out of memory. */
#ifndef MASSTREE_TEST_SWEEP_RUN_H
#define MASSTREE_TEST_SWEEP_RUN_H

#include "sweep/sweep.h"

#define UNTOUCHED UINT64_C(0xDEADBEEFDEADBEEF)

struct run {
    struct allocator allocator;
    masstree_t *tree;
    struct model model;
    bool holds_bytes;
    struct tally tally;
    size_t freed; /* retired objects */
    size_t opened; /* cursors */
    _Alignas(16) unsigned char lent[4096]; /* for every second of them, one at a time */
};

/* Visitors for words and for byte strings, whose context is a comparison: they continue while
   the keys match the array. */
struct comparison {
    struct run *run;
    size_t place;
    bool differs;
};
int32_t compare_word(const void *key, size_t key_len, uint64_t value, void *ctx);
int32_t compare_bytes(const void *key, size_t key_len, const void *value, size_t value_len,
                      void *ctx);
void assert_as_the_model(struct run *run);

/* What a call may do when memory runs out. */
enum lenience { ANSWERS, MAY_DO_WITHOUT };

/* Whether the call with this status ran out of memory and must be repeated: then it has changed
   nothing. */
bool again(struct run *run, int32_t status, enum lenience lenience);

/* Each of the following repeats its call until it does not run out of memory, and does to the
   array what the call did to the tree. */

/* run_write.c */
/* Whether the model has a key. */
bool run_has(struct run *run, const struct key *key);
void run_put(struct run *run, uint64_t number, uint64_t value);
void run_put_key(struct run *run, const void *key, size_t key_len, uint64_t value,
                 enum lenience lenience);
void run_exchange(struct run *run, masstree_guard_t *guard, uint64_t number, uint64_t value);
void run_insert(struct run *run, masstree_guard_t *guard, uint64_t number, uint64_t value);
void run_replace(struct run *run, uint64_t number, uint64_t value);
void run_compare_exchange(struct run *run, uint64_t number, uint64_t value);
void run_remove(struct run *run, uint64_t number, bool only_if_equal);
void run_pop(struct run *run, bool last);
void run_remove_range(struct run *run, uint64_t number, size_t limit);
/* Words only, like run_hold, run_insert_batch and run_integer_forms. */
void run_update(struct run *run, uint64_t number, uint64_t value, bool only_if_absent);
void run_hold(struct run *run, masstree_guard_t *guard, uint64_t number, uint64_t value);
void run_put_batch(struct run *run, uint64_t first);
void run_insert_batch(struct run *run, uint64_t first);
void run_integer_forms(struct run *run);

/* run_merge.c: the first two for byte strings, the last for words */
void run_update_bytes(struct run *run, masstree_guard_t *guard, uint64_t number, uint64_t value);
void run_append(struct run *run, uint64_t number, uint64_t value);
void run_add(struct run *run, uint64_t number, uint64_t value);

/* run_read.c */
masstree_cursor_t *run_open_cursor(struct run *run, masstree_guard_t *guard);
/* Once: next_many and prev_many, for either kind of values; at most 64. */
int32_t move_many(struct run *run, masstree_cursor_t *cursor, bool reverse, masstree_slice_t *keys,
                  size_t capacity, size_t *count);
void run_cursors(struct run *run, masstree_guard_t *guard);
void run_scan(struct run *run);
void run_scan_to_a_number(struct run *run);
void run_scan_delimited(struct run *run);
void run_count(struct run *run, uint32_t flags);
void run_longest_prefix(struct run *run, const void *key, size_t key_len);
void run_sample(struct run *run, size_t count);

#endif
