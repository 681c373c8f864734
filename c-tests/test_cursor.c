/* Cursors, over trees of both kinds, against a sorted array: where each seek and each
   step leads, whatever happened to the tree in between. */
#include "support.h"

#include <stdatomic.h>

/* A tree, what it holds, and a cursor in it. */
struct field {
    masstree_t *tree;
    struct model model;
    masstree_guard_t *lent; /* NULL: the cursor has a guard of its own */
    masstree_cursor_t *cursor;
    bool holds_bytes;
};

enum { FORMS = 4, VALUE_MAX = 48 };

/* Values of a tree of byte strings: the number, and as many bytes more as it says. */
static size_t value_of(uint64_t number, unsigned char *bytes)
{
    memcpy(bytes, &number, sizeof number);
    memset(bytes + sizeof number, 'v', number % (VALUE_MAX - sizeof number));
    return sizeof number + number % (VALUE_MAX - sizeof number);
}

static void write_key(struct field *field, const void *key, size_t len, uint64_t number)
{
    if (field->holds_bytes) {
        unsigned char value[VALUE_MAX];
        size_t value_len = value_of(number, value);
        assert_ok(masstree_put_bytes(field->tree, NULL, key, len, value, value_len));
    } else {
        assert_ok(masstree_put(field->tree, NULL, key, len, number));
    }
    model_put(&field->model, key, len, number);
}

static void remove_key(struct field *field, const void *key, size_t len)
{
    bool there = model_remove(&field->model, key, len);
    assert_status(there ? MASSTREE_OK : MASSTREE_NOT_FOUND,
                  masstree_remove(field->tree, NULL, key, len, NULL));
}

/* An empty one; the four forms are words or byte strings, own guard or lent. */
static struct field new_field(unsigned form)
{
    struct field field = {.holds_bytes = (form & 1) != 0};
    field.tree = field.holds_bytes ? new_bytes_tree() : new_tree();
    field.lent = (form & 2) != 0 ? new_guard(field.tree) : NULL;
    assert_ok(masstree_cursor_open(field.tree, field.lent, &field.cursor));
    return field;
}

static void end_field(struct field *field)
{
    masstree_cursor_close(field->cursor);
    masstree_guard_leave(field->lent);
    assert_int_equal(field->model.count, tree_len(field->tree));
    end_tree(field->tree);
    model_free(&field->model);
}

static void refresh(struct field *field)
{
    if (field->lent != NULL) {
        masstree_guard_refresh(field->lent);
    } else {
        masstree_cursor_refresh(field->cursor);
    }
}

/* Layers of more than 15 keys below prefixes of 8, 16 and 24 bytes, keys that others
   begin with, the empty key. */
static void fill(struct field *field, uint64_t each)
{
    for (enum family family = 0; family < FAMILIES; family++) {
        for (uint64_t number = 0; number < each; number++) {
            unsigned char key[FAMILY_KEY_MAX];
            size_t len = family_key(family, number, key);
            write_key(field, key, len, 1000 * (uint64_t)family + number);
        }
    }
}

static void assert_value(struct field *field, uint64_t number)
{
    if (field->holds_bytes) {
        unsigned char expected[VALUE_MAX];
        masstree_slice_t value = {NULL, 0};
        assert_ok(masstree_cursor_value_bytes(field->cursor, &value));
        assert_slice(expected, value_of(number, expected), value);
    } else {
        uint64_t value = ~number;
        assert_ok(masstree_cursor_value(field->cursor, &value));
        assert_int_equal(number, value);
    }
}

static int32_t value_status(struct field *field)
{
    return field->holds_bytes ? masstree_cursor_value_bytes(field->cursor, NULL)
                              : masstree_cursor_value(field->cursor, NULL);
}

/* The cursor is at the entry of this place. */
static void assert_at(struct field *field, size_t place)
{
    masstree_slice_t key = {NULL, 0};
    assert_in_range(place, 0, field->model.count - 1);
    const struct entry *entry = &field->model.entries[place];
    assert_ok(masstree_cursor_key(field->cursor, &key));
    assert_slice(entry->key, entry->len, key);
    assert_value(field, entry->value);
}

