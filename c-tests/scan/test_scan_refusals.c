/* Ranges and other arguments of a scan that are refused, and which fields are not read. */
#include "scan/ranges.h"

#include <sys/mman.h>

static void assert_refused(int32_t status, const masstree_t *tree, const masstree_range_t *range)
{
    struct counting counting = {0};
    size_t visited = 4242;
    assert_status(status, masstree_scan(tree, NULL, range, count_and_answer, &counting, &visited));
    assert_int_equal(0, counting.calls);
    assert_int_equal(4242, visited);
}

static void malformed_arguments_are_refused_and_nothing_is_written(void **state)
{
    (void)state;
    struct model model = {0};
    masstree_t *tree = filled(FAMILY_U64, 5, 1, &model);
    size_t visited = 4242;
    assert_refused(MASSTREE_INVALID, NULL, NULL);
    assert_status(MASSTREE_INVALID, masstree_scan(tree, NULL, NULL, NULL, NULL, &visited));
    assert_int_equal(4242, visited);

    masstree_range_t range = range_from(MASSTREE_BOUND_INCLUSIVE, NULL, 1);
    assert_refused(MASSTREE_INVALID, tree, &range);
    range = range_from(MASSTREE_BOUND_EXCLUSIVE, NULL, 1);
    assert_refused(MASSTREE_INVALID, tree, &range);
    range = range_down_from(MASSTREE_BOUND_INCLUSIVE, NULL, 1);
    assert_refused(MASSTREE_INVALID, tree, &range);
    range = range_of_prefix(NULL, 1, 0);
    assert_refused(MASSTREE_INVALID, tree, &range);
    range = range_from(3, "a", 1);
    assert_refused(MASSTREE_INVALID, tree, &range);
    range = range_down_from(UINT32_MAX, "a", 1);
    assert_refused(MASSTREE_INVALID, tree, &range);
    for (uint32_t flag = 8; flag != 0; flag <<= 1) {
        range = (masstree_range_t)MASSTREE_RANGE_INIT;
        range.flags = flag;
        assert_refused(MASSTREE_INVALID, tree, &range);
    }
    range.flags = MASSTREE_SCAN_KEYS_ONLY | MASSTREE_SCAN_VALUES_ONLY;
    assert_refused(MASSTREE_INVALID, tree, &range);
    range = (masstree_range_t)MASSTREE_RANGE_INIT;
    range.reserved = 1;
    assert_refused(MASSTREE_INVALID, tree, &range);
    model_free(&model);
    end_tree(tree);
}

static void guard_of_another_tree_is_refused(void **state)
{
    (void)state;
    masstree_t *tree = new_tree();
    masstree_t *other = new_tree();
    masstree_guard_t *foreign = NULL;
    struct counting counting = {0};
    size_t visited = 4242;
    assert_ok(masstree_put(tree, NULL, "k", 1, 1));
    assert_ok(masstree_guard_enter(other, &foreign));
    assert_status(MASSTREE_WRONG_TREE,
                  masstree_scan(tree, foreign, NULL, count_and_answer, &counting, &visited));
    assert_int_equal(0, counting.calls);
    assert_int_equal(4242, visited);
    masstree_guard_leave(foreign);
    end_tree(other);
    end_tree(tree);
}

static void bounds_over_the_limit_are_refused(void **state)
{
    (void)state;
    size_t too_long = (size_t)UINT32_MAX + 1;
    masstree_t *tree = new_tree();
    void *bytes =
        mmap(NULL, too_long, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    assert_true(bytes != MAP_FAILED);
    masstree_range_t range = range_from(MASSTREE_BOUND_INCLUSIVE, bytes, too_long);
    assert_refused(MASSTREE_KEY_TOO_LONG, tree, &range);
    range = range_down_from(MASSTREE_BOUND_EXCLUSIVE, bytes, too_long);
    assert_refused(MASSTREE_KEY_TOO_LONG, tree, &range);
    range = range_of_prefix(bytes, too_long, 0);
    assert_refused(MASSTREE_KEY_TOO_LONG, tree, &range);
    munmap(bytes, too_long);
    end_tree(tree);
}

static void open_bounds_other_fields_are_not_read(void **state)
{
    (void)state;
    struct model model = {0};
    masstree_t *tree = filled(FAMILY_U64, 30, 1, &model);
    struct page_end pages = page_end_new(1);
    masstree_range_t range = MASSTREE_RANGE_INIT;
    range.lower_len = 17;
    range.upper_len = SIZE_MAX;
    assert_int_equal(30, visited_by(tree, &range));
    range.lower = pages.mapping + pages.usable; /* not readable */
    range.upper = pages.mapping + pages.usable;
    assert_int_equal(30, visited_by(tree, &range));
    range.flags = MASSTREE_SCAN_REVERSE;
    assert_int_equal(30, visited_by(tree, &range));
    page_end_free(&pages);
    model_free(&model);
    end_tree(tree);
}

struct later_range {
    masstree_range_t known;
    uint64_t unknown[2];
};

static void range_of_a_later_version_works_if_new_fields_are_zero(void **state)
{
    (void)state;
    struct model model = {0};
    masstree_t *tree = filled(FAMILY_U64, 30, 1, &model);
    struct later_range later = {.known = MASSTREE_RANGE_INIT};
    later.known.struct_size = sizeof later;
    later.known.limit = 10;
    assert_int_equal(10, visited_by(tree, &later.known));
    for (size_t byte = 0; byte < sizeof later.unknown; byte++) {
        memset(later.unknown, 0, sizeof later.unknown);
        ((unsigned char *)later.unknown)[byte] = 1;
        assert_refused(MASSTREE_INVALID, tree, &later.known);
    }
    static const size_t sizes[] = {0, 1, sizeof(size_t), sizeof(masstree_range_t) - 1, SIZE_MAX};
    for (size_t i = 0; i < COUNT(sizes); i++) {
        masstree_range_t range = MASSTREE_RANGE_INIT;
        range.struct_size = sizes[i];
        assert_refused(MASSTREE_INVALID, tree, &range);
    }
    model_free(&model);
    end_tree(tree);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(malformed_arguments_are_refused_and_nothing_is_written),
        cmocka_unit_test(guard_of_another_tree_is_refused),
        cmocka_unit_test(bounds_over_the_limit_are_refused),
        cmocka_unit_test(open_bounds_other_fields_are_not_read),
        cmocka_unit_test(range_of_a_later_version_works_if_new_fields_are_zero),
    };
    return cmocka_run_group_tests_name("scan_refusals", tests, NULL, NULL);
}
