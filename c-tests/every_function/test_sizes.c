/* The sizes in docs/memory.md: the parts of an empty tree, the pool of a tree into which many
   threads put a few keys, and the stack of each function. The test reads the page's tables and
   compares them with measurements.

   Put back: FIRST_CHUNK of 4 KiB in src/index/memory/pool.rs, or caches without CACHED_FROM;
   `Slots` with a first block of its own; a `[u8; 4096]` on the stack of any function. */
#include "calls.h"

#include <malloc.h>
#include <sys/mman.h>
#include <unistd.h>

static char *page; /* docs/memory.md */

static int read_page(void **state)
{
    (void)state;
    FILE *file = fopen(MASSTREE_MEMORY_PAGE, "r");
    assert_non_null(file);
    enum { MOST = 1 << 20 };
    page = calloc(MOST, 1);
    assert_non_null(page);
    assert_true(fread(page, 1, MOST - 1, file) > 0);
    fclose(file);
    return 0;
}

static int forget_page(void **state)
{
    (void)state;
    free(page);
    return 0;
}

/* The number in the row with this first cell. */
static size_t number_of(const char *cell)
{
    char row[128];
    snprintf(row, sizeof row, "\n| %s | ", cell);
    const char *found = strstr(page, row);
    if (found == NULL) {
        fail_msg("docs/memory.md has no row \"%s\"", cell);
    }
    return strtoul(found + strlen(row), NULL, 10);
}

/* At most what the page says, and at least three quarters of that. */
static void assert_size(const char *cell, size_t size)
{
    size_t limit = number_of(cell);
    print_message("%s: %zu bytes, at most %zu\n", cell, size, limit);
    assert_in_range(size, limit / 4 * 3, limit);
}

static size_t in_use(void)
{
    struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
}

static size_t pool_bytes(const masstree_t *tree)
{
    masstree_stats_t stats = MASSTREE_STATS_INIT;
    assert_ok(masstree_stats(tree, NULL, &stats));
    return (size_t)stats.pool_bytes;
}

/* Measures the second tree: the first makes the process allocate its one-time structures. */
static void tree_takes_as_much_as_the_page_says(void **state)
{
    (void)state;
    masstree_t *first = new_tree();
    masstree_guard_leave(new_guard(first));
    struct allocator allocator;
    allocator_start(&allocator);
    masstree_options_t options = MASSTREE_OPTIONS_INIT;
    options.alloc = allocator_options(&allocator, MASSTREE_VALUES_WORDS).alloc;
    options.free = allocator_options(&allocator, MASSTREE_VALUES_WORDS).free;
    options.alloc_ctx = &allocator;
    masstree_t *counted = NULL;
    assert_ok(masstree_create(&options, &counted));
    size_t own = allocator_bytes(&allocator);
    size_t chunk = pool_bytes(counted);
    masstree_destroy(counted);
    allocator_end(&allocator);

    size_t before = in_use();
    masstree_t *tree = new_tree();
    size_t empty = in_use() - before;
    assert_size("the handle, counters, what is shared", own - chunk);
    assert_size("the first chunk of nodes", chunk);
    if (sysconf(_SC_NPROCESSORS_CONF) < 32) {
        assert_size("lists of memory reclamation", empty - own);
        assert_size("**an empty tree**", empty);
    }

    before = in_use();
    masstree_guard_t *guard = new_guard(tree);
    masstree_guard_leave(guard);
    assert_size("with the first guard, or the first scan without one", in_use() - before);

    before = in_use();
    assert_ok(masstree_put(tree, NULL, "longer than eight bytes", 23, 1));
    assert_size("with the first key of more than 8 bytes", in_use() - before);
    masstree_destroy(tree);
    masstree_destroy(first);
}

struct putter {
    masstree_t *tree;
    uint64_t number;
};

static void *put_one(void *arg)
{
    struct putter *putter = arg;
    REQUIRE(masstree_put_u64(putter->tree, NULL, putter->number, 1) == MASSTREE_OK);
    return NULL;
}

/* One thread after the other, so that the assignment of caches is deterministic. */
static void few_keys_of_many_threads_take_a_small_pool(void **state)
{
    (void)state;
    enum { THREADS = 100 };
    masstree_t *tree = new_tree();
    for (uint64_t i = 0; i < THREADS; i++) {
        struct putter putter = {.tree = tree, .number = i};
        pthread_t thread;
        assert_int_equal(0, pthread_create(&thread, NULL, put_one, &putter));
        assert_int_equal(0, pthread_join(thread, NULL));
    }
    assert_int_equal(THREADS, tree_len(tree));
    assert_size("100 keys, each by another thread: pool of nodes", pool_bytes(tree));
    end_tree(tree);
}

/* Stacks. A thread waits on a painted stack and makes one call at a time; the bytes whose paint
   is overwritten at the end are those that the calls needed. */
enum { STACK = 256 * 1024, PAINT = 0xA5, ROUNDS = 150 };

typedef void (*step_t)(void *arg);

static struct {
    pthread_barrier_t turn;
    step_t step; /* NULL: no more */
    void *arg;
    unsigned char *stack;
    unsigned char *top; /* the stack pointer before the steps */
} stack;