static void assert_at_no_key(struct field *field)
{
    masstree_slice_t key = {"untouched", 9};
    uint64_t value = 99;
    masstree_slice_t slice = {"untouched", 9};
    assert_status(MASSTREE_NOT_FOUND, masstree_cursor_key(field->cursor, &key));
    assert_status(MASSTREE_NOT_FOUND, value_status(field));
    assert_status(field->holds_bytes ? MASSTREE_WRONG_KIND : MASSTREE_NOT_FOUND,
                  masstree_cursor_value(field->cursor, &value));
    assert_status(field->holds_bytes ? MASSTREE_NOT_FOUND : MASSTREE_WRONG_KIND,
                  masstree_cursor_value_bytes(field->cursor, &slice));
    assert_int_equal(9, key.len);
    assert_int_equal(99, value);
    assert_int_equal(9, slice.len);
}

static void empty_tree_has_no_place_until_there_is_a_key(void **state)
{
    (void)state;
    for (unsigned form = 0; form < FORMS; form++) {
        struct field field = new_field(form);
        size_t count = 99;
        assert_at_no_key(&field);
        assert_status(MASSTREE_END, masstree_cursor_first(field.cursor));
        assert_status(MASSTREE_END, masstree_cursor_last(field.cursor));
        assert_status(MASSTREE_END, masstree_cursor_next(field.cursor));
        assert_status(MASSTREE_END, masstree_cursor_prev(field.cursor));
        for (uint32_t how = MASSTREE_SEEK_GE; how <= MASSTREE_SEEK_LT; how++) {
            assert_status(MASSTREE_END, masstree_cursor_seek(field.cursor, "k", 1, how));
            assert_status(MASSTREE_END, masstree_cursor_seek(field.cursor, NULL, 0, how));
            assert_status(MASSTREE_END, masstree_cursor_seek_u64(field.cursor, 1, how));
        }
        assert_status(MASSTREE_END,
                      masstree_cursor_next_many(field.cursor, NULL, NULL, 5, &count));
        assert_int_equal(0, count);
        assert_at_no_key(&field);
        refresh(&field);
        assert_at_no_key(&field);
        write_key(&field, "k", 1, 7);
        assert_ok(masstree_cursor_prev(field.cursor));
        assert_at(&field, 0);
        assert_status(MASSTREE_END, masstree_cursor_next(field.cursor));
        assert_at(&field, 0);
        end_field(&field);
    }
}

static void fresh_cursor_goes_to_the_first_key_or_to_the_last(void **state)
{
    (void)state;
    for (unsigned form = 0; form < FORMS; form++) {
        for (unsigned way = 0; way < 4; way++) {
            struct field field = new_field(form);
            fill(&field, 40);
            if (way == 0) {
                assert_ok(masstree_cursor_next(field.cursor));
            } else if (way == 1) {
                assert_ok(masstree_cursor_prev(field.cursor));
            } else if (way == 2) {
                assert_ok(masstree_cursor_first(field.cursor));
            } else {
                assert_ok(masstree_cursor_last(field.cursor));
            }
            assert_at(&field, way % 2 == 0 ? 0 : field.model.count - 1);
            end_field(&field);
        }
    }
}

static void opening_without_a_place_for_the_cursor_is_invalid(void **state)
{
    (void)state;
    masstree_t *tree = new_tree();
    masstree_guard_t *guard = new_guard(tree);
    assert_status(MASSTREE_INVALID, masstree_cursor_open(tree, NULL, NULL));
    assert_status(MASSTREE_INVALID, masstree_cursor_open(tree, guard, NULL));
    masstree_guard_leave(guard);
    end_tree(tree);
}

static void whole_walks_meet_every_key_in_order(void **state)
{
    (void)state;
    for (unsigned form = 0; form < FORMS; form++) {
        struct field field = new_field(form);
        fill(&field, 300);
        for (size_t place = 0; place < field.model.count; place++) {
            assert_ok(masstree_cursor_next(field.cursor));
            assert_at(&field, place);
        }
        assert_status(MASSTREE_END, masstree_cursor_next(field.cursor));
        assert_at(&field, field.model.count - 1);
        for (size_t place = field.model.count - 1; place-- > 0;) {
            assert_ok(masstree_cursor_prev(field.cursor));
            assert_at(&field, place);
        }
        assert_status(MASSTREE_END, masstree_cursor_prev(field.cursor));
        assert_status(MASSTREE_END, masstree_cursor_prev(field.cursor));
        assert_at(&field, 0);
        assert_ok(masstree_cursor_next(field.cursor));
        assert_at(&field, 1);
        end_field(&field);
    }
}

/* The place that a seek leads to; the model's count: none. */
static size_t place_of_seek(const struct model *model, const void *key, size_t len, uint32_t how)
{
    size_t at = model_position(model, key, len);
    bool there = model_find(model, key, len) != NULL;
    size_t above = there ? at + 1 : at;
    switch (how) {
    case MASSTREE_SEEK_GE:
        return at;
    case MASSTREE_SEEK_GT:
        return above;
    case MASSTREE_SEEK_LE:
        return above == 0 ? model->count : above - 1;
    default:
        return at == 0 ? model->count : at - 1;
    }
}

