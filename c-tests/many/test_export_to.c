/* Exports: what a sink gets, and what it may return; a load from it. */
#include "many/load.h"

#define AN_ERROR (-77)
#define TOO_LONG ((size_t)UINT32_MAX + 1)

/* Compares an export with the load, from a place on. */
struct sink {
    const struct load *load;
    size_t next;
    bool descends;
    bool keys_only;
    bool values_only;
    size_t calls;
    size_t end_after; /* calls; 0: never */
    int32_t end;
};

static bool same_slice(masstree_slice_t one, masstree_slice_t other)
{
    return one.len == other.len && (one.len == 0 || memcmp(one.data, other.data, one.len) == 0);
}

static int32_t meet(const masstree_slice_t *keys, const uint64_t *words,
                    const masstree_slice_t *values, size_t count, struct sink *sink)
{
    static const masstree_slice_t nothing = {"", 0};
    REQUIRE(count >= 1);
    for (size_t i = 0; i < count; i++) {
        size_t at = sink->descends ? sink->load->count - 1 - sink->next : sink->next;
        REQUIRE(at < sink->load->count);
        masstree_slice_t key = sink->values_only ? nothing : sink->load->keys[at];
        REQUIRE(same_slice(key, keys[i]));
        REQUIRE(keys[i].data != NULL);
        if (words != NULL) {
            REQUIRE(words[i] == (sink->keys_only ? 0 : sink->load->words[at]));
        } else {
            masstree_slice_t value = sink->keys_only ? nothing : sink->load->values[at];
            REQUIRE(same_slice(value, values[i]));
        }
        sink->next++;
    }
    sink->calls++;
    return sink->calls == sink->end_after ? sink->end : MASSTREE_VISIT_CONTINUE;
}

static int32_t meet_words(const masstree_slice_t *keys, const uint64_t *values, size_t count,
                          void *ctx)
{
    return meet(keys, values, NULL, count, ctx);
}

static int32_t meet_bytes(const masstree_slice_t *keys, const masstree_slice_t *values,
                          size_t count, void *ctx)
{
    return meet(keys, NULL, values, count, ctx);
}

struct trees {
    struct load load;
    masstree_t *words;
    masstree_t *bytes;
};

static struct trees new_trees(uint64_t each)
{
    struct trees trees = {new_load(each), new_tree(), new_bytes_tree()};
    struct load *load = &trees.load;
    assert_ok(masstree_bulk_load(trees.words, NULL, load->keys, load->words, load->count, NULL));
    assert_ok(masstree_bulk_load_bytes(trees.bytes, NULL, load->keys, load->values, load->count,
                                       NULL));
    return trees;
}

static void end_trees(struct trees *trees)
{
    end_tree(trees->words);
    end_tree(trees->bytes);
    free_load(&trees->load);
}

/* Put back: in `Batch::pass`, keep the bytes of the batch before; in `export_range`, pass on only
   full batches. */
static void export_passes_on_what_a_scan_visits(void **state)
{
    (void)state;
    static const uint32_t flags[] = {0, MASSTREE_SCAN_REVERSE, MASSTREE_SCAN_KEYS_ONLY,
                                     MASSTREE_SCAN_VALUES_ONLY,
                                     MASSTREE_SCAN_REVERSE | MASSTREE_SCAN_KEYS_ONLY};
    struct trees trees = new_trees(100);
    for (size_t i = 0; i < COUNT(flags); i++) {
        for (size_t limit = 0; limit <= trees.load.count; limit += 1 + limit * 2) {
            masstree_range_t range = MASSTREE_RANGE_INIT;
            masstree_guard_t *guard = limit % 2 == 0 ? new_guard(trees.words) : NULL;
            struct sink sink = {.load = &trees.load,
                                .descends = (flags[i] & MASSTREE_SCAN_REVERSE) != 0,
                                .keys_only = (flags[i] & MASSTREE_SCAN_KEYS_ONLY) != 0,
                                .values_only = (flags[i] & MASSTREE_SCAN_VALUES_ONLY) != 0};
            struct sink bytes_sink = sink;
            size_t expected = limit == 0 ? trees.load.count : limit;
            size_t exported = 0;
            range.flags = flags[i];
            range.limit = limit;
            assert_ok(masstree_export_to(trees.words, guard, &range, meet_words, &sink,
                                         &exported));
            assert_int_equal(expected, exported);
            assert_int_equal(expected, sink.next);
            assert_ok(masstree_export_to_bytes(trees.bytes, NULL, &range, meet_bytes, &bytes_sink,
                                               &exported));
            assert_int_equal(expected, exported);
            assert_int_equal(expected, bytes_sink.next);
            assert_in_range(sink.calls, 1, 1 + expected / 64);
            masstree_guard_leave(guard);
        }
    }
    /* Only keys: of either tree. */
    masstree_range_t range = MASSTREE_RANGE_INIT;
    struct sink sink = {.load = &trees.load, .keys_only = true};
    range.flags = MASSTREE_SCAN_KEYS_ONLY;
    assert_ok(masstree_export_to(trees.bytes, NULL, &range, meet_words, &sink, NULL));
    assert_int_equal(trees.load.count, sink.next);
    masstree_t *empty = new_tree();
    assert_ok(masstree_export_to(empty, NULL, NULL, meet_words, NULL, NULL));
    end_tree(empty);
    end_trees(&trees);
}

