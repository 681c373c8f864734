/* Batches: every operation, commits, and renames. */
#include "stores.h"

#include <stdatomic.h>
#include <unistd.h>

static masstree_store_t *store;
static masstree_t *tree;
static masstree_batch_t *batch;

static int make(void **state)
{
    (void)state;
    store = open_store(NULL, NULL);
    tree = tree_named(store, "tree");
    batch = new_batch(store);
    return 0;
}

static int end(void **state)
{
    (void)state;
    masstree_batch_destroy(batch);
    assert_consistent(tree);
    close_store(store);
    return 0;
}

static int32_t add_put(masstree_batch_t *to, masstree_t *of, const void *key, size_t len)
{
    return masstree_batch_put(to, of, key, len, "value", 5);
}

static int32_t add_remove(masstree_batch_t *to, masstree_t *of, const void *key, size_t len)
{
    return masstree_batch_remove(to, of, key, len);
}

static int32_t add_rename(masstree_batch_t *to, masstree_t *of, const void *key, size_t len)
{
    return masstree_batch_rename(to, of, key, len, "target", 6, MASSTREE_RENAME_FORCE);
}

static int32_t add_absent(masstree_batch_t *to, masstree_t *of, const void *key, size_t len)
{
    return masstree_batch_assert_absent(to, of, key, len);
}

static int32_t add_present(masstree_batch_t *to, masstree_t *of, const void *key, size_t len)
{
    return masstree_batch_assert_present(to, of, key, len);
}

static int32_t add_version(masstree_batch_t *to, masstree_t *of, const void *key, size_t len)
{
    return masstree_batch_assert_version(to, of, key, len, 77);
}

static int32_t add_value(masstree_batch_t *to, masstree_t *of, const void *key, size_t len)
{
    return masstree_batch_assert_value(to, of, key, len, "value", 5);
}

static int32_t add_prefix(masstree_batch_t *to, masstree_t *of, const void *key, size_t len)
{
    return masstree_batch_assert_prefix_empty(to, of, key, len);
}

static const struct {
    const char *name;
    int32_t (*add)(masstree_batch_t *to, masstree_t *of, const void *key, size_t len);
} adds[] = {
    {"put", add_put},
    {"remove", add_remove},
    {"rename", add_rename},
    {"assert_absent", add_absent},
    {"assert_present", add_present},
    {"assert_version", add_version},
    {"assert_value", add_value},
    {"assert_prefix_empty", add_prefix},
};

static void assert_fails_at(size_t index)
{
    uint64_t commit = 77;
    size_t failed = 77;
    uint64_t last = stats_of(store).last_commit;
    assert_status(MASSTREE_MISMATCH, masstree_store_commit(store, batch, &commit, &failed));
    assert_int_equal(index, failed);
    assert_int_equal(77, commit);
    assert_status(MASSTREE_MISMATCH, masstree_store_commit(store, batch, NULL, NULL));
    assert_true(stats_of(store).last_commit >= last);
    masstree_batch_clear(batch);
}

static uint64_t commit_batch(void)
{
    uint64_t commit = 0;
    size_t failed = 77;
    assert_ok(masstree_store_commit(store, batch, &commit, &failed));
    assert_int_equal(77, failed);
    masstree_batch_clear(batch);
    return commit;
}

