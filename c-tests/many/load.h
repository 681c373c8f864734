/* Sorted keys to load, for the tests of bulk loads and exports. */
#ifndef MASSTREE_TEST_LOAD_H
#define MASSTREE_TEST_LOAD_H

#include "support.h"

/* A sorted array of keys of all families; each value is the key's index. */
struct load {
    struct model model;
    masstree_slice_t *keys;
    uint64_t *words;
    masstree_slice_t *values;
    size_t count;
};

/* `each` keys of each family. */
struct load new_load(uint64_t each);
void free_load(struct load *load);

/* The tree of byte strings contains the first `count` keys, and no others. */
void assert_bytes_loaded(const masstree_t *tree, const struct load *load, size_t count);

/* How often each value, an index of a load, was destroyed. */
struct destroyed {
    unsigned char *times;
    size_t count;
};
struct destroyed new_destroyed(size_t count);
/* A masstree_value_destructor_t; its context is a struct destroyed. */
void count_destroyed(uint64_t value, void *ctx);
/* Asserts that the values from `first` up to `end` were destroyed once, and no others; forgets
   it. */
void assert_destroyed(struct destroyed *destroyed, size_t first, size_t end);
/* A tree of words with this destructor, and this allocator unless it is NULL. */
masstree_t *new_destroying_tree(struct destroyed *destroyed, struct allocator *allocator);

#endif
