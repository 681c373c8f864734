/* Trees in which a leaf is held, while calls wait for it or do not. */
#ifndef WAITS_TREES_H
#define WAITS_TREES_H

#include "observing.h"

/* The key that is held; keys of a full leaf; keys in a layer. */
enum { HELD = 3, LEAF = 15, LAYER = 12 };

void put_number(masstree_t *tree, uint64_t number);
/* Keys of 16 bytes, which begin with the number 5. */
void put_below(masstree_t *tree, uint64_t number);
void remove_below(masstree_t *tree, uint64_t number);

void many_leaves(masstree_t *tree);
/* The second one has one key. */
void two_leaves(masstree_t *tree);
void two_sparse_leaves(masstree_t *tree);
/* The number 5 has a layer of one leaf below it. */
void a_layer(masstree_t *tree);
void a_full_layer(masstree_t *tree);
void a_layer_of_one_key(masstree_t *tree);
void one_key(masstree_t *tree);
void no_key(masstree_t *tree);

#endif
