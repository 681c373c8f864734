/* Imports. */
#include "no_memory.h"
#include "one_place.h"

#include <errno.h>

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

/* Makes a store in the other directory, with two trees. */
static void make_other(void)
{
    masstree_store_t *store = open_store(other.path, NULL);
    store_text(store, tree_named(store, "fruit"), "apple", "red");
    store_text(store, tree_named(store, "fruit"), "pear", "yellow");
    store_text(store, tree_named(store, "other"), "key", "value");
    close_store(store);
}

static int32_t import(masstree_store_t *store, uint32_t flags)
{
    return masstree_store_import(store, other.path, flags, NULL, NULL, NULL, NULL);
}

struct watch {
    uint32_t phase; /* in which it is stopped */
    masstree_recovery_progress_t last;
};

static int32_t note_progress(const masstree_recovery_progress_t *progress, void *ctx)
{
    struct watch *watch = ctx;
    watch->last = *progress;
    return watch->phase == progress->phase ? 77 : 0;
}

/* Put back: in `masstree_store_import`, ignore the flag; leave the name out. */
static void an_import_copies_trees(void **state)
{
    (void)state;
    struct watch watch = {0};
    masstree_store_imported_t imported = MASSTREE_STORE_IMPORTED_INIT;
    make_other();
    masstree_store_t *store = open_here();
    store_text(store, tree_named(store, "own"), "a", "1");
    assert_ok(masstree_store_import(store, other.path, 0, note_progress, &watch, NULL, &imported));
    assert_int_equal(2, imported.trees);
    assert_int_equal(3, imported.keys);
    assert_int_equal(5 + 3 + 4 + 6 + 3 + 5, imported.bytes);
    assert_string_equal("", imported.tree);
    assert_int_equal(MASSTREE_PHASE_IMPORT, watch.last.phase);
    assert_int_equal(imported.bytes, watch.last.bytes_read);
    assert_int_equal(imported.keys, watch.last.records);
    assert_int_equal(0, watch.last.bytes_total);
    assert_value(tree_named(store, "fruit"), "apple", "red");
    assert_value(tree_named(store, "own"), "a", "1");
    assert_status(MASSTREE_EXISTS,
                  masstree_store_import(store, other.path, 0, NULL, NULL, NULL, &imported));
    assert_string_equal("fruit", imported.tree);
    assert_status(MASSTREE_EXISTS, import(store, 0));
    store_text(store, tree_named(store, "fruit"), "quince", "yellow");
    assert_ok(import(store, MASSTREE_IMPORT_REPLACE));
    assert_no_value(tree_named(store, "fruit"), "quince");
    assert_int_equal(masstree_store_durable(store), stats_of(store).last_commit);
    close_store(store);
    store = open_here();
    assert_value(tree_named(store, "other"), "key", "value");
    close_store(store);
}

/* Put back: accept NULL; read a directory that is written. */
static void wrong_arguments_are_refused(void **state)
{
    (void)state;
    masstree_store_failure_t failure = MASSTREE_STORE_FAILURE_INIT;
    masstree_store_imported_t imported = MASSTREE_STORE_IMPORTED_INIT;
    masstree_store_t *store = open_here();
    assert_status(MASSTREE_NOT_FOUND, import(store, 0));
    make_other();
    assert_status(MASSTREE_INVALID, import(NULL, 0));
    assert_status(MASSTREE_INVALID, import(store, 2));
    assert_status(MASSTREE_INVALID, masstree_store_import(store, NULL, 0, NULL, NULL, NULL, NULL));
    imported.struct_size--;
    assert_status(MASSTREE_INVALID,
                  masstree_store_import(store, other.path, 0, NULL, NULL, NULL, &imported));
    failure.struct_size--;
    assert_status(MASSTREE_INVALID,
                  masstree_store_import(store, other.path, 0, NULL, NULL, &failure, NULL));
    masstree_store_t *busy = open_store(other.path, NULL);
    assert_status(MASSTREE_LOCKED, import(store, 0));
    close_store(busy);
    store_text(store, tree_named(store, "own"), "a", "1");
    close_store(store);
    faults.options.flags = MASSTREE_STORE_READ_ONLY;
    store = open_here();
    assert_status(MASSTREE_READ_ONLY, import(store, 0));
    close_store(store);
}

