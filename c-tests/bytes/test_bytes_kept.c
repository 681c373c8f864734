/* How long a slice stays valid, and that each copy that the tree made is freed once. */
#include "bytes/texts.h"

#include <stdatomic.h>

static void overwrite(masstree_t *tree)
{
    assert_ok(masstree_put_bytes(tree, NULL, "k", 1, "another one", 11));
}

static void exchange(masstree_t *tree)
{
    assert_ok(masstree_exchange_bytes(tree, NULL, "k", 1, "another one", 11, NULL));
}

static void compare_and_exchange(masstree_t *tree)
{
    assert_ok(masstree_compare_exchange_bytes(tree, NULL, "k", 1, SLICE("the value"),
                                              SLICE("another one"), NULL));
}

static void remove_it(masstree_t *tree)
{
    assert_ok(masstree_remove(tree, NULL, "k", 1, NULL));
}

static void remove_if_equal(masstree_t *tree)
{
    assert_ok(masstree_remove_if_equal_bytes(tree, NULL, "k", 1, SLICE("the value"), NULL));
}

static void clear_all(masstree_t *tree)
{
    assert_ok(masstree_clear(tree, NULL));
}

/* The allocator overwrites freed memory. */
static void slice_stays_as_it_was_while_its_guard_is_held(void **state)
{
    (void)state;
    static void (*const fates[])(masstree_t *) = {overwrite, exchange, compare_and_exchange,
                                                  remove_it, remove_if_equal, clear_all};
    for (size_t i = 0; i < COUNT(fates); i++) {
        struct allocator allocator;
        allocator_start(&allocator);
        masstree_t *tree = new_tree_of(&allocator, MASSTREE_VALUES_BYTES);
        store_text(tree, "k", "the value");
        store_text(tree, "l", "the neighbour");
        masstree_guard_t *guard = new_guard(tree);
        masstree_slice_t value = UNTOUCHED;
        assert_ok(masstree_get_bytes(tree, guard, "k", 1, &value));
        fates[i](tree);
        /* Enough garbage that everything that may be freed is freed. */
        for (unsigned turn = 0; turn < 1000; turn++) {
            store_text(tree, "m", "garbage");
        }
        assert_ok(masstree_flush(tree, NULL));
        assert_slice("the value", 9, value);
        masstree_guard_leave(guard);
        end_tree(tree);
        allocator_end(&allocator);
    }
}

/* Displaced values do not wait for ever: without readers, memory stays bounded. */
static void overwritten_values_are_freed_while_the_tree_lives(void **state)
{
    (void)state;
    enum { LEN = 1000 };
    static const unsigned char value[LEN];
    struct allocator allocator;
    allocator_start(&allocator);
    masstree_t *tree = new_tree_of(&allocator, MASSTREE_VALUES_BYTES);
    for (size_t turn = 0; turn < scaled(100000); turn++) {
        assert_ok(masstree_put_bytes(tree, NULL, "k", 1, value, LEN));
    }
    assert_in_range(allocator_bytes(&allocator), LEN, 1000 * LEN);
    end_tree(tree);
    allocator_end(&allocator);
}

/* The allocator asserts that each allocation is freed exactly once, and at the end that all
   were. */
static void every_value_is_freed_once(void **state)
{
    (void)state;
    for (enum family family = 0; family < FAMILIES; family++) {
        struct allocator allocator;
        allocator_start(&allocator);
        masstree_t *tree = new_tree_of(&allocator, MASSTREE_VALUES_BYTES);
        uint64_t random = family;
        for (uint64_t step = 0; step < scaled(20000); step++) {
            unsigned char key[FAMILY_KEY_MAX];
            uint64_t number = random_below(&random, 500);
            size_t len = family_key(family, number, key);
            if (random_below(&random, 3) != 0) {
                put_numbered(tree, family, number, step);
            } else {
                int32_t status = masstree_remove(tree, NULL, key, len, NULL);
                assert_true(status == MASSTREE_OK || status == MASSTREE_NOT_FOUND);
            }
            if (step % 5000 == 4999) {
                assert_ok(masstree_clear(tree, NULL));
            }
        }
        put_numbered(tree, family, 1, 77);
        assert_true(tree_len(tree) > 0);
        end_tree(tree);
        allocator_end(&allocator);
    }
}

