/* Trees of byte strings: every status of every function on one key. */
#include "bytes/texts.h"

#define BIG ((size_t)1 << 20)

static void get_returns_a_slice_and_writes_none_for_an_absent_key(void **state)
{
    (void)state;
    masstree_t *tree = new_bytes_tree();
    masstree_guard_t *guard = new_guard(tree);
    masstree_slice_t value = UNTOUCHED;
    store_text(tree, "key", "value");
    assert_status(MASSTREE_NOT_FOUND, masstree_get_bytes(tree, guard, "ke", 2, &value));
    assert_untouched(value);
    assert_ok(masstree_get_bytes(tree, guard, "key", 3, &value));
    assert_slice("value", 5, value);
    assert_ok(masstree_get_bytes(tree, guard, "key", 3, NULL));
    masstree_guard_leave(guard);
    end_tree(tree);
}

static void functions_that_return_a_slice_require_a_guard(void **state)
{
    (void)state;
    masstree_t *tree = new_bytes_tree();
    masstree_slice_t slice = UNTOUCHED;
    int32_t status = 99;
    store_text(tree, "key", "value");
    assert_status(MASSTREE_INVALID, masstree_get_bytes(tree, NULL, "key", 3, &slice));
    assert_status(MASSTREE_INVALID, masstree_exchange_bytes(tree, NULL, "key", 3, "x", 1, &slice));
    assert_status(MASSTREE_INVALID, masstree_insert_bytes(tree, NULL, "key", 3, "x", 1, &slice));
    assert_status(MASSTREE_INVALID, masstree_replace_bytes(tree, NULL, "key", 3, "x", 1, &slice));
    assert_status(MASSTREE_INVALID,
                  masstree_compare_exchange_bytes(tree, NULL, "key", 3, SLICE("value"), SLICE("x"),
                                                  &slice));
    assert_status(MASSTREE_INVALID, masstree_remove_bytes(tree, NULL, "key", 3, &slice));
    assert_status(MASSTREE_INVALID, masstree_remove_if_equal_bytes(tree, NULL, "key", 3,
                                                                   SLICE("value"), &slice));
    assert_status(MASSTREE_INVALID,
                  masstree_get_many_bytes(tree, NULL, &SLICE("key"), 1, &slice, &status));
    assert_int_equal(99, status);
    assert_untouched(slice);
    assert_text(tree, "key", "value");
    end_tree(tree);
}

static void functions_that_return_no_slice_need_no_guard(void **state)
{
    (void)state;
    masstree_t *tree = new_bytes_tree();
    assert_status(MASSTREE_NOT_FOUND, masstree_exchange_bytes(tree, NULL, "k", 1, "1", 1, NULL));
    assert_ok(masstree_exchange_bytes(tree, NULL, "k", 1, "2", 1, NULL));
    assert_text(tree, "k", "2");
    assert_status(MASSTREE_EXISTS, masstree_insert_bytes(tree, NULL, "k", 1, "3", 1, NULL));
    assert_ok(masstree_insert_bytes(tree, NULL, "l", 1, "3", 1, NULL));
    assert_ok(masstree_replace_bytes(tree, NULL, "k", 1, "4", 1, NULL));
    assert_status(MASSTREE_NOT_FOUND, masstree_replace_bytes(tree, NULL, "m", 1, "4", 1, NULL));
    assert_ok(masstree_compare_exchange_bytes(tree, NULL, "k", 1, SLICE("4"), SLICE("5"), NULL));
    assert_status(MASSTREE_MISMATCH, masstree_compare_exchange_bytes(tree, NULL, "k", 1,
                                                                     SLICE("4"), SLICE("6"), NULL));
    assert_text(tree, "k", "5");
    assert_status(MASSTREE_MISMATCH,
                  masstree_remove_if_equal_bytes(tree, NULL, "k", 1, SLICE("4"), NULL));
    assert_ok(masstree_remove_if_equal_bytes(tree, NULL, "k", 1, SLICE("5"), NULL));
    assert_ok(masstree_remove_bytes(tree, NULL, "l", 1, NULL));
    assert_status(MASSTREE_NOT_FOUND, masstree_remove_bytes(tree, NULL, "l", 1, NULL));
    assert_int_equal(0, tree_len(tree));
    end_tree(tree);
}

