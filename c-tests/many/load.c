#include "many/load.h"

struct load new_load(uint64_t each)
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

void free_load(struct load *load)
{
    free(load->keys);
    free(load->words);
    free(load->values);
    model_free(&load->model);
}

void assert_bytes_loaded(const masstree_t *tree, const struct load *load, size_t count)
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

struct destroyed new_destroyed(size_t count)
{
    struct destroyed destroyed = {calloc(count, 1), count};
    assert_non_null(destroyed.times);
    return destroyed;
}

void count_destroyed(uint64_t value, void *ctx)
{
    struct destroyed *destroyed = ctx;
    REQUIRE(value < destroyed->count);
    destroyed->times[value]++;
}

void assert_destroyed(struct destroyed *destroyed, size_t first, size_t end)
{
    for (size_t i = 0; i < destroyed->count; i++) {
        if (destroyed->times[i] != (i >= first && i < end ? 1 : 0)) {
            fail_msg("value %zu was destroyed %u times", i, destroyed->times[i]);
        }
        destroyed->times[i] = 0;
    }
}

masstree_t *new_destroying_tree(struct destroyed *destroyed, struct allocator *allocator)
{
    masstree_options_t options = MASSTREE_OPTIONS_INIT;
    masstree_t *tree = NULL;
    if (allocator != NULL) {
        options = allocator_options(allocator, MASSTREE_VALUES_WORDS);
    }
    options.value_destructor = count_destroyed;
    options.value_ctx = destroyed;
    assert_ok(masstree_create(&options, &tree));
    return tree;
}
