/*
 * The functions of transactions that the Go package calls, and exports, in the manner of bridge.h.
 */
#ifndef TXN_BRIDGE_H
#define TXN_BRIDGE_H

#include "store_bridge.h"

static inline masstree_txn_t *txn_at(uintptr_t txn)
{
    return (masstree_txn_t *)txn;
}

static inline int32_t bridge_txn_begin(uintptr_t store, uint32_t isolation, size_t max_bytes,
                                       uintptr_t *begun)
{
    masstree_txn_options_t options = MASSTREE_TXN_OPTIONS_INIT;
    masstree_txn_t *txn = NULL;
    options.isolation = isolation;
    options.max_bytes = max_bytes;
    int32_t status = masstree_txn_begin(store_at(store), &options, &txn);
    *begun = (uintptr_t)txn;
    return status;
}

static inline commit_t bridge_txn_commit(uintptr_t txn)
{
    commit_t done = { 0, 0 };
    done.status = masstree_txn_commit(txn_at(txn), &done.commit);
    return done;
}

/* Bytes that are readable until the transaction ends. */
typedef struct {
    const void *bytes;
    size_t len;
    uintptr_t tree;
    int32_t status;
} read_t;

static inline read_t bridge_txn_get(uintptr_t txn, uintptr_t tree, const char *key, size_t len)
{
    masstree_version_t version;
    read_t found = { NULL, 0, tree, 0 };
    found.status = masstree_txn_get(txn_at(txn), tree_at(tree), key, len, &version);
    if (found.status == MASSTREE_OK) {
        found.bytes = version.value;
        found.len = version.value_len;
    }
    return found;
}

static inline read_t bridge_txn_conflict(uintptr_t txn)
{
    masstree_t *tree = NULL;
    read_t found = { NULL, 0, 0, 0 };
    found.status = masstree_txn_conflict(txn_at(txn), &tree, &found.bytes, &found.len);
    found.tree = (uintptr_t)tree;
    return found;
}

/* A range. Its bytes are those of the lower bound, then of the upper one. */
typedef struct {
    size_t lower_len;
    size_t upper_len;
    uint32_t lower_bound;
    uint32_t upper_bound;
    uint32_t reverse;
} bounds_t;

/* Reads the first entries of a range. */
static inline int32_t bridge_txn_scan(uintptr_t txn, uintptr_t tree, const bounds_t *of,
                                      const char *bytes, page_t *page)
{
    masstree_range_t range = MASSTREE_RANGE_INIT;
    range.lower = bytes;
    range.lower_len = of->lower_len;
    range.lower_bound = of->lower_bound;
    range.upper = bytes + of->lower_len;
    range.upper_len = of->upper_len;
    range.upper_bound = of->upper_bound;
    range.limit = PAGE_ENTRIES;
    range.flags = of->reverse ? MASSTREE_SCAN_REVERSE : 0;
    return masstree_txn_scan(txn_at(txn), tree_at(tree), &range, page_key, page, NULL);
}

/* Moves of a cursor, beside MASSTREE_SEEK_GE and the like. */
enum { MOVE_NEXT = 100, MOVE_PREV };

/* Where a cursor is. Its key is readable until it moves, its value until the transaction ends. */
typedef struct {
    masstree_slice_t key;
    masstree_version_t version;
    int32_t status;
} moved_t;

static inline masstree_txn_cursor_t *txn_cursor_at(uintptr_t cursor)
{
    return (masstree_txn_cursor_t *)cursor;
}

static inline int32_t bridge_txn_cursor_open(uintptr_t txn, uintptr_t tree, uintptr_t *opened)
{
    masstree_txn_cursor_t *cursor = NULL;
    int32_t status = masstree_txn_cursor_open(txn_at(txn), tree_at(tree), &cursor);
    *opened = (uintptr_t)cursor;
    return status;
}

static inline moved_t bridge_txn_cursor_move(uintptr_t of, uint32_t how, const char *key, size_t len)
{
    masstree_txn_cursor_t *cursor = txn_cursor_at(of);
    moved_t to;
    memset(&to, 0, sizeof to);
    if (how == MOVE_NEXT)
        to.status = masstree_txn_cursor_next(cursor);
    else if (how == MOVE_PREV)
        to.status = masstree_txn_cursor_prev(cursor);
    else
        to.status = masstree_txn_cursor_seek(cursor, key, len, how);
    if (to.status == MASSTREE_OK)
        to.status = masstree_txn_cursor_key(cursor, &to.key);
    if (to.status == MASSTREE_OK)
        to.status = masstree_txn_cursor_version(cursor, &to.version);
    return to;
}

#endif
