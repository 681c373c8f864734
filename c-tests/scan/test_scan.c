/* Scans: which keys they visit, compared with a sorted array. */
#include "scan/ranges.h"

static void empty_tree_has_nothing_to_visit(void **state)
{
    (void)state;
    masstree_t *tree = new_tree();
    masstree_range_t reverse = MASSTREE_RANGE_INIT;
    reverse.flags = MASSTREE_SCAN_REVERSE;
    assert_int_equal(0, visited_by(tree, NULL));
    assert_int_equal(0, visited_by(tree, &reverse));
    end_tree(tree);
}

static void assert_bounds_exact(const masstree_t *tree, const struct model *model,
                                const struct key *lower, const struct key *upper)
{
    int order = compare_keys(lower->bytes, lower->len, upper->bytes, upper->len);
    for (size_t form = 0; form < 18; form++) {
        uint32_t lower_bound = kinds[form % 3];
        uint32_t upper_bound = kinds[form / 3 % 3];
        uint32_t flags = form < 9 ? 0 : MASSTREE_SCAN_REVERSE;
        masstree_range_t range = range_of(lower_bound, lower, upper_bound, upper, flags);
        bool open = lower_bound == MASSTREE_BOUND_OPEN || upper_bound == MASSTREE_BOUND_OPEN;
        if (!open && order > 0) {
            struct counting counting = {0};
            assert_status(MASSTREE_INVALID, masstree_scan(tree, NULL, &range, count_and_answer,
                                                          &counting, NULL));
            assert_int_equal(0, counting.calls);
        } else {
            assert_scan_agrees(tree, NULL, model, &range);
        }
    }
}

/* Every second key is in the tree, so bounds are existing and absent keys. */
static void every_pair_of_bounds_is_exact_in_both_directions(void **state)
{
    (void)state;
    enum { NUMBERS = 44 };
    for (enum family family = 0; family < FAMILIES; family++) {
        struct model model = {0};
        masstree_t *tree = filled(family, NUMBERS / 2, 2, &model);
        for (uint64_t lower = 0; lower < NUMBERS; lower++) {
            struct key lower_key = key_of(family, lower);
            for (uint64_t upper = 0; upper < NUMBERS; upper++) {
                struct key upper_key = key_of(family, upper);
                assert_bounds_exact(tree, &model, &lower_key, &upper_key);
            }
        }
        model_free(&model);
        end_tree(tree);
    }
}

static void equal_bounds_are_one_key_or_none(void **state)
{
    (void)state;
    struct model model = {0};
    masstree_t *tree = filled(FAMILY_PREFIX8, 40, 1, &model);
    for (size_t i = 0; i < model.count; i++) {
        struct key key = {.len = model.entries[i].len};
        memcpy(key.bytes, model.entries[i].key, key.len);
        for (size_t form = 0; form < 4; form++) {
            masstree_range_t range =
                range_of(kinds[1 + form % 2], &key, kinds[1 + form / 2], &key, 0);
            assert_int_equal(form == 0 ? 1 : 0, visited_by(tree, &range));
            range.flags = MASSTREE_SCAN_REVERSE;
            assert_int_equal(form == 0 ? 1 : 0, visited_by(tree, &range));
        }
    }
    model_free(&model);
    end_tree(tree);
}

/* A key of the given layer: the layers above are shared bytes. */
static size_t layered_key(size_t layer, uint64_t number, unsigned char *key)
{
    memset(key, 'L', 8 * layer);
    masstree_u64_to_key(number, key + 8 * layer);
    return 8 * layer + 8;
}

static void assert_exact_without(size_t layer, size_t count, size_t from_key, size_t to_key)
{
    struct model model = {0};
    masstree_t *tree = new_tree();
    unsigned char key[32];
    put_both(tree, &model, "A", 1, 1000);
    put_both(tree, &model, "Z", 1, 1001);
    for (size_t i = 0; i < count; i++) {
        put_both(tree, &model, key, layered_key(layer, i, key), i);
    }
    for (size_t i = from_key; i < to_key; i++) {
        remove_both(tree, &model, key, layered_key(layer, i, key));
    }
    assert_agrees(tree, &model);
    masstree_range_t down = range_down_from(MASSTREE_BOUND_EXCLUSIVE, "Z", 1);
    assert_scan_agrees(tree, NULL, &model, &down);
    masstree_range_t up = range_from(MASSTREE_BOUND_EXCLUSIVE, "A", 1);
    assert_scan_agrees(tree, NULL, &model, &up);
    model_free(&model);
    end_tree(tree);
}

