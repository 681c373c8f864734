/* File operations that fail, full disks, and files whose content is wrong. */
#include "one_place.h"

#include <errno.h>

static masstree_store_failure_t assert_not_opened(int32_t status)
{
    masstree_store_failure_t failure = MASSTREE_STORE_FAILURE_INIT;
    masstree_store_t *store = NULL;
    faults.options.failure = &failure;
    assert_status(status, masstree_store_open(place.path, &faults.options, &store));
    assert_null(store);
    faults.options.failure = NULL;
    assert_int_equal(sizeof failure, failure.struct_size);
    return failure;
}

static masstree_store_failure_t failure_of(const masstree_store_t *store, int32_t status)
{
    masstree_store_failure_t failure = MASSTREE_STORE_FAILURE_INIT;
    assert_status(status, masstree_store_failure(store, &failure));
    assert_int_equal(status == MASSTREE_OK ? MASSTREE_OK : MASSTREE_FAILED, failure.status);
    return failure;
}

static void note_status_of(uint64_t commit, int32_t status, void *ctx)
{
    (void)commit;
    *(int32_t *)ctx = status;
}

/* What is written after the log has failed, also if its condition does not hold: the source of a rename is
   missing, a batch demands a missing key, other functions demand a value or none. Put back: in `Store::commit`,
   leave out `admit`. */
static void assert_failed(masstree_store_t *store, masstree_t *tree, const char *src)
{
    struct target target;
    masstree_t *other = NULL;
    uint64_t keys = count_keys(tree);
    target_find(&target, store, tree);
    target.src = src;
    for (size_t i = 0; i < write_count; i++) {
        assert_status(MASSTREE_FAILED, writes[i].run(&target));
        assert_int_equal(0, target.commit);
    }
    target.src = target.key = "missing";
    target.key_len = strlen(target.key);
    assert_ok(masstree_batch_assert_present(target.batch, tree, target.key, target.key_len));
    for (size_t i = 0; i < write_count; i++) {
        assert_status(MASSTREE_FAILED, writes[i].run(&target));
        assert_int_equal(0, target.commit);
    }
    target_end(&target);
    assert_status(MASSTREE_FAILED, masstree_store_tree(store, "other", &other));
    assert_null(other);
    assert_status(MASSTREE_UNKNOWN, masstree_store_sync(store));
    assert_status(MASSTREE_UNKNOWN, masstree_store_wait(store, UINT64_MAX, MASSTREE_DURABLE));
    assert_int_equal(keys, count_keys(tree));
    assert_ptr_equal(tree, tree_named(store, "tree"));
}

static masstree_store_t *assert_unknown(const struct write *write, masstree_store_t *store,
                                        masstree_t *tree)
{
    struct target target;
    int32_t called = 77;
    target_make(&target, write, store, tree);
    failure_of(store, MASSTREE_OK);
    fail_nth(&faults, IO_SYNC, 1, EIO);
    assert_status(MASSTREE_UNKNOWN, write->run(&target));
    assert_true(target.commit > masstree_store_durable(store));
    assert_ok(masstree_store_wait(store, target.commit, MASSTREE_WRITTEN));
    masstree_store_failure_t failure = failure_of(store, MASSTREE_FAILED);
    assert_int_equal(EIO, failure.os_error);
    assert_string_equal("sync", failure.operation);
    assert_string_equal("", failure.reason);
    assert_non_null(strstr(failure.file, "log-"));
    assert_ok(masstree_store_on_durable(store, target.commit, note_status_of, &called));
    assert_failed(store, tree, "src2");
    target_end(&target);
    assert_status(MASSTREE_UNKNOWN, masstree_store_close(store));
    assert_int_equal(MASSTREE_UNKNOWN, called);
    return open_here();
}

/* Put back: in `unknown`, answer Failed; in `Flusher::call_back`, call with every status 0; in
   `masstree_store_close`, answer OK. */
static void a_sync_that_fails_ends_all_writes(void **state)
{
    (void)state;
    faults.options.level = MASSTREE_DURABLE;
    masstree_store_t *store = open_here();
    for (size_t i = 0; i < write_count; i++) {
        masstree_t *tree = tree_named(store, "tree");
        int32_t status = masstree_store_remove(store, tree, "key", 3, NULL);
        assert_true(status == MASSTREE_OK || status == MASSTREE_NOT_FOUND);
        store = assert_unknown(&writes[i], store, tree);
        assert_value(tree_named(store, "tree"), "src2", "second source");
    }
    close_store(store);
}

