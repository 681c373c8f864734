/* masstree_len and masstree_check. */
#include "support.h"

struct text {
    size_t pieces;
};

static void count_pieces(const char *text, size_t len, void *ctx)
{
    (void)text;
    (void)len;
    ((struct text *)ctx)->pieces++;
}

static void assert_check_is_silent(const masstree_t *tree)
{
    struct text text = {0};
    assert_consistent(tree);
    assert_ok(masstree_check(tree, NULL, count_pieces, &text));
    assert_int_equal(0, text.pieces);
    assert_ok(masstree_check(tree, NULL, NULL, NULL));
}

static void len_counts_keys_and_not_calls(void **state)
{
    (void)state;
    masstree_t *tree = new_tree();
    assert_int_equal(0, tree_len(tree));
    assert_ok(masstree_put(tree, NULL, "a", 1, 1));
    assert_int_equal(1, tree_len(tree));
    assert_ok(masstree_put(tree, NULL, "a", 1, 2));
    assert_status(MASSTREE_EXISTS, masstree_insert(tree, NULL, "a", 1, 2, NULL));
    assert_ok(masstree_exchange(tree, NULL, "a", 1, 2, NULL));
    assert_int_equal(1, tree_len(tree));
    assert_status(MASSTREE_NOT_FOUND, masstree_exchange(tree, NULL, "b", 1, 2, NULL));
    assert_ok(masstree_insert(tree, NULL, "c", 1, 2, NULL));
    assert_int_equal(3, tree_len(tree));
    assert_status(MASSTREE_NOT_FOUND, masstree_remove(tree, NULL, "d", 1, NULL));
    assert_int_equal(3, tree_len(tree));
    assert_ok(masstree_remove(tree, NULL, "b", 1, NULL));
    assert_int_equal(2, tree_len(tree));
    end_tree(tree);
}

static void len_counts_the_keys_of_every_layer(void **state)
{
    (void)state;
    for (enum family family = 0; family < FAMILIES; family++) {
        masstree_t *tree = new_tree();
        for (uint64_t number = 0; number < 3000; number++) {
            unsigned char key[FAMILY_KEY_MAX];
            size_t len = family_key(family, number, key);
            assert_ok(masstree_put(tree, NULL, key, len, number));
            assert_int_equal(number + 1, tree_len(tree));
        }
        end_tree(tree);
    }
}

/* What many threads added and took away is the sum of it once they are done. */
static void add_and_take_away(void *arg)
{
    masstree_t *tree = *(masstree_t **)arg;
    uint64_t base = (uint64_t)(uintptr_t)arg << 32;
    for (uint64_t i = 0; i < 3000; i++) {
        REQUIRE(masstree_put_u64(tree, NULL, base + i, i) == MASSTREE_OK);
    }
    for (uint64_t i = 0; i < 3000; i += 3) {
        REQUIRE(masstree_remove_u64(tree, NULL, base + i, NULL) == MASSTREE_OK);
    }
}

static void len_is_exact_when_threads_are_done(void **state)
{
    (void)state;
    masstree_t *tree = new_tree();
    masstree_t *args[] = {tree, tree, tree, tree};
    void (*const run[])(void *) = {add_and_take_away, add_and_take_away, add_and_take_away,
                                   add_and_take_away};
    run_together(COUNT(run), run, args, sizeof args[0]);
    assert_int_equal(4 * 2000, tree_len(tree));
    end_tree(tree);
}

static void len_answers_as_documented(void **state)
{
    (void)state;
    masstree_t *tree = new_tree();
    uint64_t len = 99;
    assert_status(MASSTREE_INVALID, masstree_len(NULL, &len));
    assert_int_equal(99, len);
    assert_ok(masstree_len(tree, NULL));
    end_tree(tree);
}

static void check_answers_as_documented(void **state)
{
    (void)state;
    struct text text = {0};
    masstree_t *tree = new_tree();
    masstree_t *other = new_tree();
    masstree_guard_t *guard = NULL;
    masstree_guard_t *foreign = NULL;
    assert_ok(masstree_guard_enter(tree, &guard));
    assert_ok(masstree_guard_enter(other, &foreign));
    assert_ok(masstree_check(tree, guard, count_pieces, &text));
    assert_status(MASSTREE_WRONG_TREE, masstree_check(tree, foreign, count_pieces, &text));
    assert_status(MASSTREE_INVALID, masstree_check(NULL, NULL, count_pieces, &text));
    assert_status(MASSTREE_INVALID, masstree_check(NULL, guard, NULL, NULL));
    assert_int_equal(0, text.pieces);
    masstree_guard_leave(guard);
    masstree_guard_leave(foreign);
    end_tree(tree);
    end_tree(other);
}

/* The shapes a tree goes through: empty, one leaf, split, layers, empty again. */
static void check_finds_nothing_wrong_in_any_shape(void **state)
{
    (void)state;
    for (enum family family = 0; family < FAMILIES; family++) {
        masstree_t *tree = new_tree();
        assert_check_is_silent(tree);
        for (uint64_t number = 0; number < 300; number++) {
            unsigned char key[FAMILY_KEY_MAX];
            size_t len = family_key(family, number, key);
            assert_ok(masstree_put(tree, NULL, key, len, number));
            assert_check_is_silent(tree);
        }
        for (uint64_t number = 0; number < 300; number++) {
            unsigned char key[FAMILY_KEY_MAX];
            size_t len = family_key(family, (number * 7) % 300, key);
            assert_ok(masstree_remove(tree, NULL, key, len, NULL));
            assert_check_is_silent(tree);
        }
        assert_int_equal(0, tree_len(tree));
        masstree_destroy(tree);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(len_counts_keys_and_not_calls),
        cmocka_unit_test(len_counts_the_keys_of_every_layer),
        cmocka_unit_test(len_is_exact_when_threads_are_done),
        cmocka_unit_test(len_answers_as_documented),
        cmocka_unit_test(check_answers_as_documented),
        cmocka_unit_test(check_finds_nothing_wrong_in_any_shape),
    };
    return cmocka_run_group_tests_name("inspect", tests, NULL, NULL);
}
