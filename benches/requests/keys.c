/* Measures operations on one key beside what a program does without them, by turns, round by round, with one thread
   and with two. Prints the medians in nanoseconds an operation of a thread, and the median of the
   ratios.

   usage: requests_keys [KEYS [ROUNDS]]      default: 1000000 and 11 */
#include "rounds.h"

#include <masstree.h>
#include <string.h>

enum { OPERATIONS = 50000, COUNTERS = 1000, RECORD = 16 };

static masstree_t *words;    /* numbers of 8 bytes */
static masstree_t *routes;   /* dotted numbers, of which some are prefixes of others */
static masstree_t *strings;  /* byte strings */
static uint64_t key_count = 1000000;

struct worker {
    void (*run)(struct worker *worker);
    masstree_guard_t *words, *routes, *strings; /* guards */
    uint64_t random;
    uint64_t sum;
};

static uint64_t draw(struct worker *worker)
{
    worker->random = worker->random * UINT64_C(6364136223846793005) + 1442695040888963407;
    return worker->random >> 33;
}

static uint64_t scrambled(uint64_t number)
{
    number *= UINT64_C(0x9E3779B97F4A7C15);
    return number ^ number >> 32;
}

/* A destination below a route: three or four numbers. */
static size_t spell_route(uint64_t number, unsigned parts, char *key)
{
    unsigned byte[4] = {(unsigned)(number >> 24 & 0xFF), (unsigned)(number >> 16 & 0xFF),
                        (unsigned)(number >> 8 & 0xFF), (unsigned)(number & 0xFF)};
    int len = 0;
    for (unsigned i = 0; i < parts; i++) {
        len += snprintf(key + len, 8, "%u.", byte[i]);
    }
    return (size_t)len;
}

static void match_longest(struct worker *worker)
{
    for (size_t i = 0; i < OPERATIONS; i++) {
        char key[40];
        uint64_t value = 0;
        size_t len = spell_route(scrambled(draw(worker)), 4, key);
        masstree_longest_prefix(routes, worker->routes, key, len, NULL, &value);
        worker->sum += value;
    }
}

static void match_by_gets(struct worker *worker)
{
    for (size_t i = 0; i < OPERATIONS; i++) {
        char key[40];
        uint64_t value = 0;
        size_t len = spell_route(scrambled(draw(worker)), 4, key);
        while (masstree_get(routes, worker->routes, key, len, &value) != MASSTREE_OK && len > 0) {
            len--;
        }
        worker->sum += value;
    }
}

static void add(struct worker *worker)
{
    for (size_t i = 0; i < OPERATIONS; i++) {
        masstree_add_u64(words, worker->words, scrambled(draw(worker) % COUNTERS + 1), 1, NULL);
    }
}

static void add_by_comparing(struct worker *worker)
{
    for (size_t i = 0; i < OPERATIONS; i++) {
        uint64_t key = scrambled(draw(worker) % COUNTERS + 1);
        uint64_t value = 0;
        masstree_get_u64(words, worker->words, key, &value);
        while (masstree_compare_exchange_u64(words, worker->words, key, value, value + 1, &value) ==
               MASSTREE_MISMATCH) {
        }
    }
}

static void append(struct worker *worker)
{
    static const char record[RECORD] = "a record";
    for (size_t i = 0; i < OPERATIONS; i++) {
        uint64_t key = draw(worker) % key_count;
        masstree_append_bytes(strings, worker->strings, &key, sizeof key, record, RECORD, NULL);
        if (i % 1000 == 0) {
            masstree_guard_refresh(worker->strings);
        }
    }
}

static void append_by_comparing(struct worker *worker)
{
    static const char record[RECORD] = "a record";
    for (size_t i = 0; i < OPERATIONS; i++) {
        uint64_t key = draw(worker) % key_count;
        masstree_slice_t old = {NULL, 0};
        char buffer[4096];
        masstree_get_bytes(strings, worker->strings, &key, sizeof key, &old);
        masstree_slice_t made;
        do {
            require(old.len + RECORD <= sizeof buffer, "a value is too long");
            memcpy(buffer, old.data, old.len);
            memcpy(buffer + old.len, record, RECORD);
            made = (masstree_slice_t){buffer, old.len + RECORD};
        } while (masstree_compare_exchange_bytes(strings, worker->strings, &key, sizeof key, old,
                                                 made, &old) == MASSTREE_MISMATCH);
        if (i % 1000 == 0) {
            masstree_guard_refresh(worker->strings);
        }
    }
}

static int32_t take(const void *key, size_t key_len, uint64_t value, void *ctx)
{
    (void)key;
    (void)key_len;
    *(uint64_t *)ctx += value;
    return MASSTREE_VISIT_CONTINUE;
}