static void exchange_replace_and_remove_return_the_previous_value(void **state)
{
    (void)state;
    masstree_t *tree = new_bytes_tree();
    masstree_guard_t *guard = new_guard(tree);
    masstree_slice_t old = UNTOUCHED;
    assert_status(MASSTREE_NOT_FOUND, masstree_replace_bytes(tree, guard, "k", 1, "0", 1, &old));
    assert_status(MASSTREE_NOT_FOUND, masstree_exchange_bytes(tree, guard, "k", 1, "1", 1, &old));
    assert_untouched(old);
    assert_ok(masstree_exchange_bytes(tree, guard, "k", 1, "second", 6, &old));
    assert_slice("1", 1, old);
    assert_ok(masstree_replace_bytes(tree, guard, "k", 1, "third", 5, &old));
    assert_slice("second", 6, old);
    assert_text(tree, "k", "third");
    assert_ok(masstree_remove_bytes(tree, guard, "k", 1, &old));
    assert_slice("third", 5, old);
    old = UNTOUCHED;
    assert_status(MASSTREE_NOT_FOUND, masstree_remove_bytes(tree, guard, "k", 1, &old));
    assert_untouched(old);
    masstree_guard_leave(guard);
    end_tree(tree);
}

static void insert_returns_the_present_value_and_keeps_it(void **state)
{
    (void)state;
    masstree_t *tree = new_bytes_tree();
    masstree_guard_t *guard = new_guard(tree);
    masstree_slice_t present = UNTOUCHED;
    assert_ok(masstree_insert_bytes(tree, guard, "k", 1, "first", 5, &present));
    assert_untouched(present);
    assert_status(MASSTREE_EXISTS, masstree_insert_bytes(tree, guard, "k", 1, "x", 1, &present));
    assert_slice("first", 5, present);
    assert_text(tree, "k", "first");
    masstree_guard_leave(guard);
    end_tree(tree);
}

/* Same length, a prefix, longer, empty: values are compared byte for byte. Put back: write *actual
   also where the value was the expected one. */
static void comparison_is_byte_for_byte(void **state)
{
    (void)state;
    static const masstree_slice_t others[] = {
        {"valuf", 5}, {"valu", 4}, {"value\0", 6}, {"", 0}, {NULL, 0}, {"VALUE", 5},
    };
    masstree_t *tree = new_bytes_tree();
    masstree_guard_t *guard = new_guard(tree);
    store_text(tree, "k", "value");
    for (size_t i = 0; i < COUNT(others); i++) {
        masstree_slice_t present = UNTOUCHED;
        assert_status(MASSTREE_NOT_FOUND,
                      masstree_compare_exchange_bytes(tree, guard, "l", 1, others[i], SLICE("x"),
                                                      &present));
        assert_status(MASSTREE_NOT_FOUND, masstree_remove_if_equal_bytes(tree, guard, "l", 1,
                                                                         others[i], &present));
        assert_untouched(present);
        assert_status(MASSTREE_MISMATCH, masstree_compare_exchange_bytes(
                                             tree, guard, "k", 1, others[i], SLICE("x"), &present));
        assert_slice("value", 5, present);
        present = UNTOUCHED;
        assert_status(MASSTREE_MISMATCH, masstree_remove_if_equal_bytes(tree, guard, "k", 1,
                                                                        others[i], &present));
        assert_slice("value", 5, present);
    }
    masstree_slice_t present = UNTOUCHED;
    assert_text(tree, "k", "value");
    assert_ok(masstree_compare_exchange_bytes(tree, guard, "k", 1, SLICE("value"), SLICE(""),
                                              &present));
    assert_untouched(present);
    assert_text(tree, "k", "");
    assert_ok(masstree_compare_exchange_bytes(tree, guard, "k", 1, (masstree_slice_t){NULL, 0},
                                              SLICE("again"), &present));
    assert_ok(masstree_remove_if_equal_bytes(tree, guard, "k", 1, SLICE("again"), &present));
    assert_untouched(present);
    assert_absent(tree, "k");
    masstree_guard_leave(guard);
    end_tree(tree);
}

