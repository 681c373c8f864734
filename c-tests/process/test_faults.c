/* Threads that use a tree end between any two calls, leave guards behind that no thread leaves
   for long, and are interrupted by signals during calls (known-failures rows 11 and 19). */
#include "support.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>

static uint64_t value_of(uint64_t number, uint64_t mark)
{
    return number << 24 | (mark & 0xFFFFFF);
}

/* Threads that end at random. Each has its own keys, which the next thread with its index takes
   over, with the model of their values. */
enum { LINES = 3, OWN = 40 };

struct line {
    masstree_t *tree;
    uint64_t random;
    size_t index;
    size_t steps;
    enum family family;
    uint64_t held[OWN];
    _Atomic(masstree_guard_t *) *left_behind; /* a guard of a thread that has ended */
    masstree_guard_t *guards[2];
};

static void step_of(struct line *line, masstree_guard_t *guard)
{
    unsigned char key[FAMILY_KEY_MAX];
    uint64_t i = random_below(&line->random, OWN);
    uint64_t number = i * LINES + line->index;
    size_t len = family_key(line->family, number, key);
    uint64_t fresh = value_of(number + 1, line->steps);
    uint64_t found = 0;
    int32_t status;
    switch (random_below(&line->random, 4)) {
    case 0:
        status = masstree_exchange(line->tree, guard, key, len, fresh, &found);
        REQUIRE(status == (line->held[i] != 0 ? MASSTREE_OK : MASSTREE_NOT_FOUND));
        REQUIRE(found == line->held[i]);
        line->held[i] = fresh;
        break;
    case 1:
        status = masstree_get(line->tree, guard, key, len, &found);
        REQUIRE(status == (line->held[i] != 0 ? MASSTREE_OK : MASSTREE_NOT_FOUND));
        REQUIRE(found == line->held[i]);
        break;
    default:
        status = masstree_remove(line->tree, guard, key, len, &found);
        REQUIRE(status == (line->held[i] != 0 ? MASSTREE_OK : MASSTREE_NOT_FOUND));
        REQUIRE(found == line->held[i]);
        line->held[i] = 0;
    }
    line->steps++;
}

/* Ends at a random point: with nothing held, or with a guard that it leaves to the next thread,
   after no or many calls. */
static void *live_for_a_while(void *arg)
{
    struct line *line = arg;
    size_t steps = random_below(&line->random, 4) == 0 ? random_below(&line->random, 3)
                                                       : random_below(&line->random, 300);
    masstree_guard_t *guard = NULL;
    if (random_below(&line->random, 2) == 0) {
        REQUIRE(masstree_guard_enter(line->tree, &guard) == MASSTREE_OK);
    }
    for (size_t step = 0; step < steps; step++) {
        step_of(line, random_below(&line->random, 2) == 0 ? guard : NULL);
    }
    switch (random_below(&line->random, 3)) {
    case 0:
        masstree_guard_leave(guard);
        break;
    default:
        masstree_guard_leave(atomic_exchange(line->left_behind, guard));
    }
    pthread_exit(NULL);
}

/* One thread after the other. */
static void live_and_end(void *arg)
{
    struct line *line = arg;
    size_t lives = scaled(400);
    for (size_t life = 0; life < lives; life++) {
        pthread_t thread;
        REQUIRE(pthread_create(&thread, NULL, live_for_a_while, line) == 0);
        REQUIRE(pthread_join(thread, NULL) == 0);
    }
}

static void threads_may_end_at_any_moment_between_calls(void **state)
{
    (void)state;
    for (enum family family = 0; family < FAMILIES; family++) {
        struct allocator allocator;
        allocator_start(&allocator);
        masstree_t *tree = new_tree_of(&allocator, MASSTREE_VALUES_WORDS);
        _Atomic(masstree_guard_t *) left_behind = NULL;
        struct line lines[LINES] = {0};
        void (*run[LINES])(void *);
        size_t steps = 0;
        uint64_t there = 0;
        for (size_t i = 0; i < LINES; i++) {
            lines[i] = (struct line){.tree = tree, .random = 100 * (uint64_t)family + i,
                                     .index = i, .family = family, .left_behind = &left_behind};
            run[i] = live_and_end;
        }
        run_together(LINES, run, lines, sizeof lines[0]);
        masstree_guard_leave(atomic_exchange(&left_behind, NULL));
        for (size_t i = 0; i < LINES; i++) {
            steps += lines[i].steps;
            for (size_t key = 0; key < OWN; key++) {
                there += lines[i].held[key] != 0 ? 1 : 0;
            }
        }
        assert_int_equal(there, tree_len(tree));
        print_message("%s: %zu calls of %zu threads that ended\n", family_name(family), steps,
                      LINES * scaled(400));
        end_tree(tree);
        allocator_end(&allocator);
    }
}

