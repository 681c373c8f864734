/* Transactions: every operation and status, conflicts, repetition. */
#include "stores.h"

#include <unistd.h>

static masstree_store_t *store;
static masstree_t *tree;
static masstree_txn_t *txn;

static masstree_txn_t *new_txn(masstree_store_t *of, const masstree_txn_options_t *options)
{
    masstree_txn_t *made = NULL;
    assert_ok(masstree_txn_begin(of, options, &made));
    assert_non_null(made);
    return made;
}

static int make(void **state)
{
    (void)state;
    store = open_store(NULL, NULL);
    tree = tree_named(store, "tree");
    txn = new_txn(store, NULL);
    return 0;
}

static int end(void **state)
{
    (void)state;
    masstree_txn_destroy(txn);
    assert_consistent(tree);
    close_store(store);
    return 0;
}

static int32_t count_one(const void *key, size_t key_len, const masstree_version_t *version,
                         void *ctx)
{
    (void)key;
    (void)key_len;
    (void)version;
    ++*(size_t *)ctx;
    return MASSTREE_VISIT_CONTINUE;
}

static int32_t do_get(masstree_txn_t *of, masstree_t *in, const void *key, size_t len)
{
    return masstree_txn_get(of, in, key, len, NULL);
}

static int32_t do_put(masstree_txn_t *of, masstree_t *in, const void *key, size_t len)
{
    return masstree_txn_put(of, in, key, len, "value", 5);
}

static int32_t do_insert(masstree_txn_t *of, masstree_t *in, const void *key, size_t len)
{
    return masstree_txn_insert(of, in, key, len, "value", 5);
}

static int32_t do_remove(masstree_txn_t *of, masstree_t *in, const void *key, size_t len)
{
    return masstree_txn_remove(of, in, key, len);
}

static int32_t do_rename(masstree_txn_t *of, masstree_t *in, const void *key, size_t len)
{
    return masstree_txn_rename(of, in, key, len, "target", 6, MASSTREE_RENAME_FORCE);
}

static int32_t do_scan(masstree_txn_t *of, masstree_t *in, const void *key, size_t len)
{
    size_t count = 0;
    masstree_range_t range = MASSTREE_RANGE_INIT;
    range.prefix = key;
    range.prefix_len = len;
    return masstree_txn_scan(of, in, &range, count_one, &count, NULL);
}

static const struct {
    const char *name;
    int32_t (*run)(masstree_txn_t *of, masstree_t *in, const void *key, size_t len);
    bool writes;
} operations[] = {
    {"get", do_get, false},       {"scan", do_scan, false},     {"put", do_put, true},
    {"insert", do_insert, true},  {"remove", do_remove, true},  {"rename", do_rename, true},
};

/* Put back: in `Store::tree_of`, take any tree; in `Transaction::running`, answer 0. */
static void each_operation_refuses_what_it_cannot_mean(void **state)
{
    (void)state;
    masstree_store_t *other = open_store(NULL, NULL);
    masstree_t *of_other = tree_named(other, "tree");
    for (size_t i = 0; i < COUNT(operations); i++) {
        assert_status(MASSTREE_INVALID, operations[i].run(NULL, tree, "key", 3));
        assert_status(MASSTREE_INVALID, operations[i].run(txn, NULL, "key", 3));
        assert_status(MASSTREE_INVALID, operations[i].run(txn, tree, NULL, 3));
        assert_status(MASSTREE_KEY_TOO_LONG,
                      operations[i].run(txn, tree, "key", (size_t)UINT32_MAX + 1));
        assert_status(MASSTREE_WRONG_TREE, operations[i].run(txn, of_other, "key", 3));
    }
    assert_status(MASSTREE_INVALID, masstree_txn_put(txn, tree, "k", 1, NULL, 1));
    assert_status(MASSTREE_INVALID, masstree_txn_insert(txn, tree, "k", 1, NULL, 1));
    assert_status(MASSTREE_INVALID, masstree_txn_rename(txn, tree, "k", 1, NULL, 1, 0));
    assert_status(MASSTREE_INVALID, masstree_txn_rename(txn, tree, "k", 1, "l", 1, 2));
    assert_status(MASSTREE_KEY_TOO_LONG,
                  masstree_txn_rename(txn, tree, "k", 1, "l", (size_t)UINT32_MAX + 1, 0));
    assert_status(MASSTREE_INVALID, masstree_txn_scan(txn, tree, NULL, NULL, NULL, NULL));
    masstree_txn_abort(txn);
    for (size_t i = 0; i < COUNT(operations); i++) {
        assert_status(MASSTREE_INVALID, operations[i].run(txn, tree, "key", 3));
    }
    assert_status(MASSTREE_INVALID, masstree_txn_commit(txn, NULL));
    assert_int_equal(0, masstree_txn_seqno(txn));
    assert_int_equal(0, count_keys(tree));
    close_store(other);
}

