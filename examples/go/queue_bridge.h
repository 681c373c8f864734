/* What queue.go calls: ranges cross the boundary as their bounds. */
#ifndef MASSTREE_GO_QUEUE_BRIDGE_H
#define MASSTREE_GO_QUEUE_BRIDGE_H

#include "bytes_bridge.h"

/* Which bounds a range lacks. */
typedef struct {
    bool lower, upper;
} open_t;

typedef struct {
    size_t len;
    uint64_t value;
    int32_t status;
} popped_t;

static inline masstree_range_t range_between(open_t open, const char *lower, size_t lower_len,
                                             const char *upper, size_t upper_len)
{
    masstree_range_t range = MASSTREE_RANGE_INIT;
    range.lower = lower;
    range.lower_len = lower_len;
    range.lower_bound = open.lower ? MASSTREE_BOUND_OPEN : MASSTREE_BOUND_INCLUSIVE;
    range.upper = upper;
    range.upper_len = upper_len;
    range.upper_bound = open.upper ? MASSTREE_BOUND_OPEN : MASSTREE_BOUND_EXCLUSIVE;
    return range;
}

/* The key goes to `room`. */
static inline popped_t bridge_pop(handles_t in, bool last, open_t open, const char *lower,
                                  size_t lower_len, const char *upper, size_t upper_len, char *room,
                                  size_t capacity)
{
    masstree_range_t range = range_between(open, lower, lower_len, upper, upper_len);
    popped_t popped = { 0, 0, 0 };
    popped.status = (last ? masstree_pop_last : masstree_pop_first)(
        tree_of(in), guard_of(in), &range, room, capacity, &popped.len, &popped.value);
    return popped;
}

static inline found_t bridge_pop_bytes(handles_t in, bool last, open_t open, const char *lower,
                                       size_t lower_len, const char *upper, size_t upper_len,
                                       char *room, size_t capacity)
{
    masstree_range_t range = range_between(open, lower, lower_len, upper, upper_len);
    found_t found = found_begin(&in);
    if (found.status != MASSTREE_OK)
        return found;
    found.status = (last ? masstree_pop_last_bytes : masstree_pop_first_bytes)(
        tree_of(in), guard_of(in), &range, room, capacity, &found.key_len, &found.value);
    return found_end(in, found);
}

static inline word_t bridge_remove_range(handles_t in, open_t open, const char *lower,
                                         size_t lower_len, const char *upper, size_t upper_len)
{
    masstree_range_t range = range_between(open, lower, lower_len, upper, upper_len);
    size_t removed = 0;
    word_t word = { 0, 0 };
    word.status = masstree_remove_range(tree_of(in), guard_of(in), &range, &removed);
    word.value = removed;
    return word;
}

#endif
