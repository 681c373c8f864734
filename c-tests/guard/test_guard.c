/* Guards: what they protect, which thread may use them, in which order they may be left. */
#include "support.h"

#include <pthread.h>
#include <string.h>

static masstree_guard_t *enter(const masstree_t *tree)
{
    masstree_guard_t *guard = NULL;
    assert_ok(masstree_guard_enter(tree, &guard));
    assert_non_null(guard);
    return guard;
}

static void entering_without_a_tree_or_a_place_is_invalid(void **state)
{
    (void)state;
    masstree_t *tree = new_tree();
    masstree_guard_t *const none = (masstree_guard_t *)(void *)&tree;
    masstree_guard_t *guard = none;
    assert_status(MASSTREE_INVALID, masstree_guard_enter(NULL, &guard));
    assert_ptr_equal(none, guard);
    assert_status(MASSTREE_INVALID, masstree_guard_enter(tree, NULL));
    assert_status(MASSTREE_INVALID, masstree_guard_enter(NULL, NULL));
    end_tree(tree);
}

static void refreshing_and_leaving_null_do_nothing(void **state)
{
    (void)state;
    masstree_guard_refresh(NULL);
    masstree_guard_leave(NULL);
}

static void one_guard_serves_many_operations_and_refreshes(void **state)
{
    (void)state;
    masstree_t *tree = new_tree();
    masstree_guard_t *guard = enter(tree);
    for (uint64_t i = 0; i < 5000; i++) {
        uint64_t value = 0;
        assert_ok(masstree_put_u64(tree, guard, i, i + 1));
        assert_ok(masstree_get_u64(tree, guard, i, &value));
        assert_int_equal(i + 1, value);
        if (i % 7 == 0) {
            masstree_guard_refresh(guard);
        }
    }
    for (uint64_t i = 0; i < 5000; i++) {
        assert_ok(masstree_remove_u64(tree, guard, i, NULL));
    }
    masstree_guard_leave(guard);
    assert_int_equal(0, tree_len(tree));
    end_tree(tree);
}

static void shuffle(masstree_guard_t **guards, size_t count, uint64_t seed)
{
    for (size_t i = count; i-- > 1;) {
        size_t other = random_below(&seed, i + 1);
        masstree_guard_t *swapped = guards[i];
        guards[i] = guards[other];
        guards[other] = swapped;
    }
}

static void many_guards_of_one_thread_leave_in_any_order(void **state)
{
    (void)state;
    enum { GUARDS = 1000 };
    masstree_guard_t *guards[GUARDS];
    masstree_t *tree = new_tree();
    for (size_t i = 0; i < GUARDS; i++) {
        guards[i] = enter(tree);
        assert_ok(masstree_put_u64(tree, guards[i], i, i));
    }
    shuffle(guards, GUARDS, 1);
    for (size_t i = 0; i < GUARDS; i++) {
        assert_ok(masstree_get_u64(tree, guards[i], i, NULL));
        assert_ok(masstree_remove_u64(tree, guards[i], i, NULL));
        masstree_guard_leave(guards[i]);
    }
    assert_int_equal(0, tree_len(tree));
    end_tree(tree);
}

static void guards_of_two_trees_are_held_at_once(void **state)
{
    (void)state;
    masstree_t *first = new_tree();
    masstree_t *second = new_tree();
    masstree_guard_t *of_first = enter(first);
    masstree_guard_t *of_second = enter(second);
    assert_ok(masstree_put(first, of_first, "k", 1, 1));
    assert_ok(masstree_put(second, of_second, "k", 1, 2));
    assert_status(MASSTREE_WRONG_TREE, masstree_get(first, of_second, "k", 1, NULL));
    assert_status(MASSTREE_WRONG_TREE, masstree_get(second, of_first, "k", 1, NULL));
    masstree_guard_leave(of_first);
    end_tree(first);
    assert_ok(masstree_get(second, of_second, "k", 1, NULL));
    masstree_guard_leave(of_second);
    end_tree(second);
}

/* Also if the new tree has the address of a destroyed one. */
static void guard_of_a_new_tree_is_its_own(void **state)
{
    (void)state;
    masstree_t *other = new_tree();
    masstree_guard_t *foreign = enter(other);
    for (unsigned i = 0; i < 100; i++) {
        masstree_t *tree = new_tree();
        masstree_guard_t *guard = enter(tree);
        assert_ok(masstree_put(tree, guard, "k", 1, i));
        assert_status(MASSTREE_WRONG_TREE, masstree_put(tree, foreign, "k", 1, i));
        masstree_guard_leave(guard);
        end_tree(tree);
    }
    masstree_guard_leave(foreign);
    end_tree(other);
}