/* Put back: in `txn::decode`, take any isolation. */
static void options_are_checked(void **state)
{
    (void)state;
    masstree_txn_options_t options = MASSTREE_TXN_OPTIONS_INIT;
    masstree_txn_t *made = NULL;
    options.isolation = 3;
    assert_status(MASSTREE_INVALID, masstree_txn_begin(store, &options, &made));
    options.isolation = MASSTREE_TXN_SERIALIZABLE;
    options.level = 3;
    assert_status(MASSTREE_INVALID, masstree_txn_begin(store, &options, &made));
    options.level = MASSTREE_MEMORY;
    options.reserved = 1;
    assert_status(MASSTREE_INVALID, masstree_txn_begin(store, &options, &made));
    options.reserved = 0;
    options.struct_size--;
    assert_status(MASSTREE_INVALID, masstree_txn_begin(store, &options, &made));
    assert_status(MASSTREE_INVALID, masstree_store_transact(store, &options, NULL, NULL, NULL));
    assert_status(MASSTREE_INVALID, masstree_txn_begin(NULL, NULL, &made));
    assert_status(MASSTREE_INVALID, masstree_txn_begin(store, NULL, NULL));
    assert_status(MASSTREE_INVALID, masstree_txn_reset(NULL));
    assert_status(MASSTREE_INVALID, masstree_txn_commit(NULL, NULL));
    assert_status(MASSTREE_INVALID, masstree_txn_conflict(NULL, NULL, NULL, NULL));
    assert_int_equal(0, masstree_txn_seqno(NULL));
    masstree_txn_abort(NULL);
    masstree_txn_destroy(NULL);
    assert_null(made);
}

/* Put back: in `Transaction::get`, read the newest version. */
static void a_transaction_reads_its_snapshot_and_its_writes(void **state)
{
    (void)state;
    masstree_version_t version = {.seqno = 77};
    uint64_t commit = 77;
    uint64_t first = store_text(store, tree, "a", "1");
    assert_ok(masstree_txn_reset(txn));
    assert_true(masstree_txn_seqno(txn) >= first);
    store_text(store, tree, "a", "2");
    store_text(store, tree, "b", "2");
    assert_status(MASSTREE_NOT_FOUND, masstree_txn_get(txn, tree, "b", 1, &version));
    assert_int_equal(77, version.seqno);
    assert_ok(masstree_txn_get(txn, tree, "a", 1, &version));
    assert_int_equal(first, version.seqno);
    assert_int_equal(MASSTREE_VERSION_VALUE, version.kind);
    masstree_slice_t kept = {version.value, version.value_len};
    assert_ok(masstree_txn_put(txn, tree, "c", 1, "3", 1));
    assert_ok(masstree_txn_get(txn, tree, "c", 1, &version));
    assert_int_equal(0, version.seqno);
    assert_slice("3", 1, (masstree_slice_t){version.value, version.value_len});
    assert_slice("1", 1, kept);
    assert_status(MASSTREE_EXISTS, masstree_txn_insert(txn, tree, "c", 1, "4", 1));
    assert_ok(masstree_txn_remove(txn, tree, "c", 1));
    assert_status(MASSTREE_NOT_FOUND, masstree_txn_remove(txn, tree, "c", 1));
    assert_ok(masstree_txn_insert(txn, tree, "c", 1, "4", 1));
    assert_status(MASSTREE_NOT_FOUND, masstree_txn_rename(txn, tree, "x", 1, "y", 1, 0));
    assert_status(MASSTREE_EXISTS, masstree_txn_rename(txn, tree, "a", 1, "c", 1, 0));
    assert_ok(masstree_txn_rename(txn, tree, "c", 1, "d", 1, 0));
    assert_no_value(tree, "c");
    assert_status(MASSTREE_CONFLICT, masstree_txn_commit(txn, &commit));
    assert_int_equal(77, commit);
    assert_no_value(tree, "d");
    assert_ok(masstree_txn_reset(txn));
    assert_ok(masstree_txn_rename(txn, tree, "a", 1, "d", 1, 0));
    assert_ok(masstree_txn_commit(txn, &commit));
    assert_int_equal(commit, assert_value(tree, "d", "2"));
    assert_no_value(tree, "a");
}

