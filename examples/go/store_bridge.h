/*
 * The functions of stores that the Go package calls, in the manner of bridge.h: handles are integers, and
 * one call does what would otherwise take several.
 */
#ifndef STORE_BRIDGE_H
#define STORE_BRIDGE_H

#include "pages.h"
#include <stdlib.h>
#include <string.h>

static inline masstree_store_t *store_at(uintptr_t store)
{
    return (masstree_store_t *)store;
}

static inline masstree_t *tree_at(uintptr_t tree)
{
    return (masstree_t *)tree;
}

typedef struct {
    uint32_t flags;
    size_t log_buffer_bytes;
    uint64_t log_segment_bytes;
    uint64_t sync_interval_us;
    uint64_t checkpoint_log_bytes;
    uint64_t retained_log_bytes;
} store_options_t;

static inline int32_t bridge_store_open(const char *directory, const store_options_t *wanted,
                                        uintptr_t *opened, masstree_store_failure_t *failure)
{
    masstree_store_options_t options = MASSTREE_STORE_OPTIONS_INIT;
    masstree_store_failure_t fresh = MASSTREE_STORE_FAILURE_INIT;
    masstree_store_t *store = NULL;
    *failure = fresh;
    options.flags = wanted->flags;
    options.log_buffer_bytes = wanted->log_buffer_bytes;
    options.log_segment_bytes = wanted->log_segment_bytes;
    options.sync_interval_us = wanted->sync_interval_us;
    options.checkpoint_log_bytes = wanted->checkpoint_log_bytes;
    options.retained_log_bytes = wanted->retained_log_bytes;
    options.failure = failure;
    int32_t status = masstree_store_open(directory, &options, &store);
    *opened = (uintptr_t)store;
    return status;
}

static inline int32_t bridge_store_tree(uintptr_t store, const char *name, uintptr_t *found)
{
    masstree_t *tree = NULL;
    int32_t status = masstree_store_tree(store_at(store), name, &tree);
    *found = (uintptr_t)tree;
    return status;
}

typedef struct {
    uint64_t commit;
    int32_t status;
} commit_t;

static inline commit_t bridge_store_drop_tree(uintptr_t store, const char *name)
{
    commit_t done = { 0, 0 };
    done.status = masstree_store_drop_tree(store_at(store), name, &done.commit);
    return done;
}

static inline commit_t bridge_store_put(uintptr_t store, uintptr_t tree, const char *key, size_t len,
                                        const char *value, size_t value_len)
{
    commit_t done = { 0, 0 };
    done.status = masstree_store_put(store_at(store), tree_at(tree), key, len, value, value_len,
                                     &done.commit);
    return done;
}

static inline commit_t bridge_store_insert(uintptr_t store, uintptr_t tree, const char *key,
                                           size_t len, const char *value, size_t value_len)
{
    commit_t done = { 0, 0 };
    done.status = masstree_store_insert(store_at(store), tree_at(tree), key, len, value, value_len,
                                        &done.commit);
    return done;
}

static inline commit_t bridge_store_replace(uintptr_t store, uintptr_t tree, const char *key,
                                            size_t len, uint64_t version, const char *value,
                                            size_t value_len)
{
    commit_t done = { 0, 0 };
    masstree_store_condition_t condition = { MASSTREE_IF_VERSION, 0, version, NULL, 0 };
    done.status = masstree_store_replace_if(store_at(store), tree_at(tree), key, len, &condition, value,
                                            value_len, &done.commit);
    return done;
}

static inline commit_t bridge_store_remove(uintptr_t store, uintptr_t tree, const char *key,
                                           size_t len)
{
    commit_t done = { 0, 0 };
    done.status = masstree_store_remove(store_at(store), tree_at(tree), key, len, &done.commit);
    return done;
}

static inline commit_t bridge_store_rename(uintptr_t store, uintptr_t tree, const char *from,
                                           size_t from_len, const char *to, size_t to_len,
                                           uint32_t flags)
{
    commit_t done = { 0, 0 };
    done.status = masstree_store_rename(store_at(store), tree_at(tree), from, from_len, to, to_len,
                                        flags, &done.commit);
    return done;
}

/* A copy of a value, which the caller frees. */
typedef struct {
    void *bytes;
    size_t len;
    uint64_t version;
    int32_t status;
} copy_t;

