/* What clear leaves behind. */
#include "reclaim/objects.h"

/* Clear. Values are addresses of objects that their destructor flags. */
static void destroy_object(uint64_t value, void *ctx)
{
    struct object *object = (struct object *)(uintptr_t)value;
    REQUIRE(atomic_fetch_add(&object->freed, 1) == 0);
    atomic_fetch_add((atomic_size_t *)ctx, 1);
}

static masstree_t *new_tree_of_objects(struct allocator *allocator, atomic_size_t *destroyed)
{
    masstree_options_t options = allocator_options(allocator, MASSTREE_VALUES_WORDS);
    masstree_t *tree = NULL;
    options.value_destructor = destroy_object;
    options.value_ctx = destroyed;
    assert_ok(masstree_create(&options, &tree));
    return tree;
}

static void clearing_empties_the_tree_and_destroys_each_value_once(void **state)
{
    (void)state;
    for (enum family family = 0; family < FAMILIES; family++) {
        enum { OBJECTS = 3000, TURNS = 4 };
        struct object *objects = new_objects(OBJECTS * TURNS);
        struct allocator allocator;
        atomic_size_t destroyed = 0;
        allocator_start(&allocator);
        masstree_t *tree = new_tree_of_objects(&allocator, &destroyed);
        assert_ok(masstree_clear(tree, NULL)); /* an empty tree */
        for (size_t turn = 0; turn < TURNS; turn++) {
            for (uint64_t number = 0; number < OBJECTS; number++) {
                unsigned char key[FAMILY_KEY_MAX];
                size_t len = family_key(family, number, key);
                uint64_t value = (uintptr_t)&objects[turn * OBJECTS + number];
                assert_ok(masstree_insert(tree, NULL, key, len, value, NULL));
            }
            assert_int_equal(OBJECTS, tree_len(tree));
            masstree_guard_t *guard = turn % 2 == 0 ? NULL : new_guard(tree);
            assert_ok(masstree_clear(tree, guard));
            assert_int_equal(0, tree_len(tree));
            assert_consistent(tree);
            for (uint64_t number = 0; number < OBJECTS; number++) {
                unsigned char key[FAMILY_KEY_MAX];
                size_t len = family_key(family, number, key);
                assert_status(MASSTREE_NOT_FOUND, masstree_get(tree, guard, key, len, NULL));
            }
            masstree_guard_leave(guard);
        }
        /* The last ones wait until they are submitted. */
        assert_ok(masstree_flush(tree, NULL));
        end_tree(tree);
        assert_int_equal(OBJECTS * TURNS, atomic_load(&destroyed));
        assert_int_equal(OBJECTS * TURNS, freed_of(objects, OBJECTS * TURNS));
        allocator_end(&allocator);
        free(objects);
    }
}

static void cleared_values_live_as_long_as_guards_of_the_moment(void **state)
{
    (void)state;
    enum { OBJECTS = 1000 };
    struct object *objects = new_objects(OBJECTS);
    struct allocator allocator;
    atomic_size_t destroyed = 0;
    allocator_start(&allocator);
    masstree_t *tree = new_tree_of_objects(&allocator, &destroyed);
    for (uint64_t number = 0; number < OBJECTS; number++) {
        assert_ok(masstree_put_u64(tree, NULL, number, (uintptr_t)&objects[number]));
    }
    masstree_guard_t *guard = new_guard(tree);
    assert_ok(masstree_clear(tree, NULL));
    assert_ok(masstree_flush(tree, NULL));
    assert_int_equal(0, freed_of(objects, OBJECTS));
    masstree_guard_leave(guard);
    assert_ok(masstree_barrier(tree));
    assert_int_equal(OBJECTS, freed_of(objects, OBJECTS));
    end_tree(tree);
    assert_int_equal(OBJECTS, atomic_load(&destroyed));
    allocator_end(&allocator);
    free(objects);
}

static void clear_frees_memory(void **state)
{
    (void)state;
    struct allocator allocator;
    allocator_start(&allocator);
    masstree_t *tree = new_tree_of(&allocator, MASSTREE_VALUES_BYTES);
    size_t first = 0;
    for (unsigned turn = 0; turn < 10; turn++) {
        for (uint64_t number = 0; number < 3000; number++) {
            unsigned char key[FAMILY_KEY_MAX];
            size_t len = family_key(FAMILY_PREFIX16, number, key);
            assert_ok(masstree_put_bytes(tree, NULL, key, len, key, len));
        }
        assert_ok(masstree_clear(tree, NULL));
        assert_ok(masstree_barrier(tree));
        if (turn == 0) {
            first = allocator_bytes(&allocator);
        }
        assert_in_range(allocator_bytes(&allocator), 0, first + first / 4);
    }
    end_tree(tree);
    allocator_end(&allocator);
}

/* Readers hold values while a third thread fills and clears. */
struct clearing {
    masstree_t *tree;
    struct object *objects;
    size_t rounds;
    size_t each;
    unsigned thread;
    atomic_bool *done;
    bool clears;
    size_t inserted;
};

