/* Functions on a whole tree: its size, its invariants, its nodes, its pivots. */
#include "support.h"

struct text {
    size_t pieces;
};

static void count_pieces(const char *text, size_t len, void *ctx)
{
    (void)text;
    (void)len;
    ((struct text *)ctx)->pieces++;
}

static void assert_check_is_silent(const masstree_t *tree)
{
    struct text text = {0};
    assert_consistent(tree);
    assert_ok(masstree_check(tree, NULL, count_pieces, &text));
    assert_int_equal(0, text.pieces);
    assert_ok(masstree_check(tree, NULL, NULL, NULL));
}

static void len_counts_keys_and_not_calls(void **state)
{
    (void)state;
    masstree_t *tree = new_tree();
    assert_int_equal(0, tree_len(tree));
    assert_ok(masstree_put(tree, NULL, "a", 1, 1));
    assert_int_equal(1, tree_len(tree));
    assert_ok(masstree_put(tree, NULL, "a", 1, 2));
    assert_status(MASSTREE_EXISTS, masstree_insert(tree, NULL, "a", 1, 2, NULL));
    assert_ok(masstree_exchange(tree, NULL, "a", 1, 3, NULL));
    assert_int_equal(1, tree_len(tree));
    assert_status(MASSTREE_NOT_FOUND, masstree_exchange(tree, NULL, "b", 1, 2, NULL));
    assert_ok(masstree_insert(tree, NULL, "c", 1, 2, NULL));
    assert_int_equal(3, tree_len(tree));
    assert_status(MASSTREE_NOT_FOUND, masstree_remove(tree, NULL, "d", 1, NULL));
    assert_int_equal(3, tree_len(tree));
    assert_ok(masstree_remove(tree, NULL, "b", 1, NULL));
    assert_int_equal(2, tree_len(tree));
    end_tree(tree);
}

static void len_counts_the_keys_of_every_layer(void **state)
{
    (void)state;
    for (enum family family = 0; family < FAMILIES; family++) {
        masstree_t *tree = new_tree();
        for (uint64_t number = 0; number < 3000; number++) {
            unsigned char key[FAMILY_KEY_MAX];
            size_t len = family_key(family, number, key);
            assert_ok(masstree_put(tree, NULL, key, len, number));
            assert_int_equal(number + 1, tree_len(tree));
        }
        end_tree(tree);
    }
}

/* What many threads added and removed sums up once they have finished. */
static void add_and_take_away(void *arg)
{
    masstree_t *tree = *(masstree_t **)arg;
    uint64_t base = (uint64_t)(uintptr_t)arg << 32;
    for (uint64_t i = 0; i < 3000; i++) {
        REQUIRE(masstree_put_u64(tree, NULL, base + i, i) == MASSTREE_OK);
    }
    for (uint64_t i = 0; i < 3000; i += 3) {
        REQUIRE(masstree_remove_u64(tree, NULL, base + i, NULL) == MASSTREE_OK);
    }
}

static void len_is_exact_when_threads_are_done(void **state)
{
    (void)state;
    masstree_t *tree = new_tree();
    masstree_t *args[] = {tree, tree, tree, tree};
    void (*const run[])(void *) = {add_and_take_away, add_and_take_away, add_and_take_away,
                                   add_and_take_away};
    run_together(COUNT(run), run, args, sizeof args[0]);
    assert_int_equal(4 * 2000, tree_len(tree));
    end_tree(tree);
}

static void len_returns_documented_statuses(void **state)
{
    (void)state;
    masstree_t *tree = new_tree();
    uint64_t len = 99;
    assert_status(MASSTREE_INVALID, masstree_len(NULL, &len));
    assert_int_equal(99, len);
    assert_ok(masstree_len(tree, NULL));
    end_tree(tree);
}

static void check_returns_documented_statuses(void **state)
{
    (void)state;
    struct text text = {0};
    masstree_t *tree = new_tree();
    masstree_t *other = new_tree();
    masstree_guard_t *guard = NULL;
    masstree_guard_t *foreign = NULL;
    assert_ok(masstree_guard_enter(tree, &guard));
    assert_ok(masstree_guard_enter(other, &foreign));
    assert_ok(masstree_check(tree, guard, count_pieces, &text));
    assert_status(MASSTREE_WRONG_TREE, masstree_check(tree, foreign, count_pieces, &text));
    assert_status(MASSTREE_INVALID, masstree_check(NULL, NULL, count_pieces, &text));
    assert_status(MASSTREE_INVALID, masstree_check(NULL, guard, NULL, NULL));
    assert_int_equal(0, text.pieces);
    masstree_guard_leave(guard);
    masstree_guard_leave(foreign);
    end_tree(tree);
    end_tree(other);
}

