/* Held leaves, on one thread: results, actions, and what readers and observers see meanwhile and
   afterwards. */
#include "observing.h"

enum { CREATED = 64 };

static bool same(masstree_observation_t left, masstree_observation_t right)
{
    return memcmp(&left, &right, sizeof left) == 0;
}

/* How often each case under test occurred. */
static struct {
    size_t with_room;  /* room was made, by a split or a layer */
    size_t given_back; /* ... and nothing inserted */
    size_t emptied;    /* a leaf was unlinked */
} came;

/* A model, and all leaves as they were observed. */
struct history {
    struct subject *subject;
    struct model model;
    struct observations set;
    masstree_delta_t delta;
    masstree_observation_t created[CREATED];
    uint64_t random;
    uint64_t fresh;
};

static void observe_all(struct history *history)
{
    masstree_range_t all = MASSTREE_RANGE_INIT;
    history->set.count = 0;
    scan_range(history->subject, NULL, &all, &history->set);
}

/* Checks what the delta says about the leaf that was held. */
static masstree_observation_t told(const struct history *history, uint64_t node)
{
    for (size_t i = 0; i < history->delta.created_count; i++) {
        if (history->created[i].leaf == node) {
            return history->created[i];
        }
    }
    assert_true(history->delta.after.leaf == node);
    return history->delta.after;
}

static void assert_delta(struct history *history, masstree_observation_t original,
                         masstree_observation_t next)
{
    const struct subject *subject = history->subject;
    masstree_delta_t *delta = &history->delta;
    assert_true(same(original, delta->before));
    assert_in_range(delta->created_count, 0, CREATED);
    int32_t applied =
        masstree_delta_apply(delta, history->set.all, &history->set.count, OBSERVATIONS);
    if (delta->flags == MASSTREE_DELTA_MORE) {
        came.emptied++;
        assert_status(MASSTREE_MISMATCH, applied);
        observe_all(history);
        return;
    }
    assert_int_equal(0, delta->flags);
    assert_ok(applied);
    assert_true(same(next, told(history, next.leaf)));
    assert_true(holds(subject->tree, delta->after));
    assert_ok(masstree_validate(subject->tree, history->created, delta->created_count, NULL));
    assert_true(all_hold(subject->tree, &history->set));
}

static void finish_as_the_model(struct history *history, struct key key, masstree_held_t *held,
                                int32_t action)
{
    struct entry *entry = model_find(&history->model, key.bytes, key.len);
    bool is_there = entry != NULL;
    uint64_t before = is_there ? entry->value : 0;
    uint64_t old = 77;
    bool wants_old = random_below(&history->random, 2) == 0;
    history->fresh++;
    assert_ok(masstree_held_finish(held, action, history->fresh, wants_old ? &old : NULL));
    bool displaces = is_there && action != MASSTREE_ACTION_KEEP;
    assert_int_equal(displaces && wants_old ? before : 77, old);
    if (action == MASSTREE_ACTION_SET) {
        model_put(&history->model, key.bytes, key.len, history->fresh);
    } else if (action == MASSTREE_ACTION_REMOVE && is_there) {
        model_remove(&history->model, key.bytes, key.len);
    }
}

static void hold_and_finish(struct history *history, struct key key)
{
    static const int32_t actions[] = {MASSTREE_ACTION_SET, MASSTREE_ACTION_SET,
                                      MASSTREE_ACTION_KEEP, MASSTREE_ACTION_REMOVE,
                                      MASSTREE_ACTION_REMOVE};
    const struct subject *subject = history->subject;
    const struct entry *entry = model_find(&history->model, key.bytes, key.len);
    masstree_observation_t original, now, next;
    masstree_held_t held;
    bool is_there;
    uint64_t value = 77;
    uint32_t flags = random_below(&history->random, 8) == 0 ? 0 : MASSTREE_HOLD_INSERT;
    /* The tree grows for some time, and then shrinks. */
    size_t shrinks = history->fresh / 300 % 2;
    int32_t action = actions[shrinks + random_below(&history->random, COUNT(actions) - 1)];
    masstree_observation_t first = observe_key(subject, key, &is_there);
    assert_status(entry != NULL ? MASSTREE_OK : MASSTREE_NOT_FOUND,
                  hold_key(subject, &key, flags, &held, &value));
    assert_int_equal(entry != NULL ? entry->value : 77, value);
    assert_ok(masstree_held_observation(&held, &original, &now));
    assert_true(same(first, original));
    assert_true(same(now, observe_key(subject, key, &is_there)));
    assert_true(is_there == (entry != NULL));
    assert_true(holds(subject->tree, now));
    assert_true(holds(subject->tree, original) == same(now, original));
    bool has_room = !same(now, original);
    assert_true(!has_room || (entry == NULL && flags != 0));
    came.with_room += has_room ? 1 : 0;
    came.given_back += has_room && action != MASSTREE_ACTION_SET ? 1 : 0;
    if (has_room || random_below(&history->random, 64) == 0) {
        assert_agrees(subject->tree, &history->model);
    }
    if (action == MASSTREE_ACTION_SET && entry == NULL && flags == 0) {
        assert_status(MASSTREE_INVALID, masstree_held_finish(&held, action, 1, NULL));
        action = MASSTREE_ACTION_KEEP;
    }
    assert_ok(masstree_held_next(&held, action, &next));
    finish_as_the_model(history, key, &held, action);
    bool changes = (action == MASSTREE_ACTION_SET && entry == NULL) ||
                   (action == MASSTREE_ACTION_REMOVE && is_there);
    assert_true(changes != same(now, next));
    if (history->delta.flags == 0) {
        assert_true(same(next, observe_key(subject, key, &is_there)));
    }
    assert_delta(history, original, next);
    assert_int_equal(history->model.count, tree_len(subject->tree));
    if (has_room || random_below(&history->random, 64) == 0) {
        assert_consistent(subject->tree);
    }
}

