/*
 * How do I read the latest measurements of one of many series, newest first?
 *
 * With keys that consist of the series' name, a zero byte and the time, and a reverse scan below
 * the end of the time span.
 *
 * Prints:
 *     before 10:03, newest first:
 *     10:02 22
 *     10:01 21
 *     10:00 20
 */
#include <inttypes.h>
#include <masstree.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_NAME = 32, TIME_BYTES = 8 };

static void require(int32_t status)
{
    if (status < 0) {
        fprintf(stderr, "time_series: %s\n", masstree_strerror(status));
        exit(1);
    }
}

/* The zero byte separates "room" from "room2". */
static size_t make_key(const char *series, uint64_t minute, uint8_t *key)
{
    size_t name_len = strlen(series) + 1;
    if (name_len > MAX_NAME)
        require(MASSTREE_KEY_TOO_LONG);
    memcpy(key, series, name_len);
    masstree_u64_to_key(minute, key + name_len);
    return name_len + TIME_BYTES;
}

static void measure(masstree_t *tree, const char *series, uint64_t minute, uint64_t value)
{
    uint8_t key[MAX_NAME + TIME_BYTES];
    size_t key_len = make_key(series, minute, key);
    require(masstree_put(tree, NULL, key, key_len, value));
}

static int32_t print_point(const void *key, size_t key_len, uint64_t value, void *ctx)
{
    uint64_t minute;
    (void)ctx;
    require(masstree_u64_from_key((const uint8_t *)key + key_len - TIME_BYTES, TIME_BYTES, &minute));
    printf("%02" PRIu64 ":%02" PRIu64 " %" PRIu64 "\n", minute / 60, minute % 60, value);
    return MASSTREE_VISIT_CONTINUE;
}

int main(void)
{
    masstree_t *tree;
    require(masstree_create(NULL, &tree));
    for (uint64_t minute = 0; minute < 24 * 60; minute++) {
        measure(tree, "kitchen", minute, 1);
        measure(tree, "room", minute, minute - 580);
        measure(tree, "room2", minute, 2);
    }
    uint8_t before[MAX_NAME + TIME_BYTES];
    masstree_range_t range = MASSTREE_RANGE_INIT;
    range.prefix = "room";
    range.prefix_len = sizeof "room"; /* includes the zero byte */
    range.upper = before;
    range.upper_len = make_key("room", 603, before);
    range.upper_bound = MASSTREE_BOUND_EXCLUSIVE;
    range.flags = MASSTREE_SCAN_REVERSE;
    range.limit = 3;
    puts("before 10:03, newest first:");
    require(masstree_scan(tree, NULL, &range, print_point, NULL, NULL));
    masstree_destroy(tree);
}
