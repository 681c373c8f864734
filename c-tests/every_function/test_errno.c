/* No function changes errno (known-failures row 35): it is set to a mark before each call of
   every function, and is the mark after. The program's own malloc, mmap, … change it.
   test_errno_waits.c does the same for functions that wait for other threads, test_seccomp.c
   where the kernel refuses a call, and a test in errno.rs for allocations that fail. */
#include "calls.h"
#include "dirty_errno.h"

static masstree_t *trees[3];

static void fill(masstree_t *words, masstree_t *bytes)
{
    for (uint64_t i = 0; i < 100; i++) {
        unsigned char key[8];
        masstree_u64_to_key(i, key);
        KEPT(masstree_put(words, NULL, key, sizeof key, i));
        KEPT(masstree_put_bytes(bytes, NULL, key, sizeof key, "some value", 10));
    }
    KEPT(masstree_put(words, NULL, "key", 3, 1));
    KEPT(masstree_put_bytes(bytes, NULL, "key", 3, "value", 5));
}

/* Ends what a call began, if it succeeded. */
static void end_call(const struct call *call, int32_t status, struct arguments *arguments)
{
    if (strcmp(call->name, "hold") == 0 && status >= 0) {
        KEPT(masstree_held_observation(&arguments->out.held, NULL, NULL));
        KEPT(masstree_held_next(&arguments->out.held, MASSTREE_ACTION_KEEP,
                                &arguments->out.observation));
        KEPT(masstree_held_finish(&arguments->out.held, MASSTREE_ACTION_SET, 1, NULL));
    } else if (strcmp(call->name, "guard_enter") == 0 && status == MASSTREE_OK) {
        KEPT(masstree_guard_leave(arguments->out.guard));
    } else if (strncmp(call->name, "cursor_open", 11) == 0 && status == MASSTREE_OK) {
        KEPT(masstree_cursor_close(arguments->out.cursor));
    } else if (strcmp(call->name, "loader_open") == 0 && status == MASSTREE_OK) {
        KEPT(masstree_loader_close(arguments->out.loader));
    } else if (strcmp(call->name, "snapshot_open") == 0 && status == MASSTREE_OK) {
        (void)masstree_snapshot_seqno(arguments->out.snapshot);
        KEPT(masstree_snapshot_close(arguments->out.snapshot));
    }
}

/* Put back: the library's allocator without `preserve` in `alloc` (src/errno.rs); in builds with
   debug assertions, no `preserve` where a hold begins (holding.rs).
   Calls each function with valid arguments, and with every handle and key invalid. */
static void each_function_keeps_errno(void **state)
{
    (void)state;
    trees[0] = new_tree();
    trees[1] = new_bytes_tree();
    trees[2] = new_versioned_tree();
    dirty_arm(true);
    for (int way = 0; way < 6; way++) {
        for (size_t i = 0; i < call_count; i++) {
            const struct call *call = &calls[i];
            masstree_t *tree = trees[(call->values == VALUES_BYTES) == (way != 5)];
            if (call->values == VALUES_VERSIONED && way != 5) {
                tree = trees[2];
            }
            struct arguments arguments = {.tree = tree, .key = "key", .key_len = 3};
            masstree_guard_t *guard = NULL;
            masstree_cursor_t *cursor = NULL;
            KEPT(masstree_guard_enter(tree, &guard));
            KEPT(masstree_cursor_open(tree, NULL, &cursor));
            KEPT(masstree_cursor_first(cursor));
            fill(trees[0], trees[1]);
            arguments.guard = guard;
            arguments.cursor = cursor;
            if (way == 1) {
                arguments.guard = NULL;
            } else if (way == 2) {
                arguments.tree = NULL;
            } else if (way == 3) {
                arguments.cursor = NULL;
            } else if (way == 4) {
                arguments.key = NULL;
            }
            if (strcmp(call->name, "barrier") == 0) {
                /* It would wait for this thread itself. */
                KEPT(masstree_cursor_close(cursor));
                KEPT(masstree_guard_leave(guard));
                arguments.guard = guard = NULL;
                arguments.cursor = cursor = NULL;
            }
            blank(&arguments);
            arguments.out.called_back = 0;
            errno = MARK;
            int32_t status = call->run(&arguments);
            if (errno != MARK) {
                fail_msg("masstree_%s, way %d: errno is %d", call->name, way, errno);
            }
            end_call(call, status, &arguments);
            KEPT(masstree_cursor_refresh(cursor));
            KEPT(masstree_cursor_close(cursor));
            KEPT(masstree_guard_refresh(guard));
            KEPT(masstree_guard_leave(guard));
        }
    }
    KEPT(masstree_strerror(MASSTREE_NOMEM));
    KEPT(masstree_version_number());
    KEPT(masstree_destroy(trees[0]));
    KEPT(masstree_destroy(trees[1]));
    KEPT(masstree_destroy(trees[2]));
    dirty_arm(false);
}

