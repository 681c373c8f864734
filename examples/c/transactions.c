/*
 * How do I build serializable transactions over a table, without phantoms?
 *
 * As Silo does (Tu, Zheng, Kohler, Liskov, Madden, SOSP 2013): a transaction records the version of
 * each row that it reads, and the leaves that prove that no other rows existed; at the end it
 * locks the rows that it writes, and commits if all records are still valid. Here every worker
 * adds rows to a table while the sum of all rows stays within a limit, and counts its own in
 * another row. A row that another worker adds between a worker's sum and its commit could exceed
 * the limit; but it changes a leaf from which the sum was read, and so the commit fails.
 *
 * Prints:
 *     285 rows of 7 and counts of 285, within the limit of 2000
 */
#include <masstree/occ.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

enum { WORKERS = 4, AMOUNT = 7, LIMIT = 2000, MOST = 4096, LOCKED = 1, STEP = 2 };
enum { FIRST_SUMMED = 1000 }; /* smaller keys: the workers' counts */

struct row {
    atomic_ullong version, value; /* version: grows by STEP, includes LOCKED */
};

struct transaction {
    masstree_guard_t *guard;
    struct row *rows[MOST], *added;
    unsigned long long versions[MOST], sum;
    masstree_observation_t leaves[MOST], created[32];
    size_t row_count, leaf_count;
    bool doomed;
};

static masstree_t *tree;

static int32_t require(int32_t status)
{
    if (status < 0) {
        fprintf(stderr, "transactions: %s\n", masstree_strerror(status));
        exit(1);
    }
    return status;
}

static int32_t read_leaf(const masstree_observation_t *leaf, void *ctx)
{
    struct transaction *t = ctx;
    t->doomed = t->doomed || t->leaf_count == MOST;
    if (!t->doomed)
        t->leaves[t->leaf_count++] = *leaf;
    return t->doomed ? MASSTREE_VISIT_STOP : MASSTREE_VISIT_CONTINUE;
}

static int32_t read_row(const void *key, size_t key_len, uint64_t word, void *ctx)
{
    struct transaction *t = ctx;
    struct row *row = (struct row *)(uintptr_t)word;
    unsigned long long version = atomic_load(&row->version), value = atomic_load(&row->value);
    (void)key;
    (void)key_len;
    if (version & LOCKED || atomic_load(&row->version) != version || t->row_count == MOST) {
        t->doomed = true; /* another is writing it, or has not committed yet */
        return MASSTREE_VISIT_STOP;
    }
    t->rows[t->row_count] = row;
    t->versions[t->row_count++] = version;
    t->sum += value;
    return MASSTREE_VISIT_CONTINUE;
}

static void read_sum(struct transaction *t, uint64_t from, uint64_t below)
{
    masstree_range_t range = MASSTREE_RANGE_INIT;
    uint8_t lower[8], upper[8];
    masstree_u64_to_key(from, lower);
    masstree_u64_to_key(below, upper);
    range.lower = lower;
    range.upper = upper;
    range.lower_len = range.upper_len = 8;
    range.lower_bound = MASSTREE_BOUND_INCLUSIVE;
    range.upper_bound = MASSTREE_BOUND_EXCLUSIVE;
    t->row_count = t->leaf_count = 0;
    t->sum = t->doomed = 0;
    require(masstree_scan_observed(tree, t->guard, &range, read_leaf, read_row, t, NULL));
}

static struct row *add_row(masstree_guard_t *guard, uint64_t key, unsigned long long version)
{
    struct row *row = calloc(1, sizeof *row);
    if (row == NULL)
        require(MASSTREE_NOMEM);
    atomic_init(&row->version, version);
    require(masstree_insert_u64(tree, guard, key, (uint64_t)(uintptr_t)row, NULL));
    return row;
}

