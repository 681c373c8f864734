/* Changes of a store, and replicas. */
#include "no_memory.h"
#include "one_place.h"

#include <errno.h>
#include <unistd.h>

static struct place other;

static int make(void **state)
{
    place_make(&other);
    return make_place(state);
}

static int end(void **state)
{
    place_remove(&other);
    return end_place(state);
}

static masstree_changes_t *changes_since(masstree_store_t *store, uint64_t since)
{
    masstree_changes_t *changes = NULL;
    assert_ok(masstree_store_changes(store, since, NULL, &changes));
    return changes;
}

/* Asserts what comes next; returns the commit's number. */
static uint64_t assert_next(masstree_changes_t *changes, uint32_t kind, const char *tree,
                            const char *key, const char *value, bool is_last)
{
    masstree_change_t change;
    assert_ok(masstree_changes_next(changes, &change, NULL));
    assert_int_equal(kind, change.kind);
    assert_string_equal(tree, change.tree);
    assert_true(change.tree_number > 0);
    assert_int_equal(is_last, change.is_last);
    assert_int_equal(0, change.reserved);
    assert_int_equal(key == NULL ? 0 : strlen(key), change.key_len);
    assert_int_equal(value == NULL ? 0 : strlen(value), change.value_len);
    assert_true((key == NULL) == (change.key == NULL));
    assert_true((value == NULL) == (change.value == NULL));
    if (key != NULL) {
        assert_memory_equal(key, change.key, change.key_len);
    }
    if (value != NULL) {
        assert_memory_equal(value, change.value, change.value_len);
    }
    return change.commit;
}

static void assert_nothing(masstree_changes_t *changes)
{
    masstree_change_t change;
    assert_status(MASSTREE_NOT_FOUND, masstree_changes_next(changes, &change, NULL));
    assert_status(MASSTREE_NOT_FOUND, masstree_changes_wait(changes, 0));
}

/* Put back: in `encode`, swap two kinds; leave the value of a removed key; say of each change that it is the last. */
static void changes_come_in_the_order_of_commits(void **state)
{
    (void)state;
    uint64_t commit;
    masstree_store_t *store = open_here();
    masstree_t *tree = tree_named(store, "tree");
    masstree_changes_t *changes = changes_since(store, 0);
    assert_nothing(changes);
    uint64_t first = store_text(store, tree, "a", "1");
    masstree_batch_t *batch = new_batch(store);
    assert_ok(masstree_batch_put(batch, tree, "b", 1, "", 0));
    assert_ok(masstree_batch_remove(batch, tree, "a", 1));
    assert_ok(masstree_store_commit(store, batch, &commit, NULL));
    masstree_batch_destroy(batch);
    assert_ok(masstree_store_drop_tree(store, "tree", NULL));
    assert_nothing(changes);
    assert_ok(masstree_store_sync(store));
    assert_ok(masstree_changes_wait(changes, 0));
    assert_next(changes, MASSTREE_CHANGE_TREE_MADE, "tree", NULL, NULL, true);
    assert_int_equal(first, assert_next(changes, MASSTREE_CHANGE_PUT, "tree", "a", "1", true));
    assert_ok(masstree_changes_wait(changes, MASSTREE_NO_TIMEOUT));
    assert_int_equal(commit,
                     assert_next(changes, MASSTREE_CHANGE_REMOVE, "tree", "a", NULL, false));
    assert_int_equal(commit, assert_next(changes, MASSTREE_CHANGE_PUT, "tree", "b", "", true));
    uint64_t last = assert_next(changes, MASSTREE_CHANGE_TREE_DROPPED, "tree", NULL, NULL, true);
    assert_nothing(changes);
    masstree_changes_destroy(changes);
    changes = changes_since(store, first);
    assert_next(changes, MASSTREE_CHANGE_REMOVE, "tree", "a", NULL, false);
    masstree_changes_destroy(changes);
    close_store(store);
    store = open_here();
    changes = changes_since(store, commit);
    assert_int_equal(
        last, assert_next(changes, MASSTREE_CHANGE_TREE_DROPPED, "tree", NULL, NULL, true));
    assert_nothing(changes);
    masstree_changes_destroy(changes);
    close_store(store);
}

