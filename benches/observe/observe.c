/* Measures the cost of observations: look-ups, scans, cursors and writes with them and without, by
   turns, round by round, so that other load of the machine affects both alike. Prints the median of
   the rounds in nanoseconds an operation, and the median of their ratios.

   usage: observe [KEYS [ROUNDS]]      default: 1000000 and 21 */
#include <inttypes.h>
#include <masstree/occ.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { LOOKS = 200000, SCANS = 5000, SCANNED = 100, MOST_ROUNDS = 999 };

static masstree_t *tree;
static masstree_guard_t *guard;
/* A tree with the same keys and four more bytes each, and a guard of it. */
static masstree_t *longer;
static masstree_guard_t *longer_guard;
static uint64_t key_count = 1000000;
/* The keys of look-ups, in the order of their use. */
static uint64_t *keys;
static uint64_t sum;

static void require(bool holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "observe: %s\n", what);
        exit(1);
    }
}

static uint64_t scrambled(uint64_t number)
{
    number *= UINT64_C(0x9E3779B97F4A7C15);
    return number ^ number >> 32;
}

static void get(bool observed)
{
    masstree_observation_t leaf;
    uint64_t value;
    for (size_t i = 0; i < LOOKS; i++) {
        int32_t status = observed ? masstree_get_u64_observed(tree, guard, keys[i], &value, &leaf)
                                  : masstree_get_u64(tree, guard, keys[i], &value);
        require(status == MASSTREE_OK, "a key is missing");
        sum += value + (observed ? leaf.version : 0);
    }
}

static void spell(uint64_t number, unsigned char *key)
{
    masstree_u64_to_key(number, key);
    memcpy(key + 8, "more", 4);
}

static void get_longer(bool observed)
{
    masstree_observation_t leaf;
    uint64_t value;
    unsigned char key[12];
    for (size_t i = 0; i < LOOKS; i++) {
        spell(keys[i], key);
        int32_t status =
            observed ? masstree_get_observed(longer, longer_guard, key, sizeof key, &value, &leaf)
                     : masstree_get(longer, longer_guard, key, sizeof key, &value);
        require(status == MASSTREE_OK, "a key is missing");
        sum += value + (observed ? leaf.version : 0);
    }
}

static int32_t add_value(const void *key, size_t key_len, uint64_t value, void *ctx)
{
    (void)key;
    (void)key_len;
    *(uint64_t *)ctx += value;
    return MASSTREE_VISIT_CONTINUE;
}

static int32_t add_leaf(const masstree_observation_t *leaf, void *ctx)
{
    *(uint64_t *)ctx += leaf->version;
    return MASSTREE_VISIT_CONTINUE;
}

static void scan_in(bool observed, uint32_t flags)
{
    masstree_range_t range = MASSTREE_RANGE_INIT;
    uint8_t from[8];
    range.flags = flags;
    range.limit = SCANNED;
    for (size_t i = 0; i < SCANS; i++) {
        masstree_u64_to_key(keys[i], from);
        if (flags == 0) {
            range.lower = from;
            range.lower_len = 8;
            range.lower_bound = MASSTREE_BOUND_INCLUSIVE;
        } else {
            range.upper = from;
            range.upper_len = 8;
            range.upper_bound = MASSTREE_BOUND_INCLUSIVE;
        }
        int32_t status =
            observed ? masstree_scan_observed(tree, guard, &range, add_leaf, add_value, &sum, NULL)
                     : masstree_scan(tree, guard, &range, add_value, &sum, NULL);
        require(status == MASSTREE_OK, "a scan failed");
    }
}

static void scan(bool observed)
{
    scan_in(observed, 0);
}

static void scan_reverse(bool observed)
{
    scan_in(observed, MASSTREE_SCAN_REVERSE);
}

static void cursor(bool observed)
{
    masstree_cursor_t *walk;
    require(masstree_cursor_open(tree, guard, &walk) == MASSTREE_OK, "out of memory");
    require(!observed || masstree_cursor_track(walk) == MASSTREE_OK, "it does not observe");
    for (size_t i = 0; i < SCANS; i++) {
        int32_t status = masstree_cursor_seek_u64(walk, keys[i], MASSTREE_SEEK_GE);
        for (size_t step = 0; step < SCANNED && status == MASSTREE_OK; step++) {
            const masstree_observation_t *leaves;
            size_t count = 0;
            if (observed) {
                masstree_cursor_observations(walk, &leaves, &count);
            }
            sum += count;
            status = masstree_cursor_next(walk);
        }
    }
    masstree_cursor_close(walk);
}

