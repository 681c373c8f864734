/* Steps of the soak test on one key, in all their forms. */
#include "soak.h"

/* A step on a key: the key, the function, and the result. */
struct point {
    struct soak_worker *worker;
    masstree_t *tree;
    masstree_guard_t *guard;
    uint32_t number;
    struct soak_key key;
    bool as_integer; /* by the form for integers */
    bool holds_bytes;
    uint64_t integer;
    uint64_t fresh;
    masstree_slice_t bytes; /* of the fresh value */
    unsigned char buffer[SOAK_VALUE_MAX];
};

/* Outputs that are byte strings need the guard. */
static void aim(struct point *point, struct soak_worker *worker, uint32_t number)
{
    point->worker = worker;
    point->tree = worker->soak->tree;
    point->holds_bytes = worker->soak->holds_bytes;
    point->guard = point->holds_bytes ? worker->guard : soak_guard(worker);
    point->number = number;
    point->key = soak_key_of(worker->soak, number);
    point->as_integer =
        !point->holds_bytes && random_below(&worker->random, 2) == 0 &&
        masstree_u64_from_key(point->key.bytes, point->key.len, &point->integer) == MASSTREE_OK;
    point->fresh = soak_fresh(worker, number);
    point->bytes = soak_encode(point->fresh, point->buffer);
}

static uint64_t decoded(const struct point *point, masstree_slice_t slice)
{
    return slice.data == NULL ? 0 : soak_decode(point->worker, slice.data, slice.len);
}

/* The step removed `old` and stored `fresh` in its place; 0: nothing. */
static void changed(const struct point *point, uint64_t old, uint64_t fresh)
{
    if (fresh != 0) {
        soak_accepted(point->worker, fresh);
    }
    if (old != 0) {
        soak_taken(point->worker, old);
    }
    soak_set(point->worker, point->number, fresh);
}

#define TREE_KEY(point) (point).tree, (point).guard, (point).key.bytes, (point).key.len
#define TREE_INTEGER(point) (point).tree, (point).guard, (point).integer

static int32_t look_at_bytes(struct point *point, uint64_t *value)
{
    unsigned char copy[SOAK_VALUE_MAX];
    masstree_slice_t slice = {NULL, 0};
    size_t len = 0;
    int32_t status;
    if (random_below(&point->worker->random, 2) == 0) {
        status = masstree_get_bytes(TREE_KEY(*point), &slice);
        *value = decoded(point, slice);
    } else {
        status = masstree_copy_bytes(TREE_KEY(*point), copy, sizeof copy, &len);
        *value = status == MASSTREE_OK ? soak_decode(point->worker, copy, len) : 0;
    }
    return status;
}

void soak_look(struct soak_worker *worker)
{
    struct point point;
    uint64_t value = 0;
    int32_t status;
    aim(&point, worker, soak_any(worker));
    if (point.holds_bytes) {
        status = look_at_bytes(&point, &value);
    } else if (point.as_integer) {
        status = masstree_get_u64(TREE_INTEGER(point), &value);
    } else {
        status = masstree_get(TREE_KEY(point), &value);
    }
    EXPECT(worker, status == (value != 0 ? MASSTREE_OK : MASSTREE_NOT_FOUND));
    soak_saw(worker, point.number, value);
    if (soak_kind_of(point.number) == SOAK_STABLE && !worker->soak->wild) {
        EXPECT(worker, masstree_contains(TREE_KEY(point)) == MASSTREE_OK);
        EXPECT(worker, !point.as_integer ||
                           masstree_contains_u64(TREE_INTEGER(point)) == MASSTREE_OK);
    }
}

