/* Steps of the soak test that observe reads, and validate them. */
#include "soak.h"

enum { LEAVES = 64, CREATED = 64 };

/* A set of observations, and the keys that were visited. */
struct observing {
    struct soak_worker *worker;
    masstree_observation_t leaves[LEAVES + CREATED];
    size_t count;
    size_t keys;
    uint64_t digest;
};

static int32_t add_leaf(const masstree_observation_t *leaf, void *ctx)
{
    struct observing *observing = ctx;
    if (observing->count == LEAVES) {
        return MASSTREE_VISIT_STOP;
    }
    EXPECT(observing->worker, leaf->leaf != 0 && leaf->leaf % 64 == 0);
    observing->leaves[observing->count++] = *leaf;
    return MASSTREE_VISIT_CONTINUE;
}

static void digest_key(struct observing *observing, const void *key, size_t len)
{
    uint64_t hash = len;
    for (size_t i = 0; i < len; i++) {
        hash = (hash ^ ((const unsigned char *)key)[i]) * UINT64_C(0x100000001B3);
    }
    observing->digest = observing->digest * 31 + hash;
    observing->keys++;
}

static int32_t add_key(const void *key, size_t key_len, uint64_t value, void *ctx)
{
    (void)value;
    digest_key(ctx, key, key_len);
    return MASSTREE_VISIT_CONTINUE;
}

static int32_t add_bytes(const void *key, size_t key_len, const void *value, size_t value_len,
                         void *ctx)
{
    (void)value;
    return add_key(key, key_len, value_len, ctx);
}

static void scan(struct observing *observing, const masstree_range_t *range)
{
    struct soak_worker *worker = observing->worker;
    masstree_t *tree = worker->soak->tree;
    masstree_guard_t *guard = soak_guard(worker);
    EXPECT(worker, (worker->soak->holds_bytes
                        ? masstree_scan_bytes_observed(tree, guard, range, add_leaf, add_bytes,
                                                       observing, NULL)
                        : masstree_scan_observed(tree, guard, range, add_leaf, add_key, observing,
                                                 NULL)) == MASSTREE_OK);
    EXPECT(worker, observing->count > 0);
}

static bool has_held(const struct observing *observing)
{
    struct soak_worker *worker = observing->worker;
    size_t changed = SIZE_MAX;
    int32_t status = masstree_validate(worker->soak->tree, observing->leaves, observing->count,
                                       &changed);
    EXPECT(worker, status == MASSTREE_OK || status == MASSTREE_MISMATCH);
    EXPECT(worker, status == MASSTREE_OK ? changed == SIZE_MAX : changed < observing->count);
    return status == MASSTREE_OK;
}

/* Reads a range twice. If the observations of the first read are valid, both results are equal. */
void soak_reread(struct soak_worker *worker)
{
    struct observing first = {.worker = worker};
    struct observing second = {.worker = worker};
    struct soak_key key = soak_key_of(worker->soak, soak_any(worker));
    masstree_range_t range = MASSTREE_RANGE_INIT;
    range.lower = range.upper = key.bytes;
    range.lower_len = range.upper_len = key.len;
    if (random_below(&worker->random, 2) == 0) {
        range.lower_bound = MASSTREE_BOUND_INCLUSIVE;
    } else {
        range.upper_bound = MASSTREE_BOUND_EXCLUSIVE;
    }
    range.limit = 1 + random_below(&worker->random, 60);
    range.flags = random_below(&worker->random, 2) == 0 ? 0 : MASSTREE_SCAN_REVERSE;
    scan(&first, &range);
    scan(&second, &range);
    bool is_same = first.digest == second.digest && first.keys == second.keys;
    /* The two need not stop at the same leaf. */
    bool is_whole = first.count < LEAVES && second.count < LEAVES;
    EXPECT(worker, !has_held(&first) || is_same || !is_whole);
}

static void add_step(struct observing *observing, masstree_cursor_t *cursor, int32_t status)
{
    struct soak_worker *worker = observing->worker;
    const masstree_observation_t *leaves = NULL;
    masstree_slice_t key = {NULL, 0};
    size_t count = 0;
    EXPECT(worker, status == MASSTREE_OK || status == MASSTREE_END);
    EXPECT(worker, masstree_cursor_observations(cursor, &leaves, &count) == MASSTREE_OK);
    EXPECT(worker, count > 0);
    for (size_t i = 0; i < count && observing->count < LEAVES; i++) {
        add_leaf(&leaves[i], observing);
    }
    if (status == MASSTREE_OK && masstree_cursor_key(cursor, &key) == MASSTREE_OK) {
        digest_key(observing, key.data, key.len);
    }
}

