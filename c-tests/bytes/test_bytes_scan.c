/* Scans of byte strings: keys and values in order, and how long the values stay valid. */
#include "bytes/texts.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scan_hands_keys_and_values_out_in_order),
        cmocka_unit_test(scan_stops_as_its_visitor_says),
        cmocka_unit_test(value_of_a_scan_outlives_it_under_a_guard),
    };
    return cmocka_run_group_tests_name("bytes_scan", tests, NULL, NULL);
}
