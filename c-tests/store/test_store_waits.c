/* Waiting for commits: levels, syncs, callbacks, and statistics. */
#include "faults.h"
#include "no_memory.h"

#include <errno.h>
#include <inttypes.h>

/* Bytes for statistics. */
enum { TEXT = 8192 };

static struct place place;
static struct faults faults;
static masstree_store_t *store;
static masstree_t *tree;

static int make(void **state)
{
    (void)state;
    place_make(&place);
    faults_start(&faults);
    store = open_store(place.path, &faults.options);
    tree = tree_named(store, "tree");
    assert_ok(masstree_store_sync(store));
    return 0;
}

static int end(void **state)
{
    (void)state;
    hold_syncs(&faults, false);
    if (store != NULL) {
        close_store(store);
    }
    faults_end(&faults);
    place_remove(&place);
    return 0;
}

/* Counts calls back. */
struct calls_back {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    size_t count;
    uint64_t commit;
    int32_t status;
};
#define CALLS_BACK {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER}

static void call_back(uint64_t commit, int32_t status, void *ctx)
{
    struct calls_back *calls = ctx;
    pthread_mutex_lock(&calls->lock);
    calls->count++;
    calls->commit = commit;
    calls->status = status;
    pthread_cond_broadcast(&calls->changed);
    pthread_mutex_unlock(&calls->lock);
}

/* Returns the status of the last call. */
static int32_t await_call(struct calls_back *calls, size_t count)
{
    pthread_mutex_lock(&calls->lock);
    while (calls->count < count) {
        pthread_cond_wait(&calls->changed, &calls->lock);
    }
    int32_t status = calls->status;
    pthread_mutex_unlock(&calls->lock);
    return status;
}

static size_t calls_so_far(struct calls_back *calls)
{
    pthread_mutex_lock(&calls->lock);
    size_t count = calls->count;
    pthread_mutex_unlock(&calls->lock);
    return count;
}

/* Put back: in `Log::wait`, take `written` for every level. */
static void a_commit_is_written_before_it_is_durable(void **state)
{
    (void)state;
    hold_syncs(&faults, true);
    uint64_t commit = store_text(store, tree, "key", "value");
    assert_ok(masstree_store_wait(store, commit, MASSTREE_MEMORY));
    assert_ok(masstree_store_wait(store, commit, MASSTREE_WRITTEN));
    assert_ok(masstree_store_wait(store, UINT64_MAX, MASSTREE_WRITTEN));
    assert_true(masstree_store_durable(store) < commit);
    size_t syncs = atomic_load(&faults.calls[IO_SYNC]);
    hold_syncs(&faults, false);
    assert_ok(masstree_store_wait(store, commit, MASSTREE_DURABLE));
    assert_true(atomic_load(&faults.calls[IO_SYNC]) > syncs);
    assert_true(masstree_store_durable(store) >= commit);
    assert_ok(masstree_store_wait(store, UINT64_MAX, MASSTREE_DURABLE));
    assert_status(MASSTREE_INVALID, masstree_store_wait(store, commit, MASSTREE_DURABLE + 1));
    assert_status(MASSTREE_INVALID, masstree_store_wait(NULL, commit, MASSTREE_DURABLE));
    assert_int_equal(0, masstree_store_durable(NULL));
}

/* Put back: in `Store::sync`, wait for MASSTREE_WRITTEN. */
static void a_sync_makes_everything_durable(void **state)
{
    (void)state;
    uint64_t commit = 0;
    for (int i = 0; i < 100; i++) {
        commit = store_text(store, tree, "key", "value");
    }
    assert_ok(masstree_store_sync(store));
    assert_true(masstree_store_durable(store) >= commit);
    size_t syncs = atomic_load(&faults.calls[IO_SYNC]);
    assert_ok(masstree_store_sync(store)); /* nothing is left to sync */
    assert_int_equal(syncs, atomic_load(&faults.calls[IO_SYNC]));
    assert_status(MASSTREE_INVALID, masstree_store_sync(NULL));
}