static void put(bool observed)
{
    masstree_delta_t delta = MASSTREE_DELTA_INIT;
    masstree_guard_record(guard, observed ? &delta : NULL);
    for (size_t i = 0; i < LOOKS; i++) {
        require(masstree_put_u64(tree, guard, keys[i], i) == MASSTREE_OK, "a put failed");
        sum += delta.after.version;
    }
    masstree_guard_record(guard, NULL);
}

/* Inserts absent keys; removes them again without measuring. */
static void insert(bool observed)
{
    static masstree_observation_t created[8];
    masstree_delta_t delta = MASSTREE_DELTA_INIT;
    delta.created = created;
    delta.created_capacity = 8;
    masstree_guard_record(guard, observed ? &delta : NULL);
    for (size_t i = 0; i < LOOKS; i++) {
        require(masstree_insert_u64(tree, guard, ~keys[i], i, NULL) == MASSTREE_OK, "it is there");
        sum += delta.after.version;
    }
    masstree_guard_record(guard, NULL);
}

static void insert_over(void)
{
    for (size_t i = 0; i < LOOKS; i++) {
        require(masstree_remove_u64(tree, guard, ~keys[i], NULL) == MASSTREE_OK, "it has gone");
    }
    masstree_guard_refresh(guard);
}

static const struct row {
    const char *name;
    void (*run)(bool observed);
    void (*over)(void);
    size_t operations;
} rows[] = {
    {"get, 8 bytes", get, NULL, LOOKS},
    {"get, 12 bytes", get_longer, NULL, LOOKS},
    {"scan of 100 keys", scan, NULL, SCANS},
    {"the same in reverse", scan_reverse, NULL, SCANS},
    {"seek and 100 steps", cursor, NULL, SCANS},
    {"put, overwriting", put, NULL, LOOKS},
    {"insert", insert, insert_over, LOOKS},
};

static double timed(const struct row *row, bool observed)
{
    struct timespec start;
    struct timespec end;
    require(timespec_get(&start, TIME_UTC) == TIME_UTC, "no clock");
    row->run(observed);
    require(timespec_get(&end, TIME_UTC) == TIME_UTC, "no clock");
    if (row->over != NULL) {
        row->over();
    }
    double nanoseconds =
        (double)(end.tv_sec - start.tv_sec) * 1e9 + (double)(end.tv_nsec - start.tv_nsec);
    return nanoseconds / (double)row->operations;
}

static int compare(const void *left, const void *right)
{
    double a = *(const double *)left;
    double b = *(const double *)right;
    return a < b ? -1 : a > b;
}

static double median(double *values, size_t count)
{
    qsort(values, count, sizeof *values, compare);
    return values[count / 2];
}

static uint64_t number(const char *text)
{
    char *end = NULL;
    unsigned long long value = strtoull(text, &end, 10);
    require(end != text && *end == '\0' && value > 0, "usage: observe [KEYS [ROUNDS]]");
    return value;
}

int main(int argc, char **argv)
{
    static double without[MOST_ROUNDS], with[MOST_ROUNDS], ratio[MOST_ROUNDS];
    key_count = argc > 1 ? number(argv[1]) : key_count;
    size_t rounds = argc > 2 ? (size_t)number(argv[2]) : 21;
    require(rounds <= MOST_ROUNDS && key_count >= LOOKS, "too many rounds, or too few keys");
    keys = calloc(key_count, sizeof *keys);
    require(keys != NULL && masstree_create(NULL, &tree) == MASSTREE_OK &&
                masstree_create(NULL, &longer) == MASSTREE_OK,
            "out of memory");
    for (uint64_t i = 0; i < key_count; i++) {
        unsigned char key[12];
        keys[i] = scrambled(i + 1);
        spell(keys[i], key);
        require(masstree_put_u64(tree, NULL, keys[i], i) == MASSTREE_OK &&
                    masstree_put(longer, NULL, key, sizeof key, i) == MASSTREE_OK,
                "out of memory");
    }
    require(masstree_guard_enter(tree, &guard) == MASSTREE_OK &&
                masstree_guard_enter(longer, &longer_guard) == MASSTREE_OK,
            "out of memory");
    printf("%-22s %10s %10s %8s\n", "ns each", "without", "observed", "ratio");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        for (size_t round = 0; round < rounds; round++) {
            bool observed_first = round % 2 == 1;
            double first = timed(&rows[i], observed_first);
            double second = timed(&rows[i], !observed_first);
            without[round] = observed_first ? second : first;
            with[round] = observed_first ? first : second;
            ratio[round] = with[round] / without[round];
        }
        printf("%-22s %10.1f %10.1f %8.3f\n", rows[i].name, median(without, rounds),
               median(with, rounds), median(ratio, rounds));
    }
    masstree_guard_leave(longer_guard);
    masstree_guard_leave(guard);
    masstree_destroy(longer);
    masstree_destroy(tree);
    free(keys);
    return sum == 0;
}
