/* Operations on one key: every documented status, in the form for bytes and in the form for
   integers. */
#include "support.h"

#include <sys/mman.h>

#define UNTOUCHED UINT64_C(0xDEADBEEFDEADBEEF)
#define TOO_LONG ((size_t)UINT32_MAX + 1)

/* Each operation in both forms, as one type, so that common checks are written once. The integer
   form converts the key's 8 bytes. */
typedef int32_t (*operation_t)(masstree_t *tree, masstree_guard_t *guard, const void *key,
                               size_t key_len, uint64_t *out);

static int32_t get(masstree_t *tree, masstree_guard_t *guard, const void *key, size_t key_len,
                   uint64_t *out)
{
    return masstree_get(tree, guard, key, key_len, out);
}

static int32_t contains(masstree_t *tree, masstree_guard_t *guard, const void *key, size_t key_len,
                        uint64_t *out)
{
    (void)out;
    return masstree_contains(tree, guard, key, key_len);
}

static int32_t put(masstree_t *tree, masstree_guard_t *guard, const void *key, size_t key_len,
                   uint64_t *out)
{
    (void)out;
    return masstree_put(tree, guard, key, key_len, 7);
}

static int32_t exchange(masstree_t *tree, masstree_guard_t *guard, const void *key, size_t key_len,
                        uint64_t *out)
{
    return masstree_exchange(tree, guard, key, key_len, 7, out);
}

static int32_t insert(masstree_t *tree, masstree_guard_t *guard, const void *key, size_t key_len,
                      uint64_t *out)
{
    return masstree_insert(tree, guard, key, key_len, 7, out);
}

static int32_t remove_key(masstree_t *tree, masstree_guard_t *guard, const void *key,
                          size_t key_len, uint64_t *out)
{
    return masstree_remove(tree, guard, key, key_len, out);
}

static uint64_t integer(const void *key, size_t key_len)
{
    uint64_t number = 0;
    assert_ok(masstree_u64_from_key(key, key_len, &number));
    return number;
}

static int32_t get_u64(masstree_t *tree, masstree_guard_t *guard, const void *key, size_t key_len,
                       uint64_t *out)
{
    return masstree_get_u64(tree, guard, integer(key, key_len), out);
}

static int32_t contains_u64(masstree_t *tree, masstree_guard_t *guard, const void *key,
                            size_t key_len, uint64_t *out)
{
    (void)out;
    return masstree_contains_u64(tree, guard, integer(key, key_len));
}

static int32_t put_u64(masstree_t *tree, masstree_guard_t *guard, const void *key, size_t key_len,
                       uint64_t *out)
{
    (void)out;
    return masstree_put_u64(tree, guard, integer(key, key_len), 7);
}

static int32_t exchange_u64(masstree_t *tree, masstree_guard_t *guard, const void *key,
                            size_t key_len, uint64_t *out)
{
    return masstree_exchange_u64(tree, guard, integer(key, key_len), 7, out);
}

static int32_t insert_u64(masstree_t *tree, masstree_guard_t *guard, const void *key,
                          size_t key_len, uint64_t *out)
{
    return masstree_insert_u64(tree, guard, integer(key, key_len), 7, out);
}

static int32_t remove_u64(masstree_t *tree, masstree_guard_t *guard, const void *key,
                          size_t key_len, uint64_t *out)
{
    return masstree_remove_u64(tree, guard, integer(key, key_len), out);
}

struct operation {
    operation_t bytes;
    operation_t u64;
    int32_t when_present; /* the documented statuses */
    int32_t when_absent;
    bool gives_present; /* the output is the previous word */
    bool leaves_new;    /* the key has the new word afterwards, if it was absent */
    bool overwrites;    /* the key has the new word afterwards, if it existed */
    bool removes;
};

static const struct operation operations[] = {
    {get, get_u64, MASSTREE_OK, MASSTREE_NOT_FOUND, true, false, false, false},
    {contains, contains_u64, MASSTREE_OK, MASSTREE_NOT_FOUND, false, false, false, false},
    {put, put_u64, MASSTREE_OK, MASSTREE_OK, false, true, true, false},
    {exchange, exchange_u64, MASSTREE_OK, MASSTREE_NOT_FOUND, true, true, true, false},
    {insert, insert_u64, MASSTREE_EXISTS, MASSTREE_OK, true, true, false, false},
    {remove_key, remove_u64, MASSTREE_OK, MASSTREE_NOT_FOUND, true, false, false, true},
};

