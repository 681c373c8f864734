/* Storing the value that the key already has displaces nothing: no function that stores hands
   it over, none destroys it, and each says so in its own way (known-failures row 36). Values are
   objects of the heap, which AddressSanitizer watches, and which are counted one by one. */
#include "support.h"

#include <stdatomic.h>

enum { KEYS = 6 };

struct objects {
    atomic_size_t made;
    atomic_size_t destroyed;
};

struct object {
    struct objects *of;
    atomic_uint destroyed;
};

static uint64_t new_object(struct objects *of)
{
    struct object *object = malloc(sizeof *object);
    REQUIRE(object != NULL);
    object->of = of;
    atomic_init(&object->destroyed, 0);
    atomic_fetch_add(&of->made, 1);
    return (uint64_t)(uintptr_t)object;
}

static void destroy(struct object *object)
{
    REQUIRE(atomic_fetch_add(&object->destroyed, 1) == 0);
    atomic_fetch_add(&object->of->destroyed, 1);
    free(object);
}

static void destroy_value(uint64_t value, void *ctx)
{
    (void)ctx;
    destroy((struct object *)(uintptr_t)value);
}

static void free_retired(void *object, size_t bytes, void *ctx)
{
    (void)bytes;
    (void)ctx;
    destroy(object);
}

static masstree_t *new_owner(void)
{
    masstree_options_t options = MASSTREE_OPTIONS_INIT;
    masstree_t *tree = NULL;
    options.value_destructor = destroy_value;
    assert_ok(masstree_create(&options, &tree));
    return tree;
}

/* The caller owns a returned value, and retires it as a program would. */
static void retire(masstree_t *tree, masstree_guard_t *guard, uint64_t old)
{
    void *object = (void *)(uintptr_t)old;
    REQUIRE(masstree_retire(tree, guard, object, sizeof(struct object), free_retired, NULL) ==
            MASSTREE_OK);
}

static int32_t set_what_ctx_says(const uint64_t *present, uint64_t *value, void *ctx)
{
    /* Without a new value: the one that is stored. */
    uint64_t *wanted = ctx;
    if (*wanted == 0 && present == NULL) {
        return MASSTREE_ACTION_KEEP;
    }
    *value = *wanted != 0 ? *wanted : *present;
    return MASSTREE_ACTION_SET;
}

static int32_t make_what_ctx_says(uint64_t *value, void *ctx)
{
    *value = *(uint64_t *)ctx;
    return MASSTREE_OK;
}

#define NONE UINT64_C(0xA5A5A5A5A5A5A5A5)

/* Put back: for any of the functions, call deliver_or_retire (src/ffi) without the value that was
   stored, as if the old one had been displaced by another. put and put_many then destroy it. */