/* Seeks from a far place, and steps from where it led to. */
static void try_seek(struct field *field, const void *key, size_t len, uint32_t how)
{
    size_t place = place_of_seek(&field->model, key, len, how);
    size_t start = len * 31 % field->model.count;
    const struct entry *entry = &field->model.entries[start];
    assert_ok(masstree_cursor_seek(field->cursor, entry->key, entry->len, MASSTREE_SEEK_LE));
    assert_at(field, start);
    if (place == field->model.count) {
        assert_status(MASSTREE_END, masstree_cursor_seek(field->cursor, key, len, how));
        place = start;
    } else {
        assert_ok(masstree_cursor_seek(field->cursor, key, len, how));
    }
    assert_at(field, place);
    if (place + 1 < field->model.count) {
        assert_ok(masstree_cursor_next(field->cursor));
        assert_at(field, place + 1);
        assert_ok(masstree_cursor_prev(field->cursor));
        assert_at(field, place);
    }
    if (place > 0) {
        assert_ok(masstree_cursor_prev(field->cursor));
        assert_at(field, place - 1);
    }
}

/* Each key, and its neighbours that are mostly no keys: longer by a byte, shorter by
   one, the last byte one less or more. */
static void seek_leads_to_the_nearest_key_in_every_mode(void **state)
{
    (void)state;
    for (unsigned form = 0; form < FORMS; form++) {
        struct field field = new_field(form);
        fill(&field, 40);
        for (size_t i = 0; i < field.model.count; i++) {
            unsigned char key[FAMILY_KEY_MAX + 9] = {0};
            size_t len = field.model.entries[i].len;
            memcpy(key, field.model.entries[i].key, len);
            for (uint32_t how = MASSTREE_SEEK_GE; how <= MASSTREE_SEEK_LT; how++) {
                try_seek(&field, key, len, how);
                try_seek(&field, key, len + 1, how);
                try_seek(&field, key, len + 9, how);
                if (len > 0) {
                    try_seek(&field, key, len - 1, how);
                    key[len - 1]++;
                    try_seek(&field, key, len, how);
                    key[len - 1] -= 2;
                    try_seek(&field, key, len, how);
                    key[len - 1]++;
                }
            }
        }
        end_field(&field);
    }
}

static void integer_seek_is_a_seek_for_the_eight_bytes(void **state)
{
    (void)state;
    for (unsigned form = 0; form < FORMS; form++) {
        struct field field = new_field(form);
        for (uint64_t number = 10; number <= 1000; number += 10) {
            uint8_t key[8];
            masstree_u64_to_key(number, key);
            write_key(&field, key, 8, number);
        }
        for (uint64_t number = 0; number <= 1010; number += 5) {
            uint8_t key[8];
            masstree_u64_to_key(number, key);
            for (uint32_t how = MASSTREE_SEEK_GE; how <= MASSTREE_SEEK_LT; how++) {
                size_t place = place_of_seek(&field.model, key, 8, how);
                bool there = place < field.model.count;
                assert_status(there ? MASSTREE_OK : MASSTREE_END,
                              masstree_cursor_seek_u64(field.cursor, number, how));
                if (there) {
                    assert_at(&field, place);
                }
            }
        }
        end_field(&field);
    }
}

static void unknown_ways_to_seek_are_invalid_and_move_nothing(void **state)
{
    (void)state;
    static const uint32_t unknown[] = {4, 5, UINT32_MAX};
    struct field field = new_field(0);
    fill(&field, 40);
    assert_ok(masstree_cursor_first(field.cursor));
    for (size_t i = 0; i < COUNT(unknown); i++) {
        assert_status(MASSTREE_INVALID, masstree_cursor_seek(field.cursor, "q", 1, unknown[i]));
        assert_status(MASSTREE_INVALID, masstree_cursor_seek_u64(field.cursor, 9, unknown[i]));
    }
    assert_status(MASSTREE_INVALID,
                  masstree_cursor_seek(field.cursor, NULL, 1, MASSTREE_SEEK_GE));
    assert_at(&field, 0);
    assert_ok(masstree_cursor_next(field.cursor));
    assert_at(&field, 1);
    end_field(&field);
}

