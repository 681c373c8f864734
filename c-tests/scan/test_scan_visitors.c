/* What scans pass to their visitors, and what visitors may return and do. */
#include "scan/ranges.h"

static void visitor_stops_the_scan_where_it_says(void **state)
{
    (void)state;
    struct model model = {0};
    masstree_t *tree = filled(FAMILY_PREFIX16, 60, 1, &model);
    static const int32_t positive[] = {MASSTREE_VISIT_STOP, 2, INT32_MAX};
    for (size_t at = 1; at <= 60; at++) {
        for (size_t i = 0; i < COUNT(positive); i++) {
            for (uint32_t flags = 0; flags <= MASSTREE_SCAN_REVERSE; flags++) {
                struct counting counting = {.at = at, .answer = positive[i]};
                masstree_range_t range = MASSTREE_RANGE_INIT;
                size_t visited = SIZE_MAX;
                range.flags = flags;
                assert_ok(masstree_scan(tree, NULL, &range, count_and_answer, &counting,
                                        &visited));
                assert_int_equal(at, counting.calls);
                assert_int_equal(at, visited);
            }
        }
    }
    model_free(&model);
    end_tree(tree);
}

static void visitors_negative_result_is_the_status_of_the_scan(void **state)
{
    (void)state;
    struct model model = {0};
    masstree_t *tree = filled(FAMILY_U64, 60, 1, &model);
    static const int32_t negative[] = {-1, -77, MASSTREE_CORRUPT, INT32_MIN};
    for (size_t i = 0; i < COUNT(negative); i++) {
        struct counting counting = {.at = 33, .answer = negative[i]};
        size_t visited = SIZE_MAX;
        /* In parentheses, so not noted (statuses/note.h): some are statuses too. */
        assert_status(negative[i],
                      (masstree_scan)(tree, NULL, NULL, count_and_answer, &counting, &visited));
        assert_int_equal(33, counting.calls);
        assert_int_equal(33, visited);
        counting.calls = 0;
        assert_status(negative[i],
                      (masstree_scan)(tree, NULL, NULL, count_and_answer, &counting, NULL));
    }
    struct counting counting = {.at = 1, .answer = -77};
    assert_status(-77, masstree_scan(tree, NULL, NULL, count_and_answer, &counting, NULL));
    model_free(&model);
    end_tree(tree);
}

/* known-failures row 15: scans of values only compared 8 bytes of a bound. */
struct values {
    uint64_t keys; /* calls of the visitor that got a key */
    uint64_t sum;
    size_t visits;
};

static int32_t add_value(const void *key, size_t key_len, uint64_t value, void *ctx)
{
    struct values *values = ctx;
    assert_non_null(key);
    values->keys += key_len != 0 ? 1 : 0;
    values->sum += value;
    values->visits++;
    return MASSTREE_VISIT_CONTINUE;
}

static void try_flavours(const masstree_t *tree, const struct model *model, size_t lower,
                         size_t upper, unsigned form)
{
    static const uint32_t flavours[] = {0, MASSTREE_SCAN_KEYS_ONLY, MASSTREE_SCAN_VALUES_ONLY};
    const struct entry *first = &model->entries[lower];
    const struct entry *last = &model->entries[upper];
    masstree_range_t range = MASSTREE_RANGE_INIT;
    size_t expected = 0;
    uint64_t sum = 0;
    bool has_empty_key = false;
    range.lower = first->key;
    range.lower_len = first->len;
    range.lower_bound = (form & 1) != 0 ? MASSTREE_BOUND_INCLUSIVE : MASSTREE_BOUND_EXCLUSIVE;
    range.upper = last->key;
    range.upper_len = last->len;
    range.upper_bound = (form & 2) != 0 ? MASSTREE_BOUND_INCLUSIVE : MASSTREE_BOUND_EXCLUSIVE;
    for (size_t i = lower; i <= upper; i++) {
        if ((i != lower || (form & 1) != 0) && (i != upper || (form & 2) != 0)) {
            has_empty_key |= model->entries[i].len == 0;
            sum += model->entries[i].value;
            expected++;
        }
    }
    for (size_t i = 0; i < COUNT(flavours); i++) {
        struct values values = {0};
        size_t count = SIZE_MAX;
        range.flags = flavours[i] | ((form & 4) != 0 ? MASSTREE_SCAN_REVERSE : 0);
        assert_ok(masstree_scan(tree, NULL, &range, add_value, &values, NULL));
        assert_int_equal(expected, values.visits);
        assert_int_equal(flavours[i] == MASSTREE_SCAN_KEYS_ONLY ? 0 : sum, values.sum);
        assert_int_equal(flavours[i] == MASSTREE_SCAN_VALUES_ONLY
                             ? 0
                             : expected - (has_empty_key ? 1 : 0),
                         values.keys);
        assert_ok(masstree_count(tree, NULL, &range, &count));
        assert_int_equal(expected, count);
    }
}

