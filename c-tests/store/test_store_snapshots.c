/* Snapshots of stores: one number for all trees; which are open. */
#include "stores.h"

#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

static masstree_store_t *store;
static masstree_t *left, *right;

static int make(void **state)
{
    (void)state;
    store = open_store(NULL, NULL);
    left = tree_named(store, "left");
    right = tree_named(store, "right");
    return 0;
}

static int end(void **state)
{
    (void)state;
    close_store(store);
    return 0;
}

static masstree_snapshot_t *new_snapshot(masstree_store_t *of)
{
    masstree_snapshot_t *snapshot = NULL;
    assert_ok(masstree_store_snapshot(of, &snapshot));
    assert_non_null(snapshot);
    return snapshot;
}

/* Copies the value. */
static int32_t read_at(masstree_t *tree, uint64_t seqno, const char *key, void *value, size_t size)
{
    masstree_version_t version;
    masstree_guard_t *guard = NULL;
    REQUIRE(masstree_guard_enter(tree, &guard) == MASSTREE_OK);
    int32_t status = masstree_get_at(tree, guard, key, strlen(key), seqno, &version);
    if (status == MASSTREE_OK) {
        REQUIRE(version.value_len == size);
        memcpy(value, version.value, size);
    }
    masstree_guard_leave(guard);
    return status;
}

static void assert_value_at(masstree_t *tree, const masstree_snapshot_t *snapshot, const char *key,
                            const char *value)
{
    char found[8] = "";
    assert_ok(read_at(tree, masstree_snapshot_seqno(snapshot), key, found, strlen(value)));
    assert_string_equal(value, found);
}

static void assert_none_at(masstree_t *tree, const masstree_snapshot_t *snapshot, const char *key)
{
    assert_status(MASSTREE_NOT_FOUND,
                  read_at(tree, masstree_snapshot_seqno(snapshot), key, NULL, 0));
}

/* Put back: in `Clock::none_is_open`, answer true. */
static void a_snapshot_reads_all_trees_as_they_were(void **state)
{
    (void)state;
    uint64_t last = store_text(store, left, "key", "old");
    store_text(store, right, "key", "old");
    masstree_snapshot_t *snapshot = new_snapshot(store);
    assert_true(masstree_snapshot_seqno(snapshot) > last);
    store_text(store, left, "key", "new");
    store_text(store, left, "later", "new");
    assert_ok(masstree_store_drop_tree(store, "right", NULL));
    masstree_t *later = tree_named(store, "right");
    store_text(store, later, "key", "new");
    assert_value_at(left, snapshot, "key", "old");
    assert_value_at(right, snapshot, "key", "old");
    assert_none_at(left, snapshot, "later");
    assert_none_at(later, snapshot, "key");
    masstree_snapshot_t *second = new_snapshot(store);
    assert_value_at(later, second, "key", "new");
    masstree_snapshot_close(snapshot);
    assert_value_at(later, second, "key", "new");
    masstree_snapshot_close(second);
    assert_value(left, "key", "new");
}

struct listed {
    masstree_open_snapshot_t open[8];
    size_t count;
    int32_t result;
};

static int32_t note_open(const masstree_open_snapshot_t *snapshot, void *ctx)
{
    struct listed *listed = ctx;
    assert_true(listed->count < COUNT(listed->open));
    listed->open[listed->count++] = *snapshot;
    return listed->result;
}

static struct listed list_open(int32_t expected, int32_t result)
{
    struct listed listed = {.result = result};
    assert_status(expected, masstree_store_list_snapshots(store, note_open, &listed));
    return listed;
}

/* Put back: in `Clock::open_snapshots`, do not reverse; in `Clock::oldest_snapshot`, return the last. */
static void open_snapshots_are_listed_the_oldest_first(void **state)
{
    (void)state;
    masstree_txn_t *txn = NULL;
    masstree_snapshot_t *of_tree = NULL;
    assert_int_equal(0, list_open(MASSTREE_OK, MASSTREE_VISIT_CONTINUE).count);
    assert_int_equal(0, stats_of(store).snapshots);
    assert_int_equal(0, stats_of(store).oldest_snapshot);
    masstree_snapshot_t *first = new_snapshot(store);
    store_text(store, left, "key", "1");
    assert_ok(masstree_snapshot_open(left, &of_tree));
    store_text(store, left, "key", "2");
    assert_ok(masstree_txn_begin(store, NULL, &txn));
    struct listed listed = list_open(MASSTREE_OK, MASSTREE_VISIT_CONTINUE);
    uint64_t numbers[] = {masstree_snapshot_seqno(first), masstree_snapshot_seqno(of_tree),
                          masstree_txn_seqno(txn)};
    assert_int_equal(3, listed.count);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(numbers[i], listed.open[i].seqno);
        assert_true(i == 0 || numbers[i] > numbers[i - 1]);
        assert_true(i == 0 || listed.open[i].age_ms <= listed.open[i - 1].age_ms);
    }
    assert_int_equal(1, list_open(MASSTREE_OK, MASSTREE_VISIT_STOP).count);
    assert_int_equal(1, list_open(-77, -77).count);
    masstree_store_stats_t stats = stats_of(store);
    assert_int_equal(3, stats.snapshots);
    assert_int_equal(numbers[0], stats.oldest_snapshot);
    masstree_snapshot_close(first);
    assert_int_equal(numbers[1], stats_of(store).oldest_snapshot);
    masstree_snapshot_close(of_tree);
    masstree_txn_destroy(txn);
    assert_int_equal(0, stats_of(store).snapshots);
    assert_int_equal(0, stats_of(store).oldest_snapshot_ms);
}

