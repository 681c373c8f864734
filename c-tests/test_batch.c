/* Batches and bulk loads: the status of each item and of the whole call. */
#include "support.h"

#define UNTOUCHED UINT64_C(0xDEADBEEFDEADBEEF)
#define TOO_LONG ((size_t)UINT32_MAX + 1)
#define NO_STATUS 99

static void assert_statuses(const int32_t *expected, const int32_t *statuses, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(expected[i], statuses[i]);
    }
}

static void assert_word(const masstree_t *tree, const char *key, uint64_t expected)
{
    uint64_t word = UNTOUCHED;
    assert_ok(masstree_get(tree, NULL, key, strlen(key), &word));
    assert_int_equal(expected, word);
}

static void assert_text(const masstree_t *tree, const char *key, const char *expected)
{
    masstree_guard_t *guard = new_guard(tree);
    masstree_slice_t value = {NULL, 0};
    assert_ok(masstree_get_bytes(tree, guard, key, strlen(key), &value));
    assert_slice(expected, strlen(expected), value);
    masstree_guard_leave(guard);
}

static void set_all(int32_t *statuses, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        statuses[i] = NO_STATUS;
    }
}

static void get_many_stores_a_status_for_each_key(void **state)
{
    (void)state;
    const masstree_slice_t keys[] = {SLICE("b"), SLICE("none"), SLICE("a"), SLICE("b"),
                                     {NULL, 0}, SLICE("a key of several layers")};
    static const int32_t expected[] = {MASSTREE_OK, MASSTREE_NOT_FOUND, MASSTREE_OK,
                                       MASSTREE_OK, MASSTREE_OK,        MASSTREE_OK};
    static const uint64_t words[] = {2, UNTOUCHED, 1, 2, 0, 3};
    masstree_t *tree = new_tree();
    masstree_guard_t *guard = new_guard(tree);
    assert_ok(masstree_put(tree, NULL, NULL, 0, 0));
    assert_ok(masstree_put(tree, NULL, "a", 1, 1));
    assert_ok(masstree_put(tree, NULL, "b", 1, 2));
    assert_ok(masstree_put(tree, NULL, "a key of several layers", 23, 3));
    for (unsigned form = 0; form < 8; form++) {
        uint64_t values[COUNT(keys)];
        int32_t statuses[COUNT(keys)];
        set_all(statuses, COUNT(keys));
        for (size_t i = 0; i < COUNT(keys); i++) {
            values[i] = UNTOUCHED;
        }
        assert_ok(masstree_get_many(tree, (form & 1) != 0 ? guard : NULL, keys, COUNT(keys),
                                    (form & 2) != 0 ? values : NULL,
                                    (form & 4) != 0 ? statuses : NULL));
        for (size_t i = 0; i < COUNT(keys); i++) {
            assert_int_equal((form & 2) != 0 ? words[i] : UNTOUCHED, values[i]);
            assert_int_equal((form & 4) != 0 ? expected[i] : NO_STATUS, statuses[i]);
        }
    }
    masstree_guard_leave(guard);
    end_tree(tree);
}

static void get_many_bytes_returns_slices_that_outlive_overwrites(void **state)
{
    (void)state;
    const masstree_slice_t keys[] = {SLICE("b"), SLICE("none"), SLICE("a"), SLICE("empty")};
    static const int32_t expected[] = {MASSTREE_OK, MASSTREE_NOT_FOUND, MASSTREE_OK, MASSTREE_OK};
    masstree_t *tree = new_bytes_tree();
    masstree_guard_t *guard = new_guard(tree);
    masstree_slice_t values[COUNT(keys)] = {{NULL, 7}, {NULL, 7}, {NULL, 7}, {NULL, 7}};
    int32_t statuses[COUNT(keys)];
    assert_ok(masstree_put_bytes(tree, NULL, "a", 1, "of a", 4));
    assert_ok(masstree_put_bytes(tree, NULL, "b", 1, "of b", 4));
    assert_ok(masstree_put_bytes(tree, NULL, "empty", 5, NULL, 0));
    assert_ok(masstree_get_many_bytes(tree, guard, keys, COUNT(keys), values, statuses));
    assert_statuses(expected, statuses, COUNT(keys));
    assert_ok(masstree_clear(tree, NULL));
    assert_slice("of b", 4, values[0]);
    assert_null(values[1].data);
    assert_int_equal(7, values[1].len);
    assert_slice("of a", 4, values[2]);
    assert_slice("", 0, values[3]);
    assert_ok(masstree_get_many_bytes(tree, guard, keys, COUNT(keys), NULL, NULL));
    masstree_guard_leave(guard);
    end_tree(tree);
}

