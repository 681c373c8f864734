/* Writes of stores: what all of them refuse, and those of one key. */
#include "stores.h"

static masstree_store_t *store;
static masstree_t *tree;

static int make(void **state)
{
    (void)state;
    store = open_store(NULL, NULL);
    tree = tree_named(store, "tree");
    return 0;
}

static int end(void **state)
{
    (void)state;
    assert_consistent(tree);
    close_store(store);
    return 0;
}

/* Put back: in `masstree_store_insert`, put; in `Store::remove`, do not demand a value. */
static void inserts_and_removals_say_what_was_there(void **state)
{
    (void)state;
    uint64_t commit = 77;
    assert_status(MASSTREE_NOT_FOUND, masstree_store_remove(store, tree, "key", 3, &commit));
    assert_int_equal(77, commit);
    assert_ok(masstree_store_insert(store, tree, "key", 3, "one", 3, &commit));
    assert_int_equal(commit, assert_value(tree, "key", "one"));
    uint64_t first = commit;
    assert_status(MASSTREE_EXISTS, masstree_store_insert(store, tree, "key", 3, "two", 3, &commit));
    assert_int_equal(first, commit);
    assert_value(tree, "key", "one");
    assert_ok(masstree_store_remove(store, tree, "key", 3, &commit));
    assert_true(commit > first);
    assert_no_value(tree, "key");
    assert_status(MASSTREE_NOT_FOUND, masstree_store_remove(store, tree, "key", 3, NULL));
    assert_ok(masstree_store_insert(store, tree, "key", 3, "two", 3, NULL));
    assert_value(tree, "key", "two");
}

/* Put back: in `masstree_store_exchange`, do not write *old. */
static void an_exchange_returns_what_it_displaced(void **state)
{
    (void)state;
    masstree_version_t old = {.seqno = 77};
    uint64_t commit = 0;
    masstree_guard_t *guard = new_guard(tree);
    assert_status(MASSTREE_NOT_FOUND, masstree_store_exchange(store, tree, guard, "key", 3, "one",
                                                              3, &old, &commit));
    assert_int_equal(77, old.seqno);
    assert_int_equal(commit, assert_value(tree, "key", "one"));
    uint64_t first = commit;
    assert_ok(masstree_store_exchange(store, tree, guard, "key", 3, "two", 3, &old, &commit));
    assert_int_equal(first, old.seqno);
    assert_slice("one", 3, (masstree_slice_t){old.value, old.value_len});
    store_text(store, tree, "key", "three");
    assert_slice("one", 3, (masstree_slice_t){old.value, old.value_len});
    assert_value(tree, "key", "three");
    masstree_guard_leave(guard);
}

/* Put back: in `write`, do not write *commit. */
static void each_write_succeeds_once_asked(void **state)
{
    (void)state;
    struct target target;
    for (size_t i = 0; i < write_count; i++) {
        uint64_t last = store_text(store, tree, "other", writes[i].name);
        if ((writes[i].takes & NEEDS_NONE) != 0) {
            assert_ok(masstree_store_remove(store, tree, "key", 3, NULL));
        }
        target_make(&target, &writes[i], store, tree);
        assert_ok(writes[i].run(&target));
        assert_true(target.commit > last);
        assert_true(target.commit <= stats_of(store).last_commit);
        target_end(&target);
    }
}

static void run_refused(const struct write *write, int32_t status, const struct target *of)
{
    struct target target = *of;
    int32_t answer = write->run(&target);
    if (answer != status || target.commit != 0) {
        fail_msg("%s answered %d", write->name, answer);
    }
}

static void refuse_key(const struct write *write, const struct target *of)
{
    struct target target = *of;
    target.tree = NULL;
    run_refused(write, MASSTREE_INVALID, &target);
    target = *of;
    target.key = NULL;
    run_refused(write, MASSTREE_INVALID, &target);
    if ((write->takes & TAKES_VALUE) != 0) {
        target = *of;
        target.value = NULL;
        run_refused(write, MASSTREE_INVALID, &target);
    }
    target = *of;
    target.key_len = (size_t)UINT32_MAX + 1;
    run_refused(write, MASSTREE_KEY_TOO_LONG, &target);
}

