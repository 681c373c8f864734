/* Exports. */
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

struct watch {
    size_t calls;
    int32_t answer;
    masstree_recovery_progress_t last;
};

static int32_t note_progress(const masstree_recovery_progress_t *progress, void *ctx)
{
    struct watch *watch = ctx;
    watch->calls++;
    watch->last = *progress;
    return watch->answer;
}

/* Put back: in `masstree_store_export`, export the newest state whatever the snapshot. */
static void an_export_has_what_the_snapshot_sees(void **state)
{
    (void)state;
    struct watch watch = {0};
    masstree_snapshot_t *snapshot;
    masstree_store_t *store = open_here();
    masstree_t *tree = tree_named(store, "tree");
    uint64_t commit = store_text(store, tree, "key", "old");
    assert_ok(masstree_snapshot_open(tree, &snapshot));
    store_text(store, tree, "key", "new");
    assert_ok(masstree_store_export(store, snapshot, other.path, note_progress, &watch, NULL));
    masstree_snapshot_close(snapshot);
    assert_true(watch.calls > 0);
    assert_int_equal(MASSTREE_PHASE_EXPORT, watch.last.phase);
    assert_true(watch.last.bytes_read > 0);
    assert_int_equal(0, watch.last.bytes_total);
    assert_status(MASSTREE_EXISTS,
                  masstree_store_export(store, NULL, other.path, NULL, NULL, NULL));
    masstree_store_t *copy = open_store(other.path, NULL);
    assert_int_equal(commit, assert_value(tree_named(copy, "tree"), "key", "old"));
    assert_true(store_text(copy, tree_named(copy, "tree"), "key", "newest") > commit);
    assert_status(MASSTREE_LOCKED,
                  masstree_store_export(store, NULL, other.path, NULL, NULL, NULL));
    close_store(copy);
    assert_value(tree, "key", "new");
    close_store(store);
}

/* Put back: in `masstree_store_export`, accept a snapshot of another store. */
static void wrong_arguments_are_refused(void **state)
{
    (void)state;
    masstree_store_failure_t failure = MASSTREE_STORE_FAILURE_INIT;
    masstree_snapshot_t *snapshot;
    masstree_store_t *store = open_here(), *foreign = open_store(NULL, NULL);
    tree_named(store, "tree");
    assert_status(MASSTREE_INVALID, masstree_store_export(NULL, NULL, other.path, NULL, NULL, NULL));
    assert_status(MASSTREE_INVALID, masstree_store_export(store, NULL, NULL, NULL, NULL, NULL));
    failure.struct_size--;
    assert_status(MASSTREE_INVALID,
                  masstree_store_export(store, NULL, other.path, NULL, NULL, &failure));
    assert_ok(masstree_snapshot_open(tree_named(foreign, "tree"), &snapshot));
    assert_status(MASSTREE_WRONG_TREE,
                  masstree_store_export(store, snapshot, other.path, NULL, NULL, NULL));
    masstree_snapshot_close(snapshot);
    assert_status(MASSTREE_LOCKED, masstree_store_export(store, NULL, place.path, NULL, NULL, NULL));
    close_store(foreign);
    close_store(store);
}

/* Put back: in `Watch::note`, leave the answer out. */
static void an_export_can_be_stopped(void **state)
{
    (void)state;
    struct watch watch = {.answer = 77};
    masstree_store_t *store = open_here(), *copy = NULL;
    store_text(store, tree_named(store, "tree"), "key", "value");
    assert_status(77, masstree_store_export(store, NULL, other.path, note_progress, &watch, NULL));
    masstree_store_options_t options = MASSTREE_STORE_OPTIONS_INIT;
    options.flags = MASSTREE_STORE_MUST_EXIST;
    assert_status(MASSTREE_NOT_FOUND, masstree_store_open(other.path, &options, &copy));
    assert_ok(masstree_store_export(store, NULL, other.path, NULL, NULL, NULL));
    close_store(open_store(other.path, &options));
    close_store(store);
}

/* Put back: in `masstree_store_export`, do not report what failed. */
static void a_file_operation_that_fails_ends_the_export_only(void **state)
{
    (void)state;
    const struct {
        enum io_call call;
        int error;
        int32_t status;
    } cases[] = {{IO_WRITE, EIO, MASSTREE_FAILED},
                 {IO_SYNC, EIO, MASSTREE_FAILED},
                 {IO_WRITE, ENOSPC, MASSTREE_FULL},
                 {IO_MKDIR, EACCES, MASSTREE_FAILED}};
    masstree_store_t *store = open_here();
    masstree_t *tree = tree_named(store, "tree");
    store_text(store, tree, "key", "value");
    assert_ok(masstree_store_sync(store));
    for (size_t i = 0; i < COUNT(cases); i++) {
        masstree_store_failure_t failure = MASSTREE_STORE_FAILURE_INIT;
        fail_always(&faults, cases[i].call, cases[i].error);
        assert_status(cases[i].status,
                      masstree_store_export(store, NULL, other.path, NULL, NULL, &failure));
        assert_int_equal(cases[i].error, failure.os_error);
        fail_no_more(&faults, cases[i].call);
        store_text(store, tree, "key", "value");
        assert_ok(masstree_store_sync(store));
    }
    assert_ok(masstree_store_export(store, NULL, other.path, NULL, NULL, NULL));
    close_store(store);
}

/* Put back: in `masstree_store_export`, answer MASSTREE_FAILED without memory for the path. */
static void without_memory_nothing_is_exported(void **state)
{
    (void)state;
    if (!no_memory_works()) {
        skip();
    }
    masstree_store_t *store = open_here();
    tree_named(store, "tree");
    no_memory = true;
    int32_t status = masstree_store_export(store, NULL, other.path, NULL, NULL, NULL);
    no_memory = false;
    assert_status(MASSTREE_NOMEM, status);
    assert_ok(masstree_store_export(store, NULL, other.path, NULL, NULL, NULL));
    close_store(store);
}

#define WITH_PLACES(test) cmocka_unit_test_setup_teardown(test, make, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_PLACES(an_export_has_what_the_snapshot_sees),
        WITH_PLACES(wrong_arguments_are_refused),
        WITH_PLACES(an_export_can_be_stopped),
        WITH_PLACES(without_memory_nothing_is_exported),
        WITH_PLACES(a_file_operation_that_fails_ends_the_export_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
