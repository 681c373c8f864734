/* Memory that readers may still hold: when retired objects are freed. */
#include "reclaim/objects.h"

static void retiring_without_a_way_to_free_is_invalid(void **state)
{
    (void)state;
    masstree_t *tree = new_tree();
    assert_status(MASSTREE_INVALID, masstree_retire(tree, NULL, tree, 8, NULL, NULL));
    end_tree(tree);
}

static void destroy_frees_garbage_once(void **state)
{
    (void)state;
    enum { OBJECTS = 1000 };
    struct object *objects = new_objects(OBJECTS);
    atomic_size_t count = 0;
    masstree_t *tree = new_tree();
    for (size_t i = 0; i < OBJECTS; i++) {
        objects[i].bytes = i;
        assert_ok(masstree_retire(tree, NULL, &objects[i], i, free_object, &count));
    }
    assert_ok(masstree_retire(tree, NULL, &objects[0], 0, free_object, NULL));
    end_tree(tree);
    assert_int_equal(OBJECTS, atomic_load(&count));
    assert_int_equal(2, atomic_load(&objects[0].freed));
    for (size_t i = 1; i < OBJECTS; i++) {
        assert_int_equal(1, atomic_load(&objects[i].freed));
    }
    free(objects);
}

/* However it was retired: while the guard is held, nothing is freed. */
static void object_is_freed_only_after_the_guards_of_its_moment(void **state)
{
    (void)state;
    enum { OBJECTS = 300 };
    for (unsigned form = 0; form < 4; form++) {
        struct object *objects = new_objects(OBJECTS);
        masstree_t *tree = new_tree();
        masstree_guard_t *holding = new_guard(tree);
        masstree_guard_t *through = (form & 1) != 0 ? new_guard(tree) : NULL;
        for (size_t i = 0; i < OBJECTS; i++) {
            assert_ok(masstree_retire(tree, through, &objects[i], 0, free_object, NULL));
        }
        assert_ok(masstree_flush(tree, through));
        masstree_guard_leave(through);
        assert_int_equal(0, freed_of(objects, OBJECTS));
        if ((form & 2) != 0) {
            masstree_guard_refresh(holding);
        } else {
            masstree_guard_leave(holding);
            holding = NULL;
        }
        assert_int_equal(OBJECTS, freed_of(objects, OBJECTS));
        masstree_guard_leave(holding);
        end_tree(tree);
        assert_int_equal(OBJECTS, freed_of(objects, OBJECTS));
        free(objects);
    }
}

static void guard_that_retires_holds_until_it_is_refreshed(void **state)
{
    (void)state;
    struct object *objects = new_objects(100);
    masstree_t *tree = new_tree();
    masstree_guard_t *guard = new_guard(tree);
    for (size_t i = 0; i < 100; i++) {
        assert_ok(masstree_retire(tree, guard, &objects[i], 0, free_object, NULL));
    }
    assert_ok(masstree_flush(tree, guard));
    assert_int_equal(0, freed_of(objects, 100));
    masstree_guard_refresh(guard);
    assert_int_equal(100, freed_of(objects, 100));
    masstree_guard_leave(guard);
    end_tree(tree);
    free(objects);
}

/* A guard entered after the flush does not delay it. */
static void later_guards_hold_nothing_that_was_handed_over_before(void **state)
{
    (void)state;
    struct object *objects = new_objects(100);
    masstree_t *tree = new_tree();
    masstree_guard_t *before = new_guard(tree);
    for (size_t i = 0; i < 100; i++) {
        assert_ok(masstree_retire(tree, NULL, &objects[i], 0, free_object, NULL));
    }
    assert_ok(masstree_flush(tree, NULL));
    masstree_guard_t *after = new_guard(tree);
    masstree_guard_leave(before);
    assert_int_equal(100, freed_of(objects, 100));
    masstree_guard_leave(after);
    end_tree(tree);
    free(objects);
}

/* A single object would wait for its batch to fill. */
static void flush_submits_incomplete_batches(void **state)
{
    (void)state;
    for (unsigned form = 0; form < 2; form++) {
        struct object object = {.bytes = 10};
        masstree_t *tree = new_tree();
        masstree_guard_t *guard = form == 0 ? NULL : new_guard(tree);
        assert_ok(masstree_retire(tree, guard, &object, 10, free_object, NULL));
        assert_int_equal(0, atomic_load(&object.freed));
        assert_ok(masstree_flush(tree, guard));
        masstree_guard_leave(guard);
        assert_int_equal(1, atomic_load(&object.freed));
        end_tree(tree);
    }
}

/* Threads exchange objects under one key, read them under guards, and retire what they
   displaced: an object that is read was not freed. */
struct exchanging {
    masstree_t *tree;
    struct object *objects;
    size_t count; /* for each thread */
    unsigned thread;
};

static void exchange_and_retire(void *arg)
{
    struct exchanging *exchanging = arg;
    struct object *own = exchanging->objects + exchanging->thread * exchanging->count;
    for (size_t i = 0; i < exchanging->count; i++) {
        masstree_guard_t *guard = NULL;
        uint64_t word = 0;
        uint64_t key = i % 3;
        REQUIRE(masstree_guard_enter(exchanging->tree, &guard) == MASSTREE_OK);
        if (masstree_get_u64(exchanging->tree, guard, key, &word) == MASSTREE_OK) {
            REQUIRE(atomic_load(&((struct object *)(uintptr_t)word)->freed) == 0);
        }
        uint64_t old = 0;
        if (masstree_exchange_u64(exchanging->tree, guard, key, (uintptr_t)&own[i], &old) ==
            MASSTREE_OK) {
            struct object *displaced = (struct object *)(uintptr_t)old;
            REQUIRE(masstree_retire(exchanging->tree, i % 2 == 0 ? guard : NULL, displaced, 0,
                                    free_object, NULL) == MASSTREE_OK);
            REQUIRE(atomic_load(&displaced->freed) == 0);
        }
        if (word != 0) {
            REQUIRE(atomic_load(&((struct object *)(uintptr_t)word)->freed) == 0);
        }
        masstree_guard_leave(guard);
    }
}

static void objects_that_are_read_were_not_freed(void **state)
{
    (void)state;
    size_t count = scaled(100000);
    struct object *objects = new_objects(2 * count);
    masstree_t *tree = new_tree();
    struct exchanging args[] = {{tree, objects, count, 0}, {tree, objects, count, 1}};
    void (*const run[])(void *) = {exchange_and_retire, exchange_and_retire};
    run_together(2, run, args, sizeof args[0]);
    size_t left = tree_len(tree);
    end_tree(tree);
    assert_int_equal(2 * count - left, freed_of(objects, 2 * count));
    free(objects);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(retiring_without_a_way_to_free_is_invalid),
        cmocka_unit_test(destroy_frees_garbage_once),
        cmocka_unit_test(object_is_freed_only_after_the_guards_of_its_moment),
        cmocka_unit_test(guard_that_retires_holds_until_it_is_refreshed),
        cmocka_unit_test(later_guards_hold_nothing_that_was_handed_over_before),
        cmocka_unit_test(flush_submits_incomplete_batches),
        cmocka_unit_test(objects_that_are_read_were_not_freed),
    };
    return cmocka_run_group_tests_name("reclaim", tests, NULL, NULL);
}