/* Put back: in `Store::tree_of`, do not ask whose clock it is. */
static void each_write_refuses_what_it_cannot_mean(void **state)
{
    (void)state;
    struct target target;
    masstree_store_t *other = open_store(NULL, NULL);
    masstree_t *of_other = tree_named(other, "tree");
    masstree_t *alone = new_versioned_tree();
    store_text(store, tree, "key", "value");
    uint64_t last = stats_of(store).last_commit;
    target_find(&target, store, tree);
    for (size_t i = 0; i < write_count; i++) {
        struct target wrong = target;
        wrong.store = NULL;
        run_refused(&writes[i], MASSTREE_INVALID, &wrong);
        if ((writes[i].takes & TAKES_KEY) != 0) {
            refuse_key(&writes[i], &target);
            wrong.store = other;
            run_refused(&writes[i], MASSTREE_WRONG_TREE, &wrong);
            wrong = target;
            wrong.tree = of_other;
            run_refused(&writes[i], MASSTREE_WRONG_TREE, &wrong);
            wrong.tree = alone;
            run_refused(&writes[i], MASSTREE_WRONG_TREE, &wrong);
        } else {
            wrong.store = other;
            run_refused(&writes[i], MASSTREE_INVALID, &wrong);
            wrong = target;
            wrong.batch = NULL;
            run_refused(&writes[i], MASSTREE_INVALID, &wrong);
        }
    }
    assert_int_equal(last, stats_of(store).last_commit);
    assert_int_equal(1, count_keys(tree));
    target_end(&target);
    close_store(other);
    end_tree(alone);
}

/* Put back: in `masstree_store_exchange`, do not ask whether the tree owns the guard. */
static void an_exchange_needs_a_guard_of_the_tree(void **state)
{
    (void)state;
    masstree_version_t old = {.seqno = 77};
    masstree_t *second = tree_named(store, "second");
    masstree_guard_t *guard = new_guard(second);
    assert_status(MASSTREE_WRONG_TREE,
                  masstree_store_exchange(store, tree, guard, "key", 3, "v", 1, &old, NULL));
    assert_status(MASSTREE_INVALID,
                  masstree_store_exchange(store, tree, NULL, "key", 3, "v", 1, &old, NULL));
    assert_status(MASSTREE_INVALID,
                  masstree_store_exchange(store, second, guard, "key", 3, "v", 1, NULL, NULL));
    assert_int_equal(77, old.seqno);
    assert_int_equal(0, count_keys(tree) + count_keys(second));
    masstree_guard_leave(guard);
}

enum { KEYS = NODES_ARE_POOLED ? 200000 : 2000 };

/* Writes under different keys until there is no memory: tombstones come from a chunk. */
static size_t write_until_refused(const struct write *write, struct target *target)
{
    static char key[16]; /* the target keeps it */
    for (size_t i = 0; i < KEYS; i++) {
        target->key = key;
        target->key_len = (size_t)sprintf(key, "%06zu", i);
        target->commit = 0;
        int32_t status = write->run(target);
        if (status == MASSTREE_NOMEM) {
            assert_int_equal(0, target->commit);
            return i;
        }
        assert_ok(status);
    }
    fail_msg("%s was never refused", write->name);
    return 0;
}

static void fill(masstree_store_t *of, masstree_t *with)
{
    char key[16];
    for (size_t i = 0; i < KEYS; i++) {
        size_t len = (size_t)sprintf(key, "%06zu", i);
        assert_ok(masstree_store_put(of, with, key, len, "old", 3, NULL));
    }
}