/* known-failures row 14. */
static void of_equal_keys_put_many_keeps_the_last(void **state)
{
    (void)state;
    const masstree_slice_t keys[] = {SLICE("a"), SLICE("b"), SLICE("a"), SLICE("a"), SLICE("b")};
    static const uint64_t values[] = {1, 2, 3, 4, 5};
    const masstree_slice_t texts[] = {SLICE("1"), SLICE("2"), SLICE("3"), SLICE("4"), SLICE("5")};
    static const int32_t expected[COUNT(keys)] = {MASSTREE_OK};
    int32_t statuses[COUNT(keys)];
    masstree_t *tree = new_tree();
    masstree_t *bytes = new_bytes_tree();
    assert_ok(masstree_put_many(tree, NULL, keys, values, COUNT(keys), statuses));
    assert_statuses(expected, statuses, COUNT(keys));
    assert_word(tree, "a", 4);
    assert_word(tree, "b", 5);
    assert_int_equal(2, tree_len(tree));
    set_all(statuses, COUNT(keys));
    assert_ok(masstree_put_many_bytes(bytes, NULL, keys, texts, COUNT(keys), statuses));
    assert_statuses(expected, statuses, COUNT(keys));
    assert_text(bytes, "a", "4");
    assert_text(bytes, "b", "5");
    static const uint64_t numbers[] = {7, 8, 7, 7, 8};
    assert_ok(masstree_put_many_u64(tree, NULL, numbers, 8, values, COUNT(numbers), statuses));
    uint64_t word = 0;
    assert_ok(masstree_get_u64(tree, NULL, 7, &word));
    assert_int_equal(4, word);
    assert_ok(masstree_get_u64(tree, NULL, 8, &word));
    assert_int_equal(5, word);
    end_tree(tree);
    end_tree(bytes);
}

static void of_equal_keys_insert_many_keeps_the_first(void **state)
{
    (void)state;
    const masstree_slice_t keys[] = {SLICE("a"), SLICE("b"), SLICE("a"), SLICE("old"), SLICE("b")};
    static const uint64_t values[] = {1, 2, 3, 4, 5};
    static const int32_t expected[] = {MASSTREE_OK, MASSTREE_OK, MASSTREE_EXISTS, MASSTREE_EXISTS,
                                       MASSTREE_EXISTS};
    static const uint64_t there[] = {UNTOUCHED, UNTOUCHED, 1, 77, 2};
    int32_t statuses[COUNT(keys)];
    uint64_t present[COUNT(keys)] = {UNTOUCHED, UNTOUCHED, UNTOUCHED, UNTOUCHED, UNTOUCHED};
    masstree_t *tree = new_tree();
    assert_ok(masstree_put(tree, NULL, "old", 3, 77));
    assert_ok(masstree_insert_many(tree, NULL, keys, values, COUNT(keys), present, statuses));
    assert_statuses(expected, statuses, COUNT(keys));
    assert_memory_equal(there, present, sizeof there);
    assert_word(tree, "a", 1);
    assert_word(tree, "b", 2);
    assert_word(tree, "old", 77);
    assert_ok(masstree_insert_many(tree, NULL, keys, values, COUNT(keys), NULL, NULL));
    assert_int_equal(3, tree_len(tree));
    end_tree(tree);
}

static void of_equal_keys_remove_many_finds_the_first(void **state)
{
    (void)state;
    const masstree_slice_t keys[] = {SLICE("a"), SLICE("none"), SLICE("a"), SLICE("b")};
    static const int32_t expected[] = {MASSTREE_OK, MASSTREE_NOT_FOUND, MASSTREE_NOT_FOUND,
                                       MASSTREE_OK};
    static const uint64_t there[] = {1, UNTOUCHED, UNTOUCHED, 2};
    int32_t statuses[COUNT(keys)];
    uint64_t old[COUNT(keys)] = {UNTOUCHED, UNTOUCHED, UNTOUCHED, UNTOUCHED};
    masstree_t *tree = new_tree();
    assert_ok(masstree_put(tree, NULL, "a", 1, 1));
    assert_ok(masstree_put(tree, NULL, "b", 1, 2));
    assert_ok(masstree_put(tree, NULL, "c", 1, 3));
    assert_ok(masstree_remove_many(tree, NULL, keys, COUNT(keys), old, statuses));
    assert_statuses(expected, statuses, COUNT(keys));
    assert_memory_equal(there, old, sizeof there);
    assert_int_equal(1, tree_len(tree));
    end_tree(tree);
}

/* Records as in a program: the key is a field of each, at any alignment. */
struct __attribute__((packed)) record {
    char tag;
    uint64_t id;
    char more[6];
};

