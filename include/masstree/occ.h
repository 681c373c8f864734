/*
 * libmasstree: what optimistic transactions need over a tree: observations of what was
 * read, deltas of what writes change, and held leaves. docs/occ.md explains their use.
 *
 * This file is generated from src/ffi/occ; `make header` writes it anew.
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
 * What was read, to be validated later
 * ============================================================================ */

/**
 * What a leaf of a tree was when it was read: which keys it held, and so which it did not.
 *
 * As long as masstree_validate finds it unchanged, whatever was read in the leaf holds,
 * and no key was added to, or removed from, the part of the tree's keys that the leaf is
 * for. Values may have been overwritten: that changes no observation.
 *
 * An observation is plain data. It may be copied, kept, and validated at any time as long
 * as the tree lives, also after the guard was refreshed or left: it never leads to freed
 * memory. It says nothing in another tree.
 */
typedef struct {
    /**
     * The leaf's id: never 0, a multiple of 64. Ids are used again, versions are not.
     */
    uint64_t leaf;
    /**
     * The leaf's version: compare it for equality only, it is no counter. Every insert and every remove
     * of a key makes it another, and so does a split, and what ends the leaf. Overwriting a
     * value leaves it as it is, and so does a lock. No leaf with the same id ever had it
     * before or has it again.
     */
    uint64_t version;
    /**
     * How often the tree had been cleared (masstree_clear), which ends all observations.
     */
    uint64_t incarnation;
} masstree_observation_t;

/**
 * Called for each leaf that a scan has read, before the keys from it.
 *
 * @param observation  The leaf, as it was when the scan read it; valid during this call
 *                     only.
 * @param ctx          What was passed to the scan.
 *
 * @return As masstree_visitor_t, whose rules apply.
 */
typedef int32_t (*masstree_leaf_visitor_t)(const masstree_observation_t *observation, void *ctx);

/**
 * masstree_get that also says which leaf proves the answer.
 *
 * @param tree         The tree.
 * @param guard        A guard of this tree, or NULL to be pinned for this call.
 * @param key          key_len bytes; NULL only if key_len is 0.
 * @param key_len      Length of the key in bytes, at most 2^32 - 1.
 * @param value        Where the value is stored; NULL: not wanted.
 * @param observation  Where the leaf is stored that holds the key or, with
 *                     MASSTREE_NOT_FOUND, would hold it; NULL: not wanted.
 *
 * @retval MASSTREE_OK            Found; *value is the key's value.
 * @retval MASSTREE_NOT_FOUND     The key is not in the tree, and will not be as long as
 *                                *observation holds.
 * @retval MASSTREE_INVALID       tree is NULL, or key is NULL with a length.
 * @retval MASSTREE_KEY_TOO_LONG  key_len is over 2^32 - 1.
 * @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
 * @retval MASSTREE_WRONG_KIND    The tree holds byte strings.
 * @retval MASSTREE_FORKED        The tree was made before a fork.
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
 * masstree_get_observed for an integer key (see masstree_get_u64).
 *
 * @param tree         The tree.
 * @param guard        A guard of this tree, or NULL to be pinned for this call.
 * @param key          The key.
 * @param value        As in masstree_get_observed.
 * @param observation  As in masstree_get_observed.
 *
 * @retval MASSTREE_OK          Found; *value is the key's value.
 * @retval MASSTREE_NOT_FOUND   The key is not in the tree, and will not be as long as
 *                              *observation holds.
 * @retval MASSTREE_INVALID     tree is NULL.
 * @retval MASSTREE_WRONG_TREE  The guard belongs to another tree.
 * @retval MASSTREE_WRONG_KIND  The tree holds byte strings.
 * @retval MASSTREE_FORKED      The tree was made before a fork.
 *
 * Thread safety: any thread; takes no lock. Since 0.1.
 */
int32_t masstree_get_u64_observed(const masstree_t *tree,
                                  masstree_guard_t *guard,
                                  uint64_t key,
                                  uint64_t *value,
                                  masstree_observation_t *observation);

