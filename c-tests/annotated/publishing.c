/* A program for ThreadSanitizer: threads pass structs to each other through a tree, by every
   function of the library. With an annotated library (the feature `annotate`) the tool reports
   nothing; with one that is not annotated, it does. It reports two faulty programs with either.

   usage: publishing right|filled-late|read-after-retire */
#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "masstree/occ.h"

#define REQUIRE(condition)                                                                        \
    ((condition) ? (void)0 : (fprintf(stderr, "%d: %s\n", __LINE__, #condition), abort()))

enum { KEYS = 100, ROUNDS = 2000, THREADS = 3, MANY = 8, PRIVATE = 1000 };

/* The struct that is passed between threads. No thread changes one that is in the tree. */
struct item {
    uint64_t number;
    uint64_t square;
};

static masstree_t *items;
static masstree_t *bytes;
/* Items that the tree freed, counted without ordering anything. */
static atomic_size_t freed;

static struct item *new_item(uint64_t number)
{
    struct item *item = malloc(sizeof *item);
    REQUIRE(item != NULL);
    *item = (struct item){number, number * number};
    return item;
}

static uint64_t word_of(struct item *item)
{
    return (uint64_t)(uintptr_t)item;
}

static struct item *item_of(uint64_t word)
{
    return (struct item *)(uintptr_t)word;
}

static void read_item(uint64_t word)
{
    const struct item *item = item_of(word);
    REQUIRE(item->square == item->number * item->number);
}

static void free_item(void *object, size_t size, void *ctx)
{
    struct item *item = object;
    (void)ctx;
    REQUIRE(size == sizeof *item);
    read_item(word_of(item));
    memset(item, 0xA5, sizeof *item);
    free(item);
    atomic_fetch_add_explicit(&freed, 1, memory_order_relaxed);
}

static void destroy_item(uint64_t word, void *ctx)
{
    free_item(item_of(word), sizeof(struct item), ctx);
}

static void retire_item(masstree_guard_t *guard, uint64_t word)
{
    REQUIRE(masstree_retire(items, guard, item_of(word), sizeof(struct item), free_item, NULL) ==
            MASSTREE_OK);
}

static int32_t make_next(const uint64_t *present, uint64_t *value, void *ctx)
{
    uint64_t *number = ctx;
    if (present != NULL) {
        read_item(*present);
    }
    *value = word_of(new_item(*number));
    return MASSTREE_ACTION_SET;
}

static int32_t make_first(uint64_t *value, void *ctx)
{
    return make_next(NULL, value, ctx) == MASSTREE_ACTION_SET ? MASSTREE_OK : MASSTREE_NOMEM;
}

static void hold_item(masstree_guard_t *guard, uint64_t key, uint64_t number)
{
    masstree_held_t held;
    unsigned char place[8];
    uint64_t value;
    masstree_u64_to_key(key, place);
    int32_t found = masstree_hold(items, guard, place, sizeof place, MASSTREE_HOLD_INSERT, &held,
                                  &value);
    REQUIRE(found == MASSTREE_OK || found == MASSTREE_NOT_FOUND);
    if (found == MASSTREE_OK) {
        read_item(value);
    }
    REQUIRE(masstree_held_finish(&held, MASSTREE_ACTION_SET, word_of(new_item(number)), NULL) >=
            MASSTREE_OK);
}

static void put_items(masstree_guard_t *guard, uint64_t first)
{
    uint64_t keys[MANY], values[MANY];
    int32_t statuses[MANY];
    for (size_t i = 0; i < MANY; i++) {
        keys[i] = (first + 7 * i) % KEYS;
        values[i] = word_of(new_item(first + i));
    }
    REQUIRE(masstree_put_many_u64(items, guard, keys, sizeof keys[0], values, MANY, statuses) ==
            MASSTREE_OK);
}

static void write_item(masstree_guard_t *guard, uint64_t key, uint64_t number)
{
    uint64_t old;
    switch (number % 8) {
    case 0:
        if (masstree_remove_u64(items, guard, key, NULL) == MASSTREE_OK) {
            break;
        } /* else: */
        /* fall through */
    case 1:
        REQUIRE(masstree_put_u64(items, guard, key, word_of(new_item(number))) >= MASSTREE_OK);
        break;
    case 2:
        if (masstree_exchange_u64(items, guard, key, word_of(new_item(number)), &old) ==
            MASSTREE_OK) {
            read_item(old);
            retire_item(guard, old);
        }
        break;
    case 3:
        if (masstree_remove_u64(items, guard, key, &old) == MASSTREE_OK) {
            retire_item(guard, old);
        }
        break;
    case 4:
        REQUIRE(masstree_update_u64(items, guard, key, make_next, &number, NULL) >= MASSTREE_OK);
        break;
    case 5:
        REQUIRE(masstree_get_or_insert_with_u64(items, guard, key, make_first, &number, &old) >=
                MASSTREE_OK);
        break;
    case 6:
        put_items(guard, number);
        break;
    default:
        hold_item(guard, key, number);
    }
}

static int32_t visit_item(const void *key, size_t key_len, uint64_t value, void *ctx)
{
    (void)key;
    (void)key_len;
    (void)ctx;
    read_item(value);
    return MASSTREE_VISIT_CONTINUE;
}

static void read_items(masstree_guard_t *guard, uint64_t key)
{
    masstree_range_t all = MASSTREE_RANGE_INIT;
    masstree_cursor_t *cursor;
    uint64_t keys[MANY], values[MANY], value;
    int32_t statuses[MANY];
    if (masstree_get_u64(items, guard, key, &value) == MASSTREE_OK) {
        read_item(value);
    }
    for (size_t i = 0; i < MANY; i++) {
        keys[i] = key + i;
    }
    REQUIRE(masstree_get_many_u64(items, guard, keys, sizeof keys[0], MANY, values, statuses) >=
            MASSTREE_OK);
    for (size_t i = 0; i < MANY; i++) {
        if (statuses[i] == MASSTREE_OK) {
            read_item(values[i]);
        }
    }
    /* Without a guard, the item that the visitor sees is pinned for the call. */
    all.flags = key % 2 ? MASSTREE_SCAN_REVERSE : 0;
    REQUIRE(masstree_scan(items, key % 3 ? guard : NULL, &all, visit_item, NULL, NULL) ==
            MASSTREE_OK);
    REQUIRE(masstree_cursor_open(items, key % 3 ? NULL : guard, &cursor) == MASSTREE_OK);
    for (int32_t at = masstree_cursor_seek_u64(cursor, key, MASSTREE_SEEK_GE); at == MASSTREE_OK;
         at = masstree_cursor_next(cursor)) {
        REQUIRE(masstree_cursor_value(cursor, &value) == MASSTREE_OK);
        read_item(value);
    }
    masstree_cursor_close(cursor);
}

/* A key of this length: shares prefixes, so that layers and suffixes occur. */
static size_t text_key(char *key, uint64_t number)
{
    return (size_t)snprintf(key, 48, "a prefix shared by all/%02" PRIu64 "/%.*s", number % KEYS,
                            (int)(number % 16), "0123456789abcdef");
}

static int32_t visit_text(const void *key, size_t key_len, const void *value, size_t value_len,
                          void *ctx)
{
    const char *text = value;
    (void)ctx;
    REQUIRE(key_len > 0 && value_len > 0 && text[0] == text[value_len - 1]);
    REQUIRE(((const char *)key)[0] == 'a');
    return MASSTREE_VISIT_CONTINUE;
}

static void use_texts(masstree_guard_t *guard, uint64_t number)
{
    char key[48], text[100];
    size_t key_len = text_key(key, number), len = 1 + number % sizeof text;
    masstree_range_t all = MASSTREE_RANGE_INIT;
    masstree_slice_t slice;
    memset(text, 'a' + (int)(number % 26), len);
    if (number % 5 == 0) {
        REQUIRE(masstree_remove_bytes(bytes, guard, key, key_len, NULL) >= MASSTREE_OK);
    } else {
        REQUIRE(masstree_put_bytes(bytes, guard, key, key_len, text, len) >= MASSTREE_OK);
    }
    key_len = text_key(key, 3 * number);
    if (masstree_get_bytes(bytes, guard, key, key_len, &slice) == MASSTREE_OK) {
        visit_text(key, key_len, slice.data, slice.len, NULL);
    }
    if (masstree_copy_bytes(bytes, NULL, key, key_len, text, sizeof text, &len) == MASSTREE_OK) {
        visit_text(key, key_len, text, len, NULL);
    }
    REQUIRE(masstree_scan_bytes(bytes, NULL, &all, visit_text, NULL, NULL) == MASSTREE_OK);
}

/* After a barrier, no thread holds what was found before: it is freed at once. */
static void free_after_barrier(uint64_t key)
{
    uint64_t old;
    if (masstree_remove_u64(items, NULL, key, &old) == MASSTREE_OK) {
        REQUIRE(masstree_barrier(items) == MASSTREE_OK);
        free_item(item_of(old), sizeof(struct item), NULL);
    }
}

static void *work(void *arg)
{
    uint64_t thread = *(uint64_t *)arg;
    masstree_guard_t *item_guard, *text_guard;
    for (uint64_t round = 0; round < ROUNDS; round++) {
        uint64_t number = thread * ROUNDS + round, key = number * 31 % KEYS;
        if (round % 50 == 0) {
            free_after_barrier(key);
        }
        REQUIRE(masstree_guard_enter(items, &item_guard) == MASSTREE_OK);
        REQUIRE(masstree_guard_enter(bytes, &text_guard) == MASSTREE_OK);
        read_items(item_guard, key);
        masstree_guard_refresh(item_guard);
        write_item(round % 4 ? item_guard : NULL, key, number);
        use_texts(text_guard, number);
        masstree_guard_leave(item_guard);
        masstree_guard_leave(text_guard);
        if (round % 100 == 99 && thread == 0) {
            REQUIRE(masstree_clear(items, NULL) == MASSTREE_OK);
        }
    }
    return NULL;
}

static void *come_and_go(void *arg)
{
    masstree_guard_t *guard;
    REQUIRE(masstree_guard_enter(items, &guard) == MASSTREE_OK);
    read_items(guard, *(uint64_t *)arg);
    masstree_guard_leave(guard);
    write_item(NULL, *(uint64_t *)arg, 1);
    return NULL;
}

static void run_right(void)
{
    pthread_t threads[THREADS], guests[THREADS];
    uint64_t numbers[THREADS];
    for (size_t i = 0; i < THREADS; i++) {
        numbers[i] = i;
        REQUIRE(pthread_create(&threads[i], NULL, work, &numbers[i]) == 0);
    }
    for (size_t round = 0; round < 10; round++) {
        for (size_t i = 0; i < THREADS; i++) {
            REQUIRE(pthread_create(&guests[i], NULL, come_and_go, &numbers[i]) == 0);
        }
        for (size_t i = 0; i < THREADS; i++) {
            REQUIRE(pthread_join(guests[i], NULL) == 0);
        }
    }
    for (size_t i = 0; i < THREADS; i++) {
        REQUIRE(pthread_join(threads[i], NULL) == 0);
    }
}

/* The faulty programs run step by step, which orders nothing as far as C11 is concerned. */
static atomic_int step;

static void reach(int number)
{
    atomic_store_explicit(&step, number, memory_order_relaxed);
}

static void await(int number)
{
    while (atomic_load_explicit(&step, memory_order_relaxed) < number) {
        sched_yield();
    }
}

/* Fills the item only after publishing it. */
static void *fill_late(void *arg)
{
    struct item *item = new_item(1);
    (void)arg;
    REQUIRE(masstree_put_u64(items, NULL, PRIVATE, word_of(item)) >= MASSTREE_OK);
    item->number = 2;
    item->square = 4;
    reach(1);
    return NULL;
}

static void run_filled_late(void)
{
    pthread_t thread;
    uint64_t value;
    REQUIRE(pthread_create(&thread, NULL, fill_late, NULL) == 0);
    await(1);
    REQUIRE(masstree_get_u64(items, NULL, PRIVATE, &value) == MASSTREE_OK);
    read_item(value);
    REQUIRE(pthread_join(thread, NULL) == 0);
}

/* Frees an item that another thread has found without a guard. */
static void *retire_found(void *arg)
{
    uint64_t old;
    (void)arg;
    await(1);
    REQUIRE(masstree_remove_u64(items, NULL, PRIVATE, &old) == MASSTREE_OK);
    retire_item(NULL, old);
    REQUIRE(masstree_flush(items, NULL) == MASSTREE_OK);
    REQUIRE(masstree_barrier(items) == MASSTREE_OK);
    REQUIRE(atomic_load_explicit(&freed, memory_order_relaxed) == 1);
    reach(2);
    return NULL;
}

static void run_read_after_retire(void)
{
    pthread_t thread;
    uint64_t value;
    REQUIRE(masstree_put_u64(items, NULL, PRIVATE, word_of(new_item(3))) >= MASSTREE_OK);
    REQUIRE(pthread_create(&thread, NULL, retire_found, NULL) == 0);
    REQUIRE(masstree_get_u64(items, NULL, PRIVATE, &value) == MASSTREE_OK);
    reach(1);
    await(2);
    /* Not checked: it may be anything. */
    volatile uint64_t number = item_of(value)->number;
    (void)number;
    REQUIRE(pthread_join(thread, NULL) == 0);
}

int main(int argc, char **argv)
{
    masstree_options_t options = MASSTREE_OPTIONS_INIT;
    REQUIRE(argc == 2);
    options.value_destructor = destroy_item;
    REQUIRE(masstree_create(&options, &items) == MASSTREE_OK);
    options.value_destructor = NULL;
    options.value_kind = MASSTREE_VALUES_BYTES;
    REQUIRE(masstree_create(&options, &bytes) == MASSTREE_OK);
    if (strcmp(argv[1], "right") == 0) {
        run_right();
    } else if (strcmp(argv[1], "filled-late") == 0) {
        run_filled_late();
    } else {
        REQUIRE(strcmp(argv[1], "read-after-retire") == 0);
        run_read_after_retire();
    }
    masstree_destroy(items);
    masstree_destroy(bytes);
    puts("done");
    return 0;
}
