/* Shared by the tests of stores: directories, trees, and every write as one kind of call. */
#ifndef MASSTREE_TEST_STORES_H
#define MASSTREE_TEST_STORES_H

#include "support.h"

/* A directory that is not there yet, in a temporary one. */
struct place {
    char parent[64];
    char path[80];
};
void place_make(struct place *place);
/* Removes the directory and its files. */
void place_remove(struct place *place);
/* The path of the log's first file. */
void first_segment(const struct place *place, char *path, size_t size);
/* Changes a bit. */
void flip(const char *path, uint64_t offset);
uint64_t file_size(const char *path);

masstree_store_t *open_store(const char *directory, const masstree_store_options_t *options);
void close_store(masstree_store_t *store);
masstree_t *tree_named(masstree_store_t *store, const char *name);
masstree_batch_t *new_batch(masstree_store_t *store);
masstree_store_stats_t stats_of(const masstree_store_t *store);

/* Return the commit's number. */
uint64_t store_text(masstree_store_t *store, masstree_t *tree, const char *key, const char *value);
/* Returns the number of the value's commit; asserts that it is this value. */
uint64_t assert_value(const masstree_t *tree, const char *key, const char *value);
void assert_no_value(const masstree_t *tree, const char *key);
uint64_t count_keys(const masstree_t *tree);

/* Starts this program again, in a child, as "writer" and under the emulator under which it runs (see .ci/cross). */
_Noreturn void become_writer(const char *first, const char *second, const char *third);

/* Fork, where cmocka's assertions do not work in the child. */
_Noreturn void end_child(void);
void assert_child_was_content(int child);

/* The arguments of a write. */
struct target {
    masstree_store_t *store;
    masstree_t *tree;
    masstree_guard_t *guard;
    masstree_batch_t *batch; /* has one operation: store the value under the key */
    const char *src;         /* the key to rename */
    const void *key;
    size_t key_len;
    const void *value;
    size_t value_len;
    uint64_t commit;
};

enum takes {
    TAKES_KEY = 1,   /* else it takes a batch */
    TAKES_VALUE = 2,
    NEEDS_VALUE = 4, /* succeeds only if the key has a value */
    NEEDS_NONE = 8,  /* ... only if it has none */
};

struct write {
    const char *name;
    int32_t (*run)(struct target *target);
    unsigned takes;
};
extern const struct write writes[];
extern const size_t write_count;

/* Fills in a target, also the guard and batch, for a key "key"; puts the key if the write needs it,
   and "src" and "src2". */
void target_make(struct target *target, const struct write *write, masstree_store_t *store,
                 masstree_t *tree);
/* As target_make, and changes nothing in the store. */
void target_find(struct target *target, masstree_store_t *store, masstree_t *tree);
void target_end(struct target *target);

#endif
