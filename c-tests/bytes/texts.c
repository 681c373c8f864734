#include "bytes/texts.h"

const masstree_slice_t UNTOUCHED = {"untouched", 9};

void assert_untouched(masstree_slice_t slice)
{
    assert_ptr_equal(UNTOUCHED.data, slice.data);
    assert_int_equal(UNTOUCHED.len, slice.len);
}

void store_text(masstree_t *tree, const char *key, const char *value)
{
    assert_ok(masstree_put_bytes(tree, NULL, key, strlen(key), value, strlen(value)));
}

void assert_text(masstree_t *tree, const char *key, const char *value)
{
    char buffer[64];
    size_t len = SIZE_MAX;
    assert_ok(masstree_copy_bytes(tree, NULL, key, strlen(key), buffer, sizeof buffer, &len));
    assert_int_equal(strlen(value), len);
    assert_memory_equal(value, buffer, len);
}

void assert_absent(masstree_t *tree, const char *key)
{
    assert_status(MASSTREE_NOT_FOUND, masstree_contains(tree, NULL, key, strlen(key)));
}

void fill_pattern(unsigned char *bytes, size_t len, uint64_t seed)
{
    for (size_t i = 0; i < len; i++) {
        bytes[i] = (unsigned char)(seed * 131 + i + (i >> 8));
    }
}

void put_numbered(masstree_t *tree, enum family family, uint64_t number, uint64_t value)
{
    unsigned char key[FAMILY_KEY_MAX];
    unsigned char bytes[256];
    size_t len = family_key(family, number, key);
    fill_pattern(bytes, value % sizeof bytes, value);
    assert_ok(masstree_put_bytes(tree, NULL, key, len, bytes, value % sizeof bytes));
}