/* known-failures row 1: 16 keys, the last removed, and a reverse scan of that
   layer yielded nothing. Every run of removed keys, in three layers. */
static void reverse_scan_crosses_every_leaf_that_removes_emptied(void **state)
{
    (void)state;
    size_t step = scaled(40) < 40 ? 7 : 1;
    for (size_t layer = 0; layer < 3; layer++) {
        for (size_t count = 1; count <= 40; count += 1) {
            for (size_t start = 0; start < count; start += step) {
                for (size_t end = count; end > start; end -= end < step ? end : step) {
                    assert_exact_without(layer, count, start, end);
                }
            }
        }
    }
}

/* known-failures row 2: an inclusive start behaved as exclusive beyond the first
   leaf of a sublayer. */
static void inclusive_start_is_included_everywhere_in_a_sublayer(void **state)
{
    (void)state;
    for (size_t layer = 0; layer < 3; layer++) {
        struct model model = {0};
        masstree_t *tree = new_tree();
        unsigned char key[32];
        for (uint64_t i = 0; i < 100; i++) {
            put_both(tree, &model, key, layered_key(layer, i * 2, key), i);
        }
        for (uint64_t i = 0; i < 200; i++) {
            size_t len = layered_key(layer, i, key);
            for (size_t kind = 1; kind < KINDS; kind++) {
                masstree_range_t up = range_from(kinds[kind], key, len);
                masstree_range_t down = range_down_from(kinds[kind], key, len);
                assert_scan_agrees(tree, NULL, &model, &up);
                assert_scan_agrees(tree, NULL, &model, &down);
            }
        }
        model_free(&model);
        end_tree(tree);
    }
}

/* known-failures row 3: a scan began at a root of a sublayer that had split. */
static void scan_starts_right_in_a_sublayer_whose_root_has_split(void **state)
{
    (void)state;
    struct model model = {0};
    masstree_t *tree = new_tree();
    unsigned char key[32];
    uint64_t random = 3;
    for (uint64_t i = 0; i < 500; i++) {
        uint64_t number = random_below(&random, 100000);
        put_both(tree, &model, key, layered_key(1, number, key), i);
        for (uint64_t at = 0; at < 100000; at += 24999) {
            size_t len = layered_key(1, at, key);
            masstree_range_t up = range_from(MASSTREE_BOUND_INCLUSIVE, key, len);
            masstree_range_t down = range_down_from(MASSTREE_BOUND_INCLUSIVE, key, len);
            assert_scan_agrees(tree, NULL, &model, &up);
            assert_scan_agrees(tree, NULL, &model, &down);
        }
    }
    model_free(&model);
    end_tree(tree);
}

static void prefix_selects_exactly_the_keys_that_begin_with_it(void **state)
{
    (void)state;
    for (enum family family = 0; family < FAMILIES; family++) {
        struct model model = {0};
        masstree_t *tree = filled(family, 150, 1, &model);
        for (uint64_t number = 0; number < 300; number += 3) {
            struct key key = key_of(family, number);
            for (size_t len = 0; len <= key.len; len++) {
                masstree_range_t range = range_of_prefix(key.bytes, len, 0);
                assert_scan_agrees(tree, NULL, &model, &range);
                range.flags = MASSTREE_SCAN_REVERSE;
                assert_scan_agrees(tree, NULL, &model, &range);
            }
        }
        model_free(&model);
        end_tree(tree);
    }
}

/* No string follows these prefixes directly: the end of their range is the end of a layer or of
   the tree. */
