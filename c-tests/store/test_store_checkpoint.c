/* Checkpoints: what is found behind one, beside writes, and when one is not made. */
#include "faults.h"
#include "no_memory.h"

#include <dirent.h>
#include <errno.h>
#include <sched.h>

enum { KEYS = 50000 };

static struct place place;
static struct faults faults;
static masstree_store_t *store;
static masstree_t *tree;

static void open_here(void)
{
    store = open_store(place.path, &faults.options);
    tree = tree_named(store, "tree");
}

static void reopen(void)
{
    close_store(store);
    open_here();
}

static int make(void **state)
{
    (void)state;
    place_make(&place);
    faults_start(&faults);
    open_here();
    return 0;
}

static int end(void **state)
{
    (void)state;
    if (store != NULL) {
        close_store(store);
    }
    faults_end(&faults);
    place_remove(&place);
    return 0;
}

/* Files whose names begin with a prefix. */
static size_t files(const char *prefix)
{
    size_t count = 0;
    DIR *directory = opendir(place.path);
    assert_non_null(directory);
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        count += strncmp(entry->d_name, prefix, strlen(prefix)) == 0;
    }
    closedir(directory);
    return count;
}

static void fill(const char *value)
{
    char key[16];
    for (unsigned i = 0; i < KEYS; i++) {
        snprintf(key, sizeof key, "key%06u", i);
        store_text(store, tree, key, value);
    }
}

/* Put back: remove the log's files without a checkpoint; write one part only, of several. */
static void what_a_checkpoint_contains_is_found_without_the_log(void **state)
{
    (void)state;
    uint64_t first = store_text(store, tree, "first", "value");
    fill("some value, which makes the log longer than its first file");
    assert_ok(masstree_store_remove(store, tree, "key000007", 9, NULL));
    assert_ok(masstree_store_checkpoint(store));
    assert_int_equal(1, files("manifest"));
    assert_true(files("checkpoint-") >= 1);
    store_text(store, tree, "later", "value");
    reopen();
    assert_true(stats_of(store).read_records < 10);
    assert_int_equal(first, assert_value(tree, "first", "value"));
    assert_value(tree, "later", "value");
    assert_no_value(tree, "key000007");
    assert_int_equal(KEYS + 1, count_keys(tree));
}

static void *write_more(void *done)
{
    for (unsigned i = 0; !atomic_load((atomic_bool *)done); i++) {
        char key[16];
        snprintf(key, sizeof key, "more%04u", i % 10000);
        REQUIRE(masstree_store_put(store, tree, key, strlen(key), key, strlen(key), NULL) ==
                MASSTREE_OK);
    }
    return NULL;
}

/* Put back: make the checkpoint without a snapshot, at the number that was taken last. */
static void a_checkpoint_is_made_beside_writes(void **state)
{
    (void)state;
    atomic_bool done = false;
    pthread_t writer;
    fill("value");
    assert_int_equal(0, pthread_create(&writer, NULL, write_more, &done));
    for (int i = 0; i < 3; i++) {
        assert_ok(masstree_store_checkpoint(store));
    }
    atomic_store(&done, true);
    assert_int_equal(0, pthread_join(writer, NULL));
    uint64_t keys = count_keys(tree);
    reopen();
    assert_int_equal(keys, count_keys(tree));
}

/* Put back: keep the files of a checkpoint that is not made; let a full disk be a failure. */
static void a_full_disk_leaves_the_checkpoint_before(void **state)
{
    (void)state;
    masstree_store_failure_t failure = MASSTREE_STORE_FAILURE_INIT;
    store_text(store, tree, "key", "one");
    assert_ok(masstree_store_checkpoint(store));
    store_text(store, tree, "key", "two");
    assert_ok(masstree_store_sync(store));
    size_t before = files("");
    fail_nth(&faults, IO_WRITE, 1, ENOSPC);
    assert_status(MASSTREE_FULL, masstree_store_checkpoint(store));
    assert_ok(masstree_store_failure(store, &failure));
    assert_int_equal(before, files(""));
    reopen();
    assert_value(tree, "key", "two");
    assert_ok(masstree_store_checkpoint(store));
}

