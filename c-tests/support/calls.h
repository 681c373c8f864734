/* Every function that takes a tree, a guard or a cursor and returns a status, called in a
   uniform way, so that common checks are written once. */
#ifndef MASSTREE_TEST_CALLS_H
#define MASSTREE_TEST_CALLS_H

#include "support.h"

/* The arguments of a call, and its outputs. */
struct arguments {
    masstree_t *tree;
    masstree_guard_t *guard;
    masstree_cursor_t *cursor;
    const void *key;
    size_t key_len;
    _Alignas(16) unsigned char lent[4096]; /* for a cursor */
    struct outputs {
        uint64_t word;
        masstree_slice_t slices[2];
        size_t size;
        masstree_guard_t *guard;
        masstree_cursor_t *cursor;
        masstree_loader_t *loader;
        unsigned char buffer[8];
        masstree_observation_t observation;
        const masstree_observation_t *observations;
        masstree_held_t held;
        masstree_version_t version;
        masstree_snapshot_t *snapshot;
        size_t called_back;
    } out;
};

/* The kind of values that it needs. */
enum values { VALUES_ANY, VALUES_WORDS, VALUES_BYTES, VALUES_VERSIONED };

enum takes {
    TAKES_TREE = 1,
    TAKES_GUARD = 2,
    TAKES_KEY = 4,
    TAKES_CURSOR = 8,
    NEEDS_GUARD = 16, /* its name without masstree_ */
};

struct call {
    const char *name;
    int32_t (*run)(struct arguments *arguments);
    enum values values;
    unsigned takes;
};

extern const struct call calls[];
extern const size_t call_count;

/* Fills the outputs with values that no call stores. */
void blank(struct arguments *arguments);
/* Whether they are still as blank left them. */
bool is_blank(const struct arguments *arguments);

#endif
