/* Options of a tree: sizes of the struct, kinds of values, allocators, chunks of memory. */
#include "support.h"

/* A struct of a later version of the library: ours, and fields that it does not know. */
struct later_options {
    masstree_options_t known;
    uint64_t unknown[2];
};

static void options_of_every_legal_size_make_a_tree(void **state)
{
    (void)state;
    struct later_options later = {.known = MASSTREE_OPTIONS_INIT};
    masstree_options_t options = MASSTREE_OPTIONS_INIT;
    masstree_t *tree = NULL;
    assert_ok(masstree_create(&options, &tree));
    end_tree(tree);
    later.known.struct_size = sizeof later;
    assert_ok(masstree_create(&later.known, &tree));
    end_tree(tree);
}

static void options_the_library_does_not_understand_are_refused(void **state)
{
    (void)state;
    struct later_options later = {.known = MASSTREE_OPTIONS_INIT};
    masstree_options_t options = MASSTREE_OPTIONS_INIT;
    masstree_t *const none = (masstree_t *)&options;
    masstree_t *tree = none;
    static const size_t sizes[] = {0, 1, sizeof(size_t), sizeof options - 1, SIZE_MAX};
    for (size_t i = 0; i < COUNT(sizes); i++) {
        options.struct_size = sizes[i];
        assert_status(MASSTREE_INVALID, masstree_create(&options, &tree));
    }
    later.known.struct_size = sizeof later;
    for (size_t byte = 0; byte < sizeof later.unknown; byte++) {
        memset(later.unknown, 0, sizeof later.unknown);
        ((unsigned char *)later.unknown)[byte] = 1;
        assert_status(MASSTREE_INVALID, masstree_create(&later.known, &tree));
    }
    assert_ptr_equal(none, tree);
    assert_status(MASSTREE_INVALID, masstree_create(NULL, NULL));
}

static void huge_pages_are_for_large_trees_or_never(void **state)
{
    (void)state;
    static const uint32_t kinds[] = {MASSTREE_HUGE_PAGES_FOR_LARGE_TREES,
                                     MASSTREE_HUGE_PAGES_NEVER};
    for (size_t i = 0; i < 2; i++) {
        masstree_options_t options = MASSTREE_OPTIONS_INIT;
        masstree_t *tree = NULL;
        options.huge_pages = kinds[i];
        assert_status(MASSTREE_OK, masstree_create(&options, &tree));
        /* More than 4 MiB of nodes, twice: memory of both origins is reused. */
        for (int round = 0; round < 2; round++) {
            for (uint64_t key = 0; key < 300000; key++)
                assert_status(MASSTREE_OK, masstree_put_u64(tree, NULL, key, key));
            assert_status(MASSTREE_OK, masstree_check(tree, NULL, NULL, NULL));
            for (uint64_t key = 0; key < 300000; key++)
                assert_status(MASSTREE_OK, masstree_remove_u64(tree, NULL, key, NULL));
        }
        masstree_destroy(tree);
    }
    masstree_options_t options = MASSTREE_OPTIONS_INIT;
    masstree_t *tree = NULL;
    options.huge_pages = 3;
    assert_status(MASSTREE_INVALID, masstree_create(&options, &tree));
    options.huge_pages = MASSTREE_HUGE_PAGES_FROM_ALLOCATOR;
    assert_status(MASSTREE_INVALID, masstree_create(&options, &tree));
    struct allocator allocator;
    allocator_start(&allocator);
    options = allocator_options(&allocator, MASSTREE_VALUES_WORDS);
    options.huge_pages = MASSTREE_HUGE_PAGES_FROM_ALLOCATOR;
    assert_status(MASSTREE_INVALID, masstree_create(&options, &tree)); /* it has a chunk_size */
    allocator_end(&allocator);
    assert_null(tree);
}

static void take_value(uint64_t value, void *ctx)
{
    (void)value;
    (void)ctx;
}

