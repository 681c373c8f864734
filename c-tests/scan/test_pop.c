/* masstree_pop_first and masstree_pop_last: keys in order, within ranges, to one thread each. */
#include "scan/ranges.h"

#include <sys/mman.h>

enum { ROOM = 80 };

static masstree_t *tree_of(uint32_t value_kind)
{
    masstree_options_t options = MASSTREE_OPTIONS_INIT;
    options.value_kind = value_kind;
    masstree_t *tree = NULL;
    assert_ok(masstree_create(&options, &tree));
    return tree;
}

/* Put back: return the value of another entry than that of the key. */
static void keys_come_from_both_ends(void **state)
{
    (void)state;
    uint64_t random = 3;
    for (int family = 0; family < FAMILIES; family++) {
        struct model model = {0};
        masstree_t *tree = filled((enum family)family, 700, 1, &model);
        while (model.count > 0) {
            bool last = random_below(&random, 2) == 1;
            struct entry *entry = &model.entries[last ? model.count - 1 : 0];
            unsigned char key[ROOM];
            size_t len = 0;
            uint64_t value = 0;
            assert_ok((last ? masstree_pop_last : masstree_pop_first)(tree, NULL, NULL, key, ROOM,
                                                                      &len, &value));
            assert_slice(entry->key, entry->len, (masstree_slice_t){key, len});
            assert_int_equal(entry->value, value);
            model_remove(&model, key, len);
            assert_int_equal(model.count, tree_len(tree));
        }
        assert_status(MASSTREE_NOT_FOUND, masstree_pop_first(tree, NULL, NULL, NULL, 0, NULL, NULL));
        assert_status(MASSTREE_NOT_FOUND, masstree_pop_last(tree, NULL, NULL, NULL, 0, NULL, NULL));
        model_free(&model);
        end_tree(tree);
    }
}

static void a_range_bounds_what_is_popped(void **state)
{
    (void)state;
    masstree_t *tree = new_tree();
    const char *const words[] = {"", "b", "ba", "bb/long enough for a layer", "bb/long enough for two", "c"};
    for (size_t i = 0; i < COUNT(words); i++) {
        assert_ok(masstree_insert(tree, NULL, words[i], strlen(words[i]), i, NULL));
    }
    masstree_range_t range = range_of_prefix("b", 1, 0);
    range.limit = 1;
    range.flags = MASSTREE_SCAN_REVERSE;
    uint64_t value = 0;
    assert_ok(masstree_pop_first(tree, NULL, &range, NULL, 0, NULL, &value));
    assert_int_equal(1, value);
    assert_ok(masstree_pop_last(tree, NULL, &range, NULL, 0, NULL, &value));
    assert_int_equal(4, value);
    assert_ok(masstree_pop_last(tree, NULL, &range, NULL, 0, NULL, &value));
    assert_int_equal(3, value);
    assert_ok(masstree_pop_last(tree, NULL, &range, NULL, 0, NULL, &value));
    assert_int_equal(2, value);
    assert_status(MASSTREE_NOT_FOUND, masstree_pop_last(tree, NULL, &range, NULL, 0, NULL, &value));
    assert_status(MASSTREE_NOT_FOUND, masstree_pop_first(tree, NULL, &range, NULL, 0, NULL, &value));
    assert_int_equal(2, tree_len(tree));
    end_tree(tree);
}

