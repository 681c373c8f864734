/* Each allocation of a workload on a versioned tree fails once, alone or with all later ones of the
   same call: then the call says so, and has changed nothing. */
#include "sweep/sweep.h"

struct run {
    struct allocator allocator;
    masstree_t *tree;
    struct tally tally;
};

static uint64_t mix(uint64_t hash, const void *bytes, size_t len)
{
    const unsigned char *at = bytes;
    for (size_t i = 0; i < len; i++) {
        hash = (hash ^ at[i]) * UINT64_C(0x100000001B3);
    }
    return hash * 31 + len;
}

static int32_t mix_version(const void *key, size_t key_len, const masstree_version_t *version, void *ctx)
{
    uint64_t *hash = ctx;
    *hash = mix(*hash, key, key_len);
    *hash = mix(*hash, &version->seqno, sizeof version->seqno);
    *hash = mix(*hash, &version->kind, sizeof version->kind);
    *hash = mix(*hash, version->value, version->value_len);
    return MASSTREE_VISIT_CONTINUE;
}

static int32_t mix_range(const void *lower, size_t lower_len, const void *upper, size_t upper_len,
                         uint64_t seqno, void *ctx)
{
    /* The order does not matter. */
    *(uint64_t *)ctx += mix(mix(mix(seqno, lower, lower_len), upper, upper_len), "range", 5);
    return MASSTREE_VISIT_CONTINUE;
}

/* Of everything in the tree. */
static uint64_t hash_of(struct run *run)
{
    size_t fail_at = run->allocator.fail_at;
    size_t calls = run->allocator.calls;
    uint64_t hash = 7;
    run->allocator.fail_at = 0;
    if (run->tree != NULL) {
        assert_consistent(run->tree);
        assert_ok(masstree_scan_versions(run->tree, NULL, NULL, mix_version, &hash, NULL));
        assert_ok(masstree_scan_range_tombstones(run->tree, NULL, mix_range, &hash, NULL));
    }
    run->allocator.fail_at = fail_at;
    run->allocator.calls = calls;
    return hash;
}

/* Whether the call with this status ran out of memory and must be repeated. `partly`: it may do
   without that memory, or may have done a part; then it says nothing. */
static bool again(struct run *run, const char *name, uint64_t before, int32_t status, bool partly)
{
    if (run->allocator.failures == 0) {
        assert_true(status >= 0);
        return false;
    }
    run->allocator.failures = 0;
    run->allocator.fail_at = 0;
    if (status != MASSTREE_NOMEM) {
        if (!partly) {
            fail_msg("%s: an allocation failed, and the answer was %d", name, status);
        }
        run->tally.absorbed++;
        return false;
    }
    run->tally.refused++;
    assert_int_equal(before, hash_of(run));
    return true;
}

