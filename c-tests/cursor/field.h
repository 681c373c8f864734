/* Shared by tests of cursors: a tree of either kind, a sorted array as its model, and a cursor. */
#ifndef MASSTREE_TEST_CURSOR_FIELD_H
#define MASSTREE_TEST_CURSOR_FIELD_H

#include "support.h"

struct field {
    masstree_t *tree;
    struct model model;
    masstree_guard_t *lent; /* NULL: the cursor has its own guard */
    masstree_cursor_t *cursor;
    void *memory; /* of the cursor; NULL: the tree's allocator's */
    bool holds_bytes;
};

enum { FORMS = 8, FIELD_VALUE_MAX = 48 };

/* Creates an empty field; the forms are words or byte strings, own guard or the caller's, the tree's
   memory or the caller's. */
struct field new_field(unsigned form);
void end_field(struct field *field);
/* Layers of more than 15 keys below prefixes of 8, 16 and 24 bytes, keys that others
   begin with, the empty key. */
void fill_field(struct field *field, uint64_t each);
/* In the tree and in the model. */
void write_key(struct field *field, const void *key, size_t len, uint64_t number);
void remove_from(struct field *field, const void *key, size_t len);
/* The guard under which the cursor reads. */
void refresh_field(struct field *field);

/* Values of a tree of byte strings: the number, followed by as many bytes as it says. Returns
   the length. */
size_t field_value(uint64_t number, unsigned char *bytes);
void assert_value(struct field *field, uint64_t number);
int32_t value_status(struct field *field);
/* Asserts that the cursor is at the entry with this index. */
void assert_at(struct field *field, size_t place);
void assert_at_no_key(struct field *field);

/* The index to which a seek moves; the model's count: none. */
size_t place_of_seek(const struct model *model, const void *key, size_t len, uint32_t how);

#endif