/* Put back: write the value of a key that does not fit; remove the key. */
static void a_key_that_does_not_fit_stays(void **state)
{
    (void)state;
    masstree_t *tree = new_tree();
    masstree_t *texts = tree_of(MASSTREE_VALUES_BYTES);
    masstree_guard_t *guard = new_guard(texts);
    unsigned char key[ROOM] = "unchanged";
    assert_ok(masstree_insert(tree, NULL, "twelve bytes", 12, 7, NULL));
    assert_ok(masstree_put_bytes(texts, NULL, "twelve bytes", 12, "value", 5));
    for (int last = 0; last < 2; last++) {
        size_t len = 0;
        uint64_t value = 4242;
        masstree_slice_t slice = {NULL, 4242};
        assert_status(MASSTREE_TOO_SMALL,
                      last == 0 ? masstree_pop_first(tree, NULL, NULL, key, 11, &len, &value)
                                : masstree_pop_last(tree, NULL, NULL, key, 11, &len, &value));
        assert_int_equal(12, len);
        assert_int_equal(4242, value);
        len = 0;
        assert_status(MASSTREE_TOO_SMALL,
                      last == 0 ? masstree_pop_first_bytes(texts, guard, NULL, key, 0, &len, &slice)
                                : masstree_pop_last_bytes(texts, guard, NULL, key, 0, &len, &slice));
        assert_int_equal(12, len);
        assert_int_equal(4242, slice.len);
        assert_string_equal("unchanged", key);
    }
    assert_int_equal(1, tree_len(tree));
    masstree_slice_t slice = {NULL, 0};
    size_t len = 0;
    assert_ok(masstree_pop_first_bytes(texts, guard, NULL, key, 12, &len, &slice));
    assert_slice("twelve bytes", 12, (masstree_slice_t){key, len});
    assert_slice("value", 5, slice);
    assert_status(MASSTREE_NOT_FOUND, masstree_pop_first_bytes(texts, guard, NULL, NULL, 0, NULL, NULL));
    assert_status(MASSTREE_NOT_FOUND, masstree_pop_last_bytes(texts, NULL, NULL, NULL, 0, NULL, NULL));
    assert_ok(masstree_put_bytes(texts, NULL, "k", 1, "value", 5));
    /* Without the value, any tree will do. */
    assert_ok(masstree_pop_last(texts, NULL, NULL, NULL, 0, NULL, NULL));
    assert_ok(masstree_put_bytes(texts, NULL, "k", 1, "value", 5));
    assert_ok(masstree_pop_last_bytes(texts, guard, NULL, NULL, 0, NULL, &slice));
    assert_slice("value", 5, slice);
    masstree_guard_leave(guard);
    end_tree(texts);
    end_tree(tree);
}

/* Each of the four functions with the same arguments. */
static void assert_refused(int32_t status, masstree_t *tree, masstree_guard_t *guard,
                           const masstree_range_t *range, bool bytes)
{
    size_t len = 4242;
    uint64_t value = 4242;
    masstree_slice_t slice = {NULL, 4242};
    if (bytes) {
        assert_status(status, masstree_pop_first_bytes(tree, guard, range, NULL, 0, &len, &slice));
        assert_status(status, masstree_pop_last_bytes(tree, guard, range, NULL, 0, &len, &slice));
    } else {
        assert_status(status, masstree_pop_first(tree, guard, range, NULL, 0, &len, &value));
        assert_status(status, masstree_pop_last(tree, guard, range, NULL, 0, &len, &value));
    }
    assert_true(len == 4242 && value == 4242 && slice.len == 4242);
}