static void *take_steps(void *arg)
{
    (void)arg;
    stack.top = __builtin_frame_address(0);
    pthread_barrier_wait(&stack.turn);
    for (;;) {
        pthread_barrier_wait(&stack.turn);
        if (stack.step == NULL) {
            return NULL;
        }
        stack.step(stack.arg);
        pthread_barrier_wait(&stack.turn);
    }
}

static pthread_t begin_steps(void)
{
    pthread_attr_t attributes;
    pthread_t thread;
    stack.stack = mmap(NULL, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(stack.stack != MAP_FAILED);
    memset(stack.stack, PAINT, STACK);
    assert_int_equal(0, pthread_barrier_init(&stack.turn, NULL, 2));
    assert_int_equal(0, pthread_attr_init(&attributes));
    assert_int_equal(0, pthread_attr_setstack(&attributes, stack.stack, STACK));
    assert_int_equal(0, pthread_create(&thread, &attributes, take_steps, NULL));
    assert_int_equal(0, pthread_attr_destroy(&attributes));
    pthread_barrier_wait(&stack.turn);
    return thread;
}

static void take_step(step_t step, void *arg)
{
    stack.step = step;
    stack.arg = arg;
    pthread_barrier_wait(&stack.turn);
    pthread_barrier_wait(&stack.turn);
}

/* The bytes that the steps needed. */
static size_t end_steps(pthread_t thread)
{
    stack.step = NULL;
    pthread_barrier_wait(&stack.turn);
    assert_int_equal(0, pthread_join(thread, NULL));
    assert_int_equal(0, pthread_barrier_destroy(&stack.turn));
    size_t untouched = 0;
    while (stack.stack[untouched] == PAINT) {
        untouched++;
    }
    size_t used = (size_t)(stack.top - (stack.stack + untouched));
    assert_int_equal(0, munmap(stack.stack, STACK));
    return used;
}

static void do_nothing(void *arg)
{
    (void)arg;
}

/* The stack of steps that do nothing. */
static size_t of_nothing(void)
{
    pthread_t thread = begin_steps();
    for (unsigned i = 0; i < 10; i++) {
        take_step(do_nothing, NULL);
    }
    return end_steps(thread);
}

struct task {
    const struct call *call;
    struct arguments arguments;
    int32_t status;
};

static void make_call(void *arg)
{
    struct task *task = arg;
    task->status = task->call->run(&task->arguments);
}

static void finish_held(void *arg)
{
    struct task *task = arg;
    /* So that leaves also split without an insert. */
    int32_t action = task->arguments.key_len % 2 == 0 ? MASSTREE_ACTION_SET : MASSTREE_ACTION_KEEP;
    REQUIRE(masstree_held_finish(&task->arguments.out.held, action, 1, NULL) == MASSTREE_OK);
}

static void create(void *arg)
{
    REQUIRE(masstree_create(NULL, arg) == MASSTREE_OK);
}

static void destroy(void *arg)
{
    masstree_destroy(arg);
}

static void enter(void *arg)
{
    struct task *task = arg;
    REQUIRE(masstree_guard_enter(task->arguments.tree, &task->arguments.guard) == MASSTREE_OK);
}

static void refresh(void *arg)
{
    masstree_guard_refresh(arg);
}

static void leave(void *arg)
{
    masstree_guard_leave(arg);
}

static void close_cursor(void *arg)
{
    masstree_cursor_refresh(arg);
    masstree_cursor_close(arg);
}

static void close_loader(void *arg)
{
    masstree_loader_close(arg);
}

/* Keys of many lengths, several below each slice, so that leaves split and layers are made and
   collapse. */
static size_t some_key(uint64_t *state, unsigned char *key)
{
    return family_key((enum family)random_below(state, FAMILIES), random_below(state, 4000), key);
}

static void fill(masstree_t *tree, bool bytes, uint64_t *state, size_t keys)
{
    unsigned char key[FAMILY_KEY_MAX];
    for (size_t i = 0; i < keys; i++) {
        size_t len = some_key(state, key);
        if (bytes) {
            assert_ok(masstree_put_bytes(tree, NULL, key, len, key, len));
        } else {
            assert_ok(masstree_put(tree, NULL, key, len, i));
        }
    }
}

static void fill_versions(masstree_t *tree, uint64_t *state, size_t versions)
{
    unsigned char key[FAMILY_KEY_MAX];
    for (size_t i = 1; i <= versions; i++) {
        size_t len = some_key(state, key);
        assert_ok(masstree_put_at(tree, NULL, key, len, i, MASSTREE_VERSION_VALUE, key, len));
    }
}

/* A call, repeated, with garbage that its end may have to free. */
static size_t stack_of(const struct call *call)
{
    uint64_t state = 1;
    bool bytes = call->values == VALUES_BYTES;
    masstree_t *tree = bytes ? new_bytes_tree() : new_tree();
    if (call->values == VALUES_VERSIONED) {
        masstree_destroy(tree);
        tree = new_versioned_tree();
        fill_versions(tree, &state, 3000);
    } else {
        fill(tree, bytes, &state, 3000);
    }
    pthread_t thread = begin_steps();
    bool barrier = strcmp(call->name, "barrier") == 0;
    for (unsigned round = 0; round < ROUNDS; round++) {
        unsigned char key[FAMILY_KEY_MAX];
        struct task task = {.call = call};
        struct arguments *a = &task.arguments;
        a->tree = tree;
        a->key = key;
        a->key_len = some_key(&state, key);
        a->guard = barrier ? NULL : new_guard(tree);
        masstree_guard_t *guard = a->guard;
        if ((call->takes & TAKES_CURSOR) != 0) {
            assert_ok(call->values == VALUES_VERSIONED
                          ? masstree_cursor_open_versions(tree, a->guard, 0, &a->cursor)
                          : masstree_cursor_open(tree, a->guard, &a->cursor));
            (void)masstree_cursor_seek(a->cursor, key, a->key_len, MASSTREE_SEEK_GE);
        }
        if (round % 2 == 0 && (call->takes & NEEDS_GUARD) == 0) {
            a->guard = NULL;
        }
        take_step(make_call, &task);
        if (strcmp(call->name, "hold") == 0) {
            take_step(finish_held, &task);
        } else if (strncmp(call->name, "cursor_open", 11) == 0) {
            take_step(close_cursor, a->out.cursor);
        } else if (strcmp(call->name, "loader_open") == 0) {
            take_step(close_loader, a->out.loader);
        } else if (strcmp(call->name, "snapshot_open") == 0) {
            masstree_snapshot_close(a->out.snapshot);
        } else if (strcmp(call->name, "guard_enter") == 0) {
            take_step(refresh, a->out.guard);
            take_step(leave, a->out.guard);
        }
        masstree_cursor_close(a->cursor);
        masstree_guard_leave(guard);
    }
    size_t used = end_steps(thread);
    end_tree(tree);
    return used;
}

/* The end of a guard, which frees the garbage of many calls, a cleared tree included. */
static size_t stack_of_leaving(void)
{
    uint64_t state = 2;
    masstree_t *tree = new_tree();
    pthread_t thread = begin_steps();
    for (unsigned round = 0; round < 20; round++) {
        struct task task = {.arguments = {.tree = tree}};
        fill(tree, false, &state, 300);
        take_step(enter, &task);
        assert_ok(masstree_clear(tree, NULL));
        fill(tree, false, &state, 300);
        take_step(refresh, task.arguments.guard);
        assert_ok(masstree_clear(tree, NULL));
        take_step(leave, task.arguments.guard);
    }
    size_t used = end_steps(thread);
    end_tree(tree);
    return used;
}

static size_t stack_of_creating(void)
{
    pthread_t thread = begin_steps();
    uint64_t state = 3;
    for (unsigned round = 0; round < 3; round++) {
        masstree_t *tree = NULL;
        take_step(create, &tree);
        fill(tree, false, &state, 3000);
        take_step(destroy, tree);
    }
    return end_steps(thread);
}

/* The row that names a function, or the corresponding function for bytes, is its limit; for others
   the row of every other function. */
static void assert_stack(const char *name, size_t used)
{
    char mention[64];
    size_t len = strlen(name);
    bool integers = len > 4 && strcmp(name + len - 4, "_u64") == 0;
    snprintf(mention, sizeof mention, "`%.*s`", (int)(integers ? len - 4 : len), name);
    const char *table = strstr(page, "\n| bytes of stack |");
    assert_non_null(table);
    const char *end = strstr(table, "\n\n");
    const char *found = strstr(table, mention);
    if (found == NULL || found > end) {
        found = strstr(table, "and every other function");
        assert_true(found != NULL && found < end);
    }
    while (*found != '\n') {
        found--;
    }
    size_t limit = strtoul(found + strlen("\n| "), NULL, 10);
    print_message("stack of %s: %zu, at most %zu\n", name, used, limit);
    if (used > limit) {
        fail_msg("%s needs %zu bytes of stack, more than the %zu of docs/memory.md", name, used,
                 limit);
    }
}

static void functions_need_the_stack_that_the_page_says(void **state)
{
    (void)state;
    size_t nothing = of_nothing();
    assert_stack("create", stack_of_creating() - nothing);
    assert_stack("guard_leave", stack_of_leaving() - nothing);
    for (size_t i = 0; i < call_count; i++) {
        size_t used = stack_of(&calls[i]);
        assert_stack(calls[i].name, used > nothing ? used - nothing : 0);
    }
}

/* False where a tool has replaced malloc. */
static bool malloc_reports_use(void)
{
    size_t before = in_use();
    void *volatile block = malloc(100000);
    bool reports = in_use() >= before + 100000;
    free(block);
    return reports;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(functions_need_the_stack_that_the_page_says),
        cmocka_unit_test(tree_takes_as_much_as_the_page_says),
        cmocka_unit_test(few_keys_of_many_threads_take_a_small_pool),
    };
    if (!malloc_reports_use()) {
        puts("this malloc does not report what is in use: skipped");
        return 77;
    }
    return cmocka_run_group_tests_name("sizes", tests, read_page, forget_page);
}