/* Adds a row that is locked until the commit; its insert invalidates no own observation. */
static void add_own_row(struct transaction *t, uint64_t key)
{
    masstree_delta_t delta = MASSTREE_DELTA_INIT;
    delta.created = t->created;
    delta.created_capacity = 32;
    require(masstree_guard_record(t->guard, &delta));
    t->added = add_row(t->guard, key, LOCKED);
    require(masstree_guard_record(t->guard, NULL));
    if (masstree_delta_apply(&delta, t->leaves, &t->leaf_count, MOST) != MASSTREE_OK)
        t->doomed = true; /* another thread changed the leaf first */
}

static bool commit(struct transaction *t, struct row *count)
{
    unsigned long long before = atomic_load(&count->version);
    if (t->doomed || before & LOCKED ||
        !atomic_compare_exchange_strong(&count->version, &before, before | LOCKED))
        return false;
    atomic_thread_fence(memory_order_seq_cst);
    bool valid = masstree_validate(tree, t->leaves, t->leaf_count, NULL) == MASSTREE_OK;
    for (size_t i = 0; i < t->row_count && valid; i++)
        valid = atomic_load(&t->rows[i]->version) == t->versions[i];
    if (valid) {
        atomic_fetch_add(&count->value, 1);
        atomic_store(&t->added->value, AMOUNT);
        atomic_store(&t->added->version, STEP); /* other transactions may read it now */
    }
    atomic_store(&count->version, valid ? before + STEP : before);
    return valid;
}

static void free_row(void *row, size_t size, void *ctx)
{
    (void)size;
    (void)ctx;
    free(row);
}

static void *work(void *ctx)
{
    uint64_t worker = *(const uint64_t *)ctx, word;
    struct transaction *t = malloc(sizeof *t);
    if (t == NULL)
        require(MASSTREE_NOMEM);
    require(masstree_guard_enter(tree, &t->guard));
    require(masstree_get_u64(tree, t->guard, worker, &word));
    for (uint64_t key = worker * 1000000;; key++) {
        read_sum(t, FIRST_SUMMED, UINT64_MAX);
        if (!t->doomed && t->sum + AMOUNT > LIMIT)
            break; /* rows are never removed: it stays full, nothing to validate */
        if (!t->doomed) {
            add_own_row(t, key);
            if (!commit(t, (struct row *)(uintptr_t)word)) {
                require(masstree_remove_u64(tree, t->guard, key, NULL));
                require(masstree_retire(tree, t->guard, t->added, sizeof(struct row), free_row,
                                        NULL));
            }
        }
        masstree_guard_refresh(t->guard);
    }
    masstree_guard_leave(t->guard);
    free(t);
    return NULL;
}

static int32_t end_row(const void *key, size_t key_len, uint64_t word, void *ctx)
{
    (void)key;
    (void)key_len;
    (void)ctx;
    free((void *)(uintptr_t)word);
    return MASSTREE_VISIT_CONTINUE;
}

int main(void)
{
    uint64_t numbers[WORKERS] = { 1, 2, 3, 4 };
    pthread_t workers[WORKERS];
    static struct transaction rows, counts;
    require(masstree_create(NULL, &tree));
    for (int i = 0; i < WORKERS; i++)
        add_row(NULL, numbers[i], STEP);
    for (int i = 0; i < WORKERS; i++)
        if (pthread_create(&workers[i], NULL, work, &numbers[i]) != 0)
            return 1;
    for (int i = 0; i < WORKERS; i++)
        pthread_join(workers[i], NULL);
    read_sum(&rows, FIRST_SUMMED, UINT64_MAX);
    read_sum(&counts, 0, FIRST_SUMMED);
    printf("%llu rows of %d and counts of %llu, within the limit of %d\n", rows.sum / AMOUNT,
           AMOUNT, counts.sum, LIMIT);
    require(masstree_scan(tree, NULL, NULL, end_row, NULL, NULL));
    masstree_destroy(tree);
    return 0;
}
