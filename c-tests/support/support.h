/* Shared by the C tests: keys, a model to compare with, threads. */
#ifndef MASSTREE_TEST_SUPPORT_H
#define MASSTREE_TEST_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <pthread.h>

#include "masstree/occ.h"
#include "masstree/store.h"
#include "masstree/versioned.h"
#include "statuses/note.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

#define assert_status(expected, call) assert_int_equal((expected), (call))
#define assert_ok(call) assert_status(MASSTREE_OK, (call))

/* For other threads than the first, where cmocka's assertions do not work. */
#define REQUIRE(condition)                                                                        \
    ((condition) ? (void)0 : require_failed(__FILE__, __LINE__, #condition))
_Noreturn void require_failed(const char *file, int line, const char *condition);

/* A child that hangs ends by a signal after this time, which suffices on any machine; the time limit of ctest
   (CMakeLists.txt) is longer. */
enum { WATCHDOG_SECONDS = 1800 };

/* Divides the size of a test for slow builds (sanitizers): the environment
   variable MASSTREE_TEST_DIVISOR, 1 by default. Never less than one. */
size_t scaled(size_t full);

/* Reads [-n COUNT] [-s SEED], the arguments of a test that is repeated; `what` names the count. Exits if there are
   others. */
void read_arguments(int argc, char **argv, const char *what, uint64_t *count, uint64_t *seed);
uint64_t argument_number(const char *text);

/* A reproducible sequence of numbers; each call advances the state. */
uint64_t random_u64(uint64_t *state);
size_t random_below(uint64_t *state, size_t limit);

/* The order of keys: memcmp, and of two keys of which one begins with the other the shorter
   first. */
int compare_keys(const void *left, size_t left_len, const void *right, size_t right_len);

/* In a library with AddressSanitizer or ThreadSanitizer, each node is its own allocation; an
   annotated library (.ci/annotated) uses pools. */
#if (defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)) &&                             \
    !defined(MASSTREE_IS_ANNOTATED)
enum { NODES_ARE_POOLED = 0 };
#else
enum { NODES_ARE_POOLED = 1 };
#endif

/* Trees. */
masstree_t *new_tree(void);
/* Checks the tree's invariants, printing what is wrong, and destroys it. */
void end_tree(masstree_t *tree);
void assert_consistent(const masstree_t *tree);
uint64_t tree_len(const masstree_t *tree);
/* Makes a call that enters a guard of the thread's own: a look-up of a short key would not. Any thread
   may call it. */
void enter_unguarded(const masstree_t *tree);

/* An allocator for trees that counts allocations, asserts that each is freed once with its size
   and alignment, overwrites freed memory so that later reads show, and fails on request. Any
   thread may use it. */
struct block;
struct allocator {
    pthread_mutex_t lock;
    struct block *blocks; /* allocations not freed */
    size_t bytes;         /* their bytes */
    size_t calls;         /* calls to allocate */
    size_t fail_at;       /* the number of the call that fails, from 1 on; 0: none */
    bool fail_on;         /* ... and every call after it */
    size_t failures;
    size_t largest_align; /* bytes requested so far */
};
void allocator_start(struct allocator *allocator);
/* Asserts that every allocation was freed. */
void allocator_end(struct allocator *allocator);
size_t allocator_bytes(struct allocator *allocator);
/* For a loop over a call, `status = MASSTREE_NOMEM; while (next_fails(...)) status = ...;`: its first
   allocation fails, then its second, and so on, until it does not run out of memory. Asserts that then it
   has succeeded, after it had run out of memory. `failures` is 0 at first. */
bool next_fails(struct allocator *allocator, int32_t status, size_t *failures);
/* Calls visit for each allocation that is not freed. */
void allocator_each(struct allocator *allocator,
                    void (*visit)(void *memory, size_t size, void *ctx), void *ctx);
/* Options with this allocator, and every node as its own allocation. */
masstree_options_t allocator_options(struct allocator *allocator, uint32_t value_kind);
masstree_t *new_tree_of(struct allocator *allocator, uint32_t value_kind);
/* A tree of byte strings in ordinary memory. */
masstree_t *new_bytes_tree(void);
masstree_t *new_versioned_tree(void);
masstree_guard_t *new_guard(const masstree_t *tree);

/* A slice of a string literal, without its zero byte. */
#define SLICE(literal) ((masstree_slice_t){(literal), sizeof(literal) - 1})
void assert_slice(const void *data, size_t len, masstree_slice_t slice);

/* Keys. A family maps small numbers to keys. Each number has its own key. The order of the
   numbers is that of the keys only in FAMILY_U64. */
enum family {
    FAMILY_U64,      /* 8 bytes, most significant first */
    FAMILY_PREFIX8,  /* 8 shared bytes, then 0 to 13 bytes: two layers */
    FAMILY_PREFIX16, /* 16 shared bytes, then 0 to 13 bytes: three layers */
    FAMILY_PREFIX24, /* 24 shared bytes, then 0 to 13 bytes: four layers */
    FAMILY_MIXED,    /* lengths 0 to 60, many keys that are prefixes of others, 0 and 0xFF bytes */
    FAMILIES
};
#define FAMILY_KEY_MAX 64
size_t family_key(enum family family, uint64_t number, unsigned char *key);
const char *family_name(enum family family);

/* Thread-safe: finds the number of a key; false if the family has no such key. */
bool family_number(enum family family, const void *key, size_t key_len, uint64_t *number);

/* A sorted array: the model of the tree. */
struct entry {
    unsigned char *key;
    size_t len;
    uint64_t value;
};
struct model {
    struct entry *entries;
    size_t count;
    size_t capacity;
};
void model_free(struct model *model);
/* The index of the first entry that is not below the key. */
size_t model_position(const struct model *model, const void *key, size_t len);
/* NULL if the key is absent. */
struct entry *model_find(const struct model *model, const void *key, size_t len);
void model_put(struct model *model, const void *key, size_t len, uint64_t value);
bool model_remove(struct model *model, const void *key, size_t len);
/* Puts into both. */
void put_both(masstree_t *tree, struct model *model, const void *key, size_t len, uint64_t value);
void remove_both(masstree_t *tree, struct model *model, const void *key, size_t len);
/* Runs the scan on both and asserts that they agree, key by key. */
void assert_scan_agrees(const masstree_t *tree, masstree_guard_t *guard, const struct model *model,
                        const masstree_range_t *range);
/* Everything in both directions, and a look-up of each key. */
void assert_agrees(const masstree_t *tree, const struct model *model);

/* Bytes that end where readable memory ends. */
struct page_end {
    unsigned char *mapping;
    size_t mapped;
    size_t usable;
};
struct page_end page_end_new(size_t usable);
void page_end_free(struct page_end *pages);
/* Copies the bytes so that the byte after the last is unreadable. */
const unsigned char *page_end_put(const struct page_end *pages, const void *bytes, size_t len);

/* Threads. Runs `count` threads concurrently: thread i calls run(&args[i * size]) when all have
   started. Returns when all have ended. */
void run_together(size_t count, void (*const *run)(void *), void *args, size_t size);

#endif