/* Put back: in `Store::tree_of`, do not ask whose clock it is. */
static void each_operation_refuses_what_it_cannot_mean(void **state)
{
    (void)state;
    masstree_store_t *other = open_store(NULL, NULL);
    masstree_t *of_other = tree_named(other, "tree");
    masstree_t *alone = new_versioned_tree();
    for (size_t i = 0; i < COUNT(adds); i++) {
        assert_status(MASSTREE_INVALID, adds[i].add(NULL, tree, "key", 3));
        assert_status(MASSTREE_INVALID, adds[i].add(batch, NULL, "key", 3));
        assert_status(MASSTREE_INVALID, adds[i].add(batch, tree, NULL, 3));
        assert_status(MASSTREE_KEY_TOO_LONG,
                      adds[i].add(batch, tree, "key", (size_t)UINT32_MAX + 1));
        assert_status(MASSTREE_WRONG_TREE, adds[i].add(batch, of_other, "key", 3));
        assert_status(MASSTREE_WRONG_TREE, adds[i].add(batch, alone, "key", 3));
        assert_int_equal(i, masstree_batch_len(batch));
        assert_ok(adds[i].add(batch, tree, NULL, 0));
        assert_int_equal(i + 1, masstree_batch_len(batch));
    }
    assert_status(MASSTREE_INVALID, masstree_batch_put(batch, tree, "k", 1, NULL, 1));
    assert_status(MASSTREE_INVALID, masstree_batch_assert_value(batch, tree, "k", 1, NULL, 1));
    assert_status(MASSTREE_INVALID, masstree_batch_rename(batch, tree, "k", 1, NULL, 1, 0));
    assert_status(MASSTREE_INVALID, masstree_batch_rename(batch, tree, "k", 1, "l", 1, 2));
    assert_status(MASSTREE_KEY_TOO_LONG, masstree_batch_rename(batch, tree, "k", 1, "l",
                                                               (size_t)UINT32_MAX + 1, 0));
    assert_int_equal(COUNT(adds), masstree_batch_len(batch));
    masstree_batch_clear(batch);
    assert_int_equal(0, masstree_batch_len(batch));
    masstree_batch_clear(NULL);
    masstree_batch_destroy(NULL);
    assert_int_equal(0, masstree_batch_len(NULL));
    assert_status(MASSTREE_INVALID, masstree_batch_create(NULL, &batch));
    assert_status(MASSTREE_INVALID, masstree_batch_create(store, NULL));
    close_store(other);
    end_tree(alone);
}

/* Put back: in `Store::is_forked`, answer false. */
static void a_child_cannot_fill_a_batch(void **state)
{
    (void)state;
    int child = fork();
    if (child == 0) {
        alarm(WATCHDOG_SECONDS);
        for (size_t i = 0; i < COUNT(adds); i++) {
            REQUIRE(adds[i].add(batch, tree, "key", 3) == MASSTREE_FORKED);
        }
        REQUIRE(masstree_batch_put(batch, NULL, "key", 3, "v", 1) == MASSTREE_FORKED);
        REQUIRE(masstree_batch_len(batch) == 0);
        end_child();
    }
    assert_child_was_content(child);
}

/* Put back: in `Batch::push`, reserve no room for the bytes. */
static void a_batch_without_memory_stays_as_it_is(void **state)
{
    (void)state;
    struct allocator memory;
    allocator_start(&memory);
    masstree_options_t of_trees = allocator_options(&memory, 0);
    masstree_store_options_t options = MASSTREE_STORE_OPTIONS_INIT;
    options.alloc = of_trees.alloc;
    options.free = of_trees.free;
    options.alloc_ctx = &memory;
    masstree_store_t *of = open_store(NULL, &options);
    masstree_t *with = tree_named(of, "tree");
    for (size_t i = 0; i < COUNT(adds); i++) {
        masstree_batch_t *full = new_batch(of);
        assert_ok(adds[i].add(full, with, "key", 3));
        memory.fail_at = memory.calls + 1;
        memory.fail_on = true;
        int32_t status = MASSTREE_OK;
        size_t len = 0;
        while (status == MASSTREE_OK) {
            len = masstree_batch_len(full);
            status = adds[i].add(full, with, "key", 3);
        }
        assert_status(MASSTREE_NOMEM, status);
        assert_int_equal(len, masstree_batch_len(full));
        memory.fail_at = 0;
        assert_ok(adds[i].add(full, with, "key", 3));
        masstree_batch_destroy(full);
    }
    memory.fail_at = memory.calls + 1;
    masstree_batch_t *none = NULL;
    assert_status(MASSTREE_NOMEM, masstree_batch_create(of, &none));
    assert_null(none);
    memory.fail_at = 0;
    close_store(of);
    allocator_end(&memory);
}