static void no_function_returns_a_value_that_stays_stored(void **state)
{
    (void)state;
    struct objects objects = {0};
    masstree_t *tree = new_owner();
    masstree_guard_t *guard = new_guard(tree);
    const uint64_t same = new_object(&objects);
    const uint64_t number = UINT64_C(0x6B65792D6B657921);
    unsigned char key[8];
    masstree_u64_to_key(number, key);
    masstree_slice_t slice = {key, sizeof key};
    uint64_t old = NONE;
    assert_ok(masstree_put(tree, guard, key, 8, same));
    for (int wanted = 0; wanted < 2; wanted++) {
        uint64_t *out = wanted ? &old : NULL;
        uint64_t set = wanted ? same : 0;
        assert_ok(masstree_put(tree, guard, key, 8, same));
        assert_ok(masstree_put_u64(tree, guard, number, same));
        assert_ok(masstree_put_many(tree, guard, &slice, &same, 1, NULL));
        assert_ok(masstree_put_many_u64(tree, guard, &number, 8, &same, 1, NULL));
        assert_status(MASSTREE_EXISTS, masstree_exchange(tree, guard, key, 8, same, out));
        assert_status(MASSTREE_EXISTS, masstree_exchange_u64(tree, guard, number, same, out));
        assert_status(MASSTREE_EXISTS, masstree_replace(tree, guard, key, 8, same, out));
        assert_status(MASSTREE_EXISTS, masstree_replace_u64(tree, guard, number, same, out));
        assert_ok(masstree_compare_exchange(tree, guard, key, 8, same, same, out));
        assert_ok(masstree_compare_exchange_u64(tree, guard, number, same, same, out));
        assert_ok(masstree_update(tree, guard, key, 8, set_what_ctx_says, &set, out));
        assert_ok(masstree_update_u64(tree, guard, number, set_what_ctx_says, &set, out));
        masstree_held_t held;
        assert_ok(masstree_hold(tree, guard, key, 8, 0, &held, NULL));
        assert_ok(masstree_held_finish(&held, MASSTREE_ACTION_SET, same, out));
        assert_int_equal(NONE, old);
    }
    /* If nothing is stored, the present value is returned, and the tree keeps owning it. */
    uint64_t shown = NONE;
    assert_status(MASSTREE_EXISTS, masstree_insert(tree, guard, key, 8, same, &shown));
    assert_int_equal(same, shown);
    shown = NONE;
    uint64_t made = same;
    assert_status(MASSTREE_EXISTS, masstree_get_or_insert_with(
                                       tree, guard, key, 8, make_what_ctx_says, &made, &shown));
    assert_int_equal(same, shown);
    int32_t status = MASSTREE_OK;
    assert_ok(masstree_insert_many(tree, guard, &slice, &same, 1, &shown, &status));
    assert_status(MASSTREE_EXISTS, status);
    masstree_guard_leave(guard);
    assert_ok(masstree_barrier(tree));
    assert_int_equal(0, atomic_load(&objects.destroyed));
    /* Another value does displace it. */
    uint64_t other = new_object(&objects);
    assert_ok(masstree_exchange(tree, NULL, key, 8, other, &old));
    assert_int_equal(same, old);
    retire(tree, NULL, old);
    end_tree(tree);
    assert_int_equal(2, atomic_load(&objects.made));
    assert_int_equal(2, atomic_load(&objects.destroyed));
}

/* One store of a value, a new one or the present one, by a random function. */
static void store(masstree_t *tree, masstree_guard_t *guard, struct objects *objects,
                  uint64_t number, bool same, uint64_t *random)
{
    uint64_t there = 0, old = 0;
    bool present = masstree_get_u64(tree, guard, number, &there) == MASSTREE_OK;
    uint64_t value = same && present ? there : new_object(objects);
    int32_t status = MASSTREE_OK;
    unsigned char key[8];
    masstree_u64_to_key(number, key);
    masstree_held_t held;
    bool accepted = true;
    switch (random_below(random, 9)) {
    case 0:
        status = masstree_put_u64(tree, guard, number, value);
        break;
    case 1:
        status = masstree_exchange_u64(tree, guard, number, value, &old);
        break;
    case 2:
        status = masstree_replace_u64(tree, guard, number, value, &old);
        accepted = status != MASSTREE_NOT_FOUND;
        break;
    case 3:
        status = masstree_compare_exchange_u64(tree, guard, number, there, value, NULL);
        accepted = status == MASSTREE_OK;
        break;
    case 4:
        status = masstree_update_u64(tree, guard, number, set_what_ctx_says, &value, &old);
        break;
    case 5:
        status = masstree_hold(tree, guard, key, 8, MASSTREE_HOLD_INSERT, &held, NULL);
        REQUIRE(status >= 0);
        status = masstree_held_finish(&held, MASSTREE_ACTION_SET, value, &old);
        break;
    case 6:
        status = masstree_put_many_u64(tree, guard, &number, 8, &value, 1, NULL);
        break;
    case 7:
        /* The caller must not free a value that it inserted again. */
        status = masstree_insert_u64(tree, guard, number, value, NULL);
        accepted = status == MASSTREE_OK || value == there;
        break;
    default:
        status = masstree_remove_u64(tree, guard, number, &old);
        accepted = present && value == there;
        break;
    }
    REQUIRE(status >= 0);
    if (old != 0) {
        retire(tree, guard, old);
    }
    if (!accepted) {
        destroy((struct object *)(uintptr_t)value);
    }
}

