/* Steps of the soak test over ranges: scans, counts and cursors. */
#include "soak.h"

/* The state of a walk. */
struct passing {
    struct soak_worker *worker;
    masstree_range_t range;
    bool reverse;
    struct soak_key last;
    size_t met;
    size_t stable;
    size_t stop_after;
};

static bool has_keys(const struct passing *passing)
{
    return (passing->range.flags & MASSTREE_SCAN_VALUES_ONLY) == 0;
}

static bool has_values(const struct passing *passing)
{
    return (passing->range.flags & MASSTREE_SCAN_KEYS_ONLY) == 0;
}

static bool is_within(const masstree_range_t *range, const void *key, size_t len)
{
    int low = compare_keys(key, len, range->lower, range->lower_len);
    int high = compare_keys(key, len, range->upper, range->upper_len);
    return (range->lower_bound == MASSTREE_BOUND_OPEN || low > 0 ||
            (low == 0 && range->lower_bound == MASSTREE_BOUND_INCLUSIVE)) &&
           (range->upper_bound == MASSTREE_BOUND_OPEN || high < 0 ||
            (high == 0 && range->upper_bound == MASSTREE_BOUND_INCLUSIVE)) &&
           len >= range->prefix_len &&
           (range->prefix_len == 0 || memcmp(key, range->prefix, range->prefix_len) == 0);
}

static void meet_key(struct passing *passing, const void *key, size_t len)
{
    struct soak_worker *worker = passing->worker;
    if (!EXPECT(worker, len <= SOAK_KEY_MAX)) {
        return;
    }
    if (passing->met > 0) {
        int order = compare_keys(passing->last.bytes, passing->last.len, key, len);
        EXPECT(worker, passing->reverse ? order > 0 : order < 0);
    }
    EXPECT(worker, is_within(&passing->range, key, len));
    memcpy(passing->last.bytes, key, len);
    passing->last.len = len;
}

/* A value identifies its key. */
static void meet_value(struct passing *passing, uint64_t value)
{
    struct soak_worker *worker = passing->worker;
    uint32_t number = soak_number(value);
    if (!EXPECT(worker, number < worker->soak->keys)) {
        return;
    }
    if (has_keys(passing)) {
        struct soak_key key = soak_key_of(worker->soak, number);
        EXPECT(worker, compare_keys(key.bytes, key.len, passing->last.bytes,
                                    passing->last.len) == 0);
    }
    soak_saw(worker, number, value);
    passing->stable += soak_kind_of(number) == SOAK_STABLE ? 1 : 0;
}

static int32_t visit(const void *key, size_t key_len, uint64_t value, void *ctx)
{
    struct passing *passing = ctx;
    if (has_keys(passing)) {
        meet_key(passing, key, key_len);
    }
    if (has_values(passing)) {
        meet_value(passing, value);
    }
    passing->met++;
    return passing->met == passing->stop_after ? MASSTREE_VISIT_STOP : MASSTREE_VISIT_CONTINUE;
}

static int32_t visit_bytes(const void *key, size_t key_len, const void *value, size_t value_len,
                           void *ctx)
{
    struct passing *passing = ctx;
    uint64_t word = has_values(passing) ? soak_decode(passing->worker, value, value_len) : 0;
    return visit(key, key_len, word, ctx);
}

/* A random range, with bounds on two keys, existing or not. */
static masstree_range_t choose_range(struct soak_worker *worker, struct soak_key bounds[2])
{
    uint64_t *random = &worker->random;
    masstree_range_t range = MASSTREE_RANGE_INIT;
    bounds[0] = soak_key_of(worker->soak, soak_any(worker));
    bounds[1] = soak_key_of(worker->soak, soak_any(worker));
    unsigned low = compare_keys(bounds[0].bytes, bounds[0].len, bounds[1].bytes,
                                bounds[1].len) < 0 ? 0 : 1;
    if (random_below(random, 4) == 0) {
        range.prefix = bounds[0].bytes;
        range.prefix_len = random_below(random, bounds[0].len + 1);
    } else {
        range.lower = bounds[low].bytes;
        range.lower_len = bounds[low].len;
        range.lower_bound = (uint32_t)random_below(random, 3);
        range.upper = bounds[1 - low].bytes;
        range.upper_len = bounds[1 - low].len;
        range.upper_bound = (uint32_t)random_below(random, 3);
    }
    range.flags = random_below(random, 2) == 0 ? MASSTREE_SCAN_REVERSE : 0;
    switch (random_below(random, 8)) {
    case 0:
        range.flags |= MASSTREE_SCAN_KEYS_ONLY;
        break;
    case 1:
        range.flags |= MASSTREE_SCAN_VALUES_ONLY;
        break;
    default:
        break;
    }
    return range;
}