/* Put back: in `Plan::make`, apply operations in the reverse order. */
static void operations_take_effect_in_order(void **state)
{
    (void)state;
    masstree_t *second = tree_named(store, "second");
    uint64_t before = store_text(store, tree, "a", "old");
    assert_ok(masstree_batch_put(batch, tree, "b", 1, "1", 1));
    assert_ok(masstree_batch_remove(batch, tree, "a", 1));
    assert_ok(masstree_batch_put(batch, second, "a", 1, "2", 1));
    assert_ok(masstree_batch_assert_absent(batch, tree, "a", 1));
    assert_ok(masstree_batch_rename(batch, tree, "b", 1, "a", 1, 0));
    assert_ok(masstree_batch_assert_value(batch, tree, "a", 1, "1", 1));
    assert_ok(masstree_batch_put(batch, tree, "c", 1, "x", 1));
    assert_ok(masstree_batch_put(batch, tree, "c", 1, "3", 1));
    assert_ok(masstree_batch_remove(batch, tree, "none", 4));
    assert_int_equal(9, masstree_batch_len(batch));
    uint64_t commit = commit_batch();
    assert_true(commit > before);
    assert_int_equal(commit, assert_value(tree, "a", "1"));
    assert_no_value(tree, "b");
    assert_int_equal(commit, assert_value(tree, "c", "3"));
    assert_int_equal(commit, assert_value(second, "a", "2"));
    assert_int_equal(2, count_keys(tree));
}

/* Put back: in `Plan::judge`, answer with the index 0. */
static void a_condition_that_does_not_hold_changes_nothing(void **state)
{
    (void)state;
    uint64_t number = store_text(store, tree, "key", "value");
    assert_ok(masstree_batch_put(batch, tree, "new", 3, "v", 1));
    assert_ok(masstree_batch_assert_absent(batch, tree, "key", 3));
    assert_fails_at(1);
    assert_ok(masstree_batch_put(batch, tree, "new", 3, "v", 1));
    assert_ok(masstree_batch_assert_absent(batch, tree, "new", 3));
    assert_fails_at(1);
    assert_ok(masstree_batch_assert_present(batch, tree, "key", 3));
    assert_ok(masstree_batch_put(batch, tree, "key", 3, "v", 1));
    assert_ok(masstree_batch_assert_present(batch, tree, "none", 4));
    assert_fails_at(2);
    assert_ok(masstree_batch_assert_version(batch, tree, "key", 3, number));
    assert_ok(masstree_batch_assert_version(batch, tree, "key", 3, number + 1));
    assert_fails_at(1);
    assert_ok(masstree_batch_put(batch, tree, "key", 3, "value", 5));
    assert_ok(masstree_batch_assert_version(batch, tree, "key", 3, number));
    assert_fails_at(1);
    assert_ok(masstree_batch_put(batch, tree, "key", 3, "v", 1));
    assert_ok(masstree_batch_assert_value(batch, tree, "key", 3, "value", 5));
    assert_fails_at(1);
    assert_ok(masstree_batch_assert_value(batch, tree, "key", 3, "valid", 5));
    assert_fails_at(0);
    assert_ok(masstree_batch_rename(batch, tree, "none", 4, "key", 3, MASSTREE_RENAME_FORCE));
    assert_fails_at(0);
    assert_ok(masstree_batch_put(batch, tree, "new", 3, "v", 1));
    assert_ok(masstree_batch_rename(batch, tree, "new", 3, "key", 3, 0));
    assert_fails_at(1);
    assert_int_equal(number, assert_value(tree, "key", "value"));
    assert_int_equal(1, count_keys(tree));
    assert_ok(masstree_batch_assert_version(batch, tree, "key", 3, number));
    assert_ok(masstree_batch_assert_value(batch, tree, "key", 3, "value", 5));
    assert_ok(masstree_batch_assert_absent(batch, tree, "new", 3));
    assert_ok(masstree_batch_put(batch, tree, "new", 3, "v", 1));
    uint64_t commit = commit_batch();
    assert_int_equal(commit, assert_value(tree, "new", "v"));
}

