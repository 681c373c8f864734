/*
 * libmasstree: support for optimistic transactions: observations of what was read, deltas of
 * what writes change, and held leaves. docs/occ.md explains their use.
 *
 * This file is generated from src/ffi/occ; `make header` updates it.
 */

#ifndef MASSTREE_OCC_H
#define MASSTREE_OCC_H

#include "../masstree.h"

#if defined(__GNUC__)
#pragma GCC visibility push(default)
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ============================================================================
 * Observations
 * ============================================================================ */

/**
 * The state of a leaf when it was read: it identifies the keys that the leaf contained, and so
 * the keys that it did not contain.
 *
 * As long as masstree_validate finds the leaf unchanged, no key was inserted into, or removed
 * from, the range of keys that the leaf covers, and every key and gap read in the leaf is as
 * it was. Values may have been overwritten: that does not change an observation.
 *
 * An observation is plain data. It may be copied, stored, and validated at any time while the
 * tree exists, also after the guard was refreshed or left; validating it never accesses freed
 * memory. It is meaningless for another tree.
 */
typedef struct {
    /**
     * The leaf's id: never 0, a multiple of 64. Ids are reused, pairs of an id and a version
     * are not.
     */
    uint64_t leaf;
    /**
     * The leaf's version; compare it for equality only, it is not a counter. Every insert and
     * every remove of a key changes it, and so do a split and the removal of the leaf.
     * Overwriting a value does not change it, and neither does locking the leaf. No leaf with
     * the same id ever had this version before or will have it again.
     */
    uint64_t version;
    /**
     * How often the tree had been cleared (masstree_clear). Clearing invalidates all
     * observations.
     */
    uint64_t incarnation;
} masstree_observation_t;

/**
 * Like masstree_get; also returns an observation of the leaf that proves the result.
 *
 * @param tree         The tree.
 * @param guard        A guard of this tree, or NULL: then this call pins for its own duration.
 * @param key          key_len bytes; NULL only if key_len is 0.
 * @param key_len      Length of the key in bytes, at most 2^32 - 1.
 * @param value        Receives the value. May be NULL.
 * @param observation  Receives an observation of the leaf that contains the key or, with
 *                     MASSTREE_NOT_FOUND, would contain it. May be NULL.
 *
 * @retval MASSTREE_OK            Found; *value is the key's value.
 * @retval MASSTREE_NOT_FOUND     The key is not in the tree, and no thread has inserted it as
 *                                long as *observation is valid.
 * @retval MASSTREE_INVALID       tree is NULL, or key is NULL and key_len is not 0.
 * @retval MASSTREE_KEY_TOO_LONG  key_len exceeds 2^32 - 1.
 * @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
 * @retval MASSTREE_WRONG_KIND    The tree holds byte strings.
 * @retval MASSTREE_FORKED        The parent process created the tree, before a fork.
 *
 * Thread safety: any thread; takes no lock. Since 0.1.
 */
int32_t masstree_get_observed(const masstree_t *tree,
                              masstree_guard_t *guard,
                              const void *key,
                              size_t key_len,
                              uint64_t *value,
                              masstree_observation_t *observation);

/**
 * Like masstree_get_observed, for an integer key (see masstree_get_u64).
 *
 * @param tree         The tree.
 * @param guard        A guard of this tree, or NULL: then this call pins for its own duration.
 * @param key          The key.
 * @param value        As in masstree_get_observed.
 * @param observation  As in masstree_get_observed.
 *
 * @retval MASSTREE_OK          Found; *value is the key's value.
 * @retval MASSTREE_NOT_FOUND   The key is not in the tree, and no thread has inserted it as
 *                              long as *observation is valid.
 * @retval MASSTREE_INVALID     tree is NULL.
 * @retval MASSTREE_WRONG_TREE  The guard belongs to another tree.
 * @retval MASSTREE_WRONG_KIND  The tree holds byte strings.
 * @retval MASSTREE_FORKED      The parent process created the tree, before a fork.
 *
 * Thread safety: any thread; takes no lock. Since 0.1.
 */
int32_t masstree_get_u64_observed(const masstree_t *tree,
                                  masstree_guard_t *guard,
                                  uint64_t key,
                                  uint64_t *value,
                                  masstree_observation_t *observation);

