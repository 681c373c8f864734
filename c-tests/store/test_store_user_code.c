/* No lock of a store is held while user code runs: functions for progress, visitors, bodies of transactions,
   receivers of text, callbacks of durable commits, and allocators. Each asks another thread to make calls
   of every kind on the same store, and waits until they have returned. If a lock were held, that thread would wait
   for it, and the test for that thread: ctest's time limit would end it.

   One callback is served at a time. The thread of the test waits for its turn; it holds no lock meanwhile, so the one that
   is served ends. A callback on another thread goes on if it is not its turn: it may be one that the other thread's
   own calls cause. So may one of a durable commit: the thread that runs it writes the log, and there the other
   thread waits for no commit. A checkpoint waits for one that is under way. While a store is opened or closed, the other
   thread uses other stores only.

   Put back: in `Import::copy`, report the progress with the catalog locked; in `Catalog::each_where`, hold the lock during
   the visits. */
#include "one_place.h"

#include <stdatomic.h>

enum { THOROUGHLY = 1, AT_ALL = 4, KEYS = 200 };

enum kind { PROGRESS, VISITOR, BODY, TEXT, DURABLE, ALLOC, FREE, KINDS };

/* What callbacks ask for. */
static struct {
    pthread_mutex_t baton; /* held while a callback is served */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    size_t asked, done;
    bool briefly; /* the last request */
    bool ends;
    bool has_checkpoint; /* another one would wait for it */
    size_t heard; /* callbacks of durable commits that have returned */
    masstree_store_t *store; /* NULL while no other thread may use it */
    atomic_bool armed;
    size_t called[KINDS];
    size_t in_this_call[KINDS];
} scene = {.baton = PTHREAD_MUTEX_INITIALIZER,
           .lock = PTHREAD_MUTEX_INITIALIZER,
           .changed = PTHREAD_COND_INITIALIZER};

static struct place source, small;
static _Thread_local bool is_helper, is_caller;

/* Whether the callback is served: the caller has the baton then. */
static bool has_turn(enum kind kind)
{
    if (is_caller && kind != DURABLE) {
        pthread_mutex_lock(&scene.baton);
        return true;
    }
    return pthread_mutex_trylock(&scene.baton) == 0;
}

static void let_the_other_thread_work(enum kind kind)
{
    if (is_helper || !atomic_load(&scene.armed) || !has_turn(kind)) {
        return;
    }
    if (!atomic_load(&scene.armed)) {
        /* Meanwhile the call has returned. */
        pthread_mutex_unlock(&scene.baton);
        return;
    }
    pthread_mutex_lock(&scene.lock);
    scene.called[kind]++;
    /* A call must end. */
    if (scene.in_this_call[kind] < AT_ALL) {
        scene.briefly = scene.in_this_call[kind]++ >= THOROUGHLY || kind == DURABLE;
        size_t mine = ++scene.asked;
        pthread_cond_broadcast(&scene.changed);
        while (scene.done < mine) {
            pthread_cond_wait(&scene.changed, &scene.lock);
        }
    }
    pthread_mutex_unlock(&scene.lock);
    pthread_mutex_unlock(&scene.baton);
}

static int32_t note_progress(const masstree_recovery_progress_t *progress, void *ctx)
{
    (void)progress;
    (void)ctx;
    let_the_other_thread_work(PROGRESS);
    return 0;
}

static int32_t visit_tree(const char *name, masstree_t *tree, void *ctx)
{
    (void)name;
    (void)tree;
    (void)ctx;
    let_the_other_thread_work(VISITOR);
    return MASSTREE_VISIT_CONTINUE;
}

static int32_t visit_snapshot(const masstree_open_snapshot_t *snapshot, void *ctx)
{
    (void)snapshot;
    (void)ctx;
    let_the_other_thread_work(VISITOR);
    return MASSTREE_VISIT_CONTINUE;
}

static int32_t visit_key(const void *key, size_t len, const masstree_version_t *version, void *ctx)
{
    (void)key;
    (void)len;
    (void)version;
    (void)ctx;
    let_the_other_thread_work(VISITOR);
    return MASSTREE_VISIT_CONTINUE;
}

