/* Trees of byte strings: every status of every function, how long a slice stays valid, and that
   each copy that the tree made is freed once. */
#include "support.h"

#include <stdatomic.h>

#define BIG ((size_t)1 << 20)

/* A slice that was not written. */
static const masstree_slice_t UNTOUCHED = {"untouched", 9};

static void assert_untouched(masstree_slice_t slice)
{
    assert_ptr_equal(UNTOUCHED.data, slice.data);
    assert_int_equal(UNTOUCHED.len, slice.len);
}

static void put_text(masstree_t *tree, const char *key, const char *value)
{
    assert_ok(masstree_put_bytes(tree, NULL, key, strlen(key), value, strlen(value)));
}

static void assert_text(masstree_t *tree, const char *key, const char *value)
{
    char buffer[64];
    size_t len = SIZE_MAX;
    assert_ok(masstree_copy_bytes(tree, NULL, key, strlen(key), buffer, sizeof buffer, &len));
    assert_int_equal(strlen(value), len);
    assert_memory_equal(value, buffer, len);
}

static void assert_absent(masstree_t *tree, const char *key)
{
    assert_status(MASSTREE_NOT_FOUND, masstree_contains(tree, NULL, key, strlen(key)));
}

static void get_returns_a_slice_and_writes_none_for_an_absent_key(void **state)
{
    (void)state;
    masstree_t *tree = new_bytes_tree();
    masstree_guard_t *guard = new_guard(tree);
    masstree_slice_t value = UNTOUCHED;
    put_text(tree, "key", "value");
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
    put_text(tree, "key", "value");
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
    put_text(tree, "k", "value");
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
    put_text(tree, "k", "value");
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
    put_text(tree, "k", "value");
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
    put_text(tree, "k", text);
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
    put_text(tree, key, value);
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
    put_text(tree, "k", "value");
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

static void fill_pattern(unsigned char *bytes, size_t len, uint64_t seed)
{
    for (size_t i = 0; i < len; i++) {
        bytes[i] = (unsigned char)(seed * 131 + i + (i >> 8));
    }
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
        put_text(tree, "k", "the value");
        put_text(tree, "l", "the neighbour");
        masstree_guard_t *guard = new_guard(tree);
        masstree_slice_t value = UNTOUCHED;
        assert_ok(masstree_get_bytes(tree, guard, "k", 1, &value));
        fates[i](tree);
        /* Enough garbage that everything that may be freed is freed. */
        for (unsigned turn = 0; turn < 1000; turn++) {
            put_text(tree, "m", "garbage");
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

static void put_numbered(masstree_t *tree, enum family family, uint64_t number, uint64_t value)
{
    unsigned char key[FAMILY_KEY_MAX];
    unsigned char bytes[256];
    size_t len = family_key(family, number, key);
    fill_pattern(bytes, value % sizeof bytes, value);
    assert_ok(masstree_put_bytes(tree, NULL, key, len, bytes, value % sizeof bytes));
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

/* The state of a visitor of byte strings. */
struct visits {
    masstree_t *tree;
    uint32_t flags;
    uint64_t next;   /* number of the next key */
    int64_t step;    /* distance between two keys */
    size_t stop_at;
    size_t count;
    int32_t answer;
};

static int32_t check_visit(const void *key, size_t key_len, const void *value, size_t value_len,
                           void *ctx)
{
    struct visits *visits = ctx;
    unsigned char expected[256];
    uint64_t number = 0;
    assert_non_null(key);
    assert_non_null(value);
    if ((visits->flags & MASSTREE_SCAN_VALUES_ONLY) == 0) {
        assert_ok(masstree_u64_from_key(key, key_len, &number));
        assert_int_equal(visits->next, number);
    } else {
        assert_int_equal(0, key_len);
    }
    if ((visits->flags & MASSTREE_SCAN_KEYS_ONLY) == 0) {
        size_t len = visits->next % sizeof expected;
        fill_pattern(expected, len, visits->next);
        assert_int_equal(len, value_len);
        assert_memory_equal(expected, value, len);
    } else {
        assert_int_equal(0, value_len);
    }
    visits->next += (uint64_t)visits->step;
    return ++visits->count == visits->stop_at ? visits->answer : MASSTREE_VISIT_CONTINUE;
}

static void scan_hands_keys_and_values_out_in_order(void **state)
{
    (void)state;
    enum { KEYS = 1000 };
    static const uint32_t flags[] = {0, MASSTREE_SCAN_KEYS_ONLY, MASSTREE_SCAN_VALUES_ONLY};
    masstree_t *tree = new_bytes_tree();
    masstree_guard_t *guard = new_guard(tree);
    for (uint64_t number = 0; number < KEYS; number++) {
        put_numbered(tree, FAMILY_U64, number, number);
    }
    for (size_t i = 0; i < COUNT(flags); i++) {
        for (unsigned form = 0; form < 4; form++) {
            bool reverse = (form & 1) != 0;
            struct visits visits = {.tree = tree, .flags = flags[i], .step = reverse ? -1 : 1};
            masstree_range_t range = MASSTREE_RANGE_INIT;
            uint8_t lower[8];
            uint8_t upper[8];
            size_t visited = SIZE_MAX;
            size_t count = SIZE_MAX;
            masstree_u64_to_key(100, lower);
            masstree_u64_to_key(900, upper);
            range.lower = lower;
            range.lower_len = 8;
            range.lower_bound = MASSTREE_BOUND_EXCLUSIVE;
            range.upper = upper;
            range.upper_len = 8;
            range.upper_bound = MASSTREE_BOUND_INCLUSIVE;
            range.flags = flags[i] | (reverse ? MASSTREE_SCAN_REVERSE : 0);
            visits.next = reverse ? 900 : 101;
            assert_ok(masstree_scan_bytes(tree, (form & 2) != 0 ? guard : NULL, &range,
                                          check_visit, &visits, &visited));
            assert_int_equal(800, visits.count);
            assert_int_equal(800, visited);
            assert_ok(masstree_count(tree, (form & 2) != 0 ? guard : NULL, &range, &count));
            assert_int_equal(800, count);
            range.limit = 33;
            visits.next = reverse ? 900 : 101;
            visits.count = 0;
            assert_ok(masstree_scan_bytes(tree, guard, &range, check_visit, &visits, &visited));
            assert_int_equal(33, visited);
            assert_ok(masstree_count(tree, guard, &range, &count));
            assert_int_equal(33, count);
        }
    }
    masstree_guard_leave(guard);
    end_tree(tree);
}

static void scan_stops_as_its_visitor_says(void **state)
{
    (void)state;
    masstree_t *tree = new_bytes_tree();
    for (uint64_t number = 0; number < 100; number++) {
        put_numbered(tree, FAMILY_U64, number, number);
    }
    size_t visited = 0;
    struct visits visits = {.tree = tree, .step = 1, .stop_at = 20, .answer = MASSTREE_VISIT_STOP};
    assert_ok(masstree_scan_bytes(tree, NULL, NULL, check_visit, &visits, &visited));
    assert_int_equal(20, visited);
    visits = (struct visits){.tree = tree, .step = 1, .stop_at = 30, .answer = -12345};
    assert_status(-12345, masstree_scan_bytes(tree, NULL, NULL, check_visit, &visits, &visited));
    assert_int_equal(30, visited);
    assert_status(MASSTREE_INVALID, masstree_scan_bytes(tree, NULL, NULL, NULL, NULL, &visited));
    masstree_range_t range = MASSTREE_RANGE_INIT;
    range.flags = MASSTREE_SCAN_KEYS_ONLY | MASSTREE_SCAN_VALUES_ONLY;
    assert_status(MASSTREE_INVALID,
                  masstree_scan_bytes(tree, NULL, &range, check_visit, &visits, &visited));
    range.flags = 8;
    assert_status(MASSTREE_INVALID,
                  masstree_scan_bytes(tree, NULL, &range, check_visit, &visits, &visited));
    assert_int_equal(30, visited);
    end_tree(tree);
}

/* Values of a scan under the caller's guard outlive the visitor's call. */
struct kept {
    masstree_t *tree;
    masstree_slice_t first;
};

static int32_t keep_first_and_overwrite(const void *key, size_t key_len, const void *value,
                                        size_t value_len, void *ctx)
{
    struct kept *kept = ctx;
    if (kept->first.data == NULL) {
        kept->first = (masstree_slice_t){value, value_len};
    }
    return masstree_put_bytes(kept->tree, NULL, key, key_len, "new", 3);
}

static void value_of_a_scan_outlives_it_under_a_guard(void **state)
{
    (void)state;
    struct allocator allocator;
    allocator_start(&allocator);
    masstree_t *tree = new_tree_of(&allocator, MASSTREE_VALUES_BYTES);
    for (uint64_t number = 0; number < 500; number++) {
        assert_ok(masstree_put_bytes(tree, NULL, &number, 8, "the old value", 13));
    }
    struct kept kept = {.tree = tree};
    masstree_guard_t *guard = new_guard(tree);
    assert_ok(masstree_scan_bytes(tree, guard, NULL, keep_first_and_overwrite, &kept, NULL));
    assert_slice("the old value", 13, kept.first);
    masstree_guard_leave(guard);
    end_tree(tree);
    allocator_end(&allocator);
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
        cmocka_unit_test(slice_stays_as_it_was_while_its_guard_is_held),
        cmocka_unit_test(overwritten_values_are_freed_while_the_tree_lives),
        cmocka_unit_test(every_value_is_freed_once),
        cmocka_unit_test(scan_hands_keys_and_values_out_in_order),
        cmocka_unit_test(scan_stops_as_its_visitor_says),
        cmocka_unit_test(value_of_a_scan_outlives_it_under_a_guard),
        cmocka_unit_test(values_read_during_overwrites_are_consistent),
    };
    return cmocka_run_group_tests_name("bytes", tests, NULL, NULL);
}
