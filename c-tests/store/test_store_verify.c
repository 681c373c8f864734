/* Verifying directories. */
#include "no_memory.h"
#include "one_place.h"

#include <errno.h>

static masstree_store_failure_t failure;

static int make(void **state)
{
    make_place(state);
    failure = (masstree_store_failure_t)MASSTREE_STORE_FAILURE_INIT;
    faults.options.failure = &failure;
    return 0;
}

static int32_t verify(masstree_store_verified_t *verified)
{
    return masstree_store_verify(place.path, &faults.options, verified);
}

/* Makes a store with a checkpoint of two keys, and three commits behind it. */
static void make_store(void)
{
    masstree_store_t *store = open_store(place.path, &faults.options);
    masstree_t *tree = tree_named(store, "tree");
    store_text(store, tree, "a", "value");
    store_text(store, tree, "b", "value");
    tree_named(store, "dropped");
    assert_ok(masstree_store_checkpoint(store));
    store_text(store, tree, "c", "value");
    store_text(store, tree_named(store, "dropped"), "c", "value");
    assert_ok(masstree_store_drop_tree(store, "dropped", NULL));
    close_store(store);
}

/* Put back: in `Store::verify`, leave out the parts, or the log. */
static void it_counts_what_there_is(void **state)
{
    (void)state;
    masstree_store_verified_t verified = MASSTREE_STORE_VERIFIED_INIT;
    make_store();
    assert_ok(verify(&verified));
    assert_true(verified.checkpoint_commit > 0);
    assert_int_equal(2, verified.checkpoint_keys);
    assert_int_equal(1, verified.checkpoint_files);
    assert_int_equal(1, verified.trees);
    assert_int_equal(3, verified.log_records);
    assert_true(verified.log_groups > 0 && verified.log_files > 0 && verified.log_bytes > 0);
    assert_int_equal(0, verified.torn_bytes);
    assert_ok(verify(NULL));
    assert_ok(masstree_store_verify(place.path, NULL, NULL));
}

/* Put back: in `Store::verify`, lock as an opening that writes does; or do not lock. */
static void it_reads_beside_readers_only(void **state)
{
    (void)state;
    make_store();
    faults.options.flags = MASSTREE_STORE_READ_ONLY;
    masstree_store_t *store = open_store(place.path, &faults.options);
    assert_ok(verify(NULL));
    close_store(store);
    faults.options.flags = 0;
    store = open_store(place.path, &faults.options);
    assert_status(MASSTREE_LOCKED, verify(NULL));
    close_store(store);
}

/* Put back: in `masstree_store_verify`, do not report the failure. */
static void a_fault_is_named(void **state)
{
    (void)state;
    char path[160];
    masstree_store_verified_t verified = MASSTREE_STORE_VERIFIED_INIT;
    make_store();
    snprintf(path, sizeof path, "%s/manifest", place.path);
    flip(path, 30);
    assert_status(MASSTREE_CORRUPT, verify(&verified));
    assert_non_null(strstr(failure.file, "/manifest"));
    assert_int_equal(0, verified.checkpoint_commit);
    flip(path, 30);
    assert_ok(verify(&verified));
    fail_always(&faults, IO_READ, EIO);
    assert_status(MASSTREE_FAILED, verify(NULL));
    assert_int_equal(EIO, failure.os_error);
    fail_no_more(&faults, IO_READ);
}

static int32_t stop(const masstree_recovery_progress_t *progress, void *ctx)
{
    return progress->phase == *(uint32_t *)ctx ? 77 : 0;
}

/* Put back: leave the report at the end of a phase out. */
static void progress_can_stop_it(void **state)
{
    (void)state;
    uint32_t phase = MASSTREE_PHASE_CHECKPOINT;
    make_store();
    faults.options.progress = stop;
    faults.options.progress_ctx = &phase;
    assert_status(77, verify(NULL));
    phase = MASSTREE_PHASE_LOG;
    assert_status(77, verify(NULL));
    phase = 0;
    assert_ok(verify(NULL));
}

/* Put back: accept NULL; make the directory. */
static void what_is_no_store_is_refused(void **state)
{
    (void)state;
    masstree_store_verified_t verified = MASSTREE_STORE_VERIFIED_INIT;
    assert_status(MASSTREE_INVALID, masstree_store_verify(NULL, NULL, NULL));
    assert_status(MASSTREE_NOT_FOUND, verify(NULL));
    make_store();
    verified.struct_size--;
    assert_status(MASSTREE_INVALID, verify(&verified));
    if (no_memory_works()) {
        no_memory = true;
        int32_t status = verify(NULL);
        no_memory = false;
        assert_status(MASSTREE_NOMEM, status);
    }
}

#define WITH_PLACE(test) cmocka_unit_test_setup_teardown(test, make, end_place)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_PLACE(it_counts_what_there_is),      WITH_PLACE(it_reads_beside_readers_only),
        WITH_PLACE(a_fault_is_named),             WITH_PLACE(progress_can_stop_it),
        WITH_PLACE(what_is_no_store_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