static void walk(struct observing *observing, struct soak_key from, bool reverse)
{
    struct soak_worker *worker = observing->worker;
    masstree_cursor_t *cursor = NULL;
    EXPECT(worker, masstree_cursor_open(worker->soak->tree, soak_guard(worker), &cursor) ==
                       MASSTREE_OK);
    EXPECT(worker, masstree_cursor_track(cursor) == MASSTREE_OK);
    add_step(observing, cursor,
             masstree_cursor_seek(cursor, from.bytes, from.len,
                                  reverse ? MASSTREE_SEEK_LT : MASSTREE_SEEK_GE));
    for (unsigned step = 0; step < 5; step++) {
        add_step(observing, cursor,
                 reverse ? masstree_cursor_prev(cursor) : masstree_cursor_next(cursor));
    }
    masstree_cursor_close(cursor);
}

/* Reads twice with a cursor, step by step. */
void soak_rewalk(struct soak_worker *worker)
{
    struct observing first = {.worker = worker};
    struct observing second = {.worker = worker};
    struct soak_key from = soak_key_of(worker->soak, soak_any(worker));
    bool reverse = random_below(&worker->random, 2) == 0;
    walk(&first, from, reverse);
    walk(&second, from, reverse);
    EXPECT(worker, !has_held(&first) || first.count == LEAVES ||
                       (first.digest == second.digest && first.keys == second.keys));
}

/* Looks a key up, by the form for integers every other time. */
static int32_t look(struct observing *observing, struct soak_key key)
{
    struct soak_worker *worker = observing->worker;
    masstree_t *tree = worker->soak->tree;
    masstree_observation_t leaf = {0, 0, 0};
    uint64_t integer = 0;
    int32_t status;
    if (worker->soak->holds_bytes) {
        status = masstree_get_bytes_observed(tree, worker->guard, key.bytes, key.len, NULL, &leaf);
    } else if (random_below(&worker->random, 2) == 0 &&
               masstree_u64_from_key(key.bytes, key.len, &integer) == MASSTREE_OK) {
        status = masstree_get_u64_observed(tree, worker->guard, integer, NULL, &leaf);
    } else {
        status = masstree_get_observed(tree, worker->guard, key.bytes, key.len, NULL, &leaf);
    }
    EXPECT(worker, status == MASSTREE_OK || status == MASSTREE_NOT_FOUND);
    add_leaf(&leaf, observing);
    masstree_observation_t again = {0, 0, 0};
    size_t size = 0;
    EXPECT(worker, masstree_leaf_size(tree, worker->guard, key.bytes, key.len, &size, &again) ==
                       MASSTREE_OK);
    EXPECT(worker, size <= 15 && size >= (status == MASSTREE_OK && again.leaf == leaf.leaf &&
                                          again.version == leaf.version));
    return status;
}

static void write(struct soak_worker *worker, uint32_t number, struct soak_key key)
{
    unsigned char buffer[SOAK_VALUE_MAX];
    uint64_t fresh = soak_fresh(worker, number);
    masstree_slice_t bytes = soak_encode(fresh, buffer);
    masstree_t *tree = worker->soak->tree;
    EXPECT(worker, (worker->soak->holds_bytes
                        ? masstree_put_bytes(tree, worker->guard, key.bytes, key.len, bytes.data,
                                             bytes.len)
                        : masstree_put(tree, worker->guard, key.bytes, key.len, fresh)) ==
                       MASSTREE_OK);
    soak_accepted(worker, fresh);
    soak_set(worker, number, fresh);
}

/* Reads a key of the worker's own, writes it, and validates. If only the worker's own write
   changed the leaf, its version is the one after that write. */
void soak_transact(struct soak_worker *worker)
{
    struct observing observing = {.worker = worker};
    masstree_observation_t created[CREATED];
    masstree_delta_t delta = MASSTREE_DELTA_INIT;
    uint32_t number = soak_writable(worker);
    struct soak_key key = soak_key_of(worker->soak, number);
    uint64_t version = 0;
    delta.created = created;
    delta.created_capacity = CREATED;
    int32_t status = look(&observing, key);
    EXPECT(worker, masstree_guard_record(worker->guard, &delta) == MASSTREE_OK);
    write(worker, number, key);
    EXPECT(worker, masstree_guard_record(worker->guard, NULL) == MASSTREE_OK);
    EXPECT(worker, delta.flags == 0 && delta.created_count <= CREATED);
    bool is_first = delta.before.version == observing.leaves[0].version &&
                    delta.before.leaf == observing.leaves[0].leaf &&
                    delta.before.incarnation == observing.leaves[0].incarnation;
    bool adds = delta.before.version != delta.after.version;
    EXPECT(worker, !is_first || adds == (status == MASSTREE_NOT_FOUND));
    int32_t applied = masstree_delta_apply(&delta, observing.leaves, &observing.count,
                                           COUNT(observing.leaves));
    EXPECT(worker, applied == MASSTREE_OK || (applied == MASSTREE_MISMATCH && !is_first));
    bool is_own = observing.leaves[0].version == delta.after.version &&
                  observing.leaves[0].leaf == delta.after.leaf;
    EXPECT(worker, masstree_leaf_version(worker->soak->tree, delta.after.leaf, &version) ==
                       MASSTREE_OK);
    bool held = has_held(&observing);
    EXPECT(worker, !held || !is_own || version == delta.after.version);
}