/**
 * Like masstree_get_bytes; also returns an observation of the leaf that proves the result.
 *
 * @param tree         The tree.
 * @param guard        A guard of this tree; not NULL.
 * @param key          key_len bytes; NULL only if key_len is 0.
 * @param key_len      Length of the key in bytes, at most 2^32 - 1.
 * @param value        As in masstree_get_bytes.
 * @param observation  As in masstree_get_observed.
 *
 * @retval MASSTREE_OK            Found; *value is the key's value.
 * @retval MASSTREE_NOT_FOUND     The key is not in the tree, and no thread has inserted it as
 *                                long as *observation is valid.
 * @retval MASSTREE_INVALID       tree or guard is NULL, or key is NULL and key_len is not 0.
 * @retval MASSTREE_KEY_TOO_LONG  key_len exceeds 2^32 - 1.
 * @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
 * @retval MASSTREE_WRONG_KIND    The tree holds words.
 * @retval MASSTREE_FORKED        The parent process created the tree, before a fork.
 *
 * Thread safety: any thread; takes no lock. Since 0.1.
 */
int32_t masstree_get_bytes_observed(const masstree_t *tree,
                                    masstree_guard_t *guard,
                                    const void *key,
                                    size_t key_len,
                                    masstree_slice_t *value,
                                    masstree_observation_t *observation);

/**
 * Returns the number of entries of the leaf that contains a key or would contain it. Entries
 * are keys, and links to lower layers (of keys that share 8 more bytes). At most 15.
 *
 * @param tree         The tree, of words or byte strings.
 * @param guard        A guard of this tree, or NULL: then this call pins for its own duration.
 * @param key          key_len bytes; NULL only if key_len is 0.
 * @param key_len      Length of the key in bytes, at most 2^32 - 1.
 * @param size         Receives the number of entries; not NULL.
 * @param observation  Receives an observation of the leaf; as long as it is valid, the leaf
 *                     has that many entries. May be NULL.
 *
 * @retval MASSTREE_OK            *size and *observation describe the leaf at the same moment.
 * @retval MASSTREE_INVALID       tree or size is NULL, or key is NULL and key_len is not 0.
 * @retval MASSTREE_KEY_TOO_LONG  key_len exceeds 2^32 - 1.
 * @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
 * @retval MASSTREE_FORKED        The parent process created the tree, before a fork.
 *
 * Thread safety: any thread; takes no lock. Since 0.1.
 */
int32_t masstree_leaf_size(const masstree_t *tree,
                           masstree_guard_t *guard,
                           const void *key,
                           size_t key_len,
                           size_t *size,
                           masstree_observation_t *observation);

/**
 * Called for each leaf that an observed scan has read, before the keys of the leaf.
 *
 * @param observation  The leaf, as it was when the scan read it; valid during this call
 *                     only.
 * @param ctx          The ctx that was passed to the scan.
 *
 * @return As masstree_visitor_t, whose rules apply.
 */
typedef int32_t (*masstree_leaf_visitor_t)(const masstree_observation_t *observation, void *ctx);

/**
 * Like masstree_scan; also calls a visitor with an observation of each leaf that it reads.
 *
 * As long as all of these observations are valid, a scan of the same range would visit the
 * same keys. The visitor is called for one leaf at least, even if the range is empty, in both
 * directions. It may be called for a leaf more than once: if the leaf had changed in between,
 * only one of the two observations is valid.
 *
 * @param tree        The tree.
 * @param guard       A guard of this tree, or NULL: then this call pins for its own duration.
 * @param range       As in masstree_scan. With a limit, or if a visitor stops the scan, the
 *                    leaves prove the keys up to the last one visited.
 * @param visit_leaf  Called for each leaf, before the keys of the leaf.
 * @param visit       Called for each key.
 * @param ctx         Passed to both visitors.
 * @param visited     As in masstree_scan.
 *
 * @retval MASSTREE_OK            The range was visited to its end, to the limit,
 *                                or until a visitor stopped.
 * @retval MASSTREE_INVALID       As in masstree_scan; or visit_leaf is NULL.
 * @retval MASSTREE_NOMEM         Out of memory for the key's buffer or for the list of leaves.
 * @retval MASSTREE_KEY_TOO_LONG  A bound or the prefix exceeds 2^32 - 1 bytes.
 * @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
 * @retval MASSTREE_WRONG_KIND    As in masstree_scan.
 * @retval MASSTREE_FORKED        The parent process created the tree, before a fork.
 * @return The negative number that a visitor returned.
 *
 * Thread safety: any thread; takes no lock. Since 0.1.
 */