static void what_has_no_meaning_is_refused(void **state)
{
    (void)state;
    masstree_t *trees[] = {new_tree(), tree_of(MASSTREE_VALUES_BYTES)};
    masstree_t *versions = tree_of(MASSTREE_VALUES_VERSIONED);
    masstree_guard_t *guard_of_versions = new_guard(versions);
    assert_ok(masstree_insert(trees[0], NULL, "k", 1, 1, NULL));
    assert_ok(masstree_put_bytes(trees[1], NULL, "k", 1, "v", 1));
    size_t too_long = (size_t)UINT32_MAX + 1;
    void *bytes =
        mmap(NULL, too_long, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    assert_true(bytes != MAP_FAILED);
    for (int kind = 0; kind < 2; kind++) {
        masstree_guard_t *guards[] = {new_guard(trees[0]), new_guard(trees[1])};
        assert_refused(MASSTREE_INVALID, NULL, guards[kind], NULL, kind == 1);
        masstree_range_t range = range_from(3, "a", 1);
        assert_refused(MASSTREE_INVALID, trees[kind], guards[kind], &range, kind == 1);
        range = range_from(MASSTREE_BOUND_INCLUSIVE, bytes, too_long);
        assert_refused(MASSTREE_KEY_TOO_LONG, trees[kind], guards[kind], &range, kind == 1);
        assert_refused(MASSTREE_WRONG_TREE, trees[kind], guards[1 - kind], NULL, kind == 1);
        assert_refused(MASSTREE_WRONG_KIND, trees[1 - kind], guards[1 - kind], NULL, kind == 1);
        assert_refused(MASSTREE_WRONG_KIND, versions, guard_of_versions, NULL, kind == 1);
        masstree_guard_leave(guards[0]);
        masstree_guard_leave(guards[1]);
    }
    assert_refused(MASSTREE_INVALID, trees[1], NULL, NULL, true);
    assert_status(MASSTREE_WRONG_KIND, masstree_pop_first(versions, NULL, NULL, NULL, 0, NULL, NULL));
    munmap(bytes, too_long);
    masstree_guard_leave(guard_of_versions);
    masstree_destroy(versions);
    end_tree(trees[0]);
    end_tree(trees[1]);
}

/* Without memory for the position, nothing is removed. */
static void a_pop_without_memory_removes_nothing(void **state)
{
    (void)state;
    for (int form = 0; form < 4; form++) {
        struct allocator allocator;
        allocator_start(&allocator);
        masstree_options_t options = allocator_options(
            &allocator, form < 2 ? MASSTREE_VALUES_WORDS : MASSTREE_VALUES_BYTES);
        masstree_t *tree = NULL;
        assert_ok(masstree_create(&options, &tree));
        masstree_guard_t *guard = new_guard(tree);
        for (unsigned char last = 0; last < 10; last++) {
            unsigned char key[] = "one slice, another slice, and the last byte: ";
            key[sizeof key - 1] = last;
            assert_ok(form < 2 ? masstree_put(tree, NULL, key, sizeof key, 1)
                               : masstree_put_bytes(tree, NULL, key, sizeof key, "v", 1));
        }
        int32_t status = MASSTREE_NOMEM;
        size_t failures = 0;
        while (next_fails(&allocator, status, &failures)) {
            assert_int_equal(10, tree_len(tree));
            status = form == 0   ? masstree_pop_first(tree, guard, NULL, NULL, 0, NULL, NULL)
                     : form == 1 ? masstree_pop_last(tree, guard, NULL, NULL, 0, NULL, NULL)
                     : form == 2 ? masstree_pop_first_bytes(tree, guard, NULL, NULL, 0, NULL, NULL)
                                 : masstree_pop_last_bytes(tree, guard, NULL, NULL, 0, NULL, NULL);
        }
        assert_int_equal(9, tree_len(tree));
        masstree_guard_leave(guard);
        end_tree(tree);
        allocator_end(&allocator);
    }
}

enum { POPPERS = 4 };

struct popper {
    masstree_t *tree;
    uint64_t count;
    uint64_t number;
    uint64_t popped;
    uint64_t sum;
};

static void *pop_all(void *arg)
{
    struct popper *popper = arg;
    for (uint64_t n = popper->number; n < popper->count; n += POPPERS) {
        REQUIRE(masstree_insert_u64(popper->tree, NULL, n, n, NULL) == MASSTREE_OK);
    }
    uint64_t value = 0;
    while (masstree_pop_first(popper->tree, NULL, NULL, NULL, 0, NULL, &value) == MASSTREE_OK) {
        popper->popped++;
        popper->sum += value;
    }
    return NULL;
}

/* Put back: in take_popped, unlock the leaf before the key leaves it. */
static void each_key_goes_to_one_thread(void **state)
{
    (void)state;
    masstree_t *tree = new_tree();
    uint64_t count = scaled(200000);
    struct popper poppers[POPPERS];
    pthread_t threads[POPPERS];
    for (size_t i = 0; i < POPPERS; i++) {
        poppers[i] = (struct popper){.tree = tree, .count = count, .number = i};
        assert_int_equal(0, pthread_create(&threads[i], NULL, pop_all, &poppers[i]));
    }
    uint64_t popped = 0;
    uint64_t sum = 0;
    for (size_t i = 0; i < POPPERS; i++) {
        assert_int_equal(0, pthread_join(threads[i], NULL));
        popped += poppers[i].popped;
        sum += poppers[i].sum;
    }
    assert_int_equal(count, popped);
    assert_int_equal(count * (count - 1) / 2, sum);
    assert_int_equal(0, tree_len(tree));
    end_tree(tree);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_come_from_both_ends),
        cmocka_unit_test(a_range_bounds_what_is_popped),
        cmocka_unit_test(a_key_that_does_not_fit_stays),
        cmocka_unit_test(what_has_no_meaning_is_refused),
        cmocka_unit_test(a_pop_without_memory_removes_nothing),
        cmocka_unit_test(each_key_goes_to_one_thread),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