static void bounds_are_exact_in_every_flavour(void **state)
{
    (void)state;
    for (enum family family = 0; family < FAMILIES; family++) {
        struct model model = {0};
        masstree_t *tree = filled(family, 60, 1, &model);
        for (size_t lower = 0; lower < model.count; lower++) {
            for (size_t upper = lower + 1; upper < model.count; upper++) {
                for (unsigned form = 0; form < 8; form++) {
                    try_flavours(tree, &model, lower, upper, form);
                }
            }
        }
        model_free(&model);
        end_tree(tree);
    }
}

/* Visitors that call the library. */
struct calling_back {
    masstree_t *tree;
    masstree_guard_t *guard;
    size_t calls;
    size_t failures;
    struct key last;
    bool reverse;
};

/* Counts violations and failures, so that no assertion jumps out of the library. */
static void expect(struct calling_back *calling, bool condition)
{
    calling->failures += condition ? 0 : 1;
}

static void expect_in_order(struct calling_back *calling, const void *key, size_t key_len)
{
    if (calling->calls++ > 0) {
        int order = compare_keys(calling->last.bytes, calling->last.len, key, key_len);
        expect(calling, calling->reverse ? order > 0 : order < 0);
    }
    if (key_len <= sizeof calling->last.bytes) {
        memcpy(calling->last.bytes, key, key_len);
        calling->last.len = key_len;
    } else {
        expect(calling, false);
    }
}

static int32_t remove_what_is_visited(const void *key, size_t key_len, uint64_t value, void *ctx)
{
    struct calling_back *calling = ctx;
    uint64_t old = ~value;
    expect_in_order(calling, key, key_len);
    int32_t status = masstree_remove(calling->tree, calling->guard, key, key_len, &old);
    expect(calling, status == MASSTREE_OK && old == value);
    return MASSTREE_VISIT_CONTINUE;
}

static void visitor_that_removes_each_key_empties_the_tree(void **state)
{
    (void)state;
    for (enum family family = 0; family < FAMILIES; family++) {
        for (unsigned form = 0; form < 4; form++) {
            struct model model = {0};
            masstree_t *tree = filled(family, 700, 1, &model);
            struct calling_back calling = {.tree = tree, .reverse = (form & 1) != 0};
            masstree_range_t range = MASSTREE_RANGE_INIT;
            range.flags = calling.reverse ? MASSTREE_SCAN_REVERSE : 0;
            if ((form & 2) != 0) {
                assert_ok(masstree_guard_enter(tree, &calling.guard));
            }
            assert_ok(masstree_scan(tree, calling.guard, &range, remove_what_is_visited, &calling,
                                    NULL));
            masstree_guard_leave(calling.guard);
            assert_int_equal(700, calling.calls);
            assert_int_equal(0, calling.failures);
            assert_int_equal(0, tree_len(tree));
            assert_int_equal(0, visited_by(tree, NULL));
            model_free(&model);
            end_tree(tree);
        }
    }
}