int32_t masstree_scan_observed(const masstree_t *tree,
                               masstree_guard_t *guard,
                               const masstree_range_t *range,
                               masstree_leaf_visitor_t visit_leaf,
                               masstree_visitor_t visit,
                               void *ctx,
                               size_t *visited);

/**
 * Like masstree_scan_observed, for a tree of byte strings.
 *
 * @param tree        The tree.
 * @param guard       A guard of this tree, or NULL: then this call pins for its own duration.
 * @param range       As in masstree_scan_observed.
 * @param visit_leaf  Called for each leaf, before the keys of the leaf.
 * @param visit       Called for each key.
 * @param ctx         Passed to both visitors.
 * @param visited     As in masstree_scan.
 *
 * @retval MASSTREE_OK            The range was visited to its end, to the limit,
 *                                or until a visitor stopped.
 * @retval MASSTREE_INVALID       As in masstree_scan_observed.
 * @retval MASSTREE_NOMEM         Out of memory for the key's buffer or for the list of leaves.
 * @retval MASSTREE_KEY_TOO_LONG  A bound or the prefix exceeds 2^32 - 1 bytes.
 * @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
 * @retval MASSTREE_WRONG_KIND    The tree holds words.
 * @retval MASSTREE_FORKED        The parent process created the tree, before a fork.
 * @return The negative number that a visitor returned.
 *
 * Thread safety: any thread; takes no lock. Since 0.1.
 */
int32_t masstree_scan_bytes_observed(const masstree_t *tree,
                                     masstree_guard_t *guard,
                                     const masstree_range_t *range,
                                     masstree_leaf_visitor_t visit_leaf,
                                     masstree_bytes_visitor_t visit,
                                     void *ctx,
                                     size_t *visited);

/**
 * Makes a cursor record, from its next call on, the leaves that each call reads.
 *
 * @param cursor  The cursor.
 *
 * @retval MASSTREE_OK       The cursor records from now on.
 * @retval MASSTREE_INVALID  cursor is NULL.
 * @retval MASSTREE_WRONG_KIND  It is a cursor over versions.
 * @retval MASSTREE_FORKED   The parent process created the tree, before a fork.
 *
 * Thread safety: only the thread that currently uses the cursor. Since 0.1.
 */
int32_t masstree_cursor_track(masstree_cursor_t *cursor);

/**
 * Returns observations of the leaves that the last seek, step or masstree_cursor_*_many call
 * of a cursor has read.
 *
 * As long as all of them are valid, the same call from the same position would return the same
 * keys, or MASSTREE_END.
 *
 * @param cursor        The cursor, for which masstree_cursor_track was called.
 * @param observations  Receives the address of the first observation. The cursor owns the
 *                      array, which stays valid until its next seek or step, or until it is
 *                      closed. Not NULL.
 * @param count         Receives the number of observations; not NULL.
 *
 * @retval MASSTREE_OK       Both outputs are written; *count is 0 if the cursor does not
 *                           record, or has made no call since masstree_cursor_track.
 * @retval MASSTREE_INVALID  cursor, observations or count is NULL.
 * @retval MASSTREE_WRONG_KIND  It is a cursor over versions.
 * @retval MASSTREE_FORKED   The parent process created the tree, before a fork.
 *
 * Thread safety: only the thread that currently uses the cursor. Since 0.1.
 */
int32_t masstree_cursor_observations(masstree_cursor_t *cursor,
                                     const masstree_observation_t **observations,
                                     size_t *count);

