/* What batch.go calls: the keys of a batch are adjacent in `bytes`; ends[i] is the end of the i-th. */
#ifndef MASSTREE_GO_BATCH_BRIDGE_H
#define MASSTREE_GO_BATCH_BRIDGE_H

#include "bytes_bridge.h"
#include "sample_bridge.h"

/* The keys from the one numbered `first`, at most BRIDGE_CHUNK; returns their number. */
static inline size_t batch_chunk(const char *bytes, const size_t *ends, size_t count, size_t first,
                                 masstree_slice_t *keys)
{
    size_t n = count - first < BRIDGE_CHUNK ? count - first : BRIDGE_CHUNK;
    size_t begin = first == 0 ? 0 : ends[first - 1];
    for (size_t i = 0; i < n; i++) {
        keys[i].data = bytes + begin;
        keys[i].len = ends[first + i] - begin;
        begin = ends[first + i];
    }
    return n;
}

static inline int32_t bridge_get_many(handles_t in, const char *bytes, const size_t *ends,
                                      size_t count, uint64_t *values, int32_t *statuses)
{
    masstree_slice_t keys[BRIDGE_CHUNK];
    int32_t first_error = MASSTREE_OK;
    for (size_t done = 0; done < count; done += BRIDGE_CHUNK) {
        size_t n = batch_chunk(bytes, ends, count, done, keys);
        int32_t status = masstree_get_many(tree_of(in), guard_of(in), keys, n, values + done,
                                           statuses + done);
        if (first_error == MASSTREE_OK)
            first_error = status;
    }
    return first_error;
}

/* The values that are found go to the page, one after the other, without their keys. */
static inline int32_t batch_get_chunk(handles_t in, const masstree_slice_t *keys, size_t count,
                                      int32_t *statuses, page_t *found)
{
    masstree_slice_t values[BRIDGE_CHUNK];
    int32_t status =
        masstree_get_many_bytes(tree_of(in), guard_of(in), keys, count, values, statuses);
    for (size_t i = 0; i < count; i++) {
        if (statuses[i] != MASSTREE_OK)
            continue;
        int32_t added = page_bytes("", 0, values[i].data, values[i].len, found);
        if (added != MASSTREE_VISIT_CONTINUE)
            statuses[i] = added;
        if (added != MASSTREE_VISIT_CONTINUE && status == MASSTREE_OK)
            status = added;
    }
    return status;
}

static inline int32_t bridge_get_many_bytes(handles_t in, const char *bytes, const size_t *ends,
                                            size_t count, int32_t *statuses, page_t *found)
{
    masstree_slice_t keys[BRIDGE_CHUNK];
    for (size_t i = 0; i < count; i++)
        statuses[i] = MASSTREE_INVALID;
    int32_t first_error = bridge_enter(&in);
    if (first_error != MASSTREE_OK)
        return first_error;
    for (size_t done = 0; done < count; done += BRIDGE_CHUNK) {
        size_t n = batch_chunk(bytes, ends, count, done, keys);
        int32_t status = batch_get_chunk(in, keys, n, statuses + done, found);
        if (first_error == MASSTREE_OK)
            first_error = status;
    }
    bridge_leave(in);
    return first_error;
}

#endif
