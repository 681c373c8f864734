#include "support.h"

size_t model_position(const struct model *model, const void *key, size_t len)
{
    size_t low = 0;
    size_t high = model->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct entry *entry = &model->entries[middle];
        if (compare_keys(entry->key, entry->len, key, len) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

struct entry *model_find(const struct model *model, const void *key, size_t len)
{
    size_t at = model_position(model, key, len);
    if (at == model->count) {
        return NULL;
    }
    struct entry *entry = &model->entries[at];
    return compare_keys(entry->key, entry->len, key, len) == 0 ? entry : NULL;
}

void model_put(struct model *model, const void *key, size_t len, uint64_t value)
{
    struct entry *present = model_find(model, key, len);
    if (present != NULL) {
        present->value = value;
        return;
    }
    if (model->count == model->capacity) {
        model->capacity = model->capacity == 0 ? 64 : 2 * model->capacity;
        model->entries = realloc(model->entries, model->capacity * sizeof *model->entries);
        REQUIRE(model->entries != NULL);
    }
    size_t at = model_position(model, key, len);
    struct entry *entry = &model->entries[at];
    memmove(entry + 1, entry, (model->count - at) * sizeof *entry);
    entry->key = malloc(len + 1);
    REQUIRE(entry->key != NULL);
    if (len != 0) {
        memcpy(entry->key, key, len);
    }
    entry->len = len;
    entry->value = value;
    model->count++;
}

bool model_remove(struct model *model, const void *key, size_t len)
{
    struct entry *entry = model_find(model, key, len);
    if (entry == NULL) {
        return false;
    }
    free(entry->key);
    size_t after = (size_t)(model->entries + model->count - (entry + 1));
    memmove(entry, entry + 1, after * sizeof *entry);
    model->count--;
    return true;
}

void model_free(struct model *model)
{
    for (size_t i = 0; i < model->count; i++) {
        free(model->entries[i].key);
    }
    free(model->entries);
    *model = (struct model){0};
}

void put_both(masstree_t *tree, struct model *model, const void *key, size_t len, uint64_t value)
{
    assert_ok(masstree_put(tree, NULL, key, len, value));
    model_put(model, key, len, value);
}

void remove_both(masstree_t *tree, struct model *model, const void *key, size_t len)
{
    bool was_there = model_remove(model, key, len);
    assert_status(was_there ? MASSTREE_OK : MASSTREE_NOT_FOUND,
                  masstree_remove(tree, NULL, key, len, NULL));
}

static bool begins_with(const struct entry *entry, const void *prefix, size_t len)
{
    return len == 0 || (entry->len >= len && memcmp(entry->key, prefix, len) == 0);
}

static bool in_range(const struct entry *entry, const masstree_range_t *range)
{
    if (range->lower_bound != MASSTREE_BOUND_OPEN) {
        int order = compare_keys(entry->key, entry->len, range->lower, range->lower_len);
        if (order < 0 || (order == 0 && range->lower_bound == MASSTREE_BOUND_EXCLUSIVE)) {
            return false;
        }
    }
    if (range->upper_bound != MASSTREE_BOUND_OPEN) {
        int order = compare_keys(entry->key, entry->len, range->upper, range->upper_len);
        if (order > 0 || (order == 0 && range->upper_bound == MASSTREE_BOUND_EXCLUSIVE)) {
            return false;
        }
    }
    return begins_with(entry, range->prefix, range->prefix_len);
}

struct comparison {
    const struct model *model;
    const masstree_range_t *range;
    size_t next;
    size_t seen;
};

/* The next entry of the range in the scan's direction; NULL at its end. */
static const struct entry *next_expected(struct comparison *comparison)
{
    const struct model *model = comparison->model;
    bool reverse = (comparison->range->flags & MASSTREE_SCAN_REVERSE) != 0;
    while (comparison->next < model->count) {
        size_t at = comparison->next++;
        const struct entry *entry = &model->entries[reverse ? model->count - 1 - at : at];
        if (in_range(entry, comparison->range)) {
            return entry;
        }
    }
    return NULL;
}

static void print_key(const char *what, const void *key, size_t len)
{
    fprintf(stderr, "%s %zu bytes:", what, len);
    for (size_t i = 0; i < len && i < 96; i++) {
        fprintf(stderr, " %02x", ((const unsigned char *)key)[i]);
    }
    fputs("\n", stderr);
}

/* Not a status of the tree, so that the test recognises it. */
#define DISAGREES INT32_C(-1000)

static int32_t compare_visited(const void *key, size_t key_len, uint64_t value, void *ctx)
{
    struct comparison *comparison = ctx;
    const struct entry *expected = next_expected(comparison);
    if (key != NULL && expected != NULL && value == expected->value &&
        compare_keys(expected->key, expected->len, key, key_len) == 0) {
        comparison->seen++;
        return MASSTREE_VISIT_CONTINUE;
    }
    fprintf(stderr, "scan, after %zu keys as expected:\n", comparison->seen);
    print_key("  visited ", key, key == NULL ? 0 : key_len);
    if (expected != NULL) {
        print_key("  expected", expected->key, expected->len);
    } else {
        fputs("  expected the end\n", stderr);
    }
    return DISAGREES;
}

void assert_scan_agrees(const masstree_t *tree, masstree_guard_t *guard, const struct model *model,
                        const masstree_range_t *range)
{
    static const masstree_range_t everything = MASSTREE_RANGE_INIT;
    struct comparison comparison = {.model = model, .range = range != NULL ? range : &everything};
    size_t visited = SIZE_MAX;
    assert_ok(masstree_scan(tree, guard, range, compare_visited, &comparison, &visited));
    assert_int_equal(comparison.seen, visited);
    if (range != NULL && range->limit != 0 && visited == range->limit) {
        return;
    }
    assert_null(next_expected(&comparison));
}

void assert_agrees(const masstree_t *tree, const struct model *model)
{
    masstree_range_t reverse = MASSTREE_RANGE_INIT;
    reverse.flags = MASSTREE_SCAN_REVERSE;
    assert_scan_agrees(tree, NULL, model, NULL);
    assert_scan_agrees(tree, NULL, model, &reverse);
    for (size_t i = 0; i < model->count; i++) {
        const struct entry *entry = &model->entries[i];
        uint64_t value = ~entry->value;
        assert_ok(masstree_get(tree, NULL, entry->key, entry->len, &value));
        assert_int_equal(entry->value, value);
    }
    assert_int_equal(model->count, tree_len(tree));
}