/* Put back: in `write_group`, ignore the error. */
static void a_write_that_fails_ends_all_writes(void **state)
{
    (void)state;
    masstree_store_t *store = open_here();
    masstree_t *tree = tree_named(store, "tree");
    uint64_t first = store_text(store, tree, "src", "value");
    assert_ok(masstree_store_wait(store, first, MASSTREE_DURABLE));
    fail_nth(&faults, IO_WRITE, 1, EROFS);
    uint64_t second = store_text(store, tree, "lost", "value");
    assert_status(MASSTREE_UNKNOWN, masstree_store_wait(store, second, MASSTREE_WRITTEN));
    assert_ok(masstree_store_wait(store, first, MASSTREE_DURABLE));
    assert_ok(masstree_store_wait(store, second, MASSTREE_MEMORY));
    masstree_store_failure_t failure = failure_of(store, MASSTREE_FAILED);
    assert_int_equal(EROFS, failure.os_error);
    assert_string_equal("write_at", failure.operation);
    assert_true(failure.offset > 0);
    assert_value(tree, "lost", "value");
    assert_failed(store, tree, "src");
    assert_status(MASSTREE_UNKNOWN, masstree_store_close(store));
    store = open_here();
    assert_value(tree_named(store, "tree"), "src", "value");
    assert_no_value(tree_named(store, "tree"), "lost");
    close_store(store);
}

/* Put back: in `masstree_store_failure`, accept NULL. */
static void failure_needs_its_struct(void **state)
{
    (void)state;
    masstree_store_failure_t failure = MASSTREE_STORE_FAILURE_INIT;
    masstree_store_t *store = open_here();
    assert_status(MASSTREE_INVALID, masstree_store_failure(NULL, &failure));
    assert_status(MASSTREE_INVALID, masstree_store_failure(store, NULL));
    failure.struct_size--;
    assert_status(MASSTREE_INVALID, masstree_store_failure(store, &failure));
    close_store(store);
}

/* Put back: in `no_room`, answer that the log has failed. */
static void a_full_disk_refuses_until_there_is_room(void **state)
{
    (void)state;
    struct target target;
    masstree_t *other = NULL;
    masstree_store_t *store = open_here();
    for (size_t i = 0; i < write_count; i++) {
        masstree_t *tree = tree_named(store, "tree");
        if ((writes[i].takes & NEEDS_NONE) != 0) {
            assert_ok(masstree_store_remove(store, tree, "key", 3, NULL));
        }
        target_make(&target, &writes[i], store, tree);
        target_end(&target);
        close_store(store);
        fail_always(&faults, IO_PREALLOCATE, i % 2 == 0 ? ENOSPC : EDQUOT);
        store = open_here();
        tree = tree_named(store, "tree");
        uint64_t keys = count_keys(tree);
        target_find(&target, store, tree);
        assert_status(MASSTREE_FULL, writes[i].run(&target));
        assert_status(MASSTREE_FULL, writes[i].run(&target));
        assert_int_equal(0, target.commit);
        assert_status(MASSTREE_FULL, masstree_store_tree(store, "other", &other));
        assert_int_equal(keys, count_keys(tree));
        failure_of(store, MASSTREE_OK);
        fail_no_more(&faults, IO_PREALLOCATE);
        assert_ok(writes[i].run(&target));
        assert_ok(masstree_store_wait(store, target.commit, MASSTREE_DURABLE));
        target_end(&target);
    }
    close_store(store);
}

/* Put back: in `From<IoError> for OpenFault`, do not ask `is_full`. */
static void opening_says_what_failed(void **state)
{
    (void)state;
    masstree_store_failure_t failure;
    fail_nth(&faults, IO_MKDIR, 1, EACCES);
    failure = assert_not_opened(MASSTREE_FAILED);
    assert_int_equal(MASSTREE_FAILED, failure.status);
    assert_int_equal(EACCES, failure.os_error);
    assert_string_equal("mkdir", failure.operation);
    assert_string_equal(place.path, failure.file);
    fail_nth(&faults, IO_MKDIR, 1, ENOSPC);
    failure = assert_not_opened(MASSTREE_FULL);
    assert_int_equal(ENOSPC, failure.os_error);
    fail_nth(&faults, IO_OPEN, 1, EMFILE);
    assert_string_equal("open", assert_not_opened(MASSTREE_FAILED).operation);
    fail_nth(&faults, IO_LOCK, 1, ENOLCK);
    assert_string_equal("lock", assert_not_opened(MASSTREE_FAILED).operation);
    fail_nth(&faults, IO_LIST, 1, EIO);
    assert_string_equal("list", assert_not_opened(MASSTREE_FAILED).operation);
    fail_nth(&faults, IO_LOCK, 1, EWOULDBLOCK);
    failure = assert_not_opened(MASSTREE_LOCKED);
    assert_int_equal(MASSTREE_OK, failure.status);
    close_store(open_here());
}

