/* Forks of a program whose threads use the library: all functions refuse the parent's trees in
   the child, and work with the child's own trees. */
#include "calls.h"

#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

/* ThreadSanitizer ends a program that starts threads after a fork. */
#if defined(__SANITIZE_THREAD__)
enum { THREADS_IN_CHILD = 0 };
#else
enum { THREADS_IN_CHILD = 2 };
#endif

/* Ends the child, where cmocka's assertions do not work. */
static _Noreturn void end_child(void)
{
    flush_statuses();
    _exit(0);
}

static pid_t begin_child(void)
{
    pid_t child = fork();
    if (child == 0) {
        alarm(WATCHDOG_SECONDS); /* a child that hangs ends by a signal */
    }
    return child;
}

static void assert_child_was_content(pid_t child)
{
    int status = -1;
    assert_true(child > 0);
    assert_int_equal(child, waitpid(child, &status, 0));
    assert_true(WIFEXITED(status));
    assert_int_equal(0, WEXITSTATUS(status));
}

/* The parent's objects, of both kinds. */
struct belongings {
    masstree_t *tree;
    masstree_guard_t *guard;
    masstree_cursor_t *cursor;
    masstree_cursor_t *own; /* a cursor with its own guard */
    masstree_loader_t *loader;
};

static struct belongings new_belongings(bool bytes)
{
    struct belongings belongings = {.tree = bytes ? new_bytes_tree() : new_tree()};
    if (bytes) {
        assert_ok(masstree_put_bytes(belongings.tree, NULL, "key", 3, "value", 5));
    } else {
        assert_ok(masstree_put(belongings.tree, NULL, "key", 3, 1));
    }
    belongings.guard = new_guard(belongings.tree);
    assert_ok(masstree_cursor_open(belongings.tree, belongings.guard, &belongings.cursor));
    assert_ok(masstree_cursor_first(belongings.cursor));
    assert_ok(masstree_loader_open(belongings.tree, &belongings.loader));
    assert_ok(masstree_cursor_open(belongings.tree, NULL, &belongings.own));
    assert_ok(masstree_cursor_first(belongings.own));
    return belongings;
}

static void end_belongings(struct belongings *belongings)
{
    assert_ok(masstree_contains(belongings->tree, belongings->guard, "key", 3));
    assert_ok(masstree_cursor_first(belongings->cursor));
    assert_ok(masstree_cursor_first(belongings->own));
    masstree_loader_close(belongings->loader);
    masstree_cursor_close(belongings->own);
    masstree_cursor_close(belongings->cursor);
    masstree_guard_leave(belongings->guard);
    assert_int_equal(1, tree_len(belongings->tree));
    end_tree(belongings->tree);
}

static void require_forked(const struct belongings *belongings, bool bytes)
{
    for (size_t i = 0; i < call_count; i++) {
        if (calls[i].values == (bytes ? VALUES_WORDS : VALUES_BYTES)) {
            continue; /* also those of the wrong kind */
        }
        for (unsigned form = 0; form < 4; form++) {
            struct arguments arguments = {.tree = belongings->tree, .key = "key", .key_len = 3};
            bool held = (form & 1) != 0 || (calls[i].takes & NEEDS_GUARD) != 0;
            arguments.guard = held ? belongings->guard : NULL;
            arguments.cursor = (form & 2) != 0 ? belongings->cursor : belongings->own;
            blank(&arguments);
            int32_t answer = calls[i].run(&arguments);
            if (answer != MASSTREE_FORKED || !is_blank(&arguments)) {
                fprintf(stderr, "masstree_%s answered %d in the child\n", calls[i].name, answer);
                abort();
            }
        }
    }
    uint64_t version = 0;
    masstree_delta_t delta = MASSTREE_DELTA_INIT;
    REQUIRE(masstree_guard_record(belongings->guard, &delta) == MASSTREE_FORKED);
    REQUIRE(masstree_leaf_version(belongings->tree, 64, &version) == MASSTREE_FORKED);
    masstree_loader_t *loader = belongings->loader;
    masstree_slice_t key = SLICE("key");
    REQUIRE(masstree_loader_add_many(loader, &key, &version, 1, NULL) == MASSTREE_FORKED);
    REQUIRE(masstree_loader_add_many_u64(loader, &version, 8, &version, 1, NULL) ==
            MASSTREE_FORKED);
    REQUIRE(masstree_loader_add_many_bytes(loader, &key, &key, 1, NULL) == MASSTREE_FORKED);
    masstree_loader_close(loader);
    masstree_guard_refresh(belongings->guard);
    masstree_cursor_refresh(belongings->cursor);
    masstree_cursor_refresh(belongings->own);
    masstree_cursor_close(belongings->cursor);
    masstree_cursor_close(belongings->own);
    masstree_guard_leave(belongings->guard);
    masstree_destroy(belongings->tree);
    /* The call did nothing, so it can be repeated. */
    masstree_cursor_close(belongings->own);
    masstree_guard_leave(belongings->guard);
    masstree_destroy(belongings->tree);
    REQUIRE(masstree_len(belongings->tree, NULL) == MASSTREE_FORKED);
}