/* Guards whose threads have ended, each with values read under it. */
enum { ABANDONED = 3, READ = 50 };

struct abandoned {
    masstree_t *tree;
    masstree_guard_t *guard;
    masstree_slice_t values[READ];
};

static masstree_slice_t text_of(uint64_t number, unsigned char *bytes)
{
    size_t len = 8 + number % 200;
    memset(bytes, (int)(number % 251), len);
    return (masstree_slice_t){bytes, len};
}

static void *read_and_abandon(void *arg)
{
    struct abandoned *abandoned = arg;
    unsigned char bytes[8];
    REQUIRE(masstree_guard_enter(abandoned->tree, &abandoned->guard) == MASSTREE_OK);
    for (uint64_t number = 0; number < READ; number++) {
        masstree_u64_to_key(number, bytes);
        REQUIRE(masstree_get_bytes(abandoned->tree, abandoned->guard, bytes, sizeof bytes,
                                   &abandoned->values[number]) == MASSTREE_OK);
    }
    return NULL;
}

struct churn {
    masstree_t *tree;
    uint64_t random;
    uint64_t first; /* every other one of its own keys */
};

/* Overwrites, and removes and inserts again. */
static void churn(void *arg)
{
    struct churn *churn = arg;
    for (size_t step = 0; step < scaled(30000); step++) {
        unsigned char key[8];
        unsigned char text[208];
        uint64_t number = random_below(&churn->random, READ / 2) * 2 + churn->first;
        masstree_slice_t value = text_of(random_u64(&churn->random), text);
        masstree_u64_to_key(number, key);
        if (random_below(&churn->random, 4) == 0) {
            REQUIRE(masstree_remove(churn->tree, NULL, key, sizeof key, NULL) == MASSTREE_OK);
        }
        REQUIRE(masstree_put_bytes(churn->tree, NULL, key, sizeof key, value.data, value.len) ==
                MASSTREE_OK);
    }
}

static masstree_stats_t stats_of(const masstree_t *tree)
{
    masstree_stats_t stats = MASSTREE_STATS_INIT;
    assert_ok(masstree_stats(tree, NULL, &stats));
    return stats;
}

static void churn_together(masstree_t *tree)
{
    struct churn churns[2] = {{tree, 1, 0}, {tree, 2, 1}};
    void (*const run[])(void *) = {churn, churn};
    run_together(COUNT(run), run, churns, sizeof churns[0]);
}

/* A value that was read is unchanged, although memory was allocated and freed many thousand
   times since. */
static void assert_unchanged(const struct abandoned *abandoned, unsigned char copies[READ][208],
                             const size_t *lens)
{
    for (size_t i = 0; i < READ; i++) {
        assert_int_equal(lens[i], abandoned->values[i].len);
        assert_memory_equal(copies[i], abandoned->values[i].data, lens[i]);
    }
}

static void abandoned_guards_protect_what_was_read_and_show_in_stats(void **state)
{
    (void)state;
    static unsigned char copies[ABANDONED][READ][208];
    size_t lens[ABANDONED][READ];
    struct abandoned abandoned[ABANDONED] = {{0}};
    struct allocator allocator;
    allocator_start(&allocator);
    masstree_t *tree = new_tree_of(&allocator, MASSTREE_VALUES_BYTES);
    for (uint64_t number = 0; number < READ; number++) {
        unsigned char key[8];
        unsigned char text[208];
        masstree_slice_t value = text_of(number, text);
        masstree_u64_to_key(number, key);
        assert_ok(masstree_put_bytes(tree, NULL, key, sizeof key, value.data, value.len));
    }
    uint64_t limbo = 0;
    for (size_t i = 0; i < ABANDONED; i++) {
        pthread_t thread;
        abandoned[i].tree = tree;
        REQUIRE(pthread_create(&thread, NULL, read_and_abandon, &abandoned[i]) == 0);
        REQUIRE(pthread_join(thread, NULL) == 0);
        for (size_t at = 0; at < READ; at++) {
            lens[i][at] = abandoned[i].values[at].len;
            memcpy(copies[i][at], abandoned[i].values[at].data, lens[i][at]);
        }
        churn_together(tree);
        masstree_stats_t stats = stats_of(tree);
        assert_int_equal(i + 1, stats.guards);
        assert_true(stats.limbo_bytes > limbo);
        limbo = stats.limbo_bytes;
    }
    for (size_t i = 0; i < ABANDONED; i++) {
        assert_unchanged(&abandoned[i], copies[i], lens[i]);
    }
    for (size_t i = 0; i < ABANDONED; i++) {
        masstree_guard_leave(abandoned[i].guard);
    }
    assert_ok(masstree_flush(tree, NULL));
    assert_ok(masstree_barrier(tree));
    assert_true(stats_of(tree).limbo_bytes < limbo / 4);
    print_message("%llu bytes waited for %d abandoned guards, %llu after them\n",
                  (unsigned long long)limbo, ABANDONED,
                  (unsigned long long)stats_of(tree).limbo_bytes);
    end_tree(tree);
    allocator_end(&allocator);
}