/* The shapes of a tree: empty, one leaf, split, layers, empty again. */
static void check_finds_nothing_wrong_in_any_shape(void **state)
{
    (void)state;
    for (enum family family = 0; family < FAMILIES; family++) {
        masstree_t *tree = new_tree();
        assert_check_is_silent(tree);
        for (uint64_t number = 0; number < 300; number++) {
            unsigned char key[FAMILY_KEY_MAX];
            size_t len = family_key(family, number, key);
            assert_ok(masstree_put(tree, NULL, key, len, number));
            assert_check_is_silent(tree);
        }
        for (uint64_t number = 0; number < 300; number++) {
            unsigned char key[FAMILY_KEY_MAX];
            size_t len = family_key(family, (number * 7) % 300, key);
            assert_ok(masstree_remove(tree, NULL, key, len, NULL));
            assert_check_is_silent(tree);
        }
        assert_int_equal(0, tree_len(tree));
        masstree_destroy(tree);
    }
}

/* Damage. The allocator finds the leaves: each is an allocation, and a key's first 8 bytes are a
   number in it. */
struct search {
    uint64_t wanted;
    uint64_t *found;
    size_t times;
};

enum { LARGEST_NODE_PIECE = 384 };

static void search_piece(void *memory, size_t size, void *ctx)
{
    struct search *search = ctx;
    uint64_t *words = memory;
    if (size > LARGEST_NODE_PIECE) {
        return;
    }
    for (size_t i = 0; i < size / sizeof *words; i++) {
        if (words[i] == search->wanted) {
            search->found = &words[i];
            search->times++;
        }
    }
}

/* The position of the key's slice in the only leaf that contains it. */
static uint64_t *slice_in(struct allocator *allocator, uint64_t key)
{
    struct search search = {.wanted = key};
    allocator_each(allocator, search_piece, &search);
    assert_int_equal(1, search.times);
    return search.found;
}

struct lines {
    size_t count;
    size_t bytes;
    bool complete;
};

static void count_lines(const char *text, size_t len, void *ctx)
{
    struct lines *lines = ctx;
    for (size_t i = 0; i < len; i++) {
        lines->count += text[i] == '\n' ? 1 : 0;
    }
    lines->bytes += len;
    lines->complete = len > 0 ? text[len - 1] == '\n' : lines->complete;
}

static void assert_damage_is_found(const masstree_t *tree)
{
    struct lines lines = {0};
    masstree_guard_t *guard = new_guard(tree);
    assert_status(MASSTREE_CORRUPT, masstree_check(tree, guard, count_lines, &lines));
    masstree_guard_leave(guard);
    assert_true(lines.count > 0);
    assert_true(lines.bytes > lines.count);
    assert_true(lines.complete);
    assert_status(MASSTREE_CORRUPT, masstree_check(tree, NULL, NULL, NULL));
}

/* Numbers that occur nowhere else in the tree's memory. */
static uint64_t odd_number(uint64_t i)
{
    return UINT64_C(0x7172737475000000) + i * 0x10101;
}

static void check_finds_keys_out_of_order(void **state)
{
    (void)state;
    enum { KEYS = 10 };
    struct allocator allocator;
    allocator_start(&allocator);
    masstree_t *tree = new_tree_of(&allocator, MASSTREE_VALUES_WORDS);
    for (uint64_t i = 0; i < KEYS; i++) {
        assert_ok(masstree_put_u64(tree, NULL, odd_number(i), i));
    }
    for (uint64_t i = 0; i < KEYS; i++) {
        uint64_t *slice = slice_in(&allocator, odd_number(i));
        assert_consistent(tree);
        *slice = i == 0 ? odd_number(1) + 1 : odd_number(0) - 1;
        assert_damage_is_found(tree);
        *slice = i == 0 ? odd_number(1) : odd_number(i - 1); /* two equal keys */
        assert_damage_is_found(tree);
        *slice = odd_number(i);
    }
    end_tree(tree);
    allocator_end(&allocator);
}