static void value_without_bytes_but_with_a_length_is_invalid(void **state)
{
    (void)state;
    static const masstree_slice_t wrong[] = {{NULL, 1}, {"x", SIZE_MAX / 2 + 1}, {"x", SIZE_MAX}};
    masstree_t *tree = new_bytes_tree();
    store_text(tree, "k", "value");
    for (size_t i = 0; i < COUNT(wrong); i++) {
        const void *data = wrong[i].data;
        size_t len = wrong[i].len;
        assert_status(MASSTREE_INVALID, masstree_put_bytes(tree, NULL, "k", 1, data, len));
        assert_status(MASSTREE_INVALID,
                      masstree_exchange_bytes(tree, NULL, "k", 1, data, len, NULL));
        assert_status(MASSTREE_INVALID, masstree_insert_bytes(tree, NULL, "l", 1, data, len, NULL));
        assert_status(MASSTREE_INVALID,
                      masstree_replace_bytes(tree, NULL, "k", 1, data, len, NULL));
        assert_status(MASSTREE_INVALID, masstree_compare_exchange_bytes(
                                            tree, NULL, "k", 1, wrong[i], SLICE("x"), NULL));
        assert_status(MASSTREE_INVALID, masstree_compare_exchange_bytes(
                                            tree, NULL, "k", 1, SLICE("value"), wrong[i], NULL));
        assert_status(MASSTREE_INVALID,
                      masstree_remove_if_equal_bytes(tree, NULL, "k", 1, wrong[i], NULL));
    }
    assert_text(tree, "k", "value");
    assert_int_equal(1, tree_len(tree));
    end_tree(tree);
}

static void more_than_any_memory_is_out_of_memory(void **state)
{
    (void)state;
    struct allocator allocator;
    allocator_start(&allocator);
    masstree_t *tree = new_tree_of(&allocator, MASSTREE_VALUES_BYTES);
    store_text(tree, "k", "value");
    /* No byte of it is read: so much memory is not available. */
    assert_status(MASSTREE_NOMEM, masstree_put_bytes(tree, NULL, "k", 1, "x", SIZE_MAX / 2));
    assert_text(tree, "k", "value");
    end_tree(tree);
    allocator_end(&allocator);
}

static void empty_value_is_a_value(void **state)
{
    (void)state;
    masstree_t *tree = new_bytes_tree();
    masstree_guard_t *guard = new_guard(tree);
    masstree_slice_t value = UNTOUCHED;
    size_t len = SIZE_MAX;
    assert_ok(masstree_put_bytes(tree, guard, "a", 1, NULL, 0));
    assert_ok(masstree_put_bytes(tree, guard, "b", 1, "", 0));
    assert_ok(masstree_get_bytes(tree, guard, "a", 1, &value));
    assert_slice("", 0, value);
    assert_ok(masstree_get_bytes(tree, guard, "b", 1, &value));
    assert_slice("", 0, value);
    assert_ok(masstree_copy_bytes(tree, guard, "a", 1, NULL, 0, &len));
    assert_int_equal(0, len);
    value = UNTOUCHED;
    assert_ok(masstree_exchange_bytes(tree, guard, "a", 1, "full", 4, &value));
    assert_slice("", 0, value);
    assert_ok(masstree_remove_bytes(tree, guard, "b", 1, &value));
    assert_slice("", 0, value);
    masstree_guard_leave(guard);
    end_tree(tree);
}

static void copy_asks_for_the_size_and_never_truncates(void **state)
{
    (void)state;
    static const char text[] = "twelve bytes";
    masstree_t *tree = new_bytes_tree();
    store_text(tree, "k", text);
    for (size_t capacity = 0; capacity <= 16; capacity++) {
        char buffer[16];
        char untouched[16];
        size_t len = SIZE_MAX;
        memset(buffer, '#', sizeof buffer);
        memset(untouched, '#', sizeof untouched);
        int32_t status = masstree_copy_bytes(tree, NULL, "k", 1, buffer, capacity, &len);
        assert_int_equal(12, len);
        if (capacity < 12) {
            assert_int_equal(MASSTREE_TOO_SMALL, status);
            assert_memory_equal(untouched, buffer, sizeof buffer);
        } else {
            assert_int_equal(MASSTREE_OK, status);
            assert_memory_equal(text, buffer, 12);
            assert_memory_equal(untouched, buffer + 12, 4);
        }
    }
    size_t len = SIZE_MAX;
    char buffer[1] = {'#'};
    assert_status(MASSTREE_TOO_SMALL, masstree_copy_bytes(tree, NULL, "k", 1, NULL, 0, &len));
    assert_int_equal(12, len);
    assert_status(MASSTREE_TOO_SMALL, masstree_copy_bytes(tree, NULL, "k", 1, NULL, 0, NULL));
    len = 99;
    assert_status(MASSTREE_INVALID, masstree_copy_bytes(tree, NULL, "k", 1, NULL, 1, &len));
    assert_status(MASSTREE_NOT_FOUND, masstree_copy_bytes(tree, NULL, "l", 1, buffer, 1, &len));
    assert_int_equal(99, len);
    assert_int_equal('#', buffer[0]);
    end_tree(tree);
}

