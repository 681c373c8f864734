/* Nothing recurses with the depth of the tree (known-failures row 21): a thread with a stack of
   64 KiB does all work, also the destruction of the tree. Deep in nodes: six levels. Deep in
   layers: one for each 8 bytes of a shared prefix. */
#include "support.h"

#include <pthread.h>
#include <unistd.h>

enum { STACK = 64 * 1024 };

static void *run_there(void *arg)
{
    (*(void (**)(void))arg)();
    return NULL;
}

static void on_a_small_stack(void (*run)(void))
{
    pthread_attr_t attributes;
    pthread_t thread;
    long least = sysconf(_SC_THREAD_STACK_MIN); /* more only on unusual processors */
    assert_int_equal(0, pthread_attr_init(&attributes));
    assert_int_equal(0, pthread_attr_setstacksize(&attributes,
                                                  least > STACK ? (size_t)least : STACK));
    assert_int_equal(0, pthread_create(&thread, &attributes, run_there, &run));
    assert_int_equal(0, pthread_join(thread, NULL));
    assert_int_equal(0, pthread_attr_destroy(&attributes));
}

struct order {
    uint64_t expected;
    bool reverse;
};

static int32_t expect_next_integer(const void *key, size_t key_len, uint64_t value, void *ctx)
{
    struct order *order = ctx;
    uint64_t number = 0;
    REQUIRE(masstree_u64_from_key(key, key_len, &number) == MASSTREE_OK);
    REQUIRE(number == order->expected && value == number);
    order->expected += order->reverse ? UINT64_MAX : 1;
    return MASSTREE_VISIT_CONTINUE;
}

static void scan_integers(const masstree_t *tree, size_t count)
{
    for (uint32_t flags = 0; flags <= MASSTREE_SCAN_REVERSE; flags++) {
        masstree_range_t range = MASSTREE_RANGE_INIT;
        struct order order = {.expected = flags != 0 ? count - 1 : 0, .reverse = flags != 0};
        size_t visited = 0;
        range.flags = flags;
        REQUIRE(masstree_scan(tree, NULL, &range, expect_next_integer, &order, &visited) ==
                MASSTREE_OK);
        REQUIRE(visited == count);
    }
}

/* Six levels: sequential keys fill their leaves, 15 * 16^4 keys to five levels. */
static void build_and_empty_a_deep_tree(void)
{
    size_t count = scaled(2000000);
    masstree_t *tree = NULL;
    REQUIRE(masstree_create(NULL, &tree) == MASSTREE_OK);
    for (uint64_t i = 0; i < count; i++) {
        REQUIRE(masstree_insert_u64(tree, NULL, i, i, NULL) == MASSTREE_OK);
    }
    scan_integers(tree, count);
    REQUIRE(masstree_check(tree, NULL, NULL, NULL) == MASSTREE_OK);
    for (uint64_t i = 0; i < count; i++) {
        REQUIRE(masstree_remove_u64(tree, NULL, i, NULL) == MASSTREE_OK);
    }
    REQUIRE(masstree_check(tree, NULL, NULL, NULL) == MASSTREE_OK);
    masstree_destroy(tree);
}

/* In descending order, where splits leave nodes half full; destroyed as it is. */
static void build_downwards_and_destroy(void)
{
    size_t count = scaled(1000000);
    masstree_t *tree = NULL;
    REQUIRE(masstree_create(NULL, &tree) == MASSTREE_OK);
    for (uint64_t i = count; i-- > 0;) {
        REQUIRE(masstree_put_u64(tree, NULL, i, i) == MASSTREE_OK);
    }
    scan_integers(tree, count);
    masstree_destroy(tree);
}

static void tree_of_six_levels_needs_no_deep_stack(void **state)
{
    (void)state;
    on_a_small_stack(build_and_empty_a_deep_tree);
    on_a_small_stack(build_downwards_and_destroy);
}

/* Keys that share `prefix_len` bytes and differ in the one after. */
enum { TWIGS = 40 };
static unsigned char long_key[(1 << 20) + 1];

static int32_t expect_next_twig(const void *key, size_t key_len, uint64_t value, void *ctx)
{
    struct order *order = ctx;
    REQUIRE(value == order->expected);
    REQUIRE(((const unsigned char *)key)[key_len - 1] == value);
    REQUIRE(memcmp(key, long_key, key_len - 1) == 0);
    order->expected += order->reverse ? UINT64_MAX : 1;
    return MASSTREE_VISIT_CONTINUE;
}

static void scan_twigs(const masstree_t *tree)
{
    for (uint32_t flags = 0; flags <= MASSTREE_SCAN_REVERSE; flags++) {
        masstree_range_t range = MASSTREE_RANGE_INIT;
        struct order order = {.expected = flags != 0 ? TWIGS - 1 : 0, .reverse = flags != 0};
        size_t visited = 0;
        range.flags = flags;
        REQUIRE(masstree_scan(tree, NULL, &range, expect_next_twig, &order, &visited) ==
                MASSTREE_OK);
        REQUIRE(visited == TWIGS);
    }
}

static void grow_and_remove_twigs(size_t prefix_len, bool remove)
{
    masstree_t *tree = NULL;
    REQUIRE(masstree_create(NULL, &tree) == MASSTREE_OK);
    memset(long_key, 'd', sizeof long_key);
    for (unsigned twig = 0; twig < TWIGS; twig++) {
        long_key[prefix_len] = (unsigned char)twig;
        REQUIRE(masstree_insert(tree, NULL, long_key, prefix_len + 1, twig, NULL) == MASSTREE_OK);
    }
    scan_twigs(tree);
    REQUIRE(masstree_check(tree, NULL, NULL, NULL) == MASSTREE_OK);
    for (unsigned twig = 0; remove && twig < TWIGS; twig++) {
        uint64_t old = TWIGS;
        long_key[prefix_len] = (unsigned char)twig;
        REQUIRE(masstree_remove(tree, NULL, long_key, prefix_len + 1, &old) == MASSTREE_OK);
        REQUIRE(old == twig);
    }
    REQUIRE(masstree_check(tree, NULL, NULL, NULL) == MASSTREE_OK);
    masstree_destroy(tree);
}

static void grow_and_remove_layers(void)
{
    grow_and_remove_twigs(4096, true);
    grow_and_remove_twigs(1 << 20, true);
}

static void grow_and_destroy_layers(void)
{
    grow_and_remove_twigs(4096, false);
    grow_and_remove_twigs(1 << 20, false);
}

static void layers_of_a_prefix_of_a_mebibyte_need_no_deep_stack(void **state)
{
    (void)state;
    on_a_small_stack(grow_and_remove_layers);
}

static void deep_layers_are_destroyed_without_a_deep_stack(void **state)
{
    (void)state;
    on_a_small_stack(grow_and_destroy_layers);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tree_of_six_levels_needs_no_deep_stack),
        cmocka_unit_test(layers_of_a_prefix_of_a_mebibyte_need_no_deep_stack),
        cmocka_unit_test(deep_layers_are_destroyed_without_a_deep_stack),
    };
    return cmocka_run_group_tests_name("small_stack", tests, NULL, NULL);
}