static void insert_and_clear(void *arg)
{
    struct clearing *clearing = arg;
    struct object *own = clearing->objects + clearing->thread * clearing->rounds * clearing->each;
    for (size_t round = 0; round < clearing->rounds; round++) {
        for (size_t i = 0; i < clearing->each; i++) {
            unsigned char key[FAMILY_KEY_MAX];
            size_t len = family_key(i % FAMILIES, i / FAMILIES, key);
            uint64_t value = (uintptr_t)&own[round * clearing->each + i];
            int32_t status = masstree_insert(clearing->tree, NULL, key, len, value, NULL);
            REQUIRE(status == MASSTREE_OK || status == MASSTREE_EXISTS);
            clearing->inserted += status == MASSTREE_OK ? 1 : 0;
        }
        if (clearing->clears) {
            REQUIRE(masstree_clear(clearing->tree, NULL) == MASSTREE_OK);
        }
    }
    if (clearing->done != NULL) {
        atomic_store(clearing->done, true);
    }
}

static int32_t require_alive(const void *key, size_t key_len, uint64_t value, void *ctx)
{
    (void)key;
    (void)key_len;
    REQUIRE(atomic_load(&((struct object *)(uintptr_t)value)->freed) == 0);
    ++*(size_t *)ctx;
    return MASSTREE_VISIT_CONTINUE;
}

static void read_under_guards(void *arg)
{
    struct clearing *clearing = arg;
    enum { KEPT = 50 };
    uint64_t random = 1;
    while (!atomic_load(clearing->done)) {
        masstree_guard_t *guard = NULL;
        struct object *kept[KEPT];
        size_t seen = 0;
        REQUIRE(masstree_guard_enter(clearing->tree, &guard) == MASSTREE_OK);
        for (size_t i = 0; i < KEPT; i++) {
            unsigned char key[FAMILY_KEY_MAX];
            size_t place = random_below(&random, clearing->each);
            size_t len = family_key(place % FAMILIES, place / FAMILIES, key);
            uint64_t value = 0;
            masstree_get(clearing->tree, guard, key, len, &value);
            kept[i] = (struct object *)(uintptr_t)value;
        }
        REQUIRE(masstree_scan(clearing->tree, guard, NULL, require_alive, &seen, NULL) ==
                MASSTREE_OK);
        for (size_t i = 0; i < KEPT; i++) {
            REQUIRE(kept[i] == NULL || atomic_load(&kept[i]->freed) == 0);
        }
        masstree_guard_leave(guard);
    }
}

static void readers_are_safe_while_the_tree_is_cleared(void **state)
{
    (void)state;
    atomic_bool done = false;
    atomic_size_t destroyed = 0;
    struct allocator allocator;
    allocator_start(&allocator);
    struct clearing args[] = {{.rounds = scaled(400), .each = 500, .done = &done, .clears = true},
                              {.each = 500, .done = &done}};
    args[0].objects = new_objects(args[0].rounds * args[0].each);
    args[0].tree = args[1].tree = new_tree_of_objects(&allocator, &destroyed);
    void (*const run[])(void *) = {insert_and_clear, read_under_guards};
    run_together(2, run, args, sizeof args[0]);
    end_tree(args[0].tree);
    assert_int_equal(args[0].rounds * args[0].each, args[0].inserted);
    assert_int_equal(args[0].inserted, atomic_load(&destroyed));
    allocator_end(&allocator);
    free(args[0].objects);
}

static void insertions_and_clears_at_once_add_up(void **state)
{
    (void)state;
    atomic_size_t destroyed = 0;
    struct allocator allocator;
    allocator_start(&allocator);
    size_t rounds = scaled(400);
    size_t each = 300;
    struct clearing args[] = {{.clears = true}, {.clears = true}, {.clears = false}};
    struct object *objects = new_objects(COUNT(args) * rounds * each);
    masstree_t *tree = new_tree_of_objects(&allocator, &destroyed);
    for (unsigned i = 0; i < COUNT(args); i++) {
        args[i].tree = tree;
        args[i].objects = objects;
        args[i].rounds = rounds;
        args[i].each = each;
        args[i].thread = i;
    }
    void (*const run[])(void *) = {insert_and_clear, insert_and_clear, insert_and_clear};
    run_together(COUNT(args), run, args, sizeof args[0]);
    assert_consistent(tree);
    uint64_t left = tree_len(tree);
    size_t seen = 0;
    assert_ok(masstree_scan(tree, NULL, NULL, require_alive, &seen, NULL));
    assert_int_equal(left, seen);
    size_t inserted = args[0].inserted + args[1].inserted + args[2].inserted;
    assert_ok(masstree_barrier(tree));
    /* At the latest here, garbage of other threads is freed. */
    masstree_destroy(tree);
    assert_int_equal(inserted, atomic_load(&destroyed));
    allocator_end(&allocator);
    free(objects);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clearing_empties_the_tree_and_destroys_each_value_once),
        cmocka_unit_test(cleared_values_live_as_long_as_guards_of_the_moment),
        cmocka_unit_test(clear_frees_memory),
        cmocka_unit_test(readers_are_safe_while_the_tree_is_cleared),
        cmocka_unit_test(insertions_and_clears_at_once_add_up),
    };
    return cmocka_run_group_tests_name("clear", tests, NULL, NULL);
}