/**
 * masstree_get_bytes that also says which leaf proves the answer.
 *
 * @param tree         The tree.
 * @param guard        A guard of this tree; not NULL.
 * @param key          key_len bytes; NULL only if key_len is 0.
 * @param key_len      Length of the key in bytes, at most 2^32 - 1.
 * @param value        As in masstree_get_bytes.
 * @param observation  As in masstree_get_observed.
 *
 * @retval MASSTREE_OK            Found; *value is the key's value.
 * @retval MASSTREE_NOT_FOUND     The key is not in the tree, and will not be as long as
 *                                *observation holds.
 * @retval MASSTREE_INVALID       tree or guard is NULL, or key is NULL with a length.
 * @retval MASSTREE_KEY_TOO_LONG  key_len is over 2^32 - 1.
 * @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
 * @retval MASSTREE_WRONG_KIND    The tree holds words.
 * @retval MASSTREE_FORKED        The tree was made before a fork.
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
 * Says how many entries the leaf has that a key is in, or would be: keys, and links to where
 * keys go on that have eight bytes more in common. At most 15.
 *
 * @param tree         The tree, of words or byte strings.
 * @param guard        A guard of this tree, or NULL to be pinned for this call.
 * @param key          key_len bytes; NULL only if key_len is 0.
 * @param key_len      Length of the key in bytes, at most 2^32 - 1.
 * @param size         Where the number is stored; not NULL.
 * @param observation  Where the leaf is stored: as long as that holds, it has so many. NULL:
 *                     not wanted.
 *
 * @retval MASSTREE_OK            *size and *observation are of one moment.
 * @retval MASSTREE_INVALID       tree or size is NULL, or key is NULL with a length.
 * @retval MASSTREE_KEY_TOO_LONG  key_len is over 2^32 - 1.
 * @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
 * @retval MASSTREE_FORKED        The tree was made before a fork.
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
 * masstree_scan that also says which leaves it has read.
 *
 * As long as all of them hold, a scan of the same range would meet the same keys. One is
 * shown at least, also if the range is empty, in both directions. A leaf may be shown more
 * than once: if it had changed in between, only one of the two holds.
 *
 * @param tree        The tree.
 * @param guard       A guard of this tree, or NULL to be pinned for this call.
 * @param range       As in masstree_scan. With a limit, or a visitor that stops, the leaves
 *                    prove the keys up to the last one visited.
 * @param visit_leaf  Called for each leaf before the keys from it.
 * @param visit       Called for each key.
 * @param ctx         Handed to both.
 * @param visited     As in masstree_scan.
 *
 * @retval MASSTREE_OK            The range was visited to its end, to the limit,
 *                                or until a visitor stopped.
 * @retval MASSTREE_INVALID       As in masstree_scan; or visit_leaf is NULL.
 * @retval MASSTREE_NOMEM         Out of memory for the key's buffer, or the leaves.
 * @retval MASSTREE_KEY_TOO_LONG  A bound or the prefix is over 2^32 - 1 bytes.
 * @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
 * @retval MASSTREE_WRONG_KIND    As in masstree_scan.
 * @retval MASSTREE_FORKED        The tree was made before a fork.
 * @return A negative number that a visitor answered.
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
 * masstree_scan_observed for a tree of byte strings.
 *
 * @param tree        The tree.
 * @param guard       A guard of this tree, or NULL to be pinned for this call.
 * @param range       As in masstree_scan_observed.
 * @param visit_leaf  Called for each leaf before the keys from it.
 * @param visit       Called for each key.
 * @param ctx         Handed to both.
 * @param visited     As in masstree_scan.
 *
 * @retval MASSTREE_OK            The range was visited to its end, to the limit,
 *                                or until a visitor stopped.
 * @retval MASSTREE_INVALID       As in masstree_scan_observed.
 * @retval MASSTREE_NOMEM         Out of memory for the key's buffer, or the leaves.
 * @retval MASSTREE_KEY_TOO_LONG  A bound or the prefix is over 2^32 - 1 bytes.
 * @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
 * @retval MASSTREE_WRONG_KIND    The tree holds words.
 * @retval MASSTREE_FORKED        The tree was made before a fork.
 * @return A negative number that a visitor answered.
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
 * Has a cursor remember, from its next call on, which leaves a call has read.
 *
 * @param cursor  The cursor.
 *
 * @retval MASSTREE_OK       The cursor remembers from now on.
 * @retval MASSTREE_INVALID  cursor is NULL.
 * @retval MASSTREE_FORKED   The tree was made before a fork.
 *
 * Thread safety: the cursor's thread. Since 0.1.
 */
int32_t masstree_cursor_track(masstree_cursor_t *cursor);

