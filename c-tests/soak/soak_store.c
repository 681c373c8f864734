/* Steps of the soak test on a store: accounts whose sum is constant, which batches transfer between, and
   keys that each thread has for itself. The store is in memory or, with an odd seed, in a directory, where
   checkpoints are made. */
#include "soak.h"

#include <dirent.h>
#include <unistd.h>

enum { ACCOUNTS = 40, START = 1000, LENGTH = 8 };

struct account {
    char key[16];
};

static struct account account_of(size_t number)
{
    struct account account;
    snprintf(account.key, sizeof account.key, "a%07u", (unsigned)number);
    return account;
}

static void make_directory(struct soak *soak)
{
    const char *temporary = getenv("TMPDIR");
    if (temporary == NULL || strlen(temporary) > 30) {
        temporary = "/tmp";
    }
    snprintf(soak->directory, sizeof soak->directory, "%s/masstree-soak-XXXXXX", temporary);
    REQUIRE(mkdtemp(soak->directory) != NULL);
}

static void remove_directory(const struct soak *soak)
{
    char path[512];
    DIR *directory = opendir(soak->directory);
    REQUIRE(directory != NULL);
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        snprintf(path, sizeof path, "%s/%s", soak->directory, entry->d_name);
        REQUIRE(entry->d_name[0] == '.' || unlink(path) == 0);
    }
    closedir(directory);
    REQUIRE(rmdir(soak->directory) == 0);
}

void soak_open_store(struct soak_worker *only)
{
    struct soak *soak = only->soak;
    masstree_store_options_t options = MASSTREE_STORE_OPTIONS_INIT;
    masstree_batch_t *batch = NULL;
    options.log_buffer_bytes = 1 << 16;
    options.log_segment_bytes = 1 << 20;
    options.checkpoint_log_bytes = 1 << 20;
    if (soak->seed % 2 == 1) {
        make_directory(soak);
    }
    const char *directory = soak->directory[0] != 0 ? soak->directory : NULL;
    REQUIRE(masstree_store_open(directory, &options, &soak->store) == MASSTREE_OK);
    REQUIRE(masstree_store_tree(soak->store, "accounts", &soak->accounts) == MASSTREE_OK);
    REQUIRE(masstree_store_tree(soak->store, "own", &soak->owned) == MASSTREE_OK);
    REQUIRE(masstree_batch_create(soak->store, &batch) == MASSTREE_OK);
    for (size_t i = 0; i < ACCOUNTS; i++) {
        struct account account = account_of(i);
        int64_t start = START;
        REQUIRE(masstree_batch_assert_absent(batch, soak->accounts, account.key, LENGTH) ==
                MASSTREE_OK);
        REQUIRE(masstree_batch_put(batch, soak->accounts, account.key, LENGTH, &start,
                                   sizeof start) == MASSTREE_OK);
    }
    REQUIRE(masstree_batch_len(batch) == 2 * (size_t)ACCOUNTS);
    REQUIRE(masstree_store_commit(soak->store, batch, NULL, NULL) == MASSTREE_OK);
    masstree_batch_destroy(batch);
}

struct sum {
    size_t accounts;
    int64_t money;
};

static int32_t add_account(const void *key, size_t key_len, const masstree_version_t *version,
                           void *ctx)
{
    struct sum *sum = ctx;
    int64_t money = 0;
    (void)key;
    (void)key_len;
    memcpy(&money, version->value, sizeof money);
    sum->accounts++;
    sum->money += money;
    return MASSTREE_VISIT_CONTINUE;
}

/* Every snapshot has all of the money. */
static void add_up(struct soak_worker *worker)
{
    masstree_t *tree = worker->soak->accounts;
    masstree_snapshot_t *snapshot = NULL;
    struct sum sum = {0, 0};
    EXPECT(worker, masstree_snapshot_open(tree, &snapshot) == MASSTREE_OK);
    EXPECT(worker, masstree_scan_at(tree, NULL, NULL, masstree_snapshot_seqno(snapshot), add_account,
                                    &sum, NULL) == MASSTREE_OK);
    EXPECT(worker, sum.accounts == ACCOUNTS && sum.money == (int64_t)ACCOUNTS * START);
    masstree_snapshot_close(snapshot);
}

