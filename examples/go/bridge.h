/*
 * The functions that the Go package calls, in forms that are cheap to call from Go.
 * Results are returned, because a Go variable whose address goes to C would move to the
 * heap. Handles are integers, because cgo checks each pointer, and allocates for it. Loops
 * over many keys are here, because each call from Go costs as much as a look-up.
 */
#ifndef BRIDGE_H
#define BRIDGE_H

#include <masstree.h>
#include <stdbool.h>
#include <stdlib.h>

enum { BRIDGE_CHUNK = 64 };

typedef struct {
    uintptr_t tree;  /* masstree_t *; 0 when closed */
    uintptr_t guard; /* masstree_guard_t *, or 0 */
} handles_t;

typedef struct {
    uint64_t value;
    int32_t status;
} word_t;

/* With MASSTREE_TOO_SMALL, the length that the room must have. */
typedef struct {
    size_t len;
    int32_t status;
} sized_t;

static inline masstree_t *tree_of(handles_t in)
{
    return (masstree_t *)in.tree;
}

static inline masstree_guard_t *guard_of(handles_t in)
{
    return (masstree_guard_t *)in.guard;
}

static inline int32_t bridge_create(handles_t *made, bool of_bytes)
{
    masstree_options_t options = MASSTREE_OPTIONS_INIT;
    masstree_t *tree = NULL;
    options.value_kind = of_bytes ? MASSTREE_VALUES_BYTES : MASSTREE_VALUES_WORDS;
    int32_t status = masstree_create(&options, &tree);
    made->tree = (uintptr_t)tree;
    return status;
}

static inline void bridge_destroy(handles_t in)
{
    masstree_destroy(tree_of(in));
}

static inline int32_t bridge_enter(handles_t *made)
{
    masstree_guard_t *guard = NULL;
    int32_t status = masstree_guard_enter(tree_of(*made), &guard);
    made->guard = (uintptr_t)guard;
    return status;
}

static inline void bridge_refresh(handles_t in)
{
    masstree_guard_refresh(guard_of(in));
}

static inline void bridge_leave(handles_t in)
{
    masstree_guard_leave(guard_of(in));
}

static inline word_t bridge_get(handles_t in, const char *key, size_t len)
{
    word_t word = { 0, 0 };
    word.status = masstree_get(tree_of(in), guard_of(in), key, len, &word.value);
    return word;
}

static inline word_t bridge_get_u64(handles_t in, uint64_t key)
{
    word_t word = { 0, 0 };
    word.status = masstree_get_u64(tree_of(in), guard_of(in), key, &word.value);
    return word;
}

typedef struct {
    size_t len;
    uint64_t value;
    int32_t status;
} match_t;

static inline match_t bridge_longest_prefix(handles_t in, const char *key, size_t len)
{
    match_t match = { 0, 0, 0 };
    match.status = masstree_longest_prefix(tree_of(in), guard_of(in), key, len, &match.len,
                                           &match.value);
    return match;
}

static inline word_t bridge_swap(handles_t in, const char *key, size_t len, uint64_t value)
{
    word_t word = { 0, 0 };
    word.status = masstree_exchange(tree_of(in), guard_of(in), key, len, value, &word.value);
    if (word.status == MASSTREE_EXISTS) {
        /* Nothing was displaced: the key already had this value. */
        word = (word_t){ MASSTREE_OK, value };
    }
    return word;
}

static inline word_t bridge_insert(handles_t in, const char *key, size_t len, uint64_t value)
{
    word_t word = { 0, 0 };
    word.status = masstree_insert(tree_of(in), guard_of(in), key, len, value, &word.value);
    return word;
}

static inline word_t bridge_remove(handles_t in, const char *key, size_t len)
{
    word_t word = { 0, 0 };
    word.status = masstree_remove(tree_of(in), guard_of(in), key, len, &word.value);
    return word;
}

static inline word_t bridge_len(handles_t in)
{
    word_t word = { 0, 0 };
    word.status = masstree_len(tree_of(in), &word.value);
    return word;
}

static inline int32_t bridge_put(handles_t in, const char *key, size_t len, uint64_t value)
{
    return masstree_put(tree_of(in), guard_of(in), key, len, value);
}

static inline int32_t bridge_put_u64(handles_t in, uint64_t key, uint64_t value)
{
    return masstree_put_u64(tree_of(in), guard_of(in), key, value);
}

static inline word_t bridge_add(handles_t in, const char *key, size_t len, uint64_t more)
{
    word_t word = { 0, 0 };
    word.status = masstree_add(tree_of(in), guard_of(in), key, len, more, &word.value);
    return word;
}

static inline int32_t bridge_compare_and_swap(handles_t in, const char *key, size_t len,
                                              uint64_t old, uint64_t desired)
{
    return masstree_compare_exchange(tree_of(in), guard_of(in), key, len, old, desired, NULL);
}

static inline int32_t bridge_compare_and_delete(handles_t in, const char *key, size_t len,
                                                uint64_t old)
{
    return masstree_remove_if_equal(tree_of(in), guard_of(in), key, len, old, NULL);
}

static inline int32_t bridge_check(handles_t in)
{
    return masstree_check(tree_of(in), guard_of(in), NULL, NULL);
}

/* An iterator's read-ahead buffer: C memory, because C pointers stay in it. */
typedef struct {
    masstree_cursor_t *cursor;
    size_t count;
    bool reverse;
    bool of_bytes; /* the values are strings, not words */
    masstree_slice_t keys[BRIDGE_CHUNK];
    uint64_t words[BRIDGE_CHUNK];
    masstree_slice_t strings[BRIDGE_CHUNK];
} ahead_t;

static inline int32_t bridge_open(handles_t in, bool of_bytes, bool reverse, ahead_t **ahead)
{
    ahead_t *made = calloc(1, sizeof *made);
    int32_t status = MASSTREE_NOMEM;
    if (made != NULL)
        status = masstree_cursor_open(tree_of(in), guard_of(in), &made->cursor);
    if (status != MASSTREE_OK) {
        free(made);
        return status;
    }
    made->of_bytes = of_bytes;
    made->reverse = reverse;
    *ahead = made;
    return MASSTREE_OK;
}

static inline void bridge_close(ahead_t *ahead)
{
    masstree_cursor_close(ahead->cursor);
    free(ahead);
}

static inline int32_t bridge_more(ahead_t *ahead)
{
    masstree_cursor_refresh(ahead->cursor);
    if (ahead->of_bytes)
        return (ahead->reverse ? masstree_cursor_prev_many_bytes : masstree_cursor_next_many_bytes)(
            ahead->cursor, ahead->keys, ahead->strings, BRIDGE_CHUNK, &ahead->count);
    return (ahead->reverse ? masstree_cursor_prev_many : masstree_cursor_next_many)(
        ahead->cursor, ahead->keys, ahead->words, BRIDGE_CHUNK, &ahead->count);
}

/* Reads the first key of a range that begins at a bound. */
static inline int32_t bridge_seek(ahead_t *ahead, const char *bound, size_t len)
{
    uint32_t how = ahead->reverse ? MASSTREE_SEEK_LT : MASSTREE_SEEK_GE;
    int32_t status = masstree_cursor_seek(ahead->cursor, bound, len, how);
    if (status != MASSTREE_OK)
        return status;
    masstree_cursor_key(ahead->cursor, &ahead->keys[0]);
    if (ahead->of_bytes)
        masstree_cursor_value_bytes(ahead->cursor, &ahead->strings[0]);
    else
        masstree_cursor_value(ahead->cursor, &ahead->words[0]);
    ahead->count = 1;
    return MASSTREE_OK;
}

#endif
