/* Updates of byte strings, and appending to them. */
#include "support.h"

/* What a callback is to do, and what it has seen. */
struct plan {
    int32_t action;
    masstree_slice_t value;
    masstree_slice_t present;
    bool was_absent;
    unsigned calls;
    masstree_t *interferes; /* at the first call, another write */
};

static int32_t follow(const masstree_slice_t *present, masstree_slice_t *value, void *ctx)
{
    struct plan *plan = ctx;
    plan->was_absent = present == NULL;
    plan->present = present == NULL ? (masstree_slice_t){NULL, 0} : *present;
    if (plan->calls++ == 0 && plan->interferes != NULL) {
        assert_ok(masstree_put_bytes(plan->interferes, NULL, "key", 3, "other", 5));
    }
    *value = plan->value;
    return plan->action;
}

static void assert_value(masstree_t *tree, masstree_guard_t *guard, const char *value)
{
    masstree_slice_t found = {NULL, 0};
    int32_t status = masstree_get_bytes(tree, guard, "key", 3, &found);
    assert_status(value == NULL ? MASSTREE_NOT_FOUND : MASSTREE_OK, status);
    if (value != NULL) {
        assert_slice(value, strlen(value), found);
    }
}

/* Put back: in `Tree::update_bytes`, do not retire the old string, or retire it after Keep. */
static void an_update_carries_its_action_out(void **state)
{
    (void)state;
    struct allocator allocator; /* asserts that each string is freed once */
    allocator_start(&allocator);
    masstree_t *tree = new_tree_of(&allocator, MASSTREE_VALUES_BYTES);
    masstree_guard_t *guard = new_guard(tree);
    masstree_slice_t old = {NULL, 77};
    struct plan plan = {.action = MASSTREE_ACTION_KEEP};
    assert_ok(masstree_update_bytes(tree, guard, "key", 3, follow, &plan, &old));
    assert_true(plan.was_absent && plan.calls == 1);
    assert_value(tree, guard, NULL);
    plan = (struct plan){.action = MASSTREE_ACTION_REMOVE};
    assert_ok(masstree_update_bytes(tree, guard, "key", 3, follow, &plan, &old));
    plan = (struct plan){.action = MASSTREE_ACTION_SET, .value = SLICE("first")};
    assert_ok(masstree_update_bytes(tree, guard, "key", 3, follow, &plan, &old));
    assert_value(tree, guard, "first");
    assert_int_equal(77, old.len);
    plan.value = SLICE("2nd");
    assert_ok(masstree_update_bytes(tree, guard, "key", 3, follow, &plan, &old));
    assert_slice("first", 5, plan.present);
    assert_slice("first", 5, old);
    assert_value(tree, guard, "2nd");
    plan = (struct plan){.action = MASSTREE_ACTION_KEEP};
    old.len = 77;
    assert_ok(masstree_update_bytes(tree, guard, "key", 3, follow, &plan, &old));
    assert_int_equal(77, old.len);
    assert_value(tree, guard, "2nd");
    plan = (struct plan){.action = MASSTREE_ACTION_REMOVE};
    assert_ok(masstree_update_bytes(tree, guard, "key", 3, follow, &plan, &old));
    assert_slice("2nd", 3, old);
    assert_value(tree, guard, NULL);
    masstree_guard_leave(guard);
    end_tree(tree);
    allocator_end(&allocator);
}

/* Put back: in `Tree::update_bytes`, do not compare the words again. */
static void an_update_begins_again_if_its_key_has_changed(void **state)
{
    (void)state;
    masstree_t *tree = new_bytes_tree();
    masstree_guard_t *guard = new_guard(tree);
    const int32_t actions[] = {MASSTREE_ACTION_KEEP, MASSTREE_ACTION_SET, MASSTREE_ACTION_REMOVE};
    for (size_t i = 0; i < COUNT(actions); i++) {
        for (unsigned is_present = 0; is_present < 2; is_present++) {
            masstree_slice_t old = {NULL, 0};
            struct plan plan = {
                .action = actions[i], .value = SLICE("new"), .interferes = tree};
            if (is_present == 0) {
                masstree_remove_bytes(tree, NULL, "key", 3, NULL);
            } else {
                assert_ok(masstree_put_bytes(tree, NULL, "key", 3, "other", 5));
            }
            assert_ok(masstree_update_bytes(tree, guard, "key", 3, follow, &plan, &old));
            assert_int_equal(2, plan.calls);
            assert_slice("other", 5, plan.present);
            assert_value(tree, guard, i == 0 ? "other" : i == 1 ? "new" : NULL);
            assert_true(i == 0 || old.len == 5);
        }
    }
    masstree_guard_leave(guard);
    end_tree(tree);
}