static void integer_keys_are_read_out_of_structs(void **state)
{
    (void)state;
    enum { RECORDS = 500 };
    static struct record records[RECORDS];
    static uint64_t values[RECORDS];
    static uint64_t found[RECORDS];
    static int32_t statuses[RECORDS];
    masstree_t *tree = new_tree();
    masstree_guard_t *guard = new_guard(tree);
    const void *ids = &records[0].tag + 1;
    for (uint64_t i = 0; i < RECORDS; i++) {
        memset(&records[i], 'x', sizeof records[i]);
        records[i].id = i * 77;
        values[i] = i + 1;
        statuses[i] = NO_STATUS;
    }
    assert_ok(masstree_put_many_u64(tree, guard, ids, sizeof records[0], values, RECORDS / 2,
                                    statuses));
    for (uint64_t i = 0; i < RECORDS; i++) {
        assert_int_equal(i < RECORDS / 2 ? MASSTREE_OK : NO_STATUS, statuses[i]);
    }
    assert_ok(masstree_insert_many_u64(tree, guard, ids, sizeof records[0], values, RECORDS, found,
                                       statuses));
    for (uint64_t i = 0; i < RECORDS; i++) {
        assert_int_equal(i < RECORDS / 2 ? MASSTREE_EXISTS : MASSTREE_OK, statuses[i]);
        assert_int_equal(i < RECORDS / 2 ? i + 1 : 0, found[i]);
    }
    assert_ok(masstree_get_many_u64(tree, guard, ids, sizeof records[0], RECORDS, found, statuses));
    for (uint64_t i = 0; i < RECORDS; i++) {
        uint64_t word = 0;
        assert_int_equal(MASSTREE_OK, statuses[i]);
        assert_int_equal(i + 1, found[i]);
        assert_ok(masstree_get_u64(tree, NULL, i * 77, &word));
        assert_int_equal(i + 1, word);
    }
    memset(found, 0, sizeof found);
    assert_ok(masstree_remove_many_u64(tree, guard, ids, 2 * sizeof records[0], RECORDS / 2, found,
                                       statuses));
    for (uint64_t i = 0; i < RECORDS / 2; i++) {
        assert_int_equal(MASSTREE_OK, statuses[i]);
        assert_int_equal(2 * i + 1, found[i]);
    }
    assert_int_equal(RECORDS / 2, tree_len(tree));
    masstree_guard_leave(guard);
    end_tree(tree);
}

static void bulk_load_reads_integers_out_of_structs(void **state)
{
    (void)state;
    static struct record records[100];
    static uint64_t values[COUNT(records)];
    masstree_t *tree = new_tree();
    for (uint64_t i = 0; i < COUNT(records); i++) {
        records[i].id = i * 77;
        values[i] = i;
    }
    assert_ok(masstree_bulk_load_u64(tree, NULL, &records[0].tag + 1, sizeof records[0], values,
                                     COUNT(records), NULL));
    for (uint64_t i = 0; i < COUNT(records); i++) {
        uint64_t word = UNTOUCHED;
        assert_ok(masstree_get_u64(tree, NULL, i * 77, &word));
        assert_int_equal(i, word);
    }
    assert_int_equal(COUNT(records), tree_len(tree));
    end_tree(tree);
}