/* A batch of long keys ends early: the memory that an export takes does not depend on them. */
static int32_t add_lengths(const masstree_slice_t *keys, const uint64_t *values, size_t count,
                           void *ctx)
{
    size_t *largest = ctx;
    size_t bytes = 0;
    for (size_t i = 0; i < count; i++) {
        REQUIRE(((const char *)keys[i].data)[keys[i].len - 1] == (char)values[i]);
        bytes += keys[i].len;
    }
    *largest = bytes > *largest ? bytes : *largest;
    return MASSTREE_VISIT_CONTINUE;
}

static void batch_of_long_keys_is_short(void **state)
{
    (void)state;
    enum { LONG = 50000 };
    masstree_t *tree = new_tree();
    char *key = calloc(LONG, 1);
    size_t largest = 0;
    size_t exported = 0;
    assert_non_null(key);
    for (size_t i = 0; i < 100; i++) {
        key[0] = (char)i;
        key[LONG - 1] = (char)i;
        assert_ok(masstree_put(tree, NULL, key, LONG, i));
    }
    assert_ok(masstree_export_to(tree, NULL, NULL, add_lengths, &largest, &exported));
    assert_int_equal(100, exported);
    assert_int_equal(2 * LONG, largest);
    free(key);
    end_tree(tree);
}

/* Put back: in `export_range`, pass on the rest although the sink has ended the export; count the
   keys before the sink got them. */
static void sink_ends_the_export(void **state)
{
    (void)state;
    struct trees trees = new_trees(100);
    static const int32_t ends[] = {MASSTREE_VISIT_STOP, 1000, AN_ERROR, MASSTREE_NOMEM};
    for (size_t i = 0; i < COUNT(ends); i++) {
        for (size_t after = 1; after <= 4; after++) {
            struct sink sink = {.load = &trees.load, .end_after = after, .end = ends[i]};
            struct sink bytes_sink = sink;
            size_t exported = 0;
            int32_t expected = ends[i] < 0 ? ends[i] : MASSTREE_OK;
            assert_status(expected, masstree_export_to(trees.words, NULL, NULL, meet_words, &sink,
                                                       &exported));
            assert_int_equal(after, sink.calls);
            assert_int_equal(sink.next, exported);
            assert_status(expected, masstree_export_to_bytes(trees.bytes, NULL, NULL, meet_bytes,
                                                             &bytes_sink, &exported));
            assert_int_equal(after, bytes_sink.calls);
            assert_int_equal(bytes_sink.next, exported);
        }
    }
    end_trees(&trees);
}

static int32_t add_words(const masstree_slice_t *keys, const uint64_t *values, size_t count,
                         void *ctx)
{
    return masstree_loader_add_many(ctx, keys, values, count, NULL);
}

static int32_t add_bytes(const masstree_slice_t *keys, const masstree_slice_t *values,
                         size_t count, void *ctx)
{
    return masstree_loader_add_many_bytes(ctx, keys, values, count, NULL);
}

static void export_fills_a_loader(void **state)
{
    (void)state;
    struct trees trees = new_trees(scaled(1000));
    masstree_t *copy = new_tree();
    masstree_t *bytes_copy = new_bytes_tree();
    /* In two parts. */
    masstree_range_t low = MASSTREE_RANGE_INIT;
    masstree_range_t high = MASSTREE_RANGE_INIT;
    masstree_slice_t cut = trees.load.keys[trees.load.count / 3];
    low.upper_bound = MASSTREE_BOUND_EXCLUSIVE;
    high.lower_bound = MASSTREE_BOUND_INCLUSIVE;
    low.upper = high.lower = cut.data;
    low.upper_len = high.lower_len = cut.len;
    masstree_loader_t *loaders[2];
    masstree_loader_t *bytes_loader;
    assert_ok(masstree_loader_open(copy, &loaders[0]));
    assert_ok(masstree_loader_open(copy, &loaders[1]));
    assert_ok(masstree_loader_open(bytes_copy, &bytes_loader));
    assert_ok(masstree_export_to(trees.words, NULL, &low, add_words, loaders[0], NULL));
    assert_ok(masstree_export_to(trees.words, NULL, &high, add_words, loaders[1], NULL));
    assert_ok(masstree_export_to_bytes(trees.bytes, NULL, NULL, add_bytes, bytes_loader, NULL));
    assert_ok(masstree_loader_finish(copy, NULL, loaders, 2, NULL));
    assert_ok(masstree_loader_finish(bytes_copy, NULL, &bytes_loader, 1, NULL));
    masstree_loader_close(loaders[0]);
    masstree_loader_close(loaders[1]);
    masstree_loader_close(bytes_loader);
    assert_agrees(copy, &trees.load.model);
    assert_bytes_loaded(bytes_copy, &trees.load, trees.load.count);
    end_tree(copy);
    end_tree(bytes_copy);
    end_trees(&trees);
}

