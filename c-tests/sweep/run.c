#include "sweep/run.h"

int32_t compare_word(const void *key, size_t key_len, uint64_t value, void *ctx)
{
    struct comparison *comparison = ctx;
    const struct model *model = &comparison->run->model;
    if (comparison->place < model->count) {
        const struct entry *entry = &model->entries[comparison->place++];
        if (compare_keys(entry->key, entry->len, key, key_len) == 0 &&
            (comparison->run->holds_bytes || entry->value == value)) {
            return MASSTREE_VISIT_CONTINUE;
        }
    }
    comparison->differs = true;
    return MASSTREE_VISIT_STOP;
}

int32_t compare_bytes(const void *key, size_t key_len, const void *value, size_t value_len,
                             void *ctx)
{
    struct comparison *comparison = ctx;
    int32_t answer = compare_word(key, key_len, 0, ctx);
    if (answer == MASSTREE_VISIT_CONTINUE) {
        unsigned char bytes[VALUE_MAX];
        uint64_t number = comparison->run->model.entries[comparison->place - 1].value;
        masstree_slice_t expected = value_of(number, bytes);
        if (compare_keys(expected.data, expected.len, value, value_len) != 0) {
            comparison->differs = true;
            return MASSTREE_VISIT_STOP;
        }
    }
    return answer;
}

void assert_as_the_model(struct run *run)
{
    size_t fail_at = run->allocator.fail_at;
    struct comparison comparison = {.run = run};
    run->allocator.fail_at = 0;
    assert_consistent(run->tree);
    if (run->holds_bytes) {
        assert_ok(masstree_scan_bytes(run->tree, NULL, NULL, compare_bytes, &comparison, NULL));
    } else {
        assert_ok(masstree_scan(run->tree, NULL, NULL, compare_word, &comparison, NULL));
    }
    assert_false(comparison.differs);
    assert_int_equal(run->model.count, comparison.place);
    assert_int_equal(run->model.count, tree_len(run->tree));
    run->allocator.fail_at = fail_at;
}

bool again(struct run *run, int32_t status, enum lenience lenience)
{
    if (run->allocator.failures == 0) {
        assert_true(status != MASSTREE_NOMEM);
        return false;
    }
    run->allocator.failures = 0;
    run->allocator.fail_at = 0;
    if (status != MASSTREE_NOMEM) {
        if (lenience == ANSWERS) {
            fail_msg("an allocation failed, and the answer was %d", status);
        }
        run->tally.absorbed++;
        return false;
    }
    run->tally.refused++;
    if (run->tree != NULL) {
        assert_as_the_model(run);
    }
    return true;
}
