/*
 * How do I build the memtable of a log-structured store, which is flushed to a file in order?
 *
 * With an append-only versioned tree: the log's sequence numbers are those of the versions, reads need
 * no guard, and a full table is sealed and read in order while the next one takes the writes.
 *
 * Prints:
 *     apple at 3: red
 *     apple now: deleted
 *     visits now: 1 + 1 + 40
 *     full after 1000 writes: yes
 *     flushed: apple #4 deleted
 *     flushed: apple #3 red
 *     flushed: range [p, q) #5
 *     flushed: visits #7 +1
 *     flushed: visits #6 +1
 *     flushed: visits #2 40
 */
#include <inttypes.h>
#include <masstree/versioned.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FULL = 32 << 10 };

struct memtable {
    masstree_t *tree;
};

static void require(int32_t status)
{
    if (status < 0) {
        fprintf(stderr, "memtable: %s\n", masstree_strerror(status));
        exit(1);
    }
}

static struct memtable new_memtable(void)
{
    struct memtable table;
    masstree_options_t options = MASSTREE_OPTIONS_INIT;
    options.value_kind = MASSTREE_VALUES_VERSIONED;
    options.version_flags = MASSTREE_VERSIONS_APPEND_ONLY;
    require(masstree_create(&options, &table.tree));
    return table;
}

/* Any number of threads may write, each with numbers from the log, in any order. */
static void write_entry(struct memtable *table, uint64_t seqno, uint32_t kind, const char *key,
                        const char *value)
{
    require(masstree_put_at(table->tree, NULL, key, strlen(key), seqno, kind, value, strlen(value)));
}

/* Asked after every write, so it must be cheap. */
static int is_full(const struct memtable *table)
{
    uint64_t bytes;
    require(masstree_memory_held(table->tree, &bytes));
    return bytes >= FULL;
}

static void print_value(const struct memtable *table, const char *name, const char *key, uint64_t seqno)
{
    masstree_version_t version;
    int32_t status = masstree_get_at(table->tree, NULL, key, strlen(key), seqno, &version);
    require(status);
    if (status == MASSTREE_OK)
        printf("%s %s: %.*s\n", key, name, (int)version.value_len, (const char *)version.value);
    else /* if it is not found, an older table may have it */
        printf("%s %s: %s\n", key, name, status == MASSTREE_DELETED ? "deleted" : "not in this table");
}

/* Operands, the newest first, and the value on which they build. */
static int32_t print_operand(const void *key, size_t key_len, const masstree_version_t *version, void *ctx)
{
    size_t *count = ctx;
    (void)key, (void)key_len;
    printf("%s%.*s", (*count)++ == 0 ? "" : " + ", (int)version->value_len, (const char *)version->value);
    return MASSTREE_VISIT_CONTINUE;
}

/* A range tombstone, which the flush places before the first key that it may cover. */
struct range {
    char lower[8], upper[8];
    uint64_t seqno;
    int is_written;
};

static int32_t take_range(const void *lower, size_t lower_len, const void *upper, size_t upper_len,
                          uint64_t seqno, void *ctx)
{
    struct range *range = ctx;
    snprintf(range->lower, sizeof range->lower, "%.*s", (int)lower_len, (const char *)lower);
    snprintf(range->upper, sizeof range->upper, "%.*s", (int)upper_len, (const char *)upper);
    range->seqno = seqno;
    return MASSTREE_VISIT_CONTINUE;
}

static int32_t flush_version(const void *key, size_t key_len, const masstree_version_t *version, void *ctx)
{
    struct range *range = ctx;
    if (!range->is_written && memcmp(key, range->lower, 1) >= 0) {
        printf("flushed: range [%s, %s) #%" PRIu64 "\n", range->lower, range->upper, range->seqno);
        range->is_written = 1;
    }
    printf("flushed: %.*s #%" PRIu64 " ", (int)key_len, (const char *)key, version->seqno);
    if (version->kind == MASSTREE_VERSION_TOMBSTONE)
        printf("deleted\n");
    else
        printf("%s%.*s\n", version->kind == MASSTREE_VERSION_MERGE ? "+" : "", (int)version->value_len,
               (const char *)version->value);
    return MASSTREE_VISIT_CONTINUE;
}

static void flush(struct memtable *table)
{
    struct range range = {"", "", 0, 0};
    require(masstree_seal(table->tree));
    require(masstree_barrier(table->tree)); /* until writers that began before have ended */
    require(masstree_scan_range_tombstones(table->tree, NULL, take_range, &range, NULL));
    require(masstree_scan_versions(table->tree, NULL, NULL, flush_version, &range, NULL));
    masstree_destroy(table->tree);
}

int main(void)
{
    struct memtable table = new_memtable();
    masstree_snapshot_t *snapshot;
    size_t operands = 0;
    write_entry(&table, 2, MASSTREE_VERSION_VALUE, "visits", "40");
    write_entry(&table, 3, MASSTREE_VERSION_VALUE, "apple", "red");
    require(masstree_snapshot_open(table.tree, &snapshot));
    write_entry(&table, 4, MASSTREE_VERSION_TOMBSTONE, "apple", "");
    require(masstree_remove_range_at(table.tree, NULL, "p", 1, "q", 1, 5));
    write_entry(&table, 7, MASSTREE_VERSION_MERGE, "visits", "1");
    write_entry(&table, 6, MASSTREE_VERSION_MERGE, "visits", "1");
    print_value(&table, "at 3", "apple", masstree_snapshot_seqno(snapshot));
    print_value(&table, "now", "apple", MASSTREE_SEQNO_LATEST);
    masstree_snapshot_close(snapshot);
    printf("visits now: ");
    require(masstree_get_operands_at(table.tree, NULL, "visits", 6, MASSTREE_SEQNO_LATEST, print_operand,
                                     &operands, NULL));

    /* The next table takes the writes of the meantime. */
    struct memtable next = new_memtable();
    for (uint64_t seqno = 8; seqno < 1008; seqno++) {
        char key[16];
        snprintf(key, sizeof key, "key %" PRIu64, seqno);
        write_entry(&next, seqno, MASSTREE_VERSION_VALUE, key, "some value of some length");
    }
    printf("\nfull after 1000 writes: %s\n", is_full(&next) ? "yes" : "no");
    flush(&table);
    masstree_destroy(next.tree);
    return 0;
}