/* Put back: in `export_range`, drop the keys of the batch when memory runs out. */
static void each_allocation_may_fail(void **state)
{
    (void)state;
    struct load load = new_load(60);
    size_t failures = 0;
    for (size_t fail_at = 1;; fail_at++) {
        struct allocator allocator;
        allocator_start(&allocator);
        masstree_t *tree = new_tree_of(&allocator, MASSTREE_VALUES_WORDS);
        assert_ok(masstree_bulk_load(tree, NULL, load.keys, load.words, load.count, NULL));
        struct sink sink = {.load = &load};
        size_t exported = 0;
        allocator.fail_at = allocator.calls + fail_at;
        int32_t status = masstree_export_to(tree, NULL, NULL, meet_words, &sink, &exported);
        bool failed = allocator.failures != 0;
        allocator.fail_at = 0;
        assert_int_equal(sink.next, exported);
        if (status == MASSTREE_NOMEM) {
            masstree_range_t rest = MASSTREE_RANGE_INIT;
            failures++;
            rest.lower_bound = MASSTREE_BOUND_EXCLUSIVE;
            if (exported > 0) {
                rest.lower = load.keys[exported - 1].data;
                rest.lower_len = load.keys[exported - 1].len;
            } else {
                rest.lower_bound = MASSTREE_BOUND_OPEN;
            }
            status = masstree_export_to(tree, NULL, &rest, meet_words, &sink, &exported);
        }
        assert_ok(status);
        assert_int_equal(load.count, sink.next);
        end_tree(tree);
        allocator_end(&allocator);
        if (!failed) {
            break;
        }
    }
    assert_in_range(failures, 3, 999);
    free_load(&load);
}

static void export_refuses_what_a_scan_refuses(void **state)
{
    (void)state;
    struct trees trees = new_trees(2);
    struct sink sink = {.load = &trees.load};
    masstree_range_t range = MASSTREE_RANGE_INIT;
    masstree_guard_t *guard = new_guard(trees.words);
    masstree_guard_t *bytes_guard = new_guard(trees.bytes);
    size_t exported = 7;
#define REFUSED(status, range, meet_w, meet_b)                                                     \
    assert_status(status, masstree_export_to(trees.words, NULL, range, meet_w, &sink, &exported)); \
    assert_status(status,                                                                          \
                  masstree_export_to_bytes(trees.bytes, NULL, range, meet_b, &sink, &exported))
    REFUSED(MASSTREE_INVALID, NULL, NULL, NULL);
    range.flags = 1U << 31;
    REFUSED(MASSTREE_INVALID, &range, meet_words, meet_bytes);
    range.flags = 0;
    range.lower_bound = MASSTREE_BOUND_INCLUSIVE;
    range.lower = "x";
    range.lower_len = TOO_LONG;
    REFUSED(MASSTREE_KEY_TOO_LONG, &range, meet_words, meet_bytes);
#undef REFUSED
    assert_status(MASSTREE_WRONG_KIND,
                  masstree_export_to(trees.bytes, NULL, NULL, meet_words, &sink, &exported));
    assert_status(MASSTREE_WRONG_KIND,
                  masstree_export_to_bytes(trees.words, NULL, NULL, meet_bytes, &sink, &exported));
    assert_status(MASSTREE_WRONG_TREE, masstree_export_to(trees.words, bytes_guard, NULL,
                                                          meet_words, &sink, &exported));
    assert_status(MASSTREE_WRONG_TREE, masstree_export_to_bytes(trees.bytes, guard, NULL,
                                                                meet_bytes, &sink, &exported));
    assert_int_equal(7, exported);
    assert_int_equal(0, sink.calls);
    masstree_guard_leave(guard);
    masstree_guard_leave(bytes_guard);
    end_trees(&trees);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(export_passes_on_what_a_scan_visits),
        cmocka_unit_test(batch_of_long_keys_is_short),
        cmocka_unit_test(sink_ends_the_export),
        cmocka_unit_test(export_fills_a_loader),
        cmocka_unit_test(each_allocation_may_fail),
        cmocka_unit_test(export_refuses_what_a_scan_refuses),
    };
    return cmocka_run_group_tests_name("export_to", tests, NULL, NULL);
}