/* Put back: in `Transaction::note_conflict`, note nothing. */
static void a_conflict_names_the_key(void **state)
{
    (void)state;
    masstree_t *second = tree_named(store, "second");
    masstree_t *of = NULL;
    const void *key = NULL;
    size_t key_len = 77;
    assert_status(MASSTREE_NOT_FOUND, masstree_txn_conflict(txn, &of, &key, &key_len));
    assert_null(of);
    assert_int_equal(0, masstree_txn_get(txn, tree, "read", 4, NULL) - MASSTREE_NOT_FOUND);
    assert_status(MASSTREE_OK, do_scan(txn, second, "dir/", 4));
    assert_ok(masstree_txn_put(txn, tree, "written", 7, "v", 1));
    store_text(store, second, "dir/new", "v");
    assert_status(MASSTREE_CONFLICT, masstree_txn_commit(txn, NULL));
    assert_ok(masstree_txn_conflict(txn, &of, &key, &key_len));
    assert_ptr_equal(second, of);
    assert_slice("dir/new", 7, (masstree_slice_t){key, key_len});
    assert_ok(masstree_txn_conflict(txn, NULL, NULL, NULL));
    assert_ok(masstree_txn_reset(txn));
    assert_status(MASSTREE_NOT_FOUND, masstree_txn_conflict(txn, NULL, NULL, NULL));
}

/* Put back: in `Transaction::must_be_unchanged`, answer true for all; or false. */
static void isolation_says_what_refuses(void **state)
{
    (void)state;
    static const struct {
        uint32_t isolation;
        const char *changed;
        int32_t status;
    } rows[] = {
        {MASSTREE_TXN_SERIALIZABLE, "read", MASSTREE_CONFLICT},
        {MASSTREE_TXN_SERIALIZABLE, "written", MASSTREE_OK},
        {MASSTREE_TXN_SNAPSHOT, "read", MASSTREE_OK},
        {MASSTREE_TXN_SNAPSHOT, "written", MASSTREE_CONFLICT},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        masstree_txn_options_t options = MASSTREE_TXN_OPTIONS_INIT;
        options.isolation = rows[i].isolation;
        masstree_txn_t *of = new_txn(store, &options);
        do_get(of, tree, "read", 4);
        assert_ok(masstree_txn_put(of, tree, "written", 7, "v", 1));
        store_text(store, tree, rows[i].changed, "v");
        assert_status(rows[i].status, masstree_txn_commit(of, NULL));
        masstree_txn_destroy(of);
    }
    masstree_txn_options_t options = MASSTREE_TXN_OPTIONS_INIT;
    options.isolation = MASSTREE_TXN_READ_ONLY;
    masstree_txn_t *of = new_txn(store, &options);
    uint64_t commit = 0;
    assert_ok(do_get(of, tree, "read", 4));
    for (size_t i = 0; i < COUNT(operations); i++) {
        if (operations[i].writes) {
            assert_status(MASSTREE_READ_ONLY, operations[i].run(of, tree, "read", 4));
        }
    }
    store_text(store, tree, "read", "w");
    uint64_t number = masstree_txn_seqno(of);
    assert_ok(masstree_txn_commit(of, &commit));
    assert_int_equal(number, commit);
    masstree_txn_destroy(of);
}