static int32_t scan(struct passing *passing, size_t *visited)
{
    struct soak_worker *worker = passing->worker;
    masstree_guard_t *guard = soak_guard(worker);
    passing->reverse = (passing->range.flags & MASSTREE_SCAN_REVERSE) != 0;
    return worker->soak->holds_bytes
               ? masstree_scan_bytes(worker->soak->tree, guard, &passing->range, visit_bytes,
                                     passing, visited)
               : masstree_scan(worker->soak->tree, guard, &passing->range, visit, passing,
                               visited);
}

/* Part of the tree; or, rarely, all of it, where every stable key must be visited. */
void soak_scan(struct soak_worker *worker)
{
    struct soak_key bounds[2];
    struct passing passing = {.worker = worker, .range = MASSTREE_RANGE_INIT};
    size_t visited = SIZE_MAX;
    if (random_below(&worker->random, 64) == 0) {
        passing.range.flags = random_below(&worker->random, 2) == 0 ? MASSTREE_SCAN_REVERSE : 0;
        EXPECT(worker, scan(&passing, &visited) == MASSTREE_OK);
        EXPECT(worker,
               worker->soak->wild || passing.stable == worker->soak->keys / (SOAK_THREADS + 2));
    } else {
        passing.range = choose_range(worker, bounds);
        passing.range.limit = 1 + random_below(&worker->random, 100);
        passing.stop_after = 1 + random_below(&worker->random, 200);
        EXPECT(worker, scan(&passing, &visited) == MASSTREE_OK);
        EXPECT(worker, passing.met <= passing.range.limit && passing.met <= passing.stop_after);
    }
    EXPECT(worker, visited == passing.met);
}

void soak_count(struct soak_worker *worker)
{
    struct soak_key bounds[2];
    size_t count = SIZE_MAX;
    if (random_below(&worker->random, 16) != 0) {
        return;
    }
    masstree_range_t range = choose_range(worker, bounds);
    range.flags &= MASSTREE_SCAN_REVERSE;
    EXPECT(worker, masstree_count(worker->soak->tree, soak_guard(worker), &range, &count) ==
                       MASSTREE_OK);
    EXPECT(worker, count <= worker->soak->keys);
}

/* The longest prefix of a key, or of a longer one, is a key: of what its value names. */
void soak_longest_prefix(struct soak_worker *worker)
{
    const struct soak *soak = worker->soak;
    uint32_t number = soak_any(worker);
    struct soak_key key = soak_key_of(soak, number);
    size_t longer = random_below(&worker->random, 3);
    memset(key.bytes + key.len, '0', longer);
    masstree_slice_t slice = {NULL, 0};
    uint64_t value = 0;
    size_t len = 0;
    int32_t status = soak->holds_bytes
                         ? masstree_longest_prefix_bytes(soak->tree, worker->guard, key.bytes,
                                                         key.len + longer, &len, &slice)
                         : masstree_longest_prefix(soak->tree, soak_guard(worker), key.bytes,
                                                   key.len + longer, &len, &value);
    if (status != MASSTREE_OK) {
        EXPECT(worker, status == MASSTREE_NOT_FOUND);
        EXPECT(worker, soak_kind_of(number) != SOAK_STABLE || soak->wild);
        return;
    }
    value = slice.data == NULL ? value : soak_decode(worker, slice.data, slice.len);
    uint32_t found = soak_number(value);
    EXPECT(worker, len <= key.len + longer);
    EXPECT(worker, soak_kind_of(number) != SOAK_STABLE || soak->wild || len >= key.len);
    if (EXPECT(worker, found < soak->keys)) {
        struct soak_key prefix = soak_key_of(soak, found);
        EXPECT(worker, compare_keys(prefix.bytes, prefix.len, key.bytes, len) == 0);
        soak_saw(worker, found, value);
    }
}

/* A key that was drawn is the one that its value names. */
static int32_t meet_drawn(const void *key, size_t key_len, uint64_t value, void *ctx)
{
    struct soak_worker *worker = ctx;
    uint32_t number = soak_number(value);
    if (EXPECT(worker, number < worker->soak->keys)) {
        struct soak_key named = soak_key_of(worker->soak, number);
        EXPECT(worker, compare_keys(named.bytes, named.len, key, key_len) == 0);
        soak_saw(worker, number, value);
    }
    return MASSTREE_VISIT_CONTINUE;
}

static int32_t meet_drawn_bytes(const void *key, size_t key_len, const void *value, size_t value_len,
                                void *ctx)
{
    return meet_drawn(key, key_len, soak_decode(ctx, value, value_len), ctx);
}

void soak_sample(struct soak_worker *worker)
{
    const struct soak *soak = worker->soak;
    size_t count = random_below(&worker->random, 20);
    size_t drawn = SIZE_MAX;
    int32_t status = soak->holds_bytes
                         ? masstree_sample_bytes(soak->tree, soak_guard(worker), &worker->random,
                                                 count, meet_drawn_bytes, worker, &drawn)
                         : masstree_sample(soak->tree, soak_guard(worker), &worker->random, count,
                                           meet_drawn, worker, &drawn);
    EXPECT(worker, status == MASSTREE_OK && drawn <= count);
}

