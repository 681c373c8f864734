/* Held leaves, by one thread: what is found, what is done, and what readers and observers
   see of it meanwhile and after. */
#include "observing.h"

enum { CREATED = 64 };

static bool same(masstree_observation_t left, masstree_observation_t right)
{
    return memcmp(&left, &right, sizeof left) == 0;
}

static int32_t hold_key(const struct subject *subject, struct key key, uint32_t flags,
                        masstree_held_t *held, uint64_t *value)
{
    return masstree_hold(subject->tree, subject->guard, key.bytes, key.len, flags, held, value);
}

/* How often what is to be tested came about. */
static struct {
    size_t with_room;  /* room was made, by a split or a layer */
    size_t given_back; /* ... and nothing inserted */
    size_t emptied;    /* a leaf is no more */
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

/* What the delta tells of the leaf that was held. */
static masstree_observation_t told(const struct history *history, uint64_t node)
{
    for (size_t i = 0; i < history->delta.created_count; i++) {
        if (history->created[i].node == node) {
            return history->created[i];
        }
    }
    assert_true(history->delta.after.node == node);
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
        masstree_apply_delta(delta, history->set.all, &history->set.count, OBSERVATIONS);
    if (delta->flags == MASSTREE_DELTA_MORE) {
        came.emptied++;
        assert_status(MASSTREE_MISMATCH, applied);
        observe_all(history);
        return;
    }
    assert_int_equal(0, delta->flags);
    assert_ok(applied);
    assert_true(same(next, told(history, next.node)));
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
    bool displaces = is_there && action != MASSTREE_UPDATE_KEEP;
    assert_int_equal(displaces && wants_old ? before : 77, old);
    if (action == MASSTREE_UPDATE_SET) {
        model_put(&history->model, key.bytes, key.len, history->fresh);
    } else if (action == MASSTREE_UPDATE_REMOVE && is_there) {
        model_remove(&history->model, key.bytes, key.len);
    }
}

static void hold_and_finish(struct history *history, struct key key)
{
    static const int32_t actions[] = {MASSTREE_UPDATE_SET, MASSTREE_UPDATE_SET,
                                      MASSTREE_UPDATE_KEEP, MASSTREE_UPDATE_REMOVE,
                                      MASSTREE_UPDATE_REMOVE};
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
                  hold_key(subject, key, flags, &held, &value));
    assert_int_equal(entry != NULL ? entry->value : 77, value);
    assert_ok(masstree_held_observe(&held, &original, &now));
    assert_true(same(first, original));
    assert_true(same(now, observe_key(subject, key, &is_there)));
    assert_true(is_there == (entry != NULL));
    assert_true(holds(subject->tree, now));
    assert_true(holds(subject->tree, original) == same(now, original));
    bool has_room = !same(now, original);
    assert_true(!has_room || (entry == NULL && flags != 0));
    came.with_room += has_room ? 1 : 0;
    came.given_back += has_room && action != MASSTREE_UPDATE_SET ? 1 : 0;
    if (has_room || random_below(&history->random, 64) == 0) {
        assert_agrees(subject->tree, &history->model);
    }
    if (action == MASSTREE_UPDATE_SET && entry == NULL && flags == 0) {
        assert_status(MASSTREE_INVALID, masstree_held_finish(&held, action, 1, NULL));
        action = MASSTREE_UPDATE_KEEP;
    }
    assert_ok(masstree_held_next(&held, action, &next));
    finish_as_the_model(history, key, &held, action);
    bool changes = (action == MASSTREE_UPDATE_SET && entry == NULL) ||
                   (action == MASSTREE_UPDATE_REMOVE && is_there);
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
    assert_ok(masstree_guard_observe(subject->guard, &history->delta));
    observe_all(history);
}

static void end(struct history *history)
{
    const struct subject *subject = history->subject;
    assert_consistent(subject->tree);
    assert_agrees(subject->tree, &history->model);
    assert_ok(masstree_guard_observe(subject->guard, NULL));
    model_free(&history->model);
    assert_ok(masstree_clear(subject->tree, NULL));
    masstree_guard_refresh(subject->guard);
}