/* Invalid arguments of the whole call. */
static void malformed_batches_do_nothing(void **state)
{
    (void)state;
    static const uint64_t number = 1;
    const masstree_slice_t key = SLICE("k");
    masstree_slice_t slice = {NULL, 7};
    uint64_t word = UNTOUCHED;
    size_t offender = 99;
    int32_t status = NO_STATUS;
    masstree_t *tree = new_tree();
    masstree_t *bytes = new_bytes_tree();
    masstree_guard_t *guard = new_guard(bytes);
    assert_status(MASSTREE_INVALID, masstree_get_many(tree, NULL, NULL, 1, &word, &status));
    assert_status(MASSTREE_INVALID,
                  masstree_get_many_bytes(bytes, guard, NULL, 1, &slice, &status));
    assert_status(MASSTREE_INVALID, masstree_put_many(tree, NULL, NULL, &number, 1, &status));
    assert_status(MASSTREE_INVALID, masstree_put_many(tree, NULL, &key, NULL, 1, &status));
    assert_status(MASSTREE_INVALID, masstree_put_many_bytes(bytes, NULL, NULL, &key, 1, &status));
    assert_status(MASSTREE_INVALID, masstree_put_many_bytes(bytes, NULL, &key, NULL, 1, &status));
    assert_status(MASSTREE_INVALID,
                  masstree_insert_many(tree, NULL, NULL, &number, 1, &word, &status));
    assert_status(MASSTREE_INVALID,
                  masstree_insert_many(tree, NULL, &key, NULL, 1, &word, &status));
    assert_status(MASSTREE_INVALID, masstree_remove_many(tree, NULL, NULL, 1, &word, &status));
    assert_status(MASSTREE_INVALID, masstree_bulk_load(tree, NULL, NULL, &number, 1, &offender));
    assert_status(MASSTREE_INVALID, masstree_bulk_load(tree, NULL, &key, NULL, 1, &offender));
    assert_status(MASSTREE_INVALID,
                  masstree_bulk_load_bytes(bytes, NULL, NULL, &key, 1, &offender));
    assert_status(MASSTREE_INVALID,
                  masstree_bulk_load_bytes(bytes, NULL, &key, NULL, 1, &offender));
    for (size_t stride = 0; stride <= 8; stride++) {
        const uint64_t *numbers = stride < 8 ? &number : NULL; /* else: no keys */
        assert_status(MASSTREE_INVALID,
                      masstree_get_many_u64(tree, NULL, numbers, stride, 1, &word, &status));
        assert_status(MASSTREE_INVALID,
                      masstree_put_many_u64(tree, NULL, numbers, stride, &number, 1, &status));
        assert_status(MASSTREE_INVALID, masstree_insert_many_u64(tree, NULL, numbers, stride,
                                                                 &number, 1, &word, &status));
        assert_status(MASSTREE_INVALID,
                      masstree_remove_many_u64(tree, NULL, numbers, stride, 1, &word, &status));
        assert_status(MASSTREE_INVALID, masstree_bulk_load_u64(tree, NULL, numbers, stride,
                                                               &number, 1, &offender));
    }
    assert_status(MASSTREE_INVALID, masstree_put_many_u64(tree, NULL, &number, 8, NULL, 1, NULL));
    assert_status(MASSTREE_INVALID,
                  masstree_insert_many_u64(tree, NULL, &number, 8, NULL, 1, NULL, NULL));
    assert_status(MASSTREE_INVALID, masstree_bulk_load_u64(tree, NULL, &number, 8, NULL, 1, NULL));
    assert_int_equal(NO_STATUS, status);
    assert_int_equal(UNTOUCHED, word);
    assert_int_equal(99, offender);
    assert_int_equal(7, slice.len);
    assert_int_equal(0, tree_len(tree));
    assert_int_equal(0, tree_len(bytes));
    masstree_guard_leave(guard);
    end_tree(tree);
    end_tree(bytes);
}

static void empty_batches_do_nothing_well(void **state)
{
    (void)state;
    masstree_t *tree = new_tree();
    masstree_t *bytes = new_bytes_tree();
    masstree_guard_t *guard = new_guard(bytes);
    assert_ok(masstree_get_many(tree, NULL, NULL, 0, NULL, NULL));
    assert_ok(masstree_get_many_u64(tree, NULL, NULL, 8, 0, NULL, NULL));
    assert_ok(masstree_get_many_bytes(bytes, guard, NULL, 0, NULL, NULL));
    assert_ok(masstree_put_many(tree, NULL, NULL, NULL, 0, NULL));
    assert_ok(masstree_put_many_u64(tree, NULL, NULL, 8, NULL, 0, NULL));
    assert_ok(masstree_put_many_bytes(bytes, NULL, NULL, NULL, 0, NULL));
    assert_ok(masstree_insert_many(tree, NULL, NULL, NULL, 0, NULL, NULL));
    assert_ok(masstree_insert_many_u64(tree, NULL, NULL, 8, NULL, 0, NULL, NULL));
    assert_ok(masstree_remove_many(tree, NULL, NULL, 0, NULL, NULL));
    assert_ok(masstree_remove_many_u64(tree, NULL, NULL, 8, 0, NULL, NULL));
    assert_ok(masstree_bulk_load(tree, NULL, NULL, NULL, 0, NULL));
    assert_ok(masstree_bulk_load_u64(tree, NULL, NULL, 8, NULL, 0, NULL));
    assert_ok(masstree_bulk_load_bytes(bytes, NULL, NULL, NULL, 0, NULL));
    assert_int_equal(0, tree_len(tree));
    assert_int_equal(0, tree_len(bytes));
    masstree_guard_leave(guard);
    end_tree(tree);
    end_tree(bytes);
}