static int32_t count_visits(const void *key, size_t key_len, uint64_t value, void *ctx)
{
    (void)key;
    (void)key_len;
    (void)value;
    ++*(size_t *)ctx;
    return MASSTREE_VISIT_CONTINUE;
}

static void operations_without_a_guard_work_beside_held_ones(void **state)
{
    (void)state;
    masstree_t *tree = new_tree();
    masstree_guard_t *guard = enter(tree);
    size_t visits = 0;
    assert_ok(masstree_put(tree, NULL, "a", 1, 1));
    assert_ok(masstree_put(tree, guard, "b", 1, 2));
    assert_ok(masstree_scan(tree, NULL, NULL, count_visits, &visits, NULL));
    assert_ok(masstree_scan(tree, guard, NULL, count_visits, &visits, NULL));
    assert_int_equal(4, visits);
    assert_ok(masstree_remove(tree, NULL, "b", 1, NULL));
    assert_status(MASSTREE_NOT_FOUND, masstree_get(tree, guard, "b", 1, NULL));
    masstree_guard_leave(guard);
    end_tree(tree);
}

/* Values of the tests below: how often the destructor ran for each. */
struct destroyed {
    size_t count;
    uint64_t last;
};

static void note_destroyed(uint64_t value, void *ctx)
{
    struct destroyed *destroyed = ctx;
    destroyed->count++;
    destroyed->last = value;
}

static masstree_t *tree_that_notes(struct destroyed *destroyed)
{
    masstree_options_t options = MASSTREE_OPTIONS_INIT;
    masstree_t *tree = NULL;
    options.value_destructor = note_destroyed;
    options.value_ctx = destroyed;
    assert_ok(masstree_create(&options, &tree));
    return tree;
}

/* Makes the library free everything that is not protected any more. */
static void churn(masstree_t *tree, size_t rounds)
{
    for (size_t i = 0; i < rounds; i++) {
        uint64_t old = 0;
        assert_status(i == 0 ? MASSTREE_NOT_FOUND : MASSTREE_EXISTS,
                      masstree_exchange(tree, NULL, "churn", 5, 0, &old));
    }
    assert_ok(masstree_remove(tree, NULL, "churn", 5, &(uint64_t){0}));
    for (uint64_t i = 0; i < rounds; i++) {
        assert_ok(masstree_put_u64(tree, NULL, i, 0));
    }
    for (uint64_t i = 0; i < rounds; i++) {
        assert_ok(masstree_remove_u64(tree, NULL, i, &(uint64_t){0}));
    }
}

static void displaced_value_waits_for_a_guard_entered_before(void **state)
{
    (void)state;
    struct destroyed destroyed = {0};
    masstree_t *tree = tree_that_notes(&destroyed);
    assert_ok(masstree_put(tree, NULL, "k", 1, 17));
    masstree_guard_t *guard = enter(tree);
    assert_ok(masstree_get(tree, guard, "k", 1, &(uint64_t){0}));
    assert_ok(masstree_remove(tree, NULL, "k", 1, NULL));
    churn(tree, 5000);
    assert_int_equal(0, destroyed.count);
    masstree_guard_leave(guard);
    masstree_destroy(tree);
    assert_int_equal(1, destroyed.count);
    assert_int_equal(17, destroyed.last);
}

static void refresh_releases_what_was_read_before(void **state)
{
    (void)state;
    struct destroyed destroyed = {0};
    masstree_t *tree = tree_that_notes(&destroyed);
    masstree_guard_t *guard = enter(tree);
    size_t puts = scaled(100000);
    for (size_t i = 0; i < puts; i++) {
        assert_ok(masstree_put(tree, guard, "k", 1, i));
        masstree_guard_refresh(guard);
    }
    /* All except a bounded rest: incomplete batches wait. */
    assert_in_range(destroyed.count, puts / 2, puts - 1);
    masstree_guard_leave(guard);
    masstree_destroy(tree);
    assert_int_equal(puts, destroyed.count);
}

static void destroy_frees_memory_that_waited_for_guards(void **state)
{
    (void)state;
    struct destroyed destroyed = {0};
    masstree_t *tree = tree_that_notes(&destroyed);
    masstree_guard_t *guard = enter(tree);
    for (uint64_t i = 0; i < 3000; i++) {
        assert_ok(masstree_put(tree, guard, "k", 1, i));
    }
    assert_int_equal(0, destroyed.count);
    masstree_guard_leave(guard);
    masstree_destroy(tree);
    assert_int_equal(3000, destroyed.count);
}

