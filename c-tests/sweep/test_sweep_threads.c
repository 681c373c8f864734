/* Every allocation fails once, on whichever of two threads. Each thread has its own keys, so it
   knows what a call that returned MASSTREE_NOMEM must leave unchanged; they share leaves, splits
   and layers, so that an allocation fails on one thread while the other works nearby. */
#include "sweep/sweep.h"

enum { OWN = 60, STEPS = 120 };

struct half {
    masstree_t *tree;
    struct allocator *allocator;
    uint64_t random;
    uint64_t index;
    bool holds_bytes;
    masstree_guard_t *guard;
    uint64_t held[OWN]; /* values; 0: absent */
    uint64_t made;
    size_t refused;
};

/* Adjacent keys belong to different threads. */
static struct key own_key(const struct half *half, uint64_t own)
{
    return key_of(own % FAMILIES + FAMILIES * (own * 2 + half->index));
}

/* A value that no key has had. */
static uint64_t fresh_value(struct half *half)
{
    return ++half->made * 2 + half->index;
}

/* Whether a call returned the value that the thread knows. */
static bool is_held(const struct half *half, uint64_t own, int32_t status, uint64_t word,
                    masstree_slice_t slice)
{
    uint64_t held = half->held[own];
    if (held == 0 || status != MASSTREE_OK) {
        return held == 0 && status == MASSTREE_NOT_FOUND;
    }
    unsigned char bytes[VALUE_MAX];
    masstree_slice_t expected = value_of(held, bytes);
    return half->holds_bytes
               ? compare_keys(expected.data, expected.len, slice.data, slice.len) == 0
               : word == held;
}

/* A look-up needs no memory. */
static void look_up(const struct half *half, uint64_t own)
{
    struct key key = own_key(half, own);
    unsigned char bytes[VALUE_MAX];
    uint64_t word = 0;
    size_t len = 0;
    int32_t status =
        half->holds_bytes
            ? masstree_copy_bytes(half->tree, NULL, key.bytes, key.len, bytes, sizeof bytes, &len)
            : masstree_get(half->tree, NULL, key.bytes, key.len, &word);
    REQUIRE(is_held(half, own, status, word, (masstree_slice_t){bytes, len}));
}

/* Whether a call with this status must be repeated, without further failures. */
static bool again(struct half *half, int32_t status)
{
    if (status != MASSTREE_NOMEM) {
        return false;
    }
    half->refused++;
    pthread_mutex_lock(&half->allocator->lock);
    half->allocator->fail_at = 0;
    pthread_mutex_unlock(&half->allocator->lock);
    for (uint64_t own = 0; own < OWN; own++) {
        look_up(half, own);
    }
    return true;
}

static void exchange(struct half *half, uint64_t own)
{
    struct key key = own_key(half, own);
    unsigned char bytes[VALUE_MAX];
    uint64_t fresh = fresh_value(half);
    masstree_slice_t value = value_of(fresh, bytes);
    masstree_slice_t slice = {NULL, 0};
    uint64_t old = 0;
    int32_t status;
    do {
        status = half->holds_bytes
                     ? masstree_exchange_bytes(half->tree, half->guard, key.bytes, key.len,
                                               value.data, value.len, &slice)
                     : masstree_exchange(half->tree, half->guard, key.bytes, key.len, fresh,
                                         &old);
    } while (again(half, status));
    REQUIRE(is_held(half, own, status, old, slice));
    half->held[own] = fresh;
}

static void insert(struct half *half, uint64_t own)
{
    struct key key = own_key(half, own);
    unsigned char bytes[VALUE_MAX];
    uint64_t fresh = fresh_value(half);
    masstree_slice_t value = value_of(fresh, bytes);
    int32_t status;
    do {
        status = half->holds_bytes
                     ? masstree_insert_bytes(half->tree, NULL, key.bytes, key.len, value.data,
                                             value.len, NULL)
                     : masstree_insert(half->tree, NULL, key.bytes, key.len, fresh, NULL);
    } while (again(half, status));
    REQUIRE(status == (half->held[own] != 0 ? MASSTREE_EXISTS : MASSTREE_OK));
    half->held[own] = half->held[own] != 0 ? half->held[own] : fresh;
}

/* Removes need no memory. */
static void remove_key(struct half *half, uint64_t own)
{
    struct key key = own_key(half, own);
    int32_t status = masstree_remove(half->tree, NULL, key.bytes, key.len, NULL);
    REQUIRE(status == (half->held[own] != 0 ? MASSTREE_OK : MASSTREE_NOT_FOUND));
    half->held[own] = 0;
}

static void put_batch(struct half *half, uint64_t first)
{
    struct batch batch;
    int32_t status;
    for (size_t i = 0; i < BATCH; i++) {
        batch_set(&batch, i, own_key(half, (first + i) % OWN), fresh_value(half));
    }
    do {
        int32_t statuses[BATCH];
        status = half->holds_bytes ? masstree_put_many_bytes(half->tree, half->guard,
                                                             batch.slices, batch.values, BATCH,
                                                             statuses)
                                   : masstree_put_many(half->tree, half->guard, batch.slices,
                                                       batch.words, BATCH, statuses);
        for (size_t i = 0; i < BATCH; i++) {
            REQUIRE(statuses[i] == MASSTREE_OK || statuses[i] == MASSTREE_NOMEM);
            REQUIRE(status == MASSTREE_NOMEM || statuses[i] == MASSTREE_OK);
            if (statuses[i] == MASSTREE_OK) {
                half->held[(first + i) % OWN] = batch.words[i];
            }
        }
    } while (again(half, status));
    REQUIRE(status == MASSTREE_OK);
}

