/*
 * One kind of operation on a tree of 200,000 8-byte keys, under a guard, for a tool that counts
 * instructions: see count.sh. Keys are a random permutation, unless the name says sequential or
 * load; they have 100 bytes if it says long, and there is no guard if it says outside. The batches
 * are of 64 keys.
 *
 * usage: instructions PHASE      (insert, insert-sequential, get, update, remove, scan, load, …)
 */
#include <inttypes.h>
#include <masstree.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEYS = 200000, SCAN = 100, BATCH = 64, LONG = 100 };

static unsigned char keys[KEYS][8];
static unsigned char long_keys[KEYS][LONG];
static masstree_t *tree;
static masstree_guard_t *guard;

static void require(int holds)
{
    if (!holds) {
        fputs("instructions: a call failed\n", stderr);
        exit(1);
    }
}

/* A multiplication by an odd number permutes the integers below a power of two. */
static void make_keys(int sequential)
{
    uint64_t made = 0;
    for (uint64_t i = 0; made < KEYS; i++) {
        uint64_t number = sequential ? i : (i * UINT64_C(0x9e3779b1) + 12345) & 0x3ffff;
        if (number < KEYS) {
            masstree_u64_to_key(number, long_keys[made]);
            masstree_u64_to_key(number, keys[made++]);
        }
    }
}

static void insert_all(void)
{
    for (size_t i = 0; i < KEYS; i++)
        require(masstree_put(tree, guard, keys[i], 8, i + 1) == MASSTREE_OK);
}

static void insert_long(void)
{
    for (size_t i = 0; i < KEYS; i++)
        require(masstree_put(tree, guard, long_keys[i], LONG, i + 1) == MASSTREE_OK);
}

static void get_all(void)
{
    uint64_t value;
    for (size_t i = 0; i < KEYS; i++)
        require(masstree_get(tree, guard, keys[i], 8, &value) == MASSTREE_OK && value == i + 1);
}

static void get_long(void)
{
    uint64_t value;
    for (size_t i = 0; i < KEYS; i++)
        require(masstree_get(tree, guard, long_keys[i], LONG, &value) == MASSTREE_OK &&
                value == i + 1);
}

static void update_all(void)
{
    for (size_t i = 0; i < KEYS; i++)
        require(masstree_put(tree, guard, keys[i], 8, i + 2) == MASSTREE_OK);
}

static void remove_all(void)
{
    for (size_t i = 0; i < KEYS; i++)
        require(masstree_remove(tree, guard, keys[i], 8, NULL) == MASSTREE_OK);
}

static uint64_t numbers[KEYS];

static void make_numbers(void)
{
    for (size_t i = 0; i < KEYS; i++)
        numbers[i] = i;
}

static void load_all(void)
{
    require(masstree_bulk_load_u64(tree, guard, numbers, sizeof *numbers, numbers, KEYS, NULL) ==
            MASSTREE_OK);
}

static int32_t next_keys(masstree_slice_t *slices, uint64_t *values, size_t capacity, size_t *count,
                         void *ctx)
{
    size_t *next = ctx;
    for (; *next < KEYS && *count < capacity; ++*next, ++*count) {
        slices[*count] = (masstree_slice_t){keys[*next], 8};
        values[*count] = *next;
    }
    return *count > 0 ? MASSTREE_OK : MASSTREE_END;
}

static void load_all_from(void)
{
    size_t next = 0;
    require(masstree_bulk_load_from(tree, guard, next_keys, &next, NULL) == MASSTREE_OK);
}

static int32_t take(const masstree_slice_t *slices, const uint64_t *values, size_t count, void *ctx)
{
    (void)slices;
    (void)values;
    *(size_t *)ctx += count;
    return MASSTREE_VISIT_CONTINUE;
}

static void export_all(void)
{
    size_t taken = 0;
    require(masstree_export_to(tree, guard, NULL, take, &taken, NULL) == MASSTREE_OK);
    require(taken == KEYS);
}

/* The keys as integers, for calls of batches. */
static uint64_t integers[KEYS];
static uint64_t values[KEYS];
static int32_t statuses[BATCH];

