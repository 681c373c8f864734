/* No lock is held while user code runs (known-failures row 33): allocators, destructors, and
   callbacks of retired objects. Each callback delegates work to another thread, which makes every
   call on the same tree, with keys in the same leaves, forks, creates and destroys trees; the
   callback waits until all that is done. If a lock were held, that thread would wait for it, and
   the test for that thread: ctest's time limit would end it.

   Only masstree_barrier is not called there: it waits for the call that made the callback.

   Put back: in `Pool::add_chunk`, match on `lock(&self.shared).adopt(chunk)` itself; in
   `Tree::hold`, where the key is present, drop what is in the reserve. */
#include "calls.h"

#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

static const char long_key[] = "a key of some length, whose end is kept outside of its leaf";
enum { KEY_LEN = sizeof long_key - 1, NEIGHBOURS = 18, FORKS = 4, AT_ALL = 12 };

enum kind { ALLOC, FREE, DESTRUCTOR, RETIRED, KINDS };

/* What callbacks delegate, and to which thread. */
static struct {
    pthread_mutex_t baton; /* of the thread whose callback is served */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    size_t asked, done;
    bool briefly; /* the last request */
    bool ends;
    masstree_t *tree; /* NULL while no other thread may use it */
    uint32_t values;
    atomic_bool armed;
    atomic_size_t called[KINDS];
    size_t forks[KINDS];
    size_t in_this_call[KINDS];
    atomic_size_t out; /* allocations */
} scene = {.baton = PTHREAD_MUTEX_INITIALIZER,
           .lock = PTHREAD_MUTEX_INITIALIZER,
           .changed = PTHREAD_COND_INITIALIZER};

static _Thread_local bool is_helper;

/* Sanitizers and emulators take long: there, which MASSTREE_TEST_DIVISOR says, fewer callbacks of a call
   are thorough. */
static size_t thoroughly(void)
{
    return scaled(2);
}

static void let_the_other_thread_work(enum kind kind)
{
    if (is_helper || !atomic_load(&scene.armed)) {
        return;
    }
    pthread_mutex_lock(&scene.baton);
    atomic_fetch_add(&scene.called[kind], 1);
    /* The other thread's calls cause more callbacks: a call must end. */
    if (scene.in_this_call[kind] == AT_ALL) {
        pthread_mutex_unlock(&scene.baton);
        return;
    }
    if (scene.forks[kind] < FORKS) {
        scene.forks[kind]++;
        pid_t child = fork();
        if (child == 0) {
            _exit(0);
        }
        int status = 1;
        REQUIRE(child > 0 && waitpid(child, &status, 0) == child && status == 0);
    }
    pthread_mutex_lock(&scene.lock);
    scene.briefly = scene.in_this_call[kind]++ >= thoroughly();
    size_t mine = ++scene.asked;
    pthread_cond_broadcast(&scene.changed);
    while (scene.done < mine) {
        pthread_cond_wait(&scene.changed, &scene.lock);
    }
    pthread_mutex_unlock(&scene.lock);
    pthread_mutex_unlock(&scene.baton);
}

static void *take(size_t size, size_t align, void *ctx)
{
    (void)ctx;
    let_the_other_thread_work(ALLOC);
    void *memory = NULL;
    REQUIRE(posix_memalign(&memory, align < sizeof memory ? sizeof memory : align, size) == 0);
    atomic_fetch_add(&scene.out, 1);
    return memory;
}

static void give_back(void *memory, size_t size, size_t align, void *ctx)
{
    (void)size;
    (void)align;
    (void)ctx;
    let_the_other_thread_work(FREE);
    free(memory);
    atomic_fetch_sub(&scene.out, 1);
}

static void destroy_value(uint64_t value, void *ctx)
{
    (void)value;
    (void)ctx;
    let_the_other_thread_work(DESTRUCTOR);
}

static void free_retired(void *object, size_t bytes, void *ctx)
{
    (void)object;
    (void)bytes;
    (void)ctx;
    let_the_other_thread_work(RETIRED);
}