/* Put back: in `commit`, leave the answer out. */
static void an_import_can_be_stopped(void **state)
{
    (void)state;
    struct watch watch = {.phase = MASSTREE_PHASE_LOG};
    make_other();
    masstree_store_t *store = open_here();
    assert_status(77, masstree_store_import(store, other.path, 0, note_progress, &watch, NULL, NULL));
    watch.phase = MASSTREE_PHASE_IMPORT;
    assert_status(77, masstree_store_import(store, other.path, 0, note_progress, &watch, NULL, NULL));
    assert_int_equal(0, stats_of(store).trees);
    assert_ok(import(store, 0));
    close_store(store);
}

/* Drops a tree that is about to be filled. */
static int32_t drop_fruit(const masstree_recovery_progress_t *progress, void *ctx)
{
    masstree_store_t *store = ctx;
    if (progress->phase == MASSTREE_PHASE_IMPORT) {
        masstree_store_drop_tree(store, "fruit", NULL);
    }
    return 0;
}

/* Put back: let a batch write to a dropped tree. */
static void a_tree_that_is_dropped_meanwhile_ends_it(void **state)
{
    (void)state;
    make_other();
    masstree_store_t *store = open_here();
    assert_status(MASSTREE_WRONG_TREE,
                  masstree_store_import(store, other.path, 0, drop_fruit, store, NULL, NULL));
    assert_int_equal(0, stats_of(store).trees);
    close_store(store);
}

/* Put back: in `masstree_store_import`, do not report what failed. */
static void a_failure_ends_it(void **state)
{
    (void)state;
    char path[160];
    masstree_store_failure_t failure = MASSTREE_STORE_FAILURE_INIT;
    make_other();
    first_segment(&other, path, sizeof path);
    masstree_store_t *store = open_here();
    flip(path, 20);
    assert_status(MASSTREE_CORRUPT,
                  masstree_store_import(store, other.path, 0, NULL, NULL, &failure, NULL));
    assert_string_equal(path, failure.file);
    flip(path, 20);
    fail_always(&faults, IO_READ, EIO);
    assert_status(MASSTREE_FAILED,
                  masstree_store_import(store, other.path, 0, NULL, NULL, &failure, NULL));
    assert_int_equal(EIO, failure.os_error);
    fail_no_more(&faults, IO_READ);
    fail_always(&faults, IO_PREALLOCATE, ENOSPC);
    assert_status(MASSTREE_FULL, import(store, 0));
    fail_no_more(&faults, IO_PREALLOCATE);
    if (no_memory_works()) {
        no_memory = true;
        int32_t status = import(store, 0);
        no_memory = false;
        assert_status(MASSTREE_NOMEM, status);
    }
    assert_int_equal(0, stats_of(store).trees);
    /* The log's file is there. */
    store_text(store, tree_named(store, "own"), "a", "1");
    assert_ok(masstree_store_sync(store));
    fail_always(&faults, IO_SYNC, EIO);
    assert_status(MASSTREE_UNKNOWN, import(store, 0));
    fail_no_more(&faults, IO_SYNC);
    assert_status(MASSTREE_FAILED, import(store, MASSTREE_IMPORT_REPLACE));
    assert_status(MASSTREE_UNKNOWN, masstree_store_close(store));
}

/* Put back: in `Import::commit`, take a refused batch for done. */
static void a_value_that_is_too_large_ends_it(void **state)
{
    (void)state;
    static char value[5000];
    memset(value, 'x', sizeof value - 1);
    masstree_store_t *store = open_store(other.path, NULL);
    store_text(store, tree_named(store, "fruit"), "a", "1");
    store_text(store, tree_named(store, "fruit"), "b", value);
    close_store(store);
    faults.options.log_buffer_bytes = 4096;
    store = open_here();
    assert_status(MASSTREE_TOO_LARGE, import(store, 0));
    assert_int_equal(0, stats_of(store).trees);
    close_store(store);
}

#define WITH_PLACES(test) cmocka_unit_test_setup_teardown(test, make, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_PLACES(an_import_copies_trees),
        WITH_PLACES(wrong_arguments_are_refused),
        WITH_PLACES(an_import_can_be_stopped),
        WITH_PLACES(a_tree_that_is_dropped_meanwhile_ends_it),
        WITH_PLACES(a_failure_ends_it),
        WITH_PLACES(a_value_that_is_too_large_ends_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
