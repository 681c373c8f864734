/* Every allocation fails once. A workload of everything that allocates is repeated, in trees
   whose nodes are separate allocations; in the n-th run the n-th allocation fails, or that and
   all that follow during the same call, until a run makes fewer. The call that meets the failure
   returns MASSTREE_NOMEM, has stored nothing and changed nothing, and succeeds when it is
   repeated. At the end all memory was freed (known-failures row 18). */
#include "sweep/run.h"

static void count_freed(void *object, size_t bytes, void *ctx)
{
    (void)object;
    (void)bytes;
    ((struct run *)ctx)->freed++;
}

static void retire(struct run *run, size_t objects)
{
    for (size_t i = 0; i < objects; i++) {
        int32_t status;
        do {
            status = masstree_retire(run->tree, NULL, run, 8, count_freed, run);
        } while (again(run, status, ANSWERS));
        assert_int_equal(MASSTREE_OK, status);
    }
}

static masstree_guard_t *enter(struct run *run)
{
    masstree_guard_t *const none = (masstree_guard_t *)(void *)run;
    masstree_guard_t *guard = none;
    int32_t status;
    do {
        assert_ptr_equal(none, guard);
        status = masstree_guard_enter(run->tree, &guard);
    } while (again(run, status, ANSWERS));
    assert_int_equal(MASSTREE_OK, status);
    return guard;
}

/* More than fit without an allocation. */
static void enter_many(struct run *run)
{
    masstree_guard_t *guards[200];
    for (size_t i = 0; i < COUNT(guards); i++) {
        guards[i] = enter(run);
    }
    for (size_t i = 0; i < COUNT(guards); i++) {
        masstree_guard_leave(guards[i]);
    }
}

static void maintain(struct run *run)
{
    int32_t status;
    do {
        do {
            status = masstree_maintain(run->tree, NULL, 5, NULL);
        } while (again(run, status, MAY_DO_WITHOUT));
    } while (status == MASSTREE_OK);
    assert_int_equal(MASSTREE_END, status);
}

static void compact(struct run *run)
{
    int32_t status;
    do {
        do {
            status = masstree_compact(run->tree, NULL, 0, 5, NULL);
        } while (again(run, status, MAY_DO_WITHOUT));
    } while (status == MASSTREE_OK);
    assert_int_equal(MASSTREE_END, status);
}

static void check(struct run *run)
{
    int32_t status;
    do {
        status = masstree_check(run->tree, NULL, NULL, NULL);
    } while (again(run, status, ANSWERS));
    assert_int_equal(MASSTREE_OK, status);
}

static void write_nothing(const char *text, size_t len, void *ctx)
{
    (void)text;
    *(size_t *)ctx += len;
}

static int32_t count_visit(const void *key, size_t key_len, uint64_t value, void *ctx)
{
    (void)key;
    (void)key_len;
    (void)value;
    ++*(size_t *)ctx;
    return MASSTREE_VISIT_CONTINUE;
}

static int32_t count_pivot(const void *key, size_t key_len, size_t index, void *ctx)
{
    return count_visit(key, key_len, index, ctx);
}

static void look(struct run *run)
{
    masstree_stats_t stats;
    size_t written = 0;
    int32_t status;
    do {
        stats = (masstree_stats_t)MASSTREE_STATS_INIT;
        stats.flags = MASSTREE_STATS_NODES;
        status = masstree_stats(run->tree, NULL, &stats);
        assert_int_equal(status == MASSTREE_OK ? run->model.count : 0, stats.keys);
    } while (again(run, status, ANSWERS));
    do {
        assert_int_equal(0, written);
        status = masstree_stats_json(run->tree, NULL, MASSTREE_STATS_NODES, write_nothing,
                                     &written);
    } while (again(run, status, ANSWERS));
    assert_int_equal(MASSTREE_OK, status);
    do {
        status = masstree_dump(run->tree, NULL, MASSTREE_DUMP_TEXT, write_nothing, &written);
    } while (again(run, status, ANSWERS));
    assert_int_equal(MASSTREE_OK, status);
    do {
        size_t visits = 0;
        size_t visited = 0;
        status = masstree_pivots(run->tree, NULL, 5, count_pivot, &visits, &visited);
        assert_true(status != MASSTREE_OK || visits == visited);
    } while (again(run, status, ANSWERS));
    assert_int_equal(MASSTREE_OK, status);
    do {
        masstree_estimate_t estimate = MASSTREE_ESTIMATE_INIT;
        status = masstree_estimate(run->tree, NULL, NULL, &estimate);
        assert_int_equal(status == MASSTREE_OK ? run->model.count : 0, estimate.keys);
    } while (again(run, status, ANSWERS));
    assert_int_equal(MASSTREE_OK, status);
}