/**
 * Validates observations: tests whether the observed leaves are unchanged.
 *
 * The call is a full fence. With MASSTREE_OK, all observations were valid at one moment during
 * this call. So if two threads each insert a key and then validate that the other's key was
 * absent, at least one of them gets MASSTREE_MISMATCH.
 *
 * If another thread is changing one of the leaves, this call waits for it. But a thread that
 * holds a leaf (masstree_hold), of any tree, never waits here: it gets MASSTREE_MISMATCH if
 * another thread has locked one of the leaves, and the leaf that it holds itself is compared
 * in its current state. If the tree was cleared after the calling thread held a leaf of it,
 * the call returns MASSTREE_MISMATCH for any observations, so that the hold and what is
 * validated under it belong to the same moment. Do not call this from a callback of
 * masstree_update or masstree_get_or_insert_with.
 *
 * @param tree           The tree.
 * @param observations   count observations of this tree; NULL only if count is 0.
 * @param count          Number of observations.
 * @param first_changed  Receives, with MASSTREE_MISMATCH, the index of the first observation
 *                       that is not valid; or count, if all are valid but masstree_clear
 *                       removed the leaf that this thread holds. May be NULL.
 *
 * @retval MASSTREE_OK        All observations are valid.
 * @retval MASSTREE_MISMATCH  A leaf has changed; or this thread holds a leaf, and another
 *                            thread has locked one of the leaves and may change it, or the
 *                            tree was cleared since.
 * @retval MASSTREE_INVALID   tree is NULL, or observations is NULL and count is not 0.
 * @retval MASSTREE_FORKED    The parent process created the tree, before a fork.
 *
 * A leaf may have changed although the keys that were read have not: another key was inserted
 * into it or removed from it, it was split, or it was merged with its neighbour.
 *
 * Thread safety: any thread, with or without a guard. Since 0.1.
 */
int32_t masstree_validate(const masstree_t *tree,
                          const masstree_observation_t *observations,
                          size_t count,
                          size_t *first_changed);

/**
 * Returns the current version of a leaf, for programs that store ids and versions and compare
 * them themselves. masstree_validate does more: it is a fence, waits for changes in progress,
 * and detects masstree_clear.
 *
 * @param tree     The tree; or NULL, if the caller knows that the tree exists and that this
 *                 process created it.
 * @param leaf     The id of a leaf of this tree, from any observation.
 * @param version  Receives the version; not NULL. If the leaf was freed since, it is a version
 *                 that no observation of the leaf had.
 *
 * @retval MASSTREE_OK       *version is the leaf's version.
 * @retval MASSTREE_INVALID  leaf is 0, or version is NULL.
 * @retval MASSTREE_FORKED   The parent process created the tree, before a fork.
 *
 * Thread safety: any thread, with or without a guard. Since 0.1.
 */
int32_t masstree_leaf_version(const masstree_t *tree, uint64_t leaf, uint64_t *version);

/* ============================================================================
 * Deltas
 * ============================================================================ */

/**
 * Flag of a delta: the write has changed or deleted leaves that the delta does not list. A
 * remove that leaves its leaf empty does so.
 */
#define MASSTREE_DELTA_MORE 1

/**
 * What a write of one key changed in the leaves of its tree. Start from MASSTREE_DELTA_INIT,
 * provide an array for created leaves, and pass it to masstree_guard_record.
 */
typedef struct {
    /**
     * sizeof(masstree_delta_t); MASSTREE_DELTA_INIT sets it. A library leaves the fields of a
     * larger struct that it does not know as they are.
     */
    size_t struct_size;
    /**
     * Input: the array for created leaves; NULL only if created_capacity is 0.
     */
    masstree_observation_t *created;
    /**
     * Input: length of that array. A split creates one leaf; a key that shares more than eight
     * bytes with many others may create one leaf for every eight bytes shared.
     */
    size_t created_capacity;
    /**
     * Number of leaves that the write has created. If it exceeds created_capacity, only the
     * first created_capacity leaves are stored.
     */
    size_t created_count;
    /**
     * The leaf that contains the key, or would contain it, as it was when the write locked it.
     */
    masstree_observation_t before;
    /**
     * The same leaf after the write. Equal to `before` if the write inserted and removed no
     * key. Then the write overwrote a value, or changed nothing and this observation proves
     * why, as that of masstree_get_observed would (for MASSTREE_NOT_FOUND of a remove, or
     * MASSTREE_EXISTS of an insert).
     */
    masstree_observation_t after;
    /**
     * 0, or MASSTREE_DELTA_MORE.
     */
    uint32_t flags;
    /**
     * Must be 0.
     */
    uint32_t reserved;
} masstree_delta_t;