static void *failing_alloc(size_t size, size_t align, void *ctx)
{
    errno = ENOMEM;
    size_t *left = ctx;
    if (*left == 0) {
        return NULL;
    }
    --*left;
    void *memory = aligned_alloc(align, (size + align - 1) / align * align);
    errno = ENOMEM;
    return memory;
}

static void dirty_free(void *memory, size_t size, size_t align, void *ctx)
{
    (void)size;
    (void)align;
    (void)ctx;
    free(memory);
    errno = EIO;
}

static void dirty_destructor(uint64_t value, void *ctx)
{
    (void)value;
    ++*(size_t *)ctx;
    errno = EDOM;
}

static void dirty_free_object(void *object, size_t bytes, void *ctx)
{
    (void)object;
    (void)bytes;
    ++*(size_t *)ctx;
    errno = EDOM;
}

/* Each allocation fails in turn; destructors and callbacks of retired objects run. Put back: call
   any of the four without `preserve`: `alloc` or `free` in source.rs, the destructor in value.rs,
   a retired object's function in retire.rs. */
static void errno_set_by_allocators_and_destructors_is_restored(void **state)
{
    (void)state;
    size_t destroyed = 0;
    bool came_through = false;
    for (size_t most = 0; !came_through; most += 3) {
        size_t left = most;
        masstree_options_t options = MASSTREE_OPTIONS_INIT;
        masstree_t *tree = NULL;
        options.alloc = failing_alloc;
        options.free = dirty_free;
        options.alloc_ctx = &left;
        options.value_destructor = dirty_destructor;
        options.value_ctx = &destroyed;
        options.chunk_size = 1;
        KEPT(masstree_create(&options, &tree));
        if (tree == NULL) {
            continue;
        }
        int32_t worst = MASSTREE_OK;
        for (uint64_t i = 0; i < 300; i++) {
            errno = MARK;
            int32_t status = masstree_put_u64(tree, NULL, i % 200, i);
            assert_int_equal(MARK, errno);
            worst = status < worst ? status : worst;
        }
        KEPT(masstree_retire(tree, NULL, &destroyed, 8, dirty_free_object, &destroyed));
        for (uint64_t i = 0; i < 200; i += 2) {
            KEPT(masstree_remove_u64(tree, NULL, i, NULL));
        }
        KEPT(masstree_maintain(tree, NULL, 1000, NULL));
        KEPT(masstree_clear(tree, NULL));
        KEPT(masstree_flush(tree, NULL));
        KEPT(masstree_barrier(tree));
        came_through = worst == MASSTREE_OK;
        KEPT(masstree_destroy(tree));
    }
    assert_true(destroyed > 300);
}

static int32_t failing_visitor(const void *key, size_t key_len, uint64_t value, void *ctx)
{
    (void)key;
    (void)key_len;
    (void)value;
    (void)ctx;
    errno = EPIPE;
    return -99;
}

