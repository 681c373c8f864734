/* Each allocation of a transaction fails once. */
#include "stores.h"

static int32_t count_one(const void *key, size_t key_len, const masstree_version_t *version,
                         void *ctx)
{
    (void)key;
    (void)key_len;
    (void)version;
    ++*(size_t *)ctx;
    return MASSTREE_VISIT_CONTINUE;
}

/* One allocation of a transaction fails: what is repeated then succeeds. */
struct sweep {
    struct allocator memory;
    masstree_store_t *store;
    masstree_t *tree;
    masstree_txn_t *txn;
    masstree_txn_cursor_t *cursor;
    size_t refused;
};

static void start(struct sweep *sweep)
{
    allocator_start(&sweep->memory);
    masstree_options_t of_trees = allocator_options(&sweep->memory, 0);
    masstree_store_options_t options = MASSTREE_STORE_OPTIONS_INIT;
    options.alloc = of_trees.alloc;
    options.free = of_trees.free;
    options.alloc_ctx = &sweep->memory;
    sweep->store = open_store(NULL, &options);
    sweep->tree = tree_named(sweep->store, "tree");
}

static void end(struct sweep *sweep)
{
    assert_consistent(sweep->tree);
    close_store(sweep->store);
    allocator_end(&sweep->memory);
}

static void repeated(struct sweep *sweep, int32_t expected, int32_t (*run)(struct sweep *sweep))
{
    int32_t status = run(sweep);
    if (status == MASSTREE_NOMEM) {
        sweep->refused++;
        status = run(sweep);
    }
    assert_status(expected, status);
}

static int32_t sweep_begin(struct sweep *sweep)
{
    return masstree_txn_begin(sweep->store, NULL, &sweep->txn);
}

static int32_t sweep_reset(struct sweep *sweep)
{
    return masstree_txn_reset(sweep->txn);
}

static int32_t sweep_get(struct sweep *sweep)
{
    return masstree_txn_get(sweep->txn, sweep->tree, "absent", 6, NULL);
}

static int32_t sweep_put(struct sweep *sweep)
{
    return masstree_txn_put(sweep->txn, sweep->tree, "put", 3, "value", 5);
}

static int32_t sweep_insert(struct sweep *sweep)
{
    return masstree_txn_insert(sweep->txn, sweep->tree, "insert", 6, "value", 5);
}

static int32_t sweep_remove(struct sweep *sweep)
{
    return masstree_txn_remove(sweep->txn, sweep->tree, "removed", 7);
}

static int32_t sweep_rename(struct sweep *sweep)
{
    return masstree_txn_rename(sweep->txn, sweep->tree, "src", 3, "target", 6,
                               MASSTREE_RENAME_FORCE);
}

static int32_t sweep_scan(struct sweep *sweep)
{
    size_t count = 0;
    return masstree_txn_scan(sweep->txn, sweep->tree, NULL, count_one, &count, NULL);
}

static int32_t sweep_open(struct sweep *sweep)
{
    return masstree_txn_cursor_open(sweep->txn, sweep->tree, &sweep->cursor);
}

static int32_t sweep_seek(struct sweep *sweep)
{
    int32_t status = masstree_txn_cursor_seek(sweep->cursor, "insert", 6, MASSTREE_SEEK_GE);
    assert_true(status == MASSTREE_NOMEM ||
                masstree_txn_cursor_key(sweep->cursor, NULL) == MASSTREE_OK);
    return status;
}

static int32_t sweep_next(struct sweep *sweep)
{
    return masstree_txn_cursor_next(sweep->cursor);
}

static int32_t sweep_prev(struct sweep *sweep)
{
    return masstree_txn_cursor_prev(sweep->cursor);
}

static int32_t sweep_commit(struct sweep *sweep)
{
    return masstree_txn_commit(sweep->txn, NULL);
}

static int32_t put_other(masstree_txn_t *of, void *ctx)
{
    return masstree_txn_put(of, ((struct sweep *)ctx)->tree, "other", 5, "value", 5);
}

static int32_t sweep_transact(struct sweep *sweep)
{
    return masstree_store_transact(sweep->store, NULL, put_other, sweep, NULL);
}