/* Put back: let the log fail with a checkpoint; forget the failure. */
static void a_failed_checkpoint_is_reported_and_writes_go_on(void **state)
{
    (void)state;
    masstree_store_failure_t failure = MASSTREE_STORE_FAILURE_INIT;
    store_text(store, tree, "key", "one");
    assert_ok(masstree_store_sync(store));
    fail_nth(&faults, IO_SYNC, 1, EIO);
    assert_status(MASSTREE_FAILED, masstree_store_checkpoint(store));
    assert_status(MASSTREE_FAILED, masstree_store_failure(store, &failure));
    assert_int_equal(EIO, failure.os_error);
    assert_string_equal("sync", failure.operation);
    assert_non_null(strstr(failure.file, "checkpoint-"));
    assert_int_equal(0, files("checkpoint-"));
    store_text(store, tree, "key", "two");
    assert_ok(masstree_store_sync(store));
    assert_ok(masstree_store_checkpoint(store));
    assert_ok(masstree_store_failure(store, &failure));
    reopen();
    assert_value(tree, "key", "two");
}

static void stores_without_files_of_their_own_have_no_checkpoints(void **state)
{
    (void)state;
    masstree_store_t *other = open_store(NULL, NULL);
    assert_status(MASSTREE_INVALID, masstree_store_checkpoint(other));
    assert_status(MASSTREE_INVALID, masstree_store_checkpoint(NULL));
    close_store(other);
    store_text(store, tree, "key", "value");
    close_store(store);
    faults.options.flags = MASSTREE_STORE_READ_ONLY;
    store = open_store(place.path, &faults.options);
    assert_status(MASSTREE_READ_ONLY, masstree_store_checkpoint(store));
}

/* Put back: start no thread; count nothing. */
static void checkpoints_are_made_in_the_background(void **state)
{
    (void)state;
    close_store(store);
    faults.options.checkpoint_log_bytes = 1 << 20;
    faults.options.checkpoint_bytes_per_s = 100 << 20;
    faults.options.checkpoint_threads = 2;
    open_here();
    fill("value");
    masstree_store_stats_t before = stats_of(store);
    while (before.checkpoints_done == 0) {
        assert_int_equal(0, sched_yield());
        before = stats_of(store);
    }
    /* Another checkpoint may be made while they are read: so a number is compared with one that was read before. */
    masstree_store_stats_t stats = stats_of(store);
    masstree_store_stats_t after = stats_of(store);
    assert_true(stats.checkpoint_commit > 0 && stats.checkpoint_commit <= stats.last_commit);
    assert_true(stats.checkpoints_begun >= before.checkpoints_done);
    assert_true(stats.checkpoint_keys > 0 && after.checkpoint_bytes > 10 * stats.checkpoint_keys);
    assert_true(stats.checkpoint_us > 0);
    assert_int_equal(0, stats.checkpoints_failed);
    faults.options.checkpoint_log_bytes = MASSTREE_NO_CHECKPOINTS;
    reopen();
    assert_int_equal(KEYS, count_keys(tree));
    assert_int_equal(0, stats_of(store).checkpoints_begun);
}

static void the_options_of_checkpoints_are_checked(void **state)
{
    (void)state;
    masstree_store_t *other = NULL;
    faults.options.checkpoint_threads = 4097;
    assert_status(MASSTREE_INVALID, masstree_store_open(place.path, &faults.options, &other));
}

static void a_checkpoint_needs_memory(void **state)
{
    (void)state;
    if (!no_memory_works()) {
        skip();
    }
    store_text(store, tree, "key", "value");
    no_memory = true;
    int32_t status = masstree_store_checkpoint(store);
    no_memory = false;
    assert_status(MASSTREE_NOMEM, status);
    assert_ok(masstree_store_checkpoint(store));
}

#define WITH_STORE(test)                                                                          \
    {                                                                                             \
        #test, test, make, end, NULL                                                              \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_STORE(what_a_checkpoint_contains_is_found_without_the_log),
        WITH_STORE(a_checkpoint_is_made_beside_writes),
        WITH_STORE(a_full_disk_leaves_the_checkpoint_before),
        WITH_STORE(a_failed_checkpoint_is_reported_and_writes_go_on),
        WITH_STORE(stores_without_files_of_their_own_have_no_checkpoints),
        WITH_STORE(checkpoints_are_made_in_the_background),
        WITH_STORE(the_options_of_checkpoints_are_checked),
        WITH_STORE(a_checkpoint_needs_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