/* What a visitor does, and what it has seen. */
struct visit {
    char seen[64];
    char put_at;
    char stop_at;
    int32_t stop_with;
};

static int32_t visit_key(const void *key, size_t key_len, const masstree_version_t *version,
                         void *ctx)
{
    struct visit *visit = ctx;
    assert_int_equal(1, key_len);
    assert_slice(key, 1, (masstree_slice_t){version->value, version->value_len});
    strncat(visit->seen, key, 1);
    if (*(const char *)key == visit->put_at) {
        assert_ok(masstree_txn_put(txn, tree, "e", 1, "e", 1));
        assert_ok(masstree_txn_remove(txn, tree, "f", 1));
        assert_ok(masstree_txn_get(txn, tree, "e", 1, NULL));
    }
    return *(const char *)key == visit->stop_at ? visit->stop_with : MASSTREE_VISIT_CONTINUE;
}

/* Put back: in `masstree_txn_scan`, do not write *visited; do not look at the visitor's answer. */
static void a_scan_visits_the_snapshot_and_own_writes(void **state)
{
    (void)state;
    struct visit visit = {.put_at = 'c'};
    masstree_range_t range = MASSTREE_RANGE_INIT;
    size_t visited = 77;
    for (const char *key = "abcdfg"; *key != '\0'; key++) {
        assert_ok(masstree_store_put(store, tree, key, 1, key, 1, NULL));
    }
    assert_ok(masstree_txn_reset(txn));
    assert_ok(masstree_txn_remove(txn, tree, "b", 1));
    store_text(store, tree, "h", "later");
    assert_ok(masstree_txn_scan(txn, tree, NULL, visit_key, &visit, &visited));
    assert_string_equal("acdeg", visit.seen);
    assert_int_equal(5, visited);
    visit = (struct visit){.stop_at = 'e', .stop_with = MASSTREE_VISIT_STOP};
    range.flags = MASSTREE_SCAN_REVERSE;
    assert_ok(masstree_txn_scan(txn, tree, &range, visit_key, &visit, &visited));
    assert_string_equal("ge", visit.seen);
    assert_int_equal(2, visited);
    visit = (struct visit){.stop_at = 'g', .stop_with = -5000};
    range.limit = 1;
    assert_int_equal(-5000, masstree_txn_scan(txn, tree, &range, visit_key, &visit, NULL));
    visit = (struct visit){.seen = ""};
    assert_ok(masstree_txn_scan(txn, tree, &range, visit_key, &visit, &visited));
    assert_int_equal(1, visited);
    range.flags = 64;
    assert_status(MASSTREE_INVALID,
                  masstree_txn_scan(txn, tree, &range, visit_key, &visit, NULL));
}

static int32_t drop_and_put(masstree_txn_t *of, void *ctx)
{
    (void)ctx;
    masstree_t *second = tree_named(store, "transacted");
    assert_ok(masstree_txn_put(of, second, "key", 3, "value", 5));
    assert_ok(masstree_store_drop_tree(store, "transacted", NULL));
    return MASSTREE_OK;
}

/* Put back: in `try_commit`, neither check the trees nor ask `allow`; in `Transaction::reading`, answer the
   number. */