/* One invalid item, and two: the call returns the first error, and the other items are done. */
static void items_at_fault_leave_the_others_done(void **state)
{
    (void)state;
    masstree_slice_t keys[] = {SLICE("a"), {NULL, 1}, SLICE("b"), {"long", TOO_LONG}, SLICE("c")};
    static const uint64_t values[] = {1, 2, 3, 4, 5};
    const masstree_slice_t texts[] = {SLICE("1"), SLICE("2"), SLICE("3"), SLICE("4"), SLICE("5")};
    static const int32_t expected[] = {MASSTREE_OK, MASSTREE_INVALID, MASSTREE_OK,
                                       MASSTREE_KEY_TOO_LONG, MASSTREE_OK};
    int32_t first = MASSTREE_INVALID;
    for (unsigned turn = 0; turn < 2; turn++) {
        masstree_t *tree = new_tree();
        masstree_t *bytes = new_bytes_tree();
        masstree_guard_t *guard = new_guard(bytes);
        uint64_t words[COUNT(keys)] = {UNTOUCHED, UNTOUCHED, UNTOUCHED, UNTOUCHED, UNTOUCHED};
        masstree_slice_t slices[COUNT(keys)] = {{NULL, 0}};
        int32_t wanted[COUNT(keys)];
        int32_t statuses[COUNT(keys)];
        memcpy(wanted, expected, sizeof wanted);
        if (turn == 1) {
            wanted[1] = MASSTREE_KEY_TOO_LONG;
            wanted[3] = MASSTREE_INVALID;
        }
        assert_status(first, masstree_put_many(tree, NULL, keys, values, COUNT(keys), statuses));
        assert_statuses(wanted, statuses, COUNT(keys));
        assert_word(tree, "a", 1);
        assert_word(tree, "b", 3);
        assert_word(tree, "c", 5);
        set_all(statuses, COUNT(keys));
        assert_status(first, masstree_get_many(tree, NULL, keys, COUNT(keys), words, statuses));
        assert_statuses(wanted, statuses, COUNT(keys));
        assert_int_equal(UNTOUCHED, words[1]);
        assert_int_equal(3, words[2]);
        assert_int_equal(5, words[4]);
        assert_status(first, masstree_remove_many(tree, NULL, keys, COUNT(keys), words, statuses));
        assert_statuses(wanted, statuses, COUNT(keys));
        assert_int_equal(0, tree_len(tree));
        set_all(statuses, COUNT(keys));
        assert_status(first, masstree_insert_many(tree, NULL, keys, values, COUNT(keys), words,
                                                  statuses));
        assert_statuses(wanted, statuses, COUNT(keys));
        assert_int_equal(3, tree_len(tree));
        set_all(statuses, COUNT(keys));
        assert_status(first, masstree_put_many_bytes(bytes, NULL, keys, texts, COUNT(keys),
                                                     statuses));
        assert_statuses(wanted, statuses, COUNT(keys));
        assert_text(bytes, "a", "1");
        assert_text(bytes, "c", "5");
        assert_int_equal(3, tree_len(bytes));
        set_all(statuses, COUNT(keys));
        assert_status(first, masstree_get_many_bytes(bytes, guard, keys, COUNT(keys), slices,
                                                     statuses));
        assert_statuses(wanted, statuses, COUNT(keys));
        assert_null(slices[1].data);
        assert_slice("3", 1, slices[2]);
        masstree_guard_leave(guard);
        end_tree(tree);
        end_tree(bytes);
        masstree_slice_t swapped = keys[1];
        keys[1] = keys[3];
        keys[3] = swapped;
        first = MASSTREE_KEY_TOO_LONG;
    }
}

static void value_at_fault_leaves_the_others_done(void **state)
{
    (void)state;
    const masstree_slice_t keys[] = {SLICE("a"), SLICE("b"), SLICE("c"), SLICE("d")};
    const masstree_slice_t values[] = {
        SLICE("1"), {NULL, 1}, SLICE("3"), {"x", SIZE_MAX / 2 + 1}};
    static const int32_t expected[] = {MASSTREE_OK, MASSTREE_INVALID, MASSTREE_OK,
                                       MASSTREE_INVALID};
    int32_t statuses[COUNT(keys)];
    size_t offender = 99;
    masstree_t *tree = new_bytes_tree();
    assert_status(MASSTREE_INVALID,
                  masstree_bulk_load_bytes(tree, NULL, keys, values, COUNT(keys), &offender));
    assert_int_equal(1, offender);
    assert_int_equal(0, tree_len(tree));
    assert_status(MASSTREE_INVALID,
                  masstree_put_many_bytes(tree, NULL, keys, values, COUNT(keys), statuses));
    assert_statuses(expected, statuses, COUNT(keys));
    assert_text(tree, "a", "1");
    assert_text(tree, "c", "3");
    assert_int_equal(2, tree_len(tree));
    end_tree(tree);
}

/* A sorted array of keys of all families; each value is the key's index. */
struct load {
    struct model model;
    masstree_slice_t *keys;
    uint64_t *words;
    masstree_slice_t *values;
    size_t count;
};