static void prefix_of_all_ones_ends_where_the_tree_ends(void **state)
{
    (void)state;
    unsigned char ones[40];
    struct model model = {0};
    masstree_t *tree = new_tree();
    memset(ones, 0xFF, sizeof ones);
    for (size_t len = 0; len <= sizeof ones; len++) {
        put_both(tree, &model, ones, len, len);
        unsigned char below[41];
        memcpy(below, ones, len);
        below[len] = 0xFE;
        put_both(tree, &model, below, len + 1, len + 1000);
    }
    for (size_t len = 0; len <= sizeof ones; len++) {
        masstree_range_t range = range_of_prefix(ones, len, 0);
        assert_scan_agrees(tree, NULL, &model, &range);
        range.flags = MASSTREE_SCAN_REVERSE;
        assert_scan_agrees(tree, NULL, &model, &range);
    }
    model_free(&model);
    end_tree(tree);
}

static void prefix_and_bounds_are_both_kept(void **state)
{
    (void)state;
    struct model model = {0};
    masstree_t *tree = filled(FAMILY_PREFIX8, 300, 1, &model);
    for (uint64_t number = 0; number < 30; number++) {
        struct key prefix = key_of(FAMILY_PREFIX8, number);
        for (uint64_t lower = 0; lower < 300; lower += 41) {
            struct key lower_key = key_of(FAMILY_PREFIX8, lower);
            for (size_t form = 0; form < 18; form++) {
                struct key upper_key = key_of(FAMILY_PREFIX8, 9);
                masstree_range_t range =
                    range_of(kinds[form % 3], &lower_key, kinds[form / 3 % 3], &upper_key,
                             form < 9 ? 0 : MASSTREE_SCAN_REVERSE);
                if (compare_keys(lower_key.bytes, lower_key.len, upper_key.bytes,
                                 upper_key.len) > 0) {
                    range.upper_bound = MASSTREE_BOUND_OPEN;
                }
                range.prefix = prefix.bytes;
                range.prefix_len = prefix.len;
                assert_scan_agrees(tree, NULL, &model, &range);
            }
        }
    }
    model_free(&model);
    end_tree(tree);
}

static void limit_is_kept_to_the_key(void **state)
{
    (void)state;
    for (enum family family = 0; family < FAMILIES; family++) {
        struct model model = {0};
        masstree_t *tree = filled(family, 70, 1, &model);
        for (size_t limit = 0; limit <= 72; limit++) {
            masstree_range_t range = MASSTREE_RANGE_INIT;
            range.limit = limit;
            assert_int_equal(limit == 0 || limit > 70 ? 70 : limit, visited_by(tree, &range));
            assert_scan_agrees(tree, NULL, &model, &range);
            range.flags = MASSTREE_SCAN_REVERSE;
            assert_int_equal(limit == 0 || limit > 70 ? 70 : limit, visited_by(tree, &range));
            assert_scan_agrees(tree, NULL, &model, &range);
        }
        model_free(&model);
        end_tree(tree);
    }
}

static void count_returns_documented_statuses(void **state)
{
    (void)state;
    struct model model = {0};
    masstree_t *tree = filled(FAMILY_PREFIX8, 500, 1, &model);
    masstree_guard_t *guard = new_guard(tree);
    size_t count = 99;
    assert_ok(masstree_count(tree, guard, NULL, &count));
    assert_int_equal(500, count);
    assert_ok(masstree_count(tree, NULL, NULL, NULL));
    masstree_range_t range = range_of_prefix("pppppppp1", 9, 0);
    assert_ok(masstree_count(tree, guard, &range, &count));
    size_t begin_so = 0;
    for (size_t i = 0; i < model.count; i++) {
        begin_so += model.entries[i].len > 8 && model.entries[i].key[8] == '1' ? 1 : 0;
    }
    assert_true(begin_so > 0);
    assert_int_equal(begin_so, count);
    range.limit = 7;
    assert_ok(masstree_count(tree, guard, &range, &count));
    assert_int_equal(7, count);
    range = range_from(3, "a", 1);
    assert_status(MASSTREE_INVALID, masstree_count(tree, guard, &range, &count));
    range = (masstree_range_t)MASSTREE_RANGE_INIT;
    range.struct_size = 8;
    assert_status(MASSTREE_INVALID, masstree_count(tree, guard, &range, &count));
    assert_int_equal(7, count);
    masstree_guard_leave(guard);
    model_free(&model);
    end_tree(tree);
}