/* Whether a call is made on trees of a kind. A sealed tree would refuse all others. */
static bool fits(const struct call *call, uint32_t values)
{
    static const enum values kinds[] = {
        [MASSTREE_VALUES_WORDS] = VALUES_WORDS,
        [MASSTREE_VALUES_BYTES] = VALUES_BYTES,
        [MASSTREE_VALUES_VERSIONED] = VALUES_VERSIONED,
    };
    return (call->values == VALUES_ANY || call->values == kinds[values]) &&
           strcmp(call->name, "seal") != 0;
}

/* Numbers of versions, above those that the calls store. */
static atomic_uint_least64_t last_seqno = 1000000;

/* Stores a version. A trim, or a group of numbers that another thread takes, may overtake it. */
static void put_version(masstree_t *tree, const void *key, size_t len, uint32_t kind)
{
    int32_t status;
    do {
        uint64_t seqno = atomic_fetch_add(&last_seqno, 1);
        status = masstree_put_at(tree, NULL, key, len, seqno, kind, "value", 5);
    } while (status == MASSTREE_TOO_OLD);
    REQUIRE(status == MASSTREE_OK);
}

static void put(masstree_t *tree, uint32_t values, const void *key, size_t len)
{
    switch (values) {
    case MASSTREE_VALUES_WORDS:
        REQUIRE(masstree_put(tree, NULL, key, len, 1) == MASSTREE_OK);
        break;
    case MASSTREE_VALUES_BYTES:
        REQUIRE(masstree_put_bytes(tree, NULL, key, len, "value", 5) == MASSTREE_OK);
        break;
    default:
        put_version(tree, key, len, MASSTREE_VERSION_VALUE);
    }
}

static void take_away(masstree_t *tree, uint32_t values, const void *key, size_t len)
{
    if (values == MASSTREE_VALUES_VERSIONED) {
        put_version(tree, key, len, MASSTREE_VERSION_TOMBSTONE);
        (void)masstree_trim_versions(tree, MASSTREE_SEQNO_LATEST, 5, NULL);
    } else {
        (void)masstree_remove(tree, NULL, key, len, NULL);
    }
}

/* Makes a call, and frees what it made. */
static void make_call(const struct call *call, masstree_t *tree, masstree_guard_t *guard)
{
    /* Retired objects count in them when they are freed, later. */
    static _Thread_local struct arguments arguments;
    arguments.tree = tree;
    arguments.guard = guard;
    arguments.key = long_key;
    arguments.key_len = KEY_LEN;
    memset(&arguments.out.held, 0, sizeof arguments.out.held);
    if ((call->takes & TAKES_CURSOR) != 0) {
        REQUIRE((call->values == VALUES_VERSIONED
                     ? masstree_cursor_open_versions(tree, guard, 0, &arguments.cursor)
                     : masstree_cursor_open(tree, guard, &arguments.cursor)) == MASSTREE_OK);
        (void)masstree_cursor_first(arguments.cursor);
    }
    int32_t status = call->run(&arguments);
    if (strcmp(call->name, "guard_enter") == 0) {
        REQUIRE(status == MASSTREE_OK);
        masstree_guard_refresh(arguments.out.guard);
        masstree_guard_leave(arguments.out.guard);
    } else if (strcmp(call->name, "snapshot_open") == 0) {
        REQUIRE(status == MASSTREE_OK);
        masstree_snapshot_close(arguments.out.snapshot);
    } else if (strncmp(call->name, "cursor_open", strlen("cursor_open")) == 0) {
        REQUIRE(status == MASSTREE_OK);
        masstree_cursor_close(arguments.out.cursor);
    } else if (strcmp(call->name, "loader_open") == 0) {
        REQUIRE(status == MASSTREE_OK);
        masstree_loader_close(arguments.out.loader);
    } else if (strcmp(call->name, "hold") == 0) {
        REQUIRE(status == MASSTREE_OK || status == MASSTREE_NOT_FOUND);
        REQUIRE(masstree_held_finish(&arguments.out.held, MASSTREE_ACTION_SET, 1, NULL) ==
                MASSTREE_OK);
    }
    REQUIRE(status != MASSTREE_NOMEM);
    if ((call->takes & TAKES_CURSOR) != 0) {
        masstree_cursor_refresh(arguments.cursor);
        masstree_cursor_close(arguments.cursor);
    }
}

