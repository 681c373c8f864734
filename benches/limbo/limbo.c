/* Measures memory that waits for guards while threads write a tree: updates of byte-string
   values, and pairs of a remove and an insert, by one thread and by two, each with a
   guard that it refreshes regularly, and without one.

   usage: limbo [OPERATIONS]      default: 10000000 of each kind in each case */
#include <inttypes.h>
#include <masstree.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEYS = 100000, REFRESH = 1000, LOOK = 4099, MOST_THREADS = 2 };

static void require(bool holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "limbo: %s\n", what);
        exit(1);
    }
}

struct work {
    masstree_t *tree;
    uint64_t operations;
    uint64_t seed;
    /* Keys of this thread: first, first + step, and so on. */
    uint64_t first, step;
    bool pairs, guarded;
    _Atomic uint64_t *peak;
};

static uint64_t limbo_bytes(const masstree_t *tree, uint64_t *objects)
{
    masstree_stats_t stats = MASSTREE_STATS_INIT;
    require(masstree_stats(tree, NULL, &stats) == MASSTREE_OK, "masstree_stats failed");
    if (objects != NULL) {
        *objects = stats.limbo_objects;
    }
    return stats.limbo_bytes;
}

static void note_peak(const struct work *work)
{
    uint64_t now = limbo_bytes(work->tree, NULL);
    uint64_t peak = atomic_load(work->peak);
    while (now > peak && !atomic_compare_exchange_weak(work->peak, &peak, now)) {
    }
}

static uint64_t next_random(uint64_t *seed)
{
    *seed = *seed * 6364136223846793005U + 1442695040888963407U;
    return *seed >> 33;
}

static void *run(void *arg)
{
    struct work *work = arg;
    masstree_guard_t *guard = NULL;
    char value[32];
    memset(value, 'v', sizeof value);
    if (work->guarded) {
        require(masstree_guard_enter(work->tree, &guard) == MASSTREE_OK, "no guard");
    }
    for (uint64_t i = 0; i < work->operations; i++) {
        uint64_t place = next_random(&work->seed) % (KEYS / work->step);
        unsigned char key[8];
        masstree_u64_to_key(work->first + place * work->step, key);
        if (work->pairs) {
            require(masstree_remove(work->tree, guard, key, 8, NULL) == MASSTREE_OK, "remove");
            require(masstree_insert_bytes(work->tree, guard, key, 8, value, sizeof value, NULL) ==
                        MASSTREE_OK,
                    "insert");
        } else {
            require(masstree_put_bytes(work->tree, guard, key, 8, value, sizeof value) ==
                        MASSTREE_OK,
                    "put");
        }
        if (i % REFRESH == REFRESH - 1) {
            masstree_guard_refresh(guard);
        }
        if (i % LOOK == 0) {
            note_peak(work);
        }
    }
    masstree_guard_leave(guard);
    return NULL;
}

static void fill(masstree_t *tree)
{
    for (uint64_t key = 0; key < KEYS; key++) {
        unsigned char bytes[8];
        masstree_u64_to_key(key, bytes);
        require(masstree_put_bytes(tree, NULL, bytes, 8, "first", 5) == MASSTREE_OK, "fill");
    }
}

static void measure(uint64_t operations, bool pairs, bool guarded, unsigned threads)
{
    masstree_options_t options = MASSTREE_OPTIONS_INIT;
    masstree_t *tree;
    _Atomic uint64_t peak = 0;
    struct work work[MOST_THREADS];
    pthread_t running[MOST_THREADS];
    options.value_kind = MASSTREE_VALUES_BYTES;
    require(masstree_create(&options, &tree) == MASSTREE_OK, "no tree");
    fill(tree);
    for (unsigned i = 0; i < threads; i++) {
        work[i] = (struct work){tree, operations / threads, i + 1, i, threads,
                                pairs, guarded, &peak};
        require(pthread_create(&running[i], NULL, run, &work[i]) == 0, "no thread");
    }
    for (unsigned i = 0; i < threads; i++) {
        require(pthread_join(running[i], NULL) == 0, "no thread to join");
    }
    uint64_t objects;
    uint64_t bytes = limbo_bytes(tree, &objects);
    printf("%-20s %7u  %-22s %12" PRIu64 " %12" PRIu64 " %10" PRIu64 "\n",
           pairs ? "remove/insert pairs" : "updates", threads,
           guarded ? "held, refreshed" : "for each call", bytes, objects, atomic_load(&peak));
    require(masstree_check(tree, NULL, NULL, NULL) == MASSTREE_OK, "the tree is damaged");
    masstree_destroy(tree);
}

int main(int argc, char **argv)
{
    char *end = NULL;
    uint64_t operations = argc > 1 ? strtoull(argv[1], &end, 10) : 10000000;
    if (argc > 2 || (end != NULL && *end != '\0') || operations == 0) {
        fprintf(stderr, "usage: limbo [OPERATIONS]\n");
        return 2;
    }
    printf("%" PRIu64 " operations on %d keys, values of 32 bytes; guards refreshed every %d\n\n",
           operations, KEYS, REFRESH);
    printf("%-20s %7s  %-22s %12s %12s %10s\n", "", "threads", "guards", "bytes left",
           "objects left", "peak bytes");
    for (int pairs = 0; pairs <= 1; pairs++) {
        for (unsigned threads = 1; threads <= MOST_THREADS; threads++) {
            measure(operations, pairs, true, threads);
            measure(operations, pairs, false, threads);
        }
    }
    return 0;
}
