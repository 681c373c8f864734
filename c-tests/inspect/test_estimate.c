/* Estimates of how many keys a range has. */
#include "support.h"

enum { VALUE_MAX = 50 };

static masstree_estimate_t estimate_of(const masstree_t *tree, const masstree_range_t *range,
                                       uint64_t most_nodes)
{
    masstree_estimate_t estimate = MASSTREE_ESTIMATE_INIT;
    estimate.most_nodes = most_nodes;
    assert_ok(masstree_estimate(tree, NULL, range, &estimate));
    assert_int_equal(sizeof estimate, estimate.struct_size);
    assert_int_equal(most_nodes, estimate.most_nodes);
    return estimate;
}

static masstree_range_t between(const struct entry *low, const struct entry *high)
{
    masstree_range_t range = MASSTREE_RANGE_INIT;
    range.lower_bound = MASSTREE_BOUND_INCLUSIVE;
    range.lower = low->key;
    range.lower_len = low->len;
    range.upper_bound = MASSTREE_BOUND_EXCLUSIVE;
    range.upper = high->key;
    range.upper_len = high->len;
    return range;
}

static uint64_t distance(uint64_t left, uint64_t right)
{
    return left < right ? right - left : left - right;
}

static const uint32_t kinds[] = {MASSTREE_VALUES_WORDS, MASSTREE_VALUES_BYTES,
                                 MASSTREE_VALUES_VERSIONED};

/* In a versioned tree, an older version before the one whose length counts. */
static uint64_t put_value(masstree_t *tree, uint32_t kind, const unsigned char *key, size_t len,
                          uint64_t number)
{
    static const char value[VALUE_MAX];
    size_t value_len = number % VALUE_MAX;
    switch (kind) {
    case MASSTREE_VALUES_WORDS:
        assert_ok(masstree_put(tree, NULL, key, len, number));
        return 8;
    case MASSTREE_VALUES_BYTES:
        assert_ok(masstree_put_bytes(tree, NULL, key, len, value, value_len));
        return value_len;
    default:
        assert_ok(masstree_put_at(tree, NULL, key, len, 2, MASSTREE_VERSION_VALUE, value, value_len));
        assert_ok(masstree_put_at(tree, NULL, key, len, 1, MASSTREE_VERSION_VALUE, "older", 5));
        return value_len;
    }
}

/* For each family of keys, ranges of all sizes: small ones are counted, and large ones within the
   error. The value of the model is the bytes of the key's value. Put back: in `newest_size`, the oldest
   version; in `word_size`, 0. */
static void estimates_agree_with_counts(void **state)
{
    (void)state;
    for (size_t kind = 0; kind < COUNT(kinds); kind++) {
        for (enum family family = 0; family < FAMILIES; family++) {
            masstree_options_t options = MASSTREE_OPTIONS_INIT;
            struct model model = {0};
            masstree_t *tree;
            options.value_kind = kinds[kind];
            assert_ok(masstree_create(&options, &tree));
            for (uint64_t number = 0; number < scaled(4000); number++) {
                unsigned char key[FAMILY_KEY_MAX];
                size_t len = family_key(family, number, key);
                model_put(&model, key, len, put_value(tree, kinds[kind], key, len, number));
            }
            uint64_t random = family;
            size_t outside = 0;
            enum { ROUNDS = 100 };
            for (size_t round = 0; round < ROUNDS; round++) {
                size_t span = (model.count >> round % 10) + 1;
                size_t low = random_below(&random, model.count);
                size_t high = low + random_below(&random, span);
                high = high < model.count ? high : model.count - 1;
                masstree_range_t range = between(&model.entries[low], &model.entries[high]);
                masstree_estimate_t estimate = estimate_of(tree, &range, 40);
                uint64_t bytes = 0;
                for (size_t at = low; at < high; at++) {
                    bytes += model.entries[at].len + model.entries[at].value;
                }
                if (high - low < 100 || estimate.keys_error == 0) {
                    assert_int_equal(high - low, estimate.keys);
                    assert_int_equal(bytes, estimate.bytes);
                    assert_int_equal(0, estimate.bytes_error);
                }
                outside += distance(high - low, estimate.keys) > estimate.keys_error;
                outside += distance(bytes, estimate.bytes) > estimate.bytes_error;
                estimate = estimate_of(tree, &range, UINT64_MAX);
                assert_int_equal(high - low, estimate.keys);
                assert_int_equal(bytes, estimate.bytes);
            }
            assert_in_range(outside, 0, 2 * ROUNDS / 10);
            masstree_estimate_t all = estimate_of(tree, NULL, 0);
            assert_int_equal(model.count, all.keys);
            assert_int_equal(0, all.keys_error);
            model_free(&model);
            end_tree(tree);
        }
    }
}

