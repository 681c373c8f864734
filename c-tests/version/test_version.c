/* The versions that the library reports agree with the header. */
#include "support.h"

static void version_text_is_the_headers(void **state)
{
    (void)state;
    assert_string_equal(MASSTREE_VERSION_STRING, masstree_version_string());
}

static void version_number_is_the_headers(void **state)
{
    (void)state;
    assert_int_equal(MASSTREE_VERSION_NUMBER, masstree_version_number());
}

static void version_text_and_number_say_the_same(void **state)
{
    (void)state;
    unsigned major = 0;
    unsigned minor = 0;
    unsigned patch = 0;
    assert_int_equal(3, sscanf(masstree_version_string(), "%u.%u.%u", &major, &minor, &patch));
    assert_int_equal(MASSTREE_VERSION_MAJOR, major);
    assert_int_equal(MASSTREE_VERSION_MINOR, minor);
    assert_int_equal(MASSTREE_VERSION_PATCH, patch);
    assert_int_equal(major * 1000000 + minor * 1000 + patch, masstree_version_number());
}

static void abi_number_is_the_headers(void **state)
{
    (void)state;
    assert_int_equal(MASSTREE_ABI_VERSION, masstree_abi_version());
}

/* Programs compiled with this header depend on these layouts. */
static void layout_of_options_is_frozen(void **state)
{
    (void)state;
    assert_int_equal(0, offsetof(masstree_options_t, struct_size));
    assert_int_equal(sizeof(size_t), offsetof(masstree_options_t, value_destructor));
    assert_int_equal(2 * sizeof(size_t), offsetof(masstree_options_t, value_ctx));
}

static void layout_of_range_is_frozen(void **state)
{
    (void)state;
    assert_int_equal(0, offsetof(masstree_range_t, struct_size));
    assert_int_equal(sizeof(size_t), offsetof(masstree_range_t, lower));
    assert_int_equal(2 * sizeof(size_t), offsetof(masstree_range_t, lower_len));
    assert_int_equal(3 * sizeof(size_t), offsetof(masstree_range_t, upper));
    assert_int_equal(4 * sizeof(size_t), offsetof(masstree_range_t, upper_len));
    assert_int_equal(5 * sizeof(size_t), offsetof(masstree_range_t, prefix));
    assert_int_equal(6 * sizeof(size_t), offsetof(masstree_range_t, prefix_len));
    assert_int_equal(7 * sizeof(size_t), offsetof(masstree_range_t, limit));
    assert_int_equal(8 * sizeof(size_t), offsetof(masstree_range_t, lower_bound));
    assert_int_equal(8 * sizeof(size_t) + 4, offsetof(masstree_range_t, upper_bound));
    assert_int_equal(8 * sizeof(size_t) + 8, offsetof(masstree_range_t, flags));
    assert_int_equal(8 * sizeof(size_t) + 12, offsetof(masstree_range_t, reserved));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(version_text_is_the_headers),
        cmocka_unit_test(version_number_is_the_headers),
        cmocka_unit_test(version_text_and_number_say_the_same),
        cmocka_unit_test(abi_number_is_the_headers),
        cmocka_unit_test(layout_of_options_is_frozen),
        cmocka_unit_test(layout_of_range_is_frozen),
    };
    return cmocka_run_group_tests_name("version", tests, NULL, NULL);
}