/* Put back: in `judge_prefix`, take no key as found. */
static void a_prefix_is_empty_or_not(void **state)
{
    (void)state;
    store_text(store, tree, "dir/a", "1");
    store_text(store, tree, "dis", "2");
    assert_ok(masstree_batch_put(batch, tree, "new", 3, "v", 1));
    assert_ok(masstree_batch_assert_prefix_empty(batch, tree, "dir/", 4));
    assert_fails_at(1);
    assert_no_value(tree, "new");
    assert_ok(masstree_batch_remove(batch, tree, "dir/a", 5));
    assert_ok(masstree_batch_assert_prefix_empty(batch, tree, "dir/", 4));
    assert_ok(masstree_batch_put(batch, tree, "dir/b", 5, "v", 1));
    commit_batch();
    assert_value(tree, "dir/b", "v");
    assert_ok(masstree_store_remove(store, tree, "dir/b", 5, NULL));
    assert_ok(masstree_batch_assert_prefix_empty(batch, tree, "dir/", 4));
    assert_ok(masstree_batch_put(batch, tree, "dir/c", 5, "v", 1));
    assert_ok(masstree_batch_assert_prefix_empty(batch, tree, "dir/", 4));
    assert_fails_at(2);
    assert_ok(masstree_batch_assert_prefix_empty(batch, tree, "", 0));
    assert_fails_at(0);
    assert_ok(masstree_batch_assert_prefix_empty(batch, tree, "x", 1));
    commit_batch();
    assert_int_equal(1, count_keys(tree));
}

/* Put back: in `masstree_store_commit`, clear the batch. */
static void a_batch_can_be_committed_again(void **state)
{
    (void)state;
    uint64_t first = 0;
    uint64_t second = 0;
    assert_ok(masstree_store_commit(store, batch, NULL, NULL)); /* an empty one */
    assert_ok(masstree_batch_put(batch, tree, "key", 3, "value", 5));
    assert_ok(masstree_store_commit(store, batch, &first, NULL));
    assert_int_equal(first, assert_value(tree, "key", "value"));
    assert_ok(masstree_store_commit(store, batch, &second, NULL));
    assert_int_equal(second, assert_value(tree, "key", "value"));
    assert_true(second > first);
    assert_int_equal(1, masstree_batch_len(batch));
}

/* Put back: in `Plan::rename`, do not ask for the target. */
static void a_rename_moves_a_value(void **state)
{
    (void)state;
    uint64_t commit = 77;
    store_text(store, tree, "a", "1");
    store_text(store, tree, "b", "2");
    assert_status(MASSTREE_NOT_FOUND,
                  masstree_store_rename(store, tree, "none", 4, "a", 1, 0, &commit));
    assert_status(MASSTREE_NOT_FOUND,
                  masstree_store_rename(store, tree, "none", 4, "none", 4, 0, &commit));
    assert_status(MASSTREE_EXISTS, masstree_store_rename(store, tree, "a", 1, "b", 1, 0, &commit));
    assert_status(MASSTREE_INVALID, masstree_store_rename(store, tree, "a", 1, "c", 1, 2, &commit));
    assert_int_equal(77, commit);
    assert_ok(masstree_store_rename(store, tree, "a", 1, "a", 1, 0, NULL));
    assert_value(tree, "a", "1");
    assert_ok(masstree_store_rename(store, tree, "a", 1, "c", 1, 0, &commit));
    assert_no_value(tree, "a");
    assert_int_equal(commit, assert_value(tree, "c", "1"));
    assert_ok(masstree_store_rename(store, tree, "c", 1, "b", 1, MASSTREE_RENAME_FORCE, &commit));
    assert_int_equal(commit, assert_value(tree, "b", "1"));
    assert_int_equal(1, count_keys(tree));
}