static void flags_choose_what_counts(void **state)
{
    (void)state;
    masstree_t *tree = new_bytes_tree();
    masstree_range_t range = MASSTREE_RANGE_INIT;
    assert_ok(masstree_put_bytes(tree, NULL, "key", 3, "value", 5));
    assert_ok(masstree_put_bytes(tree, NULL, "a longer key", 12, "v", 1));
    assert_int_equal(21, estimate_of(tree, NULL, 0).bytes);
    range.flags = MASSTREE_SCAN_KEYS_ONLY | MASSTREE_SCAN_REVERSE;
    assert_int_equal(15, estimate_of(tree, &range, 0).bytes);
    range.flags = MASSTREE_SCAN_VALUES_ONLY;
    assert_int_equal(6, estimate_of(tree, &range, 0).bytes);
    range.flags = 0;
    range.limit = 1;
    assert_int_equal(1, estimate_of(tree, &range, 0).keys);
    range.prefix = "a l";
    range.prefix_len = 3;
    assert_int_equal(13, estimate_of(tree, &range, 0).bytes);
    end_tree(tree);
}

static void estimates_return_documented_statuses(void **state)
{
    (void)state;
    struct allocator allocator;
    allocator_start(&allocator);
    masstree_t *tree = new_tree_of(&allocator, MASSTREE_VALUES_WORDS);
    masstree_t *other = new_tree();
    masstree_guard_t *guard = new_guard(other);
    masstree_range_t range = MASSTREE_RANGE_INIT;
    struct {
        masstree_estimate_t known;
        uint64_t unknown;
    } later = {.known = MASSTREE_ESTIMATE_INIT, .unknown = 7};
    masstree_estimate_t estimate = MASSTREE_ESTIMATE_INIT;
    assert_ok(masstree_put(tree, NULL, "k", 1, 1));
    assert_status(MASSTREE_INVALID, masstree_estimate(tree, NULL, NULL, NULL));
    assert_status(MASSTREE_INVALID, masstree_estimate(NULL, NULL, NULL, &estimate));
    assert_status(MASSTREE_WRONG_TREE, masstree_estimate(tree, guard, NULL, &estimate));
    range.lower_bound = MASSTREE_BOUND_INCLUSIVE;
    range.lower_len = 1;
    assert_status(MASSTREE_INVALID, masstree_estimate(tree, NULL, &range, &estimate));
    range.lower = "k";
    range.lower_len = (size_t)UINT32_MAX + 1;
    assert_status(MASSTREE_KEY_TOO_LONG, masstree_estimate(tree, NULL, &range, &estimate));
    allocator.fail_at = allocator.calls + 1;
    allocator.fail_on = true;
    assert_status(MASSTREE_NOMEM, masstree_estimate(tree, NULL, NULL, &estimate));
    allocator.fail_at = 0;
    estimate.struct_size = 8;
    assert_status(MASSTREE_INVALID, masstree_estimate(tree, NULL, NULL, &estimate));
    assert_int_equal(0, estimate.keys);
    later.known.struct_size = sizeof later;
    assert_ok(masstree_estimate(tree, NULL, NULL, &later.known));
    assert_int_equal(1, later.known.keys);
    assert_int_equal(9, later.known.bytes);
    assert_int_equal(0, later.unknown);
    masstree_guard_leave(guard);
    end_tree(other);
    end_tree(tree);
    allocator_end(&allocator);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(estimates_agree_with_counts),
        cmocka_unit_test(flags_choose_what_counts),
        cmocka_unit_test(estimates_return_documented_statuses),
    };
    return cmocka_run_group_tests_name("estimate", tests, NULL, NULL);
}
