/* Functions that wait for other threads, or that meet a locked mutex, change errno no more than
   others do (known-failures row 35). Each test makes one thread wait for sure: the owner of the
   mutex, or of the lock, keeps it until the other thread is seen to wait. */
#include "dirty_errno.h"
#include "support.h"

#include <sys/wait.h>
#include <unistd.h>

enum { SKIPPED = 77 };

/* One thread owns something, another waits for it. */
enum stage {
    NOT_YET,
    READY, /* the other one is about to make its call */
    OWNED,
    SEEN, /* the other one waits, or is through */
};

static atomic_int stage;
static atomic_bool waited;

static void advance_to(int next)
{
    atomic_store(&stage, next);
}

/* Ends: the other thread gets there. */
static void wait_for_stage(int wanted)
{
    while (atomic_load(&stage) < wanted) {
        dirty_real_yield();
    }
}

static void notice_a_futex(enum dirty_call call)
{
    if (call == DIRTY_FUTEX_WAIT && atomic_load(&stage) == OWNED) {
        atomic_store(&waited, true);
        advance_to(SEEN);
    }
}

/* The next call is the one that waits. */
static void wait_until_owned(void)
{
    advance_to(READY);
    wait_for_stage(OWNED);
}

/* Starts from the beginning; errno is dirty from here on. */
static void begin(void)
{
    advance_to(NOT_YET);
    atomic_store(&waited, false);
    dirty_arm(true);
}

/* A call that waits, and what it uses. */
struct call_that_waits {
    void (*run)(struct call_that_waits *);
    masstree_t *tree;
    bool is_late; /* made by a thread that exits, whose number was given back */
};

static void run_watched(struct call_that_waits *call)
{
    dirty_watch = notice_a_futex;
    call->run(call);
    dirty_watch = NULL;
    advance_to(SEEN);
}

static pthread_key_t late_key;

static void run_late(void *arg)
{
    run_watched(arg);
}

static void *run_beside_the_owner(void *arg)
{
    struct call_that_waits *call = arg;
    if (call->is_late) {
        enter_unguarded(call->tree);
        REQUIRE(pthread_setspecific(late_key, call) == 0);
    } else {
        run_watched(call);
    }
    return NULL;
}

/* Seize's mutex, under which it assigns numbers to threads and guards. The list of free numbers
   grows under it when a guard is left. */
static void keep_seizes_mutex(enum dirty_call call)
{
    if ((call == DIRTY_MALLOC || call == DIRTY_REALLOC) && atomic_load(&stage) == READY) {
        advance_to(OWNED);
        wait_for_stage(SEEN);
    }
}

/* The list of free numbers has room for about so many: it doubles. */
static size_t room = 32;

static void expect_kept_at_seizes_mutex(struct call_that_waits call)
{
    masstree_t *guarded = new_tree();
    /* Ends: with more free numbers than ever before, the list grows. */
    do {
        assert_true(room < 1 << 12);
        room *= 2;
        size_t count = room + 16; /* more than that, whatever the other thread has */
        masstree_guard_t **guards = calloc(count, sizeof *guards);
        assert_non_null(guards);
        for (size_t i = 0; i < count; i++) {
            guards[i] = new_guard(guarded);
        }
        begin();
        pthread_t thread;
        assert_int_equal(0, pthread_create(&thread, NULL, run_beside_the_owner, &call));
        wait_for_stage(READY);
        dirty_watch = keep_seizes_mutex;
        for (size_t i = 0; i < count; i++) {
            masstree_guard_leave(guards[i]);
        }
        dirty_watch = NULL;
        /* If the list did not grow. */
        advance_to(SEEN);
        pthread_join(thread, NULL);
        dirty_arm(false);
        free(guards);
    } while (!atomic_load(&waited));
    end_tree(guarded);
}

static void enter_a_guard(struct call_that_waits *call)
{
    masstree_guard_t *guard = NULL;
    wait_until_owned();
    REQUIRE_KEPT(masstree_guard_enter(call->tree, &guard));
    masstree_guard_leave(guard);
}

/* Put back: without `preserve` in Domain::enter. */
static void entering_a_guard_keeps_errno(void **state)
{
    (void)state;
    masstree_t *tree = new_tree();
    expect_kept_at_seizes_mutex((struct call_that_waits){.run = enter_a_guard, .tree = tree});
    end_tree(tree);
}

static void leave_a_guard(struct call_that_waits *call)
{
    masstree_guard_t *guard = NULL;
    REQUIRE(masstree_guard_enter(call->tree, &guard) == MASSTREE_OK);
    wait_until_owned();
    REQUIRE_KEPT(masstree_guard_leave(guard));
}