/** Initializer of masstree_delta_t: sets struct_size, and every other field to 0 or NULL. */
#define MASSTREE_DELTA_INIT \
    { sizeof(masstree_delta_t), NULL, 0, 0, { 0, 0, 0 }, { 0, 0, 0 }, 0, 0 }

/**
 * Makes writes under a guard record in *delta what they change in the leaves of the tree. From
 * now on every write of one key (put, insert, replace, exchange, compare_exchange, remove,
 * update and their variants, for words and for byte strings) overwrites *delta. A batch leaves
 * the delta of its last key; bulk loads and masstree_clear record nothing; reads, and
 * writes under other guards, do not touch *delta. Apply the delta once after each write
 * (masstree_delta_apply). After a write that returns an error, do not use it.
 *
 * @param guard  The guard; not NULL.
 * @param delta  The delta, which the caller still owns. It and its array of created leaves
 *               must stay at the same address until this function is called again or the guard
 *               is left. NULL: writes under the guard stop recording.
 *
 * @retval MASSTREE_OK       Writes under the guard record from now on.
 * @retval MASSTREE_INVALID  guard is NULL; or in *delta, struct_size is too small, created is
 *                           NULL and created_capacity is not 0, or reserved is not 0.
 * @retval MASSTREE_FORKED   The parent process created the tree, before a fork.
 *
 * Thread safety: only the thread that currently uses the guard. Since 0.1.
 */
int32_t masstree_guard_record(masstree_guard_t *guard, masstree_delta_t *delta);

/**
 * Updates a set of observations after a write of the same transaction, so that the transaction
 * is not aborted by its own write. If the set contains the written leaf as it was before the
 * write, the leaf's state after the write replaces it, and the leaves that the write created
 * are added. (Tu, Zheng, Kohler, Liskov, Madden: Speedy Transactions in Multicore In-Memory
 * Databases, SOSP 2013, section 4.6.)
 *
 * @param delta         The delta of the write.
 * @param observations  The set; NULL only if capacity is 0.
 * @param count         Number of observations in the set; updated by the call; not NULL.
 * @param capacity      Number of observations that the set has room for.
 *
 * @retval MASSTREE_OK         The set is up to date. It is unchanged if the write changed no
 *                             leaf of the set, or if the delta has recorded no write.
 * @retval MASSTREE_MISMATCH   The set contains the leaf with another version: another thread
 *                             changed it after it was observed, and the transaction can no
 *                             longer be validated. Or the delta was already applied. Or the
 *                             delta is incomplete (MASSTREE_DELTA_MORE, or created_count
 *                             exceeds created_capacity). The set is unchanged.
 * @retval MASSTREE_TOO_SMALL  The set has no room for the created leaves; it is unchanged.
 * @retval MASSTREE_INVALID    delta or count is NULL, *count exceeds capacity, observations is
 *                             NULL and capacity is not 0; or the delta is malformed, as in
 *                             masstree_guard_record.
 *
 * Thread safety: any thread; no other thread may use the set or the delta during the call.
 * Since 0.1.
 */
int32_t masstree_delta_apply(const masstree_delta_t *delta,
                             masstree_observation_t *observations,
                             size_t *count,
                             size_t capacity);

/* ============================================================================
 * Held leaves
 * ============================================================================ */

/**
 * Flag of masstree_hold: make room for the key if it is absent, so that it can be inserted.
 */
#define MASSTREE_HOLD_INSERT 1

/**
 * Flag of masstree_hold: return MASSTREE_BUSY instead of waiting, allocating, or changing a leaf.
 */
#define MASSTREE_HOLD_TRY 2

/**
 * Flag of masstree_hold: keep in the masstree_held_t what is changed, for masstree_held_delta.
 */
#define MASSTREE_HOLD_DELTA 4

/**
 * A key whose leaf this thread holds locked: see masstree_hold. The caller provides the
 * memory, on the stack for example; do not access, copy or move it while the leaf is held, nor
 * after that as long as the library is asked about it.
 */
typedef struct {
    /**
     * For the library's use only.
     */
    uint64_t opaque[96];
} masstree_held_t;