static void sample(struct worker *worker)
{
    masstree_sample(words, worker->words, &worker->random, OPERATIONS, take, &worker->sum, NULL);
}

/* Keys that are not spread evenly would not be equally likely. */
static void sample_by_seeks(struct worker *worker)
{
    for (size_t i = 0; i < OPERATIONS; i++) {
        unsigned char key[8];
        uint64_t value = 0;
        masstree_u64_to_key(scrambled(draw(worker)), key);
        masstree_seek(words, worker->words, key, sizeof key, MASSTREE_SEEK_GE, NULL, 0, NULL,
                      &value);
        worker->sum += value;
    }
}

static const struct row {
    const char *name;
    void (*with)(struct worker *worker);
    void (*without)(struct worker *worker);
} rows[] = {
    {"longest prefix; gets of shorter and shorter keys", match_longest, match_by_gets},
    {"add; get and compare_exchange", add, add_by_comparing},
    {"append; get and compare_exchange", append, append_by_comparing},
    {"sample; seeks of random keys", sample, sample_by_seeks},
};

static void *work(void *arg)
{
    struct worker *worker = arg;
    worker->run(worker);
    return NULL;
}

static double timed(void (*run)(struct worker *), struct worker *workers, size_t threads)
{
    for (size_t i = 0; i < threads; i++) {
        workers[i].run = run;
    }
    double nanoseconds = run_on_threads(work, workers, sizeof *workers, threads);
    for (size_t i = 0; i < threads; i++) {
        masstree_guard_refresh(workers[i].words);
        masstree_guard_refresh(workers[i].strings);
    }
    return nanoseconds / OPERATIONS;
}

static void fill(void)
{
    masstree_options_t options = MASSTREE_OPTIONS_INIT;
    options.value_kind = MASSTREE_VALUES_BYTES;
    require(masstree_create(NULL, &words) == MASSTREE_OK &&
                masstree_create(NULL, &routes) == MASSTREE_OK &&
                masstree_create(&options, &strings) == MASSTREE_OK,
            "out of memory");
    for (uint64_t i = 0; i < key_count; i++) {
        char key[40];
        size_t len = spell_route(scrambled(i), 1 + (unsigned)(i % 4), key);
        require(masstree_put_u64(words, NULL, scrambled(i + 1), 1) == MASSTREE_OK &&
                    masstree_put(routes, NULL, key, len, i) == MASSTREE_OK &&
                    masstree_put_bytes(strings, NULL, &i, sizeof i, "first", 5) == MASSTREE_OK,
                "out of memory");
    }
}

int main(int argc, char **argv)
{
    static double with[MOST_ROUNDS], without[MOST_ROUNDS], ratio[MOST_ROUNDS];
    struct worker workers[MOST_THREADS];
    static const char usage[] = "usage: requests_keys [KEYS [ROUNDS]], at most 99 rounds";
    key_count = number_of(argc, argv, 1, key_count, 1, UINT32_MAX, usage);
    size_t rounds = (size_t)number_of(argc, argv, 2, 11, 1, MOST_ROUNDS, usage);
    fill();
    for (uint64_t i = 0; i < MOST_THREADS; i++) {
        workers[i] = (struct worker){.random = i};
        require(masstree_guard_enter(words, &workers[i].words) == MASSTREE_OK &&
                    masstree_guard_enter(routes, &workers[i].routes) == MASSTREE_OK &&
                    masstree_guard_enter(strings, &workers[i].strings) == MASSTREE_OK,
                "out of memory");
    }
    printf("%-50s %8s %8s %8s %8s\n", "ns each", "threads", "with", "without", "ratio");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        for (size_t threads = 1; threads <= MOST_THREADS; threads++) {
            for (size_t round = 0; round < rounds; round++) {
                with[round] = timed(rows[i].with, workers, threads);
                without[round] = timed(rows[i].without, workers, threads);
                ratio[round] = without[round] / with[round];
            }
            printf("%-50s %8zu %8.1f %8.1f %8.2f\n", rows[i].name, threads, median(with, rounds),
                   median(without, rounds), median(ratio, rounds));
        }
    }
    uint64_t sum = 0;
    for (size_t i = 0; i < MOST_THREADS; i++) {
        sum += workers[i].sum;
        masstree_guard_leave(workers[i].words);
        masstree_guard_leave(workers[i].routes);
        masstree_guard_leave(workers[i].strings);
    }
    masstree_destroy(words);
    masstree_destroy(routes);
    masstree_destroy(strings);
    return sum == 0;
}
