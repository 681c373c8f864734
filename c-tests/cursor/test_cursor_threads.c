/* Cursors in a tree that another thread changes. */
#include "support.h"

#include <stdatomic.h>

/* One thread inserts and removes keys, with whole leaves and layers, while another walks. Of
   three consecutive numbers the first is stable; the second is its neighbour in the same layers;
   the third extends a stable one, twelve of these in layers that contain nothing else. */
struct churn {
    masstree_t *tree;
    enum family family;
    uint64_t numbers;
    size_t rounds;
    atomic_bool done;
    atomic_size_t walks;
};

enum { CHURN_KEY_MAX = FAMILY_KEY_MAX + 20 };

static size_t churn_key(const struct churn *churn, uint64_t number, unsigned char *key)
{
    if (number % 3 != 2) {
        return family_key(churn->family, number, key);
    }
    size_t len = family_key(churn->family, number - number % 36, key);
    memset(key + len, 'z', 17);
    key[len + 17] = (unsigned char)(number % 251);
    return len + 18;
}

static void churn_keys(void *arg)
{
    struct churn *churn = *(struct churn **)arg;
    uint64_t random = 3;
    /* Until there were enough rounds, and at least one walk in each direction. */
    for (size_t round = 0; round < churn->rounds || atomic_load(&churn->walks) < 2; round++) {
        for (unsigned phase = 0; phase < 2; phase++) {
            bool scattered = random_below(&random, 2) == 0;
            for (uint64_t i = 0; i < churn->numbers; i++) {
                unsigned char key[CHURN_KEY_MAX];
                uint64_t number = scattered ? i * 7919 % churn->numbers : i;
                if (number % 3 == 0) {
                    continue;
                }
                size_t len = churn_key(churn, number, key);
                if (phase == 0) {
                    REQUIRE(masstree_put(churn->tree, NULL, key, len, number) == MASSTREE_OK);
                } else {
                    REQUIRE(masstree_remove(churn->tree, NULL, key, len, NULL) == MASSTREE_OK);
                }
            }
        }
        REQUIRE(masstree_maintain(churn->tree, NULL, 100, NULL) >= MASSTREE_OK);
    }
    atomic_store(&churn->done, true);
}

struct walker {
    struct churn *churn;
    masstree_cursor_t *cursor;
    unsigned char last[CHURN_KEY_MAX];
    size_t last_len;
    size_t met;
    size_t stable;
};

static void meet(struct walker *walker, bool reverse, masstree_slice_t key, uint64_t value)
{
    unsigned char expected[CHURN_KEY_MAX];
    REQUIRE(value < walker->churn->numbers);
    size_t len = churn_key(walker->churn, value, expected);
    REQUIRE(compare_keys(expected, len, key.data, key.len) == 0);
    if (walker->met++ > 0) {
        int order = compare_keys(walker->last, walker->last_len, key.data, key.len);
        REQUIRE(reverse ? order > 0 : order < 0);
    }
    memcpy(walker->last, expected, len);
    walker->last_len = len;
    walker->stable += value % 3 == 0 ? 1 : 0;
}

static int32_t walk_one(struct walker *walker, bool reverse)
{
    int32_t status = reverse ? masstree_cursor_prev(walker->cursor)
                             : masstree_cursor_next(walker->cursor);
    if (status == MASSTREE_OK) {
        masstree_slice_t key = {NULL, 0};
        uint64_t value = UINT64_MAX;
        REQUIRE(masstree_cursor_key(walker->cursor, &key) == MASSTREE_OK);
        REQUIRE(masstree_cursor_value(walker->cursor, &value) == MASSTREE_OK);
        meet(walker, reverse, key, value);
    }
    return status;
}

static int32_t walk_many(struct walker *walker, bool reverse)
{
    enum { CAPACITY = 23 };
    masstree_slice_t keys[CAPACITY];
    uint64_t values[CAPACITY];
    size_t count = 0;
    int32_t status = reverse
                         ? masstree_cursor_prev_many(walker->cursor, keys, values, CAPACITY,
                                                     &count)
                         : masstree_cursor_next_many(walker->cursor, keys, values, CAPACITY,
                                                     &count);
    for (size_t i = 0; i < count; i++) {
        meet(walker, reverse, keys[i], values[i]);
    }
    return status;
}

/* The keys are strictly ordered, so as many stable ones as exist means each exactly once. */
static void walk_all(struct churn *churn, bool reverse, unsigned turn)
{
    struct walker walker = {.churn = churn};
    int32_t status;
    size_t steps = 0;
    REQUIRE(masstree_cursor_open(churn->tree, NULL, &walker.cursor) == MASSTREE_OK);
    do {
        status = turn % 3 == 0 ? walk_many(&walker, reverse) : walk_one(&walker, reverse);
        if (turn % 3 == 1 && ++steps % 5 == 0) {
            masstree_cursor_refresh(walker.cursor);
        }
    } while (status == MASSTREE_OK);
    REQUIRE(status == MASSTREE_END);
    REQUIRE(walker.stable == (churn->numbers + 2) / 3);
    masstree_cursor_close(walker.cursor);
    atomic_fetch_add(&churn->walks, 1);
}

static void walk_both_ways(void *arg)
{
    struct churn *churn = *(struct churn **)arg;
    for (unsigned turn = 0; !atomic_load(&churn->done); turn++) {
        walk_all(churn, turn % 2 != 0, turn);
    }
}

static void walks_meet_stable_keys_once_while_others_come_and_go(void **state)
{
    (void)state;
    static const uint64_t sizes[] = {60, 900};
    for (enum family family = 0; family < FAMILIES; family++) {
        for (size_t i = 0; i < COUNT(sizes); i++) {
            struct churn churn = {.tree = new_tree(), .family = family, .numbers = sizes[i]};
            churn.rounds = scaled(90000 / sizes[i]);
            atomic_init(&churn.done, false);
            atomic_init(&churn.walks, 0);
            for (uint64_t number = 0; number < churn.numbers; number += 3) {
                unsigned char key[CHURN_KEY_MAX];
                size_t len = churn_key(&churn, number, key);
                assert_ok(masstree_put(churn.tree, NULL, key, len, number));
            }
            struct churn *args[] = {&churn, &churn};
            void (*const run[])(void *) = {churn_keys, walk_both_ways};
            run_together(COUNT(run), run, args, sizeof args[0]);
            assert_int_equal((churn.numbers + 2) / 3, tree_len(churn.tree));
            end_tree(churn.tree);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(walks_meet_stable_keys_once_while_others_come_and_go),
    };
    return cmocka_run_group_tests_name("cursor_threads", tests, NULL, NULL);
}
