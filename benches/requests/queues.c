/* Measures priority queues: each thread takes the first key, works for a time, and inserts a later key, by turns
   with masstree_pop_first, and with a seek and a remove. The number of keys in the queue stays the same. Prints the
   medians of the rounds: nanoseconds a pair of a pop and an insert, with the work, by the clock, for the pairs of all
   threads.

   usage: requests_queues [PAIRS [ROUNDS]]      default: 300000 pairs a thread, 5 rounds */
#include "rounds.h"

#include <masstree.h>

enum { KEY = 8, PAIRS_A_GUARD = 1024 };

/* Takes the first key; returns it, or 0 if there is none. */
typedef uint64_t take_t(masstree_t *queue, masstree_guard_t *guard);

struct worker {
    masstree_t *queue;
    take_t *take;
    uint64_t random, number, pairs;
    unsigned job; /* nanoseconds */
};

static uint64_t number_in(const unsigned char *key)
{
    uint64_t number = 0;
    for (size_t i = 0; i < KEY; i++) {
        number = number << 8 | key[i];
    }
    return number;
}

static uint64_t take_by_pop(masstree_t *queue, masstree_guard_t *guard)
{
    unsigned char key[KEY];
    int32_t status = masstree_pop_first(queue, guard, NULL, key, sizeof key, NULL, NULL);
    return status == MASSTREE_OK ? number_in(key) : 0;
}

/* Ends: another thread has taken the key that this one found. */
static uint64_t take_by_seek(masstree_t *queue, masstree_guard_t *guard)
{
    unsigned char key[KEY];
    while (masstree_seek(queue, guard, "", 0, MASSTREE_SEEK_GE, key, sizeof key, NULL, NULL) == MASSTREE_OK) {
        if (masstree_remove(queue, guard, key, sizeof key, NULL) == MASSTREE_OK) {
            return number_in(key);
        }
    }
    return 0;
}

/* A number above another one; no other thread draws it. */
static uint64_t later(struct worker *worker, uint64_t than)
{
    worker->random = worker->random * UINT64_C(6364136223846793005) + 1442695040888963407;
    return (than | 0xFF) + 1 + (worker->random >> 40 << 8) + worker->number;
}

static void work_for(unsigned nanoseconds)
{
    if (nanoseconds > 0) {
        for (double end = now() + nanoseconds; now() < end;) {
        }
    }
}

static void *work(void *arg)
{
    struct worker *worker = arg;
    masstree_guard_t *guard = NULL;
    require(masstree_guard_enter(worker->queue, &guard) == MASSTREE_OK, "no guard");
    for (uint64_t i = 1; i <= worker->pairs; i++) {
        uint64_t first = worker->take(worker->queue, guard);
        require(first != 0, "the queue is empty");
        work_for(worker->job);
        require(masstree_put_u64(worker->queue, guard, later(worker, first), i) == MASSTREE_OK, "no room");
        if (i % PAIRS_A_GUARD == 0) {
            masstree_guard_refresh(guard);
        }
    }
    masstree_guard_leave(guard);
    return NULL;
}

struct setting {
    size_t keys;
    unsigned job; /* nanoseconds */
};

/* Nanoseconds a pair. */
static double measure(take_t *take, struct setting setting, unsigned threads, uint64_t pairs)
{
    struct worker workers[MOST_THREADS + 1];
    masstree_t *queue = NULL;
    require(masstree_create(NULL, &queue) == MASSTREE_OK, "no tree");
    for (unsigned i = 0; i <= threads; i++) {
        workers[i] = (struct worker){
            .queue = queue, .take = take, .random = i, .number = i, .pairs = pairs, .job = setting.job};
    }
    for (size_t i = 0; i < setting.keys; i++) {
        require(masstree_put_u64(queue, NULL, later(&workers[0], 0), i) == MASSTREE_OK, "no room");
    }
    double each = run_on_threads(work, &workers[1], sizeof *workers, threads) / (double)(pairs * threads);
    masstree_destroy(queue);
    return each;
}

int main(int argc, char **argv)
{
    static const char usage[] = "usage: requests_queues [PAIRS [ROUNDS]], at most 99 rounds";
    static const struct setting settings[] = {{10, 0}, {1000, 0}, {100000, 0}, {1000, 500}, {1000, 5000}};
    uint64_t pairs = number_of(argc, argv, 1, 300000, 1, UINT32_MAX, usage);
    size_t rounds = (size_t)number_of(argc, argv, 2, 5, 1, MOST_ROUNDS, usage);
    printf("nanoseconds a pop and insert\n%10s %8s %8s %16s %8s %8s\n", "keys", "work", "threads",
           "seek and remove", "pop", "ratio");
    for (size_t kind = 0; kind < sizeof settings / sizeof *settings; kind++) {
        for (unsigned threads = 1; threads <= MOST_THREADS; threads++) {
            double times[2][MOST_ROUNDS];
            for (size_t round = 0; round < rounds; round++) {
                times[0][round] = measure(take_by_seek, settings[kind], threads, pairs);
                times[1][round] = measure(take_by_pop, settings[kind], threads, pairs);
            }
            double before = median(times[0], rounds);
            double after = median(times[1], rounds);
            printf("%10zu %8u %8u %16.1f %8.1f %8.2f\n", settings[kind].keys, settings[kind].job, threads, before,
                   after, before / after);
            fflush(stdout);
        }
    }
    return 0;
}