static void a_dropped_tree_refuses_a_transaction(void **state)
{
    (void)state;
    masstree_version_t version;
    masstree_t *second = tree_named(store, "second");
    store_text(store, second, "key", "value");
    assert_ok(masstree_txn_reset(txn));
    assert_ok(masstree_txn_put(txn, tree, "key", 3, "value", 5));
    assert_ok(masstree_txn_get(txn, second, "key", 3, &version));
    assert_ok(masstree_store_drop_tree(store, "second", NULL));
    assert_slice("value", 5, (masstree_slice_t){version.value, version.value_len});
    assert_ok(masstree_txn_get(txn, second, "key", 3, NULL));
    assert_status(MASSTREE_WRONG_TREE, masstree_txn_commit(txn, NULL));
    assert_no_value(tree, "key");
    assert_ok(masstree_txn_reset(txn));
    for (size_t i = 0; i < COUNT(operations); i++) {
        assert_status(MASSTREE_WRONG_TREE, operations[i].run(txn, second, "key", 3));
    }
    tree_named(store, "transacted");
    assert_status(MASSTREE_WRONG_TREE,
                  masstree_store_transact(store, NULL, drop_and_put, NULL, NULL));
}

/* Put back: in `Transaction::admit`, admit everything. */
static void the_memory_of_a_transaction_is_limited(void **state)
{
    (void)state;
    masstree_txn_options_t options = MASSTREE_TXN_OPTIONS_INIT;
    options.max_bytes = 8;
    store_text(store, tree, "key", "value");
    masstree_txn_t *of = new_txn(store, &options);
    for (size_t i = 0; i < COUNT(operations); i++) {
        assert_status(MASSTREE_TOO_LARGE, operations[i].run(of, tree, "key", 3));
    }
    assert_ok(masstree_txn_commit(of, NULL));
    masstree_txn_destroy(of);
}

static int32_t put_and_answer(masstree_txn_t *of, void *ctx)
{
    assert_ok(masstree_txn_put(of, tree, "key", 3, "transacted", 10));
    return *(int32_t *)ctx;
}

struct attempts {
    size_t refused; /* so many attempts are */
    size_t count;
};

static int32_t meet_others(masstree_txn_t *of, void *ctx)
{
    struct attempts *attempts = ctx;
    do_get(of, tree, "read", 4);
    assert_ok(masstree_txn_put(of, tree, "key", 3, "value", 5));
    if (attempts->count++ < attempts->refused) {
        store_text(store, tree, "read", "v");
    }
    return MASSTREE_OK;
}

static int32_t end_early(masstree_txn_t *of, void *ctx)
{
    (void)ctx;
    masstree_txn_abort(of);
    return MASSTREE_OK;
}

/* Put back: in `transact::repeat`, do not begin again; do not count. */
static void a_refused_transaction_is_run_again(void **state)
{
    (void)state;
    masstree_txn_options_t options = MASSTREE_TXN_OPTIONS_INIT;
    struct attempts attempts = {.refused = 5};
    uint64_t commit = 77;
    int32_t answers[] = {-5000, 5000, MASSTREE_NOT_FOUND};
    for (size_t i = 0; i < COUNT(answers); i++) {
        assert_int_equal(answers[i], masstree_store_transact(store, NULL, put_and_answer,
                                                             &answers[i], &commit));
        assert_no_value(tree, "key");
    }
    assert_int_equal(77, commit);
    assert_ok(masstree_store_transact(store, NULL, meet_others, &attempts, &commit));
    assert_int_equal(6, attempts.count);
    assert_int_equal(commit, assert_value(tree, "key", "value"));
    attempts = (struct attempts){.refused = SIZE_MAX};
    options.max_attempts = 3;
    uint64_t again = 77;
    assert_status(MASSTREE_CONFLICT,
                  masstree_store_transact(store, &options, meet_others, &attempts, &again));
    assert_int_equal(3, attempts.count);
    assert_int_equal(77, again);
    assert_int_equal(commit, assert_value(tree, "key", "value"));
    assert_status(MASSTREE_INVALID, masstree_store_transact(store, NULL, NULL, NULL, NULL));
    assert_status(MASSTREE_INVALID, masstree_store_transact(NULL, NULL, end_early, NULL, NULL));
    assert_status(MASSTREE_INVALID, masstree_store_transact(store, NULL, end_early, NULL, NULL));
}

