/* Trees whose values contain their keys: option key_of. */
#include "support.h"

/* A value: the length of its key, the key, and a number. */
struct record {
    uint32_t key_len;
    char bytes[140];
};

static size_t make_record(struct record *record, const void *key, size_t key_len, uint64_t number)
{
    record->key_len = (uint32_t)key_len;
    memcpy(record->bytes, key, key_len);
    memcpy(record->bytes + key_len, &number, sizeof number);
    return offsetof(struct record, bytes) + key_len + sizeof number;
}

static const void *key_of(void *ctx, const void *value, size_t value_len, size_t *key_len)
{
    uint32_t len;
    (void)ctx;
    /* In a tree of words, value is the word. */
    assert_true(value_len == 0 || value_len > offsetof(struct record, bytes));
    memcpy(&len, value, sizeof len);
    *key_len = len;
    return (const char *)value + offsetof(struct record, bytes);
}

static masstree_t *make_tree(uint32_t kind, uint32_t flags, masstree_key_of_t function)
{
    masstree_options_t options = MASSTREE_OPTIONS_INIT;
    masstree_t *tree;
    options.value_kind = kind;
    options.version_flags = flags;
    options.key_of = function;
    assert_ok(masstree_create(&options, &tree));
    return tree;
}

enum { KEYS = 4000 };

/* Keys of 3 to 127 bytes; some are equal up to the last, so that they share layers. */
static size_t key_at(unsigned number, char *key)
{
    unsigned shared = number % 7 * 16;
    memset(key, 'a' + (int)(number % 3), shared);
    return shared + (size_t)sprintf(key + shared, "%u", number * 2654435761u);
}

static void put(masstree_t *tree, unsigned number, uint64_t seqno, uint32_t kind)
{
    char key[160];
    struct record record;
    size_t len = key_at(number, key);
    size_t size = make_record(&record, key, len, seqno);
    assert_ok(masstree_put_at(tree, NULL, key, len, seqno, kind, &record, size));
}

static int32_t check_version(const void *key, size_t key_len, const masstree_version_t *version,
                             void *ctx)
{
    struct record record;
    size_t size = make_record(&record, key, key_len, version->seqno);
    assert_int_equal(version->value_len, size);
    assert_memory_equal(version->value, &record, size);
    ++*(size_t *)ctx;
    return MASSTREE_VISIT_CONTINUE;
}

/* Put back: in `Form::of_new`, leaves of the form Tailed. */
static void versions_contain_their_keys(void **state)
{
    (void)state;
    masstree_t *tree = make_tree(MASSTREE_VALUES_VERSIONED, MASSTREE_VERSIONS_APPEND_ONLY, key_of);
    masstree_t *copying = make_tree(MASSTREE_VALUES_VERSIONED, MASSTREE_VERSIONS_APPEND_ONLY, NULL);
    uint64_t seqno = 0, bytes, copied;
    for (unsigned round = 0; round < 3; round++)
        for (unsigned number = 0; number < KEYS; number++) {
            uint32_t kind =
                round == 1 && number % 5 == 0 ? MASSTREE_VERSION_TOMBSTONE : MASSTREE_VERSION_VALUE;
            put(tree, number, ++seqno, kind);
            put(copying, number, seqno, kind);
        }
    for (unsigned number = 0; number < KEYS; number++) {
        char key[160];
        masstree_version_t version;
        size_t len = key_at(number, key), seen = 0;
        assert_ok(masstree_get_at(tree, NULL, key, len, MASSTREE_SEQNO_LATEST, &version));
        assert_int_equal(version.seqno, 2 * KEYS + number + 1);
        check_version(key, len, &version, &seen);
        key[len - 1] ^= 1;
        int32_t status = masstree_get_at(tree, NULL, key, len, MASSTREE_SEQNO_LATEST, &version);
        if (status == MASSTREE_OK)
            check_version(key, len, &version, &seen);
    }
    size_t visited = 0;
    assert_ok(masstree_scan_at(tree, NULL, NULL, MASSTREE_SEQNO_LATEST, check_version, &visited, NULL));
    assert_int_equal(visited, KEYS);
    assert_ok(masstree_check(tree, NULL, NULL, NULL));
    assert_ok(masstree_memory_held(tree, &bytes));
    assert_ok(masstree_memory_held(copying, &copied));
    assert_true(bytes < copied);
    masstree_destroy(copying);
    masstree_destroy(tree);
}