/* The key handed in is the one that the cursor is at. */
static void seek_takes_the_cursors_own_key(void **state)
{
    (void)state;
    for (unsigned form = 0; form < FORMS; form++) {
        struct field field = new_field(form);
        unsigned char long_key[5000];
        fill(&field, 60);
        memset(long_key, 'L', sizeof long_key);
        write_key(&field, long_key, sizeof long_key, 1);
        masstree_slice_t key = {NULL, 0};
        assert_ok(masstree_cursor_first(field.cursor));
        for (size_t place = 1; place < field.model.count; place++) {
            assert_ok(masstree_cursor_key(field.cursor, &key));
            assert_ok(masstree_cursor_seek(field.cursor, key.data, key.len, MASSTREE_SEEK_GE));
            assert_ok(masstree_cursor_key(field.cursor, &key));
            assert_ok(masstree_cursor_seek(field.cursor, key.data, key.len, MASSTREE_SEEK_GT));
            assert_at(&field, place);
        }
        for (size_t place = field.model.count - 1; place-- > 0;) {
            assert_ok(masstree_cursor_key(field.cursor, &key));
            assert_ok(masstree_cursor_seek(field.cursor, key.data, key.len, MASSTREE_SEEK_LE));
            assert_ok(masstree_cursor_key(field.cursor, &key));
            /* A part of it, too. */
            if (key.len > 8) {
                assert_ok(masstree_cursor_seek(field.cursor, key.data, key.len - 1,
                                               MASSTREE_SEEK_GE));
                assert_ok(masstree_cursor_seek(field.cursor, field.model.entries[place + 1].key,
                                               field.model.entries[place + 1].len,
                                               MASSTREE_SEEK_GE));
                assert_ok(masstree_cursor_key(field.cursor, &key));
            }
            assert_ok(masstree_cursor_seek(field.cursor, key.data, key.len, MASSTREE_SEEK_LT));
            assert_at(&field, place);
        }
        end_field(&field);
    }
}

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
        unsigned char expected[VALUE_MAX];
        assert_slice(expected, value_of(entry->value, expected), value);
    } else {
        assert_int_equal(entry->value, word);
    }
}

/* From no key at all to the end, so many at a time. */
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
            fill(&field, 80);
            walk_with_many(&field, false, capacities[i]);
            masstree_cursor_close(field.cursor);
            assert_ok(masstree_cursor_open(field.tree, field.lent, &field.cursor));
            walk_with_many(&field, true, capacities[i]);
            end_field(&field);
        }
    }
}

/* Keys of one call live side by side, long ones too. */
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
        fill(&field, 40);
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
        fill(&field, 60);
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

static void direction_may_change_at_every_step(void **state)
{
    (void)state;
    for (unsigned form = 0; form < FORMS; form++) {
        struct field field = new_field(form);
        uint64_t random = 5 + form;
        fill(&field, 60);
        size_t place = 0;
        assert_ok(masstree_cursor_first(field.cursor));
        for (size_t step = 0; step < 20000; step++) {
            /* A walk with a drift that changes, so that it comes everywhere. */
            bool reverse = random_below(&random, 100) < (step / 2000 % 2 == 0 ? 40 : 60);
            bool ends = place == (reverse ? 0 : field.model.count - 1);
            assert_status(ends ? MASSTREE_END : MASSTREE_OK,
                          reverse ? masstree_cursor_prev(field.cursor)
                                  : masstree_cursor_next(field.cursor));
            place = ends ? place : reverse ? place - 1 : place + 1;
            assert_at(&field, place);
        }
        end_field(&field);
    }
}

static void cursor_sees_what_was_put_just_ahead_and_just_behind(void **state)
{
    (void)state;
    for (unsigned form = 0; form < FORMS; form++) {
        struct field field = new_field(form);
        fill(&field, 40);
        /* Each key but the last gets a neighbour on its right: the shortest there is. */
        assert_ok(masstree_cursor_first(field.cursor));
        for (size_t place = 0; place + 1 < field.model.count; place += 2) {
            unsigned char key[FAMILY_KEY_MAX + 1] = {0};
            size_t len = field.model.entries[place].len;
            memcpy(key, field.model.entries[place].key, len);
            if (model_find(&field.model, key, len + 1) == NULL) {
                write_key(&field, key, len + 1, 7);
            }
            assert_ok(masstree_cursor_next(field.cursor));
            assert_at(&field, place + 1);
            if (place % 3 == 0) {
                refresh(&field);
            }
            assert_ok(masstree_cursor_next(field.cursor));
            assert_at(&field, place + 2);
        }
        /* And now behind: what is removed and put again. */
        assert_ok(masstree_cursor_last(field.cursor));
        for (size_t place = field.model.count - 1; place > 0; place--) {
            unsigned char key[FAMILY_KEY_MAX + 1];
            struct entry entry = field.model.entries[place - 1];
            size_t len = entry.len;
            memcpy(key, entry.key, len);
            remove_key(&field, key, len);
            write_key(&field, key, len, 8);
            assert_ok(masstree_cursor_prev(field.cursor));
            assert_at(&field, place - 1);
        }
        end_field(&field);
    }
}