static void clear(struct run *run)
{
    int32_t status;
    do {
        status = masstree_clear(run->tree, NULL);
    } while (again(run, status, ANSWERS));
    assert_int_equal(MASSTREE_OK, status);
    model_free(&run->model);
}

/* Into the empty tree. */
static void bulk_load(struct run *run, bool of_integers)
{
    enum { LOADED = 150 };
    static uint64_t words[LOADED];
    static unsigned char bytes[LOADED][VALUE_MAX];
    masstree_slice_t slices[LOADED];
    masstree_slice_t values[LOADED];
    struct model model = {0};
    size_t offender = 77;
    int32_t status;
    for (uint64_t i = 0; i < LOADED; i++) {
        struct key key = key_of(i);
        if (of_integers) {
            key.len = 8;
            masstree_u64_to_key(i, key.bytes);
        }
        model_put(&model, key.bytes, key.len, i);
    }
    for (uint64_t i = 0; i < LOADED; i++) {
        model.entries[i].value = words[i] = i;
        slices[i] = (masstree_slice_t){model.entries[i].key, model.entries[i].len};
        values[i] = value_of(i, bytes[i]);
    }
    do {
        status = run->holds_bytes
                     ? masstree_bulk_load_bytes(run->tree, NULL, slices, values, LOADED, &offender)
                 : of_integers
                     ? masstree_bulk_load_u64(run->tree, NULL, words, 8, words, LOADED, &offender)
                     : masstree_bulk_load(run->tree, NULL, slices, words, LOADED, &offender);
        assert_int_equal(77, offender);
    } while (again(run, status, ANSWERS));
    assert_int_equal(MASSTREE_OK, status);
    model_free(&run->model);
    run->model = model;
}

/* Reads that need memory only for keys with many layers, or many bytes, for which the stack has no
   room. The pools grow to where they get caches, which they may do without. */
static void long_keys(struct run *run)
{
    static unsigned char key[6000];
    const size_t deep = 1200;
    memset(key, 'k', sizeof key);
    for (size_t len = deep - 12; len < deep; len++) {
        run_put_key(run, key, len, len, MAY_DO_WITHOUT);
    }
    run_longest_prefix(run, key, deep);
    run_longest_prefix(run, key, deep - 20);
    key[0] = 'l';
    run_put_key(run, key, sizeof key, 7, MAY_DO_WITHOUT);
    run_sample(run, 30);
}

static void create(struct run *run)
{
    masstree_options_t options = allocator_options(
        &run->allocator, run->holds_bytes ? MASSTREE_VALUES_BYTES : MASSTREE_VALUES_WORDS);
    int32_t status;
    do {
        assert_null(run->tree);
        status = masstree_create(&options, &run->tree);
    } while (again(run, status, ANSWERS));
    assert_int_equal(MASSTREE_OK, status);
}

static void change_one(struct run *run, masstree_guard_t *guard, uint64_t number, uint64_t step)
{
    if (run->holds_bytes && step % 3 == 0) {
        run_update_bytes(run, guard, number, step);
    } else if (run->holds_bytes) {
        run_append(run, number, step);
    } else if (step % 5 == 0) {
        run_add(run, number, step);
    } else if (step % 3 == 0) {
        run_hold(run, guard, number, step);
    } else {
        run_update(run, number, step, step % 2 == 0);
    }
}

static void write_keys(struct run *run, masstree_guard_t *guard)
{
    uint64_t random = 1;
    for (uint64_t number = 0; number < 260; number++) {
        run_put(run, number, number);
    }
    for (uint64_t step = 0; step < 400; step++) {
        uint64_t number = random_below(&random, 500);
        switch (random_below(&random, 8)) {
        case 0:
            run_exchange(run, guard, number, step);
            break;
        case 1:
            run_insert(run, guard, number, step);
            break;
        case 2:
            run_replace(run, number, step);
            break;
        case 3:
            run_compare_exchange(run, number, step);
            break;
        case 4:
        case 5:
            run_remove(run, number, step % 2 == 0);
            break;
        default:
            change_one(run, guard, number, step);
        }
        if (step % 50 == 0) {
            masstree_guard_refresh(guard);
        }
    }
}