/* A store whose first three records are a tree, "a" and "b", each in a frame of its own. */
enum { SECOND_FRAME = 160, FRAME_HEADER = 64 };
static void make_three_frames(char *segment, size_t size)
{
    masstree_store_t *store = open_here();
    masstree_t *tree = tree_named(store, "t");
    assert_ok(masstree_store_sync(store));
    store_text(store, tree, "a", "1");
    assert_ok(masstree_store_sync(store));
    store_text(store, tree, "b", "2");
    close_store(store);
    first_segment(&place, segment, size);
}

/* Put back: in `Failure::of_corruption`, forget the offset; in `read_log`, salvage always. */
static void a_flipped_byte_is_found_and_can_be_given_up(void **state)
{
    (void)state;
    char segment[512];
    make_three_frames(segment, sizeof segment);
    uint64_t size = file_size(segment);
    flip(segment, SECOND_FRAME + FRAME_HEADER + 10);
    masstree_store_failure_t failure = assert_not_opened(MASSTREE_CORRUPT);
    assert_int_equal(MASSTREE_CORRUPT, failure.status);
    assert_int_equal(0, failure.os_error);
    assert_int_equal(SECOND_FRAME, failure.offset);
    assert_string_equal(segment, failure.file);
    assert_string_equal("", failure.operation);
    assert_true(strlen(failure.reason) > 10);
    faults.options.flags = MASSTREE_STORE_READ_ONLY;
    assert_not_opened(MASSTREE_CORRUPT);
    assert_int_equal(size, file_size(segment));
    faults.options.flags = MASSTREE_STORE_READ_ONLY | MASSTREE_STORE_SALVAGE;
    masstree_store_t *store = open_here();
    assert_int_equal(1, stats_of(store).salvaged);
    close_store(store);
    assert_int_equal(size, file_size(segment));
    faults.options.flags = MASSTREE_STORE_SALVAGE;
    store = open_here();
    masstree_store_stats_t stats = stats_of(store);
    assert_int_equal(1, stats.salvaged);
    assert_int_equal(1, stats.trees);
    assert_int_equal(1, stats.read_records);
    assert_true(stats.torn_bytes > FRAME_HEADER);
    assert_int_equal(0, count_keys(tree_named(store, "t")));
    store_text(store, tree_named(store, "t"), "c", "3");
    close_store(store);
    faults.options.flags = 0;
    store = open_here();
    assert_int_equal(0, stats_of(store).salvaged);
    assert_value(tree_named(store, "t"), "c", "3");
    assert_no_value(tree_named(store, "t"), "a");
    close_store(store);
}

/* Put back: in `end_at`, call every broken end corrupt. */
static void a_torn_end_is_cut_off(void **state)
{
    (void)state;
    char segment[512];
    make_three_frames(segment, sizeof segment);
    uint64_t size = file_size(segment);
    flip(segment, size - 1);
    faults.options.flags = MASSTREE_STORE_READ_ONLY;
    masstree_store_t *store = open_here();
    assert_true(stats_of(store).torn_bytes > 0);
    close_store(store);
    assert_int_equal(size, file_size(segment));
    faults.options.flags = 0;
    store = open_here();
    assert_true(stats_of(store).torn_bytes > 0);
    assert_int_equal(0, stats_of(store).salvaged);
    assert_value(tree_named(store, "t"), "a", "1");
    assert_no_value(tree_named(store, "t"), "b");
    assert_true(file_size(segment) < size);
    close_store(store);
}

/* Put back: in `decode` of tables, take the operating system's functions if `list` is missing. */
static void a_table_needs_every_function(void **state)
{
    (void)state;
    masstree_store_t *store = NULL;
    for (size_t at = sizeof(void *); at < sizeof faults.io; at += sizeof(void *)) {
        masstree_io_t lacking = faults.io;
        memset((char *)&lacking + at, 0, sizeof(void *));
        faults.options.io = &lacking;
        assert_status(MASSTREE_INVALID, masstree_store_open(place.path, &faults.options, &store));
    }
    assert_null(store);
}

#define WITH_FAULTS(test)                                                                         \
    {                                                                                             \
        #test, test, make_place, end_place, NULL                                                              \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_FAULTS(a_sync_that_fails_ends_all_writes),
        WITH_FAULTS(a_write_that_fails_ends_all_writes),
        WITH_FAULTS(failure_needs_its_struct),
        WITH_FAULTS(a_full_disk_refuses_until_there_is_room),
        WITH_FAULTS(opening_says_what_failed),
        WITH_FAULTS(a_flipped_byte_is_found_and_can_be_given_up),
        WITH_FAULTS(a_torn_end_is_cut_off),
        WITH_FAULTS(a_table_needs_every_function),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