static struct load new_load(uint64_t each)
{
    struct load load = {0};
    for (enum family family = 0; family < FAMILIES; family++) {
        for (uint64_t number = 0; number < each; number++) {
            unsigned char key[FAMILY_KEY_MAX];
            size_t len = family_key(family, number, key);
            model_put(&load.model, key, len, 0);
        }
    }
    load.count = load.model.count;
    load.keys = calloc(load.count, sizeof *load.keys);
    load.words = calloc(load.count, sizeof *load.words);
    load.values = calloc(load.count, sizeof *load.values);
    assert_true(load.keys != NULL && load.words != NULL && load.values != NULL);
    for (size_t i = 0; i < load.count; i++) {
        load.model.entries[i].value = load.words[i] = i;
        load.keys[i] = (masstree_slice_t){load.model.entries[i].key, load.model.entries[i].len};
        load.values[i] = (masstree_slice_t){&load.words[i], i % 9};
    }
    return load;
}

static void free_load(struct load *load)
{
    free(load->keys);
    free(load->words);
    free(load->values);
    model_free(&load->model);
}

static void assert_bytes_loaded(const masstree_t *tree, const struct load *load, size_t count)
{
    masstree_guard_t *guard = new_guard(tree);
    for (size_t i = 0; i < count; i++) {
        masstree_slice_t value = {NULL, 0};
        assert_ok(masstree_get_bytes(tree, guard, load->keys[i].data, load->keys[i].len, &value));
        assert_slice(load->values[i].data, load->values[i].len, value);
    }
    masstree_guard_leave(guard);
    assert_int_equal(count, tree_len(tree));
    assert_consistent(tree);
}

/* The first `count` keys, at sizes where another leaf or level is needed. */
static void bulk_load_of_any_size_builds_the_same_map_as_puts(void **state)
{
    (void)state;
    struct load load = new_load(60);
    size_t all = load.model.count;
    for (size_t count = 0; count <= all; count++) {
        masstree_t *tree = new_tree();
        masstree_t *bytes = new_bytes_tree();
        size_t offender = 99;
        assert_ok(masstree_bulk_load(tree, NULL, load.keys, load.words, count, &offender));
        assert_ok(masstree_bulk_load_bytes(bytes, NULL, load.keys, load.values, count, &offender));
        assert_int_equal(99, offender);
        load.model.count = count;
        assert_agrees(tree, &load.model);
        assert_bytes_loaded(bytes, &load, count);
        /* The tree can be used as any other. */
        if (count % 10 == 0) {
            for (size_t i = 0; i < all; i++) {
                assert_ok(masstree_put(tree, NULL, load.keys[i].data, load.keys[i].len, i));
            }
            load.model.count = all;
            assert_agrees(tree, &load.model);
            for (size_t i = 0; i < all; i++) {
                size_t at = i * 7919 % all;
                assert_ok(masstree_remove(tree, NULL, load.keys[at].data, load.keys[at].len, NULL));
            }
            assert_int_equal(0, tree_len(tree));
        }
        end_tree(tree);
        end_tree(bytes);
    }
    load.model.count = all;
    free_load(&load);
}

static void large_load_contains_all_keys_in_order(void **state)
{
    (void)state;
    struct load load = new_load(scaled(20000));
    masstree_t *tree = new_tree();
    masstree_guard_t *guard = new_guard(tree);
    assert_ok(masstree_bulk_load(tree, guard, load.keys, load.words, load.count, NULL));
    masstree_guard_leave(guard);
    assert_consistent(tree);
    assert_agrees(tree, &load.model);
    end_tree(tree);
    masstree_t *bytes = new_bytes_tree();
    assert_ok(masstree_bulk_load_bytes(bytes, NULL, load.keys, load.values, load.count, NULL));
    assert_bytes_loaded(bytes, &load, load.count);
    end_tree(bytes);
    free_load(&load);
}

static void integer_load_contains_all_keys_in_order(void **state)
{
    (void)state;
    size_t count = scaled(100000);
    uint64_t *numbers = calloc(count, sizeof *numbers);
    struct model model = {0};
    masstree_t *tree = new_tree();
    assert_non_null(numbers);
    for (size_t i = 0; i < count; i++) {
        uint8_t key[8];
        numbers[i] = i * UINT64_C(0x0000100200300401);
        masstree_u64_to_key(numbers[i], key);
        model_put(&model, key, 8, numbers[i]);
    }
    assert_ok(masstree_bulk_load_u64(tree, NULL, numbers, 8, numbers, count, NULL));
    assert_agrees(tree, &model);
    model_free(&model);
    free(numbers);
    end_tree(tree);
}