struct travel {
    masstree_t *tree;
    masstree_guard_t *guard;
};

static void *enter_elsewhere(void *arg)
{
    struct travel *travel = arg;
    REQUIRE(masstree_guard_enter(travel->tree, &travel->guard) == MASSTREE_OK);
    REQUIRE(masstree_put(travel->tree, travel->guard, "from afar", 9, 1) == MASSTREE_OK);
    return NULL;
}

static void *use_elsewhere(void *arg)
{
    struct travel *travel = arg;
    uint64_t old = 0;
    REQUIRE(masstree_exchange(travel->tree, travel->guard, "from afar", 9, 2, &old) ==
            MASSTREE_OK);
    REQUIRE(old == 1);
    masstree_guard_refresh(travel->guard);
    REQUIRE(masstree_put(travel->tree, travel->guard, "mine", 4, 3) == MASSTREE_OK);
    return NULL;
}

static void *leave_elsewhere(void *arg)
{
    struct travel *travel = arg;
    masstree_guard_leave(travel->guard);
    return NULL;
}

static void in_a_thread_of_its_own(void *(*run)(void *), void *arg)
{
    pthread_t thread;
    assert_int_equal(0, pthread_create(&thread, NULL, run, arg));
    assert_int_equal(0, pthread_join(thread, NULL));
}

static void guard_moves_from_thread_to_thread_and_outlives_them(void **state)
{
    (void)state;
    struct travel travel = {.tree = new_tree()};
    in_a_thread_of_its_own(enter_elsewhere, &travel);
    in_a_thread_of_its_own(use_elsewhere, &travel);
    assert_ok(masstree_get(travel.tree, travel.guard, "mine", 4, NULL));
    in_a_thread_of_its_own(leave_elsewhere, &travel);
    assert_int_equal(2, tree_len(travel.tree));
    end_tree(travel.tree);
}

/* A guard entered by a thread that has ended still protects. */
static void guard_pins_after_its_first_thread_has_gone(void **state)
{
    (void)state;
    struct destroyed destroyed = {0};
    struct travel travel = {.tree = tree_that_notes(&destroyed)};
    in_a_thread_of_its_own(enter_elsewhere, &travel);
    assert_ok(masstree_remove(travel.tree, NULL, "from afar", 9, NULL));
    churn(travel.tree, 5000);
    assert_int_equal(0, destroyed.count);
    masstree_guard_leave(travel.guard);
    masstree_destroy(travel.tree);
    assert_int_equal(1, destroyed.count);
}

/* Threads that start, work and end leak no value (known-failures row 19). */
static void *put_and_exit(void *arg)
{
    struct travel *travel = arg;
    for (uint64_t i = 0; i < 10; i++) {
        REQUIRE(masstree_put(travel->tree, NULL, "k", 1, i) == MASSTREE_OK);
    }
    return NULL;
}

static void garbage_of_threads_that_have_gone_is_freed(void **state)
{
    (void)state;
    struct destroyed destroyed = {0};
    struct travel travel = {.tree = tree_that_notes(&destroyed)};
    size_t threads = scaled(300);
    for (size_t i = 0; i < threads; i++) {
        in_a_thread_of_its_own(put_and_exit, &travel);
    }
    assert_int_equal(1, tree_len(travel.tree));
    end_tree(travel.tree);
    assert_int_equal(10 * threads, destroyed.count);
}

/* A destructor of thread-specific data may run after the library's own thread-locals were
   destroyed. */
static masstree_t *tree_used_at_exit;

struct exiting {
    pthread_key_t key;
    bool uses_it_before;
};

/* The two threads exit at the same time: each has its own key. */
static void use_at_thread_exit(void *arg)
{
    const struct exiting *exiting = arg;
    const char *last = exiting->uses_it_before ? "last of the first" : "last of the second";
    masstree_guard_t *guard = NULL;
    uint64_t value = 0;
    REQUIRE(masstree_put(tree_used_at_exit, NULL, last, strlen(last), 1) == MASSTREE_OK);
    REQUIRE(masstree_get(tree_used_at_exit, NULL, last, strlen(last), &value) == MASSTREE_OK);
    REQUIRE(masstree_guard_enter(tree_used_at_exit, &guard) == MASSTREE_OK);
    REQUIRE(masstree_remove(tree_used_at_exit, guard, last, strlen(last), NULL) == MASSTREE_OK);
    masstree_guard_leave(guard);
}

static void set_and_exit(void *arg)
{
    struct exiting *exiting = arg;
    REQUIRE(pthread_setspecific(exiting->key, exiting) == 0);
    if (exiting->uses_it_before) {
        REQUIRE(masstree_put(tree_used_at_exit, NULL, "first", 5, 1) == MASSTREE_OK);
    }
}

