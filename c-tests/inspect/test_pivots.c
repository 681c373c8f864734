/* The nodes of a whole tree, written as text; and its pivots. */
#include "inspect/written.h"

static void dump_names_every_key(void **state)
{
    (void)state;
    static const uint32_t formats[] = {MASSTREE_DUMP_TEXT, MASSTREE_DUMP_GRAPHVIZ};
    masstree_t *tree = new_tree();
    masstree_t *bytes = new_bytes_tree();
    char name[40];
    for (unsigned i = 0; i < 60; i++) {
        int len = snprintf(name, sizeof name, "%s key %u", i % 2 == 0 ? "prefixed by a" : "k", i);
        assert_ok(masstree_put(tree, NULL, name, (size_t)len, i));
        assert_ok(masstree_put_bytes(bytes, NULL, name, (size_t)len, "the value", 9));
    }
    for (size_t i = 0; i < COUNT(formats); i++) {
        for (unsigned kind = 0; kind < 2; kind++) {
            struct written written = {NULL, 0};
            masstree_guard_t *guard = kind == 0 ? NULL : new_guard(bytes);
            assert_ok(masstree_dump(kind == 0 ? tree : bytes, guard, formats[i], append_text,
                                    &written));
            for (unsigned key = 0; key < 60; key++) {
                /* The bytes of the key in the last layer. */
                snprintf(name, sizeof name, "%u", key);
                assert_non_null(strstr(written.text, name));
            }
            assert_true(kind == 0 || strstr(written.text, "the value") != NULL);
            assert_int_equal(formats[i] == MASSTREE_DUMP_GRAPHVIZ,
                             strncmp(written.text, "digraph", 7) == 0);
            assert_int_equal('\n', written.text[written.len - 1]);
            free(written.text);
            masstree_guard_leave(guard);
        }
    }
    assert_status(MASSTREE_INVALID, masstree_dump(tree, NULL, 2, append_text, NULL));
    assert_status(MASSTREE_INVALID, masstree_dump(tree, NULL, MASSTREE_DUMP_TEXT, NULL, NULL));
    end_tree(tree);
    end_tree(bytes);
}

/* Pivots: each part begins at one and ends before the next. */
struct parts {
    const masstree_t *tree;
    unsigned char last[FAMILY_KEY_MAX];
    size_t last_len;
    size_t pivots;
    size_t total;
    size_t smallest;
    size_t largest;
    size_t stop_after;
    int32_t answer;
};

static void count_part(struct parts *parts, const void *upper, size_t upper_len)
{
    masstree_range_t range = MASSTREE_RANGE_INIT;
    size_t count = 0;
    if (parts->pivots > 0) {
        range.lower = parts->last;
        range.lower_len = parts->last_len;
        range.lower_bound = MASSTREE_BOUND_INCLUSIVE;
    }
    if (upper != NULL) {
        range.upper = upper;
        range.upper_len = upper_len;
        range.upper_bound = MASSTREE_BOUND_EXCLUSIVE;
    }
    assert_ok(masstree_count(parts->tree, NULL, &range, &count));
    parts->total += count;
    parts->smallest = count < parts->smallest ? count : parts->smallest;
    parts->largest = count > parts->largest ? count : parts->largest;
}

static int32_t cut(const void *key, size_t key_len, size_t index, void *ctx)
{
    struct parts *parts = ctx;
    assert_int_equal(parts->pivots, index);
    assert_in_range(key_len, 0, sizeof parts->last);
    if (parts->pivots > 0) {
        assert_true(compare_keys(parts->last, parts->last_len, key, key_len) < 0);
    }
    count_part(parts, key, key_len);
    memcpy(parts->last, key, key_len);
    parts->last_len = key_len;
    return ++parts->pivots == parts->stop_after ? parts->answer : MASSTREE_VISIT_CONTINUE;
}

static void pivots_cut_a_tree_in_parts_of_similar_size(void **state)
{
    (void)state;
    static const size_t cuts[] = {0, 1, 2, 3, 7, 15};
    for (enum family family = 0; family < FAMILIES; family++) {
        uint64_t count = scaled(50000);
        masstree_t *tree = new_tree();
        for (uint64_t number = 0; number < count; number++) {
            unsigned char key[FAMILY_KEY_MAX];
            size_t len = family_key(family, number, key);
            assert_ok(masstree_put(tree, NULL, key, len, number));
        }
        for (size_t i = 0; i < COUNT(cuts); i++) {
            struct parts parts = {.tree = tree, .smallest = SIZE_MAX};
            size_t visited = SIZE_MAX;
            assert_ok(masstree_pivots(tree, NULL, cuts[i], cut, &parts, &visited));
            assert_int_equal(parts.pivots, visited);
            assert_in_range(visited, 0, cuts[i]);
            count_part(&parts, NULL, 0);
            assert_int_equal(count, parts.total); /* each key is in exactly one part */
            if (count == 50000 && family != FAMILY_MIXED) {
                assert_int_equal(cuts[i], visited);
                assert_in_range(parts.smallest, count / (cuts[i] + 1) / 3, count);
                assert_in_range(parts.largest, 0, 3 * count / (cuts[i] + 1));
            }
        }
        end_tree(tree);
    }
}

static void pivots_return_documented_statuses(void **state)
{
    (void)state;
    masstree_t *tree = new_tree();
    struct parts parts = {.tree = tree};
    size_t visited = 99;
    assert_status(MASSTREE_INVALID, masstree_pivots(tree, NULL, 3, NULL, NULL, &visited));
    assert_int_equal(99, visited);
    assert_ok(masstree_pivots(tree, NULL, 3, cut, &parts, &visited));
    assert_int_equal(0, visited);
    for (uint64_t i = 0; i < 10000; i++) {
        assert_ok(masstree_put_u64(tree, NULL, i, i));
    }
    parts = (struct parts){.tree = tree, .stop_after = 2, .answer = MASSTREE_VISIT_STOP};
    assert_ok(masstree_pivots(tree, NULL, 7, cut, &parts, &visited));
    assert_int_equal(2, visited);
    parts = (struct parts){.tree = tree, .stop_after = 3, .answer = -4711};
    assert_status(-4711, masstree_pivots(tree, NULL, 7, cut, &parts, &visited));
    assert_int_equal(3, visited);
    end_tree(tree);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dump_names_every_key),
        cmocka_unit_test(pivots_cut_a_tree_in_parts_of_similar_size),
        cmocka_unit_test(pivots_return_documented_statuses),
    };
    return cmocka_run_group_tests_name("pivots", tests, NULL, NULL);
}