struct user {
    masstree_t *tree;
    uint64_t first;
};

static void use_tree(void *arg)
{
    struct user *user = arg;
    enum { KEYS = 300 };
    masstree_t *tree = user->tree;
    masstree_guard_t *guard = NULL;
    masstree_cursor_t *cursor = NULL;
    uint64_t value = 0;
    REQUIRE(masstree_guard_enter(tree, &guard) == MASSTREE_OK);
    for (uint64_t i = user->first; i < user->first + KEYS; i++) {
        REQUIRE(masstree_put_u64(tree, i % 2 == 0 ? guard : NULL, i, i) == MASSTREE_OK);
    }
    masstree_guard_refresh(guard);
    REQUIRE(masstree_cursor_open(tree, guard, &cursor) == MASSTREE_OK);
    REQUIRE(masstree_cursor_seek_u64(cursor, user->first, MASSTREE_SEEK_GE) == MASSTREE_OK);
    for (uint64_t i = user->first; i < user->first + KEYS; i++) {
        REQUIRE(masstree_cursor_value(cursor, &value) == MASSTREE_OK && value == i);
        REQUIRE(masstree_cursor_next(cursor) >= MASSTREE_OK);
    }
    masstree_cursor_close(cursor);
    for (uint64_t i = user->first; i < user->first + KEYS; i++) {
        REQUIRE(masstree_remove_u64(tree, guard, i, &value) == MASSTREE_OK && value == i);
    }
    masstree_guard_leave(guard);
}

/* All operations, on this process's own trees. */
static void use_own_tree(masstree_t *tree)
{
    struct user users[1 + THREADS_IN_CHILD];
    void (*run[COUNT(users)])(void *);
    for (size_t i = 0; i < COUNT(users); i++) {
        users[i] = (struct user){tree, i * 1000};
        run[i] = use_tree;
    }
    use_tree(&users[0]);
    if (THREADS_IN_CHILD != 0) {
        run_together(COUNT(users), run, users, sizeof users[0]);
    }
    uint64_t len = 99;
    REQUIRE(masstree_put(tree, NULL, "k", 1, 1) == MASSTREE_OK);
    REQUIRE(masstree_check(tree, NULL, NULL, NULL) == MASSTREE_OK);
    REQUIRE(masstree_barrier(tree) == MASSTREE_OK);
    REQUIRE(masstree_clear(tree, NULL) == MASSTREE_OK);
    REQUIRE(masstree_len(tree, &len) == MASSTREE_OK && len == 0);
}

/* Whether this process may create trees; if so, uses one. */
static bool try_own_tree(void)
{
    masstree_t *tree = NULL;
    int32_t status = masstree_create(NULL, &tree);
    if (status == MASSTREE_FORKED) {
        REQUIRE(tree == NULL);
        REQUIRE(masstree_create(NULL, &tree) == MASSTREE_FORKED);
        masstree_store_t *store = NULL;
        REQUIRE(masstree_store_open(NULL, NULL, &store) == MASSTREE_FORKED);
        REQUIRE(masstree_store_verify("/none/none", NULL, NULL) == MASSTREE_FORKED);
        REQUIRE(store == NULL);
        return false;
    }
    REQUIRE(status == MASSTREE_OK);
    use_own_tree(tree);
    masstree_destroy(tree);
    return true;
}

static void child_is_refused_the_parents_trees_and_creates_its_own(void **state)
{
    (void)state;
    struct belongings words = new_belongings(false);
    struct belongings bytes = new_belongings(true);
    for (unsigned turn = 0; turn < 5; turn++) {
        pid_t child = begin_child();
        if (child == 0) {
            require_forked(&words, false);
            require_forked(&bytes, true);
            REQUIRE(try_own_tree());
            REQUIRE(try_own_tree());
            end_child();
        }
        assert_child_was_content(child);
    }
    end_belongings(&words);
    end_belongings(&bytes);
}

