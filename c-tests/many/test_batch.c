/* Batches: the status of each item and of the whole call. */
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

enum { ITEMS = 5 };

/* Items of which the second and the fourth are at fault, and what calls say of them: `wanted` of each, and the
   first error. */
struct items {
    masstree_slice_t keys[ITEMS];
    int32_t wanted[ITEMS];
    int32_t first;
};

static void assert_words_are_done(const struct items *items)
{
    static const uint64_t values[ITEMS] = {1, 2, 3, 4, 5};
    masstree_t *tree = new_tree();
    uint64_t words[ITEMS] = {UNTOUCHED, UNTOUCHED, UNTOUCHED, UNTOUCHED, UNTOUCHED};
    int32_t statuses[ITEMS];
    assert_status(items->first,
                  masstree_put_many(tree, NULL, items->keys, values, ITEMS, statuses));
    assert_statuses(items->wanted, statuses, ITEMS);
    assert_word(tree, "a", 1);
    assert_word(tree, "b", 3);
    assert_word(tree, "c", 5);
    set_all(statuses, ITEMS);
    assert_status(items->first,
                  masstree_get_many(tree, NULL, items->keys, ITEMS, words, statuses));
    assert_statuses(items->wanted, statuses, ITEMS);
    assert_int_equal(UNTOUCHED, words[1]);
    assert_int_equal(3, words[2]);
    assert_int_equal(5, words[4]);
    assert_status(items->first,
                  masstree_remove_many(tree, NULL, items->keys, ITEMS, words, statuses));
    assert_statuses(items->wanted, statuses, ITEMS);
    assert_int_equal(0, tree_len(tree));
    set_all(statuses, ITEMS);
    assert_status(items->first,
                  masstree_insert_many(tree, NULL, items->keys, values, ITEMS, words, statuses));
    assert_statuses(items->wanted, statuses, ITEMS);
    assert_int_equal(3, tree_len(tree));
    end_tree(tree);
}

static void assert_texts_are_done(const struct items *items)
{
    const masstree_slice_t texts[] = {SLICE("1"), SLICE("2"), SLICE("3"), SLICE("4"), SLICE("5")};
    masstree_t *bytes = new_bytes_tree();
    masstree_guard_t *guard = new_guard(bytes);
    masstree_slice_t slices[ITEMS] = {{NULL, 0}};
    int32_t statuses[ITEMS];
    assert_status(items->first,
                  masstree_put_many_bytes(bytes, NULL, items->keys, texts, ITEMS, statuses));
    assert_statuses(items->wanted, statuses, ITEMS);
    assert_text(bytes, "a", "1");
    assert_text(bytes, "c", "5");
    assert_int_equal(3, tree_len(bytes));
    set_all(statuses, ITEMS);
    assert_status(items->first,
                  masstree_get_many_bytes(bytes, guard, items->keys, ITEMS, slices, statuses));
    assert_statuses(items->wanted, statuses, ITEMS);
    assert_null(slices[1].data);
    assert_slice("3", 1, slices[2]);
    masstree_guard_leave(guard);
    end_tree(bytes);
}

/* Every function with an array of statuses: the call returns the first error, and the other items are done. */
static void items_at_fault_leave_the_others_done(void **state)
{
    (void)state;
    struct items items = {
        {SLICE("a"), {NULL, 1}, SLICE("b"), {"long", TOO_LONG}, SLICE("c")},
        {MASSTREE_OK, MASSTREE_INVALID, MASSTREE_OK, MASSTREE_KEY_TOO_LONG, MASSTREE_OK},
        MASSTREE_INVALID,
    };
    assert_words_are_done(&items);
    assert_texts_are_done(&items);
    const masstree_slice_t swapped = items.keys[1];
    items.keys[1] = items.keys[3];
    items.keys[3] = swapped;
    items.wanted[1] = items.first = MASSTREE_KEY_TOO_LONG;
    items.wanted[3] = MASSTREE_INVALID;
    assert_words_are_done(&items);
    assert_texts_are_done(&items);
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
    };
    return cmocka_run_group_tests_name("batch", tests, NULL, NULL);
}