static void assert_word(const masstree_t *tree, const void *key, size_t len, uint64_t expected)
{
    uint64_t word = UNTOUCHED;
    assert_ok(masstree_get(tree, NULL, key, len, &word));
    assert_int_equal(expected, word);
    assert_ok(masstree_contains(tree, NULL, key, len));
}

static void assert_absent(const masstree_t *tree, const void *key, size_t len)
{
    uint64_t word = UNTOUCHED;
    assert_status(MASSTREE_NOT_FOUND, masstree_get(tree, NULL, key, len, &word));
    assert_int_equal(UNTOUCHED, word);
    assert_status(MASSTREE_NOT_FOUND, masstree_contains(tree, NULL, key, len));
}

static void try_on_present_key(const struct operation *operation, operation_t call,
                               masstree_guard_t *guard, masstree_t *tree, bool wants_output)
{
    uint64_t out = UNTOUCHED;
    assert_ok(masstree_put(tree, guard, "12345678", 8, 41));
    assert_status(operation->when_present,
                  call(tree, guard, "12345678", 8, wants_output ? &out : NULL));
    assert_int_equal(wants_output && operation->gives_present ? 41 : UNTOUCHED, out);
    if (operation->removes) {
        assert_absent(tree, "12345678", 8);
    } else {
        assert_word(tree, "12345678", 8, operation->overwrites ? 7 : 41);
    }
}

static void try_on_absent_key(const struct operation *operation, operation_t call,
                              masstree_guard_t *guard, masstree_t *tree, bool wants_output)
{
    uint64_t out = UNTOUCHED;
    masstree_remove(tree, guard, "12345678", 8, NULL);
    assert_status(operation->when_absent,
                  call(tree, guard, "12345678", 8, wants_output ? &out : NULL));
    assert_int_equal(UNTOUCHED, out);
    if (operation->leaves_new) {
        assert_word(tree, "12345678", 8, 7);
    } else {
        assert_absent(tree, "12345678", 8);
    }
}

static void each_operation_returns_documented_statuses(void **state)
{
    (void)state;
    masstree_t *tree = new_tree();
    masstree_guard_t *entered = NULL;
    assert_ok(masstree_guard_enter(tree, &entered));
    for (size_t i = 0; i < COUNT(operations); i++) {
        for (unsigned form = 0; form < 8; form++) {
            operation_t call = (form & 1) != 0 ? operations[i].u64 : operations[i].bytes;
            masstree_guard_t *guard = (form & 2) != 0 ? entered : NULL;
            try_on_present_key(&operations[i], call, guard, tree, (form & 4) != 0);
            try_on_absent_key(&operations[i], call, guard, tree, (form & 4) != 0);
        }
    }
    masstree_guard_leave(entered);
    end_tree(tree);
}

static void null_tree_is_invalid_and_writes_nothing(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(operations); i++) {
        uint64_t out = UNTOUCHED;
        assert_status(MASSTREE_INVALID, operations[i].bytes(NULL, NULL, "12345678", 8, &out));
        assert_status(MASSTREE_INVALID, operations[i].u64(NULL, NULL, "12345678", 8, &out));
        assert_int_equal(UNTOUCHED, out);
    }
}

static void null_key_with_a_length_is_invalid_and_changes_nothing(void **state)
{
    (void)state;
    masstree_t *tree = new_tree();
    assert_ok(masstree_put(tree, NULL, "", 0, 41));
    for (size_t i = 0; i < COUNT(operations); i++) {
        uint64_t out = UNTOUCHED;
        assert_status(MASSTREE_INVALID, operations[i].bytes(tree, NULL, NULL, 1, &out));
        assert_int_equal(UNTOUCHED, out);
    }
    assert_word(tree, "", 0, 41);
    assert_int_equal(1, tree_len(tree));
    end_tree(tree);
}

static void guard_of_another_tree_is_refused_and_changes_nothing(void **state)
{
    (void)state;
    masstree_t *tree = new_tree();
    masstree_t *other = new_tree();
    masstree_guard_t *foreign = NULL;
    assert_ok(masstree_guard_enter(other, &foreign));
    assert_ok(masstree_put(tree, NULL, "12345678", 8, 41));
    for (size_t i = 0; i < COUNT(operations); i++) {
        uint64_t out = UNTOUCHED;
        assert_status(MASSTREE_WRONG_TREE,
                      operations[i].bytes(tree, foreign, "12345678", 8, &out));
        assert_status(MASSTREE_WRONG_TREE, operations[i].u64(tree, foreign, "12345678", 8, &out));
        assert_status(MASSTREE_WRONG_TREE, operations[i].bytes(tree, foreign, "new", 3, &out));
        assert_int_equal(UNTOUCHED, out);
    }
    assert_word(tree, "12345678", 8, 41);
    assert_int_equal(1, tree_len(tree));
    assert_int_equal(0, tree_len(other));
    masstree_guard_leave(foreign);
    end_tree(other);
    end_tree(tree);
}

