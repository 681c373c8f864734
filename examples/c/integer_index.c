/*
 * How do I index rows by an integer that several rows share?
 *
 * With keys that consist of the integer and the row's number, eight bytes each, most significant
 * byte first: rows of one integer are adjacent, and integers sort numerically.
 *
 * Prints:
 *     aged 30: row 2, row 4
 *     from 29 to 41: row 1, row 2, row 4, row 3
 *     the oldest: row 0
 */
#include <inttypes.h>
#include <masstree.h>
#include <stdio.h>
#include <stdlib.h>

enum { KEY_BYTES = 16 };

static void require(int32_t status)
{
    if (status < 0) {
        fprintf(stderr, "integer_index: %s\n", masstree_strerror(status));
        exit(1);
    }
}

static void make_key(uint64_t age, uint64_t row, uint8_t *key)
{
    masstree_u64_to_key(age, key);
    masstree_u64_to_key(row, key + 8);
}

static int32_t print_row(const void *key, size_t key_len, uint64_t row, void *separator)
{
    (void)key;
    (void)key_len;
    printf("%s row %" PRIu64, *(const char **)separator, row);
    *(const char **)separator = ",";
    return MASSTREE_VISIT_CONTINUE;
}

/* Rows with ages in a range, bounds included; in reverse with MASSTREE_SCAN_REVERSE. */
static void print_ages(const masstree_t *index, const char *title, uint64_t from, uint64_t to,
                       uint32_t flags, size_t limit)
{
    uint8_t lower[KEY_BYTES], upper[KEY_BYTES];
    masstree_range_t range = MASSTREE_RANGE_INIT;
    make_key(from, 0, lower);
    make_key(to, UINT64_MAX, upper);
    range.lower = lower;
    range.upper = upper;
    range.lower_len = range.upper_len = KEY_BYTES;
    range.lower_bound = range.upper_bound = MASSTREE_BOUND_INCLUSIVE;
    range.flags = flags;
    range.limit = limit;
    const char *separator = ":";
    printf("%s", title);
    require(masstree_scan(index, NULL, &range, print_row, &separator, NULL));
    puts("");
}

int main(void)
{
    static const uint64_t ages[] = { 70, 29, 30, 41, 30, 256 };
    masstree_t *index;
    uint8_t key[KEY_BYTES];
    require(masstree_create(NULL, &index));
    for (uint64_t row = 0; row < sizeof ages / sizeof *ages; row++) {
        make_key(ages[row], row, key);
        require(masstree_insert(index, NULL, key, sizeof key, row, NULL));
    }
    /* Remove the last row again: its key consists of its age and number. */
    make_key(256, 5, key);
    require(masstree_remove(index, NULL, key, sizeof key, NULL));
    print_ages(index, "aged 30", 30, 30, 0, 0);
    print_ages(index, "from 29 to 41", 29, 41, 0, 0);
    print_ages(index, "the oldest", 0, UINT64_MAX, MASSTREE_SCAN_REVERSE, 1);
    masstree_destroy(index);
}
