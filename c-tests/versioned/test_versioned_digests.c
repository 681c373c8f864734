/* Versioned trees: digests. */
#include "support.h"

static masstree_t *tree;

static int make(void **state)
{
    (void)state;
    tree = new_versioned_tree();
    return 0;
}

static int end(void **state)
{
    (void)state;
    end_tree(tree);
    return 0;
}

static void put_digested(const char *key, uint64_t seqno, const char *value)
{
    uint32_t digest = 0;
    assert_ok(masstree_digest_version(MASSTREE_DIGEST_CRC32C, key, strlen(key), seqno,
                                      MASSTREE_VERSION_VALUE, value, strlen(value), &digest));
    assert_ok(masstree_put_digested_at(tree, NULL, key, strlen(key), seqno, MASSTREE_VERSION_VALUE,
                                       value, strlen(value), MASSTREE_DIGEST_CRC32C, digest));
}

struct found {
    size_t count;
    char key[8];
    uint64_t seqno;
    uint32_t fault;
    int32_t result;
};

static int32_t note(const void *key, size_t key_len, uint64_t seqno, uint32_t fault, void *ctx)
{
    struct found *found = ctx;
    found->count++;
    assert_true(key_len < sizeof found->key);
    memcpy(found->key, key, key_len);
    found->key[key_len] = '\0';
    found->seqno = seqno;
    found->fault = fault;
    return found->result;
}

/* Put back: in `Version::bytes`, forget the digest; in `masstree_verify_digests`, answer OK although
   there was a fault. */
static void digests_are_stored_and_verified(void **state)
{
    (void)state;
    uint64_t verified = 0;
    struct found found = {.result = MASSTREE_VISIT_CONTINUE};
    masstree_guard_t *guard = new_guard(tree);
    masstree_version_t version;
    put_digested("apple", 1, "red");
    put_digested("apple", 2, "green");
    assert_ok(masstree_put_at(tree, NULL, "pear", 4, 3, MASSTREE_VERSION_VALUE, "plain", 5));
    assert_ok(masstree_verify_digests(tree, NULL, note, &found, &verified));
    assert_int_equal(2, verified);
    assert_int_equal(0, found.count);
    assert_ok(masstree_get_at(tree, guard, "pear", 4, 3, &version));
    assert_int_equal(0, version.algorithm);
    assert_int_equal(0, version.digest);
    assert_ok(masstree_get_at(tree, guard, "apple", 5, 1, &version));
    assert_slice("red", 3, (masstree_slice_t){version.value, version.value_len});
    assert_int_equal(MASSTREE_DIGEST_CRC32C, version.algorithm);
    /* A memory error. */
    unsigned char *byte = (unsigned char *)(uintptr_t)version.value;
    byte[1] ^= 0x10;
    assert_status(MASSTREE_CORRUPT, masstree_verify_digests(tree, NULL, NULL, NULL, NULL));
    assert_status(MASSTREE_CORRUPT, masstree_verify_digests(tree, guard, note, &found, &verified));
    assert_int_equal(1, verified);
    assert_int_equal(1, found.count);
    assert_string_equal("apple", found.key);
    assert_int_equal(1, found.seqno);
    assert_int_equal(MASSTREE_FAULT_DIGEST, found.fault);
    found.result = MASSTREE_VISIT_STOP;
    assert_status(MASSTREE_CORRUPT, masstree_verify_digests(tree, guard, note, &found, NULL));
    found.result = -77;
    assert_status(-77, masstree_verify_digests(tree, guard, note, &found, NULL));
    byte[1] ^= 0x10;
    assert_ok(masstree_verify_digests(tree, guard, note, &found, NULL));
    masstree_guard_leave(guard);
}

static void a_wrong_digest_is_stored_and_found(void **state)
{
    (void)state;
    struct found found = {.result = MASSTREE_VISIT_CONTINUE};
    assert_ok(masstree_put_digested_at(tree, NULL, "key", 3, 7, MASSTREE_VERSION_MERGE, "v", 1,
                                       MASSTREE_DIGEST_CRC32C, 12345));
    assert_status(MASSTREE_CORRUPT, masstree_verify_digests(tree, NULL, note, &found, NULL));
    assert_string_equal("key", found.key);
    assert_int_equal(7, found.seqno);
}

static int32_t put_as(uint64_t seqno, uint32_t kind, uint32_t algorithm)
{
    return masstree_put_digested_at(tree, NULL, "key", 3, seqno, kind, "v", 1, algorithm, 0);
}