/* Each leaf is in order, but one key is in the wrong leaf. */
static void check_finds_keys_in_the_wrong_leaf(void **state)
{
    (void)state;
    enum { KEYS = 40 };
    struct allocator allocator;
    allocator_start(&allocator);
    masstree_t *tree = new_tree_of(&allocator, MASSTREE_VALUES_WORDS);
    size_t damaged = 0;
    for (uint64_t i = 0; i < KEYS; i++) {
        assert_ok(masstree_put_u64(tree, NULL, odd_number(i), i));
    }
    for (uint64_t i = 0; i < KEYS; i++) {
        struct search search = {.wanted = odd_number(i)};
        allocator_each(&allocator, search_piece, &search);
        if (search.times != 1) {
            continue; /* also a bound between leaves */
        }
        *search.found = i < KEYS / 2 ? odd_number(KEYS) : odd_number(0) - 1;
        assert_damage_is_found(tree);
        *search.found = odd_number(i);
        damaged++;
    }
    assert_true(damaged > KEYS / 2);
    end_tree(tree);
    allocator_end(&allocator);
}

static masstree_stats_t stats_of(const masstree_t *tree, uint32_t flags)
{
    masstree_stats_t stats = MASSTREE_STATS_INIT;
    stats.flags = flags;
    assert_ok(masstree_stats(tree, NULL, &stats));
    assert_int_equal(sizeof stats, stats.struct_size);
    assert_int_equal(flags, stats.flags);
    return stats;
}

static void stats_match_the_contents_of_the_tree(void **state)
{
    (void)state;
    struct allocator allocator;
    allocator_start(&allocator);
    masstree_t *tree = new_tree_of(&allocator, MASSTREE_VALUES_BYTES);
    masstree_stats_t stats = stats_of(tree, MASSTREE_STATS_NODES);
    assert_int_equal(0, stats.keys);
    assert_int_equal(1, stats.layers);
    assert_int_equal(1, stats.leaves);
    assert_int_equal(0, stats.leaf_entries);
    assert_int_equal(0, stats.value_bytes);
    for (uint64_t number = 0; number < 1000; number++) {
        unsigned char key[FAMILY_KEY_MAX];
        size_t len = family_key(FAMILY_PREFIX16, number, key);
        assert_ok(masstree_put_bytes(tree, NULL, key, len, key, len));
    }
    stats = stats_of(tree, MASSTREE_STATS_NODES);
    assert_int_equal(1000, stats.keys);
    assert_int_equal(3, stats.layers);
    assert_int_equal(2, stats.deepest_layer);
    assert_int_equal(1, stats.layers_at[0]);
    assert_int_equal(1, stats.layers_at[1]);
    assert_int_equal(1, stats.layers_at[2]);
    assert_int_equal(1, stats.leaves_at[0]);
    assert_int_equal(stats.leaves, stats.leaves_at[0] + stats.leaves_at[1] + stats.leaves_at[2]);
    assert_int_equal(0, stats.keys_at[0]);
    assert_int_equal(1, stats.keys_at[1]); /* the prefix itself */
    assert_int_equal(999, stats.keys_at[2]);
    assert_int_equal(1002, stats.leaf_entries);
    assert_int_equal(stats.nodes_visited, stats.leaves + stats.internodes);
    assert_int_equal(stats.leaves_at[2], 1 + stats.splits);
    assert_in_range(stats.leaves_at[2], 1000 / 15, 1000 / 5);
    assert_int_equal(2, stats.layers_made);
    assert_true(stats.value_bytes >= 16 * 1000);
    assert_true(stats.node_bytes <= stats.pool_bytes || !NODES_ARE_POOLED);
    assert_true(stats.pool_bytes < allocator_bytes(&allocator));
    assert_true(stats.node_bytes < allocator_bytes(&allocator));
    assert_int_equal(0, stats.guards);
    end_tree(tree);
    allocator_end(&allocator);
}

