/* Bulk loads: what they build, and which items they refuse. */
#include "many/load.h"

#include <stdatomic.h>

#define UNTOUCHED UINT64_C(0xDEADBEEFDEADBEEF)
#define TOO_LONG ((size_t)UINT32_MAX + 1)
#define NO_STATUS 99

/* The first `count` keys, at sizes where another leaf or level is needed. */
static void bulk_load_of_any_size_builds_the_same_map_as_puts(void **state)
{
    (void)state;
    struct load load = new_load(60);
    size_t all = load.model.count;
    for (size_t count = 0; count <= all; count++) {
        masstree_t *tree = new_tree();
        masstree_t *bytes = new_bytes_tree();
        size_t offender = 99;
        assert_ok(masstree_bulk_load(tree, NULL, load.keys, load.words, count, &offender));
        assert_ok(masstree_bulk_load_bytes(bytes, NULL, load.keys, load.values, count, &offender));
        assert_int_equal(99, offender);
        load.model.count = count;
        assert_agrees(tree, &load.model);
        assert_bytes_loaded(bytes, &load, count);
        /* The tree can be used as any other. */
        if (count % 10 == 0) {
            for (size_t i = 0; i < all; i++) {
                assert_ok(masstree_put(tree, NULL, load.keys[i].data, load.keys[i].len, i));
            }
            load.model.count = all;
            assert_agrees(tree, &load.model);
            for (size_t i = 0; i < all; i++) {
                size_t at = i * 7919 % all;
                assert_ok(masstree_remove(tree, NULL, load.keys[at].data, load.keys[at].len, NULL));
            }
            assert_int_equal(0, tree_len(tree));
        }
        end_tree(tree);
        end_tree(bytes);
    }
    load.model.count = all;
    free_load(&load);
}

static void large_load_contains_all_keys_in_order(void **state)
{
    (void)state;
    struct load load = new_load(scaled(20000));
    masstree_t *tree = new_tree();
    masstree_guard_t *guard = new_guard(tree);
    assert_ok(masstree_bulk_load(tree, guard, load.keys, load.words, load.count, NULL));
    masstree_guard_leave(guard);
    assert_consistent(tree);
    assert_agrees(tree, &load.model);
    end_tree(tree);
    masstree_t *bytes = new_bytes_tree();
    assert_ok(masstree_bulk_load_bytes(bytes, NULL, load.keys, load.values, load.count, NULL));
    assert_bytes_loaded(bytes, &load, load.count);
    end_tree(bytes);
    free_load(&load);
}

static void integer_load_contains_all_keys_in_order(void **state)
{
    (void)state;
    size_t count = scaled(100000);
    uint64_t *numbers = calloc(count, sizeof *numbers);
    struct model model = {0};
    masstree_t *tree = new_tree();
    assert_non_null(numbers);
    for (size_t i = 0; i < count; i++) {
        uint8_t key[8];
        numbers[i] = i * UINT64_C(0x0000100200300401);
        masstree_u64_to_key(numbers[i], key);
        model_put(&model, key, 8, numbers[i]);
    }
    assert_ok(masstree_bulk_load_u64(tree, NULL, numbers, 8, numbers, count, NULL));
    assert_agrees(tree, &model);
    model_free(&model);
    free(numbers);
    end_tree(tree);
}

static void count_one(uint64_t value, void *ctx)
{
    (void)value;
    ++*(size_t *)ctx;
}