static void fill(void)
{
    for (size_t i = 0; i < KEYS; i++) {
        require(masstree_u64_from_key(keys[i], 8, &integers[i]) == MASSTREE_OK);
        values[i] = i + 1;
    }
}

static void put_batches(void)
{
    for (size_t i = 0; i < KEYS; i += BATCH)
        require(masstree_put_many_u64(tree, guard, &integers[i], 8, &values[i], BATCH,
                                      statuses) == MASSTREE_OK);
}

static void insert_batches(void)
{
    for (size_t i = 0; i < KEYS; i += BATCH)
        require(masstree_insert_many_u64(tree, guard, &integers[i], 8, &values[i], BATCH, NULL,
                                         statuses) == MASSTREE_OK);
}

static void get_batches(void)
{
    uint64_t found[BATCH];
    for (size_t i = 0; i < KEYS; i += BATCH)
        require(masstree_get_many_u64(tree, guard, &integers[i], 8, BATCH, found, statuses) ==
                    MASSTREE_OK &&
                found[BATCH - 1] == i + BATCH);
}

static void remove_batches(void)
{
    for (size_t i = 0; i < KEYS; i += BATCH)
        require(masstree_remove_many_u64(tree, guard, &integers[i], 8, BATCH, NULL, statuses) ==
                MASSTREE_OK);
}

static int32_t visit(const void *key, size_t key_len, uint64_t value, void *ctx)
{
    (void)key;
    (void)key_len;
    *(uint64_t *)ctx += value;
    return MASSTREE_VISIT_CONTINUE;
}

static void scan_all(void)
{
    masstree_range_t range = MASSTREE_RANGE_INIT;
    uint64_t sum = 0;
    range.limit = SCAN;
    range.lower_bound = MASSTREE_BOUND_INCLUSIVE;
    range.lower_len = 8;
    for (size_t i = 0; i < KEYS / SCAN; i++) {
        range.lower = keys[i];
        require(masstree_scan(tree, guard, &range, visit, &sum, NULL) == MASSTREE_OK);
    }
    require(sum != 0);
}

/* What is counted: see --toggle-collect in count.sh. */
__attribute__((noinline)) void counted(void (*phase)(void));
void counted(void (*phase)(void))
{
    phase();
    __asm__ volatile("" ::: "memory");
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*before)(void);
        void (*phase)(void);
    } phases[] = {
        {"insert", NULL, insert_all},
        {"insert-sequential", NULL, insert_all},
        {"insert-long", NULL, insert_long},
        {"get", insert_all, get_all},
        {"get-outside", insert_all, get_all},
        {"get-long", insert_long, get_long},
        {"update", insert_all, update_all},
        {"remove", insert_all, remove_all},
        {"remove-sequential", insert_all, remove_all},
        {"scan", insert_all, scan_all},
        {"load", make_numbers, load_all},
        {"load-from", NULL, load_all_from},
        {"export", insert_all, export_all},
        {"get_many", insert_all, get_batches},
        {"put_many", NULL, put_batches},
        {"put_many-sequential", NULL, put_batches},
        {"update_many", insert_all, put_batches},
        {"insert_many", NULL, insert_batches},
        {"remove_many", insert_all, remove_batches},
    };
    for (size_t i = 0; argc == 2 && i < sizeof phases / sizeof *phases; i++) {
        if (strcmp(argv[1], phases[i].name) != 0)
            continue;
        make_keys(strstr(argv[1], "sequential") != NULL || strstr(argv[1], "load") != NULL);
        fill();
        require(masstree_create(NULL, &tree) == MASSTREE_OK);
        if (strstr(argv[1], "outside") == NULL)
            require(masstree_guard_enter(tree, &guard) == MASSTREE_OK);
        if (phases[i].before != NULL)
            phases[i].before();
        counted(phases[i].phase);
        masstree_guard_leave(guard);
        masstree_destroy(tree);
        return 0;
    }
    fputs("usage: instructions PHASE\n", stderr);
    return 2;
}