/* One thread overwrites, another reads: no read sees a mixture of values. A value repeats one
   byte, which determines its length. */
enum { SHARED_KEYS = 8, LONGEST = 700 };

struct reading {
    masstree_t *tree;
    size_t steps;
    atomic_bool done;
};

static void overwrite_values(void *arg)
{
    struct reading *reading = *(struct reading **)arg;
    uint64_t random = 1;
    for (size_t step = 0; step < reading->steps; step++) {
        unsigned char value[LONGEST];
        size_t len = random_below(&random, LONGEST);
        memset(value, (int)(len % 251), len);
        uint64_t key = random_below(&random, SHARED_KEYS);
        int32_t status = step % 7 == 0 ? masstree_remove(reading->tree, NULL, &key, 8, NULL)
                                       : masstree_put_bytes(reading->tree, NULL, &key, 8, value,
                                                            len);
        REQUIRE(status == MASSTREE_OK || (step % 7 == 0 && status == MASSTREE_NOT_FOUND));
    }
    atomic_store(&reading->done, true);
}

static void require_whole(masstree_slice_t value)
{
    const unsigned char *bytes = value.data;
    REQUIRE(bytes != NULL && value.len < LONGEST);
    for (size_t i = 0; i < value.len; i++) {
        REQUIRE(bytes[i] == value.len % 251);
    }
}

static void read_values(void *arg)
{
    struct reading *reading = *(struct reading **)arg;
    uint64_t random = 2;
    do {
        masstree_guard_t *guard = NULL;
        masstree_slice_t slices[SHARED_KEYS] = {{NULL, 0}};
        unsigned char copy[LONGEST];
        REQUIRE(masstree_guard_enter(reading->tree, &guard) == MASSTREE_OK);
        for (uint64_t key = 0; key < SHARED_KEYS; key++) {
            int32_t status = masstree_get_bytes(reading->tree, guard, &key, 8, &slices[key]);
            REQUIRE(status == MASSTREE_OK || status == MASSTREE_NOT_FOUND);
        }
        uint64_t key = random_below(&random, SHARED_KEYS);
        size_t len = 0;
        int32_t status = masstree_copy_bytes(reading->tree, NULL, &key, 8, copy, LONGEST, &len);
        if (status == MASSTREE_OK) {
            require_whole((masstree_slice_t){copy, len});
        } else {
            REQUIRE(status == MASSTREE_NOT_FOUND);
        }
        for (size_t i = 0; i < SHARED_KEYS; i++) {
            if (slices[i].data != NULL) {
                require_whole(slices[i]);
            }
        }
        masstree_guard_leave(guard);
    } while (!atomic_load(&reading->done));
}

static void values_read_during_overwrites_are_consistent(void **state)
{
    (void)state;
    struct allocator allocator;
    allocator_start(&allocator);
    struct reading reading = {.tree = new_tree_of(&allocator, MASSTREE_VALUES_BYTES),
                              .steps = scaled(200000)};
    atomic_init(&reading.done, false);
    struct reading *args[] = {&reading, &reading};
    void (*const run[])(void *) = {overwrite_values, read_values};
    run_together(COUNT(run), run, args, sizeof args[0]);
    end_tree(reading.tree);
    allocator_end(&allocator);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slice_stays_as_it_was_while_its_guard_is_held),
        cmocka_unit_test(overwritten_values_are_freed_while_the_tree_lives),
        cmocka_unit_test(every_value_is_freed_once),
        cmocka_unit_test(values_read_during_overwrites_are_consistent),
    };
    return cmocka_run_group_tests_name("bytes_kept", tests, NULL, NULL);
}
