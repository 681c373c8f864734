/* Memory that readers may still hold: when retired objects are freed, what a barrier waits for,
   what maintain and clear leave behind. */
#include "support.h"

#include <stdatomic.h>

/* An object whose freeing sets a flag. */
struct object {
    atomic_int freed;
    size_t bytes; /* as passed to masstree_retire */
};

static void free_object(void *object, size_t bytes, void *ctx)
{
    struct object *freed = object;
    REQUIRE(freed->bytes == bytes);
    atomic_fetch_add(&freed->freed, 1);
    if (ctx != NULL) {
        atomic_fetch_add((atomic_size_t *)ctx, 1);
    }
}

static struct object *new_objects(size_t count)
{
    struct object *objects = calloc(count, sizeof *objects);
    assert_non_null(objects);
    return objects;
}

static size_t freed_of(struct object *objects, size_t count)
{
    size_t freed = 0;
    for (size_t i = 0; i < count; i++) {
        int times = atomic_load(&objects[i].freed);
        assert_in_range(times, 0, 1);
        freed += (size_t)times;
    }
    return freed;
}

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

/* Barriers. A thread holds a guard, or runs a scan without one, until it is told to continue; it
   reports when it holds the guard, and sets a flag just before it leaves it. */
enum holding { BY_GUARD, BY_REFRESHED_GUARD, BY_CURSOR, BY_SCAN };

struct holder {
    masstree_t *tree;
    enum holding how;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool holds;
    bool may_go;
    atomic_bool let_go;
    struct object object;
};

static void hold(struct holder *holder)
{
    pthread_mutex_lock(&holder->lock);
    holder->holds = true;
    pthread_cond_broadcast(&holder->changed);
    while (!holder->may_go) {
        pthread_cond_wait(&holder->changed, &holder->lock);
    }
    pthread_mutex_unlock(&holder->lock);
    REQUIRE(atomic_load(&holder->object.freed) == 0);
    atomic_store(&holder->let_go, true);
}

static int32_t hold_in_visit(const void *key, size_t key_len, uint64_t value, void *ctx)
{
    (void)key;
    (void)key_len;
    (void)value;
    hold(ctx);
    return MASSTREE_VISIT_STOP;
}

static void *hold_and_let_go(void *arg)
{
    struct holder *holder = arg;
    masstree_guard_t *guard = NULL;
    masstree_cursor_t *cursor = NULL;
    switch (holder->how) {
    case BY_SCAN:
        REQUIRE(masstree_scan(holder->tree, NULL, NULL, hold_in_visit, holder, NULL) ==
                MASSTREE_OK);
        break;
    case BY_CURSOR:
        REQUIRE(masstree_cursor_open(holder->tree, NULL, &cursor) == MASSTREE_OK);
        hold(holder);
        masstree_cursor_close(cursor);
        break;
    default:
        REQUIRE(masstree_guard_enter(holder->tree, &guard) == MASSTREE_OK);
        hold(holder);
        if (holder->how == BY_REFRESHED_GUARD) {
            masstree_guard_refresh(guard);
            REQUIRE(masstree_put(holder->tree, guard, "b", 1, 2) == MASSTREE_OK);
        }
        masstree_guard_leave(guard);
    }
    return NULL;
}

static void *let_the_other_go(void *arg)
{
    struct holder *holder = arg;
    pthread_mutex_lock(&holder->lock);
    holder->may_go = true;
    pthread_cond_broadcast(&holder->changed);
    pthread_mutex_unlock(&holder->lock);
    return NULL;
}

static void wait_until_it_holds(struct holder *holder)
{
    pthread_mutex_lock(&holder->lock);
    while (!holder->holds) {
        pthread_cond_wait(&holder->changed, &holder->lock);
    }
    pthread_mutex_unlock(&holder->lock);
}