static void tree_copies_keys_and_values(void **state)
{
    (void)state;
    char key[] = "a key longer than one slice";
    char value[] = "a value of the caller's";
    masstree_t *tree = new_bytes_tree();
    store_text(tree, key, value);
    memset(key, 'x', sizeof key - 1);
    memset(value, 'x', sizeof value - 1);
    assert_text(tree, "a key longer than one slice", "a value of the caller's");
    assert_absent(tree, key);
    end_tree(tree);
}

/* The value passed is the tree's own slice of the same key. */
static void slice_of_the_tree_may_be_put_again(void **state)
{
    (void)state;
    masstree_t *tree = new_bytes_tree();
    masstree_guard_t *guard = new_guard(tree);
    masstree_slice_t value = UNTOUCHED;
    store_text(tree, "k", "value");
    assert_ok(masstree_get_bytes(tree, guard, "k", 1, &value));
    assert_ok(masstree_put_bytes(tree, guard, "k", 1, value.data, value.len));
    assert_slice("value", 5, value);
    assert_ok(masstree_put_bytes(tree, guard, "l", 1, value.data, value.len));
    assert_ok(masstree_compare_exchange_bytes(tree, guard, "k", 1, value, value, NULL));
    masstree_guard_leave(guard);
    assert_text(tree, "k", "value");
    assert_text(tree, "l", "value");
    end_tree(tree);
}

static void values_of_every_awkward_length_round_trip(void **state)
{
    (void)state;
    static const size_t lengths[] = {0, 1, 7, 8, 9, 15, 16, 17, 255, 256, 257, 4096, 65537, BIG};
    static unsigned char value[BIG];
    static unsigned char copy[BIG];
    masstree_t *tree = new_bytes_tree();
    masstree_guard_t *guard = new_guard(tree);
    for (unsigned turn = 0; turn < 2; turn++) {
        for (size_t i = 0; i < COUNT(lengths); i++) {
            fill_pattern(value, lengths[i], i + turn);
            assert_ok(masstree_put_bytes(tree, guard, &i, sizeof i, value, lengths[i]));
        }
        for (size_t i = 0; i < COUNT(lengths); i++) {
            masstree_slice_t slice = UNTOUCHED;
            size_t len = SIZE_MAX;
            fill_pattern(value, lengths[i], i + turn);
            assert_ok(masstree_get_bytes(tree, guard, &i, sizeof i, &slice));
            assert_slice(value, lengths[i], slice);
            assert_ok(masstree_copy_bytes(tree, NULL, &i, sizeof i, copy, lengths[i], &len));
            assert_int_equal(lengths[i], len);
            assert_memory_equal(value, copy, len);
        }
        masstree_guard_refresh(guard);
    }
    masstree_guard_leave(guard);
    end_tree(tree);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(get_returns_a_slice_and_writes_none_for_an_absent_key),
        cmocka_unit_test(functions_that_return_a_slice_require_a_guard),
        cmocka_unit_test(functions_that_return_no_slice_need_no_guard),
        cmocka_unit_test(exchange_replace_and_remove_return_the_previous_value),
        cmocka_unit_test(insert_returns_the_present_value_and_keeps_it),
        cmocka_unit_test(comparison_is_byte_for_byte),
        cmocka_unit_test(value_without_bytes_but_with_a_length_is_invalid),
        cmocka_unit_test(more_than_any_memory_is_out_of_memory),
        cmocka_unit_test(empty_value_is_a_value),
        cmocka_unit_test(copy_asks_for_the_size_and_never_truncates),
        cmocka_unit_test(tree_copies_keys_and_values),
        cmocka_unit_test(slice_of_the_tree_may_be_put_again),
        cmocka_unit_test(values_of_every_awkward_length_round_trip),
    };
    return cmocka_run_group_tests_name("bytes", tests, NULL, NULL);
}