/* Put back: in `decode`, take the level for durable whatever it is. */
static void changes_that_are_only_written_come_if_they_are_wanted(void **state)
{
    (void)state;
    masstree_changes_t *durable, *written;
    masstree_changes_options_t options = MASSTREE_CHANGES_OPTIONS_INIT;
    masstree_store_t *store = open_here();
    uint64_t commit = store_text(store, tree_named(store, "tree"), "a", "1");
    options.level = MASSTREE_WRITTEN;
    assert_ok(masstree_store_changes(store, 0, &options, &written));
    options.level = MASSTREE_DURABLE;
    assert_ok(masstree_store_changes(store, 0, &options, &durable));
    assert_ok(masstree_store_wait(store, commit, MASSTREE_WRITTEN));
    assert_nothing(durable);
    assert_next(written, MASSTREE_CHANGE_TREE_MADE, "tree", NULL, NULL, true);
    assert_next(written, MASSTREE_CHANGE_PUT, "tree", "a", "1", true);
    assert_nothing(written);
    masstree_changes_destroy(written);
    masstree_changes_destroy(durable);
    masstree_changes_destroy(NULL);
    close_store(store);
}

static void fill(masstree_store_t *store)
{
    static char value[2000];
    memset(value, 'x', sizeof value - 1);
    for (int i = 0; i < 200; i++) {
        store_text(store, tree_named(store, "tree"), "key", value);
    }
    assert_ok(masstree_store_sync(store));
}

/* Put back: in `decode` of an opening, leave `retained_log_bytes` out; in `decode`, `held_log_bytes`. */
static void what_a_checkpoint_has_removed_is_too_old(void **state)
{
    (void)state;
    masstree_changes_t *changes = NULL, *held = NULL;
    masstree_change_t change;
    masstree_changes_options_t options = MASSTREE_CHANGES_OPTIONS_INIT;
    faults.options.log_buffer_bytes = 8192;
    faults.options.log_segment_bytes = 65536;
    masstree_store_t *store = open_here();
    fill(store);
    options.held_log_bytes = 1;
    assert_ok(masstree_store_changes(store, 0, &options, &held));
    assert_ok(masstree_store_checkpoint(store));
    assert_status(MASSTREE_TOO_OLD, masstree_store_changes(store, 0, NULL, &changes));
    assert_null(changes);
    assert_status(MASSTREE_TOO_OLD, masstree_changes_next(held, &change, NULL));
    masstree_changes_destroy(held);
    uint64_t number = stats_of(store).changes_since;
    assert_in_range(number, 1, stats_of(store).checkpoint_commit);
    assert_status(MASSTREE_TOO_OLD, masstree_store_changes(store, number - 1, NULL, &changes));
    changes = changes_since(store, number);
    fill(store);
    assert_ok(masstree_store_checkpoint(store));
    assert_ok(masstree_changes_next(changes, &change, NULL));
    masstree_changes_destroy(changes);
    assert_status(MASSTREE_NOT_FOUND,
                  masstree_store_changes(store, change.commit + 1000000, NULL, &changes));
    close_store(store);
    faults.options.retained_log_bytes = UINT64_MAX;
    store = open_here();
    number = stats_of(store).last_commit;
    fill(store);
    assert_ok(masstree_store_checkpoint(store));
    changes = changes_since(store, number);
    assert_ok(masstree_changes_next(changes, &change, NULL));
    masstree_changes_destroy(changes);
    close_store(store);
}

/* Put back: accept NULL; in `decode`, take no notice of `reserved`. */
static void wrong_arguments_are_refused(void **state)
{
    (void)state;
    masstree_changes_t *changes = NULL;
    masstree_change_t change;
    masstree_store_failure_t failure = MASSTREE_STORE_FAILURE_INIT;
    masstree_store_t *store = open_store(NULL, NULL);
    assert_status(MASSTREE_INVALID, masstree_store_changes(store, 0, NULL, &changes));
    close_store(store);
    store = open_here();
    assert_status(MASSTREE_INVALID, masstree_store_changes(NULL, 0, NULL, &changes));
    assert_status(MASSTREE_INVALID, masstree_store_changes(store, 0, NULL, NULL));
    masstree_changes_options_t options = MASSTREE_CHANGES_OPTIONS_INIT;
    options.level = 3;
    assert_status(MASSTREE_INVALID, masstree_store_changes(store, 0, &options, &changes));
    options.level = 0;
    options.reserved = 1;
    assert_status(MASSTREE_INVALID, masstree_store_changes(store, 0, &options, &changes));
    options.reserved = 0;
    options.struct_size--;
    assert_status(MASSTREE_INVALID, masstree_store_changes(store, 0, &options, &changes));
    assert_null(changes);
    changes = changes_since(store, 0);
    assert_status(MASSTREE_INVALID, masstree_changes_next(NULL, &change, NULL));
    assert_status(MASSTREE_INVALID, masstree_changes_next(changes, NULL, NULL));
    failure.struct_size--;
    assert_status(MASSTREE_INVALID, masstree_changes_next(changes, &change, &failure));
    assert_status(MASSTREE_INVALID, masstree_changes_wait(NULL, 0));
    masstree_changes_destroy(changes);
    close_store(store);
}