/* Put back: in `reach_level`, wait for nothing. */
static void the_level_of_the_options_is_reached_by_each_write(void **state)
{
    (void)state;
    struct target target;
    close_store(store);
    faults.options.level = MASSTREE_DURABLE;
    store = open_store(place.path, &faults.options);
    tree = tree_named(store, "tree");
    for (size_t i = 0; i < write_count; i++) {
        if ((writes[i].takes & NEEDS_NONE) != 0) {
            assert_ok(masstree_store_remove(store, tree, "key", 3, NULL));
        }
        target_make(&target, &writes[i], store, tree);
        assert_ok(writes[i].run(&target));
        assert_true(masstree_store_durable(store) >= target.commit);
        target_end(&target);
    }
}

/* Ends only if the interval makes the commit durable.
   Put back: in `is_sync_due`, ignore the time: it does not end. */
static void an_interval_makes_commits_durable(void **state)
{
    (void)state;
    close_store(store);
    faults.options.sync_interval_us = 1000;
    store = open_store(place.path, &faults.options);
    tree = tree_named(store, "tree");
    uint64_t commit = store_text(store, tree, "key", "value");
    while (masstree_store_durable(store) < commit) {
    }
    assert_true(stats_of(store).durable_commit >= commit);
}

/* Put back: in `on_durable`, call at once. */
static void a_callback_comes_once_when_a_commit_is_durable(void **state)
{
    (void)state;
    struct calls_back calls = CALLS_BACK;
    hold_syncs(&faults, true);
    uint64_t commit = store_text(store, tree, "key", "value");
    assert_ok(masstree_store_on_durable(store, commit, call_back, &calls));
    assert_ok(masstree_store_wait(store, commit, MASSTREE_WRITTEN));
    assert_int_equal(0, calls_so_far(&calls));
    hold_syncs(&faults, false);
    assert_ok(await_call(&calls, 1));
    assert_int_equal(commit, calls.commit);
    assert_true(masstree_store_durable(store) >= commit);
    /* One that is durable already. */
    assert_ok(masstree_store_on_durable(store, commit, call_back, &calls));
    assert_ok(await_call(&calls, 2));
    assert_ok(masstree_store_sync(store));
    assert_int_equal(2, calls_so_far(&calls));
    store_text(store, tree, "key", "other");
    assert_ok(masstree_store_on_durable(store, UINT64_MAX, call_back, &calls));
    close_store(store);
    store = NULL;
    assert_int_equal(3, calls_so_far(&calls));
    assert_ok(calls.status);
    assert_status(MASSTREE_INVALID, masstree_store_on_durable(NULL, 1, call_back, &calls));
}

/* Put back: in `Log::on_durable`, ignore that there is no memory. */
static void callbacks_that_mean_nothing_are_refused(void **state)
{
    (void)state;
    assert_status(MASSTREE_INVALID, masstree_store_on_durable(store, 1, NULL, NULL));
    if (!no_memory_works()) {
        skip();
    }
    struct calls_back calls = CALLS_BACK;
    int32_t status = MASSTREE_OK;
    size_t asked = 0;
    hold_syncs(&faults, true);
    uint64_t commit = store_text(store, tree, "key", "value");
    no_memory = true;
    while (status == MASSTREE_OK && asked < 1000000) {
        status = masstree_store_on_durable(store, commit, call_back, &calls);
        asked += status == MASSTREE_OK;
    }
    no_memory = false;
    assert_status(MASSTREE_NOMEM, status);
    hold_syncs(&faults, false);
    close_store(store);
    store = NULL;
    assert_int_equal(asked, calls_so_far(&calls));
}

/* Put back: in `Log::on_durable`, leave the call to the flusher although there is none. */
static void a_store_in_memory_reaches_all_levels_at_once(void **state)
{
    (void)state;
    struct calls_back calls = CALLS_BACK;
    masstree_store_options_t options = MASSTREE_STORE_OPTIONS_INIT;
    options.level = MASSTREE_DURABLE;
    masstree_store_t *of = open_store(NULL, &options);
    uint64_t commit = store_text(of, tree_named(of, "tree"), "key", "value");
    assert_true(masstree_store_durable(of) >= commit);
    assert_ok(masstree_store_wait(of, commit, MASSTREE_DURABLE));
    assert_ok(masstree_store_sync(of));
    assert_ok(masstree_store_on_durable(of, commit, call_back, &calls));
    assert_int_equal(1, calls_so_far(&calls));
    assert_ok(calls.status);
    close_store(of);
}

