/* Mixes of operations like YCSB's (Cooper et al., SoCC 2010), A to F, each operation a transaction; the keys are
   Zipfian. Afterwards the content is checked: increments by read-modify-write are all there, and so are inserts;
   also after the store was opened again.

   usage: test_store_ycsb [-t THREADS] [-n TRANSACTIONS] [-s SEED]

   Put back: in `Transaction::note_read`, note nothing; in `Transaction::must_be_unchanged`, answer false. */
#include "workloads.h"

#include <inttypes.h>
#include <stdatomic.h>

enum { KEYS = 1000, MOST_SCANNED = 50, FIELDS = 12 };

enum operation { READ, UPDATE, INSERT, SCAN, CHANGE };

/* How many of 100 operations are which. */
static const struct mix {
    const char *name;
    unsigned char percent[CHANGE + 1];
    bool is_latest; /* the last keys are read most often, not the first */
} mixes[] = {
    {"YCSB A (reads, updates)", {50, 50, 0, 0, 0}, false},
    {"YCSB B (reads, few updates)", {95, 5, 0, 0, 0}, false},
    {"YCSB C (reads)", {100, 0, 0, 0, 0}, false},
    {"YCSB D (reads of the latest, inserts)", {95, 0, 5, 0, 0}, true},
    {"YCSB E (scans, inserts)", {0, 0, 5, 95, 0}, false},
    {"YCSB F (reads, read-modify-writes)", {50, 0, 0, 0, 50}, false},
};

struct row {
    uint64_t changes; /* by read-modify-writes */
    uint64_t fields[FIELDS]; /* all are the same */
};

struct table {
    masstree_store_t *store;
    masstree_t *tree;
    const struct mix *mix;
    double ends[KEYS]; /* the sums of the Zipfian's probabilities */
    atomic_uint count; /* keys that have been given out */
    _Atomic uint64_t changes;
};

struct worker {
    struct table *table;
    size_t transactions;
    uint64_t random;
    enum operation operation;
    uint32_t key;
};

static void fill_zipfian(struct table *table)
{
    double sum = 0;
    for (size_t i = 0; i < KEYS; i++) {
        sum += 1.0 / (double)(i + 1);
        table->ends[i] = sum;
    }
}

