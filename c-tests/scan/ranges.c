#include "scan/ranges.h"

const uint32_t kinds[KINDS] = {MASSTREE_BOUND_OPEN, MASSTREE_BOUND_INCLUSIVE,
                               MASSTREE_BOUND_EXCLUSIVE};

struct key key_of(enum family family, uint64_t number)
{
    struct key key;
    key.len = family_key(family, number, key.bytes);
    return key;
}

masstree_range_t range_of(uint32_t lower_bound, const struct key *lower, uint32_t upper_bound,
                          const struct key *upper, uint32_t flags)
{
    masstree_range_t range = MASSTREE_RANGE_INIT;
    range.lower_bound = lower_bound;
    range.lower = lower->bytes;
    range.lower_len = lower->len;
    range.upper_bound = upper_bound;
    range.upper = upper->bytes;
    range.upper_len = upper->len;
    range.flags = flags;
    return range;
}

masstree_range_t range_from(uint32_t lower_bound, const void *lower, size_t lower_len)
{
    masstree_range_t range = MASSTREE_RANGE_INIT;
    range.lower_bound = lower_bound;
    range.lower = lower;
    range.lower_len = lower_len;
    return range;
}

masstree_range_t range_down_from(uint32_t upper_bound, const void *upper, size_t upper_len)
{
    masstree_range_t range = MASSTREE_RANGE_INIT;
    range.upper_bound = upper_bound;
    range.upper = upper;
    range.upper_len = upper_len;
    range.flags = MASSTREE_SCAN_REVERSE;
    return range;
}

masstree_range_t range_of_prefix(const void *prefix, size_t prefix_len, uint32_t flags)
{
    masstree_range_t range = MASSTREE_RANGE_INIT;
    range.prefix = prefix;
    range.prefix_len = prefix_len;
    range.flags = flags;
    return range;
}

int32_t count_and_answer(const void *key, size_t key_len, uint64_t value, void *ctx)
{
    struct counting *counting = ctx;
    (void)key;
    (void)key_len;
    (void)value;
    return ++counting->calls == counting->at ? counting->answer : MASSTREE_VISIT_CONTINUE;
}

size_t visited_by(const masstree_t *tree, const masstree_range_t *range)
{
    struct counting counting = {0};
    size_t visited = SIZE_MAX;
    assert_ok(masstree_scan(tree, NULL, range, count_and_answer, &counting, &visited));
    assert_int_equal(counting.calls, visited);
    return visited;
}

masstree_t *filled(enum family family, uint64_t count, uint64_t step, struct model *model)
{
    masstree_t *tree = new_tree();
    for (uint64_t i = 0; i < count; i++) {
        struct key key = key_of(family, i * step);
        put_both(tree, model, key.bytes, key.len, i);
    }
    return tree;
}