/* Which values were displaced, and how often. */
static void count_destroyed(uint64_t value, void *ctx)
{
    (void)value;
    ++*(size_t *)ctx;
}

static void load_that_is_not_sorted_names_the_first_offender(void **state)
{
    (void)state;
    struct load load = new_load(40);
    size_t destroyed = 0;
    masstree_options_t options = MASSTREE_OPTIONS_INIT;
    options.value_destructor = count_destroyed;
    options.value_ctx = &destroyed;
    masstree_t *tree = NULL;
    masstree_t *bytes = new_bytes_tree();
    assert_ok(masstree_create(&options, &tree));
    for (size_t place = 1; place < load.count; place++) {
        masstree_slice_t kept = load.keys[place];
        size_t offender = 99999;
        /* Two equal keys; and one below its predecessor. */
        load.keys[place] = load.keys[place - 1];
        assert_status(MASSTREE_UNSORTED, masstree_bulk_load(tree, NULL, load.keys, load.words,
                                                            load.count, &offender));
        assert_int_equal(place, offender);
        assert_status(MASSTREE_UNSORTED,
                      masstree_bulk_load_bytes(bytes, NULL, load.keys, load.values, load.count,
                                               NULL));
        load.keys[place] = load.keys[0];
        assert_status(MASSTREE_UNSORTED,
                      masstree_bulk_load_bytes(bytes, NULL, load.keys, load.values, load.count,
                                               &offender));
        assert_int_equal(place, offender);
        load.keys[place] = kept;
    }
    static const uint64_t numbers[] = {1, 2, 3, 3, 2, 1};
    size_t offender = 99;
    assert_status(MASSTREE_UNSORTED, masstree_bulk_load_u64(tree, NULL, numbers, 8, numbers,
                                                            COUNT(numbers), &offender));
    assert_int_equal(3, offender);
    assert_int_equal(0, tree_len(tree));
    assert_int_equal(0, tree_len(bytes));
    assert_consistent(tree);
    end_tree(bytes);
    end_tree(tree);
    assert_int_equal(0, destroyed);
    free_load(&load);
}

static void load_with_a_key_at_fault_says_which(void **state)
{
    (void)state;
    masstree_slice_t keys[] = {SLICE("a"), SLICE("b"), {NULL, 1}, SLICE("d")};
    static const uint64_t words[] = {1, 2, 3, 4};
    masstree_t *tree = new_tree();
    masstree_t *bytes = new_bytes_tree();
    size_t offender = 99;
    assert_status(MASSTREE_INVALID, masstree_bulk_load(tree, NULL, keys, words, 4, NULL));
    assert_status(MASSTREE_INVALID, masstree_bulk_load_bytes(bytes, NULL, keys, keys, 4, NULL));
    keys[2] = (masstree_slice_t){"c", TOO_LONG};
    assert_status(MASSTREE_KEY_TOO_LONG, masstree_bulk_load(tree, NULL, keys, words, 4, &offender));
    assert_int_equal(2, offender);
    offender = 99;
    assert_status(MASSTREE_KEY_TOO_LONG,
                  masstree_bulk_load_bytes(bytes, NULL, keys, keys, 4, &offender));
    assert_int_equal(2, offender);
    assert_int_equal(0, tree_len(tree));
    assert_int_equal(0, tree_len(bytes));
    end_tree(tree);
    end_tree(bytes);
}

static void load_into_a_tree_that_is_not_empty_changes_nothing(void **state)
{
    (void)state;
    struct load load = new_load(40);
    size_t destroyed = 0;
    size_t offender = 99;
    masstree_options_t options = MASSTREE_OPTIONS_INIT;
    options.value_destructor = count_destroyed;
    options.value_ctx = &destroyed;
    masstree_t *tree = NULL;
    masstree_t *bytes = new_bytes_tree();
    assert_ok(masstree_create(&options, &tree));
    assert_ok(masstree_put(tree, NULL, "only", 4, 7));
    assert_ok(masstree_put_bytes(bytes, NULL, "only", 4, "7", 1));
    assert_status(MASSTREE_EXISTS, masstree_bulk_load(tree, NULL, load.keys, load.words,
                                                      load.count, &offender));
    assert_status(MASSTREE_EXISTS, masstree_bulk_load_u64(tree, NULL, load.words, 8, load.words,
                                                          load.count, &offender));
    assert_status(MASSTREE_EXISTS, masstree_bulk_load_bytes(bytes, NULL, load.keys, load.values,
                                                            load.count, &offender));
    assert_status(MASSTREE_EXISTS, masstree_bulk_load(tree, NULL, NULL, NULL, 0, &offender));
    assert_int_equal(99, offender);
    assert_word(tree, "only", 7);
    assert_text(bytes, "only", "7");
    assert_int_equal(1, tree_len(tree));
    assert_int_equal(1, tree_len(bytes));
    assert_int_equal(0, destroyed);
    /* After the tree was emptied in any way, bulk load succeeds. */
    uint64_t old = 0;
    assert_ok(masstree_remove(tree, NULL, "only", 4, &old));
    assert_ok(masstree_bulk_load(tree, NULL, load.keys, load.words, load.count, NULL));
    assert_agrees(tree, &load.model);
    assert_ok(masstree_clear(bytes, NULL));
    assert_ok(masstree_bulk_load_bytes(bytes, NULL, load.keys, load.values, load.count, NULL));
    assert_bytes_loaded(bytes, &load, load.count);
    end_tree(bytes);
    end_tree(tree);
    assert_int_equal(load.count, destroyed);
    free_load(&load);
}