static uint64_t seed_of(uint64_t otherwise)
{
    const char *given = getenv("MASSTREE_TEST_SEED");
    uint64_t seed = given != NULL ? strtoull(given, NULL, 10) : otherwise;
    print_message("MASSTREE_TEST_SEED=%llu\n", (unsigned long long)seed);
    return seed;
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

static int32_t count_visit(const void *key, size_t key_len, uint64_t value, void *ctx)
{
    (void)key;
    (void)key_len;
    (void)value;
    ++*(size_t *)ctx;
    return MASSTREE_CONTINUE;
}

static void write_nothing(const char *text, size_t len, void *ctx)
{
    (void)text;
    *(size_t *)ctx += len;
}

static void assert_cursor_meets(const struct subject *subject, size_t keys)
{
    masstree_cursor_t *cursor = NULL;
    assert_ok(masstree_cursor_open(subject->tree, subject->guard, &cursor));
    for (unsigned reverse = 0; reverse < 2; reverse++) {
        size_t met = 0;
        int32_t status = reverse ? masstree_cursor_last(cursor) : masstree_cursor_first(cursor);
        for (; status == MASSTREE_OK; met++) {
            status = reverse ? masstree_cursor_prev(cursor) : masstree_cursor_next(cursor);
        }
        assert_status(MASSTREE_END, status);
        assert_int_equal(keys, met);
    }
    masstree_cursor_close(cursor);
}

/* Whatever reads goes over the leaf that is held, which may be without a key. */
static void assert_readable(const struct subject *subject, size_t keys)
{
    masstree_stats_t stats = MASSTREE_STATS_INIT;
    masstree_range_t reverse = MASSTREE_RANGE_INIT;
    size_t count = 0;
    size_t visits = 0;
    reverse.flags = MASSTREE_SCAN_REVERSE;
    assert_cursor_meets(subject, keys);
    assert_ok(masstree_count(subject->tree, subject->guard, NULL, &count));
    assert_int_equal(keys, count);
    assert_ok(masstree_scan(subject->tree, subject->guard, &reverse, count_visit, &visits, &count));
    assert_int_equal(keys, count);
    stats.flags = MASSTREE_STATS_NODES;
    assert_ok(masstree_stats(subject->tree, subject->guard, &stats));
    assert_int_equal(keys, stats.keys);
    assert_ok(masstree_pivots(subject->tree, subject->guard, 4, count_visit, &visits, &count));
    assert_ok(masstree_dump(subject->tree, subject->guard, MASSTREE_DUMP_TEXT, write_nothing,
                            &visits));
}

static uint64_t leaves_of(const struct subject *subject)
{
    masstree_stats_t stats = MASSTREE_STATS_INIT;
    stats.flags = MASSTREE_STATS_NODES;
    assert_ok(masstree_stats(subject->tree, subject->guard, &stats));
    return stats.leaves;
}

/* At each place of a full leaf, which is the first, the last, between others, or alone. */
static void room_for_nothing_leaves_no_empty_leaf(void **state)
{
    enum { LEAF_KEYS = 15, LEAVES = 3 };
    const int32_t actions[] = {MASSTREE_UPDATE_KEEP, MASSTREE_UPDATE_REMOVE};
    const struct subject *subject = *state;
    for (uint64_t leaves = 1; leaves <= LEAVES; leaves++) {
        uint64_t keys = leaves * LEAF_KEYS;
        for (uint64_t place = 0; place <= keys; place++) {
            masstree_held_t held;
            for (uint64_t i = 0; i < keys; i++) {
                put_key(subject, NULL, number_key(10 + 10 * i));
            }
            assert_int_equal(leaves, leaves_of(subject));
            struct key key = number_key(5 + 10 * place);
            assert_status(MASSTREE_NOT_FOUND,
                          hold_key(subject, key, MASSTREE_HOLD_INSERT, &held, NULL));
            assert_int_equal(leaves + 1, leaves_of(subject));
            assert_readable(subject, keys);
            assert_ok(masstree_held_finish(&held, actions[place % 2], 1, NULL));
            assert_consistent(subject->tree);
            assert_readable(subject, keys);
            /* A key before the first, or behind the last of a leaf, has one for itself. */
            bool was_alone = place % LEAF_KEYS == 0;
            assert_int_equal(was_alone ? leaves : leaves + 1, leaves_of(subject));
            assert_ok(masstree_clear(subject->tree, NULL));
            masstree_guard_refresh(subject->guard);
        }
    }
}

/* The same leaves as by inserts: also the merging of those in which groups became links. */
static void keys_that_are_held_and_set_make_the_tree_that_puts_make(void **state)
{
    const struct subject *subject = *state;
    enum { KEYS = 20000 };
    uint64_t seed = seed_of(1);
    for (unsigned order = 0; order < 2; order++) {
        struct subject other = {.tree = new_tree()};
        uint64_t random = seed + order;
        for (size_t i = 0; i < KEYS; i++) {
            struct key key = {0};
            masstree_held_t held;
            size_t number = order == 0 ? i : random_below(&random, KEYS);
            /* Groups of twenty, alike but for the end. */
            key.len = (size_t)snprintf((char *)key.bytes, sizeof key.bytes,
                                       "%08zu/group of many/%02zu", number / 20 * 7919 % 1000003,
                                       number % 20);
            put_key(&other, NULL, key);
            int32_t status = hold_key(subject, key, MASSTREE_HOLD_INSERT, &held, NULL);
            assert_in_range(status, MASSTREE_OK, MASSTREE_NOT_FOUND);
            assert_ok(masstree_held_finish(&held, MASSTREE_UPDATE_SET, 1, NULL));
        }
        assert_int_equal(tree_len(other.tree), tree_len(subject->tree));
        assert_int_equal(leaves_of(&other), leaves_of(subject));
        assert_consistent(subject->tree);
        end_tree(other.tree);
        assert_ok(masstree_clear(subject->tree, NULL));
        masstree_guard_refresh(subject->guard);
    }
}

/* Others take the keys beside it while a leaf without one is held. */
static void *remove_all(void *arg)
{
    const struct subject *subject = arg;
    for (uint64_t i = 0; i < 15; i++) {
        remove_key(subject, NULL, number_key(10 + 10 * i));
    }
    return NULL;
}

static void leaf_without_a_key_may_be_the_last(void **state)
{
    struct subject *subject = *state;
    static const struct {
        uint64_t key;
        int32_t action;
    } cases[] = {{5, MASSTREE_UPDATE_KEEP},
                 {5, MASSTREE_UPDATE_SET},
                 {500, MASSTREE_UPDATE_KEEP},
                 {500, MASSTREE_UPDATE_SET}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        masstree_held_t held;
        pthread_t thread;
        bool is_there;
        for (uint64_t number = 0; number < 15; number++) {
            put_key(subject, NULL, number_key(10 + 10 * number));
        }
        struct key key = number_key(cases[i].key);
        assert_status(MASSTREE_NOT_FOUND,
                      hold_key(subject, key, MASSTREE_HOLD_INSERT, &held, NULL));
        assert_int_equal(0, pthread_create(&thread, NULL, remove_all, subject));
        /* The other comes to its end when the leaf is let go, if not before. */
        while (tree_len(subject->tree) != 0) {
            (void)observe_key(subject, key, &is_there);
        }
        assert_ok(masstree_held_finish(&held, cases[i].action, 7, NULL));
        assert_int_equal(0, pthread_join(thread, NULL));
        bool sets = cases[i].action == MASSTREE_UPDATE_SET;
        assert_consistent(subject->tree);
        assert_int_equal(sets ? 1 : 0, tree_len(subject->tree));
        assert_int_equal(1, leaves_of(subject));
        put_key(subject, NULL, number_key(77));
        assert_ok(masstree_clear(subject->tree, NULL));
        masstree_guard_refresh(subject->guard);
    }
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
            assert_ok(hold_key(subject, key, 0, &held, NULL));
            assert_ok(masstree_held_finish(&held, MASSTREE_UPDATE_REMOVE, 0, &old));
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

/* Holds each key that a scan meets, and changes it or what is beside it. */
static int32_t hold_what_is_met(const void *key, size_t key_len, uint64_t value, void *ctx)
{
    static const int32_t actions[] = {MASSTREE_UPDATE_SET, MASSTREE_UPDATE_REMOVE,
                                      MASSTREE_UPDATE_KEEP};
    const struct subject *subject = ctx;
    unsigned char next[9] = {0};
    masstree_held_t held;
    uint64_t number = 0;
    uint64_t found = 0;
    REQUIRE(masstree_u64_from_key(key, key_len, &number) == MASSTREE_OK);
    REQUIRE(masstree_hold(subject->tree, subject->guard, key, key_len, 0, &held, &found) ==
            MASSTREE_OK);
    REQUIRE(found == value);
    REQUIRE(masstree_held_finish(&held, actions[number % 3], 7, NULL) == MASSTREE_OK);
    /* Behind the key, before the next one: not to be met. */
    memcpy(next, key, 8);
    REQUIRE(masstree_hold(subject->tree, subject->guard, next, 9, MASSTREE_HOLD_INSERT, &held,
                          NULL) == MASSTREE_NOT_FOUND);
    REQUIRE(masstree_held_finish(&held, MASSTREE_UPDATE_KEEP, 0, NULL) == MASSTREE_OK);
    return MASSTREE_CONTINUE;
}

static void visitors_of_scans_may_hold(void **state)
{
    struct subject *subject = *state;
    enum { KEYS = 300 };
    for (uint32_t reverse = 0; reverse < 2; reverse++) {
        masstree_range_t range = MASSTREE_RANGE_INIT;
        size_t visited = 0;
        range.flags = reverse ? MASSTREE_SCAN_REVERSE : 0;
        for (uint64_t i = 0; i < KEYS; i++) {
            put_key(subject, NULL, number_key(i));
        }
        assert_ok(masstree_scan(subject->tree, subject->guard, &range, hold_what_is_met, subject,
                                &visited));
        assert_int_equal(KEYS, visited);
        assert_int_equal(KEYS / 3 * 2, tree_len(subject->tree));
        for (uint64_t i = 0; i < KEYS; i++) {
            uint64_t value = 0;
            assert_status(i % 3 == 1 ? MASSTREE_NOT_FOUND : MASSTREE_OK,
                          masstree_get_u64(subject->tree, NULL, i, &value));
            assert_int_equal(i % 3 == 0 ? 7 : i % 3 == 1 ? 0 : 1, value);
        }
        assert_consistent(subject->tree);
        masstree_guard_refresh(subject->guard);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_WORDS(every_action_does_what_the_model_says),
        WITH_WORDS(room_for_nothing_leaves_no_empty_leaf),
        WITH_WORDS(keys_that_are_held_and_set_make_the_tree_that_puts_make),
        WITH_WORDS(leaf_without_a_key_may_be_the_last),
        WITH_WORDS(leaf_of_an_emptied_tree_can_be_held),
        WITH_WORDS(visitors_of_scans_may_hold),
    };
    return cmocka_run_group_tests_name("held", tests, NULL, NULL);
}
