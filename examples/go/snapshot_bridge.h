/*
 * The functions of snapshots of stores that the Go package calls, in the manner of bridge.h.
 */
#ifndef SNAPSHOT_BRIDGE_H
#define SNAPSHOT_BRIDGE_H

#include "store_bridge.h"

static inline int32_t bridge_store_snapshot(uintptr_t store, uintptr_t *opened, uint64_t *number)
{
    masstree_snapshot_t *snapshot = NULL;
    int32_t status = masstree_store_snapshot(store_at(store), &snapshot);
    *opened = (uintptr_t)snapshot;
    if (status == MASSTREE_OK)
        *number = masstree_snapshot_seqno(snapshot);
    return status;
}

static inline void bridge_snapshot_close(uintptr_t snapshot)
{
    masstree_snapshot_close((masstree_snapshot_t *)snapshot);
}

/* Open snapshots, in memory that the caller frees. */
typedef struct {
    masstree_open_snapshot_t *all;
    size_t count;
    size_t room;
} snapshots_t;

static inline int32_t snapshots_add(const masstree_open_snapshot_t *snapshot, void *ctx)
{
    snapshots_t *found = ctx;
    if (found->count == found->room) {
        size_t room = 2 * found->room + 8;
        masstree_open_snapshot_t *all = realloc(found->all, room * sizeof *all);
        if (all == NULL)
            return MASSTREE_NOMEM;
        found->all = all;
        found->room = room;
    }
    found->all[found->count++] = *snapshot;
    return MASSTREE_VISIT_CONTINUE;
}

static inline int32_t bridge_list_snapshots(uintptr_t store, snapshots_t *found)
{
    return masstree_store_list_snapshots(store_at(store), snapshots_add, found);
}

#endif