static uint64_t now_ms(void)
{
    struct timespec now;
    assert_int_equal(0, clock_gettime(CLOCK_MONOTONIC_COARSE, &now));
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Put back: in `Clock::add`, note no time. */
static void a_snapshot_grows_older(void **state)
{
    (void)state;
    uint64_t before = now_ms();
    masstree_snapshot_t *snapshot = new_snapshot(store);
    uint64_t first = stats_of(store).oldest_snapshot_ms;
    /* It was opened now, not when the system was started. Ends: time passes. */
    assert_true(first <= now_ms() - before);
    while (stats_of(store).oldest_snapshot_ms == first) {
    }
    assert_true(stats_of(store).oldest_snapshot_ms > first);
    masstree_snapshot_close(snapshot);
}

enum { ACCOUNTS = 8, MONEY = 1000, THREADS = 3 };

struct mover {
    uint64_t random;
    atomic_int *running;
};

static const char *account(size_t number, char *key)
{
    snprintf(key, 8, "a%zu", number);
    return key;
}

static int64_t money_at(masstree_t *tree, size_t number, uint64_t seqno)
{
    char key[8];
    int64_t money = 0;
    REQUIRE(read_at(tree, seqno, account(number, key), &money, sizeof money) == MASSTREE_OK);
    return money;
}

static int32_t move_one(masstree_txn_t *txn, void *ctx)
{
    struct mover *mover = ctx;
    masstree_t *trees[] = {left, right};
    for (size_t i = 0; i < 2; i++) {
        char key[8];
        int64_t money = 0;
        masstree_version_t version;
        account(random_below(&mover->random, ACCOUNTS), key);
        REQUIRE(masstree_txn_get(txn, trees[i], key, strlen(key), &version) == MASSTREE_OK);
        memcpy(&money, version.value, sizeof money);
        money += i == 0 ? 1 : -1;
        REQUIRE(masstree_txn_put(txn, trees[i], key, strlen(key), &money, sizeof money) ==
                MASSTREE_OK);
    }
    return MASSTREE_OK;
}

static void move_money(void *arg)
{
    struct mover *mover = arg;
    for (size_t i = 0; i < scaled(3000); i++) {
        REQUIRE(masstree_store_transact(store, NULL, move_one, mover, NULL) == MASSTREE_OK);
    }
    atomic_fetch_sub(mover->running, 1);
}

/* Opens snapshots while others move money between the trees. */
static void sum_money(void *arg)
{
    struct mover *mover = arg;
    while (atomic_load(mover->running) > 0) {
        masstree_snapshot_t *snapshot = NULL;
        REQUIRE(masstree_store_snapshot(store, &snapshot) == MASSTREE_OK);
        uint64_t number = masstree_snapshot_seqno(snapshot);
        int64_t sum = 0;
        for (size_t i = 0; i < ACCOUNTS; i++) {
            sum += money_at(left, i, number) + money_at(right, i, number);
        }
        REQUIRE(sum == 2 * ACCOUNTS * MONEY);
        masstree_snapshot_close(snapshot);
    }
}

/* Put back: in `Clock::add`, do not wait until the number is installed. */
static void every_snapshot_has_the_same_sum(void **state)
{
    (void)state;
    atomic_int running = THREADS - 1;
    struct mover movers[THREADS];
    void (*run[THREADS])(void *) = {sum_money, move_money, move_money};
    int64_t money = MONEY;
    for (size_t i = 0; i < ACCOUNTS; i++) {
        char key[8];
        account(i, key);
        assert_ok(masstree_store_put(store, left, key, strlen(key), &money, sizeof money, NULL));
        assert_ok(masstree_store_put(store, right, key, strlen(key), &money, sizeof money, NULL));
    }
    for (size_t i = 0; i < THREADS; i++) {
        movers[i] = (struct mover){i + 1, &running};
    }
    run_together(THREADS, run, movers, sizeof movers[0]);
    assert_int_equal(0, stats_of(store).snapshots);
}

/* Put back: in `masstree_store_export`, take any snapshot; or export the newest state whatever the snapshot. */
static void an_export_takes_the_snapshot(void **state)
{
    (void)state;
    struct place place;
    place_make(&place);
    store_text(store, left, "key", "old");
    masstree_snapshot_t *snapshot = new_snapshot(store);
    store_text(store, left, "key", "new");
    masstree_store_t *foreign = open_store(NULL, NULL);
    tree_named(foreign, "left");
    assert_status(MASSTREE_WRONG_TREE,
                  masstree_store_export(foreign, snapshot, place.path, NULL, NULL, NULL));
    close_store(foreign);
    assert_ok(masstree_store_export(store, snapshot, place.path, NULL, NULL, NULL));
    masstree_snapshot_close(snapshot);
    masstree_store_t *copy = open_store(place.path, NULL);
    assert_value(tree_named(copy, "left"), "key", "old");
    close_store(copy);
    masstree_store_options_t options = MASSTREE_STORE_OPTIONS_INIT;
    options.flags = MASSTREE_STORE_READ_ONLY;
    copy = open_store(place.path, &options);
    snapshot = new_snapshot(copy);
    assert_value_at(tree_named(copy, "left"), snapshot, "key", "old");
    masstree_snapshot_close(snapshot);
    close_store(copy);
    place_remove(&place);
}

/* Put back: in `masstree_store_snapshot`, write the snapshot without looking at the pointer; in `Clock::open_snapshots`,
   begin with room for some. */
static void every_status(void **state)
{
    (void)state;
    struct allocator memory;
    masstree_snapshot_t *snapshot = NULL;
    assert_status(MASSTREE_INVALID, masstree_store_snapshot(NULL, &snapshot));
    assert_status(MASSTREE_INVALID, masstree_store_snapshot(store, NULL));
    assert_status(MASSTREE_INVALID, masstree_store_list_snapshots(NULL, note_open, NULL));
    assert_status(MASSTREE_INVALID, masstree_store_list_snapshots(store, NULL, NULL));
    allocator_start(&memory);
    masstree_options_t of_trees = allocator_options(&memory, 0);
    masstree_store_options_t options = MASSTREE_STORE_OPTIONS_INIT;
    options.alloc = of_trees.alloc;
    options.free = of_trees.free;
    options.alloc_ctx = &memory;
    masstree_store_t *scarce = open_store(NULL, &options);
    for (size_t i = 1; i <= 2; i++) {
        memory.fail_at = memory.calls + i;
        assert_status(MASSTREE_NOMEM, masstree_store_snapshot(scarce, &snapshot));
        assert_null(snapshot);
        assert_int_equal(0, stats_of(scarce).snapshots);
    }
    snapshot = new_snapshot(scarce);
    struct listed listed = {.count = 0};
    memory.fail_at = memory.calls + 1;
    assert_status(MASSTREE_NOMEM, masstree_store_list_snapshots(scarce, note_open, &listed));
    memory.fail_at = 0;
    assert_ok(masstree_store_list_snapshots(scarce, note_open, &listed));
    assert_int_equal(1, listed.count);
    masstree_snapshot_close(snapshot);
    close_store(scarce);
    allocator_end(&memory);
}

/* Put back: in `StoreSnapshot::is_forked`, answer false. */
static void a_child_cannot_use_snapshots(void **state)
{
    (void)state;
    masstree_snapshot_t *snapshot = new_snapshot(store);
    int child = fork();
    if (child == 0) {
        alarm(WATCHDOG_SECONDS);
        masstree_snapshot_t *made = NULL;
        struct listed listed = {.count = 0};
        REQUIRE(masstree_store_snapshot(store, &made) == MASSTREE_FORKED);
        REQUIRE(masstree_store_list_snapshots(store, note_open, &listed) == MASSTREE_FORKED);
        uint64_t number = masstree_snapshot_seqno(snapshot);
        masstree_snapshot_close(snapshot);
        /* It was not closed: freed memory may be overwritten. */
        REQUIRE(masstree_snapshot_seqno(snapshot) == number);
        end_child();
    }
    assert_child_was_content(child);
    masstree_snapshot_close(snapshot);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_snapshot_reads_all_trees_as_they_were, make, end),
        cmocka_unit_test_setup_teardown(open_snapshots_are_listed_the_oldest_first, make, end),
        cmocka_unit_test_setup_teardown(a_snapshot_grows_older, make, end),
        cmocka_unit_test_setup_teardown(every_snapshot_has_the_same_sum, make, end),
        cmocka_unit_test_setup_teardown(an_export_takes_the_snapshot, make, end),
        cmocka_unit_test_setup_teardown(every_status, make, end),
        cmocka_unit_test_setup_teardown(a_child_cannot_use_snapshots, make, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
