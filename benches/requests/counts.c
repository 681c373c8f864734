/* Measures what exact counts of keys above the leaves would cost inserts: each insert would change a count in
   every node above it, up to the root, which all writers share. Threads insert into ranges of their own; after
   each insert they add to none, one or two lines that all share. Prints the medians of the rounds: nanoseconds an
   insert, by the clock, for the inserts of all threads.

   usage: requests_counts [KEYS [ROUNDS]]      default: 1000000 keys a thread, 5 rounds */
#include "rounds.h"

#include <masstree.h>
#include <stdatomic.h>

enum { MOST_LINES = 2, INSERTS_A_GUARD = 1024 };

/* On a machine that fetches two lines at once, too, no other line comes with one. */
static struct {
    _Alignas(128) atomic_size_t count;
} lines[MOST_LINES];

struct worker {
    masstree_t *tree;
    uint64_t number, keys;
    size_t lines;
};

static void *work(void *arg)
{
    struct worker *worker = arg;
    masstree_guard_t *guard = NULL;
    require(masstree_guard_enter(worker->tree, &guard) == MASSTREE_OK, "no guard");
    for (uint64_t i = 0; i < worker->keys; i++) {
        /* In no order. */
        uint64_t key = worker->number * worker->keys + i * UINT64_C(7368787) % worker->keys;
        require(masstree_put_u64(worker->tree, guard, key, i) == MASSTREE_OK, "no room");
        for (size_t line = 0; line < worker->lines; line++) {
            atomic_fetch_add_explicit(&lines[line].count, 1, memory_order_relaxed);
        }
        if (i % INSERTS_A_GUARD == 0) {
            masstree_guard_refresh(guard);
        }
    }
    masstree_guard_leave(guard);
    return NULL;
}

/* Nanoseconds an insert. */
static double measure(size_t shared, unsigned threads, uint64_t keys)
{
    struct worker workers[MOST_THREADS];
    masstree_t *tree = NULL;
    require(masstree_create(NULL, &tree) == MASSTREE_OK, "no tree");
    for (unsigned i = 0; i < threads; i++) {
        workers[i] = (struct worker){.tree = tree, .number = i, .keys = keys, .lines = shared};
    }
    double each = run_on_threads(work, workers, sizeof *workers, threads) / (double)(keys * threads);
    masstree_destroy(tree);
    return each;
}

int main(int argc, char **argv)
{
    static const char usage[] = "usage: requests_counts [KEYS [ROUNDS]], at most 99 rounds";
    uint64_t keys = number_of(argc, argv, 1, 1000000, 1, UINT32_MAX, usage);
    size_t rounds = (size_t)number_of(argc, argv, 2, 5, 1, MOST_ROUNDS, usage);
    printf("nanoseconds an insert, with additions to shared lines\n%8s %8s %8s %8s\n", "threads", "none", "one", "two");
    for (unsigned threads = 1; threads <= MOST_THREADS; threads++) {
        double times[MOST_LINES + 1][MOST_ROUNDS];
        for (size_t round = 0; round < rounds; round++) {
            for (size_t shared = 0; shared <= MOST_LINES; shared++) {
                times[shared][round] = measure(shared, threads, keys);
            }
        }
        printf("%8u", threads);
        for (size_t shared = 0; shared <= MOST_LINES; shared++) {
            printf(" %8.1f", median(times[shared], rounds));
        }
        printf("\n");
        fflush(stdout);
    }
    return 0;
}