static void barrier_returns_only_after_guards_held_before_are_left(void **state)
{
    (void)state;
    for (enum holding how = BY_GUARD; how <= BY_SCAN; how++) {
        for (unsigned turn = 0; turn < 10; turn++) {
            struct holder holder = {.tree = new_tree(),
                                    .how = how,
                                    .lock = PTHREAD_MUTEX_INITIALIZER,
                                    .changed = PTHREAD_COND_INITIALIZER};
            pthread_t holding;
            pthread_t releasing;
            assert_ok(masstree_put(holder.tree, NULL, "a", 1, 1));
            assert_int_equal(0, pthread_create(&holding, NULL, hold_and_let_go, &holder));
            wait_until_it_holds(&holder);
            assert_ok(masstree_retire(holder.tree, NULL, &holder.object, 0, free_object, NULL));
            /* Before or after the barrier has begun to wait. */
            assert_int_equal(0, pthread_create(&releasing, NULL, let_the_other_go, &holder));
            assert_ok(masstree_barrier(holder.tree));
            assert_true(atomic_load(&holder.let_go));
            pthread_join(releasing, NULL);
            pthread_join(holding, NULL);
            end_tree(holder.tree);
            assert_int_equal(1, atomic_load(&holder.object.freed));
        }
    }
}

static void barrier_waits_for_nothing_where_nothing_is_held(void **state)
{
    (void)state;
    masstree_t *tree = new_tree();
    masstree_t *other = new_tree();
    masstree_guard_t *of_other = new_guard(other);
    assert_ok(masstree_barrier(tree));
    for (uint64_t i = 0; i < 1000; i++) {
        assert_ok(masstree_put_u64(tree, NULL, i, i));
    }
    masstree_guard_t *guards[50];
    for (size_t i = 0; i < COUNT(guards); i++) {
        guards[i] = new_guard(tree);
    }
    for (size_t i = 0; i < COUNT(guards); i++) {
        masstree_guard_leave(guards[i]);
    }
    assert_ok(masstree_barrier(tree));
    assert_ok(masstree_barrier(tree));
    masstree_guard_leave(of_other);
    end_tree(tree);
    end_tree(other);
}

/* After a barrier, memory that was unlinked before may be reused: the flags of a protocol that
   threads run continuously. */
struct epoch {
    masstree_t *tree;
    struct object *objects;
    size_t count;
    atomic_bool done;
};

static void unlink_and_wait(void *arg)
{
    struct epoch *epoch = *(struct epoch **)arg;
    for (size_t i = 0; i < epoch->count; i++) {
        uint64_t old = 0;
        REQUIRE(masstree_exchange_u64(epoch->tree, NULL, 1, (uintptr_t)&epoch->objects[i + 1],
                                      &old) == MASSTREE_OK);
        REQUIRE(masstree_barrier(epoch->tree) == MASSTREE_OK);
        atomic_store(&((struct object *)(uintptr_t)old)->freed, 1);
    }
    atomic_store(&epoch->done, true);
}

static void read_what_is_linked(void *arg)
{
    struct epoch *epoch = *(struct epoch **)arg;
    while (!atomic_load(&epoch->done)) {
        masstree_guard_t *guard = NULL;
        uint64_t word = 0;
        REQUIRE(masstree_guard_enter(epoch->tree, &guard) == MASSTREE_OK);
        REQUIRE(masstree_get_u64(epoch->tree, guard, 1, &word) == MASSTREE_OK);
        for (unsigned look = 0; look < 20; look++) {
            REQUIRE(atomic_load(&((struct object *)(uintptr_t)word)->freed) == 0);
        }
        masstree_guard_leave(guard);
    }
}

static void after_a_barrier_no_thread_reads_memory_unlinked_before(void **state)
{
    (void)state;
    struct epoch epoch = {.tree = new_tree(), .count = scaled(500)};
    epoch.objects = new_objects(epoch.count + 1);
    atomic_init(&epoch.done, false);
    assert_ok(masstree_put_u64(epoch.tree, NULL, 1, (uintptr_t)&epoch.objects[0]));
    struct epoch *args[] = {&epoch, &epoch, &epoch};
    void (*const run[])(void *) = {unlink_and_wait, read_what_is_linked, read_what_is_linked};
    run_together(3, run, args, sizeof args[0]);
    end_tree(epoch.tree);
    free(epoch.objects);
}

/* Maintain. */
static size_t maintain_to_the_end(masstree_t *tree, masstree_guard_t *guard, size_t limit)
{
    size_t total = 0;
    int32_t status;
    do {
        size_t merged = SIZE_MAX;
        status = masstree_maintain(tree, guard, limit, &merged);
        assert_true(status == MASSTREE_OK || status == MASSTREE_END);
        assert_in_range(merged, 0, limit);
        total += merged;
    } while (status != MASSTREE_END);
    return total;
}

