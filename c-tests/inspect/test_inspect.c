/* The size of a whole tree, and its invariants. */
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
    };
    return cmocka_run_group_tests_name("inspect", tests, NULL, NULL);
}