#define CALL(run, partly, call)                                                                   \
    do {                                                                                          \
        uint64_t before = (run)->allocator.fail_at == 0 ? 0 : hash_of(run);                       \
        int32_t status;                                                                           \
        do {                                                                                      \
            status = (call);                                                                      \
        } while (again(run, #call, before, status, partly));                                            \
    } while (0)

enum { KEYS = 8, VERSIONS = 10 };

static void write_all(struct run *run)
{
    static const char value[100];
    uint64_t seqno = 0;
    for (uint64_t round = 0; round < VERSIONS; round++) {
        for (uint64_t number = 0; number < KEYS; number++) {
            struct key key = key_of(round < 2 ? 7 * number : 14 * (number % 3));
            seqno++;
            CALL(run, false,
                 masstree_put_at(run->tree, NULL, key.bytes, key.len, seqno, (uint32_t)(seqno % 4), value,
                                 seqno % 100));
        }
        struct key lower = key_of(round);
        CALL(run, false, masstree_remove_range_at(run->tree, NULL, lower.bytes, lower.len, "\xFF", 1, ++seqno));
    }
    struct key key = key_of(3);
    masstree_slice_t slice = {key.bytes, key.len};
    uint64_t next = seqno + 1;
    CALL(run, false, masstree_put_many_at(run->tree, NULL, &slice, &next, NULL, &slice, 1, NULL));
    CALL(run, false,
         masstree_put_digested_at(run->tree, NULL, "digest", 6, seqno + 3, MASSTREE_VERSION_VALUE, "v", 1,
                                  MASSTREE_DIGEST_CRC32C, 0));
    CALL(run, false, masstree_put_unless_newer_at(run->tree, NULL, "digest", 6, seqno + 4,
                                                  MASSTREE_VERSION_VALUE, "w", 1, NULL));
}

static int32_t count(const void *key, size_t key_len, const masstree_version_t *version, void *ctx)
{
    (void)key;
    (void)key_len;
    (void)version;
    ++*(size_t *)ctx;
    return MASSTREE_VISIT_CONTINUE;
}

static int32_t count_prefix(const void *prefix, size_t prefix_len, void *ctx)
{
    return count(prefix, prefix_len, NULL, ctx);
}

static int32_t count_fault(const void *key, size_t key_len, uint64_t seqno, uint32_t fault, void *ctx)
{
    (void)fault;
    (void)seqno;
    return count(key, key_len, NULL, ctx);
}

static void walk(struct run *run, masstree_guard_t *guard, bool versions, bool lent)
{
    _Alignas(16) unsigned char memory[4096];
    masstree_cursor_t *cursor = NULL;
    struct key key = key_of(14);
    if (lent) {
        CALL(run, false,
             versions ? masstree_cursor_open_versions_in(run->tree, guard, memory, sizeof memory, 0, &cursor)
                      : masstree_cursor_open_in_at(run->tree, guard, memory, sizeof memory,
                                                   MASSTREE_SEQNO_LATEST, &cursor));
    } else {
        CALL(run, false, versions ? masstree_cursor_open_versions(run->tree, guard, 0, &cursor)
                                  : masstree_cursor_open_at(run->tree, guard, MASSTREE_SEQNO_LATEST, &cursor));
    }
    CALL(run, true, masstree_cursor_seek(cursor, key.bytes, key.len, MASSTREE_SEEK_LE));
    for (unsigned step = 0; step < 3; step++) {
        CALL(run, true, masstree_cursor_next(cursor));
    }
    CALL(run, true, masstree_cursor_last(cursor));
    CALL(run, true, masstree_cursor_prev(cursor));
    masstree_cursor_close(cursor);
}

static void read_all(struct run *run)
{
    masstree_guard_t *guard = NULL;
    masstree_snapshot_t *snapshot = NULL;
    size_t visited = 0;
    CALL(run, false, masstree_snapshot_open(run->tree, &snapshot));
    CALL(run, false, masstree_guard_enter(run->tree, &guard));
    CALL(run, false, masstree_scan_at(run->tree, guard, NULL, MASSTREE_SEQNO_LATEST, count, &visited, NULL));
    CALL(run, false, masstree_scan_delimited_at(run->tree, guard, NULL, MASSTREE_SEQNO_LATEST, "a", 1, count,
                                                count_prefix, &visited, NULL));
    CALL(run, false, masstree_scan_versions(run->tree, guard, NULL, count, &visited, NULL));
    CALL(run, false, masstree_seek_at(run->tree, guard, "a", 1, MASSTREE_SEQNO_LATEST, MASSTREE_SEEK_GE,
                                      NULL, 0, NULL, NULL));
    CALL(run, false, masstree_verify_digests(run->tree, guard, count_fault, &visited, NULL) ==
                             MASSTREE_NOMEM
                         ? MASSTREE_NOMEM
                         : MASSTREE_OK);
    walk(run, guard, false, false);
    walk(run, NULL, true, false);
    walk(run, NULL, false, true);
    walk(run, guard, true, true);
    masstree_guard_leave(guard);
    masstree_snapshot_close(snapshot);
}

static void trim_all(struct run *run)
{
    int32_t trimmed;
    do {
        CALL(run, true, trimmed = masstree_trim_versions(run->tree, MASSTREE_SEQNO_LATEST, 25, NULL));
    } while (trimmed != MASSTREE_END);
}

static uint32_t flags;

static bool run_once(bool holds_bytes, size_t fail_at, bool fail_on, struct tally *tally)
{
    (void)holds_bytes;
    struct run run = {.tree = NULL};
    allocator_start(&run.allocator);
    run.allocator.fail_at = fail_at;
    run.allocator.fail_on = fail_on;
    masstree_options_t options = allocator_options(&run.allocator, MASSTREE_VALUES_VERSIONED);
    options.version_flags = flags;
    CALL(&run, false, masstree_create(&options, &run.tree));
    write_all(&run);
    read_all(&run);
    if (flags != MASSTREE_VERSIONS_APPEND_ONLY) {
        trim_all(&run);
    }
    bool failed = run.allocator.fail_at == 0;
    run.allocator.fail_at = 0;
    end_tree(run.tree);
    allocator_end(&run.allocator);
    tally->refused += run.tally.refused;
    tally->absorbed += run.tally.absorbed;
    return failed;
}

static void sweep_both(uint32_t version_flags)
{
    flags = version_flags;
    sweep(run_once, false, false);
    sweep(run_once, false, true);
}

static void each_allocation_may_fail(void **state)
{
    (void)state;
    sweep_both(0);
}

static void each_allocation_may_fail_where_overwrites_free(void **state)
{
    (void)state;
    sweep_both(MASSTREE_VERSIONS_FREE_OVERWRITTEN);
}

static void each_allocation_of_an_append_only_tree_may_fail(void **state)
{
    (void)state;
    sweep_both(MASSTREE_VERSIONS_APPEND_ONLY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_allocation_may_fail),
        cmocka_unit_test(each_allocation_may_fail_where_overwrites_free),
        cmocka_unit_test(each_allocation_of_an_append_only_tree_may_fail),
    };
    return cmocka_run_group_tests_name("sweep_versions", tests, NULL, NULL);
}
