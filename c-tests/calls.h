/* Every function that takes a tree, a guard or a cursor and answers a status, called in
   one way: what holds for all of them is written once. */
#ifndef MASSTREE_TEST_CALLS_H
#define MASSTREE_TEST_CALLS_H

#include "support.h"

/* What a call is made with, and where it stores what it gives. */
struct arguments {
    masstree_t *tree;
    masstree_guard_t *guard;
    masstree_cursor_t *cursor;
    const void *key;
    size_t key_len;
    struct outputs {
        uint64_t word;
        masstree_slice_t slices[2];
        size_t size;
        masstree_guard_t *guard;
        masstree_cursor_t *cursor;
        unsigned char buffer[8];
        masstree_observation_t observation;
        const masstree_observation_t *observations;
        masstree_held_t held;
        size_t called_back;
    } out;
};

/* What the values must be. */
enum values { VALUES_ANY, VALUES_WORDS, VALUES_BYTES };

enum takes {
    TAKES_TREE = 1,
    TAKES_GUARD = 2,
    TAKES_KEY = 4,
    TAKES_CURSOR = 8,
    NEEDS_GUARD = 16, /* as it is called here */
};

struct call {
    const char *name;
    int32_t (*run)(struct arguments *arguments);
    enum values values;
    unsigned takes;
};

extern const struct call calls[];
extern const size_t call_count;

/* Fills the outputs with what no call stores. */
void blank(struct arguments *arguments);
/* Whether they still are as blank left them. */
bool is_blank(const struct arguments *arguments);

#endif
