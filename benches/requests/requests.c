/* Compares operations on ranges with doing the same by other functions: masstree_remove_range with a
   scan and removes, masstree_pop_first with a seek and a remove; by one thread and by two. The forms
   alternate, in rounds; prints the median of the rounds.

   usage: requests [KEYS [ROUNDS]]      default: 1000000 keys, 5 rounds */
#include "rounds.h"

#include <inttypes.h>
#include <masstree.h>
#include <string.h>

enum { MOST_KEY = 40, PART = 512 };

/* Keys: numbers of 8 bytes, or paths of some 30 bytes. */
static size_t key_of(bool paths, uint64_t number, unsigned char *key)
{
    if (paths) {
        return (size_t)snprintf((char *)key, MOST_KEY, "bucket/%05" PRIu64 "/object/%09" PRIu64,
                                number / 1000, number);
    }
    for (int i = 0; i < 8; i++) {
        key[i] = (unsigned char)(number >> (56 - 8 * i));
    }
    return 8;
}

struct part {
    masstree_t *tree;
    bool paths, bytes;
    uint64_t from, to;
    unsigned char bounds[2][MOST_KEY];
    masstree_range_t range;
    uint64_t done;
};

static void aim(struct part *part)
{
    part->range = (masstree_range_t)MASSTREE_RANGE_INIT;
    part->range.lower_bound = MASSTREE_BOUND_INCLUSIVE;
    part->range.upper_bound = MASSTREE_BOUND_EXCLUSIVE;
    part->range.lower = part->bounds[0];
    part->range.upper = part->bounds[1];
    part->range.lower_len = key_of(part->paths, part->from, part->bounds[0]);
    part->range.upper_len = key_of(part->paths, part->to, part->bounds[1]);
}

/* The next keys of a range. */
struct found {
    unsigned char bytes[PART][MOST_KEY];
    masstree_slice_t keys[PART];
    size_t count;
};

static int32_t note(const void *key, size_t key_len, uint64_t value, void *ctx)
{
    struct found *found = ctx;
    (void)value;
    memcpy(found->bytes[found->count], key, key_len);
    found->keys[found->count].data = found->bytes[found->count];
    found->keys[found->count].len = key_len;
    return ++found->count == PART ? MASSTREE_VISIT_STOP : MASSTREE_VISIT_CONTINUE;
}

static void *by_scan_and_remove(void *arg)
{
    struct part *part = arg;
    struct found *found = malloc(sizeof *found);
    masstree_guard_t *guard = NULL;
    require(found != NULL && masstree_guard_enter(part->tree, &guard) == MASSTREE_OK, "no guard");
    aim(part);
    part->range.flags = MASSTREE_SCAN_KEYS_ONLY;
    do {
        found->count = 0;
        require(masstree_scan(part->tree, guard, &part->range, note, found, NULL) == MASSTREE_OK,
                "masstree_scan failed");
        for (size_t i = 0; i < found->count; i++) {
            part->done += masstree_remove(part->tree, guard, found->keys[i].data, found->keys[i].len,
                                          NULL) == MASSTREE_OK;
        }
        masstree_guard_refresh(guard);
    } while (found->count > 0);
    masstree_guard_leave(guard);
    free(found);
    return NULL;
}

static void *by_remove_range(void *arg)
{
    struct part *part = arg;
    size_t removed = 0;
    aim(part);
    require(masstree_remove_range(part->tree, NULL, &part->range, &removed) == MASSTREE_OK,
            "masstree_remove_range failed");
    part->done = removed;
    return NULL;
}

/* Takes a key, if there is one, and counts it. */
typedef bool take_t(struct part *part, masstree_guard_t *guard);

/* Takes the keys of the whole tree, whatever the part. */
static void *take_all(struct part *part, take_t *take)
{
    masstree_guard_t *guard = NULL;
    require(masstree_guard_enter(part->tree, &guard) == MASSTREE_OK, "no guard");
    while (take(part, guard)) {
        if (part->done % 1024 == 0) {
            masstree_guard_refresh(guard);
        }
    }
    masstree_guard_leave(guard);
    return NULL;
}

static bool seek_and_remove(struct part *part, masstree_guard_t *guard)
{
    unsigned char key[MOST_KEY];
    size_t len = 0;
    if (masstree_seek(part->tree, guard, "", 0, MASSTREE_SEEK_GE, key, sizeof key, &len, NULL) !=
        MASSTREE_OK) {
        return false;
    }
    /* Another thread may have taken it. */
    part->done += masstree_remove(part->tree, guard, key, len, NULL) == MASSTREE_OK;
    return true;
}