static void errno_set_by_a_visitor_stays(void **state)
{
    (void)state;
    masstree_t *tree = new_tree();
    assert_ok(masstree_put_u64(tree, NULL, 1, 1));
    errno = MARK;
    assert_int_equal(-99, (masstree_scan)(tree, NULL, NULL, failing_visitor, NULL, NULL));
    assert_int_equal(EPIPE, errno);
    end_tree(tree);
}

struct crowd {
    masstree_t *tree;
    atomic_bool *over;
    uint64_t number;
};

/* Contention: on locks, in pools, at guards; also each thread's first call. Put back: no `preserve`
   in errno::lock, or one of those that test_errno_waits.c names. */
static void *work_in_a_crowd(void *arg)
{
    struct crowd *crowd = arg;
    masstree_t *tree = crowd->tree;
    uint64_t random = crowd->number + 1;
    for (size_t i = 0; i < scaled(3000); i++) {
        uint64_t key = random_below(&random, 500);
        masstree_guard_t *guard = NULL;
        REQUIRE_KEPT(masstree_get_u64(tree, NULL, key, NULL));
        REQUIRE_KEPT(masstree_guard_enter(tree, &guard));
        REQUIRE_KEPT(masstree_put_u64(tree, guard, key, i));
        REQUIRE_KEPT(masstree_put_u64(tree, NULL, random_u64(&random), i));
        REQUIRE_KEPT(masstree_remove_u64(tree, guard, random_below(&random, 500), NULL));
        REQUIRE_KEPT(masstree_guard_leave(guard));
        if (i % 500 == 0) {
            REQUIRE_KEPT(masstree_clear(tree, NULL));
            REQUIRE_KEPT(masstree_barrier(tree));
        }
    }
    return NULL;
}

static void threads_that_wait_keep_errno(void **state)
{
    (void)state;
    masstree_options_t options = MASSTREE_OPTIONS_INIT;
    masstree_t *tree = NULL;
    assert_ok(masstree_create(&options, &tree));
    /* More threads than the counters and pools have stripes. */
    struct crowd crowd[20];
    pthread_t threads[COUNT(crowd)];
    atomic_bool over = false;
    dirty_arm(true);
    for (size_t i = 0; i < COUNT(crowd); i++) {
        crowd[i] = (struct crowd){tree, &over, i};
        assert_int_equal(0, pthread_create(&threads[i], NULL, work_in_a_crowd, &crowd[i]));
    }
    for (size_t i = 0; i < COUNT(crowd); i++) {
        pthread_join(threads[i], NULL);
    }
    dirty_arm(false);
    end_tree(tree);
}

/* Enough for chunks of huge pages, which are mapped and unmapped. Put back: no `preserve` in `map`,
   or in `unmap` (pages.rs). */
static void large_trees_keep_errno(void **state)
{
    (void)state;
    masstree_t *tree = new_tree();
    dirty_arm(true);
    for (uint64_t i = 0; i < 500000; i++) {
        errno = MARK;
        int32_t status = masstree_put_u64(tree, NULL, i * 7919, i);
        if (status != MASSTREE_OK || errno != MARK) {
            fail_msg("errno is %d after put %d", errno, (int)i);
        }
    }
    if (DIRTIES_ERRNO) {
        assert_true(atomic_load(&dirty_counts[DIRTY_MMAP]) > 0);
        assert_true(atomic_load(&dirty_counts[DIRTY_MADVISE]) > 0);
    }
    KEPT(masstree_destroy(tree));
    dirty_arm(false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_function_keeps_errno),
        cmocka_unit_test(errno_set_by_allocators_and_destructors_is_restored),
        cmocka_unit_test(errno_set_by_a_visitor_stays),
        cmocka_unit_test(threads_that_wait_keep_errno),
        cmocka_unit_test(large_trees_keep_errno),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