/* Signals. The handler does not call the library; it uses much of the stack below, as handlers
   may. */
static atomic_size_t signals;

static void handle(int number)
{
    volatile unsigned char below[2048];
    int before = errno;
    for (size_t i = 0; i < sizeof below; i++) {
        below[i] = (unsigned char)number;
    }
    atomic_fetch_add(&signals, below[17] == (unsigned char)number ? 1 : 0);
    errno = before;
}

struct interrupted {
    struct line line;
    size_t calls; /* at least so many, and until some thread has handled a signal */
    pthread_t thread;
    atomic_bool begun;
    atomic_int *working;
};

static int32_t visit_nothing(const void *key, size_t key_len, uint64_t value, void *ctx)
{
    (void)ctx;
    REQUIRE(key != NULL && key_len >= 8 && value != 0);
    return MASSTREE_VISIT_CONTINUE;
}

static void *work_under_signals(void *arg)
{
    struct interrupted *interrupted = arg;
    struct line *line = &interrupted->line;
    masstree_guard_t *guard = NULL;
    atomic_store(&interrupted->begun, true);
    /* Ends: signals are sent until all threads have ended. */
    for (size_t call = 0; call < interrupted->calls || atomic_load(&signals) == 0; call++) {
        step_of(line, guard);
        switch (random_below(&line->random, 64)) {
        case 0:
            masstree_guard_leave(guard);
            guard = NULL;
            REQUIRE(masstree_barrier(line->tree) == MASSTREE_OK);
            break;
        case 1:
            masstree_guard_leave(guard);
            REQUIRE(masstree_guard_enter(line->tree, &guard) == MASSTREE_OK);
            break;
        case 2:
        case 3:
            REQUIRE(masstree_flush(line->tree, guard) == MASSTREE_OK);
            break;
        case 4:
            REQUIRE(masstree_scan(line->tree, guard, NULL, visit_nothing, NULL, NULL) ==
                    MASSTREE_OK);
            break;
        default:
            masstree_guard_refresh(guard);
        }
    }
    masstree_guard_leave(guard);
    atomic_fetch_sub(interrupted->working, 1);
    return NULL;
}

static void signals_may_come_in_the_middle_of_calls(void **state)
{
    (void)state;
    struct sigaction action = {.sa_handler = handle}; /* without SA_RESTART */
    struct sigaction before;
    struct interrupted workers[LINES] = {0};
    atomic_int working = LINES;
    size_t sent = 0;
    REQUIRE(sigemptyset(&action.sa_mask) == 0);
    REQUIRE(sigaction(SIGUSR1, &action, &before) == 0);
    masstree_t *tree = new_tree();
    for (size_t i = 0; i < LINES; i++) {
        workers[i].line = (struct line){.tree = tree, .random = i, .index = i,
                                        .family = FAMILY_PREFIX8};
        workers[i].calls = scaled(200000);
        workers[i].working = &working;
        REQUIRE(pthread_create(&workers[i].thread, NULL, work_under_signals, &workers[i]) == 0);
    }
    /* Joined only afterwards: until then each may be sent signals. */
    while (atomic_load(&working) > 0) {
        for (size_t i = 0; i < LINES; i++) {
            if (atomic_load(&workers[i].begun)) {
                int error = pthread_kill(workers[i].thread, SIGUSR1);
                REQUIRE(error == 0 || error == ESRCH); /* it has just ended */
                sent += error == 0 ? 1 : 0;
            }
        }
    }
    for (size_t i = 0; i < LINES; i++) {
        REQUIRE(pthread_join(workers[i].thread, NULL) == 0);
    }
    REQUIRE(sigaction(SIGUSR1, &before, NULL) == 0);
    assert_true(atomic_load(&signals) > 0);
    print_message("%zu signals sent, %zu handled\n", sent, atomic_load(&signals));
    end_tree(tree);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_may_end_at_any_moment_between_calls),
        cmocka_unit_test(abandoned_guards_protect_what_was_read_and_show_in_stats),
        cmocka_unit_test(signals_may_come_in_the_middle_of_calls),
    };
    return cmocka_run_group_tests_name("faults", tests, NULL, NULL);
}