static void kind_of_values_is_words_byte_strings_or_versions(void **state)
{
    (void)state;
    masstree_options_t options = MASSTREE_OPTIONS_INIT;
    masstree_t *tree = NULL;
    static const uint32_t unknown[] = {3, 4, UINT32_MAX};
    assert_int_equal(MASSTREE_VALUES_WORDS, options.value_kind);
    for (size_t i = 0; i < COUNT(unknown); i++) {
        options.value_kind = unknown[i];
        assert_status(MASSTREE_INVALID, masstree_create(&options, &tree));
    }
    /* The tree frees byte strings and versions itself. */
    static const uint32_t owned[] = {MASSTREE_VALUES_BYTES, MASSTREE_VALUES_VERSIONED};
    for (size_t i = 0; i < COUNT(owned); i++) {
        tree = NULL;
        options.value_kind = owned[i];
        options.value_destructor = take_value;
        assert_status(MASSTREE_INVALID, masstree_create(&options, &tree));
        assert_null(tree);
        options.value_destructor = NULL;
        assert_ok(masstree_create(&options, &tree));
        end_tree(tree);
    }
    options.value_kind = MASSTREE_VALUES_WORDS;
    options.value_destructor = take_value;
    assert_ok(masstree_create(&options, &tree));
    end_tree(tree);
}

static void allocator_is_two_functions_or_none(void **state)
{
    (void)state;
    struct allocator allocator;
    allocator_start(&allocator);
    const masstree_options_t both = allocator_options(&allocator, MASSTREE_VALUES_WORDS);
    masstree_options_t options = both;
    masstree_t *tree = NULL;
    options.alloc = NULL;
    assert_status(MASSTREE_INVALID, masstree_create(&options, &tree));
    options = both;
    options.free = NULL;
    assert_status(MASSTREE_INVALID, masstree_create(&options, &tree));
    assert_null(tree);
    assert_int_equal(0, allocator.calls);
    options = both;
    assert_ok(masstree_create(&options, &tree));
    assert_true(allocator.calls > 0);
    end_tree(tree);
    allocator_end(&allocator);
}

/* Chunks of every size: whole nodes, or one at least. */
static void pool_allocates_chunks_of_the_configured_size(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 319, 320, 384, 1000, 4096, 1 << 20};
    for (size_t i = 0; i < COUNT(sizes); i++) {
        struct allocator allocator;
        allocator_start(&allocator);
        masstree_options_t options = allocator_options(&allocator, MASSTREE_VALUES_WORDS);
        masstree_t *tree = NULL;
        options.chunk_size = sizes[i];
        assert_ok(masstree_create(&options, &tree));
        size_t calls = allocator.calls;
        for (uint64_t number = 0; number < 20000; number++) {
            assert_ok(masstree_put_u64(tree, NULL, number, number));
        }
        /* Leaves of 8 to 15 keys: some 2000 nodes of 320 bytes. */
        if (sizes[i] > 0 && sizes[i] < 640) {
            assert_in_range(allocator.calls - calls, 20000 / 15, 20000 / 5);
        } else if (sizes[i] == 1 << 20 && NODES_ARE_POOLED) {
            assert_in_range(allocator.calls - calls, 0, 5);
        }
        assert_in_range(allocator_bytes(&allocator), 20000 / 15 * 320, 8 << 20);
        end_tree(tree);
        allocator_end(&allocator);
    }
}

static void memory_is_asked_for_as_promised(void **state)
{
    (void)state;
    struct allocator allocator;
    allocator_start(&allocator);
    masstree_t *tree = new_tree_of(&allocator, MASSTREE_VALUES_BYTES);
    masstree_guard_t *guards[100];
    for (size_t i = 0; i < COUNT(guards); i++) {
        guards[i] = new_guard(tree);
        assert_ok(masstree_put_bytes(tree, guards[i], "a key with a suffix", 10 + i % 10, "v", 1));
    }
    for (size_t i = 0; i < COUNT(guards); i++) {
        masstree_guard_leave(guards[i]);
    }
    end_tree(tree);
    assert_in_range(allocator.largest_align, 1, 128);
    allocator_end(&allocator);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_of_every_legal_size_make_a_tree),
        cmocka_unit_test(options_the_library_does_not_understand_are_refused),
        cmocka_unit_test(huge_pages_are_for_large_trees_or_never),
        cmocka_unit_test(kind_of_values_is_words_byte_strings_or_versions),
        cmocka_unit_test(allocator_is_two_functions_or_none),
        cmocka_unit_test(pool_allocates_chunks_of_the_configured_size),
        cmocka_unit_test(memory_is_asked_for_as_promised),
    };
    return cmocka_run_group_tests_name("options", tests, NULL, NULL);
}