static void stats_show_guards_and_memory_that_waits_for_them(void **state)
{
    (void)state;
    masstree_t *tree = new_bytes_tree();
    static const unsigned char value[1000];
    assert_ok(masstree_put_bytes(tree, NULL, "k", 1, value, sizeof value));
    masstree_guard_t *first = new_guard(tree);
    masstree_guard_t *second = new_guard(tree);
    assert_int_equal(2, stats_of(tree, 0).guards);
    for (unsigned turn = 0; turn < 100; turn++) {
        assert_ok(masstree_put_bytes(tree, NULL, "k", 1, value, sizeof value));
    }
    assert_int_equal(100, stats_of(tree, 0).limbo_objects);
    assert_true(stats_of(tree, 0).limbo_bytes >= 100 * sizeof value);
    masstree_guard_leave(first);
    assert_int_equal(1, stats_of(tree, 0).guards);
    masstree_guard_leave(second);
    assert_ok(masstree_barrier(tree));
    masstree_stats_t stats = stats_of(tree, 0);
    assert_int_equal(0, stats.guards);
    assert_int_equal(0, stats.oldest_guard_ms);
    assert_int_equal(0, stats.limbo_objects);
    assert_int_equal(0, stats.limbo_bytes);
    assert_int_equal(0, stats.nodes_visited);
    assert_int_equal(0, stats.leaves);
    end_tree(tree);
}

static void stats_count_splits_layers_and_merges(void **state)
{
    (void)state;
    masstree_t *tree = new_tree();
    size_t merged = 0;
    for (uint64_t i = 0; i < 1000; i++) {
        assert_ok(masstree_put_u64(tree, NULL, i, i));
    }
    for (uint64_t i = 0; i < 1000; i++) {
        if (i % 10 != 0) {
            assert_ok(masstree_remove_u64(tree, NULL, i, NULL));
        }
    }
    masstree_stats_t before = stats_of(tree, MASSTREE_STATS_NODES);
    assert_true(before.sparse_leaves > 0);
    assert_int_equal(0, before.leaves_merged);
    assert_status(MASSTREE_END, masstree_maintain(tree, NULL, SIZE_MAX, &merged));
    masstree_stats_t after = stats_of(tree, MASSTREE_STATS_NODES);
    assert_int_equal(merged, after.leaves_merged);
    assert_int_equal(before.leaves - merged, after.leaves);
    assert_true(after.sparse_leaves < before.sparse_leaves);
    for (uint64_t i = 0; i < 1000; i += 10) {
        assert_ok(masstree_remove_u64(tree, NULL, i, NULL));
    }
    masstree_stats_t empty = stats_of(tree, MASSTREE_STATS_NODES);
    assert_int_equal(1, empty.leaves);
    assert_int_equal(after.leaves - 1, empty.leaves_unlinked - after.leaves_unlinked);
    end_tree(tree);
}

struct later_stats {
    masstree_stats_t known;
    uint64_t unknown[2];
};

static void stats_return_documented_statuses(void **state)
{
    (void)state;
    masstree_t *tree = new_tree();
    masstree_stats_t stats = MASSTREE_STATS_INIT;
    struct later_stats later = {.known = MASSTREE_STATS_INIT};
    assert_ok(masstree_put(tree, NULL, "k", 1, 1));
    assert_status(MASSTREE_INVALID, masstree_stats(tree, NULL, NULL));
    stats.flags = 2;
    assert_status(MASSTREE_INVALID, masstree_stats(tree, NULL, &stats));
    assert_status(MASSTREE_INVALID, masstree_stats_json(tree, NULL, 2, count_pieces, NULL));
    assert_status(MASSTREE_INVALID, masstree_stats_json(tree, NULL, 0, NULL, NULL));
    stats.flags = 0;
    stats.struct_size = 8;
    assert_status(MASSTREE_INVALID, masstree_stats(tree, NULL, &stats));
    assert_int_equal(0, stats.keys);
    later.known.struct_size = sizeof later;
    assert_ok(masstree_stats(tree, NULL, &later.known));
    assert_int_equal(1, later.known.keys);
    assert_int_equal(0, later.unknown[0]);
    assert_int_equal(0, later.unknown[1]);
    end_tree(tree);
}

/* All text that was written. */
struct written {
    char *text;
    size_t len;
};

static void append_text(const char *text, size_t len, void *ctx)
{
    struct written *written = ctx;
    char *longer = realloc(written->text, written->len + len + 1);
    assert_non_null(longer);
    memcpy(longer + written->len, text, len);
    written->text = longer;
    written->len += len;
    longer[written->len] = 0;
}

static void assert_json_says(const char *json, const char *name, uint64_t number)
{
    char expected[100];
    snprintf(expected, sizeof expected, "\"%s\":%llu", name, (unsigned long long)number);
    const char *found = strstr(json, expected);
    assert_non_null(found);
    char after = found[strlen(expected)];
    assert_true(after == ',' || after == '}');
}

