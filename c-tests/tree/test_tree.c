/* Trees: created, destroyed, several at a time, and after a fork; and operations mixed on one. */
#include "support.h"

#include <errno.h>
#include <sys/wait.h>
#include <unistd.h>

#define UNTOUCHED UINT64_C(0xDEADBEEFDEADBEEF)

static void assert_word(const masstree_t *tree, const char *key, uint64_t expected)
{
    uint64_t word = ~expected;
    assert_ok(masstree_get(tree, NULL, key, strlen(key), &word));
    assert_int_equal(expected, word);
}

static void destroying_null_does_nothing(void **state)
{
    (void)state;
    masstree_destroy(NULL);
}

static void trees_do_not_share_keys(void **state)
{
    (void)state;
    masstree_t *first = new_tree();
    masstree_t *second = new_tree();
    assert_ok(masstree_put(first, NULL, "k", 1, 1));
    assert_status(MASSTREE_NOT_FOUND, masstree_contains(second, NULL, "k", 1));
    assert_ok(masstree_put(second, NULL, "k", 1, 2));
    assert_word(first, "k", 1);
    end_tree(first);
    assert_word(second, "k", 2);
    end_tree(second);
}

/* All operations mixed on keys that collide, compared with a sorted array. */
static void mixed_operations_do_what_a_sorted_array_does(void **state)
{
    (void)state;
    for (enum family family = 0; family < FAMILIES; family++) {
        masstree_t *tree = new_tree();
        struct model model = {0};
        uint64_t random = 42 + family;
        size_t steps = scaled(20000);
        for (size_t step = 0; step < steps; step++) {
            unsigned char key[FAMILY_KEY_MAX];
            size_t len = family_key(family, random_below(&random, 600), key);
            struct entry *present = model_find(&model, key, len);
            uint64_t old = UNTOUCHED;
            uint64_t expected = present != NULL ? present->value : UNTOUCHED;
            switch (random_below(&random, 4)) {
            case 0:
                assert_status(present != NULL ? MASSTREE_EXISTS : MASSTREE_OK,
                              masstree_insert(tree, NULL, key, len, step, &old));
                if (present == NULL) {
                    model_put(&model, key, len, step);
                }
                break;
            case 1:
                assert_status(present != NULL ? MASSTREE_OK : MASSTREE_NOT_FOUND,
                              masstree_exchange(tree, NULL, key, len, step, &old));
                model_put(&model, key, len, step);
                break;
            default:
                assert_status(present != NULL ? MASSTREE_OK : MASSTREE_NOT_FOUND,
                              masstree_remove(tree, NULL, key, len, &old));
                model_remove(&model, key, len);
            }
            assert_int_equal(expected, old);
            if (step % 1000 == 0) {
                assert_consistent(tree);
                assert_agrees(tree, &model);
            }
        }
        assert_agrees(tree, &model);
        model_free(&model);
        end_tree(tree);
    }
}

static void errno_is_left_alone(void **state)
{
    (void)state;
    masstree_t *tree = new_tree();
    errno = 4242;
    for (uint64_t i = 0; i < 2000; i++) {
        assert_ok(masstree_put_u64(tree, NULL, i, i));
    }
    for (uint64_t i = 0; i < 2000; i++) {
        assert_ok(masstree_remove_u64(tree, NULL, i, NULL));
    }
    assert_status(MASSTREE_INVALID, masstree_get(tree, NULL, NULL, 1, NULL));
    masstree_destroy(tree);
    assert_int_equal(4242, errno);
}

static void forked_child_may_use_a_tree_of_its_own(void **state)
{
    (void)state;
    masstree_t *tree = new_tree();
    assert_ok(masstree_put(tree, NULL, "parent", 6, 1));
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        masstree_t *own = NULL;
        uint64_t value = 0;
        bool good = masstree_create(NULL, &own) == MASSTREE_OK &&
                    masstree_put(own, NULL, "child", 5, 2) == MASSTREE_OK &&
                    masstree_get(own, NULL, "child", 5, &value) == MASSTREE_OK && value == 2;
        masstree_destroy(own);
        flush_statuses();
        _exit(good ? 0 : 1);
    }
    int status = -1;
    assert_int_equal(child, waitpid(child, &status, 0));
    assert_true(WIFEXITED(status));
    assert_int_equal(0, WEXITSTATUS(status));
    assert_word(tree, "parent", 1);
    end_tree(tree);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(destroying_null_does_nothing),
        cmocka_unit_test(trees_do_not_share_keys),
        cmocka_unit_test(mixed_operations_do_what_a_sorted_array_does),
        cmocka_unit_test(errno_is_left_alone),
        cmocka_unit_test(forked_child_may_use_a_tree_of_its_own),
    };
    return cmocka_run_group_tests_name("tree", tests, NULL, NULL);
}
