/* Steps of the soak test that hold a leaf, read, and then decide. */
#include "soak.h"

#include <sched.h>

static bool same(masstree_observation_t left, masstree_observation_t right)
{
    return memcmp(&left, &right, sizeof left) == 0;
}

/* No other thread changes the leaf meanwhile, and readers find the value that the holder got; or
   the tree was cleared, which this returns. */
static bool look_around(struct soak_worker *worker, const masstree_held_t *held,
                        struct soak_key key, uint64_t value)
{
    masstree_t *tree = worker->soak->tree;
    size_t changed = SIZE_MAX;
    struct soak_key other = soak_key_of(worker->soak, soak_any(worker));
    masstree_observation_t now, seen;
    uint64_t found = 0;
    EXPECT(worker, masstree_held_observation(held, NULL, &now) == MASSTREE_OK);
    EXPECT(worker, masstree_contains(tree, worker->guard, other.bytes, other.len) >= MASSTREE_OK);
    int32_t status =
        masstree_get_observed(tree, worker->guard, key.bytes, key.len, &found, &seen);
    /* Another thread may have cleared the tree, and the leaf with it: then nothing validates. */
    bool validates = masstree_validate(tree, &now, 1, &changed) == MASSTREE_OK;
    EXPECT(worker, validates || (worker->soak->wild && changed == 0));
    if (validates) {
        EXPECT(worker, same(now, seen) && found == value);
        EXPECT(worker, status == (value != 0 ? MASSTREE_OK : MASSTREE_NOT_FOUND));
    } else {
        EXPECT(worker, masstree_validate(tree, NULL, 0, &changed) == MASSTREE_MISMATCH);
        EXPECT(worker, changed == 0);
    }
    return !validates;
}

/* Words only, like all of this. */
void soak_hold(struct soak_worker *worker)
{
    static const int32_t actions[] = {MASSTREE_ACTION_KEEP, MASSTREE_ACTION_SET,
                                      MASSTREE_ACTION_SET, MASSTREE_ACTION_REMOVE};
    masstree_held_t held;
    masstree_observation_t now, next;
    uint64_t value = 0;
    uint64_t old = 0;
    if (worker->soak->holds_bytes) {
        return;
    }
    uint32_t number = soak_writable(worker);
    struct soak_key key = soak_key_of(worker->soak, number);
    uint64_t fresh = soak_fresh(worker, number);
    int32_t action = actions[random_below(&worker->random, COUNT(actions))];
    uint32_t flags = action == MASSTREE_ACTION_SET ? MASSTREE_HOLD_INSERT
                                                   : (uint32_t)random_below(&worker->random, 2);
    bool keeps_delta = random_below(&worker->random, 2) == 0;
    if (keeps_delta) {
        flags |= MASSTREE_HOLD_DELTA;
    }
    int32_t status = masstree_hold(worker->soak->tree, worker->guard, key.bytes, key.len, flags,
                                   &held, &value);
    EXPECT(worker, status == (value != 0 ? MASSTREE_OK : MASSTREE_NOT_FOUND));
    soak_saw(worker, number, value);
    /* So that now and then another thread clears the tree meanwhile. */
    while (worker->soak->wild && random_below(&worker->random, 4) != 0) {
        sched_yield();
    }
    bool is_cleared = look_around(worker, &held, key, value);
    EXPECT(worker, masstree_held_observation(&held, NULL, &now) == MASSTREE_OK);
    EXPECT(worker, masstree_held_next(&held, action, &next) == MASSTREE_OK);
    bool changes = value != 0 ? action == MASSTREE_ACTION_REMOVE : action == MASSTREE_ACTION_SET;
    EXPECT(worker, same(now, next) != changes);
    status = masstree_held_finish(&held, action, fresh, &old);
    if (status == MASSTREE_CLEARED) {
        EXPECT(worker, worker->soak->wild && old == 0);
        return;
    }
    EXPECT(worker, status == MASSTREE_OK && !is_cleared);
    masstree_delta_t delta = MASSTREE_DELTA_INIT;
    EXPECT(worker, masstree_held_delta(&held, &delta) ==
                       (keeps_delta ? MASSTREE_OK : MASSTREE_INVALID));
    EXPECT(worker, old == (action == MASSTREE_ACTION_KEEP ? 0 : value));
    if (old != 0) {
        soak_taken(worker, old);
    }
    if (action == MASSTREE_ACTION_SET) {
        soak_accepted(worker, fresh);
        soak_set(worker, number, fresh);
    } else if (action == MASSTREE_ACTION_REMOVE) {
        soak_set(worker, number, 0);
    }
}