static void json_equals_the_struct(void **state)
{
    (void)state;
    masstree_t *tree = new_tree();
    for (uint64_t number = 0; number < 3000; number++) {
        unsigned char key[FAMILY_KEY_MAX];
        size_t len = family_key(FAMILY_PREFIX16, number, key);
        assert_ok(masstree_put(tree, NULL, key, len, number));
    }
    struct written written = {NULL, 0};
    assert_ok(masstree_stats_json(tree, NULL, MASSTREE_STATS_NODES, append_text, &written));
    masstree_stats_t stats = stats_of(tree, MASSTREE_STATS_NODES);
    assert_int_equal('{', written.text[0]);
    assert_ptr_equal(written.text + written.len - 1, strchr(written.text, '\n'));
    assert_int_equal('}', written.text[written.len - 2]);
    assert_json_says(written.text, "keys", 3000);
    assert_json_says(written.text, "node_bytes", stats.node_bytes);
    assert_json_says(written.text, "suffix_bytes", stats.suffix_bytes);
    assert_json_says(written.text, "splits", stats.splits);
    assert_json_says(written.text, "leaves", stats.leaves);
    assert_json_says(written.text, "layers", 3);
    free(written.text);
    end_tree(tree);
}

static void dump_names_every_key(void **state)
{
    (void)state;
    static const uint32_t formats[] = {MASSTREE_DUMP_TEXT, MASSTREE_DUMP_GRAPHVIZ};
    masstree_t *tree = new_tree();
    masstree_t *bytes = new_bytes_tree();
    char name[40];
    for (unsigned i = 0; i < 60; i++) {
        int len = snprintf(name, sizeof name, "%s key %u", i % 2 == 0 ? "prefixed by a" : "k", i);
        assert_ok(masstree_put(tree, NULL, name, (size_t)len, i));
        assert_ok(masstree_put_bytes(bytes, NULL, name, (size_t)len, "the value", 9));
    }
    for (size_t i = 0; i < COUNT(formats); i++) {
        for (unsigned kind = 0; kind < 2; kind++) {
            struct written written = {NULL, 0};
            masstree_guard_t *guard = kind == 0 ? NULL : new_guard(bytes);
            assert_ok(masstree_dump(kind == 0 ? tree : bytes, guard, formats[i], append_text,
                                    &written));
            for (unsigned key = 0; key < 60; key++) {
                /* The bytes of the key in the last layer. */
                snprintf(name, sizeof name, "%u", key);
                assert_non_null(strstr(written.text, name));
            }
            assert_true(kind == 0 || strstr(written.text, "the value") != NULL);
            assert_int_equal(formats[i] == MASSTREE_DUMP_GRAPHVIZ,
                             strncmp(written.text, "digraph", 7) == 0);
            assert_int_equal('\n', written.text[written.len - 1]);
            free(written.text);
            masstree_guard_leave(guard);
        }
    }
    assert_status(MASSTREE_INVALID, masstree_dump(tree, NULL, 2, append_text, NULL));
    assert_status(MASSTREE_INVALID, masstree_dump(tree, NULL, MASSTREE_DUMP_TEXT, NULL, NULL));
    end_tree(tree);
    end_tree(bytes);
}

/* Pivots: each part begins at one and ends before the next. */
struct parts {
    const masstree_t *tree;
    unsigned char last[FAMILY_KEY_MAX];
    size_t last_len;
    size_t pivots;
    size_t total;
    size_t smallest;
    size_t largest;
    size_t stop_after;
    int32_t answer;
};

static void count_part(struct parts *parts, const void *upper, size_t upper_len)
{
    masstree_range_t range = MASSTREE_RANGE_INIT;
    size_t count = 0;
    if (parts->pivots > 0) {
        range.lower = parts->last;
        range.lower_len = parts->last_len;
        range.lower_bound = MASSTREE_BOUND_INCLUSIVE;
    }
    if (upper != NULL) {
        range.upper = upper;
        range.upper_len = upper_len;
        range.upper_bound = MASSTREE_BOUND_EXCLUSIVE;
    }
    assert_ok(masstree_count(parts->tree, NULL, &range, &count));
    parts->total += count;
    parts->smallest = count < parts->smallest ? count : parts->smallest;
    parts->largest = count > parts->largest ? count : parts->largest;
}