static int32_t visit_prefix(const void *prefix, size_t len, void *ctx)
{
    (void)prefix;
    (void)len;
    (void)ctx;
    let_the_other_thread_work(VISITOR);
    return MASSTREE_VISIT_CONTINUE;
}

static void receive_text(const char *text, size_t len, void *ctx)
{
    (void)text;
    (void)len;
    (void)ctx;
    let_the_other_thread_work(TEXT);
}

static void hear_of_commit(uint64_t commit, int32_t status, void *ctx)
{
    (void)commit;
    (void)ctx;
    REQUIRE(status == MASSTREE_OK);
    let_the_other_thread_work(DURABLE);
    pthread_mutex_lock(&scene.lock);
    scene.heard++;
    pthread_cond_broadcast(&scene.changed);
    pthread_mutex_unlock(&scene.lock);
}

static void *take(size_t size, size_t align, void *ctx)
{
    (void)ctx;
    let_the_other_thread_work(ALLOC);
    void *memory = NULL;
    REQUIRE(posix_memalign(&memory, align < sizeof memory ? sizeof memory : align, size) == 0);
    return memory;
}

static void give_back(void *memory, size_t size, size_t align, void *ctx)
{
    (void)size;
    (void)align;
    (void)ctx;
    let_the_other_thread_work(FREE);
    free(memory);
}

/* Reads and writes a key in a transaction. */
static int32_t change_in_transaction(masstree_txn_t *txn, void *ctx)
{
    masstree_version_t found;
    let_the_other_thread_work(BODY);
    int32_t status = masstree_txn_get(txn, ctx, "in a transaction", 16, &found);
    REQUIRE(status == MASSTREE_OK || status == MASSTREE_NOT_FOUND);
    masstree_range_t range = MASSTREE_RANGE_INIT;
    range.limit = 3;
    REQUIRE(masstree_txn_scan(txn, ctx, &range, visit_key, NULL, NULL) == MASSTREE_OK);
    return masstree_txn_put(txn, ctx, "in a transaction", 16, "value", 5);
}

/* Calls that wait for no commit. */
static void use_briefly(masstree_store_t *store, masstree_t *tree)
{
    static atomic_size_t last;
    char key[32];
    masstree_snapshot_t *snapshot = NULL;
    masstree_store_stats_t stats = MASSTREE_STORE_STATS_INIT;
    snprintf(key, sizeof key, "brief %zu", atomic_fetch_add(&last, 1) % 50);
    REQUIRE(masstree_store_put(store, tree, key, strlen(key), "value", 5, NULL) == MASSTREE_OK);
    REQUIRE(masstree_store_remove(store, tree, key, strlen(key), NULL) >= 0);
    REQUIRE(masstree_store_snapshot(store, &snapshot) == MASSTREE_OK);
    REQUIRE(masstree_store_list_snapshots(store, visit_snapshot, NULL) == MASSTREE_OK);
    masstree_snapshot_close(snapshot);
    REQUIRE(masstree_store_list_trees(store, visit_tree, NULL) == MASSTREE_OK);
    REQUIRE(masstree_store_stats(store, &stats) == MASSTREE_OK);
}

static void read_changes(masstree_store_t *store)
{
    masstree_changes_t *changes = NULL;
    masstree_change_t change;
    int32_t status = masstree_store_changes(store, 0, NULL, &changes);
    REQUIRE(status == MASSTREE_OK || status == MASSTREE_TOO_OLD);
    if (status == MASSTREE_OK) {
        REQUIRE(masstree_changes_next(changes, &change, NULL) >= 0);
        REQUIRE(masstree_changes_wait(changes, 0) >= 0);
    }
    masstree_changes_destroy(changes);
}

static void export_anew(masstree_store_t *store)
{
    struct place copy;
    place_make(&copy);
    REQUIRE(masstree_store_export(store, NULL, copy.path, note_progress, NULL, NULL) == MASSTREE_OK);
    REQUIRE(masstree_store_verify(copy.path, NULL, NULL) == MASSTREE_OK);
    place_remove(&copy);
}

