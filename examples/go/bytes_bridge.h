/* What bytes.go calls: trees of byte strings, in the manner of bridge.h. */
#ifndef MASSTREE_GO_BYTES_BRIDGE_H
#define MASSTREE_GO_BYTES_BRIDGE_H

#include "bridge.h"

typedef struct {
    size_t len;
    int32_t status;
} sized_t;

/* The value goes to `room`. */
static inline sized_t bridge_copy_bytes(handles_t in, const char *key, size_t key_len, char *room,
                                        size_t capacity)
{
    sized_t sized = { 0, 0 };
    sized.status = masstree_copy_bytes(tree_of(in), guard_of(in), key, key_len, room, capacity,
                                       &sized.len);
    return sized;
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