static void cursor_goes_on_from_a_key_that_was_removed(void **state)
{
    (void)state;
    for (unsigned form = 0; form < 2 * FORMS; form++) {
        bool reverse = form >= FORMS;
        struct field field = new_field(form % FORMS);
        fill(&field, 40);
        assert_ok(reverse ? masstree_cursor_last(field.cursor)
                          : masstree_cursor_first(field.cursor));
        while (field.model.count > 1) {
            size_t place = reverse ? field.model.count - 1 : 0;
            unsigned char key[FAMILY_KEY_MAX];
            masstree_slice_t at = {NULL, 0};
            size_t len = field.model.entries[place].len;
            uint64_t value = field.model.entries[place].value;
            memcpy(key, field.model.entries[place].key, len);
            assert_at(&field, place);
            remove_key(&field, key, len);
            assert_ok(masstree_cursor_key(field.cursor, &at));
            assert_slice(key, len, at);
            assert_value(&field, value); /* as it was */
            if (place % 5 == 0 || value % 5 == 0) {
                refresh(&field);
                assert_status(MASSTREE_NOT_FOUND, value_status(&field));
                assert_ok(masstree_cursor_key(field.cursor, &at));
                assert_slice(key, len, at);
            }
            assert_ok(reverse ? masstree_cursor_prev(field.cursor)
                              : masstree_cursor_next(field.cursor));
        }
        end_field(&field);
    }
}

static void value_is_of_the_arrival_until_the_guard_is_refreshed(void **state)
{
    (void)state;
    for (unsigned form = 0; form < FORMS; form++) {
        struct field field = new_field(form);
        write_key(&field, "k", 1, 1);
        assert_ok(masstree_cursor_first(field.cursor));
        write_key(&field, "k", 1, 2);
        for (unsigned turn = 0; turn < 1000; turn++) {
            write_key(&field, "garbage", 7, turn);
        }
        assert_value(&field, 1);
        refresh(&field);
        assert_value(&field, 2);
        end_field(&field);
    }
}

/* What hangs on a lent guard is for who refreshes that guard. */
static void refreshing_the_cursor_does_nothing_to_a_lent_guard(void **state)
{
    (void)state;
    struct allocator allocator;
    allocator_start(&allocator);
    masstree_t *tree = new_tree_of(&allocator, MASSTREE_VALUES_BYTES);
    masstree_guard_t *guard = new_guard(tree);
    masstree_cursor_t *cursor = NULL;
    masstree_slice_t value = {NULL, 0};
    assert_ok(masstree_put_bytes(tree, NULL, "k", 1, "the value", 9));
    assert_ok(masstree_cursor_open(tree, guard, &cursor));
    assert_ok(masstree_cursor_first(cursor));
    assert_ok(masstree_cursor_value_bytes(cursor, &value));
    masstree_cursor_refresh(cursor);
    for (unsigned turn = 0; turn < 1000; turn++) {
        assert_ok(masstree_put_bytes(tree, NULL, "k", 1, "another one", 11));
    }
    assert_ok(masstree_flush(tree, NULL));
    assert_slice("the value", 9, value);
    masstree_slice_t again = {NULL, 0};
    assert_ok(masstree_cursor_value_bytes(cursor, &again));
    assert_slice("the value", 9, again);
    masstree_cursor_close(cursor);
    assert_slice("the value", 9, value); /* the guard is the caller's still */
    masstree_guard_leave(guard);
    end_tree(tree);
    allocator_end(&allocator);
}