/* A mapping that has the bytes without using memory for them. */
static void *many_zero_bytes(size_t len)
{
    void *bytes = mmap(NULL, len, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    assert_true(bytes != MAP_FAILED);
    return bytes;
}

static void key_over_the_limit_is_refused_and_changes_nothing(void **state)
{
    (void)state;
    masstree_t *tree = new_tree();
    void *key = many_zero_bytes(TOO_LONG);
    for (size_t i = 0; i < COUNT(operations); i++) {
        uint64_t out = UNTOUCHED;
        assert_status(MASSTREE_KEY_TOO_LONG,
                      operations[i].bytes(tree, NULL, key, TOO_LONG, &out));
        assert_int_equal(UNTOUCHED, out);
    }
    assert_int_equal(0, tree_len(tree));
    munmap(key, TOO_LONG);
    end_tree(tree);
}

static void longest_legal_key_is_looked_up(void **state)
{
    (void)state;
    masstree_t *tree = new_tree();
    void *key = many_zero_bytes(UINT32_MAX);
    assert_ok(masstree_put(tree, NULL, "\0\0\0\0\0\0\0\0\0", 9, 1));
    assert_absent(tree, key, UINT32_MAX);
    assert_status(MASSTREE_NOT_FOUND, masstree_remove(tree, NULL, key, UINT32_MAX, NULL));
    munmap(key, UINT32_MAX);
    end_tree(tree);
}

static void empty_key_is_a_key_with_and_without_a_pointer(void **state)
{
    (void)state;
    masstree_t *tree = new_tree();
    assert_absent(tree, NULL, 0);
    assert_ok(masstree_insert(tree, NULL, NULL, 0, 5, NULL));
    assert_word(tree, "", 0, 5);
    assert_word(tree, NULL, 0, 5);
    assert_status(MASSTREE_EXISTS, masstree_insert(tree, NULL, "", 0, 6, NULL));
    assert_ok(masstree_remove(tree, NULL, NULL, 0, NULL));
    assert_absent(tree, "", 0);
    end_tree(tree);
}

static void keys_that_differ_only_in_length_are_different(void **state)
{
    (void)state;
    static const char zeros[20];
    masstree_t *tree = new_tree();
    for (size_t len = 0; len <= sizeof zeros; len++) {
        assert_ok(masstree_insert(tree, NULL, zeros, len, len, NULL));
    }
    for (size_t len = 0; len <= sizeof zeros; len++) {
        assert_word(tree, zeros, len, len);
    }
    for (size_t len = 0; len <= sizeof zeros; len += 2) {
        assert_ok(masstree_remove(tree, NULL, zeros, len, NULL));
    }
    for (size_t len = 0; len <= sizeof zeros; len++) {
        if (len % 2 == 0) {
            assert_absent(tree, zeros, len);
        } else {
            assert_word(tree, zeros, len, len);
        }
    }
    end_tree(tree);
}

/* known-failures row 9: buffers of 255 bytes, panics at 257. */
static void keys_of_every_awkward_length_round_trip(void **state)
{
    (void)state;
    static const size_t lengths[] = {0, 1, 7, 8, 9, 15, 16, 17, 255, 256, 257, 4096, 1 << 20};
    static unsigned char key[1 << 20];
    masstree_t *tree = new_tree();
    memset(key, 0xA5, sizeof key);
    for (size_t i = 0; i < COUNT(lengths); i++) {
        uint64_t old = UNTOUCHED;
        assert_ok(masstree_insert(tree, NULL, key, lengths[i], i, NULL));
        assert_status(MASSTREE_EXISTS, masstree_insert(tree, NULL, key, lengths[i], 99, &old));
        assert_int_equal(i, old);
        assert_ok(masstree_put(tree, NULL, key, lengths[i], i + 100));
        assert_ok(masstree_exchange(tree, NULL, key, lengths[i], i + 200, &old));
        assert_int_equal(i + 100, old);
    }
    for (size_t i = 0; i < COUNT(lengths); i++) {
        assert_word(tree, key, lengths[i], i + 200);
    }
    assert_consistent(tree);
    for (size_t i = COUNT(lengths); i-- > 0;) {
        uint64_t old = UNTOUCHED;
        assert_ok(masstree_remove(tree, NULL, key, lengths[i], &old));
        assert_int_equal(i + 200, old);
        assert_absent(tree, key, lengths[i]);
    }
    end_tree(tree);
}

static void tree_copies_the_key(void **state)
{
    (void)state;
    char key[] = "a key longer than one slice";
    masstree_t *tree = new_tree();
    assert_ok(masstree_put(tree, NULL, key, sizeof key, 3));
    memset(key, 'x', sizeof key);
    assert_word(tree, "a key longer than one slice", sizeof key, 3);
    assert_absent(tree, key, sizeof key);
    end_tree(tree);
}

static void every_word_is_a_legal_value(void **state)
{
    (void)state;
    static const uint64_t words[] = {0, 1, UINT64_C(1) << 63, UINT64_MAX - 1, UINT64_MAX};
    masstree_t *tree = new_tree();
    for (size_t i = 0; i < COUNT(words); i++) {
        assert_ok(masstree_put(tree, NULL, "k", 1, words[i]));
        assert_word(tree, "k", 1, words[i]);
        assert_ok(masstree_put(tree, NULL, "a longer key", 12, words[i]));
        assert_word(tree, "a longer key", 12, words[i]);
    }
    end_tree(tree);
}

static void integer_keys_are_their_eight_bytes(void **state)
{
    (void)state;
    static const uint64_t numbers[] = {0, 1, 255, 256, UINT64_C(0x0102030405060708), UINT64_MAX};
    masstree_t *tree = new_tree();
    for (size_t i = 0; i < COUNT(numbers); i++) {
        uint8_t bytes[8];
        uint64_t back = ~numbers[i];
        masstree_u64_to_key(numbers[i], bytes);
        for (size_t byte = 0; byte < 8; byte++) {
            assert_int_equal(numbers[i] >> (56 - 8 * byte) & 0xFF, bytes[byte]);
        }
        assert_ok(masstree_u64_from_key(bytes, 8, &back));
        assert_int_equal(numbers[i], back);
        assert_ok(masstree_put_u64(tree, NULL, numbers[i], i));
        assert_word(tree, bytes, 8, i);
        assert_ok(masstree_put(tree, NULL, bytes, 8, i + 10));
        assert_ok(masstree_get_u64(tree, NULL, numbers[i], &back));
        assert_int_equal(i + 10, back);
    }
    end_tree(tree);
}

static void bytes_that_are_no_integer_key_are_refused(void **state)
{
    (void)state;
    static const uint8_t bytes[9];
    uint64_t value = UNTOUCHED;
    masstree_u64_to_key(1, NULL);
    assert_status(MASSTREE_INVALID, masstree_u64_from_key(NULL, 8, &value));
    assert_status(MASSTREE_INVALID, masstree_u64_from_key(NULL, 0, &value));
    assert_status(MASSTREE_INVALID, masstree_u64_from_key(bytes, 0, &value));
    assert_status(MASSTREE_INVALID, masstree_u64_from_key(bytes, 7, &value));
    assert_status(MASSTREE_INVALID, masstree_u64_from_key(bytes, 9, &value));
    assert_int_equal(UNTOUCHED, value);
    assert_ok(masstree_u64_from_key(bytes, 8, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_operation_returns_documented_statuses),
        cmocka_unit_test(null_tree_is_invalid_and_writes_nothing),
        cmocka_unit_test(null_key_with_a_length_is_invalid_and_changes_nothing),
        cmocka_unit_test(guard_of_another_tree_is_refused_and_changes_nothing),
        cmocka_unit_test(key_over_the_limit_is_refused_and_changes_nothing),
        cmocka_unit_test(longest_legal_key_is_looked_up),
        cmocka_unit_test(empty_key_is_a_key_with_and_without_a_pointer),
        cmocka_unit_test(keys_that_differ_only_in_length_are_different),
        cmocka_unit_test(keys_of_every_awkward_length_round_trip),
        cmocka_unit_test(tree_copies_the_key),
        cmocka_unit_test(every_word_is_a_legal_value),
        cmocka_unit_test(integer_keys_are_their_eight_bytes),
        cmocka_unit_test(bytes_that_are_no_integer_key_are_refused),
    };
    return cmocka_run_group_tests_name("key", tests, NULL, NULL);
}
