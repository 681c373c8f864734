/* Memory is freed (known-failures row 7): leaves and layers that removes emptied, also the
   leftmost ones. Measured at malloc, from which the library allocates. */
#include "support.h"

#include <malloc.h>

static size_t in_use(void)
{
    struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
}

static bool malloc_reports_use(void)
{
    size_t before = in_use();
    void *block = malloc(100000);
    assert_non_null(block);
    memset(block, 1, 100000);
    bool reports = in_use() >= before + 100000;
    free(block);
    return reports;
}

/* Submits incomplete batches. */
static void let_garbage_go(masstree_t *tree)
{
    for (unsigned i = 0; i < 2000; i++) {
        assert_ok(masstree_put(tree, NULL, "x", 1, i));
        assert_ok(masstree_remove(tree, NULL, "x", 1, NULL));
    }
}

static masstree_stats_t stats_of(const masstree_t *tree)
{
    masstree_stats_t stats = MASSTREE_STATS_INIT;
    assert_ok(masstree_stats(tree, NULL, &stats));
    return stats;
}

/* Bytes of nodes and suffixes, without garbage. The pool keeps the memory of freed nodes for new
   ones. */
static size_t in_tree(const masstree_t *tree)
{
    masstree_stats_t stats = stats_of(tree);
    return (size_t)(stats.node_bytes + stats.suffix_bytes - stats.limbo_bytes);
}

typedef size_t (*key_maker_t)(uint64_t number, unsigned char *key);

static size_t plain_key(uint64_t number, unsigned char *key)
{
    masstree_u64_to_key(number, key);
    return 8;
}

/* Two keys for each slice, adjacent in a leaf. */
static size_t key_of_groups(uint64_t number, unsigned char *key)
{
    masstree_u64_to_key(number / 2, key);
    masstree_u64_to_key(number, key + 8);
    return 16;
}

/* Eight keys for each layer, so that most memory is in layers. */
static size_t key_of_small_layers(uint64_t number, unsigned char *key)
{
    masstree_u64_to_key(number / 8, key);
    masstree_u64_to_key(number, key + 8);
    return 16;
}

/* A layer within a layer for each 30 keys. */
static size_t key_of_deep_layers(uint64_t number, unsigned char *key)
{
    masstree_u64_to_key(number / 30, key);
    masstree_u64_to_key(7, key + 8);
    masstree_u64_to_key(number, key + 16);
    return 24;
}

static size_t suffixed_key(uint64_t number, unsigned char *key)
{
    masstree_u64_to_key(number, key);
    memset(key + 8, 's', 40);
    return 48;
}

static const key_maker_t makers[] = {plain_key, key_of_groups, key_of_small_layers,
                                     key_of_deep_layers, suffixed_key};

enum order { ASCENDING, DESCENDING, SCATTERED, ORDERS };

static uint64_t nth(enum order order, uint64_t i, uint64_t count)
{
    switch (order) {
    case ASCENDING:
        return i;
    case DESCENDING:
        return count - 1 - i;
    default:
        return i * 7919 % count; /* count is not a multiple of the prime */
    }
}

static void fill(masstree_t *tree, key_maker_t make, uint64_t from, uint64_t count)
{
    unsigned char key[64];
    for (uint64_t i = 0; i < count; i++) {
        assert_ok(masstree_put(tree, NULL, key, make(from + i, key), i));
    }
}

static void drain(masstree_t *tree, key_maker_t make, uint64_t from, uint64_t count,
                  enum order order)
{
    unsigned char key[64];
    for (uint64_t i = 0; i < count; i++) {
        size_t len = make(from + nth(order, i, count), key);
        assert_ok(masstree_remove(tree, NULL, key, len, NULL));
    }
}

static void removing_all_keys_in_any_order_frees_memory(void **state)
{
    (void)state;
    uint64_t count = scaled(60000);
    for (size_t i = 0; i < COUNT(makers); i++) {
        for (enum order order = 0; order < ORDERS; order++) {
            masstree_t *tree = new_tree();
            let_garbage_go(tree);
            size_t before = in_tree(tree);
            fill(tree, makers[i], 0, count);
            size_t full = in_tree(tree) - before;
            size_t pool = (size_t)stats_of(tree).pool_bytes;
            drain(tree, makers[i], 0, count, order);
            let_garbage_go(tree);
            size_t left = in_tree(tree) > before ? in_tree(tree) - before : 0;
            assert_true(full > 8 * count);
            assert_in_range(left, 0, full / 50);
            assert_int_equal(0, tree_len(tree));
            /* As many keys again, in memory that the pool already had, except for garbage that
               waits now and did not then. */
            fill(tree, makers[i], count, count);
            assert_in_range(stats_of(tree).pool_bytes, 0, pool + pool / 2 + 65536);
            end_tree(tree);
        }
    }
}

/* A queue: keys only grow, the oldest are removed. Remains of each leaf or layer would add up. */
static void queue_of_growing_keys_keeps_its_size(void **state)
{
    (void)state;
    uint64_t window = 1000;
    uint64_t rounds = scaled(60);
    for (size_t i = 0; i < COUNT(makers); i++) {
        masstree_t *tree = new_tree();
        size_t before = in_use();
        fill(tree, makers[i], 0, window);
        size_t full = in_use() - before;
        for (uint64_t round = 1; round <= rounds; round++) {
            fill(tree, makers[i], round * window, window);
            drain(tree, makers[i], (round - 1) * window, window, ASCENDING);
        }
        let_garbage_go(tree);
        assert_int_equal(window, tree_len(tree));
        /* Plus garbage: two batches of 128 leaves. */
        assert_in_range(in_use() - before, 0, 3 * full + 2 * 128 * 320);
        end_tree(tree);
    }
}

/* All except what threads keep permanently. */
static void destroy_frees_all_memory(void **state)
{
    (void)state;
    enum { WARM = 20, TURNS = 420 };
    size_t before = 0;
    for (unsigned turn = 0; turn < TURNS; turn++) {
        masstree_t *tree = new_tree();
        for (size_t i = 0; i < COUNT(makers); i++) {
            fill(tree, makers[i], 0, 300);
        }
        drain(tree, makers[1], 0, 200, SCATTERED);
        masstree_destroy(tree);
        if (turn == WARM) {
            before = in_use();
        }
    }
    assert_in_range(in_use(), 0, before + 8192); /* 24 bytes for each tree would be more */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(removing_all_keys_in_any_order_frees_memory),
        cmocka_unit_test(queue_of_growing_keys_keeps_its_size),
        cmocka_unit_test(destroy_frees_all_memory),
    };
    if (!malloc_reports_use()) {
        puts("this malloc (a sanitizer's?) does not report what is in use: skipped");
        return 77;
    }
    return cmocka_run_group_tests_name("memory", tests, NULL, NULL);
}