static void maintain_merges_sparse_leaves(void **state)
{
    (void)state;
    for (enum family family = 0; family < FAMILIES; family++) {
        static const size_t limits[] = {1, 7, 1000, SIZE_MAX};
        for (size_t i = 0; i < COUNT(limits); i++) {
            uint64_t count = scaled(family == FAMILY_U64 ? 100000 : 10000);
            struct model model = {0};
            masstree_t *tree = new_tree();
            masstree_guard_t *guard = i % 2 == 0 ? NULL : new_guard(tree);
            for (uint64_t number = 0; number < count; number++) {
                unsigned char key[FAMILY_KEY_MAX];
                size_t len = family_key(family, number, key);
                assert_ok(masstree_put(tree, NULL, key, len, number));
                if (number % 10 == 0) {
                    model_put(&model, key, len, number);
                }
            }
            for (uint64_t number = 0; number < count; number++) {
                unsigned char key[FAMILY_KEY_MAX];
                size_t len = family_key(family, number, key);
                if (number % 10 != 0) {
                    assert_ok(masstree_remove(tree, NULL, key, len, NULL));
                }
            }
            size_t merged = maintain_to_the_end(tree, guard, limits[i]);
            if (family == FAMILY_U64) {
                /* 1.5 keys were left in each leaf; up to 11 are merged. */
                assert_in_range(merged, count / 30, count / 10);
            }
            assert_consistent(tree);
            assert_agrees(tree, &model);
            /* Nothing is left to merge. */
            while (merged != 0) {
                size_t again = maintain_to_the_end(tree, guard, limits[i]);
                assert_true(again < merged);
                merged = again;
            }
            assert_agrees(tree, &model);
            masstree_guard_leave(guard);
            model_free(&model);
            end_tree(tree);
        }
    }
}

static void maintaining_an_empty_or_a_full_tree_finds_nothing_to_merge(void **state)
{
    (void)state;
    masstree_t *tree = new_tree();
    size_t merged = 99;
    assert_status(MASSTREE_END, masstree_maintain(tree, NULL, 10, &merged));
    assert_int_equal(0, merged);
    assert_status(MASSTREE_END, masstree_maintain(tree, NULL, 10, NULL));
    uint64_t numbers[1000];
    for (uint64_t i = 0; i < COUNT(numbers); i++) {
        numbers[i] = i;
    }
    assert_ok(masstree_bulk_load_u64(tree, NULL, numbers, 8, numbers, COUNT(numbers), NULL));
    assert_int_equal(0, maintain_to_the_end(tree, NULL, 10));
    assert_status(MASSTREE_OK, masstree_maintain(tree, NULL, 1, NULL));
    assert_status(MASSTREE_OK, masstree_maintain(tree, NULL, 0, &merged));
    assert_int_equal(0, merged);
    end_tree(tree);
}

/* Memory of merged leaves is reused: the tree needs no more memory for as many new keys. */
static void merged_leaves_are_used_again(void **state)
{
    (void)state;
    uint64_t count = scaled(50000);
    struct allocator allocator;
    allocator_start(&allocator);
    masstree_t *tree = new_tree_of(&allocator, MASSTREE_VALUES_WORDS);
    for (uint64_t number = 0; number < count; number++) {
        assert_ok(masstree_put_u64(tree, NULL, number, number));
    }
    size_t full = allocator_bytes(&allocator);
    for (uint64_t number = 0; number < count; number++) {
        if (number % 10 != 0) {
            assert_ok(masstree_remove_u64(tree, NULL, number, NULL));
        }
    }
    maintain_to_the_end(tree, NULL, 100);
    assert_ok(masstree_flush(tree, NULL));
    /* Elsewhere, so that the sparse leaves themselves would not be reused in place. */
    for (uint64_t number = 0; number < count / 2; number++) {
        assert_ok(masstree_put_u64(tree, NULL, 10 * count + number, number));
    }
    assert_in_range(allocator_bytes(&allocator), 0, full + full / 10);
    end_tree(tree);
    allocator_end(&allocator);
}

struct tidying {
    masstree_t *tree;
    enum family family;
    uint64_t numbers;
    size_t rounds;
    atomic_bool done;
    size_t merged;
};