static void enter(struct half *half)
{
    masstree_guard_leave(half->guard);
    half->guard = NULL;
    while (again(half, masstree_guard_enter(half->tree, &half->guard))) {
        REQUIRE(half->guard == NULL);
    }
    REQUIRE(half->guard != NULL);
}

/* A cursor seeks an existing key, and steps. */
static void walk(struct half *half, uint64_t own)
{
    struct key key = own_key(half, own);
    masstree_cursor_t *cursor = NULL;
    masstree_slice_t met[BATCH];
    size_t count = 0;
    int32_t status;
    while (again(half, masstree_cursor_open(half->tree, half->guard, &cursor))) {
        REQUIRE(cursor == NULL);
    }
    do {
        status = masstree_cursor_seek(cursor, key.bytes, key.len, MASSTREE_SEEK_GE);
    } while (again(half, status));
    if (half->held[own] != 0) {
        REQUIRE(status == MASSTREE_OK);
        REQUIRE(masstree_cursor_key(cursor, &met[0]) == MASSTREE_OK);
        REQUIRE(compare_keys(met[0].data, met[0].len, key.bytes, key.len) == 0);
    }
    do {
        status = half->holds_bytes
                     ? masstree_cursor_next_many_bytes(cursor, met, NULL, BATCH, &count)
                     : masstree_cursor_next_many(cursor, met, NULL, BATCH, &count);
    } while (again(half, status));
    REQUIRE(status == MASSTREE_OK || status == MASSTREE_END);
    masstree_cursor_close(cursor);
}

/* The first operation of one of them, possibly before the other has done anything. */
static void load(struct half *half)
{
    struct key own = own_key(half, 0);
    masstree_slice_t key = {own.bytes, own.len};
    unsigned char bytes[VALUE_MAX];
    uint64_t fresh = fresh_value(half);
    masstree_slice_t value = value_of(fresh, bytes);
    int32_t status;
    do {
        status = half->holds_bytes
                     ? masstree_bulk_load_bytes(half->tree, NULL, &key, &value, 1, NULL)
                     : masstree_bulk_load(half->tree, NULL, &key, &fresh, 1, NULL);
    } while (again(half, status));
    REQUIRE(status == MASSTREE_OK || status == MASSTREE_EXISTS);
    half->held[0] = status == MASSTREE_OK ? fresh : 0;
}

static void work(void *arg)
{
    struct half *half = arg;
    if (half->index == 0) {
        load(half);
    }
    enter(half);
    for (size_t step = 0; step < STEPS; step++) {
        uint64_t own = random_below(&half->random, OWN);
        switch (random_below(&half->random, 10)) {
        case 0:
        case 1:
        case 2:
            exchange(half, own);
            break;
        case 3:
        case 4:
            insert(half, own);
            break;
        case 5:
        case 6:
            remove_key(half, own);
            break;
        case 7:
            put_batch(half, own);
            break;
        case 8:
            walk(half, own);
            break;
        default:
            enter(half);
        }
    }
    for (uint64_t own = 0; own < OWN; own += 2) {
        remove_key(half, own);
    }
    masstree_guard_leave(half->guard);
}

static bool run_once(bool holds_bytes, size_t fail_at, bool fail_on, struct tally *tally)
{
    struct allocator allocator;
    struct half halves[2];
    void (*const run[])(void *) = {work, work};
    uint64_t there = 0;
    allocator_start(&allocator);
    masstree_t *tree =
        new_tree_of(&allocator, holds_bytes ? MASSTREE_VALUES_BYTES : MASSTREE_VALUES_WORDS);
    for (size_t i = 0; i < COUNT(halves); i++) {
        halves[i] = (struct half){.tree = tree, .allocator = &allocator, .random = i,
                                  .index = i, .holds_bytes = holds_bytes};
    }
    allocator.fail_at = allocator.calls + fail_at;
    allocator.fail_on = fail_on;
    run_together(COUNT(run), run, halves, sizeof halves[0]);
    allocator.fail_at = 0;
    for (size_t i = 0; i < COUNT(halves); i++) {
        tally->refused += halves[i].refused;
        for (uint64_t own = 0; own < OWN; own++) {
            look_up(&halves[i], own);
            there += halves[i].held[own] != 0 ? 1 : 0;
        }
    }
    assert_int_equal(there, tree_len(tree));
    end_tree(tree);
    allocator_end(&allocator);
    return allocator.failures > 0;
}

static void each_allocation_may_fail_while_another_thread_writes_words(void **state)
{
    (void)state;
    sweep(run_once, false, false);
}

static void each_allocation_may_fail_while_another_thread_writes_byte_strings(void **state)
{
    (void)state;
    sweep(run_once, true, false);
}

static void all_may_fail_for_a_while_with_two_threads_and_words(void **state)
{
    (void)state;
    sweep(run_once, false, true);
}

static void all_may_fail_for_a_while_with_two_threads_and_byte_strings(void **state)
{
    (void)state;
    sweep(run_once, true, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_allocation_may_fail_while_another_thread_writes_words),
        cmocka_unit_test(each_allocation_may_fail_while_another_thread_writes_byte_strings),
        cmocka_unit_test(all_may_fail_for_a_while_with_two_threads_and_words),
        cmocka_unit_test(all_may_fail_for_a_while_with_two_threads_and_byte_strings),
    };
    return cmocka_run_group_tests_name("sweep_threads", tests, NULL, NULL);
}
