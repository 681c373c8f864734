/* The number with which a visitor ends a scan, in a variable of the caller's. */
#include "support.h"

#include <masstree/occ.h>
#include <masstree/store.h>
#include <masstree/versioned.h>

/* What a visitor returns when it is called. */
struct answers {
    int32_t of_key, of_prefix, of_leaf;
};

static int32_t word(const void *key, size_t key_len, uint64_t value, void *ctx)
{
    (void)key;
    (void)key_len;
    (void)value;
    return ((const struct answers *)ctx)->of_key;
}

static int32_t bytes(const void *key, size_t key_len, const void *value, size_t value_len, void *ctx)
{
    (void)value;
    return word(key, key_len, value_len, ctx);
}

static int32_t version(const void *key, size_t key_len, const masstree_version_t *of, void *ctx)
{
    return word(key, key_len, of->seqno, ctx);
}

static int32_t prefix(const void *common, size_t len, void *ctx)
{
    (void)common;
    (void)len;
    return ((const struct answers *)ctx)->of_prefix;
}

static int32_t leaf(const masstree_observation_t *observation, void *ctx)
{
    (void)observation;
    return ((const struct answers *)ctx)->of_leaf;
}

static int32_t words(const masstree_slice_t *keys, const uint64_t *values, size_t count, void *ctx)
{
    (void)values;
    return word(keys[0].data, count, 0, ctx);
}

static int32_t strings(const masstree_slice_t *keys, const masstree_slice_t *values, size_t count,
                       void *ctx)
{
    (void)values;
    return words(keys, NULL, count, ctx);
}

/* Trees with a key and a common prefix. */
struct trees {
    masstree_t *words, *bytes, *versions;
    masstree_store_t *store;
    masstree_t *in_store;
    masstree_txn_t *txn;
    masstree_guard_t *guard; /* of the tree of byte strings */
};

typedef int32_t scan_t(struct trees *trees, const masstree_range_t *range, struct answers *answers);

static int32_t scan(struct trees *trees, const masstree_range_t *range, struct answers *answers)
{
    return masstree_scan(trees->words, NULL, range, word, answers, NULL);
}

static int32_t scan_bytes(struct trees *trees, const masstree_range_t *range, struct answers *answers)
{
    return masstree_scan_bytes(trees->bytes, NULL, range, bytes, answers, NULL);
}

static int32_t scan_observed(struct trees *trees, const masstree_range_t *range,
                             struct answers *answers)
{
    return masstree_scan_observed(trees->words, NULL, range, leaf, word, answers, NULL);
}

static int32_t scan_bytes_observed(struct trees *trees, const masstree_range_t *range,
                                   struct answers *answers)
{
    return masstree_scan_bytes_observed(trees->bytes, trees->guard, range, leaf, bytes, answers, NULL);
}

static int32_t scan_delimited(struct trees *trees, const masstree_range_t *range,
                              struct answers *answers)
{
    return masstree_scan_delimited(trees->words, NULL, range, "/", 1, word, prefix, answers, NULL);
}

static int32_t scan_delimited_bytes(struct trees *trees, const masstree_range_t *range,
                                    struct answers *answers)
{
    return masstree_scan_delimited_bytes(trees->bytes, NULL, range, "/", 1, bytes, prefix, answers,
                                         NULL);
}

static int32_t scan_at(struct trees *trees, const masstree_range_t *range, struct answers *answers)
{
    return masstree_scan_at(trees->versions, NULL, range, MASSTREE_SEQNO_LATEST, version, answers,
                            NULL);
}

static int32_t scan_delimited_at(struct trees *trees, const masstree_range_t *range,
                                 struct answers *answers)
{
    return masstree_scan_delimited_at(trees->versions, NULL, range, MASSTREE_SEQNO_LATEST, "/", 1,
                                      version, prefix, answers, NULL);
}

