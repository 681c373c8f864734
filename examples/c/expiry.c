/*
 * How do I let entries expire, as a cache or a session store does?
 *
 * With a second tree, whose keys begin with the time at which an entry expires: whatever has expired is popped
 * from its beginning. docs/expiry.md explains the order of the steps.
 *
 * Prints:
 *     at 5: session a = apples
 *     at 5: session b = bread
 *     at 12: session b = bread
 *     1 entry was taken out, 1 is left
 *     at 31: no session
 *     1 entry was taken out, 0 are left
 */
#include <masstree.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TIME = 8, KEY_MAX = 64, VALUE_MAX = 100 };

struct cache {
    masstree_t *entries; /* key -> time, then the value */
    masstree_t *times;   /* time, then the key -> nothing */
};

static void require(int32_t status)
{
    if (status < 0) {
        fprintf(stderr, "expiry: %s\n", masstree_strerror(status));
        exit(1);
    }
}

/* Stores a value until a time; replaces another one, and its time. */
static void put(struct cache *cache, const char *key, const char *value, uint64_t until)
{
    unsigned char entry[TIME + VALUE_MAX];
    unsigned char time[TIME + KEY_MAX];
    masstree_u64_to_key(until, entry);
    memcpy(entry + TIME, value, strlen(value));
    masstree_u64_to_key(until, time);
    memcpy(time + TIME, key, strlen(key));
    /* The entry first: a time without an entry would be popped, and the entry would stay for ever. */
    require(masstree_put_bytes(cache->entries, NULL, key, strlen(key), entry, TIME + strlen(value)));
    require(masstree_put(cache->times, NULL, time, TIME + strlen(key), 0));
}

/* Copies the value of a key, unless it has expired: it may still be there. Returns its length, or -1. */
static int get(const struct cache *cache, const char *key, uint64_t now, char *value)
{
    unsigned char entry[TIME + VALUE_MAX];
    size_t len;
    uint64_t until;
    int32_t status =
        masstree_copy_bytes(cache->entries, NULL, key, strlen(key), entry, sizeof entry, &len);
    require(status);
    if (status != MASSTREE_OK || masstree_u64_from_key(entry, TIME, &until) != MASSTREE_OK ||
        until <= now)
        return -1;
    memcpy(value, entry + TIME, len - TIME);
    return (int)(len - TIME);
}

/* Removes an entry if it still has the time that was popped: it may have been stored anew. */
static int32_t remove_if_still(const masstree_slice_t *entry, masstree_slice_t *value, void *time)
{
    (void)value;
    return entry != NULL && memcmp(entry->data, time, TIME) == 0 ? MASSTREE_ACTION_REMOVE
                                                                 : MASSTREE_ACTION_KEEP;
}

/* Takes out at most `most` of the entries that have expired; any thread may call it. */
static size_t expire(struct cache *cache, uint64_t now, size_t most)
{
    unsigned char later[TIME];
    unsigned char time[TIME + KEY_MAX];
    size_t len;
    size_t done = 0;
    masstree_range_t expired = MASSTREE_RANGE_INIT;
    masstree_u64_to_key(now + 1, later);
    expired.upper = later;
    expired.upper_len = TIME;
    expired.upper_bound = MASSTREE_BOUND_EXCLUSIVE;
    for (; done < most; done++) {
        int32_t status =
            masstree_pop_first(cache->times, NULL, &expired, time, sizeof time, &len, NULL);
        require(status);
        if (status != MASSTREE_OK)
            break;
        require(masstree_update_bytes(cache->entries, NULL, time + TIME, len - TIME,
                                      remove_if_still, time, NULL));
    }
    return done;
}

static void show(const struct cache *cache, uint64_t now)
{
    static const char *const keys[] = { "session a", "session b" };
    char value[VALUE_MAX];
    int shown = 0;
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        int len = get(cache, keys[i], now, value);
        if (len >= 0)
            printf("at %d: %s = %.*s\n", (int)now, keys[i], len, value);
        shown += len >= 0;
    }
    if (shown == 0)
        printf("at %d: no session\n", (int)now);
}

static void clean(struct cache *cache, uint64_t now)
{
    uint64_t left;
    size_t done = expire(cache, now, 100);
    require(masstree_len(cache->entries, &left));
    printf("%zu entry was taken out, %d %s left\n", done, (int)left, left == 1 ? "is" : "are");
}

int main(void)
{
    struct cache cache;
    masstree_options_t options = MASSTREE_OPTIONS_INIT;
    options.value_kind = MASSTREE_VALUES_BYTES;
    require(masstree_create(&options, &cache.entries));
    require(masstree_create(NULL, &cache.times));

    put(&cache, "session a", "apples", 10);
    put(&cache, "session b", "bread", 30);
    show(&cache, 5);
    show(&cache, 12); /* a has expired, and is still in the tree */
    clean(&cache, 12);
    show(&cache, 31);
    clean(&cache, 31);

    masstree_destroy(cache.times);
    masstree_destroy(cache.entries);
}