/**
 * The leaves that the last call of a cursor has read: a seek, or a step or many.
 *
 * As long as all of them hold, the same call from the same place would come to the same
 * keys, or to MASSTREE_END.
 *
 * @param cursor        The cursor, which was told to remember (masstree_cursor_track).
 * @param observations  Where the address of the first is stored; they are the cursor's, and
 *                      stay until its next seek or step, or until it is closed. Not NULL.
 * @param count         Where their number is stored; not NULL.
 *
 * @retval MASSTREE_OK       Both are stored; *count is 0 if the cursor was not told to
 *                           remember, or has made no call since.
 * @retval MASSTREE_INVALID  cursor, observations or count is NULL.
 * @retval MASSTREE_FORKED   The tree was made before a fork.
 *
 * Thread safety: the cursor's thread. Since 0.1.
 */
int32_t masstree_cursor_observations(masstree_cursor_t *cursor,
                                     const masstree_observation_t **observations,
                                     size_t *count);

/**
 * Says whether what was observed still holds.
 *
 * The call is a full fence. If it answers MASSTREE_OK, all that was observed held at one
 * moment, during this call. So of two threads that each insert a key and then validate
 * that the other's was absent, one at least gets MASSTREE_MISMATCH.
 *
 * Where a thread is about to change one of the leaves, this waits for it; but a thread that
 * holds a leaf itself (masstree_hold), of any tree, waits for nobody: it gets
 * MASSTREE_MISMATCH where another has locked a leaf, and the leaf that it holds itself is
 * compared as it is. If the tree was cleared after it held a leaf of it, nothing validates:
 * what is validated under a hold, and the hold, belong to one moment. A thread must not call this in a callback of masstree_update or
 * masstree_get_or_insert_with.
 *
 * @param tree           The tree.
 * @param observations   count observations of this tree; NULL only if count is 0.
 * @param count          Their number.
 * @param first_changed  Where, with MASSTREE_MISMATCH, the index of the first is stored
 *                       for which that is so; or count, if all are as they were observed
 *                       and it is the leaf that this thread holds that was cleared away.
 *                       NULL: not wanted.
 *
 * @retval MASSTREE_OK        Everything is as it was observed.
 * @retval MASSTREE_MISMATCH  Something has changed; or, if this thread holds a leaf, another
 *                            thread has locked one and may change it, or the tree was cleared
 *                            since.
 * @retval MASSTREE_INVALID   tree is NULL, or observations is NULL with a count.
 * @retval MASSTREE_FORKED    The tree was made before a fork.
 *
 * A leaf may have changed though the keys that were read have not: another key was added
 * to it or removed, it has split, or was merged with its neighbour.
 *
 * Thread safety: any thread, with or without a guard. Since 0.1.
 */
int32_t masstree_validate(const masstree_t *tree,
                          const masstree_observation_t *observations,
                          size_t count,
                          size_t *first_changed);

/**
 * The version that a leaf has now; for programs that keep ids and versions and compare them
 * themselves. masstree_validate does more: it is a fence, waits for changes under way, and
 * knows of masstree_clear.
 *
 * @param tree     The tree; or NULL, where it is known to live, and to be this process's.
 * @param leaf     The id of a leaf of this tree, from any observation.
 * @param version  Where the version is stored; not NULL. If the leaf was freed since, it is
 *                 one that no observation of it had.
 *
 * @retval MASSTREE_OK       *version is the leaf's version.
 * @retval MASSTREE_INVALID  leaf is 0, or version is NULL.
 * @retval MASSTREE_FORKED   The tree was made before a fork.
 *
 * Thread safety: any thread, with or without a guard. Since 0.1.
 */
int32_t masstree_leaf_version(const masstree_t *tree, uint64_t leaf, uint64_t *version);

/* ============================================================================
 * What writes change
 * ============================================================================ */

/**
 * Flag of a delta: the write has changed leaves that are not told, or ended some. A remove
 * that leaves its leaf empty does.
 */
#define MASSTREE_DELTA_MORE 1

/**
 * What a write of one key did to the leaves of its tree. Start from MASSTREE_DELTA_INIT, give
 * it room for created leaves, and pass it to masstree_guard_record.
 */
