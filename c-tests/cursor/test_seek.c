/* Seeks without a cursor, compared with a sorted array. */
#include "support.h"

enum { KEYS = 300, HOWS = 6 };

/* What a seek should find: an index of the model, or -1. */
static ptrdiff_t expected(const struct model *model, const void *key, size_t len, uint32_t how)
{
    ptrdiff_t count = (ptrdiff_t)model->count;
    ptrdiff_t at = (ptrdiff_t)model_position(model, key, len);
    bool is_there = model_find(model, key, len) != NULL;
    ptrdiff_t found[HOWS] = {
        [MASSTREE_SEEK_GE] = at,    [MASSTREE_SEEK_GT] = at + is_there,
        [MASSTREE_SEEK_LT] = at - 1, [MASSTREE_SEEK_LE] = at - !is_there,
        [MASSTREE_SEEK_FIRST] = 0,  [MASSTREE_SEEK_LAST] = count - 1,
    };
    return found[how] >= 0 && found[how] < count ? found[how] : -1;
}

struct trees {
    masstree_t *words;
    masstree_t *bytes;
    masstree_t *versions;
    masstree_guard_t *guards[2];
    struct model model;
};

static struct trees new_trees(void)
{
    struct trees trees = {.words = new_tree(), .bytes = new_bytes_tree(),
                          .versions = new_versioned_tree()};
    trees.guards[0] = new_guard(trees.bytes);
    trees.guards[1] = new_guard(trees.versions);
    return trees;
}

static void end_trees(struct trees *trees)
{
    masstree_guard_leave(trees->guards[0]);
    masstree_guard_leave(trees->guards[1]);
    end_tree(trees->words);
    end_tree(trees->bytes);
    end_tree(trees->versions);
    model_free(&trees->model);
}

static void put_all(struct trees *trees, const void *key, size_t len, uint64_t value)
{
    put_both(trees->words, &trees->model, key, len, value);
    assert_ok(masstree_put_bytes(trees->bytes, NULL, key, len, &value, sizeof value));
    assert_ok(masstree_put_at(trees->versions, NULL, key, len, 2 + value, MASSTREE_VERSION_VALUE,
                              &value, sizeof value));
}

static void assert_found(const struct trees *trees, ptrdiff_t index, int32_t status,
                         const unsigned char *key, size_t len, uint64_t value)
{
    if (index < 0) {
        assert_status(MASSTREE_END, status);
        return;
    }
    const struct entry *entry = &trees->model.entries[index];
    assert_ok(status);
    assert_slice(entry->key, entry->len, (masstree_slice_t){key, len});
    assert_int_equal(entry->value, value);
}

static void seek_all(const struct trees *trees, const unsigned char *key, size_t len, uint32_t how)
{
    ptrdiff_t index = expected(&trees->model, key, len, how);
    unsigned char found[FAMILY_KEY_MAX];
    size_t found_len = 0;
    uint64_t value = 0;
    int32_t status = masstree_seek(trees->words, NULL, key, len, how, found, sizeof found, &found_len,
                                   &value);
    assert_found(trees, index, status, found, found_len, value);
    masstree_slice_t slice = {&value, 0};
    status = masstree_seek_bytes(trees->bytes, trees->guards[0], key, len, how, found, sizeof found,
                                 &found_len, &slice);
    memcpy(&value, slice.data, slice.len);
    assert_found(trees, index, status, found, found_len, value);
    masstree_version_t version = {.value = &value};
    status = masstree_seek_at(trees->versions, trees->guards[1], key, len, MASSTREE_SEQNO_LATEST, how,
                              found, sizeof found, &found_len, &version);
    memcpy(&value, version.value, version.value_len);
    assert_found(trees, index, status, found, found_len, value);
}