/**
 * Finds the leaf of a key and locks it until masstree_held_finish.
 *
 * For programs that must read a key, do something else, and then change the key, without any
 * other change in between. masstree_update does the same with a callback, and a program cannot
 * forget to finish it.
 *
 * **Which calls wait.** A leaf contains up to 15 adjacent keys. While one is held, other
 * threads wait for masstree_held_finish
 *
 * - in any write of a key that the leaf contains or would contain, on its own or in a batch,
 *   even if the write then changes nothing; and in masstree_hold of such a key. (Only
 *   masstree_get_or_insert_with, without a delta, does not wait if the key exists.)
 * - in a write elsewhere that must lock this leaf: a remove, or the masstree_held_finish of
 *   another leaf, that empties the leaf to the right of this one, or this leaf's only
 *   neighbour; a write that creates a layer in a leaf next to this one, if both are sparse;
 *   and, in a layer below this leaf (of keys that share 8 more bytes), an insert or a hold
 *   that splits the layer's root, and a remove that leaves the layer empty or its root with
 *   one child;
 * - in masstree_remove_range, masstree_pop_first and masstree_pop_last, when they reach this leaf,
 *   even if none of its keys is in their range; and when they empty the leaf to the right of it;
 * - in masstree_maintain, when it reaches this leaf or the one to the right and they are
 *   sparse, or this leaf keeps memory of removed suffixes, or when it merges the last two
 *   leaves of such a layer;
 * - in masstree_validate of an observation of this leaf, unless the calling thread holds a
 *   leaf itself: then it gets MASSTREE_MISMATCH at once;
 * - in masstree_clear, if the leaf is the whole tree; in masstree_bulk_load,
 *   masstree_bulk_load_from and masstree_loader_finish, if the leaf is the whole tree and is
 *   empty;
 * - in masstree_barrier, until the guard is left, if there is one. masstree_destroy must not be
 *   called.
 *
 * A thread that waits in one of these calls may itself have locked a leaf for which other
 * threads wait. No other call waits. Gets, scans, counts and cursors, observed or not, read
 * the leaf as masstree_hold left it. Writes of other leaves, inserts that split them, and
 * inserts and removes in a layer below this leaf proceed, and so do masstree_clear and bulk
 * loads of a larger tree, masstree_held_observation and masstree_held_next of other leaves, masstree_stats, masstree_dump, masstree_pivots, masstree_len, masstree_flush
 * and masstree_retire. masstree_check does not wait but reports the lock as a violation: call
 * it when no leaf is held. The holding thread itself waits in masstree_hold for other holders
 * of the same leaf, as an insert would. It waits in masstree_held_finish only if the action
 * empties the leaf, for the holder of the left neighbour or of the leaf above its layer; or if
 * masstree_hold made room by creating a layer, for the holders of the neighbours.
 *
 * **Clearing.** masstree_clear does not wait for a leaf below the tree's root. If the tree is
 * cleared between masstree_hold and masstree_held_finish, the held leaf belongs to the removed
 * tree: masstree_held_finish changes nothing, whatever the action, and returns
 * MASSTREE_CLEARED; and masstree_validate under the hold returns MASSTREE_MISMATCH from then
 * on. Meanwhile another thread may hold the same key in the new tree. So a transaction that
 * validated under its hold and then got MASSTREE_CLEARED may count as committed before the
 * clearing, which removed what it wrote; or as aborted.
 *
 * The leaf is locked after MASSTREE_OK and after MASSTREE_NOT_FOUND: call masstree_held_finish
 * in both cases. Until then this thread must not write to the tree (it would wait for itself,
 * for ever), hold another leaf of any tree, wait for another thread, clear, load or maintain
 * the tree, refresh or leave the guard, or exit; nor do anything that takes long. It may read
 * and validate. It may write to another tree, provided that no thread that holds a leaf of
 * that tree writes to this one. It should read under the guard: otherwise value destructors
 * and free functions of retired objects may run while the leaf is locked. Under the guard
 * too, a scan or a cursor may call the tree's allocator. If a thread never calls
 * masstree_held_finish, writers of the leaf wait for ever; a library with debug assertions
 * aborts, also if the bytes of the key have changed.
 *
 * If the key is absent and flags contain MASSTREE_HOLD_INSERT, this call makes room for the
 * key, so that masstree_held_finish cannot run out of memory. That may split the leaf, which
 * stays split even if the key is not inserted. With MASSTREE_HOLD_DELTA, masstree_held_delta says
 * later what was changed: *held has room for ten created leaves.
 *
 * **Without waiting.** With MASSTREE_HOLD_TRY, the key is held only if that takes no waiting, no
 * memory, and no change of a leaf, and otherwise the call returns MASSTREE_BUSY. It may return that
 * without such a reason, too: always for keys of more than eight bytes and under a guard that
 * records. So call it again without the flag where the key must be held.
 *
 * @param tree     The tree.
 * @param guard    A guard of this tree. If it records to a delta (masstree_guard_record), the
 *                 delta contains the changes that made room, and after masstree_held_finish all
 *                 changes: apply it once, then. If NULL, nothing is pinned but the held leaf
 *                 and, unless the tree is cleared meanwhile, the key's value: other values
 *                 that are read under the hold may be destroyed.
 * @param key      key_len bytes, which must stay unchanged until masstree_held_finish; NULL
 *                 only if key_len is 0.
 * @param key_len  Length of the key in bytes, at most 2^32 - 1.
 * @param flags    0, or any of MASSTREE_HOLD_INSERT, MASSTREE_HOLD_TRY, MASSTREE_HOLD_DELTA.
 * @param held     Memory for the held leaf; needs no initialiser. Not NULL.
 * @param value    Receives the key's value, only with MASSTREE_OK. May be NULL.
 *
 * @retval MASSTREE_OK            The key exists, with the value *value; its leaf is locked.
 * @retval MASSTREE_NOT_FOUND     The key is absent; the leaf that would contain it is locked.
 * @retval MASSTREE_BUSY          With MASSTREE_HOLD_TRY only: nothing is locked or changed.
 * @retval MASSTREE_INVALID       tree or held is NULL, key is NULL and key_len is not 0, a flag is
 *                                unknown, or this thread holds a leaf already; or flags contain
 *                                MASSTREE_HOLD_DELTA, and the guard records.
 * @retval MASSTREE_NOMEM         Out of memory to make room; nothing is locked, and the tree
 *                                is unchanged.
 * @retval MASSTREE_TOO_SMALL     With MASSTREE_HOLD_DELTA only: to make room would create so many
 *                                leaves that *held has no room for the delta; nothing is locked, and
 *                                the tree is unchanged. Never for keys of at most 80 bytes. Hold the
 *                                key without the flag, under a guard that records
 *                                (masstree_guard_record).
 * @retval MASSTREE_KEY_TOO_LONG  key_len exceeds 2^32 - 1.
 * @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
 * @retval MASSTREE_WRONG_KIND    The tree holds byte strings, whose keys cannot be held.
 * @retval MASSTREE_FORKED        The parent process created the tree, before a fork.
 *
 * Thread safety: any thread; the same thread must call masstree_held_finish. Since 0.1.
 */