static void grandchild_may_not_use_its_parents_tree_either(void **state)
{
    (void)state;
    struct belongings words = new_belongings(false);
    pid_t child = begin_child();
    if (child == 0) {
        masstree_t *own = NULL;
        int status = -1;
        REQUIRE(masstree_create(NULL, &own) == MASSTREE_OK);
        REQUIRE(masstree_put(own, NULL, "k", 1, 1) == MASSTREE_OK);
        pid_t grandchild = begin_child();
        REQUIRE(grandchild >= 0);
        if (grandchild == 0) {
            REQUIRE(masstree_get(own, NULL, "k", 1, NULL) == MASSTREE_FORKED);
            REQUIRE(masstree_get(words.tree, NULL, "key", 3, NULL) == MASSTREE_FORKED);
            REQUIRE(try_own_tree());
            end_child();
        }
        REQUIRE(waitpid(grandchild, &status, 0) == grandchild);
        REQUIRE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
        REQUIRE(masstree_get(own, NULL, "k", 1, NULL) == MASSTREE_OK);
        masstree_destroy(own);
        end_child();
    }
    assert_child_was_content(child);
    end_belongings(&words);
}

/* A fork during a scan. */
static int32_t fork_in_visit(const void *key, size_t key_len, uint64_t value, void *ctx)
{
    (void)key;
    (void)key_len;
    (void)value;
    struct belongings *words = ctx;
    pid_t child = begin_child();
    if (child == 0) {
        require_forked(words, false);
        REQUIRE(try_own_tree());
        end_child();
    }
    assert_child_was_content(child);
    return MASSTREE_VISIT_CONTINUE;
}

static void thread_may_fork_within_a_scan(void **state)
{
    (void)state;
    struct belongings words = new_belongings(false);
    assert_ok(masstree_scan(words.tree, NULL, NULL, fork_in_visit, &words, NULL));
    assert_ok(masstree_scan(words.tree, words.guard, NULL, fork_in_visit, &words, NULL));
    end_belongings(&words);
}

/* A destructor that waits while a guard is left. */
struct waiting {
    masstree_t *tree;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool waits;
    bool may_go;
};

static void wait_in_destructor(uint64_t value, void *ctx)
{
    struct waiting *waiting = ctx;
    if (value != 1) {
        return;
    }
    pthread_mutex_lock(&waiting->lock);
    waiting->waits = true;
    pthread_cond_broadcast(&waiting->changed);
    while (!waiting->may_go) {
        pthread_cond_wait(&waiting->changed, &waiting->lock);
    }
    pthread_mutex_unlock(&waiting->lock);
}

static void *displace_and_leave(void *arg)
{
    struct waiting *waiting = arg;
    masstree_guard_t *guard = NULL;
    REQUIRE(masstree_guard_enter(waiting->tree, &guard) == MASSTREE_OK);
    REQUIRE(masstree_put(waiting->tree, guard, "k", 1, 1) == MASSTREE_OK);
    REQUIRE(masstree_put(waiting->tree, guard, "k", 1, 2) == MASSTREE_OK);
    REQUIRE(masstree_flush(waiting->tree, guard) == MASSTREE_OK);
    masstree_guard_leave(guard);
    return NULL;
}

static void child_of_a_fork_at_a_bad_moment_cannot_create_trees(void **state)
{
    (void)state;
    struct waiting waiting = {.lock = PTHREAD_MUTEX_INITIALIZER,
                              .changed = PTHREAD_COND_INITIALIZER};
    masstree_options_t options = MASSTREE_OPTIONS_INIT;
    pthread_t thread;
    options.value_destructor = wait_in_destructor;
    options.value_ctx = &waiting;
    assert_ok(masstree_create(&options, &waiting.tree));
    assert_int_equal(0, pthread_create(&thread, NULL, displace_and_leave, &waiting));
    pthread_mutex_lock(&waiting.lock);
    while (!waiting.waits) {
        pthread_cond_wait(&waiting.changed, &waiting.lock);
    }
    pthread_mutex_unlock(&waiting.lock);
    pid_t child = begin_child();
    if (child == 0) {
        REQUIRE(masstree_get(waiting.tree, NULL, "k", 1, NULL) == MASSTREE_FORKED);
        REQUIRE(!try_own_tree());
        end_child();
    }
    pthread_mutex_lock(&waiting.lock);
    waiting.may_go = true;
    pthread_cond_broadcast(&waiting.changed);
    pthread_mutex_unlock(&waiting.lock);
    assert_int_equal(0, pthread_join(thread, NULL));
    assert_child_was_content(child);
    end_tree(waiting.tree);
    /* The parent creates trees as before, and so does its next child. */
    end_tree(new_tree());
    child = begin_child();
    if (child == 0) {
        REQUIRE(try_own_tree());
        end_child();
    }
    assert_child_was_content(child);
}