/* Put back: in `Plan::change`, leave tombstones out. */
static void a_batch_is_found_again(void **state)
{
    (void)state;
    struct place place;
    place_make(&place);
    masstree_store_t *of = open_store(place.path, NULL);
    masstree_t *with = tree_named(of, "tree");
    store_text(of, with, "a", "1");
    assert_ok(masstree_store_rename(of, with, "a", 1, "b", 1, 0, NULL));
    masstree_batch_t *both = new_batch(of);
    assert_ok(masstree_batch_put(both, with, "c", 1, "3", 1));
    assert_ok(masstree_batch_put(both, tree_named(of, "second"), "d", 1, "4", 1));
    assert_ok(masstree_store_commit(of, both, NULL, NULL));
    assert_ok(masstree_batch_assert_prefix_empty(both, with, "b", 1));
    assert_status(MASSTREE_MISMATCH, masstree_store_commit(of, both, NULL, NULL));
    masstree_batch_destroy(both);
    close_store(of);
    of = open_store(place.path, NULL);
    with = tree_named(of, "tree");
    assert_no_value(with, "a");
    assert_value(with, "b", "1");
    uint64_t commit = assert_value(tree_named(of, "second"), "d", "4");
    assert_int_equal(commit, assert_value(with, "c", "3"));
    close_store(of);
    place_remove(&place);
}

static atomic_bool done;

static void move_back_and_forth(void *arg)
{
    (void)arg;
    size_t rounds = scaled(5000);
    for (size_t round = 0; round < rounds; round++) {
        const char *from = round % 2 == 0 ? "a" : "b";
        const char *to = round % 2 == 0 ? "b" : "a";
        REQUIRE(masstree_store_rename(store, tree, from, 1, to, 1, 0, NULL) == MASSTREE_OK);
    }
    atomic_store(&done, true);
}

static void read_both(void *arg)
{
    (void)arg;
    masstree_guard_t *guard = NULL;
    REQUIRE(masstree_guard_enter(tree, &guard) == MASSTREE_OK);
    masstree_slice_t keys[2] = {SLICE("a"), SLICE("b")};
    masstree_version_t versions[2];
    int32_t statuses[2];
    while (!atomic_load(&done)) {
        REQUIRE(masstree_get_many_at(tree, guard, keys, 2, MASSTREE_SEQNO_LATEST, versions,
                                     statuses) == MASSTREE_OK);
        REQUIRE((statuses[0] == MASSTREE_OK) != (statuses[1] == MASSTREE_OK));
        masstree_guard_refresh(guard);
    }
    masstree_guard_leave(guard);
}

/* Put back: in `Plan::rename`, leave the source as it is. */
static void readers_see_a_renamed_value_once(void **state)
{
    (void)state;
    void (*run[2])(void *) = {move_back_and_forth, read_both};
    char args[2];
    atomic_store(&done, false);
    store_text(store, tree, "a", "1");
    run_together(2, run, args, 1);
    assert_int_equal(1, count_keys(tree));
}

#define WITH_BATCH(test)                                                                          \
    {                                                                                             \
        #test, test, make, end, NULL                                                              \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_BATCH(each_operation_refuses_what_it_cannot_mean),
        WITH_BATCH(a_child_cannot_fill_a_batch),
        cmocka_unit_test(a_batch_without_memory_stays_as_it_is),
        WITH_BATCH(operations_take_effect_in_order),
        WITH_BATCH(a_condition_that_does_not_hold_changes_nothing),
        WITH_BATCH(a_prefix_is_empty_or_not),
        WITH_BATCH(a_batch_can_be_committed_again),
        WITH_BATCH(a_rename_moves_a_value),
        cmocka_unit_test(a_batch_is_found_again),
        WITH_BATCH(readers_see_a_renamed_value_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
