/* What a barrier waits for. */
#include "reclaim/objects.h"

/* Barriers. A thread holds a guard, or runs a scan without one, until it may continue; it
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(barrier_returns_only_after_guards_held_before_are_left),
        cmocka_unit_test(barrier_waits_for_nothing_where_nothing_is_held),
        cmocka_unit_test(after_a_barrier_no_thread_reads_memory_unlinked_before),
    };
    return cmocka_run_group_tests_name("barrier", tests, NULL, NULL);
}