static inline copy_t bridge_store_get(uintptr_t tree, const char *key, size_t len,
                                      uint64_t number)
{
    copy_t copy = { NULL, 0, 0, 0 };
    masstree_guard_t *guard = NULL;
    masstree_version_t found;
    copy.status = masstree_guard_enter(tree_at(tree), &guard);
    if (copy.status != MASSTREE_OK)
        return copy;
    copy.status = masstree_get_at(tree_at(tree), guard, key, len, number, &found);
    if (copy.status == MASSTREE_DELETED)
        copy.status = MASSTREE_NOT_FOUND;
    if (copy.status == MASSTREE_OK) {
        copy.bytes = malloc(found.value_len + 1);
        if (copy.bytes == NULL) {
            copy.status = MASSTREE_NOMEM;
        } else {
            memcpy(copy.bytes, found.value, found.value_len);
            copy.len = found.value_len;
            copy.version = found.seqno;
        }
    }
    masstree_guard_leave(guard);
    return copy;
}

/* An operation of a batch. Its key, and then its other bytes, lie behind those of the operations
   before it. */
typedef struct {
    uint32_t kind;
    uintptr_t tree;
    uint64_t version;
    size_t key_len;
    size_t other_len;
} batch_op_t;

enum { OP_PUT, OP_REMOVE, OP_RENAME, OP_RENAME_FORCE, OP_ABSENT, OP_PRESENT, OP_VERSION, OP_EMPTY };

static inline int32_t bridge_batch_add(masstree_batch_t *batch, const batch_op_t *op, const char *key)
{
    masstree_t *tree = tree_at(op->tree);
    const char *other = key + op->key_len;
    switch (op->kind) {
    case OP_PUT:
        return masstree_batch_put(batch, tree, key, op->key_len, other, op->other_len);
    case OP_REMOVE:
        return masstree_batch_remove(batch, tree, key, op->key_len);
    case OP_RENAME:
    case OP_RENAME_FORCE:
        return masstree_batch_rename(batch, tree, key, op->key_len, other, op->other_len,
                                     op->kind == OP_RENAME_FORCE ? MASSTREE_RENAME_FORCE : 0);
    case OP_ABSENT:
        return masstree_batch_assert_absent(batch, tree, key, op->key_len);
    case OP_PRESENT:
        return masstree_batch_assert_present(batch, tree, key, op->key_len);
    case OP_VERSION:
        return masstree_batch_assert_version(batch, tree, key, op->key_len, op->version);
    case OP_EMPTY:
        return masstree_batch_assert_prefix_empty(batch, tree, key, op->key_len);
    default:
        return MASSTREE_INVALID;
    }
}

/* Commits operations at once. */
static inline commit_t bridge_store_commit(uintptr_t store, const batch_op_t *ops, size_t count,
                                           const char *bytes, size_t *failed)
{
    commit_t done = { 0, 0 };
    masstree_batch_t *batch = NULL;
    done.status = masstree_batch_create(store_at(store), &batch);
    for (size_t i = 0; i < count && done.status == MASSTREE_OK; i++) {
        done.status = bridge_batch_add(batch, &ops[i], bytes);
        bytes += ops[i].key_len + ops[i].other_len;
    }
    if (done.status == MASSTREE_OK)
        done.status = masstree_store_commit(store_at(store), batch, &done.commit, failed);
    masstree_batch_destroy(batch);
    return done;
}

/* What a listing shows. Its bytes are those of the prefix, the delimiter and the start. */
typedef struct {
    size_t prefix_len;
    size_t delimiter_len;
    size_t start_len;
    size_t limit;
    uint64_t number;
    uint32_t has_start;
    uint32_t reverse;
} listing_t;

/* Reads the entries after the start. */
static inline int32_t bridge_store_list(uintptr_t tree, const listing_t *of, const char *bytes,
                                        page_t *page)
{
    masstree_range_t range = MASSTREE_RANGE_INIT;
    const char *delimiter = bytes + of->prefix_len, *start = delimiter + of->delimiter_len;
    range.prefix = bytes;
    range.prefix_len = of->prefix_len;
    range.limit = of->limit;
    if (of->reverse)
        range.flags = MASSTREE_SCAN_REVERSE;
    if (of->has_start && of->reverse) {
        range.upper = start;
        range.upper_len = of->start_len;
        range.upper_bound = MASSTREE_BOUND_EXCLUSIVE;
    } else if (of->has_start) {
        range.lower = start;
        range.lower_len = of->start_len;
        range.lower_bound = MASSTREE_BOUND_EXCLUSIVE;
    }
    page->len = 0;
    return masstree_scan_delimited_at(tree_at(tree), NULL, &range, of->number, delimiter,
                                      of->delimiter_len, page_key, page_prefix, page, NULL);
}

/* Written in Go: a commit is durable. */
void bridgeDurable(uint64_t commit, int32_t status, uintptr_t handle);

static inline void store_durable(uint64_t commit, int32_t status, void *handle)
{
    bridgeDurable(commit, status, (uintptr_t)handle);
}

static inline int32_t bridge_on_durable(uintptr_t store, uint64_t commit, uintptr_t handle)
{
    return masstree_store_on_durable(store_at(store), commit, store_durable, (void *)handle);
}

#endif