/* Put back: in `Tree::seek`, do not reverse. */
static void seeks_find_the_nearest_key(void **state)
{
    (void)state;
    struct trees trees = new_trees();
    unsigned char key[FAMILY_KEY_MAX];
    for (uint32_t how = 0; how < HOWS; how++) {
        seek_all(&trees, key, 0, how);
    }
    for (enum family family = 0; family < FAMILIES; family++) {
        for (uint64_t number = 0; number < KEYS; number += 2) {
            put_all(&trees, key, family_key(family, number, key), number);
        }
    }
    /* Keys that a reader at a number does not see. */
    for (uint64_t number = 1; number < KEYS; number += 8) {
        size_t len = family_key(FAMILY_MIXED, number, key);
        if (model_find(&trees.model, key, len) == NULL) {
            assert_ok(masstree_put_at(trees.versions, NULL, key, len, 1, MASSTREE_VERSION_TOMBSTONE,
                                      NULL, 0));
        }
    }
    for (enum family family = 0; family < FAMILIES; family++) {
        for (uint64_t number = 0; number < KEYS; number++) {
            size_t len = family_key(family, number, key);
            for (uint32_t how = 0; how < HOWS; how++) {
                seek_all(&trees, key, len, how);
            }
        }
    }
    end_trees(&trees);
}

/* A walk by seeks alone, in the buffer that has the key. */
static void a_seek_may_overwrite_its_key(void **state)
{
    (void)state;
    struct trees trees = new_trees();
    unsigned char key[FAMILY_KEY_MAX];
    for (uint64_t number = 0; number < KEYS; number++) {
        put_all(&trees, key, family_key(FAMILY_MIXED, number, key), number);
    }
    size_t len = 0;
    size_t count = 0;
    int32_t status = masstree_seek(trees.words, NULL, NULL, 0, MASSTREE_SEEK_FIRST, key, sizeof key,
                                   &len, NULL);
    for (; status == MASSTREE_OK; count++) {
        assert_slice(trees.model.entries[count].key, trees.model.entries[count].len,
                     (masstree_slice_t){key, len});
        status = masstree_seek(trees.words, NULL, key, len, MASSTREE_SEEK_GT, key, sizeof key, &len,
                               NULL);
    }
    assert_status(MASSTREE_END, status);
    assert_int_equal(trees.model.count, count);
    end_trees(&trees);
}

static void a_key_that_does_not_fit_is_not_stored(void **state)
{
    (void)state;
    struct trees trees = new_trees();
    char found[] = "unchanged";
    size_t len = 77;
    uint64_t value = 77;
    masstree_slice_t slice = {NULL, 77};
    masstree_version_t version = {.seqno = 77};
    put_all(&trees, "a key", 5, 1);
    assert_status(MASSTREE_TOO_SMALL, masstree_seek(trees.words, NULL, "a", 1, MASSTREE_SEEK_GE, found,
                                                    4, &len, &value));
    assert_int_equal(5, len);
    assert_int_equal(77, value);
    assert_status(MASSTREE_TOO_SMALL, masstree_seek_bytes(trees.bytes, trees.guards[0], "a", 1,
                                                          MASSTREE_SEEK_GE, found, 4, &len, &slice));
    assert_int_equal(77, slice.len);
    assert_status(MASSTREE_TOO_SMALL,
                  masstree_seek_at(trees.versions, trees.guards[1], "a", 1, 100, MASSTREE_SEEK_GE,
                                   found, 4, &len, &version));
    assert_int_equal(77, version.seqno);
    assert_string_equal("unchanged", found);
    assert_ok(masstree_seek(trees.words, NULL, "a", 1, MASSTREE_SEEK_GE, NULL, 0, NULL, &value));
    assert_int_equal(1, value);
    assert_ok(masstree_seek(trees.words, NULL, "a", 1, MASSTREE_SEEK_GE, found, 5, &len, NULL));
    assert_memory_equal("a key", found, 5);
    end_trees(&trees);
}