/* What a cursor with a guard of its own pins, it lets go of. */
static void refreshing_lets_garbage_of_a_cursors_own_guard_go(void **state)
{
    (void)state;
    enum { LEN = 1000, TURNS = 2000 };
    static const unsigned char bytes[LEN];
    struct allocator allocator;
    allocator_start(&allocator);
    masstree_t *tree = new_tree_of(&allocator, MASSTREE_VALUES_BYTES);
    masstree_cursor_t *cursor = NULL;
    assert_ok(masstree_cursor_open(tree, NULL, &cursor));
    for (unsigned turn = 0; turn < TURNS; turn++) {
        assert_ok(masstree_put_bytes(tree, NULL, "k", 1, bytes, LEN));
    }
    assert_true(allocator_bytes(&allocator) > (size_t)(TURNS / 2) * LEN);
    for (unsigned turn = 0; turn < TURNS; turn++) {
        masstree_cursor_refresh(cursor);
        assert_ok(masstree_put_bytes(tree, NULL, "k", 1, bytes, LEN));
    }
    masstree_cursor_refresh(cursor);
    assert_ok(masstree_flush(tree, NULL));
    assert_in_range(allocator_bytes(&allocator), 0, (size_t)(TURNS / 4) * LEN);
    masstree_cursor_close(cursor);
    end_tree(tree);
    allocator_end(&allocator);
}

/* Whatever is done to the tree between steps: a step leads to the first key beyond the
   one the cursor is at. */
struct at {
    unsigned char key[FAMILY_KEY_MAX];
    size_t len;
    uint64_t value;
    bool is_somewhere;
    bool is_fresh; /* nothing was refreshed since it came there */
};

static void arrive(struct field *field, struct at *at, size_t place)
{
    const struct entry *entry = &field->model.entries[place];
    memcpy(at->key, entry->key, entry->len);
    at->len = entry->len;
    at->value = entry->value;
    at->is_somewhere = true;
    at->is_fresh = true;
}

static void step_or_seek(struct field *field, struct at *at, uint64_t *random)
{
    struct model *model = &field->model;
    size_t place;
    int32_t status;
    unsigned char key[FAMILY_KEY_MAX];
    switch (random_below(random, 8)) {
    case 0: {
        size_t len = family_key(random_below(random, FAMILIES), random_below(random, 60), key);
        uint32_t how = (uint32_t)random_below(random, 4);
        place = place_of_seek(model, key, len, how);
        status = masstree_cursor_seek(field->cursor, key, len, how);
        break;
    }
    case 1:
        place = 0;
        status = masstree_cursor_first(field->cursor);
        break;
    case 2:
        place = model->count == 0 ? 0 : model->count - 1;
        status = masstree_cursor_last(field->cursor);
        break;
    case 3:
    case 4:
    case 5:
        place = at->is_somewhere ? place_of_seek(model, at->key, at->len, MASSTREE_SEEK_GT) : 0;
        status = masstree_cursor_next(field->cursor);
        break;
    default:
        place = at->is_somewhere   ? place_of_seek(model, at->key, at->len, MASSTREE_SEEK_LT)
                : model->count > 0 ? model->count - 1
                                   : 0;
        status = masstree_cursor_prev(field->cursor);
    }
    assert_int_equal(place < model->count ? MASSTREE_OK : MASSTREE_END, status);
    if (place < model->count) {
        arrive(field, at, place);
    }
}

static void change_something(struct field *field, struct at *at, uint64_t *random)
{
    unsigned char key[FAMILY_KEY_MAX];
    size_t len = family_key(random_below(random, FAMILIES), random_below(random, 60), key);
    switch (random_below(random, 400)) {
    case 0:
        assert_ok(masstree_clear(field->tree, NULL));
        while (field->model.count > 0) {
            struct entry *last = &field->model.entries[field->model.count - 1];
            assert_true(model_remove(&field->model, last->key, last->len));
        }
        break;
    case 1:
    case 2:
        while (field->model.count > 0) {
            struct entry *entry =
                &field->model.entries[random_below(random, field->model.count)];
            len = entry->len;
            memcpy(key, entry->key, len);
            remove_key(field, key, len);
        }
        break;
    case 3:
    case 4:
    case 5:
        fill(field, 60);
        break;
    default:
        switch (random_below(random, 8)) {
        case 0:
        case 1:
        case 2:
            write_key(field, key, len, random_below(random, 100000));
            break;
        case 3:
        case 4:
            remove_key(field, key, len);
            break;
        case 5:
            assert_true(masstree_maintain(field->tree, NULL, 1 + random_below(random, 50),
                                          NULL) >= MASSTREE_OK);
            break;
        case 6:
            refresh(field);
            at->is_fresh = false;
            break;
        default:
            if (at->is_somewhere) { /* the very key */
                if (model_find(&field->model, at->key, at->len) != NULL) {
                    remove_key(field, at->key, at->len);
                } else {
                    write_key(field, at->key, at->len, 3);
                }
            }
        }
    }
}