static uint64_t sum(const uint64_t *counts)
{
    uint64_t all = 0;
    for (size_t i = 0; i < 64; i++) {
        all += counts[i];
    }
    return all;
}

/* Put back: in `write_group`, count no records. */
static void statistics_count_what_was_done(void **state)
{
    (void)state;
    masstree_store_stats_t stats = stats_of(store);
    uint64_t before = stats.log_records;
    assert_int_equal(1, stats.trees);
    assert_int_equal(0, stats.read_segments);
    uint64_t commit = 0;
    for (int i = 0; i < 10; i++) {
        commit = store_text(store, tree, "key", "value");
        assert_ok(masstree_store_sync(store));
    }
    stats = stats_of(store);
    assert_int_equal(before + 10, stats.log_records);
    assert_int_equal(stats.log_groups, sum(stats.group_records));
    assert_int_equal(stats.log_syncs, sum(stats.sync_us));
    assert_true(stats.log_groups >= 10 && stats.log_syncs >= 10);
    assert_true(stats.log_bytes > 10 * 64);
    assert_true(stats.last_commit >= commit && stats.durable_commit >= commit);
    close_store(store);
    store = open_store(place.path, &faults.options);
    stats = stats_of(store);
    assert_int_equal(1, stats.read_segments);
    assert_int_equal(before + 10, stats.read_records);
    assert_int_equal(0, stats.torn_bytes);
    assert_int_equal(0, stats.salvaged);
    assert_true(stats.last_commit >= commit);
    stats.struct_size--;
    assert_status(MASSTREE_INVALID, masstree_store_stats(store, &stats));
    stats.struct_size++;
    assert_status(MASSTREE_INVALID, masstree_store_stats(store, NULL));
    assert_status(MASSTREE_INVALID, masstree_store_stats(NULL, &stats));
}

static void append(const char *text, size_t len, void *ctx)
{
    assert_true(strlen(ctx) + len < TEXT);
    (void)strncat(ctx, text, len);
}

static void assert_json_says(const char *text, const char *name, uint64_t number)
{
    char expected[100];
    (void)snprintf(expected, sizeof expected, "\"%s\":%" PRIu64 ",", name, number);
    assert_non_null(strstr(text, expected));
}

static void statistics_are_written_as_json(void **state)
{
    (void)state;
    char text[TEXT] = "";
    for (unsigned i = 0; i < 10; i++) {
        assert_ok(masstree_store_put(store, tree, "k", 1, "v", 1, NULL));
        assert_ok(masstree_store_sync(store));
    }
    masstree_store_stats_t stats = stats_of(store);
    assert_ok(masstree_store_stats_json(store, append, text));
    assert_int_equal('{', text[0]);
    assert_string_equal("}\n", text + strlen(text) - 2);
    assert_json_says(text, "last_commit", stats.last_commit);
    assert_json_says(text, "trees", 1);
    assert_json_says(text, "log_records", stats.log_records);
    assert_json_says(text, "log_bytes", stats.log_bytes);
    assert_json_says(text, "log_syncs", stats.log_syncs);
    const char *histogram = strstr(text, "\"group_records\":[");
    assert_non_null(histogram);
    histogram = strchr(histogram, '[');
    for (size_t i = 0; i < COUNT(stats.group_records); i++) {
        char *end = NULL;
        assert_int_equal(stats.group_records[i], strtoull(histogram + 1, &end, 10));
        histogram = end;
    }
    assert_int_equal(']', *histogram);
    assert_status(MASSTREE_INVALID, masstree_store_stats_json(store, NULL, NULL));
    assert_status(MASSTREE_INVALID, masstree_store_stats_json(NULL, append, text));
}

#define WITH_STORE(test)                                                                          \
    {                                                                                             \
        #test, test, make, end, NULL                                                              \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_STORE(a_commit_is_written_before_it_is_durable),
        WITH_STORE(a_sync_makes_everything_durable),
        WITH_STORE(the_level_of_the_options_is_reached_by_each_write),
        WITH_STORE(an_interval_makes_commits_durable),
        WITH_STORE(a_callback_comes_once_when_a_commit_is_durable),
        WITH_STORE(callbacks_that_mean_nothing_are_refused),
        cmocka_unit_test(a_store_in_memory_reaches_all_levels_at_once),
        WITH_STORE(statistics_count_what_was_done),
        WITH_STORE(statistics_are_written_as_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