static void threads_may_use_the_library_while_they_exit(void **state)
{
    (void)state;
    pthread_key_t key;
    void (*const run[])(void *) = {set_and_exit, set_and_exit};
    tree_used_at_exit = new_tree();
    assert_int_equal(0, pthread_key_create(&key, use_at_thread_exit));
    for (int round = 0; round < 50; round++) {
        struct exiting exiting[] = {{key, true}, {key, false}};
        run_together(COUNT(run), run, exiting, sizeof exiting[0]);
    }
    assert_int_equal(0, pthread_key_delete(key));
    assert_int_equal(1, tree_len(tree_used_at_exit));
    end_tree(tree_used_at_exit);
}

/* No memory is left for a guard either: calls that need none still work. Put back: in
   Domain::enter_local_slow, expect the guard. */
static void use_without_memory(void *arg)
{
    masstree_t *tree = arg;
    masstree_guard_t *guard = NULL;
    uint64_t value = 0;
    REQUIRE(masstree_guard_enter(tree, &guard) == MASSTREE_NOMEM && guard == NULL);
    REQUIRE(masstree_get(tree, NULL, "there", 5, &value) == MASSTREE_OK && value == 1);
    REQUIRE(masstree_put(tree, NULL, "there", 5, 2) == MASSTREE_OK);
    REQUIRE(masstree_remove(tree, NULL, "gone", 4, NULL) == MASSTREE_OK);
}

struct exiting_without {
    pthread_key_t key;
    masstree_t *tree;
};

static void *look_up_and_exit(void *arg)
{
    struct exiting_without *exiting = arg;
    REQUIRE(pthread_setspecific(exiting->key, exiting->tree) == 0);
    enter_unguarded(exiting->tree);
    return NULL;
}

static void threads_that_exit_work_without_memory(void **state)
{
    (void)state;
    enum { MANY = 4096 };
    static masstree_guard_t *guards[MANY];
    struct allocator allocator;
    struct exiting_without exiting;
    size_t held = 0;
    int32_t status = MASSTREE_OK;
    allocator_start(&allocator);
    exiting.tree = new_tree_of(&allocator, MASSTREE_VALUES_WORDS);
    assert_ok(masstree_put(exiting.tree, NULL, "there", 5, 1));
    assert_ok(masstree_put(exiting.tree, NULL, "gone", 4, 1));
    allocator.fail_at = allocator.calls + 1;
    allocator.fail_on = true;
    while (held < MANY && status == MASSTREE_OK) {
        status = masstree_guard_enter(exiting.tree, &guards[held]);
        held += status == MASSTREE_OK;
    }
    assert_int_equal(MASSTREE_NOMEM, status);
    assert_int_equal(0, pthread_key_create(&exiting.key, use_without_memory));
    in_a_thread_of_its_own(look_up_and_exit, &exiting);
    assert_int_equal(0, pthread_key_delete(exiting.key));
    allocator.fail_at = 0;
    while (held > 0) {
        masstree_guard_leave(guards[--held]);
    }
    uint64_t value = 0;
    assert_ok(masstree_get(exiting.tree, NULL, "there", 5, &value));
    assert_int_equal(2, value);
    assert_int_equal(1, tree_len(exiting.tree));
    end_tree(exiting.tree);
    allocator_end(&allocator);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(entering_without_a_tree_or_a_place_is_invalid),
        cmocka_unit_test(refreshing_and_leaving_null_do_nothing),
        cmocka_unit_test(one_guard_serves_many_operations_and_refreshes),
        cmocka_unit_test(many_guards_of_one_thread_leave_in_any_order),
        cmocka_unit_test(guards_of_two_trees_are_held_at_once),
        cmocka_unit_test(guard_of_a_new_tree_is_its_own),
        cmocka_unit_test(operations_without_a_guard_work_beside_held_ones),
        cmocka_unit_test(displaced_value_waits_for_a_guard_entered_before),
        cmocka_unit_test(refresh_releases_what_was_read_before),
        cmocka_unit_test(destroy_frees_memory_that_waited_for_guards),
        cmocka_unit_test(guard_moves_from_thread_to_thread_and_outlives_them),
        cmocka_unit_test(guard_pins_after_its_first_thread_has_gone),
        cmocka_unit_test(garbage_of_threads_that_have_gone_is_freed),
        cmocka_unit_test(threads_may_use_the_library_while_they_exit),
        cmocka_unit_test(threads_that_exit_work_without_memory),
    };
    return cmocka_run_group_tests_name("guard", tests, NULL, NULL);
}
