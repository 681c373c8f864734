/* Threads on one tree: writers with their own keys, writers on shared keys,
   readers, scanners in both directions. Work is counted, not timed: writers run
   a number of steps, readers and scanners continue until the writers are done.

   In each family of keys, with many keys (the tree grows deep) and with few (its
   leaves and layers empty and fill all the time: known-failures rows 4, 5, 6):

   - operations of a thread on its own keys return what its model says (no insert
     is lost, row 4), and the final state is the model's;
   - on shared keys the successful inserts and removes add up;
   - every look-up finds keys that are never touched, and every full scan visits
     them exactly once; scans are strictly ordered. */
#include "support.h"

#include <stdatomic.h>

enum { OWNERS = 2, SHARERS = 2, KINDS = 4 };

/* The role of a key number. */
enum kind { STABLE, OWNED_BY_FIRST, OWNED_BY_SECOND, SHARED };

static enum kind kind_of(uint64_t number)
{
    return (enum kind)(number % KINDS);
}

struct field {
    masstree_t *tree;
    enum family family;
    uint64_t each;        /* keys of each kind */
    size_t steps;         /* of each writer */
    atomic_int *balance;  /* for each shared key: successful inserts less removes */
    uint64_t *owned;      /* for each owned key: its value, 0 if absent */
    atomic_int writers;   /* threads still working */
    atomic_size_t scans;  /* steps done by all */
};

struct worker {
    struct field *field;
    uint64_t seed;
    unsigned owner;
};

static uint64_t number_of(enum kind kind, uint64_t i)
{
    return i * KINDS + (uint64_t)kind;
}

/* Values identify their key: the number in the high bits, a distinguishing one in the low bits. */
static uint64_t value_of(uint64_t number, uint64_t mark)
{
    return number << 24 | (mark & 0xFFFFFF);
}

struct key {
    unsigned char bytes[FAMILY_KEY_MAX];
    size_t len;
};

static struct key key_of(const struct field *field, uint64_t number)
{
    struct key key;
    key.len = family_key(field->family, number, key.bytes);
    return key;
}

/* One step on an owned key; `held` is its value, 0 for none. Returns the new one. */
static uint64_t own_step(struct worker *worker, masstree_guard_t *guard, uint64_t number,
                         uint64_t held, uint64_t step)
{
    masstree_t *tree = worker->field->tree;
    struct key key = key_of(worker->field, number);
    uint64_t fresh = value_of(number, step + 1);
    uint64_t found = 0;
    int32_t status;
    switch (random_below(&worker->seed, 5)) {
    case 0:
        status = masstree_insert(tree, guard, key.bytes, key.len, fresh, &found);
        REQUIRE(status == (held != 0 ? MASSTREE_EXISTS : MASSTREE_OK));
        REQUIRE(found == held);
        return held != 0 ? held : fresh;
    case 1:
        status = masstree_exchange(tree, guard, key.bytes, key.len, fresh, &found);
        REQUIRE(status == (held != 0 ? MASSTREE_OK : MASSTREE_NOT_FOUND));
        REQUIRE(found == held);
        return fresh;
    case 2:
        REQUIRE(masstree_put(tree, guard, key.bytes, key.len, fresh) == MASSTREE_OK);
        return fresh;
    default:
        status = masstree_remove(tree, guard, key.bytes, key.len, &found);
        REQUIRE(status == (held != 0 ? MASSTREE_OK : MASSTREE_NOT_FOUND));
        REQUIRE(found == held);
        return 0;
    }
}

static void write_owned_keys(void *arg)
{
    struct worker *worker = arg;
    struct field *field = worker->field;
    enum kind kind = worker->owner == 0 ? OWNED_BY_FIRST : OWNED_BY_SECOND;
    uint64_t *held = field->owned + worker->owner * field->each;
    masstree_guard_t *guard = NULL;
    REQUIRE(masstree_guard_enter(field->tree, &guard) == MASSTREE_OK);
    for (size_t step = 0; step < field->steps; step++) {
        uint64_t i = random_below(&worker->seed, field->each);
        masstree_guard_t *with = step % 2 == 0 ? guard : NULL;
        held[i] = own_step(worker, with, number_of(kind, i), held[i], step);
        struct key key = key_of(field, number_of(kind, i));
        uint64_t found = 0;
        int32_t status = masstree_get(field->tree, with, key.bytes, key.len, &found);
        REQUIRE(status == (held[i] != 0 ? MASSTREE_OK : MASSTREE_NOT_FOUND));
        REQUIRE(found == held[i]);
        if (step % 128 == 0) {
            masstree_guard_refresh(guard);
        }
    }
    masstree_guard_leave(guard);
    atomic_fetch_sub(&field->writers, 1);
}

