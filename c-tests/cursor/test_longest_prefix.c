/* Longest prefixes, compared with a sorted array. */
#include "support.h"

#include <masstree/versioned.h>

enum { KEYS = 400 };

struct trees {
    masstree_t *words;
    masstree_t *bytes;
    masstree_guard_t *guard; /* of the tree of byte strings */
    struct model model;
};

static void put_all(struct trees *trees, const void *key, size_t len, uint64_t value)
{
    put_both(trees->words, &trees->model, key, len, value);
    assert_ok(masstree_put_bytes(trees->bytes, NULL, key, len, &value, sizeof value));
}

/* Every second key of each family, of which many are prefixes of others. */
static struct trees new_trees(void)
{
    struct trees trees = {.words = new_tree(), .bytes = new_bytes_tree()};
    trees.guard = new_guard(trees.bytes);
    unsigned char key[FAMILY_KEY_MAX];
    for (enum family family = 0; family < FAMILIES; family++) {
        for (uint64_t number = 1; number < KEYS; number += 2) {
            put_all(&trees, key, family_key(family, number, key), number);
        }
    }
    return trees;
}

static void end_trees(struct trees *trees)
{
    masstree_guard_leave(trees->guard);
    end_tree(trees->words);
    end_tree(trees->bytes);
    model_free(&trees->model);
}

static const struct entry *expected(const struct model *model, const void *key, size_t len)
{
    const struct entry *found = NULL;
    for (size_t shorter = len + 1; found == NULL && shorter-- > 0;) {
        found = model_find(model, key, shorter);
    }
    return found;
}

static void assert_longest(const struct trees *trees, const unsigned char *key, size_t len)
{
    const struct entry *entry = expected(&trees->model, key, len);
    const int32_t status = entry == NULL ? MASSTREE_NOT_FOUND : MASSTREE_OK;
    size_t found_len = 77;
    uint64_t value = 77;
    assert_status(status, masstree_longest_prefix(trees->words, NULL, key, len, &found_len, &value));
    assert_int_equal(entry == NULL ? 77 : entry->len, found_len);
    assert_int_equal(entry == NULL ? 77 : entry->value, value);
    masstree_slice_t slice = {&value, 77};
    found_len = 77;
    assert_status(status, masstree_longest_prefix_bytes(trees->bytes, trees->guard, key, len,
                                                        &found_len, &slice));
    assert_int_equal(entry == NULL ? 77 : entry->len, found_len);
    if (entry != NULL) {
        assert_slice(&entry->value, sizeof entry->value, slice);
    }
}

/* Put back: in `Tree::longest_prefix`, look in the deepest layer only, or in one leaf of each. */
static void the_longest_prefix_is_found(void **state)
{
    (void)state;
    struct trees trees = new_trees();
    unsigned char key[FAMILY_KEY_MAX + 2];
    for (unsigned with_empty = 0; with_empty < 2; with_empty++) {
        for (enum family family = 0; family < FAMILIES; family++) {
            for (uint64_t number = 0; number < KEYS; number++) {
                size_t len = family_key(family, number, key);
                assert_longest(&trees, key, len);
                key[len] = key[len + 1] = with_empty == 0 ? '7' : 0xFF;
                assert_longest(&trees, key, len + 2);
                key[0] ^= 1;
                assert_longest(&trees, key, len + 2);
            }
        }
        /* The empty key is a prefix of all others. */
        put_all(&trees, "", 0, 1000);
    }
    assert_longest(&trees, NULL, 0);
    end_trees(&trees);
}

static void bad_arguments_are_refused(void **state)
{
    (void)state;
    struct trees trees = new_trees();
    masstree_slice_t slice;
    put_all(&trees, "", 0, 1);
    assert_status(MASSTREE_INVALID,
                  masstree_longest_prefix_bytes(trees.bytes, NULL, "a", 1, NULL, &slice));
    assert_ok(masstree_longest_prefix_bytes(trees.bytes, NULL, "a", 1, NULL, NULL));
    assert_ok(masstree_longest_prefix(trees.words, NULL, "a", 1, NULL, NULL));
    end_trees(&trees);
}

/* Also of append-only trees, which are read without a guard. Put back: in `masstree_longest_prefix`, accept any
   kind of values. */
static void trees_of_versions_are_refused(void **state)
{
    (void)state;
    const uint32_t flags[] = {0, MASSTREE_VERSIONS_APPEND_ONLY, MASSTREE_VERSIONS_FREE_OVERWRITTEN};
    for (size_t i = 0; i < COUNT(flags); i++) {
        masstree_options_t options = MASSTREE_OPTIONS_INIT;
        masstree_t *tree = NULL;
        size_t len = 77;
        uint64_t value = 77;
        options.value_kind = MASSTREE_VALUES_VERSIONED;
        options.version_flags = flags[i];
        assert_ok(masstree_create(&options, &tree));
        assert_ok(masstree_put_at(tree, NULL, "a", 1, 1, MASSTREE_VERSION_VALUE, "value", 5));
        assert_status(MASSTREE_WRONG_KIND,
                      masstree_longest_prefix(tree, NULL, "abc", 3, &len, &value));
        assert_status(MASSTREE_WRONG_KIND,
                      masstree_longest_prefix_bytes(tree, NULL, "abc", 3, &len, NULL));
        assert_true(len == 77 && value == 77);
        end_tree(tree);
    }
}

/* Runs out of memory at each allocation in turn: the key has more layers than fit on the stack. */
static void without_memory_nothing_is_found(void **state)
{
    (void)state;
    static unsigned char key[20000];
    memset(key, 'k', sizeof key);
    for (unsigned of_bytes = 0; of_bytes < 2; of_bytes++) {
        struct allocator allocator;
        allocator_start(&allocator);
        masstree_t *tree = new_tree_of(&allocator, of_bytes != 0 ? MASSTREE_VALUES_BYTES
                                                                 : MASSTREE_VALUES_WORDS);
        masstree_guard_t *guard = new_guard(tree);
        /* More keys of one slice than a leaf keeps beside each other. */
        for (size_t shorter = 0; shorter < 10; shorter++) {
            masstree_put(tree, guard, key, sizeof key - shorter, shorter);
            masstree_put_bytes(tree, guard, key, sizeof key - shorter, "value", 5);
        }
        masstree_put(tree, guard, key, 3, 3);
        masstree_put_bytes(tree, guard, key, 3, "value", 5);
        size_t found = 77;
        uint64_t word = 77;
        masstree_slice_t slice = {NULL, 77};
        int32_t status = MASSTREE_NOMEM;
        size_t failures = 0;
        while (next_fails(&allocator, status, &failures)) {
            assert_int_equal(77, found);
            status = of_bytes != 0 ? masstree_longest_prefix_bytes(tree, guard, key, sizeof key - 10,
                                                                   &found, &slice)
                                   : masstree_longest_prefix(tree, guard, key, sizeof key - 10,
                                                             &found, &word);
        }
        assert_int_equal(3, found);
        masstree_guard_leave(guard);
        end_tree(tree);
        allocator_end(&allocator);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_longest_prefix_is_found),
        cmocka_unit_test(bad_arguments_are_refused),
        cmocka_unit_test(trees_of_versions_are_refused),
        cmocka_unit_test(without_memory_nothing_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