/* Put back: no comparison in `VersionedTree::insert`. */
static void a_version_of_another_key_is_refused(void **state)
{
    (void)state;
    masstree_t *tree = make_tree(MASSTREE_VALUES_VERSIONED, MASSTREE_VERSIONS_APPEND_ONLY, key_of);
    struct record record;
    masstree_version_t version;
    size_t size = make_record(&record, "a key of some length", 20, 1);
    assert_status(MASSTREE_INVALID, masstree_put_at(tree, NULL, "a key of the same len", 20, 1, MASSTREE_VERSION_VALUE,
                                  &record, size));
    assert_status(MASSTREE_INVALID, masstree_put_at(tree, NULL, "a key of some lengt", 19, 1, MASSTREE_VERSION_VALUE,
                                  &record, size));
    assert_ok(masstree_put_at(tree, NULL, "a key of some length", 20, 1, MASSTREE_VERSION_VALUE,
                              &record, size));
    assert_ok(masstree_get_at(tree, NULL, "a key of some length", 20, 1, &version));
    masstree_destroy(tree);
}

static void words_refer_to_records_with_their_keys(void **state)
{
    (void)state;
    masstree_t *tree = make_tree(MASSTREE_VALUES_WORDS, 0, key_of);
    struct record *records = calloc(2 * KEYS, sizeof *records);
    assert_non_null(records);
    for (unsigned i = 0; i < 2 * KEYS; i++) {
        char key[160];
        size_t len = key_at(i % KEYS, key);
        make_record(&records[i], key, len, i);
        assert_ok(masstree_put(tree, NULL, key, len, (uint64_t)(uintptr_t)&records[i]));
    }
    for (unsigned i = 0; i < KEYS; i++) {
        char key[160];
        uint64_t word;
        size_t len = key_at(i, key);
        assert_ok(masstree_get(tree, NULL, key, len, &word));
        assert_ptr_equal((void *)(uintptr_t)word, &records[KEYS + i]);
        if (i % 2 == 0)
            assert_ok(masstree_remove(tree, NULL, key, len, NULL));
    }
    assert_ok(masstree_check(tree, NULL, NULL, NULL));
    masstree_destroy(tree);
    free(records);
}

/* The sum would not refer to a key. Put back: in masstree_add, do not look. */
static void no_number_is_added_to_a_record(void **state)
{
    (void)state;
    masstree_t *tree = make_tree(MASSTREE_VALUES_WORDS, 0, key_of);
    struct record record;
    uint64_t sum = 77;
    make_record(&record, "a key", 5, 0);
    assert_status(MASSTREE_WRONG_KIND, masstree_add(tree, NULL, "a key", 5, 1, &sum));
    assert_status(MASSTREE_WRONG_KIND, masstree_add_u64(tree, NULL, 5, 1, &sum));
    assert_ok(masstree_put(tree, NULL, "a key", 5, (uint64_t)(uintptr_t)&record));
    assert_status(MASSTREE_WRONG_KIND, masstree_add(tree, NULL, "a key", 5, 1, &sum));
    assert_int_equal(77, sum);
    assert_ok(masstree_check(tree, NULL, NULL, NULL));
    masstree_destroy(tree);
}

static void destroy_nothing(uint64_t value, void *ctx)
{
    (void)value;
    (void)ctx;
}

static void the_option_needs_values_that_stay(void **state)
{
    (void)state;
    masstree_t *tree;
    masstree_options_t options = MASSTREE_OPTIONS_INIT;
    options.key_of = key_of;
    options.value_kind = MASSTREE_VALUES_BYTES;
    assert_status(MASSTREE_INVALID, masstree_create(&options, &tree));
    options.value_kind = MASSTREE_VALUES_VERSIONED;
    assert_status(MASSTREE_INVALID, masstree_create(&options, &tree));
    options.version_flags = MASSTREE_VERSIONS_FREE_OVERWRITTEN;
    assert_status(MASSTREE_INVALID, masstree_create(&options, &tree));
    options.version_flags = 0;
    options.value_kind = MASSTREE_VALUES_WORDS;
    options.value_destructor = destroy_nothing;
    assert_status(MASSTREE_INVALID, masstree_create(&options, &tree));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(versions_contain_their_keys),
        cmocka_unit_test(a_version_of_another_key_is_refused),
        cmocka_unit_test(words_refer_to_records_with_their_keys),
        cmocka_unit_test(no_number_is_added_to_a_record),
        cmocka_unit_test(the_option_needs_values_that_stay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