static void write_shared_keys(void *arg)
{
    struct worker *worker = arg;
    struct field *field = worker->field;
    for (size_t step = 0; step < field->steps; step++) {
        uint64_t i = random_below(&worker->seed, field->each);
        uint64_t number = number_of(SHARED, i);
        struct key key = key_of(field, number);
        uint64_t found = value_of(number, 0);
        int32_t status;
        if (random_below(&worker->seed, 2) == 0) {
            status = masstree_insert(field->tree, NULL, key.bytes, key.len,
                                     value_of(number, step), &found);
            REQUIRE(status == MASSTREE_OK || status == MASSTREE_EXISTS);
            atomic_fetch_add(&field->balance[i], status == MASSTREE_OK ? 1 : 0);
        } else {
            status = masstree_remove(field->tree, NULL, key.bytes, key.len, &found);
            REQUIRE(status == MASSTREE_OK || status == MASSTREE_NOT_FOUND);
            atomic_fetch_sub(&field->balance[i], status == MASSTREE_OK ? 1 : 0);
        }
        REQUIRE(found >> 24 == number);
    }
    atomic_fetch_sub(&field->writers, 1);
}

static void read_keys(void *arg)
{
    struct worker *worker = arg;
    struct field *field = worker->field;
    do {
        masstree_guard_t *guard = NULL;
        REQUIRE(masstree_guard_enter(field->tree, &guard) == MASSTREE_OK);
        for (unsigned turn = 0; turn < 100; turn++) {
            uint64_t number = random_below(&worker->seed, field->each * KINDS);
            struct key key = key_of(field, number);
            uint64_t found = value_of(number, 0);
            int32_t status = masstree_get(field->tree, guard, key.bytes, key.len, &found);
            REQUIRE(status == MASSTREE_OK ||
                    (status == MASSTREE_NOT_FOUND && kind_of(number) != STABLE));
            REQUIRE(found >> 24 == number);
        }
        masstree_guard_leave(guard);
    } while (atomic_load(&field->writers) > 0);
}

struct scanning {
    struct field *field;
    bool reverse;
    struct key last;
    size_t visited;
    size_t stable;
};

static int32_t check_visited(const void *key, size_t key_len, uint64_t value, void *ctx)
{
    struct scanning *scanning = ctx;
    uint64_t number = 0;
    REQUIRE(family_number(scanning->field->family, key, key_len, &number));
    REQUIRE(value >> 24 == number);
    if (scanning->visited++ > 0) {
        int order = compare_keys(scanning->last.bytes, scanning->last.len, key, key_len);
        REQUIRE(scanning->reverse ? order > 0 : order < 0);
    }
    memcpy(scanning->last.bytes, key, key_len);
    scanning->last.len = key_len;
    scanning->stable += kind_of(number) == STABLE ? 1 : 0;
    return MASSTREE_VISIT_CONTINUE;
}

/* The keys are strictly ordered, so as many stable ones as exist means each exactly once. */
static void scan_all(struct worker *worker, bool reverse)
{
    struct field *field = worker->field;
    struct scanning scanning = {.field = field, .reverse = reverse};
    masstree_range_t range = MASSTREE_RANGE_INIT;
    size_t visited = SIZE_MAX;
    range.flags = reverse ? MASSTREE_SCAN_REVERSE : 0;
    REQUIRE(masstree_scan(field->tree, NULL, &range, check_visited, &scanning, &visited) ==
            MASSTREE_OK);
    REQUIRE(visited == scanning.visited);
    REQUIRE(scanning.stable == field->each);
    atomic_fetch_add(&field->scans, 1);
}

/* Also scans that start in the middle, at a key inside a layer that grows or shrinks meanwhile
   (row 3): a stable start is its own first key. */
static void scan_from_the_middle(struct worker *worker, bool reverse)
{
    struct field *field = worker->field;
    struct scanning scanning = {.field = field, .reverse = reverse};
    struct key bound = key_of(field, number_of(STABLE, random_below(&worker->seed, field->each)));
    masstree_range_t range = MASSTREE_RANGE_INIT;
    range.limit = 1;
    range.lower = range.upper = bound.bytes;
    range.lower_len = range.upper_len = bound.len;
    *(reverse ? &range.upper_bound : &range.lower_bound) = MASSTREE_BOUND_INCLUSIVE;
    range.flags = reverse ? MASSTREE_SCAN_REVERSE : 0;
    REQUIRE(masstree_scan(field->tree, NULL, &range, check_visited, &scanning, NULL) ==
            MASSTREE_OK);
    REQUIRE(scanning.visited == 1 && scanning.stable == 1);
    REQUIRE(compare_keys(scanning.last.bytes, scanning.last.len, bound.bytes, bound.len) == 0);
    range.limit = 40;
    scanning = (struct scanning){.field = field, .reverse = reverse};
    REQUIRE(masstree_scan(field->tree, NULL, &range, check_visited, &scanning, NULL) ==
            MASSTREE_OK);
}

