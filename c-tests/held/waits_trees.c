#include "waits_trees.h"

static struct key below(uint64_t number)
{
    struct key key = {.len = 16};
    masstree_u64_to_key(5, key.bytes);
    masstree_u64_to_key(number, key.bytes + 8);
    return key;
}

void put_number(masstree_t *tree, uint64_t number)
{
    REQUIRE(masstree_put_u64(tree, NULL, number, 1) == MASSTREE_OK);
}

void put_below(masstree_t *tree, uint64_t number)
{
    struct key key = below(number);
    REQUIRE(masstree_put(tree, NULL, key.bytes, key.len, 1) == MASSTREE_OK);
}

void remove_below(masstree_t *tree, uint64_t number)
{
    struct key key = below(number);
    REQUIRE(masstree_remove(tree, NULL, key.bytes, key.len, NULL) == MASSTREE_OK);
}

void many_leaves(masstree_t *tree)
{
    for (uint64_t i = 0; i < 10 * LEAF; i++) {
        put_number(tree, i);
    }
}

void two_leaves(masstree_t *tree)
{
    for (uint64_t i = 0; i <= LEAF; i++) {
        put_number(tree, i);
    }
}

void two_sparse_leaves(masstree_t *tree)
{
    for (uint64_t i = 0; i < 2 * LEAF; i++) {
        put_number(tree, i);
    }
    for (uint64_t i = 0; i < 2 * LEAF; i++) {
        REQUIRE(i % LEAF < 4 || masstree_remove_u64(tree, NULL, i, NULL) == MASSTREE_OK);
    }
}

void a_layer(masstree_t *tree)
{
    put_number(tree, HELD);
    for (uint64_t i = 0; i < LAYER; i++) {
        put_below(tree, 10 * i);
    }
}

void a_full_layer(masstree_t *tree)
{
    a_layer(tree);
    for (uint64_t i = LAYER; i < LEAF; i++) {
        put_below(tree, 10 * i);
    }
}

void a_layer_of_one_key(masstree_t *tree)
{
    a_layer(tree);
    for (uint64_t i = 1; i < LAYER; i++) {
        remove_below(tree, 10 * i);
    }
}

void one_key(masstree_t *tree)
{
    put_number(tree, HELD);
}

void no_key(masstree_t *tree)
{
    (void)tree;
}