int32_t masstree_hold(masstree_t *tree,
                      masstree_guard_t *guard,
                      const void *key,
                      size_t key_len,
                      uint32_t flags,
                      masstree_held_t *held,
                      uint64_t *value);

/**
 * Carries out an action on a held key and unlocks its leaf.
 *
 * @param held    The held leaf; no longer held after MASSTREE_OK and MASSTREE_CLEARED.
 * @param action  MASSTREE_ACTION_KEEP: change nothing. MASSTREE_ACTION_SET: store the value
 *                under the key, whether or not the key exists. MASSTREE_ACTION_REMOVE: remove
 *                the key, if it exists.
 * @param value   The value for MASSTREE_ACTION_SET; with MASSTREE_OK the tree owns it, if the
 *                tree has a value destructor. Ignored with other actions.
 * @param old     Receives the displaced or removed value, only if such a value exists; the
 *                caller then owns it, as in masstree_exchange. If NULL, the value destructor
 *                is called for it once no reader can still use it.
 *
 * @retval MASSTREE_OK       The action was carried out, before any masstree_clear that ends
 *                           later, and the leaf is unlocked.
 * @retval MASSTREE_CLEARED  The tree was cleared after the key was held: nothing was changed,
 *                           and the leaf is unlocked. The caller still owns the value, *old is
 *                           not written, and the key is as the clearing and later writes left
 *                           it.
 * @retval MASSTREE_INVALID  This thread holds no leaf in *held. Or action is unknown, or it is
 *                           MASSTREE_ACTION_SET for an absent key that was held without
 *                           MASSTREE_HOLD_INSERT: then the leaf is still held.
 * @retval MASSTREE_FORKED   The parent process held the leaf, before a fork.
 *
 * Storing the value that the key already has displaces nothing: the tree keeps it, and *old is
 * not written.
 *
 * Thread safety: only the thread that holds the leaf. Since 0.1.
 */