/* Moves money from one account to another, if both are as they were read. */
static void transfer(struct soak_worker *worker)
{
    masstree_t *tree = worker->soak->accounts;
    masstree_store_t *store = worker->soak->store;
    size_t from = random_below(&worker->random, ACCOUNTS);
    size_t to = (from + 1 + random_below(&worker->random, ACCOUNTS - 1)) % ACCOUNTS;
    struct account accounts[2] = {account_of(from), account_of(to)};
    int64_t amount = (int64_t)random_below(&worker->random, 100);
    masstree_guard_t *guard = NULL;
    masstree_batch_t *batch = NULL;
    EXPECT(worker, masstree_guard_enter(tree, &guard) == MASSTREE_OK);
    EXPECT(worker, masstree_batch_create(store, &batch) == MASSTREE_OK);
    for (size_t i = 0; i < 2; i++) {
        const char *key = accounts[i].key;
        masstree_version_t version = {0};
        int64_t money = 0;
        EXPECT(worker, masstree_get_at(tree, guard, key, LENGTH, MASSTREE_SEQNO_LATEST, &version) ==
                           MASSTREE_OK);
        memcpy(&money, version.value, sizeof money);
        EXPECT(worker, (i == 0 ? masstree_batch_assert_version(batch, tree, key, LENGTH, version.seqno)
                               : masstree_batch_assert_value(batch, tree, key, LENGTH, &money,
                                                             sizeof money)) == MASSTREE_OK);
        money += i == 0 ? -amount : amount;
        EXPECT(worker, masstree_batch_put(batch, tree, key, LENGTH, &money, sizeof money) ==
                           MASSTREE_OK);
    }
    uint64_t commit = 0;
    size_t failed = 0;
    int32_t status = masstree_store_commit(store, batch, &commit, &failed);
    if (status == MASSTREE_MISMATCH) {
        EXPECT(worker, failed == 0 || failed == 2);
    } else {
        EXPECT(worker, status == MASSTREE_OK && commit > 0);
    }
    masstree_batch_destroy(batch);
    masstree_guard_leave(guard);
}

/* Moves money from one account to another in a transaction, which sees all of the money. */
static int32_t transfer_in(masstree_txn_t *txn, void *ctx)
{
    struct soak_worker *worker = ctx;
    masstree_t *tree = worker->soak->accounts;
    size_t from = random_below(&worker->random, ACCOUNTS);
    size_t to = (from + 1 + random_below(&worker->random, ACCOUNTS - 1)) % ACCOUNTS;
    struct account accounts[2] = {account_of(from), account_of(to)};
    struct sum sum = {0, 0};
    EXPECT(worker, masstree_txn_seqno(txn) > 0);
    EXPECT(worker, masstree_txn_scan(txn, tree, NULL, add_account, &sum, NULL) == MASSTREE_OK);
    EXPECT(worker, sum.accounts == ACCOUNTS && sum.money == (int64_t)ACCOUNTS * START);
    for (size_t i = 0; i < 2; i++) {
        const char *key = accounts[i].key;
        masstree_version_t version = {0};
        int64_t money = 0;
        EXPECT(worker, masstree_txn_get(txn, tree, key, LENGTH, &version) == MASSTREE_OK);
        memcpy(&money, version.value, sizeof money);
        money += i == 0 ? -1 : 1;
        EXPECT(worker, masstree_txn_put(txn, tree, key, LENGTH, &money, sizeof money) == MASSTREE_OK);
    }
    return MASSTREE_OK;
}

static void transact(struct soak_worker *worker)
{
    masstree_txn_options_t options = MASSTREE_TXN_OPTIONS_INIT;
    uint64_t commit = 0;
    options.max_attempts = 3;
    int32_t status = masstree_store_transact(worker->soak->store, &options, transfer_in, worker, &commit);
    EXPECT(worker, status == MASSTREE_CONFLICT || (status == MASSTREE_OK && commit > 0));
}

/* A key that no other thread writes. */
struct own_key {
    char key[16];
    size_t len;
};

static struct own_key own_key(const struct soak_worker *worker, const char *name)
{
    struct own_key own;
    own.len = (size_t)snprintf(own.key, sizeof own.key, "%u/%s", worker->id, name);
    return own;
}

/* A cursor over two keys, next to each other, that a transaction has written. */
static void walk_own(struct soak_worker *worker, masstree_txn_t *txn, const struct own_key *a)
{
    masstree_txn_cursor_t *cursor = NULL;
    masstree_slice_t key = {NULL, 0};
    EXPECT(worker, masstree_txn_cursor_open(txn, worker->soak->owned, &cursor) == MASSTREE_OK);
    EXPECT(worker,
           masstree_txn_cursor_seek(cursor, a->key, a->len, MASSTREE_SEEK_GE) == MASSTREE_OK);
    EXPECT(worker, masstree_txn_cursor_next(cursor) == MASSTREE_OK);
    EXPECT(worker, masstree_txn_cursor_prev(cursor) == MASSTREE_OK);
    EXPECT(worker, masstree_txn_cursor_version(cursor, NULL) == MASSTREE_OK);
    EXPECT(worker, masstree_txn_cursor_key(cursor, &key) == MASSTREE_OK);
    EXPECT(worker, key.len == a->len && memcmp(key.data, a->key, a->len) == 0);
    masstree_txn_cursor_close(cursor);
}

