/* Steps of the soak test on guards, on memory, and on the whole tree. */
#include "soak.h"

void soak_refresh(struct soak_worker *worker)
{
    masstree_guard_refresh(worker->guard);
}

void soak_leave_passed_on(struct soak *soak)
{
    masstree_guard_leave(atomic_exchange(&soak->passed_on, NULL));
}

/* Enters several guards, keeps one, and swaps it with the guard that another thread passed on
   before. */
void soak_move_guard(struct soak_worker *worker)
{
    masstree_guard_t *others[3] = {NULL, NULL, NULL};
    if (random_below(&worker->random, 8) != 0) {
        return;
    }
    for (size_t i = 0; i < COUNT(others); i++) {
        EXPECT(worker, masstree_guard_enter(worker->soak->tree, &others[i]) == MASSTREE_OK);
    }
    masstree_guard_t *moved = atomic_exchange(&worker->soak->passed_on, worker->guard);
    worker->guard = moved != NULL ? moved : others[1];
    masstree_guard_leave(others[0]);
    masstree_guard_leave(moved != NULL ? others[1] : NULL);
    masstree_guard_leave(others[2]);
    masstree_guard_refresh(worker->guard);
}

static void free_retired(void *object, size_t bytes, void *ctx)
{
    struct soak *soak = ctx;
    memset(object, 0xDD, bytes);
    free(object);
    atomic_fetch_add(&soak->retired_freed, 1);
}

void soak_retire(struct soak_worker *worker)
{
    size_t bytes = 1 + random_below(&worker->random, 500);
    void *object = malloc(bytes);
    if (!EXPECT(worker, object != NULL)) {
        return;
    }
    EXPECT(worker, masstree_retire(worker->soak->tree, soak_guard(worker), object, bytes,
                                   free_retired, worker->soak) == MASSTREE_OK);
    worker->retired++;
}

void soak_flush(struct soak_worker *worker)
{
    EXPECT(worker, masstree_flush(worker->soak->tree, soak_guard(worker)) == MASSTREE_OK);
}

void soak_maintain(struct soak_worker *worker)
{
    size_t merged = SIZE_MAX;
    size_t limit = random_below(&worker->random, 64);
    masstree_guard_t *guard = soak_guard(worker);
    uint32_t fill = (uint32_t)random_below(&worker->random, 16);
    int32_t status = random_below(&worker->random, 2) == 0
                         ? masstree_maintain(worker->soak->tree, guard, limit, &merged)
                         : masstree_compact(worker->soak->tree, guard, fill, limit, &merged);
    EXPECT(worker, status == MASSTREE_OK || status == MASSTREE_END);
    EXPECT(worker, merged != SIZE_MAX);
}

/* A thread that waits holds nothing; a thread that ends removes a guard passed on. */
void soak_barrier(struct soak_worker *worker)
{
    if (worker->soak->long_guard || random_below(&worker->random, 64) != 0) {
        return;
    }
    masstree_guard_leave(worker->guard);
    soak_leave_passed_on(worker->soak);
    EXPECT(worker, masstree_barrier(worker->soak->tree) == MASSTREE_OK);
    worker->guard = NULL;
    EXPECT(worker, masstree_guard_enter(worker->soak->tree, &worker->guard) == MASSTREE_OK);
}

static void count_text(const char *text, size_t len, void *ctx)
{
    size_t *sum = ctx;
    *sum += text == NULL ? 0 : len;
}

struct pivots {
    struct soak_worker *worker;
    struct soak_key last;
    size_t next;
};

static int32_t meet_pivot(const void *key, size_t key_len, size_t index, void *ctx)
{
    struct pivots *pivots = ctx;
    EXPECT(pivots->worker, index == pivots->next);
    EXPECT(pivots->worker, index == 0 || compare_keys(pivots->last.bytes, pivots->last.len, key,
                                                       key_len) < 0);
    if (EXPECT(pivots->worker, key_len <= SOAK_KEY_MAX)) {
        memcpy(pivots->last.bytes, key, key_len);
        pivots->last.len = key_len;
    }
    pivots->next++;
    return MASSTREE_VISIT_CONTINUE;
}

uint64_t soak_watch(struct soak *soak)
{
    masstree_stats_t stats = MASSTREE_STATS_INIT;
    if (masstree_stats(soak->tree, NULL, &stats) != MASSTREE_OK) {
        soak_violation(soak, __FILE__, __LINE__, "statistics");
        return 0;
    }
    uint_fast64_t peak = atomic_load(&soak->peak_limbo);
    while (peak < stats.limbo_bytes &&
           !atomic_compare_exchange_weak(&soak->peak_limbo, &peak, stats.limbo_bytes)) {
    }
    return stats.node_bytes + stats.suffix_bytes + stats.value_bytes;
}