static int32_t scan_versions(struct trees *trees, const masstree_range_t *range,
                             struct answers *answers)
{
    masstree_version_range_t versions = MASSTREE_VERSION_RANGE_INIT;
    versions.visitor_result = range->visitor_result;
    return masstree_scan_versions(trees->versions, NULL, &versions, version, answers, NULL);
}

static int32_t export_to(struct trees *trees, const masstree_range_t *range, struct answers *answers)
{
    return masstree_export_to(trees->words, NULL, range, words, answers, NULL);
}

static int32_t export_to_bytes(struct trees *trees, const masstree_range_t *range,
                               struct answers *answers)
{
    return masstree_export_to_bytes(trees->bytes, NULL, range, strings, answers, NULL);
}

static int32_t txn_scan(struct trees *trees, const masstree_range_t *range, struct answers *answers)
{
    return masstree_txn_scan(trees->txn, trees->in_store, range, version, answers, NULL);
}

static const struct {
    scan_t *run;
    bool has_prefixes, has_leaves;
} scans[] = {
    {scan, false, false},          {scan_bytes, false, false},
    {scan_observed, false, true},  {scan_bytes_observed, false, true},
    {scan_delimited, true, false}, {scan_delimited_bytes, true, false},
    {scan_at, false, false},       {scan_delimited_at, true, false},
    {scan_versions, false, false}, {export_to, false, false},
    {export_to_bytes, false, false}, {txn_scan, false, false},
};

static struct trees new_trees(void)
{
    struct trees trees = {.words = new_tree(), .bytes = new_bytes_tree(),
                          .versions = new_versioned_tree()};
    assert_ok(masstree_store_open(NULL, NULL, &trees.store));
    assert_ok(masstree_store_tree(trees.store, "tree", &trees.in_store));
    static const char *const keys[] = {"a", "b/c", "b/d"};
    for (size_t i = 0; i < COUNT(keys); i++) {
        size_t len = strlen(keys[i]);
        assert_ok(masstree_put(trees.words, NULL, keys[i], len, i));
        assert_ok(masstree_put_bytes(trees.bytes, NULL, keys[i], len, "value", 5));
        assert_ok(masstree_put_at(trees.versions, NULL, keys[i], len, 1 + i, MASSTREE_VERSION_VALUE,
                                  "value", 5));
        assert_ok(masstree_store_put(trees.store, trees.in_store, keys[i], len, "value", 5, NULL));
    }
    assert_ok(masstree_txn_begin(trees.store, NULL, &trees.txn));
    trees.guard = new_guard(trees.bytes);
    return trees;
}

static void end_trees(struct trees *trees)
{
    masstree_guard_leave(trees->guard);
    masstree_txn_destroy(trees->txn);
    assert_ok(masstree_store_close(trees->store));
    end_tree(trees->words);
    end_tree(trees->bytes);
    end_tree(trees->versions);
}

/* Put back: in `Ending::status`, return the number also if there is a variable. */
static void a_visitor_ends_a_scan_with_a_number_of_its_own(void **state)
{
    (void)state;
    /* Those that are statuses, any of the functions may return. */
    static const int32_t numbers[] = {MASSTREE_VISIT_STOP, 77,    INT32_MAX, MASSTREE_INVALID,
                                      MASSTREE_NOMEM,      -1000, INT32_MIN};
    struct trees trees = new_trees();
    for (size_t i = 0; i < COUNT(scans); i++) {
        int32_t result = 55;
        masstree_range_t range = MASSTREE_RANGE_INIT;
        struct answers none = {0, 0, 0};
        assert_ok(scans[i].run(&trees, &range, &none));
        assert_int_equal(55, result);
        range.visitor_result = &result;
        assert_ok(scans[i].run(&trees, &range, &none));
        assert_int_equal(0, result);
        for (size_t n = 0; n < COUNT(numbers); n++) {
            struct answers answers[] = {{numbers[n], 0, 0}, {0, numbers[n], 0}, {0, 0, numbers[n]}};
            const bool uses[] = {true, scans[i].has_prefixes, scans[i].has_leaves};
            for (size_t visitor = 0; visitor < COUNT(answers); visitor++) {
                if (!uses[visitor]) {
                    continue;
                }
                result = 55;
                assert_ok(scans[i].run(&trees, &range, &answers[visitor]));
                assert_int_equal(numbers[n], result);
                /* Without a variable it is the status, if it is negative. */
                masstree_range_t plain = MASSTREE_RANGE_INIT;
                int32_t status = numbers[n] < 0 ? numbers[n] : MASSTREE_OK;
                assert_int_equal(status, scans[i].run(&trees, &plain, &answers[visitor]));
            }
        }
        /* Not written by a call that fails. */
        result = 55;
        range.flags = UINT32_MAX;
        if (scans[i].run != scan_versions) {
            assert_int_equal(MASSTREE_INVALID, scans[i].run(&trees, &range, &none));
            assert_int_equal(55, result);
        }
    }
    end_trees(&trees);
}