/* A transaction over keys of the thread's own; nothing refuses it. */
static void transact_own(struct soak_worker *worker)
{
    masstree_t *tree = worker->soak->owned;
    struct own_key a = own_key(worker, "ta");
    struct own_key b = own_key(worker, "tb");
    masstree_txn_t *txn = NULL;
    EXPECT(worker, masstree_txn_begin(worker->soak->store, NULL, &txn) == MASSTREE_OK);
    EXPECT(worker, masstree_txn_insert(txn, tree, a.key, a.len, "1", 1) == MASSTREE_OK);
    masstree_txn_abort(txn);
    EXPECT(worker, masstree_txn_commit(txn, NULL) == MASSTREE_INVALID);
    EXPECT(worker, masstree_txn_reset(txn) == MASSTREE_OK);
    EXPECT(worker, masstree_txn_insert(txn, tree, a.key, a.len, "1", 1) == MASSTREE_OK);
    EXPECT(worker, masstree_txn_insert(txn, tree, b.key, b.len, "2", 1) == MASSTREE_OK);
    walk_own(worker, txn, &a);
    EXPECT(worker, masstree_txn_remove(txn, tree, b.key, b.len) == MASSTREE_OK);
    EXPECT(worker, masstree_txn_rename(txn, tree, a.key, a.len, b.key, b.len, 0) == MASSTREE_OK);
    EXPECT(worker, masstree_txn_remove(txn, tree, b.key, b.len) == MASSTREE_OK);
    EXPECT(worker, masstree_txn_commit(txn, NULL) == MASSTREE_OK);
    EXPECT(worker, masstree_txn_conflict(txn, NULL, NULL, NULL) == MASSTREE_NOT_FOUND);
    masstree_txn_destroy(txn);
}

/* Writes, conditional writes and a rename of keys of the thread's own, each with its one right answer. */
static void write_own(struct soak_worker *worker)
{
    masstree_store_t *store = worker->soak->store;
    masstree_t *tree = worker->soak->owned;
    struct own_key a = own_key(worker, "a");
    struct own_key b = own_key(worker, "b");
    masstree_store_condition_t absent = {.kind = MASSTREE_IF_ABSENT};
    masstree_store_condition_t is_1 = {.kind = MASSTREE_IF_VALUE, .value = "1", .value_len = 1};
    masstree_version_t old;
    masstree_guard_t *guard = NULL;
    uint64_t commit = 0;
    EXPECT(worker, masstree_store_insert(store, tree, a.key, a.len, "0", 1, NULL) == MASSTREE_OK);
    EXPECT(worker, masstree_store_insert(store, tree, a.key, a.len, "1", 1, NULL) == MASSTREE_EXISTS);
    EXPECT(worker, masstree_store_put(store, tree, a.key, a.len, "1", 1, &commit) == MASSTREE_OK);
    EXPECT(worker, masstree_guard_enter(tree, &guard) == MASSTREE_OK);
    EXPECT(worker, masstree_store_exchange(store, tree, guard, a.key, a.len, "1", 1, &old, NULL) ==
                       MASSTREE_OK);
    EXPECT(worker, old.seqno == commit && old.value_len == 1 && *(const char *)old.value == '1');
    masstree_guard_leave(guard);
    EXPECT(worker, masstree_store_replace_if(store, tree, a.key, a.len, &absent, "2", 1, NULL) ==
                       MASSTREE_MISMATCH);
    EXPECT(worker, masstree_store_rename(store, tree, a.key, a.len, b.key, b.len, 0, NULL) ==
                       MASSTREE_OK);
    EXPECT(worker, masstree_store_remove_if(store, tree, a.key, a.len, &is_1, NULL) ==
                       MASSTREE_NOT_FOUND);
    EXPECT(worker, masstree_store_remove_if(store, tree, b.key, b.len, &is_1, NULL) == MASSTREE_OK);
    EXPECT(worker, masstree_store_remove(store, tree, b.key, b.len, NULL) == MASSTREE_NOT_FOUND);
}