/* Threads that are anywhere inside the library when another thread forks. */
struct busy {
    struct belongings *words;
    struct belongings *bytes;
    atomic_bool *done;
    uint64_t first;
    size_t forks;
    size_t cut_off; /* children that could create no trees */
};

static void enter_and_leave(struct busy *busy, uint64_t round)
{
    masstree_t *tree = busy->words->tree;
    masstree_guard_t *guard = NULL;
    uint64_t key = busy->first + round % 100;
    REQUIRE(masstree_guard_enter(tree, &guard) == MASSTREE_OK);
    REQUIRE(masstree_put_u64(tree, guard, key, round) == MASSTREE_OK);
    masstree_guard_refresh(guard);
    REQUIRE(masstree_remove_u64(tree, round % 2 == 0 ? guard : NULL, key, NULL) == MASSTREE_OK);
    masstree_guard_leave(guard);
}

static void stay_busy(void *arg)
{
    struct busy *busy = arg;
    for (uint64_t round = 0; !atomic_load(busy->done); round++) {
        enter_and_leave(busy, round);
    }
}

static void *work_and_exit(void *arg)
{
    struct busy *busy = arg;
    for (uint64_t round = 0; round < 20; round++) {
        enter_and_leave(busy, round);
    }
    return NULL;
}

static void start_threads(void *arg)
{
    struct busy *busy = arg;
    while (!atomic_load(busy->done)) {
        pthread_t thread;
        REQUIRE(pthread_create(&thread, NULL, work_and_exit, busy) == 0);
        REQUIRE(pthread_join(thread, NULL) == 0);
    }
}

static void fork_often(void *arg)
{
    struct busy *busy = arg;
    for (size_t i = 0; i < busy->forks; i++) {
        int status = -1;
        pid_t child = begin_child();
        REQUIRE(child >= 0);
        if (child == 0) {
            require_forked(busy->words, false);
            require_forked(busy->bytes, true);
            bool able = try_own_tree();
            flush_statuses();
            _exit(able ? 0 : 7);
        }
        REQUIRE(waitpid(child, &status, 0) == child);
        REQUIRE(WIFEXITED(status));
        REQUIRE(WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == 7);
        busy->cut_off += WEXITSTATUS(status) == 7 ? 1 : 0;
    }
    atomic_store(busy->done, true);
}

static void forks_beside_busy_threads_harm_neither_parent_nor_child(void **state)
{
    (void)state;
    struct belongings words = new_belongings(false);
    struct belongings bytes = new_belongings(true);
    atomic_bool done = false;
    struct busy threads[] = {{&words, &bytes, &done, 1000, 0, 0},
                             {&words, &bytes, &done, 2000, 0, 0},
                             {&words, &bytes, &done, 3000, 0, 0},
                             {&words, &bytes, &done, 0, scaled(200), 0}};
    void (*const run[])(void *) = {stay_busy, stay_busy, start_threads, fork_often};
    run_together(COUNT(threads), run, threads, sizeof threads[0]);
    print_message("%zu forks, after %zu of which the child could make no trees\n",
                  threads[3].forks, threads[3].cut_off);
    end_belongings(&words);
    end_belongings(&bytes);
    end_tree(new_tree());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(child_is_refused_the_parents_trees_and_creates_its_own),
        cmocka_unit_test(grandchild_may_not_use_its_parents_tree_either),
        cmocka_unit_test(thread_may_fork_within_a_scan),
        cmocka_unit_test(child_of_a_fork_at_a_bad_moment_cannot_create_trees),
        cmocka_unit_test(forks_beside_busy_threads_harm_neither_parent_nor_child),
    };
    return cmocka_run_group_tests_name("fork", tests, NULL, NULL);
}
