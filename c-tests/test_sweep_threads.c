/* Every allocation fails once, whichever of two threads asks for it. Each has keys of its
   own, so that it knows what a call that answered MASSTREE_NOMEM has to leave as it was;
   leaves, splits and layers they share, so that one fails where the other is at work. */
#include "support.h"

enum { OWN = 60, STEPS = 120, BATCH = 8, VALUE_MAX = 120 };

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

struct key {
    unsigned char bytes[FAMILY_KEY_MAX + 300];
    size_t len;
};

/* Neighbours in order belong to different threads; some have long suffixes. */
static struct key key_of(const struct half *half, uint64_t own)
{
    struct key key;
    uint64_t number = own * 2 + half->index;
    enum family family = (enum family)(own % FAMILIES);
    key.len = family_key(family, number, key.bytes);
    if (family != FAMILY_U64 && own % 7 == 3) {
        memset(key.bytes + key.len, 's', 200);
        key.len += 200;
    }
    return key;
}

static masstree_slice_t value_of(uint64_t value, unsigned char *bytes)
{
    memset(bytes, (int)(value % 251), VALUE_MAX);
    memcpy(bytes, &value, sizeof value);
    return (masstree_slice_t){bytes, sizeof value + value % (VALUE_MAX - sizeof value)};
}

static uint64_t number_in(masstree_slice_t slice)
{
    unsigned char bytes[VALUE_MAX];
    uint64_t value = 0;
    REQUIRE(slice.len >= sizeof value);
    memcpy(&value, slice.data, sizeof value);
    masstree_slice_t whole = value_of(value, bytes);
    REQUIRE(whole.len == slice.len && memcmp(bytes, slice.data, slice.len) == 0);
    return value;
}

/* A look-up needs no memory. */
static uint64_t look_up(struct half *half, uint64_t own)
{
    struct key key = key_of(half, own);
    unsigned char bytes[VALUE_MAX];
    uint64_t value = 0;
    size_t len = 0;
    int32_t status =
        half->holds_bytes
            ? masstree_get_copy(half->tree, NULL, key.bytes, key.len, bytes, sizeof bytes, &len)
            : masstree_get(half->tree, NULL, key.bytes, key.len, &value);
    REQUIRE(status == MASSTREE_OK || status == MASSTREE_NOT_FOUND);
    if (status == MASSTREE_OK && half->holds_bytes) {
        value = number_in((masstree_slice_t){bytes, len});
    }
    return value;
}

/* Whether a call that answered so is to be made again; no more failures then. */
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
        REQUIRE(look_up(half, own) == half->held[own]);
    }
    return true;
}

static void exchange(struct half *half, uint64_t own)
{
    struct key key = key_of(half, own);
    unsigned char bytes[VALUE_MAX];
    uint64_t fresh = ++half->made * 2 + half->index;
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
    if (slice.data != NULL) {
        old = number_in(slice);
    }
    REQUIRE(status == (half->held[own] != 0 ? MASSTREE_OK : MASSTREE_NOT_FOUND));
    REQUIRE(old == half->held[own]);
    half->held[own] = fresh;
}

static void insert(struct half *half, uint64_t own)
{
    struct key key = key_of(half, own);
    unsigned char bytes[VALUE_MAX];
    uint64_t fresh = ++half->made * 2 + half->index;
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

/* Removing needs no memory. */
static void remove_key(struct half *half, uint64_t own)
{
    struct key key = key_of(half, own);
    int32_t status = masstree_remove(half->tree, NULL, key.bytes, key.len, NULL);
    REQUIRE(status == (half->held[own] != 0 ? MASSTREE_OK : MASSTREE_NOT_FOUND));
    half->held[own] = 0;
}

struct batch {
    struct key keys[BATCH];
    masstree_slice_t slices[BATCH];
    uint64_t words[BATCH];
    unsigned char bytes[BATCH][VALUE_MAX];
    masstree_slice_t values[BATCH];
};

static void put_batch(struct half *half, uint64_t first)
{
    struct batch batch;
    int32_t status;
    for (uint64_t i = 0; i < BATCH; i++) {
        batch.keys[i] = key_of(half, (first + i) % OWN);
        batch.slices[i] = (masstree_slice_t){batch.keys[i].bytes, batch.keys[i].len};
        batch.words[i] = ++half->made * 2 + half->index;
        batch.values[i] = value_of(batch.words[i], batch.bytes[i]);
    }
    do {
        int32_t statuses[BATCH];
        status = half->holds_bytes ? masstree_put_many_bytes(half->tree, half->guard,
                                                             batch.slices, batch.values, BATCH,
                                                             statuses)
                                   : masstree_put_many(half->tree, half->guard, batch.slices,
                                                       batch.words, BATCH, statuses);
        for (uint64_t i = 0; i < BATCH; i++) {
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

/* A cursor goes to a key that is there, and on. */
static void walk(struct half *half, uint64_t own)
{
    struct key key = key_of(half, own);
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

/* The first thing that one of them does, maybe before the other has done anything. */
static void load(struct half *half)
{
    masstree_slice_t key = {NULL, 0};
    struct key bytes = key_of(half, 0);
    unsigned char buffer[VALUE_MAX];
    uint64_t fresh = ++half->made * 2 + half->index;
    masstree_slice_t value = value_of(fresh, buffer);
    int32_t status;
    key = (masstree_slice_t){bytes.bytes, bytes.len};
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

/* Whether an allocation failed. */
static bool run_once(bool holds_bytes, size_t fail_at, bool fail_on, size_t *refused)
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
        *refused += halves[i].refused;
        for (uint64_t own = 0; own < OWN; own++) {
            REQUIRE(look_up(&halves[i], own) == halves[i].held[own]);
            there += halves[i].held[own] != 0 ? 1 : 0;
        }
    }
    assert_int_equal(there, tree_len(tree));
    end_tree(tree);
    allocator_end(&allocator);
    return allocator.failures > 0;
}

static void sweep(bool holds_bytes, bool fail_on)
{
    size_t step = scaled(64) < 64 ? 64 / scaled(64) : 1; /* of slow builds, every so many */
    size_t refused = 0;
    size_t fail_at = 1;
    while (run_once(holds_bytes, fail_at, fail_on, &refused)) {
        fail_at += step;
    }
    assert_true(refused * step > 100);
    print_message("%s, %s: %zu places, %zu refusals\n", holds_bytes ? "byte strings" : "words",
                  fail_on ? "one fails and those after it" : "one fails", (fail_at - 1) / step,
                  refused);
}

static void each_allocation_may_fail_while_another_thread_writes_words(void **state)
{
    (void)state;
    sweep(false, false);
}

static void each_allocation_may_fail_while_another_thread_writes_byte_strings(void **state)
{
    (void)state;
    sweep(true, false);
}

static void all_may_fail_for_a_while_with_two_threads_and_words(void **state)
{
    (void)state;
    sweep(false, true);
}

static void all_may_fail_for_a_while_with_two_threads_and_byte_strings(void **state)
{
    (void)state;
    sweep(true, true);
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
