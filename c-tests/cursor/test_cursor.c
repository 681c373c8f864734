/* Cursors, over trees of both kinds, compared with a sorted array: the key that each seek and
   each step reaches. */
#include "cursor/field.h"

static void cursor_in_an_empty_tree_has_no_key_until_one_is_put(void **state)
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
        refresh_field(&field);
        assert_at_no_key(&field);
        write_key(&field, "k", 1, 7);
        assert_ok(masstree_cursor_prev(field.cursor));
        assert_at(&field, 0);
        assert_status(MASSTREE_END, masstree_cursor_next(field.cursor));
        assert_at(&field, 0);
        end_field(&field);
    }
}

static void new_cursor_steps_to_the_first_or_last_key(void **state)
{
    (void)state;
    for (unsigned form = 0; form < FORMS; form++) {
        for (unsigned way = 0; way < 4; way++) {
            struct field field = new_field(form);
            fill_field(&field, 40);
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

static void whole_walks_visit_every_key_in_order(void **state)
{
    (void)state;
    for (unsigned form = 0; form < FORMS; form++) {
        struct field field = new_field(form);
        fill_field(&field, 300);
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

/* Seeks from a distant position, and steps from the key reached. */
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

/* Each key, and neighbours that mostly do not exist: longer by a byte, shorter by one, the last
   byte one less or more. */
static void seek_finds_the_nearest_key_in_every_mode(void **state)
{
    (void)state;
    for (unsigned form = 0; form < FORMS; form++) {
        struct field field = new_field(form);
        fill_field(&field, 40);
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
    static const uint32_t unknown[] = {6, 7, UINT32_MAX};
    struct field field = new_field(0);
    fill_field(&field, 40);
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

/* The key passed is the cursor's own key. */
static void seek_takes_the_cursors_own_key(void **state)
{
    (void)state;
    for (unsigned form = 0; form < FORMS; form++) {
        struct field field = new_field(form);
        unsigned char long_key[5000];
        fill_field(&field, 60);
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
            /* Also a part of it. */
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

static void direction_may_change_at_every_step(void **state)
{
    (void)state;
    for (unsigned form = 0; form < FORMS; form++) {
        struct field field = new_field(form);
        uint64_t random = 5 + form;
        fill_field(&field, 60);
        size_t place = 0;
        assert_ok(masstree_cursor_first(field.cursor));
        for (size_t step = 0; step < 20000; step++) {
            /* A walk whose drift changes, so that it reaches all keys. */
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cursor_in_an_empty_tree_has_no_key_until_one_is_put),
        cmocka_unit_test(new_cursor_steps_to_the_first_or_last_key),
        cmocka_unit_test(opening_without_a_place_for_the_cursor_is_invalid),
        cmocka_unit_test(whole_walks_visit_every_key_in_order),
        cmocka_unit_test(seek_finds_the_nearest_key_in_every_mode),
        cmocka_unit_test(integer_seek_is_a_seek_for_the_eight_bytes),
        cmocka_unit_test(unknown_ways_to_seek_are_invalid_and_move_nothing),
        cmocka_unit_test(seek_takes_the_cursors_own_key),
        cmocka_unit_test(direction_may_change_at_every_step),
    };
    return cmocka_run_group_tests_name("cursor", tests, NULL, NULL);
}