/* A batch with the operations that transfers do not use. */
static void commit_own(struct soak_worker *worker)
{
    masstree_store_t *store = worker->soak->store;
    masstree_t *tree = worker->soak->owned;
    struct own_key prefix = own_key(worker, "");
    struct own_key a = own_key(worker, "a");
    struct own_key b = own_key(worker, "b");
    masstree_batch_t *batch = NULL;
    size_t failed = 0;
    EXPECT(worker, masstree_batch_create(store, &batch) == MASSTREE_OK);
    EXPECT(worker, masstree_batch_assert_prefix_empty(batch, tree, prefix.key, prefix.len) ==
                       MASSTREE_OK);
    EXPECT(worker, masstree_batch_put(batch, tree, a.key, a.len, "1", 1) == MASSTREE_OK);
    EXPECT(worker, masstree_store_commit(store, batch, NULL, NULL) == MASSTREE_OK);
    EXPECT(worker, masstree_store_commit(store, batch, NULL, &failed) == MASSTREE_MISMATCH);
    masstree_batch_clear(batch);
    EXPECT(worker, masstree_batch_assert_present(batch, tree, a.key, a.len) == MASSTREE_OK);
    EXPECT(worker, masstree_batch_rename(batch, tree, a.key, a.len, b.key, b.len, 0) == MASSTREE_OK);
    EXPECT(worker, masstree_batch_remove(batch, tree, b.key, b.len) == MASSTREE_OK);
    EXPECT(worker, masstree_store_commit(store, batch, NULL, NULL) == MASSTREE_OK);
    masstree_batch_destroy(batch);
}

static int32_t count_tree(const char *name, masstree_t *tree, void *ctx)
{
    (void)name;
    (void)tree;
    ++*(size_t *)ctx;
    return MASSTREE_VISIT_CONTINUE;
}

static int32_t find_open(const masstree_open_snapshot_t *open, void *ctx)
{
    uint64_t *number = ctx;
    *number = open->seqno == *number ? 0 : *number;
    return MASSTREE_VISIT_CONTINUE;
}

static void list_open(struct soak_worker *worker)
{
    masstree_snapshot_t *snapshot = NULL;
    EXPECT(worker, masstree_store_snapshot(worker->soak->store, &snapshot) == MASSTREE_OK);
    uint64_t number = masstree_snapshot_seqno(snapshot);
    EXPECT(worker, masstree_store_list_snapshots(worker->soak->store, find_open, &number) ==
                       MASSTREE_OK && number == 0);
    masstree_snapshot_close(snapshot);
}

static void count_call(uint64_t commit, int32_t status, void *ctx)
{
    (void)commit;
    *(bool *)ctx = status == MASSTREE_OK;
}

static void ignore_text(const char *text, size_t len, void *ctx)
{
    (void)text;
    (void)len;
    (void)ctx;
}

static void ask(struct soak_worker *worker)
{
    masstree_store_t *store = worker->soak->store;
    masstree_store_stats_t stats = MASSTREE_STORE_STATS_INIT;
    masstree_store_failure_t failure = MASSTREE_STORE_FAILURE_INIT;
    size_t trees = 0;
    bool called = false;
    list_open(worker);
    EXPECT(worker, masstree_store_list_trees(store, count_tree, &trees) == MASSTREE_OK && trees == 2);
    EXPECT(worker, masstree_store_stats(store, &stats) == MASSTREE_OK && stats.trees == trees);
    EXPECT(worker, masstree_store_stats_json(store, ignore_text, NULL) == MASSTREE_OK);
    EXPECT(worker, masstree_store_failure(store, &failure) == MASSTREE_OK);
    EXPECT(worker, masstree_store_wait(store, stats.last_commit, MASSTREE_DURABLE) == MASSTREE_OK);
    EXPECT(worker, masstree_store_sync(store) == MASSTREE_OK);
    EXPECT(worker, masstree_store_durable(store) >= stats.last_commit);
    if (worker->soak->directory[0] != 0) {
        EXPECT(worker, masstree_store_checkpoint(store) == MASSTREE_OK);
        return;
    }
    EXPECT(worker, masstree_store_checkpoint(store) == MASSTREE_INVALID);
    /* In a store without a directory everything is durable already. */
    EXPECT(worker, masstree_store_on_durable(store, stats.last_commit, count_call, &called) ==
                       MASSTREE_OK && called);
}