static void scan_until_writers_are_done(struct worker *worker, bool reverse)
{
    do {
        scan_all(worker, reverse);
        for (unsigned turn = 0; turn < 20; turn++) {
            scan_from_the_middle(worker, reverse);
        }
    } while (atomic_load(&worker->field->writers) > 0);
}

static void scan_forward(void *arg)
{
    scan_until_writers_are_done(arg, false);
}

static void scan_backward(void *arg)
{
    scan_until_writers_are_done(arg, true);
}

static void assert_key_is(const struct field *field, uint64_t number, bool present, uint64_t value)
{
    struct key key = key_of(field, number);
    uint64_t found = 0;
    assert_status(present ? MASSTREE_OK : MASSTREE_NOT_FOUND,
                  masstree_get(field->tree, NULL, key.bytes, key.len, &found));
    if (present && value != 0) {
        assert_int_equal(value, found);
    }
}

static void assert_end_state(const struct field *field)
{
    uint64_t expected = 0;
    for (uint64_t i = 0; i < field->each; i++) {
        int balance = atomic_load(&field->balance[i]);
        assert_in_range(balance, 0, 1);
        uint64_t first = field->owned[i];
        uint64_t second = field->owned[field->each + i];
        assert_key_is(field, number_of(STABLE, i), true, value_of(number_of(STABLE, i), 1));
        assert_key_is(field, number_of(OWNED_BY_FIRST, i), first != 0, first);
        assert_key_is(field, number_of(OWNED_BY_SECOND, i), second != 0, second);
        assert_key_is(field, number_of(SHARED, i), balance == 1, 0);
        expected += 1 + (first != 0) + (second != 0) + (uint64_t)balance;
    }
    struct worker worker = {.field = (struct field *)field};
    scan_all(&worker, false);
    scan_all(&worker, true);
    assert_consistent(field->tree);
    assert_int_equal(expected, tree_len(field->tree));
}

static void put_stable_keys(const struct field *field)
{
    for (uint64_t i = 0; i < field->each; i++) {
        uint64_t number = number_of(STABLE, i);
        struct key key = key_of(field, number);
        assert_ok(masstree_put(field->tree, NULL, key.bytes, key.len, value_of(number, 1)));
    }
}

static void work_together(enum family family, uint64_t each, size_t steps)
{
    void (*const run[])(void *) = {write_owned_keys,  write_owned_keys,  read_keys,   scan_forward,
                                   write_shared_keys, write_shared_keys, scan_backward};
    struct worker workers[COUNT(run)];
    struct field field = {.tree = new_tree(), .family = family, .each = each, .steps = steps};
    field.balance = calloc(each, sizeof *field.balance);
    field.owned = calloc(OWNERS * each, sizeof *field.owned);
    assert_true(field.balance != NULL && field.owned != NULL);
    atomic_init(&field.writers, OWNERS + SHARERS);
    put_stable_keys(&field);
    for (unsigned i = 0; i < COUNT(workers); i++) {
        workers[i] = (struct worker){&field, 1000 * (uint64_t)family + i, i % OWNERS};
    }
    run_together(COUNT(run), run, workers, sizeof workers[0]);
    assert_end_state(&field);
    print_message("%s, %u keys of each kind: %zu full scans\n", family_name(family),
                  (unsigned)each, atomic_load(&field.scans));
    free(field.balance);
    free(field.owned);
    end_tree(field.tree);
}

static void threads_agree_on_a_tree_that_grows(void **state)
{
    (void)state;
    for (enum family family = 0; family < FAMILIES; family++) {
        work_together(family, scaled(20000), scaled(500000));
    }
}

static void threads_agree_on_leaves_that_empty_and_fill(void **state)
{
    (void)state;
    for (enum family family = 0; family < FAMILIES; family++) {
        work_together(family, 12, scaled(1000000));
    }
}

/* Without stable keys beside them, whole layers are made and collapse, down to the empty tree
   (known-failures rows 5 and 6). */
struct lone {
    masstree_t *tree;
    enum family family;
    unsigned index;
    size_t steps;
    atomic_int *writers;
};

