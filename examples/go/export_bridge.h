/*
 * The functions of exports and imports that the Go package calls, and exports, in the manner of bridge.h.
 */
#ifndef EXPORT_BRIDGE_H
#define EXPORT_BRIDGE_H

#include "store_bridge.h"

/* Written in Go: whether the export or import is to end. */
int32_t bridgeProgress(uintptr_t handle);

static inline int32_t store_progress(const masstree_recovery_progress_t *progress, void *handle)
{
    (void)progress;
    return bridgeProgress((uintptr_t)handle);
}

static inline int32_t bridge_store_export(uintptr_t store, uintptr_t snapshot, const char *directory,
                                          uintptr_t handle, masstree_store_failure_t *failure)
{
    masstree_store_failure_t fresh = MASSTREE_STORE_FAILURE_INIT;
    *failure = fresh;
    return masstree_store_export(store_at(store), (const masstree_snapshot_t *)snapshot, directory,
                                 store_progress, (void *)handle, failure);
}

static inline int32_t bridge_store_import(uintptr_t store, const char *directory, uint32_t flags,
                                          uintptr_t handle, masstree_store_failure_t *failure,
                                          masstree_store_imported_t *imported)
{
    masstree_store_failure_t fresh = MASSTREE_STORE_FAILURE_INIT;
    masstree_store_imported_t none = MASSTREE_STORE_IMPORTED_INIT;
    *failure = fresh;
    *imported = none;
    return masstree_store_import(store_at(store), directory, flags, store_progress, (void *)handle,
                                 failure, imported);
}

#endif
