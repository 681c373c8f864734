/* Steps of the soak test on a versioned tree: each group of writes stores one value under the two
   keys of a pair, so that every reader must find the same under both. */
#include "soak.h"

enum { PAIRS = 50 };

struct pair {
    char keys[2][16];
    size_t len;
};

static struct pair draw_pair(struct soak_worker *worker)
{
    struct pair pair = {.len = 8};
    unsigned number = (unsigned)random_below(&worker->random, PAIRS);
    for (unsigned i = 0; i < 2; i++) {
        snprintf(pair.keys[i], sizeof pair.keys[i], "%c%07u", 'a' + (char)i, number);
    }
    return pair;
}

static void write_pair(struct soak_worker *worker, masstree_t *tree)
{
    struct pair pair = draw_pair(worker);
    uint64_t first = 0;
    int32_t taken = masstree_next_seqno(tree, 1, &first);
    if (taken == MASSTREE_BUSY || !EXPECT(worker, taken == MASSTREE_OK)) {
        return;
    }
    uint32_t kind = random_below(&worker->random, 8) == 0 ? MASSTREE_VERSION_TOMBSTONE
                                                          : MASSTREE_VERSION_VALUE;
    for (unsigned i = 0; i < 2; i++) {
        uint32_t digest = 0;
        EXPECT(worker, masstree_digest_version(MASSTREE_DIGEST_CRC32C, pair.keys[i], pair.len, first,
                                               kind, &first, sizeof first, &digest) == MASSTREE_OK);
        EXPECT(worker, masstree_put_digested_at(tree, NULL, pair.keys[i], pair.len, first, kind,
                                                &first, sizeof first, MASSTREE_DIGEST_CRC32C,
                                                digest) == MASSTREE_OK);
    }
    EXPECT(worker, masstree_publish(tree, first, NULL) == MASSTREE_OK);
}

/* Deletes some pairs. */
static void remove_pairs(struct soak_worker *worker, masstree_t *tree)
{
    struct pair lower = draw_pair(worker);
    struct pair upper = draw_pair(worker);
    uint64_t first = 0;
    int32_t taken = masstree_next_seqno(tree, 1, &first);
    if (taken == MASSTREE_BUSY || !EXPECT(worker, taken == MASSTREE_OK)) {
        return;
    }
    for (unsigned i = 0; i < 2; i++) {
        EXPECT(worker, masstree_remove_range_at(tree, NULL, lower.keys[i], lower.len, upper.keys[i],
                                                upper.len, first) == MASSTREE_OK);
    }
    EXPECT(worker, masstree_publish(tree, first, NULL) == MASSTREE_OK);
}

/* The value found is that of the key found. */
static void seek_pair(struct soak_worker *worker, masstree_t *tree)
{
    struct pair pair = draw_pair(worker);
    masstree_guard_t *guard = NULL;
    masstree_version_t version;
    char found[16];
    size_t len = 0;
    uint64_t bytes = 0;
    EXPECT(worker, masstree_guard_enter(tree, &guard) == MASSTREE_OK);
    int32_t status = masstree_seek_at(tree, guard, pair.keys[0], pair.len, MASSTREE_SEQNO_LATEST,
                                      MASSTREE_SEEK_LE, found, sizeof found, &len, &version);
    EXPECT(worker, status == MASSTREE_OK || status == MASSTREE_END);
    if (status == MASSTREE_OK) {
        EXPECT(worker, len == pair.len && memcmp(found, pair.keys[0], len) <= 0);
        EXPECT(worker, version.value_len == sizeof version.seqno &&
                           memcmp(version.value, &version.seqno, sizeof version.seqno) == 0);
    }
    EXPECT(worker, masstree_memory_held(tree, &bytes) == MASSTREE_OK && bytes < 1 << 30);
    masstree_guard_leave(guard);
}

static void read_pair(struct soak_worker *worker, masstree_t *tree)
{
    struct pair pair = draw_pair(worker);
    masstree_snapshot_t *snapshot = NULL;
    EXPECT(worker, masstree_snapshot_open(tree, &snapshot) == MASSTREE_OK);
    uint64_t number = masstree_snapshot_seqno(snapshot);
    masstree_guard_t *guard = NULL;
    EXPECT(worker, masstree_guard_enter(tree, &guard) == MASSTREE_OK);
    masstree_slice_t keys[2] = {{pair.keys[0], pair.len}, {pair.keys[1], pair.len}};
    masstree_version_t versions[2];
    int32_t statuses[2];
    EXPECT(worker, masstree_get_many_at(tree, guard, keys, 2, number, versions, statuses) ==
                       MASSTREE_OK);
    /* A trim may have removed one of the tombstones. */
    bool found = statuses[0] == MASSTREE_OK;
    if (EXPECT(worker, found == (statuses[1] == MASSTREE_OK)) && found) {
        EXPECT(worker, versions[0].seqno == versions[1].seqno);
        EXPECT(worker, versions[0].seqno <= number);
        EXPECT(worker, memcmp(versions[0].value, versions[1].value, sizeof(uint64_t)) == 0);
    }
    masstree_guard_leave(guard);
    masstree_snapshot_close(snapshot);
}

struct walked {
    size_t keys[2];
};

static int32_t count_by_letter(const void *key, size_t key_len, const masstree_version_t *version,
                               void *ctx)
{
    (void)key_len;
    (void)version;
    ((struct walked *)ctx)->keys[*(const char *)key - 'a']++;
    return MASSTREE_VISIT_CONTINUE;
}

static void walk(struct soak_worker *worker, masstree_t *tree)
{
    struct walked walked = {{0, 0}};
    EXPECT(worker, masstree_scan_at(tree, NULL, NULL, MASSTREE_SEQNO_LATEST, count_by_letter,
                                    &walked, NULL) == MASSTREE_OK);
    EXPECT(worker, walked.keys[0] == walked.keys[1]);
    masstree_cursor_t *cursor = NULL;
    EXPECT(worker, masstree_cursor_open_at(tree, NULL, MASSTREE_SEQNO_LATEST, &cursor) ==
                       MASSTREE_OK);
    size_t keys = 0;
    while (masstree_cursor_prev(cursor) == MASSTREE_OK) {
        keys++;
        masstree_cursor_refresh(cursor);
    }
    EXPECT(worker, keys % 2 == 0);
    masstree_cursor_close(cursor);
}

void soak_versions(struct soak_worker *worker)
{
    masstree_t *tree = worker->soak->versioned;
    size_t drawn = random_below(&worker->random, 200);
    if (drawn == 0) {
        EXPECT(worker, masstree_verify_digests(tree, NULL, NULL, NULL, NULL) == MASSTREE_OK);
        return;
    }
    drawn /= 10;
    if (drawn < 8) {
        write_pair(worker, tree);
    } else if (drawn < 9) {
        remove_pairs(worker, tree);
    } else if (drawn < 11) {
        seek_pair(worker, tree);
    } else if (drawn < 17) {
        read_pair(worker, tree);
    } else if (drawn < 19) {
        int32_t status = masstree_trim_versions(tree, MASSTREE_SEQNO_LATEST, 30, NULL);
        EXPECT(worker, status == MASSTREE_OK || status == MASSTREE_END);
    } else {
        walk(worker, tree);
    }
}