/* The operations of a sweep, of which the n-th allocation fails; false if there are fewer. */
static bool sweep_once(struct sweep *sweep, size_t n)
{
    masstree_slice_t key;
    sweep->txn = NULL;
    store_text(sweep->store, sweep->tree, "removed", "v");
    store_text(sweep->store, sweep->tree, "src", "v");
    masstree_store_remove(sweep->store, sweep->tree, "insert", 6, NULL);
    sweep->refused = 0;
    sweep->memory.fail_at = sweep->memory.calls + n;
    repeated(sweep, MASSTREE_OK, sweep_begin);
    repeated(sweep, MASSTREE_OK, sweep_reset);
    repeated(sweep, MASSTREE_NOT_FOUND, sweep_get);
    repeated(sweep, MASSTREE_OK, sweep_put);
    repeated(sweep, MASSTREE_OK, sweep_insert);
    repeated(sweep, MASSTREE_OK, sweep_remove);
    repeated(sweep, MASSTREE_OK, sweep_rename);
    repeated(sweep, MASSTREE_OK, sweep_scan);
    repeated(sweep, MASSTREE_OK, sweep_open);
    repeated(sweep, MASSTREE_OK, sweep_seek);
    repeated(sweep, MASSTREE_OK, sweep_next);
    repeated(sweep, MASSTREE_OK, sweep_prev);
    assert_ok(masstree_txn_cursor_key(sweep->cursor, &key));
    assert_slice("insert", 6, key);
    repeated(sweep, MASSTREE_OK, sweep_commit);
    masstree_txn_cursor_close(sweep->cursor);
    repeated(sweep, MASSTREE_OK, sweep_transact);
    sweep->memory.fail_at = 0;
    masstree_txn_destroy(sweep->txn);
    assert_value(sweep->tree, "put", "value");
    assert_value(sweep->tree, "insert", "value");
    assert_value(sweep->tree, "target", "v");
    assert_no_value(sweep->tree, "removed");
    assert_no_value(sweep->tree, "src");
    return sweep->refused > 0;
}

/* Put back: in `Accesses::insert`, move the accesses of a full block first. */
static void a_transaction_without_memory_goes_on_when_there_is_some(void **state)
{
    (void)state;
    static struct sweep sweep;
    start(&sweep);
    size_t n = 1;
    size_t misses = 0;
    for (; misses < 3 && n < 1000; n++) {
        misses = sweep_once(&sweep, n) ? 0 : misses + 1;
    }
    assert_true(n > 10);
    end(&sweep);
}

/* The first operation of a transaction, which allocates. */
static void each_operation_needs_memory(void **state)
{
    (void)state;
    static struct sweep sweep;
    int32_t (*const operations[])(struct sweep *) = {
        sweep_get, sweep_put, sweep_insert, sweep_remove, sweep_rename, sweep_scan};
    start(&sweep);
    store_text(sweep.store, sweep.tree, "removed", "v");
    store_text(sweep.store, sweep.tree, "src", "v");
    for (size_t i = 0; i < COUNT(operations); i++) {
        assert_ok(sweep_begin(&sweep));
        sweep.memory.fail_at = sweep.memory.calls + 1;
        assert_status(MASSTREE_NOMEM, operations[i](&sweep));
        sweep.memory.fail_at = 0;
        int32_t status = operations[i](&sweep);
        assert_true(status == MASSTREE_OK || status == MASSTREE_NOT_FOUND);
        masstree_txn_destroy(sweep.txn);
    }
    assert_ok(sweep_begin(&sweep));
    sweep.memory.fail_at = sweep.memory.calls + 1;
    assert_status(MASSTREE_NOMEM, sweep_open(&sweep));
    assert_ok(sweep_open(&sweep));
    int32_t (*const moves[])(struct sweep *) = {sweep_next, sweep_prev, sweep_seek};
    for (size_t i = 0; i < COUNT(moves); i++) {
        sweep.memory.fail_at = sweep.memory.calls + 1;
        assert_status(MASSTREE_NOMEM, moves[i](&sweep));
        sweep.memory.fail_at = 0;
        moves[i](&sweep);
    }
    masstree_txn_cursor_close(sweep.cursor);
    masstree_txn_destroy(sweep.txn);
    end(&sweep);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_operation_needs_memory),
        cmocka_unit_test(a_transaction_without_memory_goes_on_when_there_is_some),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