/* Keys beside the long one, so that its leaf has a bag, is full and splits now and then. */
static void change_neighbours(masstree_t *tree, uint32_t values, bool come)
{
    char key[KEY_LEN + 4];
    for (unsigned i = 0; i < NEIGHBOURS; i++) {
        memcpy(key, long_key, KEY_LEN);
        memcpy(key + KEY_LEN, "more", 4);
        key[i % 2] = (char)('A' + i); /* other slices, and several under one */
        if (come) {
            put(tree, values, key, sizeof key);
        } else {
            take_away(tree, values, key, sizeof key);
        }
    }
}

static void put_long_key(masstree_t *tree, uint32_t values)
{
    put(tree, values, long_key, KEY_LEN);
}

/* Takes nodes from the pool, at least a leaf. */
static void grow(masstree_t *tree, uint32_t values, size_t keys)
{
    static atomic_size_t last;
    unsigned char key[8];
    for (size_t i = 0; i < keys; i++) {
        masstree_u64_to_key(atomic_fetch_add(&last, 1), key);
        put(tree, values, key, sizeof key);
    }
}

/* Makes every call that may wait for a lock; in all except the first callbacks of a call, only
   calls that lock the leaves concerned and allocate. The key exists afterwards. */
static void try_everything(masstree_t *tree, uint32_t values, bool guarded, bool briefly)
{
    masstree_t *other = NULL;
    REQUIRE(masstree_create(NULL, &other) == MASSTREE_OK);
    REQUIRE(masstree_put_u64(other, NULL, 1, 1) == MASSTREE_OK);
    masstree_destroy(other);
    if (tree == NULL) {
        return;
    }
    grow(tree, values, 16);
    if (briefly) {
        take_away(tree, values, long_key, KEY_LEN);
        put_long_key(tree, values);
        change_neighbours(tree, values, guarded);
        return;
    }
    masstree_guard_t *guard = NULL;
    REQUIRE(masstree_guard_enter(tree, &guard) == MASSTREE_OK);
    for (size_t i = 0; i < call_count; i++) {
        if (fits(&calls[i], values) && strcmp(calls[i].name, "barrier") != 0) {
            bool needs = (calls[i].takes & NEEDS_GUARD) != 0;
            make_call(&calls[i], tree, guarded || needs ? guard : NULL);
        }
    }
    masstree_guard_leave(guard);
    change_neighbours(tree, values, guarded);
    put_long_key(tree, values);
    REQUIRE(masstree_flush(tree, NULL) == MASSTREE_OK);
}

static void *help(void *arg)
{
    (void)arg;
    is_helper = true;
    pthread_mutex_lock(&scene.lock);
    for (;;) {
        while (scene.done == scene.asked && !scene.ends) {
            pthread_cond_wait(&scene.changed, &scene.lock);
        }
        if (scene.ends) {
            break;
        }
        bool guarded = scene.asked % 2 == 0;
        bool briefly = scene.briefly;
        pthread_mutex_unlock(&scene.lock);
        try_everything(scene.tree, scene.values, guarded, briefly);
        pthread_mutex_lock(&scene.lock);
        scene.done++;
        pthread_cond_broadcast(&scene.changed);
    }
    pthread_mutex_unlock(&scene.lock);
    return NULL;
}

/* Starts or stops the other thread's work: thorough at first, or always brief. */
static void arm_from(bool armed, size_t callbacks)
{
    for (enum kind kind = 0; kind < KINDS; kind++) {
        scene.in_this_call[kind] = callbacks;
    }
    atomic_store(&scene.armed, armed);
}

static void arm(bool armed)
{
    arm_from(armed, 0);
}

static masstree_t *armed_tree(uint32_t values, size_t chunk_size)
{
    masstree_options_t options = MASSTREE_OPTIONS_INIT;
    masstree_t *tree = NULL;
    options.alloc = take;
    options.free = give_back;
    options.chunk_size = chunk_size;
    options.value_kind = values;
    options.value_destructor = values == MASSTREE_VALUES_WORDS ? destroy_value : NULL;
    arm(true);
    assert_ok(masstree_create(&options, &tree));
    arm(false);
    scene.values = values;
    scene.tree = tree;
    return tree;
}

