/* Steps of the soak test on several keys at once. */
#include "soak.h"

enum { MANY = 24 };

struct many {
    struct soak_worker *worker;
    masstree_t *tree;
    masstree_guard_t *guard;
    bool holds_bytes;
    bool as_integers;
    size_t count;
    uint32_t numbers[MANY];
    struct soak_key keys[MANY];
    masstree_slice_t slices[MANY];
    uint64_t integers[MANY];
    uint64_t fresh[MANY];
    unsigned char buffers[MANY][SOAK_VALUE_MAX];
    masstree_slice_t fresh_bytes[MANY];
    uint64_t told[MANY]; /* values that the call returned */
    masstree_slice_t told_bytes[MANY];
    int32_t statuses[MANY];
};

/* Some keys, possibly with duplicates. */
static void choose(struct many *many, struct soak_worker *worker, bool writes)
{
    many->worker = worker;
    many->tree = worker->soak->tree;
    many->holds_bytes = worker->soak->holds_bytes;
    many->guard = many->holds_bytes ? worker->guard : soak_guard(worker);
    many->as_integers = !many->holds_bytes;
    many->count = random_below(&worker->random, MANY + 1);
    for (size_t i = 0; i < many->count; i++) {
        struct soak_key *key = &many->keys[i];
        uint32_t number = writes ? soak_writable(worker) : soak_any(worker);
        many->numbers[i] = number;
        *key = soak_key_of(worker->soak, number);
        many->slices[i] = (masstree_slice_t){key->bytes, key->len};
        many->as_integers = many->as_integers &&
                            masstree_u64_from_key(key->bytes, key->len, &many->integers[i]) ==
                                MASSTREE_OK;
        many->fresh[i] = soak_fresh(worker, number);
        many->fresh_bytes[i] = soak_encode(many->fresh[i], many->buffers[i]);
        many->told[i] = 0;
        many->statuses[i] = INT32_MIN;
    }
}

#define INTEGERS(many) (many).integers, sizeof(many).integers[0]

void soak_get_many(struct soak_worker *worker)
{
    struct many many;
    int32_t status;
    choose(&many, worker, false);
    if (many.holds_bytes) {
        status = masstree_get_many_bytes(many.tree, many.guard, many.slices, many.count,
                                         many.told_bytes, many.statuses);
    } else if (many.as_integers) {
        status = masstree_get_many_u64(many.tree, many.guard, INTEGERS(many), many.count,
                                       many.told, many.statuses);
    } else {
        status = masstree_get_many(many.tree, many.guard, many.slices, many.count, many.told,
                                   many.statuses);
    }
    EXPECT(worker, status == MASSTREE_OK);
    for (size_t i = 0; i < many.count; i++) {
        bool found = many.statuses[i] == MASSTREE_OK;
        EXPECT(worker, found || many.statuses[i] == MASSTREE_NOT_FOUND);
        if (found && many.holds_bytes) {
            many.told[i] =
                soak_decode(worker, many.told_bytes[i].data, many.told_bytes[i].len);
        }
        EXPECT(worker, found == (many.told[i] != 0));
        soak_saw(worker, many.numbers[i], many.told[i]);
    }
}

void soak_put_many(struct soak_worker *worker)
{
    struct many many;
    int32_t status;
    choose(&many, worker, true);
    if (many.holds_bytes) {
        status = masstree_put_many_bytes(many.tree, many.guard, many.slices, many.fresh_bytes,
                                         many.count, many.statuses);
    } else if (many.as_integers) {
        status = masstree_put_many_u64(many.tree, many.guard, INTEGERS(many), many.fresh,
                                       many.count, many.statuses);
    } else {
        status = masstree_put_many(many.tree, many.guard, many.slices, many.fresh, many.count,
                                   many.statuses);
    }
    EXPECT(worker, status == MASSTREE_OK);
    for (size_t i = 0; i < many.count; i++) {
        EXPECT(worker, many.statuses[i] == MASSTREE_OK);
        soak_accepted(worker, many.fresh[i]);
        soak_set(worker, many.numbers[i], many.fresh[i]);
    }
}

/* Words only: no such call exists for byte strings. */
void soak_insert_many(struct soak_worker *worker)
{
    struct many many;
    if (worker->soak->holds_bytes) {
        return;
    }
    choose(&many, worker, true);
    int32_t status =
        many.as_integers
            ? masstree_insert_many_u64(many.tree, many.guard, INTEGERS(many), many.fresh,
                                       many.count, many.told, many.statuses)
            : masstree_insert_many(many.tree, many.guard, many.slices, many.fresh, many.count,
                                   many.told, many.statuses);
    EXPECT(worker, status == MASSTREE_OK);
    for (size_t i = 0; i < many.count; i++) {
        bool stored = many.statuses[i] == MASSTREE_OK;
        EXPECT(worker, stored || many.statuses[i] == MASSTREE_EXISTS);
        EXPECT(worker, stored == (many.told[i] == 0));
        soak_saw(worker, many.numbers[i], many.told[i]);
        if (stored) {
            soak_accepted(worker, many.fresh[i]);
            soak_set(worker, many.numbers[i], many.fresh[i]);
        }
    }
}

/* With byte strings, and sometimes with words, the previous values are not requested. */
void soak_remove_many(struct soak_worker *worker)
{
    struct many many;
    choose(&many, worker, true);
    bool asks = !many.holds_bytes && random_below(&worker->random, 2) == 0;
    uint64_t *old = asks ? many.told : NULL;
    int32_t status = many.as_integers
                         ? masstree_remove_many_u64(many.tree, many.guard, INTEGERS(many),
                                                    many.count, old, many.statuses)
                         : masstree_remove_many(many.tree, many.guard, many.slices, many.count,
                                                old, many.statuses);
    EXPECT(worker, status == MASSTREE_OK);
    for (size_t i = 0; i < many.count; i++) {
        bool removed = many.statuses[i] == MASSTREE_OK;
        EXPECT(worker, removed || many.statuses[i] == MASSTREE_NOT_FOUND);
        if (asks) {
            EXPECT(worker, removed == (many.told[i] != 0));
            soak_saw(worker, many.numbers[i], many.told[i]);
        } else if (!removed) {
            soak_saw(worker, many.numbers[i], 0);
        }
        if (asks && removed) {
            soak_taken(worker, many.told[i]);
        }
        soak_set(worker, many.numbers[i], 0);
    }
}