void soak_put(struct soak_worker *worker)
{
    struct point point;
    int32_t status;
    aim(&point, worker, soak_writable(worker));
    if (point.holds_bytes) {
        status = masstree_put_bytes(TREE_KEY(point), point.bytes.data, point.bytes.len);
    } else if (point.as_integer) {
        status = masstree_put_u64(TREE_INTEGER(point), point.fresh);
    } else {
        status = masstree_put(TREE_KEY(point), point.fresh);
    }
    EXPECT(worker, status == MASSTREE_OK);
    changed(&point, 0, point.fresh);
}

void soak_exchange(struct soak_worker *worker)
{
    struct point point;
    masstree_slice_t slice = {NULL, 0};
    uint64_t old = 0;
    int32_t status;
    aim(&point, worker, soak_writable(worker));
    if (point.holds_bytes) {
        status = masstree_exchange_bytes(TREE_KEY(point), point.bytes.data, point.bytes.len,
                                         &slice);
        old = decoded(&point, slice);
    } else if (point.as_integer) {
        status = masstree_exchange_u64(TREE_INTEGER(point), point.fresh, &old);
    } else {
        status = masstree_exchange(TREE_KEY(point), point.fresh, &old);
    }
    EXPECT(worker, status == (old != 0 ? MASSTREE_OK : MASSTREE_NOT_FOUND));
    soak_saw(worker, point.number, old);
    changed(&point, old, point.fresh);
}

void soak_insert(struct soak_worker *worker)
{
    struct point point;
    masstree_slice_t slice = {NULL, 0};
    uint64_t present = 0;
    int32_t status;
    aim(&point, worker, soak_writable(worker));
    if (point.holds_bytes) {
        status =
            masstree_insert_bytes(TREE_KEY(point), point.bytes.data, point.bytes.len, &slice);
        present = decoded(&point, slice);
    } else if (point.as_integer) {
        status = masstree_insert_u64(TREE_INTEGER(point), point.fresh, &present);
    } else {
        status = masstree_insert(TREE_KEY(point), point.fresh, &present);
    }
    EXPECT(worker, status == (present != 0 ? MASSTREE_EXISTS : MASSTREE_OK));
    soak_saw(worker, point.number, present);
    if (status == MASSTREE_OK) {
        changed(&point, 0, point.fresh);
    }
}

void soak_remove(struct soak_worker *worker)
{
    struct point point;
    masstree_slice_t slice = {NULL, 0};
    uint64_t old = 0;
    int32_t status;
    aim(&point, worker, soak_writable(worker));
    if (point.holds_bytes) {
        status = masstree_remove_bytes(TREE_KEY(point), &slice);
        old = decoded(&point, slice);
    } else if (point.as_integer) {
        status = masstree_remove_u64(TREE_INTEGER(point), &old);
    } else {
        status = masstree_remove(TREE_KEY(point), &old);
    }
    EXPECT(worker, status == (old != 0 ? MASSTREE_OK : MASSTREE_NOT_FOUND));
    soak_saw(worker, point.number, old);
    changed(&point, old, 0);
}

/* The range that contains one key. */
static masstree_range_t range_of_point(const struct point *point)
{
    masstree_range_t range = MASSTREE_RANGE_INIT;
    range.lower_bound = range.upper_bound = MASSTREE_BOUND_INCLUSIVE;
    range.lower = range.upper = point->key.bytes;
    range.lower_len = range.upper_len = point->key.len;
    return range;
}

void soak_pop(struct soak_worker *worker)
{
    struct point point;
    masstree_slice_t slice = {NULL, 0};
    unsigned char key[sizeof point.key.bytes];
    size_t len = 0;
    uint64_t old = 0;
    int32_t status;
    aim(&point, worker, soak_writable(worker));
    masstree_range_t range = range_of_point(&point);
    bool last = random_below(&worker->random, 2) == 0;
    if (point.holds_bytes) {
        status = (last ? masstree_pop_last_bytes : masstree_pop_first_bytes)(
            point.tree, point.guard, &range, key, sizeof key, &len, &slice);
        old = decoded(&point, slice);
    } else {
        status = (last ? masstree_pop_last : masstree_pop_first)(point.tree, point.guard, &range, key,
                                                                 sizeof key, &len, &old);
    }
    EXPECT(worker, status == (old != 0 ? MASSTREE_OK : MASSTREE_NOT_FOUND));
    EXPECT(worker, status != MASSTREE_OK ||
                       (len == point.key.len && memcmp(key, point.key.bytes, len) == 0));
    soak_saw(worker, point.number, old);
    changed(&point, old, 0);
}

