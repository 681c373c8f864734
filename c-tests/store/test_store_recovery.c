/* Recovery: by any number of threads, its progress, and how it is stopped. */
#include "stores.h"

#include <pthread.h>

static struct place place;

static int make(void **state)
{
    (void)state;
    place_make(&place);
    return 0;
}

static int end(void **state)
{
    (void)state;
    place_remove(&place);
    return 0;
}

enum {
    KEYS = 500,
    ROUNDS = 6,
};

static void name_key(char *key, size_t size, int index)
{
    snprintf(key, size, "a key of some length %d", index);
}

/* Overwrites and removes keys of two trees; a third of them is removed at the end. */
static void fill(void)
{
    masstree_store_t *store = open_store(place.path, NULL);
    masstree_t *trees[2] = {tree_named(store, "one"), tree_named(store, "two")};
    char key[64];
    char value[64];
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < KEYS; i++) {
            name_key(key, sizeof key, i);
            snprintf(value, sizeof value, "%d of round %d", i, round);
            store_text(store, trees[i % 2], key, value);
            if (i % 3 == 0) {
                assert_ok(masstree_store_remove(store, trees[i % 2], key, strlen(key), NULL));
            }
        }
    }
    close_store(store);
}

static void assert_filled(masstree_store_t *store)
{
    masstree_t *trees[2] = {tree_named(store, "one"), tree_named(store, "two")};
    char key[64];
    char value[64];
    for (int i = 0; i < KEYS; i++) {
        name_key(key, sizeof key, i);
        snprintf(value, sizeof value, "%d of round %d", i, ROUNDS - 1);
        if (i % 3 == 0) {
            assert_no_value(trees[i % 2], key);
        } else {
            assert_value(trees[i % 2], key, value);
        }
    }
    assert_int_equal(KEYS - (KEYS + 2) / 3, count_keys(trees[0]) + count_keys(trees[1]));
    assert_consistent(trees[0]);
    assert_consistent(trees[1]);
}

/* Put back: in `lane_of`, hash the value, too; in `decode`, ignore `recovery_threads`. */
static void any_number_of_threads_finds_the_same(void **state)
{
    (void)state;
    const size_t threads[] = {0, 1, 2, 3, 64, SIZE_MAX};
    fill();
    for (size_t i = 0; i < sizeof threads / sizeof *threads; i++) {
        masstree_store_options_t options = MASSTREE_STORE_OPTIONS_INIT;
        options.recovery_threads = threads[i];
        masstree_store_t *store = open_store(place.path, &options);
        masstree_store_stats_t stats = stats_of(store);
        assert_filled(store);
        if (threads[i] == 0) {
            assert_in_range(stats.recovery_threads, 1, 4);
        } else {
            assert_int_equal(threads[i] < 64 ? threads[i] : 64, stats.recovery_threads);
        }
        assert_int_equal(2 + ROUNDS * (KEYS + (KEYS + 2) / 3), stats.read_records);
        assert_in_range(stats.read_groups, 1, stats.read_records);
        assert_true(stats.read_bytes > 32 * stats.read_records);
        assert_true(stats.read_us > 0);
        close_store(store);
    }
}

/* What a function for progress has seen, and what it returns. */
struct watch {
    pthread_t thread;
    size_t calls;
    size_t phases;
    masstree_recovery_progress_t last;
    int32_t status;
};

static int32_t note_progress(const masstree_recovery_progress_t *progress, void *ctx)
{
    struct watch *watch = ctx;
    assert_true(pthread_equal(watch->thread, pthread_self()));
    assert_int_equal(0, progress->reserved);
    assert_true(progress->bytes_read <= progress->bytes_total);
    if (progress->phase == watch->last.phase) {
        assert_true(progress->bytes_read >= watch->last.bytes_read);
        assert_true(progress->records >= watch->last.records);
    } else {
        assert_true(progress->phase > watch->last.phase);
        assert_int_equal(watch->last.bytes_total, watch->last.bytes_read);
        watch->phases++;
    }
    watch->last = *progress;
    if (watch->calls++ == 0) {
        /* No lock is held. */
        close_store(open_store(NULL, NULL));
    }
    return watch->status;
}

static masstree_store_options_t watched(struct watch *watch)
{
    masstree_store_options_t options = MASSTREE_STORE_OPTIONS_INIT;
    *watch = (struct watch){.thread = pthread_self()};
    options.progress = note_progress;
    options.progress_ctx = watch;
    return options;
}

/* Put back: in `replay_log` or `restore_content`, report no end. */
static void progress_ends_with_everything(void **state)
{
    (void)state;
    struct watch watch;
    masstree_store_options_t options = watched(&watch);
    close_store(open_store(NULL, &options));
    assert_int_equal(0, watch.calls);
    close_store(open_store(place.path, &options));
    assert_int_equal(1, watch.calls);
    assert_int_equal(0, watch.last.bytes_total);
    fill();
    options = watched(&watch);
    masstree_store_t *store = open_store(place.path, &options);
    assert_int_equal(1, watch.phases);
    assert_int_equal(MASSTREE_PHASE_LOG, watch.last.phase);
    assert_int_equal(watch.last.bytes_total, watch.last.bytes_read);
    assert_true(watch.last.bytes_total >= stats_of(store).read_bytes);
    assert_int_equal(stats_of(store).read_records, watch.last.records);
    assert_ok(masstree_store_checkpoint(store));
    close_store(store);
    options = watched(&watch);
    store = open_store(place.path, &options);
    assert_filled(store);
    assert_int_equal(2, watch.phases);
    assert_int_equal(MASSTREE_PHASE_LOG, watch.last.phase);
    assert_int_equal(0, watch.last.records);
    assert_true(stats_of(store).restore_us > 0);
    close_store(store);
}

/* Put back: in `status`, return MASSTREE_FAILED for `Stopped`. */
static void a_function_for_progress_stops_an_opening(void **state)
{
    (void)state;
    const int32_t statuses[] = {-1000, 1, INT32_MIN};
    fill();
    for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++) {
        struct watch watch;
        masstree_store_failure_t failure = MASSTREE_STORE_FAILURE_INIT;
        masstree_store_options_t options = watched(&watch);
        masstree_store_t *store = NULL;
        watch.status = statuses[i];
        options.failure = &failure;
        assert_int_equal(statuses[i], masstree_store_open(place.path, &options, &store));
        assert_null(store);
        assert_int_equal(1, watch.calls);
        assert_int_equal(MASSTREE_OK, failure.status);
    }
    masstree_store_t *store = open_store(place.path, NULL);
    assert_filled(store);
    close_store(store);
}

#define WITH_PLACE(test)                                                                          \
    {                                                                                             \
        #test, test, make, end, NULL                                                              \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_PLACE(any_number_of_threads_finds_the_same),
        WITH_PLACE(progress_ends_with_everything),
        WITH_PLACE(a_function_for_progress_stops_an_opening),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