/* Calls of every kind. */
static void use_thoroughly(masstree_store_t *store, masstree_t *tree)
{
    masstree_batch_t *batch = NULL;
    masstree_t *gone = NULL;
    masstree_txn_options_t once = MASSTREE_TXN_OPTIONS_INIT;
    REQUIRE(masstree_batch_create(store, &batch) == MASSTREE_OK);
    REQUIRE(masstree_batch_put(batch, tree, "of a batch", 10, "value", 5) == MASSTREE_OK);
    REQUIRE(masstree_store_commit(store, batch, NULL, NULL) == MASSTREE_OK);
    masstree_batch_destroy(batch);
    once.max_attempts = 1;
    int32_t status = masstree_store_transact(store, &once, change_in_transaction, tree, NULL);
    REQUIRE(status == MASSTREE_OK || status == MASSTREE_CONFLICT);
    REQUIRE(masstree_store_tree(store, "gone", &gone) == MASSTREE_OK);
    REQUIRE(masstree_store_drop_tree(store, "gone", NULL) == MASSTREE_OK);
    REQUIRE(masstree_store_import(store, small.path, MASSTREE_IMPORT_REPLACE, note_progress, NULL,
                                  NULL, NULL) == MASSTREE_OK);
    export_anew(store);
    read_changes(store);
    REQUIRE(masstree_store_stats_json(store, receive_text, NULL) == MASSTREE_OK);
    REQUIRE(masstree_store_sync(store) == MASSTREE_OK);
    if (!scene.has_checkpoint) {
        REQUIRE(masstree_store_checkpoint(store) == MASSTREE_OK);
    }
    REQUIRE(masstree_trim_versions(tree, MASSTREE_SEQNO_LATEST, 10, NULL) >= 0);
}

static void help_once(masstree_store_t *store, bool briefly)
{
    masstree_store_t *other = NULL;
    masstree_t *tree = NULL;
    masstree_store_options_t options = MASSTREE_STORE_OPTIONS_INIT;
    options.log_buffer_bytes = 4096;
    REQUIRE(masstree_store_open(NULL, &options, &other) == MASSTREE_OK);
    REQUIRE(masstree_store_tree(other, "tree", &tree) == MASSTREE_OK);
    use_briefly(other, tree);
    REQUIRE(masstree_store_close(other) == MASSTREE_OK);
    if (store != NULL) {
        REQUIRE(masstree_store_tree(store, "tree", &tree) == MASSTREE_OK);
        use_briefly(store, tree);
        if (!briefly) {
            use_thoroughly(store, tree);
        }
    }
}

static void *help(void *arg)
{
    (void)arg;
    is_helper = true;
    pthread_mutex_lock(&scene.lock);
    for (;;) {
        while (scene.done == scene.asked && !scene.ends) {
            pthread_cond_wait(&scene.changed, &scene.lock);
        }
        if (scene.ends) {
            break;
        }
        bool briefly = scene.briefly;
        pthread_mutex_unlock(&scene.lock);
        help_once(scene.store, briefly);
        pthread_mutex_lock(&scene.lock);
        scene.done++;
        pthread_cond_broadcast(&scene.changed);
    }
    pthread_mutex_unlock(&scene.lock);
    return NULL;
}

/* Waits for the callback that is served, if any, on another thread: what follows may close the store. */
static void arm(bool armed)
{
    pthread_mutex_lock(&scene.baton);
    pthread_mutex_lock(&scene.lock);
    memset(scene.in_this_call, 0, sizeof scene.in_this_call);
    pthread_mutex_unlock(&scene.lock);
    atomic_store(&scene.armed, armed);
    pthread_mutex_unlock(&scene.baton);
}

#define ARMED(call) \
    do { \
        arm(true); \
        assert_ok(call); \
        arm(false); \
    } while (0)

/* Makes a store with some keys of two directories. */
static void make_source(const char *path, const char *name, size_t keys)
{
    char key[32];
    masstree_store_t *store = open_store(path, NULL);
    masstree_t *tree = tree_named(store, name);
    for (size_t i = 0; i < keys; i++) {
        snprintf(key, sizeof key, "%zu/%zu", i % 3, i);
        store_text(store, tree, key, "value");
    }
    close_store(store);
}

/* Asks to hear of a durable commit, and waits for that, until the other thread has worked meanwhile.
   Ends: a callback goes without only while another one is served, and between two attempts those end. */