/* Every fourth key stays; each round inserts and removes the others. */
static void fill_and_thin_out(void *arg)
{
    struct tidying *tidying = *(struct tidying **)arg;
    for (size_t round = 0; round < tidying->rounds; round++) {
        for (unsigned phase = 0; phase < 2; phase++) {
            for (uint64_t number = 0; number < tidying->numbers; number++) {
                unsigned char key[FAMILY_KEY_MAX];
                size_t len = family_key(tidying->family, number, key);
                uint64_t old = UINT64_MAX;
                if (number % 4 == 0) {
                    REQUIRE(masstree_get(tidying->tree, NULL, key, len, &old) == MASSTREE_OK);
                    REQUIRE(old == number);
                } else if (phase == 0) {
                    REQUIRE(masstree_insert(tidying->tree, NULL, key, len, number + round,
                                            NULL) == MASSTREE_OK);
                } else {
                    REQUIRE(masstree_remove(tidying->tree, NULL, key, len, &old) == MASSTREE_OK);
                    REQUIRE(old == number + round);
                }
            }
        }
    }
    atomic_store(&tidying->done, true);
}

static void tidy_up(void *arg)
{
    struct tidying *tidying = *(struct tidying **)arg;
    bool done;
    do {
        done = atomic_load(&tidying->done);
        int32_t status;
        do {
            size_t merged = 0;
            status = masstree_maintain(tidying->tree, NULL, 50, &merged);
            REQUIRE(status == MASSTREE_OK || status == MASSTREE_END);
            tidying->merged += merged;
        } while (status == MASSTREE_OK);
    } while (!done);
}

static void maintaining_beside_a_writer_loses_nothing(void **state)
{
    (void)state;
    for (enum family family = 0; family < FAMILIES; family++) {
        struct tidying tidying = {.tree = new_tree(), .family = family, .numbers = 2000};
        tidying.rounds = scaled(60);
        atomic_init(&tidying.done, false);
        struct model model = {0};
        for (uint64_t number = 0; number < tidying.numbers; number += 4) {
            unsigned char key[FAMILY_KEY_MAX];
            size_t len = family_key(family, number, key);
            put_both(tidying.tree, &model, key, len, number);
        }
        struct tidying *args[] = {&tidying, &tidying};
        void (*const run[])(void *) = {fill_and_thin_out, tidy_up};
        run_together(2, run, args, sizeof args[0]);
        /* In some families hardly any layer has two adjacent leaves. */
        assert_true(tidying.merged > 0 || family != FAMILY_U64);
        assert_agrees(tidying.tree, &model);
        model_free(&model);
        end_tree(tidying.tree);
    }
}

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
        cmocka_unit_test(retiring_without_a_way_to_free_is_invalid),
        cmocka_unit_test(destroy_frees_garbage_once),
        cmocka_unit_test(object_is_freed_only_after_the_guards_of_its_moment),
        cmocka_unit_test(guard_that_retires_holds_until_it_is_refreshed),
        cmocka_unit_test(later_guards_hold_nothing_that_was_handed_over_before),
        cmocka_unit_test(flush_submits_incomplete_batches),
        cmocka_unit_test(objects_that_are_read_were_not_freed),
        cmocka_unit_test(barrier_returns_only_after_guards_held_before_are_left),
        cmocka_unit_test(barrier_waits_for_nothing_where_nothing_is_held),
        cmocka_unit_test(after_a_barrier_no_thread_reads_memory_unlinked_before),
        cmocka_unit_test(maintain_merges_sparse_leaves),
        cmocka_unit_test(maintaining_an_empty_or_a_full_tree_finds_nothing_to_merge),
        cmocka_unit_test(merged_leaves_are_used_again),
        cmocka_unit_test(maintaining_beside_a_writer_loses_nothing),
        cmocka_unit_test(clearing_empties_the_tree_and_destroys_each_value_once),
        cmocka_unit_test(cleared_values_live_as_long_as_guards_of_the_moment),
        cmocka_unit_test(clear_frees_memory),
        cmocka_unit_test(readers_are_safe_while_the_tree_is_cleared),
        cmocka_unit_test(insertions_and_clears_at_once_add_up),
    };
    return cmocka_run_group_tests_name("reclaim", tests, NULL, NULL);
}