static void load_that_is_not_sorted_names_the_first_offender(void **state)
{
    (void)state;
    struct load load = new_load(40);
    size_t destroyed = 0;
    masstree_options_t options = MASSTREE_OPTIONS_INIT;
    options.value_destructor = count_one;
    options.value_ctx = &destroyed;
    masstree_t *tree = NULL;
    masstree_t *bytes = new_bytes_tree();
    assert_ok(masstree_create(&options, &tree));
    for (size_t place = 1; place < load.count; place++) {
        masstree_slice_t kept = load.keys[place];
        size_t offender = 99999;
        /* Two equal keys; and one below its predecessor. */
        load.keys[place] = load.keys[place - 1];
        assert_status(MASSTREE_UNSORTED, masstree_bulk_load(tree, NULL, load.keys, load.words,
                                                            load.count, &offender));
        assert_int_equal(place, offender);
        assert_status(MASSTREE_UNSORTED,
                      masstree_bulk_load_bytes(bytes, NULL, load.keys, load.values, load.count,
                                               NULL));
        load.keys[place] = load.keys[0];
        assert_status(MASSTREE_UNSORTED,
                      masstree_bulk_load_bytes(bytes, NULL, load.keys, load.values, load.count,
                                               &offender));
        assert_int_equal(place, offender);
        load.keys[place] = kept;
    }
    static const uint64_t numbers[] = {1, 2, 3, 3, 2, 1};
    size_t offender = 99;
    assert_status(MASSTREE_UNSORTED, masstree_bulk_load_u64(tree, NULL, numbers, 8, numbers,
                                                            COUNT(numbers), &offender));
    assert_int_equal(3, offender);
    assert_int_equal(0, tree_len(tree));
    assert_int_equal(0, tree_len(bytes));
    assert_consistent(tree);
    end_tree(bytes);
    end_tree(tree);
    assert_int_equal(0, destroyed);
    free_load(&load);
}

static void load_with_a_key_at_fault_says_which(void **state)
{
    (void)state;
    masstree_slice_t keys[] = {SLICE("a"), SLICE("b"), {NULL, 1}, SLICE("d")};
    static const uint64_t words[] = {1, 2, 3, 4};
    masstree_t *tree = new_tree();
    masstree_t *bytes = new_bytes_tree();
    size_t offender = 99;
    assert_status(MASSTREE_INVALID, masstree_bulk_load(tree, NULL, keys, words, 4, NULL));
    assert_status(MASSTREE_INVALID, masstree_bulk_load_bytes(bytes, NULL, keys, keys, 4, NULL));
    keys[2] = (masstree_slice_t){"c", TOO_LONG};
    assert_status(MASSTREE_KEY_TOO_LONG, masstree_bulk_load(tree, NULL, keys, words, 4, &offender));
    assert_int_equal(2, offender);
    offender = 99;
    assert_status(MASSTREE_KEY_TOO_LONG,
                  masstree_bulk_load_bytes(bytes, NULL, keys, keys, 4, &offender));
    assert_int_equal(2, offender);
    assert_int_equal(0, tree_len(tree));
    assert_int_equal(0, tree_len(bytes));
    end_tree(tree);
    end_tree(bytes);
}

static void load_into_a_tree_that_is_not_empty_changes_nothing(void **state)
{
    (void)state;
    struct load load = new_load(40);
    size_t destroyed = 0;
    size_t offender = 99;
    masstree_options_t options = MASSTREE_OPTIONS_INIT;
    options.value_destructor = count_one;
    options.value_ctx = &destroyed;
    masstree_t *tree = NULL;
    masstree_t *bytes = new_bytes_tree();
    assert_ok(masstree_create(&options, &tree));
    assert_ok(masstree_put(tree, NULL, "only", 4, 7));
    assert_ok(masstree_put_bytes(bytes, NULL, "only", 4, "7", 1));
    assert_status(MASSTREE_EXISTS, masstree_bulk_load(tree, NULL, load.keys, load.words,
                                                      load.count, &offender));
    assert_status(MASSTREE_EXISTS, masstree_bulk_load_u64(tree, NULL, load.words, 8, load.words,
                                                          load.count, &offender));
    assert_status(MASSTREE_EXISTS, masstree_bulk_load_bytes(bytes, NULL, load.keys, load.values,
                                                            load.count, &offender));
    assert_status(MASSTREE_EXISTS, masstree_bulk_load(tree, NULL, NULL, NULL, 0, &offender));
    assert_int_equal(99, offender);
    uint64_t word = 0;
    char text = 0;
    assert_ok(masstree_get(tree, NULL, "only", 4, &word));
    assert_int_equal(7, word);
    assert_ok(masstree_copy_bytes(bytes, NULL, "only", 4, &text, 1, NULL));
    assert_int_equal('7', text);
    assert_int_equal(1, tree_len(tree));
    assert_int_equal(1, tree_len(bytes));
    assert_int_equal(0, destroyed);
    /* After the tree was emptied in any way, bulk load succeeds. */
    uint64_t old = 0;
    assert_ok(masstree_remove(tree, NULL, "only", 4, &old));
    assert_ok(masstree_bulk_load(tree, NULL, load.keys, load.words, load.count, NULL));
    assert_agrees(tree, &load.model);
    assert_ok(masstree_clear(bytes, NULL));
    assert_ok(masstree_bulk_load_bytes(bytes, NULL, load.keys, load.values, load.count, NULL));
    assert_bytes_loaded(bytes, &load, load.count);
    end_tree(bytes);
    end_tree(tree);
    assert_int_equal(load.count, destroyed);
    free_load(&load);
}