static void assert_still_at(struct field *field, const struct at *at)
{
    masstree_slice_t key = {NULL, 0};
    if (!at->is_somewhere) {
        assert_at_no_key(field);
        return;
    }
    assert_ok(masstree_cursor_key(field->cursor, &key));
    assert_slice(at->key, at->len, key);
    if (at->is_fresh) {
        assert_value(field, at->value);
    }
}

static void cursor_survives_whatever_happens_between_its_steps(void **state)
{
    (void)state;
    for (unsigned form = 0; form < FORMS; form++) {
        struct field field = new_field(form);
        struct at at = {.is_somewhere = false};
        uint64_t random = 11 * form;
        fill(&field, 60);
        size_t steps = scaled(60000);
        for (size_t step = 0; step < steps; step++) {
            for (size_t changes = random_below(&random, 4); changes-- > 0;) {
                change_something(&field, &at, &random);
                assert_still_at(&field, &at);
            }
            step_or_seek(&field, &at, &random);
            assert_still_at(&field, &at);
        }
        end_field(&field);
    }
}

/* A thread that has keys come and go, with whole leaves and layers, while another walks.
   Of each three numbers the first is stable; the second is its neighbour in the same
   layers; the third goes on where a stable one ends, twelve such in layers that hold
   nothing else. */
struct churn {
    masstree_t *tree;
    enum family family;
    uint64_t numbers;
    size_t rounds;
    atomic_bool done;
    atomic_size_t walks;
};

enum { CHURN_KEY_MAX = FAMILY_KEY_MAX + 20 };

static size_t churn_key(const struct churn *churn, uint64_t number, unsigned char *key)
{
    if (number % 3 != 2) {
        return family_key(churn->family, number, key);
    }
    size_t len = family_key(churn->family, number - number % 36, key);
    memset(key + len, 'z', 17);
    key[len + 17] = (unsigned char)(number % 251);
    return len + 18;
}

static void churn_keys(void *arg)
{
    struct churn *churn = *(struct churn **)arg;
    uint64_t random = 3;
    /* Until there were enough rounds, and at least one walk both ways. */
    for (size_t round = 0; round < churn->rounds || atomic_load(&churn->walks) < 2; round++) {
        for (unsigned phase = 0; phase < 2; phase++) {
            bool scattered = random_below(&random, 2) == 0;
            for (uint64_t i = 0; i < churn->numbers; i++) {
                unsigned char key[CHURN_KEY_MAX];
                uint64_t number = scattered ? i * 7919 % churn->numbers : i;
                if (number % 3 == 0) {
                    continue;
                }
                size_t len = churn_key(churn, number, key);
                if (phase == 0) {
                    REQUIRE(masstree_put(churn->tree, NULL, key, len, number) == MASSTREE_OK);
                } else {
                    REQUIRE(masstree_remove(churn->tree, NULL, key, len, NULL) == MASSTREE_OK);
                }
            }
        }
        REQUIRE(masstree_maintain(churn->tree, NULL, 100, NULL) >= MASSTREE_OK);
    }
    atomic_store(&churn->done, true);
}

struct walker {
    struct churn *churn;
    masstree_cursor_t *cursor;
    unsigned char last[CHURN_KEY_MAX];
    size_t last_len;
    size_t met;
    size_t stable;
};

static void meet(struct walker *walker, bool reverse, masstree_slice_t key, uint64_t value)
{
    unsigned char expected[CHURN_KEY_MAX];
    REQUIRE(value < walker->churn->numbers);
    size_t len = churn_key(walker->churn, value, expected);
    REQUIRE(compare_keys(expected, len, key.data, key.len) == 0);
    if (walker->met++ > 0) {
        int order = compare_keys(walker->last, walker->last_len, key.data, key.len);
        REQUIRE(reverse ? order > 0 : order < 0);
    }
    memcpy(walker->last, expected, len);
    walker->last_len = len;
    walker->stable += value % 3 == 0 ? 1 : 0;
}

static int32_t walk_one(struct walker *walker, bool reverse)
{
    int32_t status = reverse ? masstree_cursor_prev(walker->cursor)
                             : masstree_cursor_next(walker->cursor);
    if (status == MASSTREE_OK) {
        masstree_slice_t key = {NULL, 0};
        uint64_t value = UINT64_MAX;
        REQUIRE(masstree_cursor_key(walker->cursor, &key) == MASSTREE_OK);
        REQUIRE(masstree_cursor_value(walker->cursor, &value) == MASSTREE_OK);
        meet(walker, reverse, key, value);
    }
    return status;
}

