/*
 * The functions of changes that the Go package calls, in the manner of bridge.h.
 */
#ifndef CHANGES_BRIDGE_H
#define CHANGES_BRIDGE_H

#include "store_bridge.h"

static inline masstree_changes_t *changes_at(uintptr_t changes)
{
    return (masstree_changes_t *)changes;
}

static inline int32_t bridge_store_changes(uintptr_t store, uint64_t since, uint32_t level,
                                           uint64_t held_log_bytes, uintptr_t *opened)
{
    masstree_changes_options_t options = MASSTREE_CHANGES_OPTIONS_INIT;
    masstree_changes_t *changes = NULL;
    options.level = level;
    options.held_log_bytes = held_log_bytes;
    int32_t status = masstree_store_changes(store_at(store), since, &options, &changes);
    *opened = (uintptr_t)changes;
    return status;
}

/* A change, whose bytes are readable until the next call. */
typedef struct {
    masstree_change_t change;
    int32_t status;
} next_change_t;

static inline next_change_t bridge_changes_next(uintptr_t changes, masstree_store_failure_t *failure)
{
    masstree_store_failure_t fresh = MASSTREE_STORE_FAILURE_INIT;
    next_change_t next;
    memset(&next, 0, sizeof next);
    *failure = fresh;
    next.status = masstree_changes_next(changes_at(changes), &next.change, failure);
    return next;
}

#endif