/* Put back: without `preserve` in Guard::drop. */
static void leaving_a_guard_keeps_errno(void **state)
{
    (void)state;
    masstree_t *tree = new_tree();
    expect_kept_at_seizes_mutex((struct call_that_waits){.run = leave_a_guard, .tree = tree});
    end_tree(tree);
}

static void begin_in_a_thread(struct call_that_waits *call)
{
    wait_until_owned();
    REQUIRE_KEPT(enter_unguarded(call->tree));
}

/* Put back: without the last `preserve` in enter_local_slow. */
static void a_threads_first_call_keeps_errno(void **state)
{
    (void)state;
    masstree_t *tree = new_tree();
    expect_kept_at_seizes_mutex((struct call_that_waits){.run = begin_in_a_thread, .tree = tree});
    end_tree(tree);
}

/* An allocator without memory: a thread that exits gets no slot for its guard. */
static atomic_bool has_memory = true;

static void *alloc_if_allowed(size_t size, size_t align, void *ctx)
{
    (void)ctx;
    if (!atomic_load(&has_memory)) {
        return NULL;
    }
    return aligned_alloc(align, (size + align - 1) / align * align);
}

static void free_any(void *memory, size_t size, size_t align, void *ctx)
{
    (void)size;
    (void)align;
    (void)ctx;
    free(memory);
}

static masstree_t *new_tree_without_memory(void)
{
    masstree_options_t options = MASSTREE_OPTIONS_INIT;
    masstree_t *tree = NULL;
    options.alloc = alloc_if_allowed;
    options.free = free_any;
    assert_ok(masstree_create(&options, &tree));
    assert_ok(masstree_put_u64(tree, NULL, 1, 1));
    atomic_store(&has_memory, false);
    return tree;
}

static void end_tree_without_memory(masstree_t *tree)
{
    atomic_store(&has_memory, true);
    end_tree(tree);
}

/* Put back: without `preserve` where a guard without a slot is entered. */
static void entering_in_a_late_destructor_keeps_errno(void **state)
{
    (void)state;
    masstree_t *tree = new_tree_without_memory();
    expect_kept_at_seizes_mutex(
        (struct call_that_waits){.run = begin_in_a_thread, .tree = tree, .is_late = true});
    end_tree_without_memory(tree);
}

static int32_t keep_once_owned(const uint64_t *present, uint64_t *value, void *ctx)
{
    (void)value;
    (void)ctx;
    REQUIRE(present != NULL);
    wait_until_owned();
    errno = MARK;
    return MASSTREE_ACTION_KEEP;
}

static void end_a_call_once_owned(struct call_that_waits *call)
{
    REQUIRE(masstree_update_u64(call->tree, NULL, 1, keep_once_owned, NULL, NULL) == MASSTREE_OK);
    REQUIRE(errno == MARK);
}

/* Put back: without `preserve` where a guard without a slot is left. */
static void leaving_in_a_late_destructor_keeps_errno(void **state)
{
    (void)state;
    masstree_t *tree = new_tree_without_memory();
    expect_kept_at_seizes_mutex(
        (struct call_that_waits){.run = end_a_call_once_owned, .tree = tree, .is_late = true});
    end_tree_without_memory(tree);
}

/* The list of all trees is locked while a thread forks, which waits until the third thread, which
   runs a callback while it leaves a guard, has left it. */
static void stay_until_seen(void *object, size_t bytes, void *ctx)
{
    (void)object;
    (void)bytes;
    atomic_store((atomic_bool *)ctx, true);
    wait_for_stage(SEEN);
}

static void *leave_until_seen(void *arg)
{
    masstree_guard_leave(arg);
    return NULL;
}

static void keep_the_list(enum dirty_call call)
{
    if (call == DIRTY_YIELD && atomic_load(&stage) == READY) {
        advance_to(OWNED);
        wait_for_stage(SEEN);
    }
}

static void destroy_a_tree(struct call_that_waits *call)
{
    wait_until_owned();
    REQUIRE_KEPT(masstree_destroy(call->tree));
}

/* Put back: no `preserve` in errno::lock. */
static void destroying_a_tree_beside_a_fork_keeps_errno(void **state)
{
    (void)state;
    masstree_t *tree = new_tree();
    masstree_guard_t *guard = new_guard(tree);
    struct call_that_waits call = {.run = destroy_a_tree, .tree = new_tree()};
    atomic_bool is_leaving = false;
    pthread_t waiter, leaver;
    assert_ok(masstree_retire(tree, guard, &call, 1, stay_until_seen, &is_leaving));
    assert_ok(masstree_flush(tree, guard));
    begin();
    assert_int_equal(0, pthread_create(&leaver, NULL, leave_until_seen, guard));
    while (!atomic_load(&is_leaving)) {
        dirty_real_yield();
    }
    assert_int_equal(0, pthread_create(&waiter, NULL, run_beside_the_owner, &call));
    wait_for_stage(READY);
    dirty_watch = keep_the_list;
    pid_t child = fork();
    if (child == 0) {
        _exit(0);
    }
    dirty_watch = NULL;
    assert_int_equal(child, waitpid(child, NULL, 0));
    pthread_join(waiter, NULL);
    pthread_join(leaver, NULL);
    dirty_arm(false);
    assert_true(atomic_load(&waited));
    end_tree(tree);
}