static void a_callback_that_refuses_changes_nothing(void **state)
{
    (void)state;
    masstree_t *tree = new_bytes_tree();
    masstree_guard_t *guard = new_guard(tree);
    masstree_slice_t old = {NULL, 77};
    assert_ok(masstree_put_bytes(tree, NULL, "key", 3, "value", 5));
    const struct {
        int32_t action;
        masstree_slice_t value;
        int32_t status;
    } refused[] = {
        {-1234, {NULL, 0}, -1234},
        {77, {NULL, 0}, MASSTREE_INVALID},
        {MASSTREE_ACTION_SET, {NULL, 3}, MASSTREE_INVALID},
        {MASSTREE_ACTION_SET, {"value", SIZE_MAX}, MASSTREE_INVALID},
    };
    for (size_t i = 0; i < COUNT(refused); i++) {
        struct plan plan = {.action = refused[i].action, .value = refused[i].value};
        assert_status(refused[i].status,
                      masstree_update_bytes(tree, guard, "key", 3, follow, &plan, &old));
        assert_value(tree, guard, "value");
    }
    assert_status(MASSTREE_INVALID, masstree_update_bytes(tree, guard, "key", 3, NULL, NULL, &old));
    struct plan plan = {.action = MASSTREE_ACTION_KEEP};
    assert_status(MASSTREE_INVALID, masstree_update_bytes(tree, NULL, "key", 3, follow, &plan, &old));
    assert_ok(masstree_update_bytes(tree, NULL, "key", 3, follow, &plan, NULL));
    assert_int_equal(77, old.len);
    masstree_guard_leave(guard);
    end_tree(tree);
}

static void bytes_are_appended(void **state)
{
    (void)state;
    masstree_t *tree = new_bytes_tree();
    masstree_guard_t *guard = new_guard(tree);
    size_t len = 77;
    assert_ok(masstree_append_bytes(tree, guard, "key", 3, NULL, 0, &len));
    assert_int_equal(0, len);
    assert_value(tree, guard, "");
    assert_ok(masstree_append_bytes(tree, guard, "key", 3, "one", 3, &len));
    assert_int_equal(3, len);
    assert_ok(masstree_append_bytes(tree, NULL, "key", 3, ", two", 5, NULL));
    assert_value(tree, guard, "one, two");
    assert_status(MASSTREE_INVALID, masstree_append_bytes(tree, guard, "key", 3, NULL, 1, &len));
    assert_int_equal(3, len);
    masstree_guard_leave(guard);
    end_tree(tree);
}

enum { THREADS = 4, RECORD = 8 };

struct appending {
    masstree_t *tree;
    unsigned thread;
    size_t count;
};

static void append_records(void *arg)
{
    const struct appending *work = arg;
    for (size_t i = 0; i < work->count; i++) {
        unsigned char record[RECORD];
        memset(record, 1 + (int)work->thread, sizeof record);
        REQUIRE(masstree_append_bytes(work->tree, NULL, "key", 3, record, RECORD, NULL) ==
                MASSTREE_OK);
    }
}

/* Put back: in `Tree::update_bytes`, do not compare the words again. */
static void each_append_of_several_threads_is_there_once(void **state)
{
    (void)state;
    masstree_t *tree = new_bytes_tree();
    const size_t count = scaled(400);
    struct appending work[THREADS];
    void (*run[THREADS])(void *);
    for (unsigned i = 0; i < THREADS; i++) {
        work[i] = (struct appending){tree, i, count};
        run[i] = append_records;
    }
    run_together(THREADS, run, work, sizeof work[0]);
    masstree_guard_t *guard = new_guard(tree);
    masstree_slice_t value;
    assert_ok(masstree_get_bytes(tree, guard, "key", 3, &value));
    assert_int_equal(THREADS * count * RECORD, value.len);
    size_t found[THREADS + 1] = {0};
    for (size_t at = 0; at < value.len; at++) {
        const unsigned char *bytes = value.data;
        assert_int_equal(bytes[at - at % RECORD], bytes[at]);
        found[bytes[at]] += at % RECORD == 0 ? 1 : 0;
    }
    for (unsigned i = 1; i <= THREADS; i++) {
        assert_int_equal(count, found[i]);
    }
    masstree_guard_leave(guard);
    end_tree(tree);
}

/* Runs out of memory at each allocation in turn. */
static void without_memory_nothing_is_changed(void **state)
{
    (void)state;
    for (unsigned appends = 0; appends < 2; appends++) {
        struct allocator allocator;
        allocator_start(&allocator);
        masstree_t *tree = new_tree_of(&allocator, MASSTREE_VALUES_BYTES);
        masstree_guard_t *guard = new_guard(tree);
        /* A full leaf, so that an insert needs a node. */
        for (char key = 'a'; key < 'a' + 15; key++) {
            assert_ok(masstree_put_bytes(tree, guard, &key, 1, "value", 5));
        }
        masstree_slice_t old = {NULL, 0};
        int32_t status = MASSTREE_NOMEM;
        size_t failures = 0;
        while (next_fails(&allocator, status, &failures)) {
            assert_value(tree, guard, NULL);
            struct plan plan = {.action = MASSTREE_ACTION_SET, .value = SLICE("new")};
            status = appends != 0
                         ? masstree_append_bytes(tree, guard, "key", 3, "new", 3, NULL)
                         : masstree_update_bytes(tree, guard, "key", 3, follow, &plan, &old);
        }
        assert_value(tree, guard, "new");
        masstree_guard_leave(guard);
        end_tree(tree);
        allocator_end(&allocator);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_update_carries_its_action_out),
        cmocka_unit_test(an_update_begins_again_if_its_key_has_changed),
        cmocka_unit_test(a_callback_that_refuses_changes_nothing),
        cmocka_unit_test(bytes_are_appended),
        cmocka_unit_test(each_append_of_several_threads_is_there_once),
        cmocka_unit_test(without_memory_nothing_is_changed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
