/* What bytes.go calls: trees of byte strings, in the manner of bridge.h. */
#ifndef MASSTREE_GO_BYTES_BRIDGE_H
#define MASSTREE_GO_BYTES_BRIDGE_H

#include "bridge.h"

/* A value, which can be read until `guard` is left: Go leaves it when it has copied the value. */
typedef struct {
    uintptr_t guard; /* masstree_guard_t *, or 0: there is no value */
    masstree_slice_t value;
    size_t key_len;
    int32_t status;
} found_t;

static inline found_t found_begin(handles_t *in)
{
    found_t found = { 0, { NULL, 0 }, 0, 0 };
    found.status = bridge_enter(in);
    return found;
}

static inline found_t found_end(handles_t in, found_t found)
{
    if (found.status == MASSTREE_OK)
        found.guard = in.guard;
    else
        bridge_leave(in);
    return found;
}

static inline found_t bridge_longest_prefix_bytes(handles_t in, const char *key, size_t len)
{
    found_t found = found_begin(&in);
    if (found.status != MASSTREE_OK)
        return found;
    found.status = masstree_longest_prefix_bytes(tree_of(in), guard_of(in), key, len,
                                                 &found.key_len, &found.value);
    return found_end(in, found);
}

/* The value goes to `room`. */
static inline sized_t bridge_copy_bytes(handles_t in, const char *key, size_t key_len, char *room,
                                        size_t capacity)
{
    sized_t sized = { 0, 0 };
    sized.status = masstree_copy_bytes(tree_of(in), guard_of(in), key, key_len, room, capacity,
                                       &sized.len);
    return sized;
}

/* Finds the value that it has displaced. */
static inline found_t bridge_swap_bytes(handles_t in, const char *key, size_t key_len,
                                        const char *value, size_t value_len)
{
    found_t found = found_begin(&in);
    if (found.status != MASSTREE_OK)
        return found;
    found.status = masstree_exchange_bytes(tree_of(in), guard_of(in), key, key_len, value,
                                           value_len, &found.value);
    return found_end(in, found);
}

/* Finds the value that it has removed. */
static inline found_t bridge_take_bytes(handles_t in, const char *key, size_t key_len)
{
    found_t found = found_begin(&in);
    if (found.status != MASSTREE_OK)
        return found;
    found.status = masstree_remove_bytes(tree_of(in), guard_of(in), key, key_len, &found.value);
    return found_end(in, found);
}

static inline int32_t bridge_put_bytes(handles_t in, const char *key, size_t key_len,
                                       const char *value, size_t value_len)
{
    return masstree_put_bytes(tree_of(in), guard_of(in), key, key_len, value, value_len);
}

static inline int32_t bridge_insert_bytes(handles_t in, const char *key, size_t key_len,
                                          const char *value, size_t value_len)
{
    return masstree_insert_bytes(tree_of(in), guard_of(in), key, key_len, value, value_len, NULL);
}

static inline int32_t bridge_remove_bytes(handles_t in, const char *key, size_t key_len)
{
    return masstree_remove_bytes(tree_of(in), guard_of(in), key, key_len, NULL);
}

static inline int32_t bridge_compare_and_swap_bytes(handles_t in, const char *key, size_t key_len,
                                                    const char *old, size_t old_len,
                                                    const char *desired, size_t desired_len)
{
    masstree_slice_t expected = { old, old_len }, replacement = { desired, desired_len };
    return masstree_compare_exchange_bytes(tree_of(in), guard_of(in), key, key_len, expected,
                                           replacement, NULL);
}

static inline int32_t bridge_compare_and_delete_bytes(handles_t in, const char *key,
                                                      size_t key_len, const char *old,
                                                      size_t old_len)
{
    masstree_slice_t expected = { old, old_len };
    return masstree_remove_if_equal_bytes(tree_of(in), guard_of(in), key, key_len, expected, NULL);
}

static inline sized_t bridge_append_bytes(handles_t in, const char *key, size_t key_len,
                                          const char *more, size_t more_len)
{
    sized_t sized = { 0, 0 };
    sized.status = masstree_append_bytes(tree_of(in), guard_of(in), key, key_len, more, more_len,
                                         &sized.len);
    return sized;
}

#endif