void soak_replace(struct soak_worker *worker)
{
    struct point point;
    masstree_slice_t slice = {NULL, 0};
    uint64_t old = 0;
    int32_t status;
    aim(&point, worker, soak_writable(worker));
    if (point.holds_bytes) {
        status =
            masstree_replace_bytes(TREE_KEY(point), point.bytes.data, point.bytes.len, &slice);
        old = decoded(&point, slice);
    } else if (point.as_integer) {
        status = masstree_replace_u64(TREE_INTEGER(point), point.fresh, &old);
    } else {
        status = masstree_replace(TREE_KEY(point), point.fresh, &old);
    }
    EXPECT(worker, status == (old != 0 ? MASSTREE_OK : MASSTREE_NOT_FOUND));
    soak_saw(worker, point.number, old);
    if (status == MASSTREE_OK) {
        changed(&point, old, point.fresh);
    }
}

/* The value that a conditional step expects: the one that the worker knows, or a similar one. */
static uint64_t guess(struct point *point)
{
    uint64_t held = point->worker->soak->held[point->number];
    bool is_known = soak_kind_of(point->number) == SOAK_OWNED && held != 0;
    return is_known && random_below(&point->worker->random, 4) != 0 ? held
                                                                    : point->fresh + UINT32_MAX;
}

/* After a comparison with `expected`, which stored `fresh` if it was equal; 0: nothing. The tree
   destroys the displaced value. */
static void compared(const struct point *point, int32_t status, uint64_t actual, uint64_t expected,
                     uint64_t fresh)
{
    if (status == MASSTREE_OK) {
        EXPECT(point->worker, actual == 0);
        soak_saw(point->worker, point->number, expected);
        changed(point, 0, fresh);
    } else {
        EXPECT(point->worker, status == (actual == 0 ? MASSTREE_NOT_FOUND : MASSTREE_MISMATCH));
        EXPECT(point->worker, actual != expected);
        soak_saw(point->worker, point->number, actual);
    }
}

void soak_compare_exchange(struct soak_worker *worker)
{
    struct point point;
    masstree_slice_t slice = {NULL, 0};
    unsigned char buffer[SOAK_VALUE_MAX];
    uint64_t actual = 0;
    int32_t status;
    aim(&point, worker, soak_writable(worker));
    uint64_t expected = guess(&point);
    if (point.holds_bytes) {
        status = masstree_compare_exchange_bytes(TREE_KEY(point), soak_encode(expected, buffer),
                                                 point.bytes, &slice);
        actual = decoded(&point, slice);
    } else if (point.as_integer) {
        status = masstree_compare_exchange_u64(TREE_INTEGER(point), expected, point.fresh,
                                               &actual);
    } else {
        status = masstree_compare_exchange(TREE_KEY(point), expected, point.fresh, &actual);
    }
    compared(&point, status, actual, expected, point.fresh);
}

void soak_remove_if_equal(struct soak_worker *worker)
{
    struct point point;
    masstree_slice_t slice = {NULL, 0};
    unsigned char buffer[SOAK_VALUE_MAX];
    uint64_t actual = 0;
    int32_t status;
    aim(&point, worker, soak_writable(worker));
    uint64_t expected = guess(&point);
    if (point.holds_bytes) {
        status = masstree_remove_if_equal_bytes(TREE_KEY(point), soak_encode(expected, buffer),
                                                &slice);
        actual = decoded(&point, slice);
    } else if (point.as_integer) {
        status = masstree_remove_if_equal_u64(TREE_INTEGER(point), expected, &actual);
    } else {
        status = masstree_remove_if_equal(TREE_KEY(point), expected, &actual);
    }
    compared(&point, status, actual, expected, 0);
}

