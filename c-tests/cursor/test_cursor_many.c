/* cursor_next_many and cursor_prev_many move like as many single steps. */
#include "cursor/field.h"

static int32_t many(struct field *field, bool reverse, masstree_slice_t *keys, uint64_t *words,
                    masstree_slice_t *values, size_t capacity, size_t *count)
{
    if (field->holds_bytes) {
        return reverse ? masstree_cursor_prev_many_bytes(field->cursor, keys, values, capacity,
                                                         count)
                       : masstree_cursor_next_many_bytes(field->cursor, keys, values, capacity,
                                                         count);
    }
    return reverse ? masstree_cursor_prev_many(field->cursor, keys, words, capacity, count)
                   : masstree_cursor_next_many(field->cursor, keys, words, capacity, count);
}

static void assert_entry(struct field *field, size_t place, masstree_slice_t key, uint64_t word,
                         masstree_slice_t value)
{
    const struct entry *entry = &field->model.entries[place];
    assert_slice(entry->key, entry->len, key);
    if (field->holds_bytes) {
        unsigned char expected[FIELD_VALUE_MAX];
        assert_slice(expected, field_value(entry->value, expected), value);
    } else {
        assert_int_equal(entry->value, word);
    }
}

/* From no key to the end, `count` at a time. */
static void walk_with_many(struct field *field, bool reverse, size_t capacity)
{
    size_t total = field->model.count;
    masstree_slice_t *keys = calloc(capacity, sizeof *keys);
    masstree_slice_t *values = calloc(capacity, sizeof *values);
    uint64_t *words = calloc(capacity, sizeof *words);
    size_t seen = 0;
    size_t count = SIZE_MAX;
    assert_true(keys != NULL && values != NULL && words != NULL);
    while (seen < total) {
        size_t expected = total - seen < capacity ? total - seen : capacity;
        assert_ok(many(field, reverse, keys, words, values, capacity, &count));
        assert_int_equal(expected, count);
        for (size_t i = 0; i < count; i++) {
            size_t place = reverse ? total - 1 - seen - i : seen + i;
            assert_entry(field, place, keys[i], words[i], values[i]);
        }
        seen += count;
        assert_at(field, reverse ? total - seen : seen - 1);
    }
    count = 77;
    assert_status(MASSTREE_END, many(field, reverse, keys, words, values, capacity, &count));
    assert_int_equal(0, count);
    assert_at(field, reverse ? 0 : total - 1);
    free(keys);
    free(values);
    free(words);
}

static void many_steps_at_once_are_as_many_steps(void **state)
{
    (void)state;
    static const size_t capacities[] = {1, 2, 14, 15, 16, 17, 100, 100000};
    for (unsigned form = 0; form < FORMS; form++) {
        for (size_t i = 0; i < COUNT(capacities); i++) {
            struct field field = new_field(form);
            fill_field(&field, 80);
            walk_with_many(&field, false, capacities[i]);
            masstree_cursor_close(field.cursor);
            assert_ok(masstree_cursor_open(field.tree, field.lent, &field.cursor));
            walk_with_many(&field, true, capacities[i]);
            end_field(&field);
        }
    }
}

/* Keys of one call are in memory side by side, also long ones. */
static void keys_of_one_call_are_valid_together(void **state)
{
    (void)state;
    for (unsigned form = 0; form < FORMS; form++) {
        struct field field = new_field(form);
        static unsigned char key[20000];
        for (size_t i = 0; i < 200; i++) {
            memset(key, 'a' + (int)(i % 20), sizeof key);
            write_key(&field, key, i * 100, i);
        }
        walk_with_many(&field, false, 7);
        masstree_cursor_close(field.cursor);
        assert_ok(masstree_cursor_open(field.tree, field.lent, &field.cursor));
        walk_with_many(&field, true, field.model.count);
        end_field(&field);
    }
}

static void outputs_of_many_may_be_left_out(void **state)
{
    (void)state;
    for (unsigned form = 0; form < FORMS; form++) {
        struct field field = new_field(form);
        fill_field(&field, 40);
        assert_ok(many(&field, false, NULL, NULL, NULL, 10, NULL));
        assert_at(&field, 9);
        assert_ok(many(&field, true, NULL, NULL, NULL, 3, NULL));
        assert_at(&field, 6);
        size_t count = 99;
        assert_status(MASSTREE_INVALID, many(&field, false, NULL, NULL, NULL, 0, &count));
        assert_status(MASSTREE_INVALID, many(&field, true, NULL, NULL, NULL, 0, &count));
        assert_int_equal(99, count);
        assert_ok(masstree_cursor_key(field.cursor, NULL));
        assert_ok(value_status(&field));
        assert_at(&field, 6);
        end_field(&field);
    }
}

static void many_starts_and_turns_anywhere(void **state)
{
    (void)state;
    for (unsigned form = 0; form < FORMS; form++) {
        struct field field = new_field(form);
        uint64_t random = form;
        fill_field(&field, 60);
        size_t total = field.model.count;
        for (size_t turn = 0; turn < 2000; turn++) {
            masstree_slice_t keys[40];
            masstree_slice_t values[40];
            uint64_t words[40];
            size_t place = random_below(&random, total);
            size_t capacity = 1 + random_below(&random, 40);
            bool reverse = random_below(&random, 2) == 0;
            size_t left = reverse ? place : total - 1 - place;
            size_t expected = left < capacity ? left : capacity;
            size_t count = SIZE_MAX;
            assert_ok(masstree_cursor_seek(field.cursor, field.model.entries[place].key,
                                           field.model.entries[place].len, MASSTREE_SEEK_GE));
            assert_status(expected == 0 ? MASSTREE_END : MASSTREE_OK,
                          many(&field, reverse, keys, words, values, capacity, &count));
            assert_int_equal(expected, count);
            for (size_t i = 0; i < count; i++) {
                assert_entry(&field, reverse ? place - 1 - i : place + 1 + i, keys[i], words[i],
                             values[i]);
            }
            assert_at(&field, reverse ? place - expected : place + expected);
        }
        end_field(&field);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_steps_at_once_are_as_many_steps),
        cmocka_unit_test(keys_of_one_call_are_valid_together),
        cmocka_unit_test(outputs_of_many_may_be_left_out),
        cmocka_unit_test(many_starts_and_turns_anywhere),
    };
    return cmocka_run_group_tests_name("cursor_many", tests, NULL, NULL);
}