/* Put back: in `masstree_changes_next`, do not report the failure; in `advance`, keep the window. */
static void faults_are_named_and_the_call_can_be_made_again(void **state)
{
    (void)state;
    char path[160];
    masstree_change_t change;
    masstree_store_failure_t failure = MASSTREE_STORE_FAILURE_INIT;
    masstree_store_t *store = open_here();
    store_text(store, tree_named(store, "tree"), "a", "1");
    assert_ok(masstree_store_sync(store));
    masstree_changes_t *changes = changes_since(store, 0);
    fail_always(&faults, IO_READ, EIO);
    assert_status(MASSTREE_FAILED, masstree_changes_next(changes, &change, &failure));
    assert_int_equal(EIO, failure.os_error);
    fail_no_more(&faults, IO_READ);
    if (no_memory_works()) {
        no_memory = true;
        int32_t status = masstree_changes_next(changes, &change, NULL);
        no_memory = false;
        assert_status(MASSTREE_NOMEM, status);
        masstree_changes_t *more = NULL;
        no_memory = true;
        status = masstree_store_changes(store, 0, NULL, &more);
        no_memory = false;
        assert_status(MASSTREE_NOMEM, status);
    }
    first_segment(&place, path, sizeof path);
    flip(path, 90);
    assert_status(MASSTREE_CORRUPT, masstree_changes_next(changes, &change, &failure));
    assert_string_equal(path, failure.file);
    assert_int_equal(80, failure.offset);
    flip(path, 90);
    assert_next(changes, MASSTREE_CHANGE_TREE_MADE, "tree", NULL, NULL, true);
    assert_next(changes, MASSTREE_CHANGE_PUT, "tree", "a", "1", true);
    fail_always(&faults, IO_WRITE, EIO);
    store_text(store, tree_named(store, "tree"), "b", "2");
    assert_status(MASSTREE_FAILED, masstree_changes_wait(changes, MASSTREE_NO_TIMEOUT));
    assert_status(MASSTREE_NOT_FOUND, masstree_changes_next(changes, &change, &failure));
    assert_status(MASSTREE_OK, failure.status);
    masstree_changes_destroy(changes);
    assert_status(MASSTREE_UNKNOWN, masstree_store_close(store));
}

/* Put back: in `masstree_changes_wait`, wait in a store that is only read. */
static void a_store_that_is_only_read_has_changes(void **state)
{
    (void)state;
    masstree_store_t *store = open_here();
    store_text(store, tree_named(store, "tree"), "a", "1");
    close_store(store);
    faults.options.flags = MASSTREE_STORE_READ_ONLY;
    store = open_here();
    masstree_changes_t *changes = changes_since(store, 0);
    assert_ok(masstree_changes_wait(changes, MASSTREE_NO_TIMEOUT));
    assert_next(changes, MASSTREE_CHANGE_TREE_MADE, "tree", NULL, NULL, true);
    assert_next(changes, MASSTREE_CHANGE_PUT, "tree", "a", "1", true);
    masstree_change_t change;
    assert_status(MASSTREE_NOT_FOUND, masstree_changes_next(changes, &change, NULL));
    assert_status(MASSTREE_READ_ONLY, masstree_changes_wait(changes, MASSTREE_NO_TIMEOUT));
    masstree_changes_destroy(changes);
    close_store(store);
}

/* Put back: in `store_of`, do not look for a fork. */
static void a_child_has_no_changes(void **state)
{
    (void)state;
    masstree_store_t *store = open_here();
    masstree_changes_t *changes = changes_since(store, 0);
    pid_t child = fork();
    if (child == 0) {
        masstree_changes_t *other_changes = NULL;
        masstree_change_t change;
        REQUIRE(masstree_store_changes(store, 0, NULL, &other_changes) == MASSTREE_FORKED);
        REQUIRE(masstree_changes_next(changes, &change, NULL) == MASSTREE_FORKED);
        REQUIRE(masstree_changes_wait(changes, 0) == MASSTREE_FORKED);
        masstree_changes_destroy(changes);
        end_child();
    }
    assert_child_was_content(child);
    masstree_changes_destroy(changes);
    close_store(store);
}

#define WITH_PLACES(test) cmocka_unit_test_setup_teardown(test, make, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_PLACES(changes_come_in_the_order_of_commits),
        WITH_PLACES(changes_that_are_only_written_come_if_they_are_wanted),
        WITH_PLACES(what_a_checkpoint_has_removed_is_too_old),
        WITH_PLACES(wrong_arguments_are_refused),
        WITH_PLACES(faults_are_named_and_the_call_can_be_made_again),
        WITH_PLACES(a_store_that_is_only_read_has_changes),
        WITH_PLACES(a_child_has_no_changes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