/* Of two faults, the first to be noticed is the missing visitor, and then the range's size. Put back: in
   `masstree_scan_at`, decode the range first; in `decode_delimited`, the delimiter. */
static void the_faults_of_a_call_are_noticed_in_their_order(void **state)
{
    (void)state;
    const size_t too_long = (size_t)UINT32_MAX + 1;
    masstree_t *words_tree = new_tree(), *bytes_tree = new_bytes_tree(), *versions = new_versioned_tree();
    masstree_range_t range = MASSTREE_RANGE_INIT;
    masstree_version_range_t of_versions = MASSTREE_VERSION_RANGE_INIT;
    range.upper = of_versions.upper = "";
    range.upper_len = of_versions.upper_len = too_long;
    range.upper_bound = of_versions.upper_bound = MASSTREE_BOUND_INCLUSIVE;
    struct answers none = {0, 0, 0};
    const uint64_t latest = MASSTREE_SEQNO_LATEST;
    const struct { bool has_visitor; int32_t status; } rounds[] = {
        {true, MASSTREE_KEY_TOO_LONG}, {false, MASSTREE_INVALID}};
    for (size_t i = 0; i < COUNT(rounds); i++) {
        masstree_visitor_t visit = rounds[i].has_visitor ? word : NULL;
        masstree_bytes_visitor_t visit_bytes = rounds[i].has_visitor ? bytes : NULL;
        masstree_version_visitor_t visit_version = rounds[i].has_visitor ? version : NULL;
        assert_status(rounds[i].status, masstree_scan_delimited(words_tree, NULL, &range, "/", 1, visit,
                                                                prefix, &none, NULL));
        assert_status(rounds[i].status, masstree_scan_delimited_bytes(bytes_tree, NULL, &range, "/", 1,
                                                                      visit_bytes, prefix, &none, NULL));
        assert_status(rounds[i].status,
                      masstree_scan_at(versions, NULL, &range, latest, visit_version, &none, NULL));
        assert_status(rounds[i].status,
                      masstree_scan_delimited_at(versions, NULL, &range, latest, "/", 1, visit_version,
                                                 prefix, &none, NULL));
        assert_status(rounds[i].status, masstree_scan_versions(versions, NULL, &of_versions, visit_version,
                                                               &none, NULL));
    }
    range = (masstree_range_t)MASSTREE_RANGE_INIT;
    range.struct_size--;
    assert_status(MASSTREE_INVALID, masstree_scan_delimited(words_tree, NULL, &range, "/", too_long, word,
                                                            prefix, &none, NULL));
    assert_status(MASSTREE_INVALID,
                  masstree_scan_delimited_at(versions, NULL, &range, latest, "/", too_long, version,
                                             prefix, &none, NULL));
    end_tree(words_tree);
    end_tree(bytes_tree);
    end_tree(versions);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_faults_of_a_call_are_noticed_in_their_order),
        cmocka_unit_test(a_visitor_ends_a_scan_with_a_number_of_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