static int32_t check_order_only(const void *key, size_t key_len, uint64_t value, void *ctx)
{
    struct scanning *scanning = ctx;
    (void)value;
    REQUIRE(key_len <= FAMILY_KEY_MAX);
    if (scanning->visited++ > 0) {
        int order = compare_keys(scanning->last.bytes, scanning->last.len, key, key_len);
        REQUIRE(scanning->reverse ? order > 0 : order < 0);
    }
    memcpy(scanning->last.bytes, key, key_len);
    scanning->last.len = key_len;
    return MASSTREE_VISIT_CONTINUE;
}

/* Inserts its own keys and removes them again, repeatedly. */
static void fill_and_empty(void *arg)
{
    struct lone *lone = arg;
    for (size_t step = 0; step < lone->steps; step++) {
        unsigned char key[FAMILY_KEY_MAX];
        uint64_t found = 0;
        size_t keys = 1 + step % 20;
        for (size_t i = 0; i < keys; i++) {
            size_t len = family_key(lone->family, 2 * i + lone->index, key);
            REQUIRE(masstree_insert(lone->tree, NULL, key, len, step, NULL) == MASSTREE_OK);
        }
        for (size_t i = 0; i < keys; i++) {
            size_t at = step % 2 == 0 ? i : keys - 1 - i;
            size_t len = family_key(lone->family, 2 * at + lone->index, key);
            REQUIRE(masstree_remove(lone->tree, NULL, key, len, &found) == MASSTREE_OK);
            REQUIRE(found == step);
        }
    }
    atomic_fetch_sub(lone->writers, 1);
}

static void scan_both_ways(void *arg)
{
    struct lone *lone = arg;
    do {
        for (uint32_t flags = 0; flags <= MASSTREE_SCAN_REVERSE; flags++) {
            struct scanning scanning = {.reverse = flags != 0};
            masstree_range_t range = MASSTREE_RANGE_INIT;
            range.flags = flags;
            REQUIRE(masstree_scan(lone->tree, NULL, &range, check_order_only, &scanning, NULL) ==
                    MASSTREE_OK);
            REQUIRE(scanning.visited <= 40);
        }
    } while (atomic_load(lone->writers) > 0);
}

static void layers_come_and_go_under_scans(void **state)
{
    (void)state;
    for (enum family family = 0; family < FAMILIES; family++) {
        atomic_int writers = 2;
        masstree_t *tree = new_tree();
        void (*const run[])(void *) = {fill_and_empty, fill_and_empty, scan_both_ways};
        struct lone lones[COUNT(run)];
        for (unsigned i = 0; i < COUNT(lones); i++) {
            lones[i] = (struct lone){tree, family, i, scaled(50000), &writers};
        }
        run_together(COUNT(run), run, lones, sizeof lones[0]);
        assert_int_equal(0, tree_len(tree));
        end_tree(tree);
    }
}

/* All threads insert the same keys in the same order. */
struct racer {
    masstree_t *tree;
    enum family family;
    uint64_t keys;
    uint64_t won;
    uint64_t index;
};

static void insert_all(void *arg)
{
    struct racer *racer = arg;
    for (uint64_t number = 0; number < racer->keys; number++) {
        unsigned char key[FAMILY_KEY_MAX];
        size_t len = family_key(racer->family, number, key);
        uint64_t present = racer->index;
        int32_t status =
            masstree_insert(racer->tree, NULL, key, len, racer->index, &present);
        REQUIRE(status == MASSTREE_OK || status == MASSTREE_EXISTS);
        racer->won += status == MASSTREE_OK ? 1 : 0;
        uint64_t found = UINT64_MAX;
        REQUIRE(masstree_get(racer->tree, NULL, key, len, &found) == MASSTREE_OK);
        REQUIRE(found == present);
    }
}

static void of_several_inserts_of_one_key_exactly_one_wins(void **state)
{
    (void)state;
    for (enum family family = 0; family < FAMILIES; family++) {
        masstree_t *tree = new_tree();
        void (*const run[])(void *) = {insert_all, insert_all, insert_all, insert_all};
        struct racer racers[COUNT(run)];
        uint64_t won = 0;
        for (unsigned i = 0; i < COUNT(racers); i++) {
            racers[i] = (struct racer){tree, family, scaled(200000), 0, i};
        }
        run_together(COUNT(run), run, racers, sizeof racers[0]);
        for (unsigned i = 0; i < COUNT(racers); i++) {
            won += racers[i].won;
        }
        assert_int_equal(racers[0].keys, won);
        assert_int_equal(racers[0].keys, tree_len(tree));
        end_tree(tree);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_agree_on_a_tree_that_grows),
        cmocka_unit_test(threads_agree_on_leaves_that_empty_and_fill),
        cmocka_unit_test(layers_come_and_go_under_scans),
        cmocka_unit_test(of_several_inserts_of_one_key_exactly_one_wins),
    };
    return cmocka_run_group_tests_name("threads", tests, NULL, NULL);
}