void soak_store(struct soak_worker *worker)
{
    size_t drawn = random_below(&worker->random, 20);
    if (drawn < 8) {
        transfer(worker);
    } else if (drawn < 11) {
        transact(worker);
    } else if (drawn < 12) {
        transact_own(worker);
    } else if (drawn < 14) {
        add_up(worker);
    } else if (drawn < 17) {
        write_own(worker);
    } else if (drawn < 19) {
        commit_own(worker);
    } else {
        ask(worker);
    }
}

/* The directory can be opened, and has as many trees as it should. */
static void verify(struct soak_worker *only, const char *directory)
{
    masstree_store_verified_t verified = MASSTREE_STORE_VERIFIED_INIT;
    EXPECT(only, masstree_store_verify(directory, NULL, &verified) == MASSTREE_OK);
    EXPECT(only, verified.trees == 2);
}

/* Follows a change of the store in a directory, and imports that into another store. */
static void follow_and_import(struct soak_worker *only, const char *directory)
{
    masstree_store_t *store = NULL, *other = NULL;
    masstree_t *tree = NULL;
    masstree_changes_t *changes = NULL;
    masstree_change_t change = {0};
    masstree_store_stats_t stats = MASSTREE_STORE_STATS_INIT;
    masstree_store_imported_t imported = MASSTREE_STORE_IMPORTED_INIT;
    REQUIRE(masstree_store_open(directory, NULL, &store) == MASSTREE_OK);
    REQUIRE(masstree_store_tree(store, "accounts", &tree) == MASSTREE_OK);
    EXPECT(only, masstree_store_stats(store, &stats) == MASSTREE_OK);
    REQUIRE(masstree_store_changes(store, stats.changes_since, NULL, &changes) == MASSTREE_OK);
    EXPECT(only, masstree_changes_next(changes, &change, NULL) == MASSTREE_NOT_FOUND);
    EXPECT(only, masstree_store_put(store, tree, "new", 3, "value", 5, NULL) == MASSTREE_OK);
    EXPECT(only, masstree_store_sync(store) == MASSTREE_OK);
    EXPECT(only, masstree_changes_wait(changes, MASSTREE_NO_TIMEOUT) == MASSTREE_OK);
    EXPECT(only, masstree_changes_next(changes, &change, NULL) == MASSTREE_OK);
    EXPECT(only, change.key_len == 3 && change.value_len == 5 && change.is_last == 1);
    masstree_changes_destroy(changes);
    EXPECT(only, masstree_store_close(store) == MASSTREE_OK);
    REQUIRE(masstree_store_open(NULL, NULL, &other) == MASSTREE_OK);
    EXPECT(only, masstree_store_import(other, directory, 0, NULL, NULL, NULL, &imported) == MASSTREE_OK);
    EXPECT(only, imported.trees == 2 && imported.keys > 0);
    EXPECT(only, masstree_store_close(other) == MASSTREE_OK);
}

/* Drops a tree, exports the rest, and uses the copy. */
static void drop_and_export(struct soak_worker *only)
{
    masstree_store_t *store = only->soak->store;
    masstree_t *tree = NULL;
    struct soak copy = {0};
    EXPECT(only, masstree_store_tree(store, "dropped", &tree) == MASSTREE_OK);
    EXPECT(only, masstree_store_put(store, tree, "key", 3, "value", 5, NULL) == MASSTREE_OK);
    EXPECT(only, masstree_store_drop_tree(store, "dropped", NULL) == MASSTREE_OK);
    EXPECT(only, masstree_store_put(store, tree, "key", 3, "value", 5, NULL) == MASSTREE_WRONG_TREE);
    make_directory(&copy);
    EXPECT(only, masstree_store_export(store, NULL, copy.directory, NULL, NULL, NULL) == MASSTREE_OK);
    verify(only, copy.directory);
    follow_and_import(only, copy.directory);
    remove_directory(&copy);
}

void soak_close_store(struct soak_worker *only)
{
    add_up(only);
    drop_and_export(only);
    EXPECT(only, masstree_check(only->soak->accounts, NULL, NULL, NULL) == MASSTREE_OK);
    EXPECT(only, masstree_store_close(only->soak->store) == MASSTREE_OK);
    if (only->soak->directory[0] == 0) {
        return;
    }
    masstree_store_t *again = NULL;
    masstree_t *accounts = NULL;
    verify(only, only->soak->directory);
    REQUIRE(masstree_store_open(only->soak->directory, NULL, &again) == MASSTREE_OK);
    REQUIRE(masstree_store_tree(again, "accounts", &accounts) == MASSTREE_OK);
    only->soak->accounts = accounts;
    add_up(only);
    EXPECT(only, masstree_store_close(again) == MASSTREE_OK);
    remove_directory(only->soak);
}