enum { WALK_MANY = 16 };

/* A cursor's key, and its value, if the key still exists. */
static void meet_at_cursor(struct passing *passing, masstree_cursor_t *cursor)
{
    struct soak_worker *worker = passing->worker;
    masstree_slice_t key = {NULL, 0};
    masstree_slice_t slice = {NULL, 0};
    uint64_t value = 0;
    EXPECT(worker, masstree_cursor_key(cursor, &key) == MASSTREE_OK);
    meet_key(passing, key.data, key.len);
    int32_t status = worker->soak->holds_bytes ? masstree_cursor_value_bytes(cursor, &slice)
                                               : masstree_cursor_value(cursor, &value);
    EXPECT(worker, status == MASSTREE_OK);
    meet_value(passing, slice.data == NULL ? value
                                           : soak_decode(worker, slice.data, slice.len));
    passing->met++;
}

static bool step(struct passing *passing, masstree_cursor_t *cursor)
{
    int32_t status = passing->reverse ? masstree_cursor_prev(cursor)
                                      : masstree_cursor_next(cursor);
    EXPECT(passing->worker, status == MASSTREE_OK || status == MASSTREE_END);
    if (status == MASSTREE_OK) {
        meet_at_cursor(passing, cursor);
    }
    return status == MASSTREE_OK;
}

static bool step_many(struct passing *passing, masstree_cursor_t *cursor)
{
    struct soak_worker *worker = passing->worker;
    masstree_slice_t keys[WALK_MANY];
    masstree_slice_t slices[WALK_MANY];
    uint64_t values[WALK_MANY];
    size_t count = 0;
    int32_t status;
    if (worker->soak->holds_bytes) {
        status = passing->reverse
                     ? masstree_cursor_prev_many_bytes(cursor, keys, slices, WALK_MANY, &count)
                     : masstree_cursor_next_many_bytes(cursor, keys, slices, WALK_MANY, &count);
    } else {
        status = passing->reverse
                     ? masstree_cursor_prev_many(cursor, keys, values, WALK_MANY, &count)
                     : masstree_cursor_next_many(cursor, keys, values, WALK_MANY, &count);
    }
    EXPECT(worker, status == MASSTREE_OK || status == MASSTREE_END);
    count = status == MASSTREE_OK ? count : 0;
    for (size_t i = 0; i < count; i++) {
        meet_key(passing, keys[i].data, keys[i].len);
        meet_value(passing, worker->soak->holds_bytes
                                ? soak_decode(worker, slices[i].data, slices[i].len)
                                : values[i]);
        passing->met++;
    }
    return count == WALK_MANY;
}

static int32_t go_somewhere(struct soak_worker *worker, masstree_cursor_t *cursor)
{
    struct soak_key key = soak_key_of(worker->soak, soak_any(worker));
    uint32_t how = (uint32_t)random_below(&worker->random, 4);
    uint64_t integer = 0;
    switch (random_below(&worker->random, 8)) {
    case 0:
        return masstree_cursor_first(cursor);
    case 1:
        return masstree_cursor_last(cursor);
    default:
        if (masstree_u64_from_key(key.bytes, key.len, &integer) == MASSTREE_OK) {
            return masstree_cursor_seek_u64(cursor, integer, how);
        }
        return masstree_cursor_seek(cursor, key.bytes, key.len, how);
    }
}

/* Seeks a position and steps from there, in both directions. */
void soak_walk(struct soak_worker *worker)
{
    _Alignas(16) unsigned char memory[4096];
    masstree_cursor_t *cursor = NULL;
    masstree_guard_t *guard = random_below(&worker->random, 2) == 0 ? NULL : worker->guard;
    EXPECT(worker, masstree_cursor_size() <= sizeof memory);
    int32_t opened =
        random_below(&worker->random, 2) == 0
            ? masstree_cursor_open(worker->soak->tree, guard, &cursor)
            : masstree_cursor_open_in(worker->soak->tree, guard, memory, sizeof memory, &cursor);
    EXPECT(worker, opened == MASSTREE_OK);
    int32_t status = go_somewhere(worker, cursor);
    EXPECT(worker, status == MASSTREE_OK || status == MASSTREE_END);
    for (unsigned turn = 0; turn < 4; turn++) {
        struct passing passing = {.worker = worker,
                                  .range = MASSTREE_RANGE_INIT,
                                  .reverse = random_below(&worker->random, 2) == 0};
        bool goes_on = true;
        for (size_t steps = random_below(&worker->random, 20); goes_on && steps > 0; steps--) {
            goes_on = random_below(&worker->random, 4) == 0 ? step_many(&passing, cursor)
                                                            : step(&passing, cursor);
        }
        if (random_below(&worker->random, 4) == 0) {
            /* Nothing, for a cursor without a guard of its own. */
            masstree_cursor_refresh(cursor);
        }
    }
    masstree_cursor_close(cursor);
}
