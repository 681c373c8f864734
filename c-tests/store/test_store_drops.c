/* Trees that are dropped. */
#include "one_place.h"

#include <errno.h>
#include <sys/wait.h>
#include <unistd.h>

/* Put back: in `Catalog::remove`, keep the name. */
static void a_dropped_tree_is_gone_and_its_name_is_free(void **state)
{
    (void)state;
    masstree_store_t *store = open_here();
    masstree_t *old = tree_named(store, "tree");
    uint64_t before = store_text(store, old, "key", "old"), commit = 0;
    assert_ok(masstree_store_drop_tree(store, "tree", &commit));
    assert_true(commit > before);
    assert_int_equal(0, stats_of(store).trees);
    /* A thread in the background may have a guard of the tree, which keeps the keys. Ends: it lets the guard go, and a
       later drop finds that. */
    while (count_keys(old) > 0) {
        tree_named(store, "other");
        assert_ok(masstree_store_drop_tree(store, "other", NULL));
    }
    assert_status(MASSTREE_NOT_FOUND, masstree_store_drop_tree(store, "tree", &commit));
    masstree_t *tree = tree_named(store, "tree");
    assert_true(tree != old);
    assert_no_value(tree, "key");
    store_text(store, tree, "key", "new");
    close_store(store);
    store = open_here();
    assert_value(tree_named(store, "tree"), "key", "new");
    assert_ok(masstree_store_drop_tree(store, "tree", NULL));
    assert_ok(masstree_store_checkpoint(store));
    close_store(store);
    store = open_here();
    assert_int_equal(0, stats_of(store).trees);
    assert_no_value(tree_named(store, "tree"), "key");
    close_store(store);
}

/* Put back: in `Store::write` or `Guards::check_trees`, do not look whether the tree is dropped. */
static void each_write_refuses_a_dropped_tree(void **state)
{
    (void)state;
    masstree_store_t *store = open_here();
    for (size_t i = 0; i < write_count; i++) {
        struct target target;
        masstree_t *tree = tree_named(store, "tree");
        target_make(&target, &writes[i], store, tree);
        assert_ok(masstree_store_drop_tree(store, "tree", NULL));
        assert_status(MASSTREE_WRONG_TREE, writes[i].run(&target));
        assert_int_equal(0, target.commit);
        target_end(&target);
    }
    close_store(store);
}

/* A snapshot sees what the tree had when it was opened. Put back: in `Life::clear`, do not ask for snapshots. */
static void a_snapshot_keeps_what_it_sees(void **state)
{
    (void)state;
    masstree_store_t *store = open_store(NULL, NULL);
    masstree_t *tree = tree_named(store, "tree");
    masstree_snapshot_t *snapshot;
    store_text(store, tree, "key", "value");
    assert_ok(masstree_snapshot_open(tree, &snapshot));
    assert_ok(masstree_store_drop_tree(store, "tree", NULL));
    assert_value(tree, "key", "value");
    masstree_snapshot_close(snapshot);
    tree_named(store, "another");
    assert_int_equal(0, count_keys(tree));
    close_store(store);
}

/* Put back: in `masstree_store_drop_tree`, accept NULL. */
static void wrong_arguments_are_refused(void **state)
{
    (void)state;
    char longest[257];
    uint64_t commit = 7;
    memset(longest, 'a', 256);
    longest[256] = 0;
    masstree_store_t *store = open_here();
    tree_named(store, "tree");
    assert_status(MASSTREE_INVALID, masstree_store_drop_tree(NULL, "tree", &commit));
    assert_status(MASSTREE_INVALID, masstree_store_drop_tree(store, NULL, &commit));
    assert_status(MASSTREE_INVALID, masstree_store_drop_tree(store, longest, &commit));
    assert_status(MASSTREE_INVALID, masstree_store_drop_tree(store, "\xc3", &commit));
    assert_status(MASSTREE_NOT_FOUND, masstree_store_drop_tree(store, "", &commit));
    pid_t child = fork();
    if (child == 0) {
        REQUIRE(masstree_store_drop_tree(store, "tree", &commit) == MASSTREE_FORKED);
        end_child();
    }
    assert_child_was_content(child);
    close_store(store);
    faults.options.flags = MASSTREE_STORE_READ_ONLY;
    store = open_here();
    assert_status(MASSTREE_READ_ONLY, masstree_store_drop_tree(store, "tree", &commit));
    assert_int_equal(1, stats_of(store).trees);
    assert_int_equal(7, commit);
    close_store(store);
}

/* Put back: in `Store::drop_tree`, take the tree out of the catalog before there is room. */
static void a_drop_that_gets_no_room_changes_nothing(void **state)
{
    (void)state;
    const int errors[] = {ENOSPC, EDQUOT};
    masstree_store_t *store = open_here();
    store_text(store, tree_named(store, "tree"), "key", "value");
    close_store(store);
    for (size_t i = 0; i < COUNT(errors); i++) {
        uint64_t commit = 7;
        fail_always(&faults, IO_PREALLOCATE, errors[i]);
        store = open_here();
        assert_status(MASSTREE_FULL, masstree_store_drop_tree(store, "tree", &commit));
        assert_int_equal(7, commit);
        assert_value(tree_named(store, "tree"), "key", "value");
        fail_no_more(&faults, IO_PREALLOCATE);
        close_store(store);
    }
}

/* Put back: in `masstree_store_drop_tree`, do not wait for the level. */
static void a_drop_waits_for_the_level_of_the_options(void **state)
{
    (void)state;
    uint64_t commit = 0;
    faults.options.level = MASSTREE_DURABLE;
    masstree_store_t *store = open_here();
    store_text(store, tree_named(store, "tree"), "key", "value");
    tree_named(store, "other");
    fail_nth(&faults, IO_SYNC, 1, EIO);
    assert_status(MASSTREE_UNKNOWN, masstree_store_drop_tree(store, "tree", &commit));
    assert_true(commit > masstree_store_durable(store));
    assert_int_equal(1, stats_of(store).trees);
    assert_status(MASSTREE_FAILED, masstree_store_drop_tree(store, "other", &commit));
    assert_int_equal(1, stats_of(store).trees);
    assert_status(MASSTREE_UNKNOWN, masstree_store_close(store));
}

#define WITH_PLACE(test) cmocka_unit_test_setup_teardown(test, make_place, end_place)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_PLACE(a_dropped_tree_is_gone_and_its_name_is_free),
        WITH_PLACE(each_write_refuses_a_dropped_tree),
        WITH_PLACE(a_snapshot_keeps_what_it_sees),
        WITH_PLACE(wrong_arguments_are_refused),
        WITH_PLACE(a_drop_that_gets_no_room_changes_nothing),
        WITH_PLACE(a_drop_waits_for_the_level_of_the_options),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