/* The steps in which each allocation fails once. */
static void work(struct run *run)
{
    create(run);
    /* The steps that fill the pool come first: later it has nodes that were freed. */
    if (!run->holds_bytes) {
        bulk_load(run, true);
        clear(run);
    }
    masstree_guard_t *guard = enter(run);
    if (!run->holds_bytes) {
        run_integer_forms(run);
    }
    write_keys(run, guard);
    run_put_batch(run, 480);
    if (!run->holds_bytes) {
        run_insert_batch(run, 490);
    }
    run_cursors(run, guard);
    run_scan(run);
    run_scan_to_a_number(run);
    run_scan_delimited(run);
    run_count(run, 0);
    run_count(run, MASSTREE_SCAN_REVERSE);
    run_pop(run, false);
    run_pop(run, true);
    run_remove_range(run, 250, 30);
    retire(run, 50);
    for (uint64_t number = 0; number < 500; number++) {
        if (number % 4 != 0) {
            run_remove(run, number, false);
        }
    }
    maintain(run);
    check(run);
    compact(run);
    check(run);
    look(run);
    masstree_guard_leave(guard);
    enter_many(run);
    clear(run);
    bulk_load(run, false);
    clear(run);
    run_put(run, 1000, 1);
    long_keys(run);
    assert_as_the_model(run);
}

static bool run_once(bool holds_bytes, size_t fail_at, bool fail_on, struct tally *tally)
{
    struct run run = {.holds_bytes = holds_bytes};
    allocator_start(&run.allocator);
    run.allocator.fail_at = fail_at;
    run.allocator.fail_on = fail_on;
    work(&run);
    bool failed = run.allocator.fail_at == 0;
    masstree_destroy(run.tree);
    assert_int_equal(50, run.freed);
    model_free(&run.model);
    allocator_end(&run.allocator);
    tally->refused += run.tally.refused;
    tally->absorbed += run.tally.absorbed;
    return failed;
}

static void each_allocation_of_a_tree_of_words_may_fail(void **state)
{
    (void)state;
    sweep(run_once, false, false);
}

static void each_allocation_of_a_tree_of_byte_strings_may_fail(void **state)
{
    (void)state;
    sweep(run_once, true, false);
}

static void all_allocations_of_a_call_from_any_on_may_fail_with_words(void **state)
{
    (void)state;
    sweep(run_once, false, true);
}

static void all_allocations_of_a_call_from_any_on_may_fail_with_byte_strings(void **state)
{
    (void)state;
    sweep(run_once, true, true);
}

static void many_steps_that_lack_memory_store_nothing(void **state)
{
    (void)state;
    for (unsigned form = 0; form < 4; form++) {
        struct run run = {.holds_bytes = (form & 1) != 0};
        allocator_start(&run.allocator);
        create(&run);
        run_put(&run, 3, 1); /* with a suffix */
        masstree_cursor_t *cursor = run_open_cursor(&run, NULL);
        masstree_slice_t keys[1] = {{NULL, 77}};
        size_t count = 77;
        run.allocator.fail_at = run.allocator.calls + 1;
        assert_int_equal(MASSTREE_NOMEM,
                         move_many(&run, cursor, (form & 2) != 0, keys, 1, &count));
        assert_int_equal(77, keys[0].len);
        assert_int_equal(77, count);
        masstree_cursor_close(cursor);
        masstree_destroy(run.tree);
        model_free(&run.model);
        allocator_end(&run.allocator);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_allocation_of_a_tree_of_words_may_fail),
        cmocka_unit_test(each_allocation_of_a_tree_of_byte_strings_may_fail),
        cmocka_unit_test(all_allocations_of_a_call_from_any_on_may_fail_with_words),
        cmocka_unit_test(all_allocations_of_a_call_from_any_on_may_fail_with_byte_strings),
        cmocka_unit_test(many_steps_that_lack_memory_store_nothing),
    };
    return cmocka_run_group_tests_name("sweep", tests, NULL, NULL);
}