/* Inserts, beside each visited key, one just before and one just after it. */
static int32_t insert_around_what_is_visited(const void *key, size_t key_len, uint64_t value,
                                             void *ctx)
{
    struct calling_back *calling = ctx;
    unsigned char longer[FAMILY_KEY_MAX + 8];
    expect_in_order(calling, key, key_len);
    if (value == 1) { /* one of those added here */
        return MASSTREE_VISIT_CONTINUE;
    }
    if (key_len > FAMILY_KEY_MAX) {
        return -1;
    }
    memcpy(longer, key, key_len);
    memcpy(longer + key_len, "\0after", 6);
    expect(calling, masstree_put(calling->tree, NULL, longer, key_len + 6, 1) == MASSTREE_OK);
    expect(calling, masstree_put(calling->tree, NULL, longer, key_len + 1, 1) == MASSTREE_OK);
    return MASSTREE_VISIT_CONTINUE;
}

static void visitor_that_inserts_around_it_leaves_the_scan_in_order(void **state)
{
    (void)state;
    for (enum family family = 0; family < FAMILIES; family++) {
        for (uint32_t flags = 0; flags <= MASSTREE_SCAN_REVERSE; flags++) {
            masstree_t *tree = new_tree();
            for (uint64_t i = 0; i < 400; i++) {
                struct key key = key_of(family, i);
                assert_ok(masstree_put(tree, NULL, key.bytes, key.len, 0));
            }
            struct calling_back calling = {.tree = tree, .reverse = flags != 0};
            masstree_range_t range = MASSTREE_RANGE_INIT;
            range.flags = flags;
            assert_ok(masstree_scan(tree, NULL, &range, insert_around_what_is_visited, &calling,
                                    NULL));
            assert_int_equal(0, calling.failures);
            assert_in_range(calling.calls, 400, 1200);
            assert_int_equal(1200, tree_len(tree));
            end_tree(tree);
        }
    }
}

static int32_t scan_once_more(const void *key, size_t key_len, uint64_t value, void *ctx)
{
    struct calling_back *calling = ctx;
    struct counting counting = {0};
    (void)value;
    masstree_range_t up = range_from(MASSTREE_BOUND_EXCLUSIVE, key, key_len);
    masstree_range_t down = range_down_from(MASSTREE_BOUND_INCLUSIVE, key, key_len);
    calling->calls++;
    expect(calling, masstree_scan(calling->tree, calling->guard, &up, count_and_answer, &counting,
                                  NULL) == MASSTREE_OK);
    expect(calling, counting.calls == 100 - calling->calls);
    expect(calling, masstree_scan(calling->tree, NULL, &down, count_and_answer, &counting, NULL) ==
                        MASSTREE_OK);
    expect(calling, counting.calls == 100);
    return MASSTREE_VISIT_CONTINUE;
}

/* The key passed to the visitor serves as the bound of a nested scan. */
static void scans_nest(void **state)
{
    (void)state;
    for (enum family family = 0; family < FAMILIES; family++) {
        struct model model = {0};
        struct calling_back calling = {.tree = filled(family, 100, 1, &model)};
        assert_ok(masstree_guard_enter(calling.tree, &calling.guard));
        assert_ok(masstree_scan(calling.tree, calling.guard, NULL, scan_once_more, &calling,
                                NULL));
        masstree_guard_leave(calling.guard);
        assert_int_equal(100, calling.calls);
        assert_int_equal(0, calling.failures);
        model_free(&model);
        end_tree(calling.tree);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(visitor_stops_the_scan_where_it_says),
        cmocka_unit_test(visitors_negative_result_is_the_status_of_the_scan),
        cmocka_unit_test(bounds_are_exact_in_every_flavour),
        cmocka_unit_test(visitor_that_removes_each_key_empties_the_tree),
        cmocka_unit_test(visitor_that_inserts_around_it_leaves_the_scan_in_order),
        cmocka_unit_test(scans_nest),
    };
    return cmocka_run_group_tests_name("scan_visitors", tests, NULL, NULL);
}