static void end_armed_tree(masstree_t *tree)
{
    assert_consistent(tree);
    scene.tree = NULL;
    arm(true);
    masstree_destroy(tree);
    arm(false);
    assert_int_equal(0, atomic_load(&scene.out));
}

static void retire_something(masstree_t *tree, masstree_guard_t *guard)
{
    assert_ok(masstree_retire(tree, guard, NULL, 0, free_retired, NULL));
}

/* One call, from a tree that has garbage and full leaves; then the memory that it retired is
   freed. */
static void call_armed(const struct call *call, masstree_t *tree, uint32_t values, bool guarded,
                       bool there)
{
    masstree_guard_t *guard = guarded ? new_guard(tree) : NULL;
    change_neighbours(tree, values, true);
    if (there) {
        put_long_key(tree, values);
    } else {
        take_away(tree, values, long_key, KEY_LEN);
    }
    retire_something(tree, guard);
    arm(true);
    make_call(call, tree, guard);
    assert_ok(masstree_flush(tree, guard));
    masstree_guard_refresh(guard);
    masstree_guard_leave(guard);
    arm(false);
}

static void call_everything(uint32_t values, size_t chunk_size)
{
    masstree_t *tree = armed_tree(values, chunk_size);
    for (size_t i = 0; i < call_count; i++) {
        if (!fits(&calls[i], values)) {
            continue;
        }
        /* And there, only the first variant and the last. */
        for (unsigned variant = 0; variant < 4; variant += thoroughly() == 1 ? 3 : 1) {
            bool guarded = variant / 2 != 0;
            /* It waits for guards, also this thread's. */
            if (guarded ? strcmp(calls[i].name, "barrier") == 0
                        : (calls[i].takes & NEEDS_GUARD) != 0) {
                continue;
            }
            call_armed(&calls[i], tree, values, guarded, variant % 2 != 0);
        }
    }
    end_armed_tree(tree);
}

/* Each call as the first that needs memory: the other thread writes the same key before, so that
   this thread's bag is not used. (It clears nothing: a call that began before would continue in
   the old tree.) */
static void call_everything_first(uint32_t values)
{
    for (size_t i = 0; i < call_count; i++) {
        if (fits(&calls[i], values)) {
            masstree_t *tree = armed_tree(values, 1);
            bool waits = strcmp(calls[i].name, "barrier") == 0;
            masstree_guard_t *guard = waits ? NULL : new_guard(tree);
            arm_from(true, thoroughly());
            make_call(&calls[i], tree, guard);
            masstree_guard_leave(guard);
            arm(false);
            end_armed_tree(tree);
        }
    }
}

/* The other thread adds a chunk of nodes before this one does, so one of them is not used. */
static void grow_together(uint32_t values)
{
    for (size_t nodes = 2; nodes <= 8; nodes++) {
        masstree_t *tree = armed_tree(values, nodes * 320);
        arm_from(true, thoroughly());
        grow(tree, values, 15 * (nodes + 2));
        arm(false);
        end_armed_tree(tree);
    }
}

static void no_lock_is_held_while_user_code_runs(void **state)
{
    (void)state;
    pthread_t helper;
    assert_int_equal(0, pthread_create(&helper, NULL, help, NULL));
    for (uint32_t values = MASSTREE_VALUES_WORDS; values <= MASSTREE_VALUES_VERSIONED; values++) {
        call_everything(values, 1);
        if (values != MASSTREE_VALUES_VERSIONED) {
            call_everything_first(values);
            grow_together(values);
        }
    }
    pthread_mutex_lock(&scene.lock);
    scene.ends = true;
    pthread_cond_broadcast(&scene.changed);
    pthread_mutex_unlock(&scene.lock);
    assert_int_equal(0, pthread_join(helper, NULL));
    print_message("callbacks: %zu alloc, %zu free, %zu of values, %zu of retired objects\n",
                  scene.called[ALLOC], scene.called[FREE], scene.called[DESTRUCTOR],
                  scene.called[RETIRED]);
    for (enum kind kind = 0; kind < KINDS; kind++) {
        assert_true(scene.called[kind] > 50);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_lock_is_held_while_user_code_runs),
    };
    return cmocka_run_group_tests_name("user_code", tests, NULL, NULL);
}
