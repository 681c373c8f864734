/* Shared by tests of cursors: see field.h. */
#include "cursor/field.h"

size_t field_value(uint64_t number, unsigned char *bytes)
{
    memcpy(bytes, &number, sizeof number);
    memset(bytes + sizeof number, 'v', number % (FIELD_VALUE_MAX - sizeof number));
    return sizeof number + number % (FIELD_VALUE_MAX - sizeof number);
}

void write_key(struct field *field, const void *key, size_t len, uint64_t number)
{
    if (field->holds_bytes) {
        unsigned char value[FIELD_VALUE_MAX];
        size_t value_len = field_value(number, value);
        assert_ok(masstree_put_bytes(field->tree, NULL, key, len, value, value_len));
    } else {
        assert_ok(masstree_put(field->tree, NULL, key, len, number));
    }
    model_put(&field->model, key, len, number);
}

void remove_from(struct field *field, const void *key, size_t len)
{
    bool there = model_remove(&field->model, key, len);
    assert_status(there ? MASSTREE_OK : MASSTREE_NOT_FOUND,
                  masstree_remove(field->tree, NULL, key, len, NULL));
}

struct field new_field(unsigned form)
{
    struct field field = {.holds_bytes = (form & 1) != 0};
    field.tree = field.holds_bytes ? new_bytes_tree() : new_tree();
    field.lent = (form & 2) != 0 ? new_guard(field.tree) : NULL;
    if ((form & 4) != 0) {
        field.memory = malloc(masstree_cursor_size());
        assert_ok(masstree_cursor_open_in(field.tree, field.lent, field.memory, masstree_cursor_size(),
                                          &field.cursor));
    } else {
        assert_ok(masstree_cursor_open(field.tree, field.lent, &field.cursor));
    }
    return field;
}

void end_field(struct field *field)
{
    masstree_cursor_close(field->cursor);
    free(field->memory);
    masstree_guard_leave(field->lent);
    assert_int_equal(field->model.count, tree_len(field->tree));
    end_tree(field->tree);
    model_free(&field->model);
}

void refresh_field(struct field *field)
{
    if (field->lent != NULL) {
        masstree_guard_refresh(field->lent);
    } else {
        masstree_cursor_refresh(field->cursor);
    }
}

void fill_field(struct field *field, uint64_t each)
{
    for (enum family family = 0; family < FAMILIES; family++) {
        for (uint64_t number = 0; number < each; number++) {
            unsigned char key[FAMILY_KEY_MAX];
            size_t len = family_key(family, number, key);
            write_key(field, key, len, 1000 * (uint64_t)family + number);
        }
    }
}

void assert_value(struct field *field, uint64_t number)
{
    if (field->holds_bytes) {
        unsigned char expected[FIELD_VALUE_MAX];
        masstree_slice_t value = {NULL, 0};
        assert_ok(masstree_cursor_value_bytes(field->cursor, &value));
        assert_slice(expected, field_value(number, expected), value);
    } else {
        uint64_t value = ~number;
        assert_ok(masstree_cursor_value(field->cursor, &value));
        assert_int_equal(number, value);
    }
}

int32_t value_status(struct field *field)
{
    return field->holds_bytes ? masstree_cursor_value_bytes(field->cursor, NULL)
                              : masstree_cursor_value(field->cursor, NULL);
}

void assert_at(struct field *field, size_t place)
{
    masstree_slice_t key = {NULL, 0};
    assert_in_range(place, 0, field->model.count - 1);
    const struct entry *entry = &field->model.entries[place];
    assert_ok(masstree_cursor_key(field->cursor, &key));
    assert_slice(entry->key, entry->len, key);
    assert_value(field, entry->value);
}

void assert_at_no_key(struct field *field)
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

size_t place_of_seek(const struct model *model, const void *key, size_t len, uint32_t how)
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
