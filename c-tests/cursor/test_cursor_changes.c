/* Cursors in a tree that the same thread changes between steps; what a refresh of the guard
   releases. */
#include "cursor/field.h"

static void cursor_sees_keys_put_just_ahead_and_just_behind(void **state)
{
    (void)state;
    for (unsigned form = 0; form < FORMS; form++) {
        struct field field = new_field(form);
        fill_field(&field, 40);
        /* Each key except the last gets a right neighbour: the shortest possible. */
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
                refresh_field(&field);
            }
            assert_ok(masstree_cursor_next(field.cursor));
            assert_at(&field, place + 2);
        }
        /* Now to the left: keys that are removed and put again. */
        assert_ok(masstree_cursor_last(field.cursor));
        for (size_t place = field.model.count - 1; place > 0; place--) {
            unsigned char key[FAMILY_KEY_MAX + 1];
            struct entry entry = field.model.entries[place - 1];
            size_t len = entry.len;
            memcpy(key, entry.key, len);
            remove_from(&field, key, len);
            write_key(&field, key, len, 8);
            assert_ok(masstree_cursor_prev(field.cursor));
            assert_at(&field, place - 1);
        }
        end_field(&field);
    }
}

static void cursor_continues_from_a_removed_key(void **state)
{
    (void)state;
    for (unsigned form = 0; form < 2 * FORMS; form++) {
        bool reverse = form >= FORMS;
        struct field field = new_field(form % FORMS);
        fill_field(&field, 40);
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
            remove_from(&field, key, len);
            assert_ok(masstree_cursor_key(field.cursor, &at));
            assert_slice(key, len, at);
            assert_value(&field, value); /* unchanged */
            if (place % 5 == 0 || value % 5 == 0) {
                refresh_field(&field);
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
        refresh_field(&field);
        assert_value(&field, 2);
        end_field(&field);
    }
}

/* What a caller's guard protects, is released when the caller refreshes it. */
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
    assert_slice("the value", 9, value); /* the guard is still the caller's */
    masstree_guard_leave(guard);
    end_tree(tree);
    allocator_end(&allocator);
}

/* A cursor with its own guard releases what it protects. */
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

/* Whatever changes the tree between steps, a step reaches the first key after the cursor's key. */
struct at {
    unsigned char key[FAMILY_KEY_MAX];
    size_t len;
    uint64_t value;
    bool is_somewhere;
    bool is_fresh; /* nothing was refreshed since it reached the key */
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
            remove_from(field, key, len);
        }
        break;
    case 3:
    case 4:
    case 5:
        fill_field(field, 60);
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
            remove_from(field, key, len);
            break;
        case 5:
            assert_true(masstree_maintain(field->tree, NULL, 1 + random_below(random, 50),
                                          NULL) >= MASSTREE_OK);
            break;
        case 6:
            refresh_field(field);
            at->is_fresh = false;
            break;
        default:
            if (at->is_somewhere) { /* the same key */
                if (model_find(&field->model, at->key, at->len) != NULL) {
                    remove_from(field, at->key, at->len);
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
        fill_field(&field, 60);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cursor_sees_keys_put_just_ahead_and_just_behind),
        cmocka_unit_test(cursor_continues_from_a_removed_key),
        cmocka_unit_test(value_is_of_the_arrival_until_the_guard_is_refreshed),
        cmocka_unit_test(refreshing_the_cursor_does_nothing_to_a_lent_guard),
        cmocka_unit_test(refreshing_lets_garbage_of_a_cursors_own_guard_go),
        cmocka_unit_test(cursor_survives_whatever_happens_between_its_steps),
    };
    return cmocka_run_group_tests_name("cursor_changes", tests, NULL, NULL);
}