static void bad_arguments_are_refused(void **state)
{
    (void)state;
    struct trees trees = new_trees();
    masstree_slice_t slice;
    masstree_version_t version;
    size_t freed;
    put_all(&trees, "key", 3, 1);
    assert_status(MASSTREE_INVALID, masstree_seek(trees.words, NULL, "", 0, HOWS, NULL, 0, NULL, NULL));
    assert_status(MASSTREE_INVALID,
                  masstree_seek_bytes(trees.bytes, NULL, "", 0, 0, NULL, 0, NULL, &slice));
    assert_ok(masstree_seek_bytes(trees.bytes, NULL, "", 0, 0, NULL, 0, NULL, NULL));
    assert_status(MASSTREE_INVALID, masstree_seek_bytes(trees.bytes, trees.guards[0], "", 0, HOWS, NULL,
                                                        0, NULL, &slice));
    assert_status(MASSTREE_INVALID, masstree_seek_at(trees.versions, trees.guards[1], "", 0, 1, HOWS,
                                                     NULL, 0, NULL, &version));
    assert_status(MASSTREE_INVALID,
                  masstree_seek_at(trees.versions, NULL, "", 0, 1, 0, NULL, 0, NULL, &version));
    assert_status(MASSTREE_END, masstree_seek_at(trees.versions, trees.guards[1], "", 0, 2,
                                                 MASSTREE_SEEK_FIRST, NULL, 0, NULL, NULL));
    assert_ok(masstree_seek_at(trees.versions, trees.guards[1], "", 0, 3, MASSTREE_SEEK_FIRST, NULL, 0,
                               NULL, NULL));
    assert_ok(masstree_put_at(trees.versions, NULL, "key", 3, 9, MASSTREE_VERSION_VALUE, NULL, 0));
    assert_status(MASSTREE_END, masstree_trim_versions(trees.versions, 8, 0, &freed));
    assert_status(MASSTREE_TOO_OLD, masstree_seek_at(trees.versions, trees.guards[1], "", 0, 7, 0, NULL,
                                                     0, NULL, NULL));
    end_trees(&trees);
}

/* Runs out of memory at each allocation in turn: the key is longer than what a seek has on the stack. */
static void without_memory_nothing_is_found(void **state)
{
    (void)state;
    const uint32_t kinds[] = {MASSTREE_VALUES_WORDS, MASSTREE_VALUES_BYTES, MASSTREE_VALUES_VERSIONED};
    static unsigned char key[5000];
    memset(key, 'k', sizeof key);
    for (size_t kind = 0; kind < COUNT(kinds); kind++) {
        struct allocator allocator;
        allocator_start(&allocator);
        masstree_t *tree = new_tree_of(&allocator, kinds[kind]);
        masstree_guard_t *guard = new_guard(tree);
        masstree_put(tree, guard, key, sizeof key, 1);
        masstree_put_bytes(tree, guard, key, sizeof key, "value", 5);
        masstree_put_at(tree, guard, key, sizeof key, 1, MASSTREE_VERSION_VALUE, NULL, 0);
        int32_t status = MASSTREE_NOMEM;
        size_t failures = 0;
        while (next_fails(&allocator, status, &failures)) {
            status = kind == 0   ? masstree_seek(tree, guard, "a", 1, 0, NULL, 0, NULL, NULL)
                     : kind == 1 ? masstree_seek_bytes(tree, guard, "a", 1, 0, NULL, 0, NULL, NULL)
                                 : masstree_seek_at(tree, guard, "a", 1, 1, 0, NULL, 0, NULL, NULL);
        }
        masstree_guard_leave(guard);
        end_tree(tree);
        allocator_end(&allocator);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(seeks_find_the_nearest_key),
        cmocka_unit_test(a_seek_may_overwrite_its_key),
        cmocka_unit_test(a_key_that_does_not_fit_is_not_stored),
        cmocka_unit_test(bad_arguments_are_refused),
        cmocka_unit_test(without_memory_nothing_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