typedef struct {
    /**
     * sizeof(masstree_delta_t); MASSTREE_DELTA_INIT sets it. What a library does not know of
     * a larger one it leaves as it is.
     */
    size_t struct_size;
    /**
     * Yours to set: where created leaves are stored; NULL only if created_capacity is 0.
     */
    masstree_observation_t *created;
    /**
     * Yours to set: how many created leaves there is room for. A split creates one; a key
     * of which more than eight bytes were shared with many others may create one for every
     * eight bytes shared.
     */
    size_t created_capacity;
    /**
     * How many leaves the write has created. If there are more than there is room for, the
     * rest is not told.
     */
    size_t created_count;
    /**
     * The leaf with the key, or with its place, as it was when the write locked it.
     */
    masstree_observation_t before;
    /**
     * The same leaf when the write was done. Equal to `before` if the write added and
     * removed no key: it overwrote a value, or did nothing, and then this proves why, as
     * masstree_get_observed would (MASSTREE_NOT_FOUND of a remove, MASSTREE_EXISTS of an
     * insert).
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
 * Has writes under a guard say what they do to the tree's leaves: from here on, every write
 * of one key (put, insert, replace, exchange, compare_exchange, remove, update and their
 * like, of words and of byte strings) stores that in *delta. Of a batch, the last key's is
 * stored; masstree_bulk_load and masstree_clear store nothing, and reads, and writes under
 * other guards, leave it alone. Apply it after each write, once. After a write that answers
 * an error, *delta is of no use.
 *
 * @param guard  The guard; not NULL.
 * @param delta  The delta, which stays the caller's and must stay where it is, as must its
 *               room for created leaves, until this is called again or the guard is left;
 *               or NULL: writes say nothing any more.
 *
 * @retval MASSTREE_OK       Writes under the guard say so from now on.
 * @retval MASSTREE_INVALID  guard is NULL; or in *delta, struct_size is too small, created
 *                           is NULL with a capacity, or reserved is not 0.
 * @retval MASSTREE_FORKED   The tree was made before a fork.
 *
 * Thread safety: the guard's thread. Since 0.1.
 */
int32_t masstree_guard_record(masstree_guard_t *guard, masstree_delta_t *delta);

/**
 * Has a set of observations say what holds after a write of its owner's, so that a
 * transaction is not ended by what it wrote itself: if the set has the written leaf as it
 * was before the write, it has it as it is after the write from here on, and the leaves that
 * the write created, too. (Tu, Zheng, Kohler, Liskov, Madden: Speedy Transactions in
 * Multicore In-Memory Databases, SOSP 2013, section 4.6.)
 *
 * @param delta         What the write did.
 * @param observations  The set; NULL only if capacity is 0.
 * @param count         How many observations the set has, and will have; not NULL.
 * @param capacity      How many it has room for.
 *
 * @retval MASSTREE_OK         The set says what holds; it is as it was if the write changed
 *                             no leaf that is in it, or if the delta has seen no write.
 * @retval MASSTREE_MISMATCH   The set has the leaf with another version: another thread has
 *                             changed it after it was observed, and the transaction cannot
 *                             be validated any more. Or the delta was applied before. Or it
 *                             does not tell all (MASSTREE_DELTA_MORE, or more leaves created
 *                             than there was room for). The set is as it was.
 * @retval MASSTREE_TOO_SMALL  The set has no room for the created leaves; it is as it was.
 * @retval MASSTREE_INVALID    delta or count is NULL, *count is over capacity, observations
 *                             is NULL with a capacity; or the delta is malformed, as in
 *                             masstree_guard_record.
 *
 * Thread safety: any thread; the set and the delta are the caller's. Since 0.1.
 */
int32_t masstree_delta_apply(const masstree_delta_t *delta,
                             masstree_observation_t *observations,
                             size_t *count,
                             size_t capacity);

/* ============================================================================
 * Held leaves
 * ============================================================================ */

/**
 * Flag of masstree_hold: an absent key may be inserted.
 */
#define MASSTREE_HOLD_INSERT 1

/**
 * The place of a key, with its leaf locked: see masstree_hold. The memory is yours, on the
 * stack for instance; do not look into it, copy it, or move it while it is held.
 */
typedef struct {
    /**
     * The library's.
     */
    uint64_t opaque[32];
} masstree_held_t;

/**
 * Finds a key's place and locks its leaf, until masstree_held_finish.
 *
 * For programs that must look at a key, do something else, and then change it, with nothing
 * in between; masstree_update does the same with a callback, and cannot be forgotten.
 *
 * **Who waits for whom.** A leaf holds up to 15 keys that are next to each other. While one
 * is held, other threads wait for masstree_held_finish
 *
 * - in any write of a key that is in the leaf or would be, on its own or in a batch, even if
 *   it changes nothing then; and in masstree_hold of such a key. (Only
 *   masstree_get_or_insert_with, without a delta, does not wait if the key is there.)
 * - in a write elsewhere that must lock the leaf on the way: a remove, or the
 *   masstree_held_finish of another leaf, that leaves the leaf behind this one empty, or its
 *   only neighbour; one that makes a layer in a leaf beside this one, if both are sparse; and,
 *   in a layer that hangs in this leaf (of keys that share 8 bytes more), an insert or a hold
 *   that makes the layer's root split, and a remove that leaves the layer empty or its root
 *   with one child;
 * - in masstree_maintain, when it comes to this leaf or the one behind and they are sparse, or
 *   this one has room for suffixes that are gone, or when it merges the last two leaves of such
 *   a layer;
 * - in masstree_validate of this leaf, unless that thread holds a leaf itself: then it gets
 *   MASSTREE_MISMATCH at once;
 * - in masstree_clear, if the leaf is the whole tree; in masstree_bulk_load, if it is, and is
 *   empty;
 * - in masstree_barrier, until the guard is left; masstree_destroy must not be called.
 *
 * Who waits in one of these ways may itself have a leaf locked, for which others wait. Nobody
 * waits in any other call: gets, scans, counts, cursors, whether observed or not, read the
 * leaf as it was left; writes of other leaves, inserts that split them, inserts and removes
 * in a layer that hangs in this leaf, go on, and so do masstree_clear and
 * masstree_bulk_load of a larger tree, masstree_held_observation and masstree_held_next of other
 * leaves, masstree_stats, masstree_dump, masstree_pivots, masstree_len, masstree_flush and
 * masstree_retire. masstree_check does not wait, and takes the lock for damage: call it when
 * no leaf is held. The holder itself waits in masstree_hold for holders of the same leaf, as
 * an insert would; and in masstree_held_finish only if that leaves the leaf empty, for the
 * holder of the leaf before or of the one that its layer hangs in, or if room was made by a
 * layer, for the holders of the leaves beside.
 *
 * **Clearing.** masstree_clear does not wait for a leaf below the tree's root. A leaf that was
 * held before and is finished after is in the tree that was cleared away: finishing changes
 * nothing, whatever the action, and answers MASSTREE_CLEARED; from the clearing on,
 * masstree_validate under the hold answers MASSTREE_MISMATCH. Another thread may hold the same
 * key in the new tree meanwhile. So a transaction that has validated under its hold, and is
 * then told MASSTREE_CLEARED, may count as done before the clearing, which removed what it
 * wrote; or as not done.
 *
 * The leaf stays locked after MASSTREE_OK and after MASSTREE_NOT_FOUND: finish in both cases.
 * Until then this thread must not write to the tree (it would wait for itself, for ever),
 * hold another leaf, of any tree, wait for another thread, clear, load or maintain the tree,
 * refresh or leave the guard, or exit; and do nothing that takes long. It may read and
 * validate, and write to another tree, provided that no thread that holds a leaf of that one
 * writes to this one. It should read under the guard: else value destructors and objects'
 * free functions may run while the leaf is locked. Under the guard too, a scan or a cursor
 * may call the tree's allocator. If a thread forgets to finish, writers to
 * the leaf wait for ever; builds of the library with debug assertions abort, also where the
 * key's bytes have changed.
 *
 * If the key is absent, and flags say that it may be inserted, room is made for it here,
 * which may split the leaf, and then stays split even if the key is not set; so finishing
 * cannot run out of memory.
 *
 * @param tree     The tree.
 * @param guard    A guard of this tree; not NULL. If it has a delta
 *                 (masstree_guard_record), that says what was done to make room, and, after
 *                 finishing, what was done in all: apply it once, then.
 * @param key      key_len bytes, which must stay as they are until finishing; NULL only if
 *                 key_len is 0.
 * @param key_len  Length of the key in bytes, at most 2^32 - 1.
 * @param flags    0 or MASSTREE_HOLD_INSERT.
 * @param held     Where the place is kept; needs no initializer. Not NULL.
 * @param value    Where the key's value is stored if the key is there; NULL: not wanted.
 *
 * @retval MASSTREE_OK            The key is there, with *value; its leaf is locked.
 * @retval MASSTREE_NOT_FOUND     The key is absent; the leaf with its place is locked.
 * @retval MASSTREE_INVALID       tree, guard or held is NULL, key is NULL with a length, a
 *                                flag is unknown, or this thread holds a leaf already.
 * @retval MASSTREE_NOMEM         Out of memory for room; nothing is locked, and the tree is
 *                                unchanged.
 * @retval MASSTREE_KEY_TOO_LONG  key_len is over 2^32 - 1.
 * @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
 * @retval MASSTREE_WRONG_KIND    The tree holds byte strings, whose keys cannot be held.
 * @retval MASSTREE_FORKED        The tree was made before a fork.
 *
 * Thread safety: any thread; the same one finishes. Since 0.1.
 */
int32_t masstree_hold(masstree_t *tree,
                      masstree_guard_t *guard,
                      const void *key,
                      size_t key_len,
                      uint32_t flags,
                      masstree_held_t *held,
                      uint64_t *value);

/**
 * What the leaf is that this thread holds.
 *
 * @param held      The place.
 * @param original  Where the leaf is stored that the key's place was found in, as it was
 *                  before room was made; NULL: not wanted.
 * @param now       Where the leaf is stored that is locked, as readers see it at present:
 *                  the same one, unless room was made and the key goes to a new one. NULL:
 *                  not wanted.
 *
 * @retval MASSTREE_OK       What was wanted is stored.
 * @retval MASSTREE_INVALID  This thread holds no leaf there.
 * @retval MASSTREE_FORKED   The leaf was held before a fork, by the parent process.
 *
 * Thread safety: the thread that holds. Since 0.1.
 */
int32_t masstree_held_observation(const masstree_held_t *held,
                                  masstree_observation_t *original,
                                  masstree_observation_t *now);

/**
 * What the leaf that this thread holds will be when it has finished.
 *
 * @param held    The place.
 * @param action  What it will finish with, as in masstree_held_finish.
 * @param next    Where the leaf is stored as it will be then; not NULL. If the action leaves
 *                the leaf empty, the leaf goes, and *next never holds; nor does it if the
 *                tree is cleared before.
 *
 * @retval MASSTREE_OK       *next is stored.
 * @retval MASSTREE_INVALID  This thread holds no leaf there, action is unknown, next is
 *                           NULL, or action is MASSTREE_ACTION_SET for an absent key that
 *                           was held without MASSTREE_HOLD_INSERT.
 * @retval MASSTREE_FORKED   The leaf was held before a fork, by the parent process.
 *
 * Thread safety: the thread that holds. Since 0.1.
 */
int32_t masstree_held_next(const masstree_held_t *held,
                           int32_t action,
                           masstree_observation_t *next);

/**
 * Does with a held key what was decided, and unlocks its leaf.
 *
 * @param held    The place; empty after MASSTREE_OK and MASSTREE_CLEARED.
 * @param action  MASSTREE_ACTION_KEEP: nothing. MASSTREE_ACTION_SET: the key gets the value,
 *                whether it was there or not. MASSTREE_ACTION_REMOVE: it goes, if it was
 *                there.
 * @param value   The value for MASSTREE_ACTION_SET, the tree's after MASSTREE_OK if it has a
 *                value destructor; else it does not matter.
 * @param old     Where a value that was displaced or removed is stored, the caller's then as
 *                in masstree_exchange; written only if there was one. NULL: not wanted, and
 *                the value destructor is run for it once no reader can hold it.
 *
 * @retval MASSTREE_OK       Done, and unlocked; before any masstree_clear that ends later.
 * @retval MASSTREE_CLEARED  The tree was cleared after the key was held: nothing was changed,
 *                           and the leaf is unlocked. The value stays the caller's, *old is
 *                           not written, and the key is as the clearing and later writes left
 *                           it.
 * @retval MASSTREE_INVALID  This thread holds no leaf there, or has finished already. Or
 *                           action is unknown, or it is MASSTREE_ACTION_SET for an absent
 *                           key that was held without MASSTREE_HOLD_INSERT: then the leaf is
 *                           still held.
 * @retval MASSTREE_FORKED   The leaf was held before a fork, by the parent process.
 *
 * A value that is stored where it is already is not displaced: it stays the tree's, and
 * *old is not written.
 *
 * Thread safety: the thread that holds. Since 0.1.
 */
int32_t masstree_held_finish(masstree_held_t *held, int32_t action, uint64_t value, uint64_t *old);

#ifdef __cplusplus
}
#endif

#if defined(__GNUC__)
#pragma GCC visibility pop
#endif

#endif /* MASSTREE_OCC_H */