static void hear_until_served(masstree_store_t *store, masstree_t *tree)
{
    uint64_t commit = 0;
    for (size_t before = scene.called[DURABLE]; scene.called[DURABLE] == before;) {
        ARMED(masstree_store_put(store, tree, "key", 3, "value", 5, &commit));
        size_t heard = scene.heard;
        arm(true);
        assert_ok(masstree_store_on_durable(store, commit, hear_of_commit, NULL));
        assert_ok(masstree_store_wait(store, commit, MASSTREE_DURABLE));
        pthread_mutex_lock(&scene.lock);
        while (scene.heard == heard) {
            pthread_cond_wait(&scene.changed, &scene.lock);
        }
        pthread_mutex_unlock(&scene.lock);
        arm(false);
    }
}

static void call_everything(masstree_store_t *store, masstree_t *tree)
{
    char key[32];
    struct place copy;
    masstree_snapshot_t *snapshot = NULL;
    masstree_range_t range = MASSTREE_RANGE_INIT;
    for (size_t i = 0; i < KEYS; i++) {
        snprintf(key, sizeof key, "%zu/%zu", i % 5, i);
        store_text(store, tree, key, "value");
    }
    hear_until_served(store, tree);
    ARMED(masstree_store_import(store, source.path, MASSTREE_IMPORT_REPLACE, note_progress, NULL,
                                NULL, NULL));
    place_make(&copy);
    ARMED(masstree_store_snapshot(store, &snapshot));
    ARMED(masstree_store_export(store, snapshot, copy.path, note_progress, NULL, NULL));
    place_remove(&copy);
    ARMED(masstree_store_list_snapshots(store, visit_snapshot, NULL));
    masstree_snapshot_close(snapshot);
    ARMED(masstree_store_list_trees(store, visit_tree, NULL));
    ARMED(masstree_store_stats_json(store, receive_text, NULL));
    ARMED(masstree_store_transact(store, NULL, change_in_transaction, tree, NULL));
    ARMED(masstree_scan_delimited_at(tree, NULL, &range, MASSTREE_SEQNO_LATEST, "/", 1, visit_key,
                                     visit_prefix, NULL, NULL));
    scene.has_checkpoint = true;
    ARMED(masstree_store_checkpoint(store));
    scene.has_checkpoint = false;
    ARMED(masstree_store_drop_tree(store, "source", NULL));
    ARMED(masstree_store_tree(store, "source", &tree));
}

static void no_lock_is_held_while_user_code_runs(void **state)
{
    (void)state;
    pthread_t helper;
    masstree_store_t *store = NULL;
    masstree_store_options_t options = MASSTREE_STORE_OPTIONS_INIT;
    make_source(source.path, "source", 2 * KEYS);
    make_source(small.path, "small", 3);
    is_caller = true;
    assert_int_equal(0, pthread_create(&helper, NULL, help, NULL));
    options.alloc = take;
    options.free = give_back;
    options.progress = note_progress;
    for (size_t openings = 0; openings < 2; openings++) {
        ARMED(masstree_store_open(place.path, &options, &store));
        scene.store = store;
        call_everything(store, tree_named(store, "tree"));
        scene.store = NULL;
        ARMED(masstree_store_close(store));
    }
    ARMED(masstree_store_verify(place.path, &options, NULL));
    pthread_mutex_lock(&scene.lock);
    scene.ends = true;
    pthread_cond_broadcast(&scene.changed);
    pthread_mutex_unlock(&scene.lock);
    assert_int_equal(0, pthread_join(helper, NULL));
    print_message("callbacks: %zu of progress, %zu visits, %zu of transactions, %zu of texts, %zu of "
                  "durability, %zu alloc, %zu free\n",
                  scene.called[PROGRESS], scene.called[VISITOR], scene.called[BODY],
                  scene.called[TEXT], scene.called[DURABLE], scene.called[ALLOC],
                  scene.called[FREE]);
    for (enum kind kind = 0; kind < KINDS; kind++) {
        assert_true(scene.called[kind] > 0);
    }
}

static int make(void **state)
{
    place_make(&source);
    place_make(&small);
    return make_place(state);
}

static int end(void **state)
{
    place_remove(&source);
    place_remove(&small);
    return end_place(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(no_lock_is_held_while_user_code_runs, make, end),
    };
    return cmocka_run_group_tests_name("store_user_code", tests, NULL, NULL);
}