/* Of everything above a key. */
static void estimate(struct soak_worker *worker, masstree_guard_t *guard)
{
    masstree_estimate_t estimate = MASSTREE_ESTIMATE_INIT;
    masstree_range_t range = MASSTREE_RANGE_INIT;
    struct soak_key key = soak_key_of(worker->soak, soak_any(worker));
    range.lower_bound = MASSTREE_BOUND_EXCLUSIVE;
    range.lower = key.bytes;
    range.lower_len = key.len;
    estimate.most_nodes = 1 + random_below(&worker->random, 200);
    EXPECT(worker, masstree_estimate(worker->soak->tree, guard, &range, &estimate) == MASSTREE_OK);
    EXPECT(worker, estimate.nodes >= 1 && estimate.bytes >= estimate.keys);
}

void soak_inspect(struct soak_worker *worker)
{
    masstree_t *tree = worker->soak->tree;
    masstree_guard_t *guard = soak_guard(worker);
    masstree_stats_t stats = MASSTREE_STATS_INIT;
    struct pivots pivots = {.worker = worker};
    uint64_t len = UINT64_MAX;
    size_t sum = 0;
    switch (random_below(&worker->random, 64)) {
    case 0:
        stats.flags = MASSTREE_STATS_NODES;
        EXPECT(worker, masstree_stats(tree, guard, &stats) == MASSTREE_OK);
        EXPECT(worker, stats.leaves >= 1 && stats.layers >= 1);
        break;
    case 1:
        EXPECT(worker, masstree_stats_json(tree, guard, 0, count_text, &sum) == MASSTREE_OK);
        EXPECT(worker, sum > 0);
        break;
    case 2:
        EXPECT(worker, masstree_pivots(tree, guard, 7, meet_pivot, &pivots, &sum) ==
                           MASSTREE_OK);
        EXPECT(worker, sum == pivots.next && sum <= 7);
        break;
    case 3:
        if (worker->soak->keys <= 1000) {
            uint32_t format = (uint32_t)random_below(&worker->random, 2);
            EXPECT(worker, masstree_dump(tree, guard, format, count_text, &sum) == MASSTREE_OK);
            EXPECT(worker, sum > 0);
        }
        break;
    case 6:
        estimate(worker, guard);
        break;
    case 4:
    case 5:
        soak_watch(worker->soak);
        break;
    default:
        EXPECT(worker, masstree_len(tree, &len) == MASSTREE_OK);
    }
}

struct loading {
    struct soak_key key;
    uint64_t value;
};

static int compare_loading(const void *left, const void *right)
{
    const struct loading *one = left;
    const struct loading *other = right;
    return compare_keys(one->key.bytes, one->key.len, other->key.bytes, other->key.len);
}

/* Fills the tree by two loaders, and has the library destroy the values that it does not load. */
static int32_t load_by_loaders(struct soak_worker *worker, const masstree_slice_t *keys,
                               const uint64_t *integers, const uint64_t *values,
                               const masstree_slice_t *bytes, size_t count)
{
    masstree_t *tree = worker->soak->tree;
    masstree_loader_t *loaders[2] = {NULL, NULL};
    size_t cut = random_below(&worker->random, count);
    for (size_t i = 0; i < 2; i++) {
        size_t first = i == 0 ? 0 : cut;
        size_t part = i == 0 ? cut : count - cut;
        size_t added = SIZE_MAX;
        int32_t status;
        REQUIRE(masstree_loader_open(tree, &loaders[i]) == MASSTREE_OK);
        if (bytes != NULL) {
            status = masstree_loader_add_many_bytes(loaders[i], keys + first, bytes + first, part,
                                                    &added);
        } else if (integers != NULL) {
            status = masstree_loader_add_many_u64(loaders[i], integers + first, sizeof *integers,
                                                  values + first, part, &added);
        } else {
            status = masstree_loader_add_many(loaders[i], keys + first, values + first, part,
                                              &added);
        }
        EXPECT(worker, status == MASSTREE_OK && added == part);
    }
    int32_t status = masstree_loader_finish(tree, soak_guard(worker), loaders, 2, NULL);
    masstree_loader_close(loaders[0]);
    masstree_loader_close(loaders[1]);
    return status;
}