/* A barrier waits for a guard. */
static void wait_for_the_guard(struct call_that_waits *call)
{
    advance_to(OWNED);
    REQUIRE_KEPT(masstree_barrier(call->tree));
}

/* Put back: without `preserve` in Domain::wait_for_guards. */
static void a_barrier_that_waits_keeps_errno(void **state)
{
    (void)state;
    masstree_t *tree = new_tree();
    masstree_guard_t *guard = new_guard(tree);
    struct call_that_waits call = {.run = wait_for_the_guard, .tree = tree};
    pthread_t thread;
    assert_ok(masstree_put_u64(tree, guard, 1, 1));
    begin();
    assert_int_equal(0, pthread_create(&thread, NULL, run_beside_the_owner, &call));
    wait_for_stage(SEEN);
    masstree_guard_leave(guard);
    pthread_join(thread, NULL);
    dirty_arm(false);
    assert_true(atomic_load(&waited));
    end_tree(tree);
}

/* Waiting for the holder of a leaf: yields, and then sleeps. */
static enum dirty_call last_turn;
static _Thread_local bool has_slept;

static void notice_the_last_turn(enum dirty_call call)
{
    has_slept = has_slept || call == DIRTY_SLEEP;
    if (call == last_turn && (has_slept || !dirty_refuse_sleep) &&
        atomic_load(&stage) == OWNED) {
        atomic_store(&waited, true);
        advance_to(SEEN);
    }
}

static void put_in_the_held_leaf(struct call_that_waits *call)
{
    enter_unguarded(call->tree);
    dirty_watch = notice_the_last_turn;
    advance_to(OWNED);
    REQUIRE_KEPT(masstree_put_u64(call->tree, NULL, 1, 2));
}

static void put_where_sleep_is_refused(struct call_that_waits *call)
{
    dirty_refuse_sleep = true;
    put_in_the_held_leaf(call);
}

static void expect_kept_at_a_held_leaf(enum dirty_call turn, void (*run)(struct call_that_waits *))
{
    masstree_t *tree = new_tree();
    masstree_guard_t *guard = new_guard(tree);
    struct call_that_waits call = {.run = run, .tree = tree};
    masstree_held_t held;
    unsigned char key[8];
    pthread_t thread;
    masstree_u64_to_key(1, key);
    assert_ok(masstree_put_u64(tree, guard, 1, 1));
    assert_ok(masstree_hold(tree, guard, key, sizeof key, 0, &held, NULL));
    last_turn = turn;
    begin();
    assert_int_equal(0, pthread_create(&thread, NULL, run_beside_the_owner, &call));
    wait_for_stage(SEEN);
    assert_ok(masstree_held_finish(&held, MASSTREE_ACTION_KEEP, 0, NULL));
    pthread_join(thread, NULL);
    dirty_arm(false);
    assert_true(atomic_load(&waited));
    masstree_guard_leave(guard);
    end_tree(tree);
}

/* Put back: yield, or sleep, without restoring errno (src/sync/wait.rs); yield without `preserve`
   where the kernel refuses to sleep. */
static void waiting_for_a_leaf_keeps_errno(void **state)
{
    (void)state;
    expect_kept_at_a_held_leaf(DIRTY_YIELD, put_in_the_held_leaf);
    expect_kept_at_a_held_leaf(DIRTY_SLEEP, put_in_the_held_leaf);
    expect_kept_at_a_held_leaf(DIRTY_YIELD, put_where_sleep_is_refused);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(entering_a_guard_keeps_errno),
        cmocka_unit_test(leaving_a_guard_keeps_errno),
        cmocka_unit_test(a_threads_first_call_keeps_errno),
        cmocka_unit_test(entering_in_a_late_destructor_keeps_errno),
        cmocka_unit_test(leaving_in_a_late_destructor_keeps_errno),
        cmocka_unit_test(destroying_a_tree_beside_a_fork_keeps_errno),
        cmocka_unit_test(a_barrier_that_waits_keeps_errno),
        cmocka_unit_test(waiting_for_a_leaf_keeps_errno),
    };
    if (!dirty_works()) {
        return SKIPPED;
    }
    REQUIRE(pthread_key_create(&late_key, run_late) == 0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