static int32_t walk_many(struct walker *walker, bool reverse)
{
    enum { CAPACITY = 23 };
    masstree_slice_t keys[CAPACITY];
    uint64_t values[CAPACITY];
    size_t count = 0;
    int32_t status = reverse
                         ? masstree_cursor_prev_many(walker->cursor, keys, values, CAPACITY,
                                                     &count)
                         : masstree_cursor_next_many(walker->cursor, keys, values, CAPACITY,
                                                     &count);
    for (size_t i = 0; i < count; i++) {
        meet(walker, reverse, keys[i], values[i]);
    }
    return status;
}

/* The keys come strictly ordered, so as many stable ones as there are means each exactly
   once. */
static void walk_all(struct churn *churn, bool reverse, unsigned turn)
{
    struct walker walker = {.churn = churn};
    int32_t status;
    size_t steps = 0;
    REQUIRE(masstree_cursor_open(churn->tree, NULL, &walker.cursor) == MASSTREE_OK);
    do {
        status = turn % 3 == 0 ? walk_many(&walker, reverse) : walk_one(&walker, reverse);
        if (turn % 3 == 1 && ++steps % 5 == 0) {
            masstree_cursor_refresh(walker.cursor);
        }
    } while (status == MASSTREE_OK);
    REQUIRE(status == MASSTREE_END);
    REQUIRE(walker.stable == (churn->numbers + 2) / 3);
    masstree_cursor_close(walker.cursor);
    atomic_fetch_add(&churn->walks, 1);
}

static void walk_both_ways(void *arg)
{
    struct churn *churn = *(struct churn **)arg;
    for (unsigned turn = 0; !atomic_load(&churn->done); turn++) {
        walk_all(churn, turn % 2 != 0, turn);
    }
}

static void walks_meet_stable_keys_once_while_others_come_and_go(void **state)
{
    (void)state;
    static const uint64_t sizes[] = {60, 900};
    for (enum family family = 0; family < FAMILIES; family++) {
        for (size_t i = 0; i < COUNT(sizes); i++) {
            struct churn churn = {.tree = new_tree(), .family = family, .numbers = sizes[i]};
            churn.rounds = scaled(90000 / sizes[i]);
            atomic_init(&churn.done, false);
            atomic_init(&churn.walks, 0);
            for (uint64_t number = 0; number < churn.numbers; number += 3) {
                unsigned char key[CHURN_KEY_MAX];
                size_t len = churn_key(&churn, number, key);
                assert_ok(masstree_put(churn.tree, NULL, key, len, number));
            }
            struct churn *args[] = {&churn, &churn};
            void (*const run[])(void *) = {churn_keys, walk_both_ways};
            run_together(COUNT(run), run, args, sizeof args[0]);
            assert_int_equal((churn.numbers + 2) / 3, tree_len(churn.tree));
            end_tree(churn.tree);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(empty_tree_has_no_place_until_there_is_a_key),
        cmocka_unit_test(fresh_cursor_goes_to_the_first_key_or_to_the_last),
        cmocka_unit_test(opening_without_a_place_for_the_cursor_is_invalid),
        cmocka_unit_test(whole_walks_meet_every_key_in_order),
        cmocka_unit_test(seek_leads_to_the_nearest_key_in_every_mode),
        cmocka_unit_test(integer_seek_is_a_seek_for_the_eight_bytes),
        cmocka_unit_test(unknown_ways_to_seek_are_invalid_and_move_nothing),
        cmocka_unit_test(seek_takes_the_cursors_own_key),
        cmocka_unit_test(many_steps_at_once_are_as_many_steps),
        cmocka_unit_test(keys_of_one_call_are_valid_together),
        cmocka_unit_test(outputs_of_many_may_be_left_out),
        cmocka_unit_test(many_starts_and_turns_anywhere),
        cmocka_unit_test(direction_may_change_at_every_step),
        cmocka_unit_test(cursor_sees_what_was_put_just_ahead_and_just_behind),
        cmocka_unit_test(cursor_goes_on_from_a_key_that_was_removed),
        cmocka_unit_test(value_is_of_the_arrival_until_the_guard_is_refreshed),
        cmocka_unit_test(refreshing_the_cursor_does_nothing_to_a_lent_guard),
        cmocka_unit_test(refreshing_lets_garbage_of_a_cursors_own_guard_go),
        cmocka_unit_test(cursor_survives_whatever_happens_between_its_steps),
        cmocka_unit_test(walks_meet_stable_keys_once_while_others_come_and_go),
    };
    return cmocka_run_group_tests_name("cursor", tests, NULL, NULL);
}