/* Two threads load, a third inserts: the tree contains the winner's keys and those of the third
   thread only. The losers still own their values. */
struct race {
    masstree_t *tree;
    const struct load *load;
    uint64_t mark;
    int32_t status;
};

static void load_marked(void *arg)
{
    struct race *race = arg;
    uint64_t *words = calloc(race->load->count, sizeof *words);
    REQUIRE(words != NULL);
    for (size_t i = 0; i < race->load->count; i++) {
        words[i] = race->mark + i;
    }
    race->status = masstree_bulk_load(race->tree, NULL, race->load->keys, words, race->load->count,
                                      NULL);
    REQUIRE(race->status == MASSTREE_OK || race->status == MASSTREE_EXISTS);
    free(words);
}

static void insert_one(void *arg)
{
    struct race *race = arg;
    race->status = masstree_insert(race->tree, NULL, "~ a key of its own", 18, 5, NULL);
    REQUIRE(race->status == MASSTREE_OK);
}

static void of_loads_at_once_at_most_one_wins(void **state)
{
    (void)state;
    struct load load = new_load(20);
    for (size_t turn = 0; turn < scaled(1000); turn++) {
        masstree_t *tree = new_tree();
        struct race races[] = {{tree, &load, 0, 0}, {tree, &load, 1000000, 0}, {tree, &load, 0, 0}};
        void (*const run[])(void *) = {load_marked, load_marked, insert_one};
        run_together(turn % 2 == 0 ? 3 : 2, run, races, sizeof races[0]);
        size_t winners = 0;
        for (size_t i = 0; i < 2; i++) {
            if (races[i].status != MASSTREE_OK) {
                continue;
            }
            winners++;
            for (size_t place = 0; place < load.count; place++) {
                uint64_t word = UNTOUCHED;
                assert_ok(masstree_get(tree, NULL, load.keys[place].data, load.keys[place].len,
                                       &word));
                assert_int_equal(races[i].mark + place, word);
            }
        }
        assert_in_range(winners, turn % 2 == 0 ? 0 : 1, 1);
        assert_int_equal(winners * load.count + (turn % 2 == 0 ? 1 : 0), tree_len(tree));
        end_tree(tree);
    }
    free_load(&load);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(get_many_stores_a_status_for_each_key),
        cmocka_unit_test(get_many_bytes_returns_slices_that_outlive_overwrites),
        cmocka_unit_test(of_equal_keys_put_many_keeps_the_last),
        cmocka_unit_test(of_equal_keys_insert_many_keeps_the_first),
        cmocka_unit_test(of_equal_keys_remove_many_finds_the_first),
        cmocka_unit_test(integer_keys_are_read_out_of_structs),
        cmocka_unit_test(bulk_load_reads_integers_out_of_structs),
        cmocka_unit_test(malformed_batches_do_nothing),
        cmocka_unit_test(empty_batches_do_nothing_well),
        cmocka_unit_test(items_at_fault_leave_the_others_done),
        cmocka_unit_test(value_at_fault_leaves_the_others_done),
        cmocka_unit_test(bulk_load_of_any_size_builds_the_same_map_as_puts),
        cmocka_unit_test(large_load_contains_all_keys_in_order),
        cmocka_unit_test(integer_load_contains_all_keys_in_order),
        cmocka_unit_test(load_that_is_not_sorted_names_the_first_offender),
        cmocka_unit_test(load_with_a_key_at_fault_says_which),
        cmocka_unit_test(load_into_a_tree_that_is_not_empty_changes_nothing),
        cmocka_unit_test(of_loads_at_once_at_most_one_wins),
    };
    return cmocka_run_group_tests_name("batch", tests, NULL, NULL);
}