static uint32_t zipfian(const struct table *table, uint64_t *random)
{
    double at = (double)(random_u64(random) >> 11) / 9007199254740992.0 * table->ends[KEYS - 1];
    uint32_t low = 0;
    uint32_t high = KEYS - 1;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (table->ends[middle] < at) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static void check_row(const struct row *row)
{
    for (size_t i = 1; i < FIELDS; i++) {
        REQUIRE(row->fields[i] == row->fields[0]);
    }
}

struct scan {
    uint32_t last;
    uint64_t count;
    uint64_t changes;
};

static int32_t visit_row(const void *key, size_t len, const masstree_version_t *version, void *ctx)
{
    struct scan *scan = ctx;
    struct row row;
    REQUIRE(len == 4 && version->value_len == sizeof row);
    REQUIRE(scan->count == 0 || number_in(key, 0) > scan->last);
    memcpy(&row, version->value, sizeof row);
    check_row(&row);
    scan->last = number_in(key, 0);
    scan->count++;
    scan->changes += row.changes;
    return MASSTREE_VISIT_CONTINUE;
}

static void scan_rows(masstree_txn_t *txn, masstree_t *tree, uint32_t from, size_t limit,
                      struct scan *scan)
{
    masstree_range_t range = MASSTREE_RANGE_INIT;
    struct row_key lower = KEY(from);
    range.lower = lower.bytes;
    range.lower_len = lower.len;
    range.lower_bound = MASSTREE_BOUND_INCLUSIVE;
    range.limit = limit;
    *scan = (struct scan){0, 0, 0};
    REQUIRE(masstree_txn_scan(txn, tree, &range, visit_row, scan, NULL) == MASSTREE_OK);
}

static int32_t run_one(masstree_txn_t *txn, void *ctx)
{
    struct worker *worker = ctx;
    masstree_t *tree = worker->table->tree;
    struct row row = {.changes = 0};
    struct scan scan;
    switch (worker->operation) {
    case SCAN:
        scan_rows(txn, tree, worker->key, MOST_SCANNED, &scan);
        REQUIRE(scan.count > 0);
        return MASSTREE_OK;
    case READ:
        /* A key that is given out may not be committed yet. */
        REQUIRE(row_get(txn, tree, KEY(worker->key), &row, sizeof row) || worker->key >= KEYS);
        check_row(&row);
        return MASSTREE_OK;
    case CHANGE:
        REQUIRE(row_get(txn, tree, KEY(worker->key), &row, sizeof row));
        row.changes++;
        break;
    case UPDATE:
    case INSERT:
        break;
    }
    for (size_t i = 0; i < FIELDS; i++) {
        row.fields[i] = worker->random;
    }
    row_put(txn, tree, KEY(worker->key), &row, sizeof row);
    return MASSTREE_OK;
}

static void choose(struct worker *worker)
{
    struct table *table = worker->table;
    size_t left = random_below(&worker->random, 100);
    worker->operation = READ;
    while (left >= table->mix->percent[worker->operation]) {
        left -= table->mix->percent[worker->operation++];
    }
    worker->key = zipfian(table, &worker->random);
    if (worker->operation == INSERT) {
        worker->key = atomic_fetch_add(&table->count, 1);
    } else if (table->mix->is_latest) {
        worker->key = atomic_load(&table->count) - 1 - worker->key;
    }
}

static void work(void *arg)
{
    struct worker *worker = arg;
    for (size_t i = 0; i < worker->transactions; i++) {
        choose(worker);
        REQUIRE(masstree_store_transact(worker->table->store, NULL, run_one, worker, NULL) ==
                MASSTREE_OK);
        if (worker->operation == CHANGE) {
            atomic_fetch_add(&worker->table->changes, 1);
        }
    }
}

static int32_t load_some(masstree_txn_t *txn, void *ctx)
{
    struct row row = {.changes = 0};
    for (uint32_t key = 0; key < KEYS; key++) {
        row_put(txn, ctx, KEY(key), &row, sizeof row);
    }
    return MASSTREE_OK;
}

static int32_t check_all(masstree_txn_t *txn, void *ctx)
{
    struct table *table = ctx;
    struct scan scan;
    scan_rows(txn, table->tree, 0, SIZE_MAX, &scan);
    REQUIRE(scan.count == atomic_load(&table->count));
    REQUIRE(scan.changes == atomic_load(&table->changes));
    return MASSTREE_OK;
}

static void run_mix(const struct mix *mix, const struct workload *workload)
{
    static struct table table;
    static struct worker workers[64];
    struct place place;
    place_make(&place);
    table.mix = mix;
    table.store = open_store(place.path, NULL);
    table.tree = tree_named(table.store, "table");
    atomic_store(&table.count, KEYS);
    atomic_store(&table.changes, 0);
    fill_zipfian(&table);
    assert_ok(masstree_store_transact(table.store, NULL, load_some, table.tree, NULL));
    for (size_t i = 0; i < workload->threads; i++) {
        workers[i] = (struct worker){.table = &table,
                                     .transactions = workload->transactions,
                                     .random = workload->seed * 1000 + i};
    }
    workload_run(mix->name, table.store, workload->threads, work, workers, sizeof workers[0]);
    assert_ok(masstree_store_transact(table.store, NULL, check_all, &table, NULL));
    close_store(table.store);
    table.store = open_store(place.path, NULL);
    table.tree = tree_named(table.store, "table");
    assert_ok(masstree_store_transact(table.store, NULL, check_all, &table, NULL));
    close_store(table.store);
    place_remove(&place);
}

int main(int argc, char **argv)
{
    struct workload workload = {.threads = 3, .transactions = scaled(4000), .seed = 1};
    workload_arguments(argc, argv, &workload);
    for (size_t i = 0; i < COUNT(mixes); i++) {
        run_mix(&mixes[i], &workload);
    }
    return 0;
}