/* Put back: for any function, as above. */
static void every_object_is_destroyed_once(void **state)
{
    (void)state;
    struct objects objects = {0};
    masstree_t *tree = new_owner();
    uint64_t random = 36;
    for (size_t i = 0; i < scaled(100000); i++) {
        masstree_guard_t *guard = new_guard(tree);
        store(tree, guard, &objects, random_below(&random, KEYS), random_below(&random, 2) == 0,
              &random);
        masstree_guard_leave(guard);
    }
    end_tree(tree);
    assert_int_equal(atomic_load(&objects.made), atomic_load(&objects.destroyed));
}

struct shared {
    masstree_t *tree;
    struct objects *objects;
    uint64_t seed;
};

/* A value that another thread may displace at any time is stored again only where it is known to
   be present: in a comparison, under the lock of a callback, or while it is held. */
static void *store_at_once(void *arg)
{
    struct shared *shared = arg;
    masstree_t *tree = shared->tree;
    for (size_t i = 0; i < scaled(20000); i++) {
        masstree_guard_t *guard = NULL;
        REQUIRE(masstree_guard_enter(tree, &guard) == MASSTREE_OK);
        uint64_t number = random_below(&shared->seed, KEYS), there = 0, old = 0, none = 0;
        unsigned char key[8];
        masstree_u64_to_key(number, key);
        masstree_held_t held;
        switch (random_below(&shared->seed, 5)) {
        case 0:
            REQUIRE(masstree_exchange_u64(tree, guard, number, new_object(shared->objects),
                                          &old) >= 0);
            break;
        case 1:
            REQUIRE(masstree_remove_u64(tree, guard, number, &old) >= 0);
            break;
        case 2:
            if (masstree_get_u64(tree, guard, number, &there) == MASSTREE_OK) {
                REQUIRE(masstree_compare_exchange_u64(tree, guard, number, there, there, NULL) >= 0);
            }
            break;
        case 3:
            REQUIRE(masstree_update_u64(tree, guard, number, set_what_ctx_says, &none, &old) ==
                    MASSTREE_OK);
            break;
        default: {
            int32_t status = masstree_hold(tree, guard, key, 8, 0, &held, &there);
            REQUIRE(status >= 0);
            int32_t action = status == MASSTREE_OK ? MASSTREE_ACTION_SET : MASSTREE_ACTION_KEEP;
            REQUIRE(masstree_held_finish(&held, action, there, &old) == MASSTREE_OK);
            REQUIRE(old == 0);
        }
        }
        if (old != 0) {
            retire(tree, guard, old);
        }
        masstree_guard_leave(guard);
    }
    return NULL;
}

static void threads_destroy_every_object_once(void **state)
{
    (void)state;
    struct objects objects = {0};
    masstree_t *tree = new_owner();
    struct shared shared[3];
    pthread_t threads[COUNT(shared)];
    for (size_t i = 0; i < COUNT(shared); i++) {
        shared[i] = (struct shared){tree, &objects, i + 1};
        assert_int_equal(0, pthread_create(&threads[i], NULL, store_at_once, &shared[i]));
    }
    for (size_t i = 0; i < COUNT(shared); i++) {
        pthread_join(threads[i], NULL);
    }
    end_tree(tree);
    assert_int_equal(atomic_load(&objects.made), atomic_load(&objects.destroyed));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_function_returns_a_value_that_stays_stored),
        cmocka_unit_test(every_object_is_destroyed_once),
        cmocka_unit_test(threads_destroy_every_object_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