int32_t masstree_held_finish(masstree_held_t *held, int32_t action, uint64_t value, uint64_t *old);

/**
 * Returns observations of the leaf that this thread holds. May be called after
 * masstree_held_finish, too, by any thread, until *held is used again or its memory ends: then it
 * returns what it would have returned before.
 *
 * @param held      The held leaf.
 * @param original  Receives an observation of the leaf in which the key was looked for, as it
 *                  was before room was made. May be NULL.
 * @param now       Receives an observation of the locked leaf, as readers see it now: the same
 *                  leaf, unless room was made and the key belongs into a new leaf. May be
 *                  NULL.
 *
 * @retval MASSTREE_OK       The outputs are written.
 * @retval MASSTREE_INVALID  This thread holds no leaf in *held, and none was finished there.
 * @retval MASSTREE_FORKED   The parent process held the leaf, before a fork.
 *
 * Thread safety: only the thread that holds the leaf; when it was finished, any thread. Since 0.1.
 */
int32_t masstree_held_observation(const masstree_held_t *held,
                                  masstree_observation_t *original,
                                  masstree_observation_t *now);

/**
 * Returns the observation of the held leaf as masstree_held_finish will leave it. After
 * masstree_held_finish, like masstree_held_observation, it returns how the leaf was left.
 *
 * @param held    The held leaf.
 * @param action  The action that will be passed to masstree_held_finish. After that was called, any
 *                action: it has no effect.
 * @param next    Receives the observation; not NULL. If the action empties the leaf, the leaf
 *                is removed and *next is never valid; nor is it if the tree is cleared before.
 *
 * @retval MASSTREE_OK       *next is written.
 * @retval MASSTREE_INVALID  This thread holds no leaf in *held, and none was finished there;
 *                           action is unknown, next is NULL, or action is MASSTREE_ACTION_SET for
 *                           an absent key that is held without MASSTREE_HOLD_INSERT.
 * @retval MASSTREE_FORKED   The parent process held the leaf, before a fork.
 *
 * Thread safety: only the thread that holds the leaf; when it was finished, any thread. Since 0.1.
 */
int32_t masstree_held_next(const masstree_held_t *held,
                           int32_t action,
                           masstree_observation_t *next);

/**
 * Returns what masstree_hold and masstree_held_finish have changed so far for a key that was held
 * with MASSTREE_HOLD_DELTA, as they would have recorded it (masstree_guard_record).
 *
 * May be called after masstree_held_finish, too, by any thread, until *held is used again. Apply
 * the delta (masstree_delta_apply) only then.
 *
 * @param held   The held leaf.
 * @param delta  Receives the delta, and its array the leaves that masstree_hold created; not NULL,
 *               and initialised as for masstree_guard_record. There are at most ten created
 *               leaves: masstree_hold returns MASSTREE_TOO_SMALL otherwise.
 *
 * @retval MASSTREE_OK       *delta is written.
 * @retval MASSTREE_INVALID  This thread holds no leaf in *held, and none was finished there; or it
 *                           was held without MASSTREE_HOLD_DELTA. Or delta is NULL; or in *delta,
 *                           struct_size is too small, created is NULL and created_capacity is not
 *                           0, or reserved is not 0.
 * @retval MASSTREE_FORKED   The parent process holds the leaf, since before a fork.
 *
 * Thread safety: only the thread that holds the leaf; when it was finished, any thread. Since 0.1.
 */
int32_t masstree_held_delta(const masstree_held_t *held, masstree_delta_t *delta);

#ifdef __cplusplus
}
#endif

#if defined(__GNUC__)
#pragma GCC visibility pop
#endif

#endif /* MASSTREE_OCC_H */