static void start(struct history *history, struct subject *subject, uint64_t seed)
{
    memset(history, 0, sizeof *history);
    history->subject = subject;
    history->random = seed;
    history->delta = (masstree_delta_t)MASSTREE_DELTA_INIT;
    history->delta.created = history->created;
    history->delta.created_capacity = CREATED;
    assert_ok(masstree_guard_record(subject->guard, &history->delta));
    observe_all(history);
}

static void end(struct history *history)
{
    const struct subject *subject = history->subject;
    assert_consistent(subject->tree);
    assert_agrees(subject->tree, &history->model);
    assert_ok(masstree_guard_record(subject->guard, NULL));
    model_free(&history->model);
    assert_ok(masstree_clear(subject->tree, NULL));
    masstree_guard_refresh(subject->guard);
}

/* Keys at random, in ascending, and in descending order. */
static void every_action_does_what_the_model_says(void **state)
{
    static struct history history;
    enum { NUMBERS = 300 };
    uint64_t seed = seed_of(1);
    for (enum family family = 0; family < FAMILIES; family++) {
        for (unsigned order = 0; order < 3; order++) {
            start(&history, *state, seed * 1000 + family * 3 + order);
            size_t steps = scaled(900);
            for (size_t step = 0; step < steps; step++) {
                struct key key;
                size_t number = order == 0 ? random_below(&history.random, NUMBERS)
                                : order == 1 ? step % NUMBERS
                                             : NUMBERS - 1 - step % NUMBERS;
                key.len = family_key(family, number, key.bytes);
                hold_and_finish(&history, key);
                if (history.set.count > OBSERVATIONS / 2) {
                    observe_all(&history);
                }
            }
            end(&history);
        }
    }
    print_message("room was made %zu times, %zu times for nothing; %zu leaves were emptied\n",
                  came.with_room, came.given_back, came.emptied);
    assert_true(came.with_room > 0 && came.given_back > 0 && came.emptied > 0);
}

static void leaf_of_an_emptied_tree_can_be_held(void **state)
{
    static struct history history;
    for (unsigned order = 0; order < 2; order++) {
        enum { KEYS = 200 };
        struct key key = number_key(1);
        masstree_held_t held;
        start(&history, *state, 1);
        const struct subject *subject = history.subject;
        for (uint64_t i = 0; i < KEYS; i++) {
            key = number_key(i);
            put_key(subject, NULL, key);
        }
        for (uint64_t i = 0; i < KEYS; i++) {
            uint64_t old = 0;
            key = number_key(order == 0 ? i : KEYS - 1 - i);
            assert_ok(hold_key(subject, &key, 0, &held, NULL));
            assert_ok(masstree_held_finish(&held, MASSTREE_ACTION_REMOVE, 0, &old));
            assert_int_equal(1, old);
        }
        assert_consistent(subject->tree);
        assert_int_equal(0, tree_len(subject->tree));
        observe_all(&history);
        for (unsigned step = 0; step < 100; step++) {
            hold_and_finish(&history, number_key(random_below(&history.random, 2)));
        }
        end(&history);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_WORDS(every_action_does_what_the_model_says),
        WITH_WORDS(leaf_of_an_emptied_tree_can_be_held),
    };
    return cmocka_run_group_tests_name("held", tests, NULL, NULL);
}