/* Put back: in `Store::write`, take a number also if there is no memory. */
static void a_write_without_memory_changes_nothing(void **state)
{
    (void)state;
    struct target target;
    struct allocator memory;
    for (size_t i = 0; i < write_count; i++) {
        allocator_start(&memory);
        masstree_options_t of_trees = allocator_options(&memory, 0);
        masstree_store_options_t options = MASSTREE_STORE_OPTIONS_INIT;
        options.alloc = of_trees.alloc;
        options.free = of_trees.free;
        options.alloc_ctx = &memory;
        masstree_store_t *of = open_store(NULL, &options);
        masstree_t *with = tree_named(of, "tree");
        if ((writes[i].takes & NEEDS_VALUE) != 0) {
            fill(of, with);
        }
        target_make(&target, &writes[i], of, with);
        uint64_t keys = count_keys(with);
        memory.fail_at = memory.calls + 1;
        memory.fail_on = true;
        size_t done = write_until_refused(&writes[i], &target);
        uint64_t last = stats_of(of).last_commit;
        int32_t again = writes[i].run(&target);
        assert_status(MASSTREE_NOMEM, again);
        assert_int_equal(last, stats_of(of).last_commit);
        memory.fail_at = 0;
        if ((writes[i].takes & TAKES_VALUE) == 0 && (writes[i].takes & NEEDS_VALUE) != 0) {
            assert_int_equal(keys - done, count_keys(with));
        }
        assert_ok(writes[i].run(&target));
        target_end(&target);
        close_store(of);
        allocator_end(&memory);
    }
}

/* Put back: in `Log::reserve`, allow the whole ring. */
static void a_write_is_refused_if_it_does_not_fit_the_buffer(void **state)
{
    (void)state;
    static char large[2049];
    struct target target;
    struct place place;
    place_make(&place);
    masstree_store_options_t options = MASSTREE_STORE_OPTIONS_INIT;
    options.log_buffer_bytes = 4000;
    masstree_store_t *of = open_store(place.path, &options);
    masstree_t *with = tree_named(of, "tree");
    memset(large, 'x', sizeof large);
    for (size_t i = 0; i < write_count; i++) {
        target_make(&target, &writes[i], of, with);
        target.key = large;
        target.key_len = sizeof large;
        masstree_batch_clear(target.batch);
        assert_ok(masstree_batch_put(target.batch, with, large, sizeof large, "v", 1));
        run_refused(&writes[i], MASSTREE_TOO_LARGE, &target);
        target_end(&target);
    }
    assert_ok(masstree_store_put(of, with, "large", 5, large, 2000, NULL));
    assert_status(MASSTREE_TOO_LARGE,
                  masstree_store_put(of, with, "large", 5, large, sizeof large, NULL));
    close_store(of);
    place_remove(&place);
}

/* Put back: in `log_to_write`, answer the log always; in `Store::commit`, ask it only after the
   batch was planned. */
static void a_store_that_is_only_read_refuses_each_write(void **state)
{
    (void)state;
    struct target target;
    struct place place;
    place_make(&place);
    masstree_store_options_t options = MASSTREE_STORE_OPTIONS_INIT;
    masstree_store_t *of = open_store(place.path, &options);
    store_text(of, tree_named(of, "tree"), "src", "source");
    close_store(of);
    options.flags = MASSTREE_STORE_READ_ONLY;
    of = open_store(place.path, &options);
    masstree_t *with = tree_named(of, "tree");
    target_find(&target, of, with);
    for (size_t i = 0; i < write_count; i++) {
        run_refused(&writes[i], MASSTREE_READ_ONLY, &target);
        target.src = "none"; /* also if there is nothing to be done */
        run_refused(&writes[i], MASSTREE_READ_ONLY, &target);
        target.src = "src";
    }
    assert_ok(masstree_batch_assert_present(target.batch, with, "none", 4));
    assert_status(MASSTREE_READ_ONLY, masstree_store_commit(of, target.batch, NULL, NULL));
    assert_int_equal(1, count_keys(with));
    target_end(&target);
    close_store(of);
    place_remove(&place);
}

#define WITH_STORE(test)                                                                          \
    {                                                                                             \
        #test, test, make, end, NULL                                                              \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_STORE(inserts_and_removals_say_what_was_there),
        WITH_STORE(an_exchange_returns_what_it_displaced),
        WITH_STORE(each_write_succeeds_once_asked),
        WITH_STORE(each_write_refuses_what_it_cannot_mean),
        WITH_STORE(an_exchange_needs_a_guard_of_the_tree),
        cmocka_unit_test(a_write_without_memory_changes_nothing),
        cmocka_unit_test(a_write_is_refused_if_it_does_not_fit_the_buffer),
        cmocka_unit_test(a_store_that_is_only_read_refuses_each_write),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