/* Put back: for each event, count nothing where it happens; in `Transaction::drop`, do not abort. */
static void statistics_count_how_transactions_end(void **state)
{
    (void)state;
    masstree_store_stats_t before = stats_of(store);
    struct attempts attempts = {.refused = 2};
    assert_int_equal(1, before.txns_begun);
    /* Begun three times, of which the first two are refused because of a key. */
    assert_ok(masstree_store_transact(store, NULL, meet_others, &attempts, NULL));
    /* Aborted by a reset, committed, begun again; refused because of a range. */
    assert_ok(masstree_txn_reset(txn));
    assert_ok(masstree_txn_commit(txn, NULL));
    masstree_txn_abort(txn);
    assert_ok(masstree_txn_reset(txn));
    assert_ok(do_scan(txn, tree, "dir/", 4));
    assert_ok(do_put(txn, tree, "key", 3));
    store_text(store, tree, "dir/new", "v");
    assert_status(MASSTREE_CONFLICT, masstree_txn_commit(txn, NULL));
    /* Refused because of a key that is written. */
    assert_ok(masstree_txn_reset(txn));
    assert_ok(do_remove(txn, tree, "key", 3));
    store_text(store, tree, "key", "v");
    assert_status(MASSTREE_CONFLICT, masstree_txn_commit(txn, NULL));
    /* Aborted, and destroyed. */
    assert_ok(masstree_txn_reset(txn));
    masstree_txn_abort(txn);
    masstree_txn_destroy(new_txn(store, NULL));
    masstree_store_stats_t stats = stats_of(store);
    assert_int_equal(9, stats.txns_begun);
    assert_int_equal(2, stats.txns_committed);
    assert_int_equal(3, stats.txns_aborted);
    assert_int_equal(2, stats.txn_key_conflicts);
    assert_int_equal(1, stats.txn_range_conflicts);
    assert_int_equal(1, stats.txn_write_conflicts);
    assert_int_equal(2, stats.txn_retries);
    assert_true(stats.txn_bytes >= 8 && stats.txn_bytes < 100);
}

/* Put back: in `Store::is_forked`, answer false. */
static void a_child_cannot_use_a_transaction(void **state)
{
    (void)state;
    int child = fork();
    if (child == 0) {
        alarm(WATCHDOG_SECONDS);
        masstree_txn_t *made = NULL;
        for (size_t i = 0; i < COUNT(operations); i++) {
            REQUIRE(operations[i].run(txn, tree, "key", 3) == MASSTREE_FORKED);
        }
        REQUIRE(masstree_txn_begin(store, NULL, &made) == MASSTREE_FORKED);
        REQUIRE(masstree_txn_reset(txn) == MASSTREE_FORKED);
        REQUIRE(masstree_txn_commit(txn, NULL) == MASSTREE_FORKED);
        REQUIRE(masstree_txn_conflict(txn, NULL, NULL, NULL) == MASSTREE_FORKED);
        REQUIRE(masstree_store_transact(store, NULL, end_early, NULL, NULL) == MASSTREE_FORKED);
        masstree_txn_abort(txn);
        masstree_txn_destroy(txn);
        end_child();
    }
    assert_child_was_content(child);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_operation_refuses_what_it_cannot_mean, make, end),
        cmocka_unit_test_setup_teardown(options_are_checked, make, end),
        cmocka_unit_test_setup_teardown(a_transaction_reads_its_snapshot_and_its_writes, make, end),
        cmocka_unit_test_setup_teardown(a_conflict_names_the_key, make, end),
        cmocka_unit_test_setup_teardown(isolation_says_what_refuses, make, end),
        cmocka_unit_test_setup_teardown(a_scan_visits_the_snapshot_and_own_writes, make, end),
        cmocka_unit_test_setup_teardown(a_dropped_tree_refuses_a_transaction, make, end),
        cmocka_unit_test_setup_teardown(the_memory_of_a_transaction_is_limited, make, end),
        cmocka_unit_test_setup_teardown(a_refused_transaction_is_run_again, make, end),
        cmocka_unit_test_setup_teardown(statistics_count_how_transactions_end, make, end),
        cmocka_unit_test_setup_teardown(a_child_cannot_use_a_transaction, make, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
