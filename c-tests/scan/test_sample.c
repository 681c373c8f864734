/* Keys drawn at random; src/index/tree/whole/random.rs tests how often each is drawn. */
#include "support.h"

enum { KEYS = 500, DRAWS = 300 };

struct seen {
    const struct model *model;
    uint64_t last;
    uint64_t sum; /* of the drawn values, in their order */
    size_t met;
    size_t stop_after;
    int32_t stops_with;
};

static int32_t meet(const void *key, size_t key_len, uint64_t value, void *ctx)
{
    struct seen *seen = ctx;
    const struct entry *entry = model_find(seen->model, key, key_len);
    assert_non_null(entry);
    assert_int_equal(entry->value, value);
    seen->sum = seen->sum * 31 + value;
    seen->last = value;
    return ++seen->met == seen->stop_after ? seen->stops_with : MASSTREE_VISIT_CONTINUE;
}

static int32_t meet_bytes(const void *key, size_t key_len, const void *value, size_t value_len,
                          void *ctx)
{
    uint64_t word = 0;
    assert_int_equal(sizeof word, value_len);
    memcpy(&word, value, sizeof word);
    return meet(key, key_len, word, ctx);
}

static int32_t draw(const masstree_t *tree, bool of_bytes, uint64_t *state, size_t count,
                    struct seen *seen, size_t *visited)
{
    return of_bytes ? masstree_sample_bytes(tree, NULL, state, count, meet_bytes, seen, visited)
                    : masstree_sample(tree, NULL, state, count, meet, seen, visited);
}

/* Put back: in `sample` of src/ffi, do not store the state, or store the number wanted as that visited. */
static void keys_of_the_tree_are_drawn(void **state)
{
    (void)state;
    for (unsigned of_bytes = 0; of_bytes < 2; of_bytes++) {
        masstree_t *tree = of_bytes != 0 ? new_bytes_tree() : new_tree();
        struct model model = {0};
        struct seen seen = {.model = &model};
        uint64_t random = 1;
        size_t visited = 77;
        assert_ok(draw(tree, of_bytes, &random, DRAWS, &seen, &visited));
        assert_int_equal(0, visited);
        for (enum family family = 0; family < FAMILIES; family++) {
            for (uint64_t number = 0; number < KEYS; number++) {
                unsigned char key[FAMILY_KEY_MAX];
                size_t len = family_key(family, number, key);
                model_put(&model, key, len, number);
                if (of_bytes != 0) {
                    assert_ok(masstree_put_bytes(tree, NULL, key, len, &number, sizeof number));
                } else {
                    assert_ok(masstree_put(tree, NULL, key, len, number));
                }
            }
        }
        uint64_t again = random;
        assert_ok(draw(tree, of_bytes, &random, DRAWS, &seen, &visited));
        assert_int_equal(DRAWS, visited);
        assert_int_equal(DRAWS, seen.met);
        assert_int_not_equal(again, random);
        struct seen same = {.model = &model};
        assert_ok(draw(tree, of_bytes, &again, DRAWS, &same, NULL));
        assert_int_equal(seen.sum, same.sum);
        assert_int_equal(random, again);
        /* The sequence goes on. */
        assert_ok(draw(tree, of_bytes, &again, DRAWS, &same, NULL));
        assert_int_not_equal(seen.sum, same.sum);
        assert_ok(draw(tree, of_bytes, &again, 0, &same, &visited));
        assert_int_equal(0, visited);
        const int32_t stops[] = {MASSTREE_VISIT_STOP, -1234};
        for (size_t i = 0; i < COUNT(stops); i++) {
            struct seen stopped = {.model = &model, .stop_after = 3, .stops_with = stops[i]};
            assert_status(stops[i] < 0 ? stops[i] : MASSTREE_OK,
                          draw(tree, of_bytes, &again, DRAWS, &stopped, &visited));
            assert_int_equal(3, visited);
        }
        end_tree(tree);
        model_free(&model);
    }
}

static void bad_arguments_are_refused(void **state)
{
    (void)state;
    masstree_t *words = new_tree();
    masstree_t *bytes = new_bytes_tree();
    struct seen seen = {0};
    uint64_t random = 7;
    assert_status(MASSTREE_INVALID, masstree_sample(words, NULL, NULL, 1, meet, &seen, NULL));
    assert_status(MASSTREE_INVALID, masstree_sample(words, NULL, &random, 1, NULL, &seen, NULL));
    assert_status(MASSTREE_INVALID,
                  masstree_sample_bytes(bytes, NULL, NULL, 1, meet_bytes, &seen, NULL));
    assert_status(MASSTREE_INVALID, masstree_sample_bytes(bytes, NULL, &random, 1, NULL, &seen, NULL));
    assert_int_equal(7, random);
    end_tree(words);
    end_tree(bytes);
}

static int32_t count_bytes(const void *key, size_t key_len, const void *value, size_t value_len,
                           void *ctx)
{
    (void)key;
    (void)value;
    *(size_t *)ctx += key_len + value_len;
    return MASSTREE_VISIT_CONTINUE;
}

static int32_t count_words(const void *key, size_t key_len, uint64_t value, void *ctx)
{
    (void)value;
    return count_bytes(key, key_len, NULL, 0, ctx);
}

/* Runs out of memory at each allocation in turn: the key is longer than what a draw has on the stack. Put back:
   in `try_draw`, reserve room for the key in such a way that the process ends without memory. */
static void without_memory_fewer_are_drawn(void **state)
{
    (void)state;
    static unsigned char key[5000];
    for (unsigned of_bytes = 0; of_bytes < 2; of_bytes++) {
        struct allocator allocator;
        allocator_start(&allocator);
        masstree_t *tree = new_tree_of(&allocator, of_bytes != 0 ? MASSTREE_VALUES_BYTES
                                                                 : MASSTREE_VALUES_WORDS);
        masstree_guard_t *guard = new_guard(tree);
        masstree_put(tree, guard, key, sizeof key, 1);
        masstree_put_bytes(tree, guard, key, sizeof key, NULL, 0);
        int32_t status = MASSTREE_NOMEM;
        size_t failures = 0;
        while (next_fails(&allocator, status, &failures)) {
            uint64_t random = 1;
            size_t bytes = 0;
            size_t visited = 77;
            status = of_bytes != 0 ? masstree_sample_bytes(tree, guard, &random, 3, count_bytes,
                                                           &bytes, &visited)
                                   : masstree_sample(tree, guard, &random, 3, count_words, &bytes,
                                                     &visited);
            assert_int_equal(visited * sizeof key, bytes);
            assert_int_equal(status == MASSTREE_OK, visited == 3);
        }
        masstree_guard_leave(guard);
        end_tree(tree);
        allocator_end(&allocator);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_of_the_tree_are_drawn),
        cmocka_unit_test(bad_arguments_are_refused),
        cmocka_unit_test(without_memory_fewer_are_drawn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