/* Loads its own keys in order; returns whether the tree was empty. */
static bool load(struct soak_worker *worker, struct loading *loading, size_t count)
{
    struct soak *soak = worker->soak;
    masstree_slice_t *keys = calloc(count, sizeof *keys);
    masstree_slice_t *bytes = calloc(count, sizeof *bytes);
    uint64_t *integers = calloc(count, sizeof *integers);
    uint64_t *values = calloc(count, sizeof *values);
    unsigned char(*buffers)[SOAK_VALUE_MAX] = calloc(count, sizeof *buffers);
    REQUIRE(keys != NULL && bytes != NULL && integers != NULL && values != NULL &&
            buffers != NULL);
    bool as_integers = true;
    int32_t status;
    qsort(loading, count, sizeof *loading, compare_loading);
    for (size_t i = 0; i < count; i++) {
        struct soak_key *key = &loading[i].key;
        keys[i] = (masstree_slice_t){key->bytes, key->len};
        values[i] = loading[i].value;
        bytes[i] = soak_encode(values[i], buffers[i]);
        as_integers = as_integers && masstree_u64_from_key(key->bytes, key->len, &integers[i]) ==
                                         MASSTREE_OK;
    }
    bool by_loaders = random_below(&worker->random, 2) == 0;
    if (by_loaders) {
        status = load_by_loaders(worker, keys, as_integers ? integers : NULL, values,
                                 soak->holds_bytes ? bytes : NULL, count);
    } else if (soak->holds_bytes) {
        status = masstree_bulk_load_bytes(soak->tree, NULL, keys, bytes, count, NULL);
    } else if (as_integers) {
        status = masstree_bulk_load_u64(soak->tree, NULL, integers, sizeof *integers, values,
                                        count, NULL);
    } else {
        status = masstree_bulk_load(soak->tree, NULL, keys, values, count, NULL);
    }
    EXPECT(worker, status == MASSTREE_OK || status == MASSTREE_EXISTS);
    /* Loaders own their values. */
    for (size_t i = 0; (status == MASSTREE_OK || by_loaders) && i < count; i++) {
        soak_accepted(worker, values[i]);
    }
    free(keys);
    free(bytes);
    free(integers);
    free(values);
    free(buffers);
    return status == MASSTREE_OK;
}

enum { LOADED = 200 };

/* While other threads use the tree, now and then, where nothing is known about its keys anyway. */
void soak_clear_or_load(struct soak_worker *worker)
{
    struct soak *soak = worker->soak;
    if (!soak->wild || random_below(&worker->random, 128) != 0) {
        return;
    }
    EXPECT(worker, masstree_clear(soak->tree, soak_guard(worker)) == MASSTREE_OK);
    struct loading *loading = calloc(LOADED, sizeof *loading);
    REQUIRE(loading != NULL);
    uint32_t first = (uint32_t)random_below(&worker->random, soak->keys - LOADED);
    for (uint32_t i = 0; i < LOADED; i++) {
        loading[i].key = soak_key_of(soak, first + i);
        loading[i].value = soak_fresh(worker, first + i);
    }
    load(worker, loading, LOADED);
    free(loading);
}

void soak_fill(struct soak_worker *only)
{
    struct soak *soak = only->soak;
    size_t count = 0;
    struct loading *loading = calloc(soak->keys, sizeof *loading);
    REQUIRE(loading != NULL);
    for (uint32_t number = 0; number < soak->keys; number++) {
        if (soak_kind_of(number) == SOAK_STABLE) {
            loading[count++] = (struct loading){soak_key_of(soak, number),
                                                soak_value(number, 0, 0)};
        }
    }
    EXPECT(only, load(only, loading, count));
    free(loading);
}

struct counting {
    struct soak_worker *only;
    uint64_t met;
    uint64_t known; /* of the owned ones */
};

static int32_t count_known(const void *key, size_t key_len, uint64_t value, void *ctx)
{
    struct counting *counting = ctx;
    uint32_t number = soak_number(value);
    struct soak_key known = soak_key_of(counting->only->soak, number);
    EXPECT(counting->only, number < counting->only->soak->keys);
    EXPECT(counting->only, compare_keys(known.bytes, known.len, key, key_len) == 0);
    counting->met++;
    if (!counting->only->soak->wild && soak_kind_of(number) == SOAK_OWNED) {
        counting->known++;
        EXPECT(counting->only, counting->only->soak->held[number] == value);
    }
    return MASSTREE_VISIT_CONTINUE;
}

static int32_t count_known_bytes(const void *key, size_t key_len, const void *value,
                                 size_t value_len, void *ctx)
{
    struct counting *counting = ctx;
    return count_known(key, key_len, soak_decode(counting->only, value, value_len), ctx);
}

static void print_text(const char *text, size_t len, void *ctx)
{
    (void)ctx;
    fwrite(text, 1, len, stderr);
}

/* No other thread runs: the tree is valid, and contains what it must. */
void soak_verify_quiet(struct soak_worker *only)
{
    struct soak *soak = only->soak;
    struct counting counting = {.only = only};
    uint64_t len = UINT64_MAX;
    uint64_t held = 0;
    EXPECT(only, masstree_barrier(soak->tree) == MASSTREE_OK);
    EXPECT(only, masstree_check(soak->tree, NULL, print_text, NULL) == MASSTREE_OK);
    int32_t status = soak->holds_bytes
                         ? masstree_scan_bytes(soak->tree, NULL, NULL, count_known_bytes,
                                               &counting, NULL)
                         : masstree_scan(soak->tree, NULL, NULL, count_known, &counting, NULL);
    EXPECT(only, status == MASSTREE_OK);
    EXPECT(only, masstree_len(soak->tree, &len) == MASSTREE_OK);
    EXPECT(only, len == counting.met);
    for (uint32_t number = 0; number < soak->keys; number++) {
        held += soak->held[number] != 0 ? 1 : 0;
    }
    EXPECT(only, soak->wild || held == counting.known);
}