/* Two threads load, a third inserts: the tree contains the winner's keys and those of the third
   thread only. The losers still own their values. */
struct race {
    masstree_t *tree;
    const struct load *load;
    uint64_t mark;
    int32_t status;
};

static void load_marked(void *arg)
{
    struct race *race = arg;
    uint64_t *words = calloc(race->load->count, sizeof *words);
    REQUIRE(words != NULL);
    for (size_t i = 0; i < race->load->count; i++) {
        words[i] = race->mark + i;
    }
    race->status = masstree_bulk_load(race->tree, NULL, race->load->keys, words, race->load->count,
                                      NULL);
    REQUIRE(race->status == MASSTREE_OK || race->status == MASSTREE_EXISTS);
    free(words);
}

static void insert_one(void *arg)
{
    struct race *race = arg;
    race->status = masstree_insert(race->tree, NULL, "~ a key of its own", 18, 5, NULL);
    REQUIRE(race->status == MASSTREE_OK);
}

static void of_loads_at_once_at_most_one_wins(void **state)
{
    (void)state;
    struct load load = new_load(20);
    for (size_t turn = 0; turn < scaled(1000); turn++) {
        masstree_t *tree = new_tree();
        struct race races[] = {{tree, &load, 0, 0}, {tree, &load, 1000000, 0}, {tree, &load, 0, 0}};
        void (*const run[])(void *) = {load_marked, load_marked, insert_one};
        run_together(turn % 2 == 0 ? 3 : 2, run, races, sizeof races[0]);
        size_t winners = 0;
        for (size_t i = 0; i < 2; i++) {
            if (races[i].status != MASSTREE_OK) {
                continue;
            }
            winners++;
            for (size_t place = 0; place < load.count; place++) {
                uint64_t word = UNTOUCHED;
                assert_ok(masstree_get(tree, NULL, load.keys[place].data, load.keys[place].len,
                                       &word));
                assert_int_equal(races[i].mark + place, word);
            }
        }
        assert_in_range(winners, turn % 2 == 0 ? 0 : 1, 1);
        assert_int_equal(winners * load.count + (turn % 2 == 0 ? 1 : 0), tree_len(tree));
        end_tree(tree);
    }
    free_load(&load);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bulk_load_of_any_size_builds_the_same_map_as_puts),
        cmocka_unit_test(large_load_contains_all_keys_in_order),
        cmocka_unit_test(integer_load_contains_all_keys_in_order),
        cmocka_unit_test(load_that_is_not_sorted_names_the_first_offender),
        cmocka_unit_test(load_with_a_key_at_fault_says_which),
        cmocka_unit_test(load_into_a_tree_that_is_not_empty_changes_nothing),
        cmocka_unit_test(of_loads_at_once_at_most_one_wins),
    };
    return cmocka_run_group_tests_name("bulk_load", tests, NULL, NULL);
}
