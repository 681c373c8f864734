/* Memory that is retired while many threads are in calls without a guard is freed when those
   calls have ended, without any further call (known-failures row 32). The threads stop in an
   update's callback, each under a key in its own leaf. */
#include "support.h"

#include <stdatomic.h>

enum { UNDER_WAY = 60, MANY = 300, KEYS = 100000 };

struct gate {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    size_t inside;
    bool open;
};

static void wait_in_gate(struct gate *gate)
{
    REQUIRE(pthread_mutex_lock(&gate->lock) == 0);
    gate->inside++;
    REQUIRE(pthread_cond_broadcast(&gate->changed) == 0);
    while (!gate->open) {
        REQUIRE(pthread_cond_wait(&gate->changed, &gate->lock) == 0);
    }
    REQUIRE(pthread_mutex_unlock(&gate->lock) == 0);
}

static void wait_until_inside(struct gate *gate, size_t count)
{
    REQUIRE(pthread_mutex_lock(&gate->lock) == 0);
    while (gate->inside < count) {
        REQUIRE(pthread_cond_wait(&gate->changed, &gate->lock) == 0);
    }
    REQUIRE(pthread_mutex_unlock(&gate->lock) == 0);
}

static void open_gate(struct gate *gate)
{
    REQUIRE(pthread_mutex_lock(&gate->lock) == 0);
    gate->open = true;
    REQUIRE(pthread_cond_broadcast(&gate->changed) == 0);
    REQUIRE(pthread_mutex_unlock(&gate->lock) == 0);
}

/* A tree whose values are numbers, and how often each of them was destroyed. */
struct field {
    masstree_t *tree;
    struct gate gate;
    size_t keys;
    size_t values; /* stored so far */
    size_t threads;
    atomic_uchar *destroyed;
    atomic_size_t count;
    pthread_t *running;
    struct caller *callers;
};

struct caller {
    struct field *field;
    uint64_t key;
};

static void destroy_number(uint64_t value, void *ctx)
{
    struct field *field = ctx;
    REQUIRE(value < field->values);
    REQUIRE(atomic_fetch_add(&field->destroyed[value], 1) == 0);
    atomic_fetch_add(&field->count, 1);
}

static int32_t stop_in_update(const uint64_t *present, uint64_t *value, void *ctx)
{
    struct caller *caller = ctx;
    (void)value;
    REQUIRE(present != NULL && *present == caller->key);
    wait_in_gate(&caller->field->gate);
    return MASSTREE_ACTION_KEEP;
}

static void *update(void *arg)
{
    struct caller *caller = arg;
    REQUIRE(masstree_update_u64(caller->field->tree, NULL, caller->key, stop_in_update, caller,
                                NULL) == MASSTREE_OK);
    return NULL;
}

/* Keys 0 to `keys`, each with its own value, and as many active calls. */
static void begin(struct field *field, size_t keys, size_t threads)
{
    *field = (struct field){.keys = keys,
                            .values = keys,
                            .threads = threads,
                            .gate = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, false}};
    masstree_options_t options = MASSTREE_OPTIONS_INIT;
    options.value_destructor = destroy_number;
    options.value_ctx = field;
    field->destroyed = calloc(keys + 1, sizeof *field->destroyed);
    field->running = calloc(threads, sizeof *field->running);
    field->callers = calloc(threads, sizeof *field->callers);
    assert_true(field->destroyed != NULL && field->running != NULL && field->callers != NULL);
    assert_ok(masstree_create(&options, &field->tree));
    for (uint64_t key = 0; key < keys; key++) {
        assert_ok(masstree_put_u64(field->tree, NULL, key, key));
    }
    for (size_t i = 0; i < threads; i++) {
        field->callers[i] = (struct caller){field, i * (keys / threads)};
        assert_int_equal(0, pthread_create(&field->running[i], NULL, update, &field->callers[i]));
    }
    wait_until_inside(&field->gate, threads);
}

static void end_calls(struct field *field)
{
    open_gate(&field->gate);
    for (size_t i = 0; i < field->threads; i++) {
        assert_int_equal(0, pthread_join(field->running[i], NULL));
    }
}