/* known-failures row 9: keys over 255 bytes overflowed a scan's buffer. */
static void keys_of_every_awkward_length_are_visited_whole(void **state)
{
    (void)state;
    static const size_t lengths[] = {0, 1, 7, 8, 9, 255, 256, 257, 4096, 1 << 20};
    static unsigned char key[1 << 20];
    struct model model = {0};
    masstree_t *tree = new_tree();
    memset(key, 'k', sizeof key);
    for (size_t i = 0; i < COUNT(lengths); i++) {
        put_both(tree, &model, key, lengths[i], i);
        if (lengths[i] != 0) {
            key[lengths[i] - 1] = 'm'; /* different in the last byte only */
            put_both(tree, &model, key, lengths[i], i + 100);
            key[lengths[i] - 1] = 'k';
        }
    }
    assert_agrees(tree, &model);
    for (size_t i = 0; i < COUNT(lengths); i++) {
        for (size_t kind = 1; kind < KINDS; kind++) {
            masstree_range_t up = range_from(kinds[kind], key, lengths[i]);
            masstree_range_t down = range_down_from(kinds[kind], key, lengths[i]);
            assert_scan_agrees(tree, NULL, &model, &up);
            assert_scan_agrees(tree, NULL, &model, &down);
        }
        masstree_range_t range = range_of_prefix(key, lengths[i], 0);
        assert_scan_agrees(tree, NULL, &model, &range);
    }
    model_free(&model);
    end_tree(tree);
}

/* A scan in pages, each starting after the last key of the one before. */
struct page {
    struct key last;
    size_t total;
};

static int32_t remember_last(const void *key, size_t key_len, uint64_t value, void *ctx)
{
    struct page *page = ctx;
    (void)value;
    if (key_len > sizeof page->last.bytes) {
        return -1;
    }
    memcpy(page->last.bytes, key, key_len);
    page->last.len = key_len;
    page->total++;
    return MASSTREE_VISIT_CONTINUE;
}

static size_t total_in_pages(const masstree_t *tree, size_t limit, bool reverse)
{
    struct page page = {0};
    struct key bound;
    masstree_range_t range = MASSTREE_RANGE_INIT;
    range.limit = limit;
    range.flags = reverse ? MASSTREE_SCAN_REVERSE : 0;
    for (;;) {
        size_t visited = 0;
        assert_ok(masstree_scan(tree, NULL, &range, remember_last, &page, &visited));
        if (visited < limit) {
            return page.total;
        }
        bound = page.last;
        range = reverse ? range_down_from(MASSTREE_BOUND_EXCLUSIVE, bound.bytes, bound.len)
                        : range_from(MASSTREE_BOUND_EXCLUSIVE, bound.bytes, bound.len);
        range.limit = limit;
    }
}

static void scan_in_pages_visits_the_same_keys_as_one_scan(void **state)
{
    (void)state;
    for (enum family family = 0; family < FAMILIES; family++) {
        struct model model = {0};
        masstree_t *tree = filled(family, 500, 1, &model);
        for (size_t limit = 1; limit < 40; limit += 6) {
            assert_int_equal(500, total_in_pages(tree, limit, false));
            assert_int_equal(500, total_in_pages(tree, limit, true));
        }
        model_free(&model);
        end_tree(tree);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(empty_tree_has_nothing_to_visit),
        cmocka_unit_test(every_pair_of_bounds_is_exact_in_both_directions),
        cmocka_unit_test(equal_bounds_are_one_key_or_none),
        cmocka_unit_test(reverse_scan_crosses_every_leaf_that_removes_emptied),
        cmocka_unit_test(inclusive_start_is_included_everywhere_in_a_sublayer),
        cmocka_unit_test(scan_starts_right_in_a_sublayer_whose_root_has_split),
        cmocka_unit_test(prefix_selects_exactly_the_keys_that_begin_with_it),
        cmocka_unit_test(prefix_of_all_ones_ends_where_the_tree_ends),
        cmocka_unit_test(prefix_and_bounds_are_both_kept),
        cmocka_unit_test(limit_is_kept_to_the_key),
        cmocka_unit_test(count_returns_documented_statuses),
        cmocka_unit_test(keys_of_every_awkward_length_are_visited_whole),
        cmocka_unit_test(scan_in_pages_visits_the_same_keys_as_one_scan),
    };
    return cmocka_run_group_tests_name("scan", tests, NULL, NULL);
}