static int32_t cut(const void *key, size_t key_len, size_t index, void *ctx)
{
    struct parts *parts = ctx;
    assert_int_equal(parts->pivots, index);
    assert_in_range(key_len, 0, sizeof parts->last);
    if (parts->pivots > 0) {
        assert_true(compare_keys(parts->last, parts->last_len, key, key_len) < 0);
    }
    count_part(parts, key, key_len);
    memcpy(parts->last, key, key_len);
    parts->last_len = key_len;
    return ++parts->pivots == parts->stop_after ? parts->answer : MASSTREE_VISIT_CONTINUE;
}

static void pivots_cut_a_tree_in_parts_of_similar_size(void **state)
{
    (void)state;
    static const size_t cuts[] = {0, 1, 2, 3, 7, 15};
    for (enum family family = 0; family < FAMILIES; family++) {
        uint64_t count = scaled(50000);
        masstree_t *tree = new_tree();
        for (uint64_t number = 0; number < count; number++) {
            unsigned char key[FAMILY_KEY_MAX];
            size_t len = family_key(family, number, key);
            assert_ok(masstree_put(tree, NULL, key, len, number));
        }
        for (size_t i = 0; i < COUNT(cuts); i++) {
            struct parts parts = {.tree = tree, .smallest = SIZE_MAX};
            size_t visited = SIZE_MAX;
            assert_ok(masstree_pivots(tree, NULL, cuts[i], cut, &parts, &visited));
            assert_int_equal(parts.pivots, visited);
            assert_in_range(visited, 0, cuts[i]);
            count_part(&parts, NULL, 0);
            assert_int_equal(count, parts.total); /* each key is in exactly one part */
            if (count == 50000 && family != FAMILY_MIXED) {
                assert_int_equal(cuts[i], visited);
                assert_in_range(parts.smallest, count / (cuts[i] + 1) / 3, count);
                assert_in_range(parts.largest, 0, 3 * count / (cuts[i] + 1));
            }
        }
        end_tree(tree);
    }
}

static void pivots_return_documented_statuses(void **state)
{
    (void)state;
    masstree_t *tree = new_tree();
    struct parts parts = {.tree = tree};
    size_t visited = 99;
    assert_status(MASSTREE_INVALID, masstree_pivots(tree, NULL, 3, NULL, NULL, &visited));
    assert_int_equal(99, visited);
    assert_ok(masstree_pivots(tree, NULL, 3, cut, &parts, &visited));
    assert_int_equal(0, visited);
    for (uint64_t i = 0; i < 10000; i++) {
        assert_ok(masstree_put_u64(tree, NULL, i, i));
    }
    parts = (struct parts){.tree = tree, .stop_after = 2, .answer = MASSTREE_VISIT_STOP};
    assert_ok(masstree_pivots(tree, NULL, 7, cut, &parts, &visited));
    assert_int_equal(2, visited);
    parts = (struct parts){.tree = tree, .stop_after = 3, .answer = -4711};
    assert_status(-4711, masstree_pivots(tree, NULL, 7, cut, &parts, &visited));
    assert_int_equal(3, visited);
    end_tree(tree);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(len_counts_keys_and_not_calls),
        cmocka_unit_test(len_counts_the_keys_of_every_layer),
        cmocka_unit_test(len_is_exact_when_threads_are_done),
        cmocka_unit_test(len_returns_documented_statuses),
        cmocka_unit_test(check_returns_documented_statuses),
        cmocka_unit_test(check_finds_nothing_wrong_in_any_shape),
        cmocka_unit_test(check_finds_keys_out_of_order),
        cmocka_unit_test(check_finds_keys_in_the_wrong_leaf),
        cmocka_unit_test(stats_match_the_contents_of_the_tree),
        cmocka_unit_test(stats_show_guards_and_memory_that_waits_for_them),
        cmocka_unit_test(stats_count_splits_layers_and_merges),
        cmocka_unit_test(stats_return_documented_statuses),
        cmocka_unit_test(json_equals_the_struct),
        cmocka_unit_test(dump_names_every_key),
        cmocka_unit_test(pivots_cut_a_tree_in_parts_of_similar_size),
        cmocka_unit_test(pivots_return_documented_statuses),
    };
    return cmocka_run_group_tests_name("inspect", tests, NULL, NULL);
}