static void end(struct field *field)
{
    end_tree(field->tree);
    assert_int_equal(field->values, atomic_load(&field->count));
    free(field->callers);
    free(field->running);
    free(field->destroyed);
}

/* Put back: pad with as many entries as guards, and 16. */
static void cleared_tree_is_freed_when_the_calls_of_the_moment_have_ended(void **state)
{
    (void)state;
    for (unsigned form = 0; form < 2; form++) {
        struct field field;
        begin(&field, KEYS, UNDER_WAY);
        masstree_guard_t *guard = form == 0 ? NULL : new_guard(field.tree);
        assert_ok(masstree_clear(field.tree, guard));
        masstree_guard_leave(guard);
        assert_int_equal(0, atomic_load(&field.count));
        end_calls(&field);
        assert_int_equal(KEYS, atomic_load(&field.count));
        masstree_stats_t stats = MASSTREE_STATS_INIT;
        assert_ok(masstree_stats(field.tree, NULL, &stats));
        assert_int_equal(0, stats.limbo_objects);
        assert_int_equal(0, stats.limbo_bytes);
        end(&field);
    }
}

/* Removes and puts displace a few values, on a thread that ends right after. */
struct displacing {
    struct field *field;
    bool by_guard;
};

static void *displace_and_flush(void *arg)
{
    struct displacing *displacing = arg;
    masstree_t *tree = displacing->field->tree;
    masstree_guard_t *guard = NULL;
    if (displacing->by_guard) {
        REQUIRE(masstree_guard_enter(tree, &guard) == MASSTREE_OK);
    }
    uint64_t last = displacing->field->keys - 1;
    REQUIRE(masstree_remove_u64(tree, guard, last, NULL) == MASSTREE_OK);
    REQUIRE(masstree_remove_u64(tree, guard, last - 1, NULL) == MASSTREE_OK);
    REQUIRE(masstree_put_u64(tree, guard, last - 2, last + 1) == MASSTREE_OK);
    REQUIRE(masstree_flush(tree, guard) == MASSTREE_OK);
    masstree_guard_leave(guard);
    return NULL;
}

/* Put back: pad with as many entries as guards, and 16. */
static void flushed_values_are_freed_when_the_calls_of_the_moment_have_ended(void **state)
{
    (void)state;
    for (unsigned form = 0; form < 4; form++) {
        struct field field;
        size_t threads = (form & 1) != 0 ? MANY : UNDER_WAY;
        begin(&field, 40 * threads, threads);
        struct displacing displacing = {&field, (form & 2) != 0};
        pthread_t thread;
        field.values++;
        assert_int_equal(0, pthread_create(&thread, NULL, displace_and_flush, &displacing));
        assert_int_equal(0, pthread_join(thread, NULL));
        assert_int_equal(0, atomic_load(&field.count));
        end_calls(&field);
        assert_int_equal(3, atomic_load(&field.count));
        end(&field);
    }
}

static void *wait_for_guards(void *arg)
{
    struct field *field = arg;
    REQUIRE(masstree_barrier(field->tree) == MASSTREE_OK);
    REQUIRE(pthread_mutex_lock(&field->gate.lock) == 0);
    REQUIRE(field->gate.open);
    REQUIRE(pthread_mutex_unlock(&field->gate.lock) == 0);
    return NULL;
}

/* Put back: pad with as many entries as guards, and 16; a barrier then never returns. */
static void barrier_returns_when_the_calls_of_the_moment_have_ended(void **state)
{
    (void)state;
    struct field field;
    begin(&field, 40 * MANY, MANY);
    pthread_t waiting[3];
    for (size_t i = 0; i < COUNT(waiting); i++) {
        assert_int_equal(0, pthread_create(&waiting[i], NULL, wait_for_guards, &field));
    }
    end_calls(&field);
    for (size_t i = 0; i < COUNT(waiting); i++) {
        assert_int_equal(0, pthread_join(waiting[i], NULL));
    }
    end(&field);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cleared_tree_is_freed_when_the_calls_of_the_moment_have_ended),
        cmocka_unit_test(flushed_values_are_freed_when_the_calls_of_the_moment_have_ended),
        cmocka_unit_test(barrier_returns_when_the_calls_of_the_moment_have_ended),
    };
    return cmocka_run_group_tests_name("under_way", tests, NULL, NULL);
}