static bool pop(struct part *part, masstree_guard_t *guard)
{
    unsigned char key[MOST_KEY];
    size_t len = 0;
    if (masstree_pop_first(part->tree, guard, NULL, key, sizeof key, &len, NULL) != MASSTREE_OK) {
        return false;
    }
    part->done++;
    return true;
}

static void *by_seek_and_remove(void *arg)
{
    return take_all(arg, seek_and_remove);
}

static void *by_pop(void *arg)
{
    return take_all(arg, pop);
}

static masstree_t *tree_with(uint64_t keys, bool paths, bool bytes)
{
    masstree_options_t options = MASSTREE_OPTIONS_INIT;
    masstree_t *tree = NULL;
    options.value_kind = bytes ? MASSTREE_VALUES_BYTES : MASSTREE_VALUES_WORDS;
    require(masstree_create(&options, &tree) == MASSTREE_OK, "no tree");
    for (uint64_t i = 0; i < keys; i++) {
        /* In no order: leaves are not full, as in a tree that has been used. */
        uint64_t number = i * UINT64_C(7368787) % keys;
        unsigned char key[MOST_KEY];
        size_t len = key_of(paths, number, key);
        int32_t status = bytes ? masstree_put_bytes(tree, NULL, key, len, key, len)
                               : masstree_put(tree, NULL, key, len, number);
        require(status == MASSTREE_OK, "no room");
    }
    return tree;
}

/* Nanoseconds a key, with the freeing of what was removed. */
static double measure(void *(*work)(void *), unsigned threads, uint64_t keys, bool paths, bool bytes)
{
    masstree_t *tree = tree_with(keys, paths, bytes);
    struct part parts[MOST_THREADS];
    for (unsigned i = 0; i < threads; i++) {
        parts[i] = (struct part){.tree = tree, .paths = paths, .bytes = bytes};
        /* Not the first and the last tenth. */
        uint64_t first = keys / 10;
        uint64_t each = (keys - 2 * first) / threads;
        parts[i].from = first + i * each;
        parts[i].to = parts[i].from + each;
    }
    double begin = now();
    run_on_threads(work, parts, sizeof *parts, threads);
    uint64_t done = 0;
    for (unsigned i = 0; i < threads; i++) {
        done += parts[i].done;
    }
    masstree_barrier(tree);
    double each = (now() - begin) / (double)done;
    masstree_destroy(tree);
    return each;
}

static void row(const char *name, void *(*today)(void *), void *(*request)(void *), unsigned threads,
                uint64_t keys, bool paths, bool bytes, size_t rounds)
{
    double times[2][MOST_ROUNDS];
    for (size_t round = 0; round < rounds; round++) {
        times[0][round] = measure(today, threads, keys, paths, bytes);
        times[1][round] = measure(request, threads, keys, paths, bytes);
    }
    double before = median(times[0], rounds);
    double after = median(times[1], rounds);
    printf("%-14s %-8s %-6s %u  %8.1f %8.1f  %6.1f\n", name, paths ? "paths" : "8 bytes",
           bytes ? "bytes" : "words", threads, before, after, before / after);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    static const char usage[] = "usage: requests [KEYS [ROUNDS]], at least 1000 keys, at most 99 rounds";
    uint64_t keys = number_of(argc, argv, 1, 1000000, 1000, UINT32_MAX, usage);
    size_t rounds = (size_t)number_of(argc, argv, 2, 5, 1, MOST_ROUNDS, usage);
    printf("nanoseconds a key: by scan and remove, or seek and remove; by the new function; ratio\n");
    printf("%-14s %-8s %-6s %s  %8s %8s  %6s\n", "operation", "keys", "values", "threads", "before",
           "after", "ratio");
    for (int kind = 0; kind < 4; kind++) {
        for (unsigned threads = 1; threads <= MOST_THREADS; threads++) {
            row("remove_range", by_scan_and_remove, by_remove_range, threads, keys, kind & 1, kind & 2,
                rounds);
        }
    }
    for (int kind = 0; kind < 2; kind++) {
        for (unsigned threads = 1; threads <= MOST_THREADS; threads++) {
            row("pop_first", by_seek_and_remove, by_pop, threads, keys, kind & 1, false, rounds);
        }
    }
    return 0;
}