/* The arguments of a callback, and its result. */
struct deciding {
    int32_t answer;
    uint64_t fresh;
    uint64_t present;
    unsigned calls;
    const struct point *point;
};

static int32_t decide(const uint64_t *present, uint64_t *value, void *ctx)
{
    struct deciding *deciding = ctx;
    deciding->calls++;
    deciding->present = present == NULL ? 0 : *present;
    *value = deciding->fresh;
    return deciding->answer;
}

static int32_t decide_bytes(const masstree_slice_t *present, masstree_slice_t *value, void *ctx)
{
    struct deciding *deciding = ctx;
    deciding->calls++;
    deciding->present = present == NULL ? 0 : decoded(deciding->point, *present);
    *value = deciding->point->bytes;
    return deciding->answer;
}

static int32_t make(uint64_t *value, void *ctx)
{
    struct deciding *deciding = ctx;
    deciding->calls++;
    *value = deciding->fresh;
    return deciding->answer;
}

enum { REFUSES = -77 };

void soak_update(struct soak_worker *worker)
{
    static const int32_t answers[] = {MASSTREE_ACTION_KEEP, MASSTREE_ACTION_SET,
                                      MASSTREE_ACTION_SET, MASSTREE_ACTION_REMOVE, REFUSES};
    struct point point;
    masstree_slice_t slice = {NULL, 0};
    uint64_t old = 0;
    int32_t status;
    aim(&point, worker, soak_writable(worker));
    struct deciding deciding = {.answer = answers[random_below(&worker->random, COUNT(answers))],
                                .fresh = point.fresh,
                                .point = &point};
    if (point.holds_bytes) {
        status = masstree_update_bytes(TREE_KEY(point), decide_bytes, &deciding, &slice);
        old = decoded(&point, slice);
    } else {
        status = point.as_integer
                     ? masstree_update_u64(TREE_INTEGER(point), decide, &deciding, &old)
                     : masstree_update(TREE_KEY(point), decide, &deciding, &old);
    }
    bool sets = deciding.answer == MASSTREE_ACTION_SET;
    bool removes = deciding.answer == MASSTREE_ACTION_REMOVE;
    EXPECT(worker, status == (deciding.answer == REFUSES ? REFUSES : MASSTREE_OK));
    EXPECT(worker, deciding.calls == 1 || (point.holds_bytes && deciding.calls > 1));
    EXPECT(worker, old == (sets || removes ? deciding.present : 0));
    soak_saw(worker, point.number, deciding.present);
    if (sets || removes) {
        changed(&point, old, sets ? point.fresh : 0);
    }
}

void soak_get_or_insert(struct soak_worker *worker)
{
    struct point point;
    uint64_t value = 0;
    if (worker->soak->holds_bytes) {
        return;
    }
    aim(&point, worker, soak_writable(worker));
    struct deciding deciding = {
        .answer = random_below(&worker->random, 8) == 0 ? REFUSES : MASSTREE_OK,
        .fresh = point.fresh};
    int32_t status =
        point.as_integer
            ? masstree_get_or_insert_with_u64(TREE_INTEGER(point), make, &deciding, &value)
            : masstree_get_or_insert_with(TREE_KEY(point), make, &deciding, &value);
    if (status == MASSTREE_EXISTS) {
        EXPECT(worker, deciding.calls == 0 && value != 0);
        soak_saw(worker, point.number, value);
        return;
    }
    EXPECT(worker, status == deciding.answer && deciding.calls == 1);
    soak_saw(worker, point.number, 0);
    if (status == MASSTREE_OK) {
        EXPECT(worker, value == point.fresh);
        changed(&point, 0, point.fresh);
    }
}