static void bad_arguments_and_sealed_trees_are_refused(void **state)
{
    (void)state;
    const uint32_t crc = MASSTREE_DIGEST_CRC32C;
    const size_t too_long = (size_t)UINT32_MAX + 1;
    uint32_t digest = 7;
    assert_status(MASSTREE_INVALID, put_as(1, 0, 0));
    assert_status(MASSTREE_INVALID, put_as(1, 0, 2));
    assert_status(MASSTREE_INVALID, put_as(1, 4, crc));
    assert_status(MASSTREE_INVALID, put_as(0, 0, crc));
    assert_status(MASSTREE_INVALID, masstree_digest_version(0, "k", 1, 1, 0, NULL, 0, &digest));
    assert_status(MASSTREE_INVALID, masstree_digest_version(crc, NULL, 1, 1, 0, NULL, 0, &digest));
    assert_status(MASSTREE_INVALID, masstree_digest_version(crc, "k", 1, 1, 0, NULL, 1, &digest));
    assert_status(MASSTREE_KEY_TOO_LONG,
                  masstree_digest_version(crc, "k", too_long, 1, 0, NULL, 0, &digest));
    assert_int_equal(7, digest);
    assert_ok(masstree_digest_version(crc, "k", 1, 1, 0, NULL, 0, NULL));
    assert_ok(put_as(5, 0, crc));
    assert_status(MASSTREE_EXISTS, put_as(5, 0, crc));
    assert_status(MASSTREE_END, masstree_trim_versions(tree, 5, 0, NULL));
    assert_status(MASSTREE_TOO_OLD, put_as(4, 0, crc));
    assert_ok(masstree_seal(tree));
    assert_status(MASSTREE_READ_ONLY, put_as(6, 0, crc));
}

static void running_out_of_memory_changes_nothing(void **state)
{
    (void)state;
    bool failed = true;
    for (size_t fail_at = 1; failed; fail_at++) {
        struct allocator allocator;
        allocator_start(&allocator);
        masstree_t *scarce = new_tree_of(&allocator, MASSTREE_VALUES_VERSIONED);
        allocator.fail_at = allocator.calls + fail_at;
        int32_t status = masstree_put_digested_at(scarce, NULL, "key", 3, 1, 0, "v", 1,
                                                  MASSTREE_DIGEST_CRC32C, 0);
        failed = allocator.failures != 0;
        assert_true(status == MASSTREE_OK || (status == MASSTREE_NOMEM && failed));
        assert_int_equal(status == MASSTREE_OK, tree_len(scarce));
        assert_true(fail_at > 1 || failed);
        allocator.fail_at = 0;
        end_tree(scarce);
        allocator_end(&allocator);
    }
}

static void verifying_reports_that_memory_ran_out(void **state)
{
    (void)state;
    /* A walk allocates memory for keys that are this long. */
    static const char key[1000] = "a long key";
    const uint32_t crc = MASSTREE_DIGEST_CRC32C;
    struct allocator allocator;
    allocator_start(&allocator);
    masstree_t *scarce = new_tree_of(&allocator, MASSTREE_VALUES_VERSIONED);
    uint32_t digest;
    assert_ok(masstree_digest_version(crc, key, sizeof key, 2, 0, "v", 1, &digest));
    assert_ok(masstree_put_digested_at(scarce, NULL, key, sizeof key, 2, 0, "v", 1, crc, digest));
    allocator.fail_at = allocator.calls + 1;
    allocator.fail_on = true;
    uint64_t verified = 7;
    assert_status(MASSTREE_NOMEM, masstree_verify_digests(scarce, NULL, NULL, NULL, &verified));
    assert_true(allocator.failures != 0);
    allocator.fail_at = 0;
    assert_ok(masstree_verify_digests(scarce, NULL, NULL, NULL, &verified));
    assert_int_equal(1, verified);
    end_tree(scarce);
    allocator_end(&allocator);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(digests_are_stored_and_verified, make, end),
        cmocka_unit_test_setup_teardown(a_wrong_digest_is_stored_and_found, make, end),
        cmocka_unit_test_setup_teardown(bad_arguments_and_sealed_trees_are_refused, make, end),
        cmocka_unit_test(running_out_of_memory_changes_nothing),
        cmocka_unit_test(verifying_reports_that_memory_ran_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
