/*
 * libmasstree: versioned trees. Under each key they keep several versions, each with a sequence
 * number, and read as of a number. docs/versioned.md explains their use.
 *
 * A tree is made versioned by value_kind = MASSTREE_VALUES_VERSIONED in its options. Guards,
 * cursors, statistics, masstree_check, masstree_dump and masstree_destroy are those of every tree;
 * masstree_contains, masstree_count, masstree_len and scans of keys only see every key that has a
 * version, also if all of them are tombstones.
 *
 * Sequence numbers are 1 to MASSTREE_SEQNO_MAX. Either the caller chooses them, in any order; or
 * it takes them from the tree in groups (masstree_next_seqno), whose writes become visible at once
 * (masstree_publish). A reader at a number sees, of each key, the newest version with that number
 * or a lower one, unless a range tombstone in between covers the key.
 *
 * This file is generated from src/ffi/versioned; `make header` updates it.
 */

#ifndef MASSTREE_VERSIONED_H
#define MASSTREE_VERSIONED_H

#include "../masstree.h"

#if defined(__GNUC__)
#pragma GCC visibility push(default)
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ============================================================================
 * Storing versions
 * ============================================================================ */

/**
 * The sequence number that reads everything published.
 */
#define MASSTREE_SEQNO_LATEST 18446744073709551615ull

/**
 * The greatest sequence number of a version: 2^56 - 1.
 */
#define MASSTREE_SEQNO_MAX 72057594037927935

/**
 * Kind of a version: a value.
 */
#define MASSTREE_VERSION_VALUE 0

/**
 * Kind of a version: an operand, which the reader merges with the older versions; see
 * masstree_get_operands_at.
 */
#define MASSTREE_VERSION_MERGE 1

/**
 * Kind of a version: the key is deleted.
 */
#define MASSTREE_VERSION_TOMBSTONE 2

/**
 * Kind of a version: the key, which was stored once, is deleted. Reads treat it as a tombstone;
 * who compacts versions may drop it together with that one value.
 */
#define MASSTREE_VERSION_WEAK_TOMBSTONE 3

/**
 * Kind of what masstree_get_at returns with MASSTREE_DELETED if a range tombstone deletes the key.
 * No version has it.
 */
#define MASSTREE_VERSION_RANGE_TOMBSTONE 4

/**
 * Stores a version of a key. The order in which versions are stored does not matter.
 *
 * @param tree       The tree.
 * @param guard      A guard of this tree, or NULL: then this call pins for its own duration.
 * @param key        key_len bytes; NULL only if key_len is 0.
 * @param key_len    Length of the key in bytes, at most 2^32 - 1.
 * @param seqno      The version's number, 1 to MASSTREE_SEQNO_MAX.
 * @param kind       MASSTREE_VERSION_VALUE, _MERGE, _TOMBSTONE or _WEAK_TOMBSTONE.
 * @param value      value_len bytes, which are copied; NULL only if value_len is 0. A tombstone may
 *                   have a value, too.
 * @param value_len  Length of the value in bytes.
 *
 * @retval MASSTREE_OK            The version is in the tree.
 * @retval MASSTREE_EXISTS        The key has a version with this number; nothing was changed.
 * @retval MASSTREE_INVALID       tree is NULL; key or value is NULL and its length is not 0; kind
 *                                is unknown; seqno is out of range; key_of of the tree's options finds
 *                                another key in the value.
 * @retval MASSTREE_NOMEM         Out of memory; the tree is unchanged.
 * @retval MASSTREE_KEY_TOO_LONG  key_len exceeds 2^32 - 1.
 * @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
 * @retval MASSTREE_WRONG_KIND    The tree is not versioned.
 * @retval MASSTREE_FORKED        The parent process created the tree, before a fork.
 * @retval MASSTREE_READ_ONLY     The tree is sealed, or a store's.
 * @retval MASSTREE_TOO_OLD       seqno is at or below the floor of a trim; or numbers were taken
 *                                from the tree, and this one is published already.
 *
 * Thread safety: any thread. Since 0.1.
 */
int32_t masstree_put_at(masstree_t *tree,
                        masstree_guard_t *guard,
                        const void *key,
                        size_t key_len,
                        uint64_t seqno,
                        uint32_t kind,
                        const void *value,
                        size_t value_len);

/**
 * Like masstree_put_at, but only if the key has no version with a greater number.
 *
 * @param tree       The tree.
 * @param guard      A guard of this tree, or NULL: then this call pins for its own duration.
 * @param key        key_len bytes; NULL only if key_len is 0.
 * @param key_len    Length of the key in bytes, at most 2^32 - 1.
 * @param seqno      As in masstree_put_at.
 * @param kind       As in masstree_put_at.
 * @param value      As in masstree_put_at.
 * @param value_len  Length of the value in bytes.
 * @param newer      Receives, with MASSTREE_MISMATCH, the greatest number of the key's versions.
 *                   May be NULL.
 *
 * @retval MASSTREE_OK            The version is in the tree, and was the key's newest.
 * @retval MASSTREE_EXISTS        The key's newest version has this number; nothing was changed.
 * @retval MASSTREE_MISMATCH      The key has a newer version; nothing was changed.
 * @retval MASSTREE_INVALID       As in masstree_put_at.
 * @retval MASSTREE_NOMEM         Out of memory; the tree is unchanged.
 * @retval MASSTREE_KEY_TOO_LONG  key_len exceeds 2^32 - 1.
 * @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
 * @retval MASSTREE_WRONG_KIND    The tree is not versioned.
 * @retval MASSTREE_FORKED        The parent process created the tree, before a fork.
 * @retval MASSTREE_READ_ONLY     The tree is sealed, or a store's.
 * @retval MASSTREE_TOO_OLD       As in masstree_put_at.
 *
 * Thread safety: any thread. Since 0.1.
 */
int32_t masstree_put_unless_newer_at(masstree_t *tree,
                                     masstree_guard_t *guard,
                                     const void *key,
                                     size_t key_len,
                                     uint64_t seqno,
                                     uint32_t kind,
                                     const void *value,
                                     size_t value_len,
                                     uint64_t *newer);

/**
 * Stores several versions, faster than one by one.
 *
 * @param tree      The tree.
 * @param guard     A guard of this tree, or NULL: then this call pins for its own duration.
 * @param keys      count keys, as masstree_put_at takes them; NULL only if count is 0.
 * @param seqnos    The number of each version; NULL only if count is 0.
 * @param kinds     The kind of each version; NULL: all are MASSTREE_VERSION_VALUE.
 * @param values    The value of each version; NULL: all are empty.
 * @param count     Number of versions.
 * @param statuses  Receives, for each version, the status that masstree_put_at would return. May
 *                  be NULL.
 *
 * @retval MASSTREE_OK            Every version was stored, or its key has the number already.
 * @retval MASSTREE_INVALID       tree is NULL, or keys or seqnos is NULL and count is not 0:
 *                                nothing was done, and no status is stored. Or a version is
 *                                malformed; the others were handled.
 * @retval MASSTREE_NOMEM         Out of memory for a version; the others were handled.
 * @retval MASSTREE_KEY_TOO_LONG  A key exceeds 2^32 - 1 bytes; the others were handled.
 * @retval MASSTREE_WRONG_TREE    The guard belongs to another tree; nothing was done.
 * @retval MASSTREE_WRONG_KIND    The tree is not versioned; nothing was done.
 * @retval MASSTREE_FORKED        The parent process created the tree, before a fork; nothing was
 *                                done.
 * @retval MASSTREE_READ_ONLY     The tree is sealed, or a store's.
 * @retval MASSTREE_TOO_OLD       A number is too low, as in masstree_put_at; the others were
 *                                handled.
 *
 * With several errors, the first is returned. The versions become visible one by one, unless
 * their numbers are a group that is not yet published.
 *
 * Thread safety: any thread. Since 0.1.
 */
int32_t masstree_put_many_at(masstree_t *tree,
                             masstree_guard_t *guard,
                             const masstree_slice_t *keys,
                             const uint64_t *seqnos,
                             const uint32_t *kinds,
                             const masstree_slice_t *values,
                             size_t count,
                             int32_t *statuses);

/**
 * Deletes a range of keys at a number: readers at that number and above see no version with a
 * smaller number of the keys from lower (inclusive) to upper (exclusive). Versions that are stored
 * later, with smaller numbers, are deleted, too. The cost does not depend on the keys in the range.
 *
 * @param tree       The tree.
 * @param guard      A guard of this tree, or NULL: then this call pins for its own duration.
 * @param lower      The first key of the range: lower_len bytes; NULL only if lower_len is 0.
 * @param lower_len  Length of lower in bytes, at most 2^32 - 1.
 * @param upper      The key at which the range ends: upper_len bytes; NULL only if upper_len is 0.
 *                   If it is not above lower, nothing is deleted.
 * @param upper_len  Length of upper in bytes, at most 2^32 - 1.
 * @param seqno      The number, 1 to MASSTREE_SEQNO_MAX.
 *
 * @retval MASSTREE_OK            The range is deleted at this number.
 * @retval MASSTREE_INVALID       tree is NULL; lower or upper is NULL and its length is not 0; seqno
 *                                is out of range.
 * @retval MASSTREE_NOMEM         Out of memory; the tree is unchanged.
 * @retval MASSTREE_KEY_TOO_LONG  A length exceeds 2^32 - 1.
 * @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
 * @retval MASSTREE_WRONG_KIND    The tree is not versioned.
 * @retval MASSTREE_FORKED        The parent process created the tree, before a fork.
 * @retval MASSTREE_READ_ONLY     The tree is sealed, or a store's.
 * @retval MASSTREE_TOO_OLD       As in masstree_put_at.
 *
 * Thread safety: any thread. Since 0.1.
 */
int32_t masstree_remove_range_at(masstree_t *tree,
                                 masstree_guard_t *guard,
                                 const void *lower,
                                 size_t lower_len,
                                 const void *upper,
                                 size_t upper_len,
                                 uint64_t seqno);

/* ============================================================================
 * Reading at a number
 * ============================================================================ */

/**
 * A version of a key.
 */
typedef struct {
    /**
     * Its number.
     */
    uint64_t seqno;
    /**
     * MASSTREE_VERSION_VALUE, _MERGE, _TOMBSTONE or _WEAK_TOMBSTONE.
     */
    uint32_t kind;
    /**
     * The algorithm of its digest; 0: it has none.
     */
    uint32_t algorithm;
    /**
     * Its value: value_len bytes of the tree's memory, readable and unchanged until the guard is
     * refreshed or left, in an append-only tree until masstree_destroy. Never NULL.
     */
    const void *value;
    /**
     * Length of the value in bytes.
     */
    size_t value_len;
    /**
     * Its digest, or 0: as it was stored, not verified.
     */
    uint32_t digest;
    /**
     * 0.
     */
    uint32_t reserved;
} masstree_version_t;

/**
 * Called for each version of a scan, in order, or for each operand of a key.
 *
 * @param key      The key's bytes; valid during this call only. Never NULL.
 * @param key_len  Their length in bytes.
 * @param version  The version; the struct is valid during this call only, the value's bytes as long
 *                 as the guard that the call runs under is held, and without a guard during this
 *                 call only. In an append-only tree they stay until masstree_destroy.
 * @param ctx      The ctx that was passed with the visitor.
 *
 * @return As masstree_visitor_t, whose rules apply.
 */
typedef int32_t (*masstree_version_visitor_t)(const void *key,
                                              size_t key_len,
                                              const masstree_version_t *version,
                                              void *ctx);

/**
 * Looks up a key as of a number.
 *
 * @param tree     The tree.
 * @param guard    A guard of this tree: the value stays readable only while the guard is held. NULL
 *                 only if the tree is append-only.
 * @param key      key_len bytes; NULL only if key_len is 0.
 * @param key_len  Length of the key in bytes, at most 2^32 - 1.
 * @param seqno    The number; 0 sees nothing, MASSTREE_SEQNO_LATEST everything published.
 * @param version  Receives the newest version with this number or a lower one; with
 *                 MASSTREE_DELETED, the tombstone, or the range tombstone's number with the kind
 *                 MASSTREE_VERSION_RANGE_TOMBSTONE. May be NULL.
 *
 * @retval MASSTREE_OK            *version is a value, or the newest of some merge operands: see
 *                                masstree_get_operands_at.
 * @retval MASSTREE_NOT_FOUND     The key has no version at this number.
 * @retval MASSTREE_DELETED       The key is deleted at this number; *version says by what. A range
 *                                tombstone deletes keys that have no version, too.
 * @retval MASSTREE_INVALID       tree is NULL, guard is NULL and the tree is not append-only, or key
 *                                is NULL and key_len is not 0.
 * @retval MASSTREE_KEY_TOO_LONG  key_len exceeds 2^32 - 1.
 * @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
 * @retval MASSTREE_WRONG_KIND    The tree is not versioned.
 * @retval MASSTREE_FORKED        The parent process created the tree, before a fork.
 * @retval MASSTREE_TOO_OLD       seqno is below the floor of a trim, and no snapshot is open at it.
 *
 * Thread safety: any thread; takes no lock. Since 0.1.
 */
int32_t masstree_get_at(const masstree_t *tree,
                        masstree_guard_t *guard,
                        const void *key,
                        size_t key_len,
                        uint64_t seqno,
                        masstree_version_t *version);

/**
 * Looks up several keys as of one number, faster than one by one. At MASSTREE_SEQNO_LATEST, too,
 * all are read at the same number.
 *
 * @param tree      The tree.
 * @param guard     As in masstree_get_at.
 * @param keys      count keys, as masstree_get_at takes them; NULL only if count is 0.
 * @param count     Number of keys.
 * @param seqno     As in masstree_get_at.
 * @param versions  Receives the versions, each at the index of its key, as masstree_get_at returns
 *                  them; elements of other keys are undefined. May be NULL.
 * @param statuses  Receives, for each key, the status that masstree_get_at would return. May be
 *                  NULL.
 *
 * @retval MASSTREE_OK            Every key was looked up; the status of each says what was found.
 * @retval MASSTREE_INVALID       tree is NULL, guard is NULL and the tree is not append-only, or keys
 *                                is NULL and count is not 0: nothing was done, and no status is
 *                                stored. Or a key is NULL and its length is not 0; the other keys
 *                                were looked up.
 * @retval MASSTREE_KEY_TOO_LONG  A key exceeds 2^32 - 1 bytes; the other keys were looked up.
 * @retval MASSTREE_WRONG_TREE    The guard belongs to another tree; nothing was done.
 * @retval MASSTREE_WRONG_KIND    The tree is not versioned; nothing was done.
 * @retval MASSTREE_FORKED        The parent process created the tree, before a fork; nothing was
 *                                done.
 * @retval MASSTREE_TOO_OLD       As in masstree_get_at; the outputs are undefined.
 *
 * Thread safety: any thread; takes no lock. Since 0.1.
 */
int32_t masstree_get_many_at(const masstree_t *tree,
                             masstree_guard_t *guard,
                             const masstree_slice_t *keys,
                             size_t count,
                             uint64_t seqno,
                             masstree_version_t *versions,
                             int32_t *statuses);

/**
 * Visits the versions of a key that a reader at a number merges: operands, the newest first, and
 * last the value or the tombstone on which they build, unless there is none.
 *
 * @param tree     The tree.
 * @param guard    A guard of this tree, or NULL: then this call pins for its own duration.
 * @param key      key_len bytes; NULL only if key_len is 0.
 * @param key_len  Length of the key in bytes, at most 2^32 - 1.
 * @param seqno    As in masstree_get_at.
 * @param visit    Called for each version.
 * @param ctx      Passed to visit.
 * @param visited  Receives the number of versions visited. May be NULL.
 *
 * @retval MASSTREE_OK            The newest version is a value or a merge operand.
 * @retval MASSTREE_NOT_FOUND     The key has no version at this number; none was visited.
 * @retval MASSTREE_DELETED       The key is deleted at this number; its tombstone was visited, a
 *                                range tombstone is not.
 * @retval MASSTREE_INVALID       tree or visit is NULL, or key is NULL and key_len is not 0.
 * @retval MASSTREE_KEY_TOO_LONG  key_len exceeds 2^32 - 1.
 * @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
 * @retval MASSTREE_WRONG_KIND    The tree is not versioned.
 * @retval MASSTREE_FORKED        The parent process created the tree, before a fork.
 * @retval MASSTREE_TOO_OLD       As in masstree_get_at; the visitor may have been called.
 * @return The negative number that the visitor returned.
 *
 * Thread safety: any thread; takes no lock. Since 0.1.
 */
int32_t masstree_get_operands_at(const masstree_t *tree,
                                 masstree_guard_t *guard,
                                 const void *key,
                                 size_t key_len,
                                 uint64_t seqno,
                                 masstree_version_visitor_t visit,
                                 void *ctx,
                                 size_t *visited);

/**
 * Finds the key nearest to a given one that a reader at a number sees, and its version: a value, or the
 * newest of some merge operands. Otherwise as masstree_seek.
 *
 * @param tree      The tree.
 * @param guard     As in masstree_get_at.
 * @param key       key_len bytes; NULL only if key_len is 0.
 * @param key_len   Length of the key in bytes, at most 2^32 - 1.
 * @param seqno     As in masstree_get_at.
 * @param how       As in masstree_seek.
 * @param buffer    As in masstree_seek.
 * @param capacity  Size of the buffer in bytes.
 * @param len       As in masstree_seek.
 * @param version   Receives the version of the key that was found. May be NULL.
 *
 * @retval MASSTREE_OK            Found.
 * @retval MASSTREE_END           No such key is visible.
 * @retval MASSTREE_INVALID       As in masstree_get_at, or how is unknown.
 * @retval MASSTREE_NOMEM         Out of memory for the key's buffer.
 * @retval MASSTREE_KEY_TOO_LONG  key_len exceeds 2^32 - 1.
 * @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
 * @retval MASSTREE_WRONG_KIND    The tree is not versioned.
 * @retval MASSTREE_FORKED        The parent process created the tree, before a fork.
 * @retval MASSTREE_TOO_SMALL     As in masstree_seek.
 * @retval MASSTREE_TOO_OLD       As in masstree_get_at.
 *
 * Thread safety: any thread. Since 0.1.
 */
int32_t masstree_seek_at(const masstree_t *tree,
                         masstree_guard_t *guard,
                         const void *key,
                         size_t key_len,
                         uint64_t seqno,
                         uint32_t how,
                         void *buffer,
                         size_t capacity,
                         size_t *len,
                         masstree_version_t *version);

/* ============================================================================
 * Walking versions
 * ============================================================================ */

/**
 * A range of versions, in the order of versions: by key ascending, and those of a key by number
 * descending. Start from MASSTREE_VERSION_RANGE_INIT (everything, no limit) and set the fields that
 * you need; struct_size works as in masstree_options_t.
 */
typedef struct {
    /**
     * sizeof(masstree_version_range_t); MASSTREE_VERSION_RANGE_INIT sets it.
     */
    size_t struct_size;
    /**
     * The key of the lower bound: lower_len bytes; NULL only if lower_len is 0.
     */
    const void *lower;
    /**
     * Length of the lower bound's key in bytes.
     */
    size_t lower_len;
    /**
     * The number of the lower bound; MASSTREE_SEQNO_LATEST, inclusive, begins with the key's newest
     * version.
     */
    uint64_t lower_seqno;
    /**
     * The key of the upper bound: upper_len bytes; NULL only if upper_len is 0.
     */
    const void *upper;
    /**
     * Length of the upper bound's key in bytes.
     */
    size_t upper_len;
    /**
     * The number of the upper bound; 0, inclusive, ends with the key's oldest version.
     */
    uint64_t upper_seqno;
    /**
     * Visit only versions with greater numbers; 0: all.
     */
    uint64_t since;
    /**
     * Visit at most this many versions; 0: no limit.
     */
    size_t limit;
    /**
     * MASSTREE_BOUND_OPEN, MASSTREE_BOUND_INCLUSIVE or MASSTREE_BOUND_EXCLUSIVE.
     */
    uint32_t lower_bound;
    /**
     * MASSTREE_BOUND_OPEN, MASSTREE_BOUND_INCLUSIVE or MASSTREE_BOUND_EXCLUSIVE.
     */
    uint32_t upper_bound;
    /**
     * 0, or MASSTREE_SCAN_REVERSE.
     */
    uint32_t flags;
    /**
     * Must be 0.
     */
    uint32_t reserved;
    /**
     * As in masstree_range_t.
     */
    int32_t *visitor_result;
} masstree_version_range_t;

/** Initializer of masstree_version_range_t: sets struct_size, and every other field to 0 or NULL. */
#define MASSTREE_VERSION_RANGE_INIT \
    { sizeof(masstree_version_range_t), NULL, 0, 0, NULL, 0, 0, 0, 0, 0, 0, 0, 0, NULL }

/**
 * Called for each range tombstone.
 *
 * @param lower      The first key of the range; the bytes are valid as long as the guard that the
 *                   call runs under is held, and without a guard during this call only. Never NULL.
 * @param lower_len  Length of lower in bytes.
 * @param upper      The key at which the range ends; as lower.
 * @param upper_len  Length of upper in bytes.
 * @param seqno      The tombstone's number.
 * @param ctx        The ctx that was passed to the scan.
 *
 * @return As masstree_visitor_t, whose rules apply.
 */
typedef int32_t (*masstree_range_visitor_t)(const void *lower,
                                            size_t lower_len,
                                            const void *upper,
                                            size_t upper_len,
                                            uint64_t seqno,
                                            void *ctx);

/**
 * Visits the keys of a range that a reader at a number sees, in order, each with its newest version
 * at that number: a value, or the newest of some merge operands. The range is consistent: it has all
 * of a published group or nothing of it.
 *
 * @param tree     The tree.
 * @param guard    A guard of this tree, or NULL: then this call pins for its own duration.
 * @param range    As in masstree_scan; MASSTREE_SCAN_KEYS_ONLY and MASSTREE_SCAN_VALUES_ONLY have no
 *                 effect.
 * @param seqno    As in masstree_get_at. At MASSTREE_SEQNO_LATEST the scan opens a snapshot.
 * @param visit    Called for each key.
 * @param ctx      Passed to visit.
 * @param visited  As in masstree_scan.
 *
 * @retval MASSTREE_OK            The range was visited to its end, to the limit, or until the
 *                                visitor stopped.
 * @retval MASSTREE_INVALID       visit is NULL; otherwise as in masstree_scan.
 * @retval MASSTREE_NOMEM         Out of memory for the key's buffer.
 * @retval MASSTREE_KEY_TOO_LONG  A bound or the prefix exceeds 2^32 - 1 bytes.
 * @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
 * @retval MASSTREE_WRONG_KIND    The tree is not versioned.
 * @retval MASSTREE_FORKED        The parent process created the tree, before a fork.
 * @retval MASSTREE_TOO_OLD       As in masstree_get_at; the visitor may have been called.
 * @return The negative number that the visitor returned.
 *
 * Thread safety: any thread. Since 0.1.
 */
int32_t masstree_scan_at(const masstree_t *tree,
                         masstree_guard_t *guard,
                         const masstree_range_t *range,
                         uint64_t seqno,
                         masstree_version_visitor_t visit,
                         void *ctx,
                         size_t *visited);

/**
 * Visits the keys of a range that a reader at a number sees, as masstree_scan_at, and rolls keys up by a
 * delimiter, as masstree_scan_delimited. A common prefix is visited if the reader sees a key that begins
 * with it. To find that key, the scan steps over those before it that are deleted and not trimmed yet:
 * each of them costs what it costs masstree_scan_at.
 *
 * @param tree           The tree.
 * @param guard          A guard of this tree, or NULL: then this call pins for its own duration.
 * @param range          As in masstree_scan_delimited; MASSTREE_SCAN_KEYS_ONLY and
 *                       MASSTREE_SCAN_VALUES_ONLY have no effect.
 * @param seqno          As in masstree_scan_at.
 * @param delimiter      As in masstree_scan_delimited.
 * @param delimiter_len  As in masstree_scan_delimited.
 * @param visit          Called for each key that is not rolled up.
 * @param visit_prefix   Called for each common prefix.
 * @param ctx            Passed to visit and visit_prefix.
 * @param visited        As in masstree_scan_delimited.
 *
 * @retval MASSTREE_OK            The range was visited to its end, to the limit, or until a visitor
 *                                stopped.
 * @retval MASSTREE_INVALID       As in masstree_scan_delimited.
 * @retval MASSTREE_NOMEM         Out of memory for the key's buffer or the common prefix's.
 * @retval MASSTREE_KEY_TOO_LONG  A bound, the prefix or the delimiter exceeds 2^32 - 1 bytes.
 * @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
 * @retval MASSTREE_WRONG_KIND    The tree is not versioned.
 * @retval MASSTREE_FORKED        The parent process created the tree, before a fork.
 * @retval MASSTREE_TOO_OLD       As in masstree_get_at; the visitors may have been called.
 * @return The negative number that a visitor returned.
 *
 * Thread safety: any thread. Since 0.1.
 */
int32_t masstree_scan_delimited_at(const masstree_t *tree,
                                   masstree_guard_t *guard,
                                   const masstree_range_t *range,
                                   uint64_t seqno,
                                   const void *delimiter,
                                   size_t delimiter_len,
                                   masstree_version_visitor_t visit,
                                   masstree_prefix_visitor_t visit_prefix,
                                   void *ctx,
                                   size_t *visited);

/**
 * Visits the versions of a range, tombstones among them, in the order of versions: what a flush or
 * the capture of changes reads. It sees versions of groups that are not published yet, and, as
 * masstree_scan, perhaps versions that are stored during the scan.
 *
 * @param tree     The tree.
 * @param guard    A guard of this tree, or NULL: then this call pins for its own duration.
 * @param range    NULL for everything, ascending; or a struct that was initialised with
 *                 MASSTREE_VERSION_RANGE_INIT.
 * @param visit    Called for each version.
 * @param ctx      Passed to visit.
 * @param visited  Receives the number of versions visited, as in masstree_scan. May be NULL.
 *
 * @retval MASSTREE_OK            The range was visited to its end, to the limit, or until the
 *                                visitor stopped.
 * @retval MASSTREE_INVALID       tree or visit is NULL; a bound is NULL and its length is not 0; the
 *                                lower bound is behind the upper; a kind of bound or a flag is
 *                                unknown; a reserved field is not 0; struct_size is too small, or a
 *                                byte of the struct that this library does not know is not zero.
 * @retval MASSTREE_NOMEM         Out of memory for the key's buffer.
 * @retval MASSTREE_KEY_TOO_LONG  A bound exceeds 2^32 - 1 bytes.
 * @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
 * @retval MASSTREE_WRONG_KIND    The tree is not versioned.
 * @retval MASSTREE_FORKED        The parent process created the tree, before a fork.
 * @return The negative number that the visitor returned.
 *
 * Thread safety: any thread; takes no lock. Since 0.1.
 */
int32_t masstree_scan_versions(const masstree_t *tree,
                               masstree_guard_t *guard,
                               const masstree_version_range_t *range,
                               masstree_version_visitor_t visit,
                               void *ctx,
                               size_t *visited);

/**
 * Visits the range tombstones of a tree, as they were added with masstree_remove_range_at, in no
 * particular order.
 *
 * @param tree     The tree.
 * @param guard    A guard of this tree, or NULL: then this call pins for its own duration.
 * @param visit    Called for each range tombstone.
 * @param ctx      Passed to visit.
 * @param visited  Receives the number of range tombstones visited. May be NULL.
 *
 * @retval MASSTREE_OK          All were visited, or the visitor stopped.
 * @retval MASSTREE_INVALID     tree or visit is NULL.
 * @retval MASSTREE_WRONG_TREE  The guard belongs to another tree.
 * @retval MASSTREE_WRONG_KIND  The tree is not versioned.
 * @retval MASSTREE_FORKED      The parent process created the tree, before a fork.
 * @return The negative number that the visitor returned.
 *
 * Thread safety: any thread; takes no lock. Since 0.1.
 */
int32_t masstree_scan_range_tombstones(const masstree_t *tree,
                                       masstree_guard_t *guard,
                                       masstree_range_visitor_t visit,
                                       void *ctx,
                                       size_t *visited);

/**
 * Opens a cursor over what a reader at a number sees. It moves as every cursor
 * (masstree_cursor_next, masstree_cursor_seek, ...), over keys with a value or a merge operand;
 * masstree_cursor_version returns that version. What it passes is consistent, as in
 * masstree_scan_at.
 *
 * @param tree    The tree.
 * @param guard   As in masstree_cursor_open.
 * @param seqno   As in masstree_get_at. At MASSTREE_SEQNO_LATEST the cursor opens a snapshot, and
 *                closes it when it is closed.
 * @param cursor  Receives the cursor, which the caller frees with masstree_cursor_close.
 *
 * @retval MASSTREE_OK          *cursor is a new cursor.
 * @retval MASSTREE_INVALID     tree or cursor is NULL.
 * @retval MASSTREE_NOMEM       Out of memory.
 * @retval MASSTREE_WRONG_TREE  The guard belongs to another tree.
 * @retval MASSTREE_WRONG_KIND  The tree is not versioned.
 * @retval MASSTREE_FORKED      The parent process created the tree, before a fork.
 *
 * Thread safety: any thread. Since 0.1.
 */
int32_t masstree_cursor_open_at(const masstree_t *tree,
                                masstree_guard_t *guard,
                                uint64_t seqno,
                                masstree_cursor_t **cursor);

/**
 * Opens a cursor as masstree_cursor_open_at does, in memory of the caller's, without allocating: see
 * masstree_cursor_open_in.
 *
 * @param tree    The tree.
 * @param guard   As in masstree_cursor_open_in.
 * @param memory  As in masstree_cursor_open_in. A snapshot lies there, too.
 * @param size    As in masstree_cursor_open_in.
 * @param seqno   As in masstree_cursor_open_at.
 * @param cursor  As in masstree_cursor_open_in.
 *
 * @retval MASSTREE_OK          *cursor is a new cursor.
 * @retval MASSTREE_INVALID     As in masstree_cursor_open_in.
 * @retval MASSTREE_NOMEM       Out of memory for a guard.
 * @retval MASSTREE_WRONG_TREE  The guard belongs to another tree.
 * @retval MASSTREE_WRONG_KIND  The tree is not versioned.
 * @retval MASSTREE_FORKED      The parent process created the tree, before a fork.
 *
 * Thread safety: any thread. Since 0.1.
 */
int32_t masstree_cursor_open_in_at(const masstree_t *tree,
                                   masstree_guard_t *guard,
                                   void *memory,
                                   size_t size,
                                   uint64_t seqno,
                                   masstree_cursor_t **cursor);

/**
 * Opens a cursor over every version, tombstones among them, in the order of versions: by key
 * ascending, and those of a key by number descending. It moves as every cursor, from version to
 * version; masstree_cursor_seek moves to the newest version of a key or, with MASSTREE_SEEK_LE and
 * MASSTREE_SEEK_LT, to the oldest; masstree_cursor_seek_at to a key and a number.
 *
 * @param tree    The tree.
 * @param guard   As in masstree_cursor_open.
 * @param since   Stop only at versions with greater numbers; 0: at all.
 * @param cursor  Receives the cursor, which the caller frees with masstree_cursor_close.
 *
 * @retval MASSTREE_OK          *cursor is a new cursor.
 * @retval MASSTREE_INVALID     tree or cursor is NULL.
 * @retval MASSTREE_NOMEM       Out of memory.
 * @retval MASSTREE_WRONG_TREE  The guard belongs to another tree.
 * @retval MASSTREE_WRONG_KIND  The tree is not versioned.
 * @retval MASSTREE_FORKED      The parent process created the tree, before a fork.
 *
 * Thread safety: any thread. Since 0.1.
 */
int32_t masstree_cursor_open_versions(const masstree_t *tree,
                                      masstree_guard_t *guard,
                                      uint64_t since,
                                      masstree_cursor_t **cursor);

/**
 * Opens a cursor as masstree_cursor_open_versions does, in memory of the caller's, without allocating: see
 * masstree_cursor_open_in.
 *
 * @param tree    The tree.
 * @param guard   As in masstree_cursor_open_in.
 * @param memory  As in masstree_cursor_open_in.
 * @param size    As in masstree_cursor_open_in.
 * @param since   As in masstree_cursor_open_versions.
 * @param cursor  As in masstree_cursor_open_in.
 *
 * @retval MASSTREE_OK          *cursor is a new cursor.
 * @retval MASSTREE_INVALID     As in masstree_cursor_open_in.
 * @retval MASSTREE_NOMEM       Out of memory for a guard.
 * @retval MASSTREE_WRONG_TREE  The guard belongs to another tree.
 * @retval MASSTREE_WRONG_KIND  The tree is not versioned.
 * @retval MASSTREE_FORKED      The parent process created the tree, before a fork.
 *
 * Thread safety: any thread. Since 0.1.
 */
int32_t masstree_cursor_open_versions_in(const masstree_t *tree,
                                         masstree_guard_t *guard,
                                         void *memory,
                                         size_t size,
                                         uint64_t since,
                                         masstree_cursor_t **cursor);

/**
 * Moves a cursor of masstree_cursor_open_versions to the version nearest to a key and a number, in
 * the order of versions: MASSTREE_SEEK_GE with the number s moves to the newest version of the key
 * at s or, if there is none, to the next key.
 *
 * @param cursor   The cursor.
 * @param key      key_len bytes; NULL only if key_len is 0. May be the cursor's own key.
 * @param key_len  Length of the key in bytes, at most 2^32 - 1.
 * @param seqno    The number.
 * @param how      MASSTREE_SEEK_GE, MASSTREE_SEEK_GT, MASSTREE_SEEK_LE or MASSTREE_SEEK_LT.
 *
 * @retval MASSTREE_OK            The cursor is at that version.
 * @retval MASSTREE_END           No such version exists; the cursor has not moved.
 * @retval MASSTREE_INVALID       cursor is NULL, key is NULL and key_len is not 0, or how is
 *                                unknown.
 * @retval MASSTREE_NOMEM         Out of memory for the key's copy.
 * @retval MASSTREE_KEY_TOO_LONG  key_len exceeds 2^32 - 1.
 * @retval MASSTREE_WRONG_KIND    The cursor was opened by another function.
 * @retval MASSTREE_FORKED        The parent process created the tree, before a fork.
 *
 * Thread safety: only the thread that currently uses the cursor. Since 0.1.
 */
int32_t masstree_cursor_seek_at(masstree_cursor_t *cursor,
                                const void *key,
                                size_t key_len,
                                uint64_t seqno,
                                uint32_t how);

/**
 * Returns the version that a cursor is at.
 *
 * @param cursor   A cursor of masstree_cursor_open_at or masstree_cursor_open_versions.
 * @param version  Receives the version; its value stays readable until the cursor's guard is
 *                 refreshed or left. May be NULL.
 *
 * @retval MASSTREE_OK          *version is the version.
 * @retval MASSTREE_NOT_FOUND   The cursor is at no version yet; or a trim has removed it before the
 *                              guard was refreshed.
 * @retval MASSTREE_INVALID     cursor is NULL.
 * @retval MASSTREE_WRONG_KIND  The cursor was opened by another function.
 * @retval MASSTREE_FORKED      The parent process created the tree, before a fork.
 *
 * Thread safety: only the thread that currently uses the cursor. Since 0.1.
 */
int32_t masstree_cursor_version(masstree_cursor_t *cursor, masstree_version_t *version);

/* ============================================================================
 * Sequence numbers
 * ============================================================================ */

/**
 * Takes consecutive sequence numbers from a tree, as a group: readers at MASSTREE_SEQNO_LATEST and
 * snapshots see nothing of what is stored with its numbers before masstree_publish, and then
 * everything. Writes with a number that is published already are refused from now on.
 *
 * Publish every group, also one that was not used: no number above it becomes visible before. At
 * most 64 groups may be unpublished at a time.
 *
 * @param tree   The tree.
 * @param count  Number of sequence numbers, at least 1.
 * @param first  Receives the first of them: it is above all numbers that were stored or taken
 *               before.
 *
 * @retval MASSTREE_OK          The numbers *first to *first + count - 1 belong to the caller.
 * @retval MASSTREE_BUSY        64 groups are unpublished; publish one.
 * @retval MASSTREE_INVALID     tree or first is NULL, count is 0, or fewer numbers are left.
 * @retval MASSTREE_WRONG_KIND  The tree is not versioned.
 * @retval MASSTREE_FORKED      The parent process created the tree, before a fork.
 * @retval MASSTREE_READ_ONLY   The tree is a store's, which numbers its commits.
 *
 * Thread safety: any thread. Since 0.1.
 */
int32_t masstree_next_seqno(masstree_t *tree, uint64_t count, uint64_t *first);

/**
 * Publishes a group of numbers, after everything with its numbers was stored. It becomes visible
 * once all groups with lower numbers are published, too.
 *
 * @param tree     The tree.
 * @param first    The group's first number, from masstree_next_seqno.
 * @param visible  Receives the greatest number that is visible now: less than the group's if a
 *                 group below is not published yet. May be NULL.
 *
 * @retval MASSTREE_OK          The group is published.
 * @retval MASSTREE_INVALID     tree is NULL, or no unpublished group begins with this number.
 * @retval MASSTREE_WRONG_KIND  The tree is not versioned.
 * @retval MASSTREE_FORKED      The parent process created the tree, before a fork.
 * @retval MASSTREE_READ_ONLY   The tree is a store's, which numbers its commits.
 *
 * Thread safety: any thread. Since 0.1.
 */
int32_t masstree_publish(masstree_t *tree, uint64_t first, uint64_t *visible);

/* ============================================================================
 * Snapshots, trimming, sealing
 * ============================================================================ */

/**
 * A number at which everything stays readable: masstree_trim_versions keeps what readers at it see.
 *
 * Created by masstree_snapshot_open or masstree_store_snapshot, freed by masstree_snapshot_close, before its tree is
 * destroyed, or its store is closed. Any thread may use and close it.
 */
typedef struct masstree_snapshot_t masstree_snapshot_t;

/**
 * Statistics of versions. Start from MASSTREE_VERSION_STATS_INIT; struct_size works as in
 * masstree_stats_t. All numbers are exact when no thread is writing.
 */
typedef struct {
    /**
     * sizeof(masstree_version_stats_t); MASSTREE_VERSION_STATS_INIT sets it.
     */
    size_t struct_size;
    /**
     * Versions in the tree.
     */
    uint64_t versions;
    /**
     * Those that are tombstones or weak tombstones.
     */
    uint64_t tombstones;
    /**
     * Bytes of the versions' values.
     */
    uint64_t value_bytes;
    /**
     * Range tombstones.
     */
    uint64_t range_tombstones;
    /**
     * The lowest number that was ever stored; 0 if none was.
     */
    uint64_t lowest_seqno;
    /**
     * The highest number that was ever stored; 0 if none was.
     */
    uint64_t highest_seqno;
    /**
     * The greatest number that is visible; MASSTREE_SEQNO_LATEST as long as no number was taken
     * from the tree.
     */
    uint64_t visible_seqno;
    /**
     * Readers below it need a snapshot: the highest floor of a trim; or, if overwrites free
     * versions, perhaps a higher number.
     */
    uint64_t floor;
    /**
     * Open snapshots, those of cursors and running scans among them.
     */
    uint64_t snapshots;
    /**
     * The number of the oldest snapshot; 0 without one.
     */
    uint64_t oldest_snapshot;
    /**
     * 1 if the tree is sealed, otherwise 0.
     */
    uint64_t sealed;
} masstree_version_stats_t;

/** Initializer of masstree_version_stats_t: sets struct_size, and every other field to 0 or NULL. */
#define MASSTREE_VERSION_STATS_INIT \
    { sizeof(masstree_version_stats_t), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }

/**
 * Opens a snapshot at the greatest number that is visible. If no number was taken from the tree
 * (masstree_next_seqno), that is the greatest number that was stored; then the caller makes sure that
 * no write with that number or a lower one is under way or follows.
 *
 * @param tree      The tree.
 * @param snapshot  Receives the snapshot, which the caller frees with masstree_snapshot_close.
 *
 * @retval MASSTREE_OK          *snapshot is a new snapshot.
 * @retval MASSTREE_INVALID     tree or snapshot is NULL.
 * @retval MASSTREE_NOMEM       Out of memory.
 * @retval MASSTREE_WRONG_KIND  The tree is not versioned.
 * @retval MASSTREE_FORKED      The parent process created the tree, before a fork.
 *
 * Thread safety: any thread. Since 0.1.
 */
int32_t masstree_snapshot_open(masstree_t *tree,
                               masstree_snapshot_t **snapshot);

/**
 * Returns the number of a snapshot.
 *
 * @param snapshot  The snapshot.
 *
 * @return The number, to be passed to masstree_get_at and the like; 0 for NULL.
 *
 * Thread safety: any thread. Since 0.1.
 */
uint64_t masstree_snapshot_seqno(const masstree_snapshot_t *snapshot);

/**
 * Closes and frees a snapshot. NULL does nothing, and neither does a snapshot of the parent
 * process, before a fork.
 *
 * @param snapshot  The snapshot.
 *
 * Thread safety: any thread, but no other one uses the snapshot. Since 0.1.
 */
void masstree_snapshot_close(masstree_snapshot_t *snapshot);

/**
 * Frees versions that no reader at floor or above, nor at an open snapshot, can see; takes keys out
 * of the tree of which nothing is left but a tombstone at or below floor; and frees range tombstones
 * at or below floor that hide nothing any more. From now on, writes at or below floor are refused,
 * and readers below it, too, unless they read at the number of an open snapshot. Of a key whose
 * tombstone was freed, readers learn MASSTREE_NOT_FOUND, not MASSTREE_DELETED: if older tables may
 * have the key, do not trim at or above the tombstone's number.
 *
 * A call does a part of the work and the next one goes on, so that a thread can trim beside others:
 * repeat it until *freed is 0 and MASSTREE_END is returned. Range tombstones are freed only after
 * every guard was refreshed or left that was held when floor was raised: beside such a guard they
 * stay for a later call.
 *
 * @param tree    The tree.
 * @param floor   The floor; lowered to the greatest number that is visible. A floor below an earlier
 *                one frees what that one allows.
 * @param budget  Free at most this many versions and range tombstones, less those keys and range
 *                tombstones that were examined in vain; 0: no limit.
 * @param freed   Receives the number of versions and range tombstones that were freed. May be NULL.
 *
 * @retval MASSTREE_OK          The budget was used up, memory ran out after versions were freed,
 *                              another thread trims this tree, or range tombstones are left to the
 *                              next call.
 * @retval MASSTREE_END         Everything was examined; the next call begins with the first key.
 * @retval MASSTREE_INVALID     tree is NULL.
 * @retval MASSTREE_NOMEM       Out of memory; nothing was freed.
 * @retval MASSTREE_WRONG_KIND  The tree is not versioned, or it is append-only.
 * @retval MASSTREE_FORKED      The parent process created the tree, before a fork.
 * @retval MASSTREE_READ_ONLY   The tree is sealed.
 *
 * Thread safety: any thread. Since 0.1.
 */
int32_t masstree_trim_versions(masstree_t *tree,
                               uint64_t floor,
                               size_t budget,
                               size_t *freed);

/**
 * Refuses all writes and trims from now on. A write that began before may still be done;
 * masstree_barrier waits for it. There is no way back.
 *
 * @param tree  The tree.
 *
 * @retval MASSTREE_OK          The tree is sealed.
 * @retval MASSTREE_INVALID     tree is NULL.
 * @retval MASSTREE_WRONG_KIND  The tree is not versioned.
 * @retval MASSTREE_FORKED      The parent process created the tree, before a fork.
 * @retval MASSTREE_READ_ONLY   The tree is a store's; it is not sealed.
 *
 * Thread safety: any thread. Since 0.1.
 */
int32_t masstree_seal(masstree_t *tree);

/**
 * Returns statistics of the versions in a tree.
 *
 * @param tree   The tree.
 * @param guard  A guard of this tree, or NULL: then this call pins for its own duration.
 * @param stats  Receives the statistics.
 *
 * @retval MASSTREE_OK          *stats is filled in.
 * @retval MASSTREE_INVALID     tree or stats is NULL, or struct_size is too small.
 * @retval MASSTREE_WRONG_TREE  The guard belongs to another tree.
 * @retval MASSTREE_WRONG_KIND  The tree is not versioned.
 * @retval MASSTREE_FORKED      The parent process created the tree, before a fork.
 *
 * Thread safety: any thread. Since 0.1.
 */
int32_t masstree_stats_versions(const masstree_t *tree,
                                masstree_guard_t *guard,
                                masstree_version_stats_t *stats);

/* ============================================================================
 * Digests
 * ============================================================================ */

/**
 * Algorithm of a digest: the CRC-32C of the length of the key and the sequence number, 8 bytes
 * each, and the kind, 4 bytes, all little-endian; then the key; then the value.
 */
#define MASSTREE_DIGEST_CRC32C 1

/**
 * What masstree_verify_digests reports: the digest is not that of this key, number, kind and value.
 */
#define MASSTREE_FAULT_DIGEST 1

/**
 * What masstree_verify_digests reports: the version's algorithm does not exist.
 */
#define MASSTREE_FAULT_ALGORITHM 2

/**
 * What masstree_verify_digests reports: the version's kind does not exist.
 */
#define MASSTREE_FAULT_KIND 3

/**
 * Called for each faulty version.
 *
 * @param key      The key's bytes; valid during this call only. Never NULL.
 * @param key_len  Their length in bytes.
 * @param seqno    The version's number.
 * @param fault    MASSTREE_FAULT_DIGEST, MASSTREE_FAULT_ALGORITHM or MASSTREE_FAULT_KIND.
 * @param ctx      The ctx that was passed to masstree_verify_digests.
 *
 * @return As masstree_visitor_t, whose rules apply.
 */
typedef int32_t (*masstree_fault_visitor_t)(const void *key,
                                            size_t key_len,
                                            uint64_t seqno,
                                            uint32_t fault,
                                            void *ctx);

/**
 * Computes the digest of a version, for masstree_put_digested_at.
 *
 * @param algorithm  MASSTREE_DIGEST_CRC32C.
 * @param key        key_len bytes; NULL only if key_len is 0.
 * @param key_len    Length of the key in bytes, at most 2^32 - 1.
 * @param seqno      The version's number.
 * @param kind       The version's kind.
 * @param value      value_len bytes; NULL only if value_len is 0.
 * @param value_len  Length of the value in bytes.
 * @param digest     Receives the digest. May be NULL.
 *
 * @retval MASSTREE_OK            *digest is the digest.
 * @retval MASSTREE_INVALID       key or value is NULL and its length is not 0, or algorithm is
 *                                unknown.
 * @retval MASSTREE_KEY_TOO_LONG  key_len exceeds 2^32 - 1.
 *
 * Thread safety: any thread. Since 0.1.
 */
int32_t masstree_digest_version(uint32_t algorithm,
                                const void *key,
                                size_t key_len,
                                uint64_t seqno,
                                uint32_t kind,
                                const void *value,
                                size_t value_len,
                                uint32_t *digest);

/**
 * Like masstree_put_at, but with a digest, which is stored as it is: masstree_verify_digests
 * verifies it. It takes 8 bytes.
 *
 * @param tree       The tree.
 * @param guard      A guard of this tree, or NULL: then this call pins for its own duration.
 * @param key        key_len bytes; NULL only if key_len is 0.
 * @param key_len    Length of the key in bytes, at most 2^32 - 1.
 * @param seqno      As in masstree_put_at.
 * @param kind       As in masstree_put_at.
 * @param value      As in masstree_put_at.
 * @param value_len  Length of the value in bytes.
 * @param algorithm  MASSTREE_DIGEST_CRC32C.
 * @param digest     The digest, as masstree_digest_version computes it.
 *
 * @retval MASSTREE_OK            The version is in the tree.
 * @retval MASSTREE_EXISTS        The key has a version with this number; nothing was changed.
 * @retval MASSTREE_INVALID       As in masstree_put_at, or algorithm is unknown.
 * @retval MASSTREE_NOMEM         Out of memory; the tree is unchanged.
 * @retval MASSTREE_KEY_TOO_LONG  key_len exceeds 2^32 - 1.
 * @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
 * @retval MASSTREE_WRONG_KIND    The tree is not versioned.
 * @retval MASSTREE_FORKED        The parent process created the tree, before a fork.
 * @retval MASSTREE_READ_ONLY     The tree is sealed, or a store's.
 * @retval MASSTREE_TOO_OLD       As in masstree_put_at.
 *
 * Thread safety: any thread. Since 0.1.
 */
int32_t masstree_put_digested_at(masstree_t *tree,
                                 masstree_guard_t *guard,
                                 const void *key,
                                 size_t key_len,
                                 uint64_t seqno,
                                 uint32_t kind,
                                 const void *value,
                                 size_t value_len,
                                 uint32_t algorithm,
                                 uint32_t digest);

/**
 * Verifies the digest of every version that has one, and the kind of every version.
 *
 * @param tree      The tree.
 * @param guard     A guard of this tree, or NULL: then this call pins for its own duration.
 * @param visit     Called for each faulty version. May be NULL.
 * @param ctx       Passed to visit.
 * @param verified  Receives the number of digests that are right. May be NULL.
 *
 * @retval MASSTREE_OK          No fault was found.
 * @retval MASSTREE_CORRUPT     A fault was found; the visitor may have ended the call at it.
 * @retval MASSTREE_INVALID     tree is NULL.
 * @retval MASSTREE_NOMEM       Out of memory for the key's buffer.
 * @retval MASSTREE_WRONG_TREE  The guard belongs to another tree.
 * @retval MASSTREE_WRONG_KIND  The tree is not versioned.
 * @retval MASSTREE_FORKED      The parent process created the tree, before a fork.
 * @return The negative number that the visitor returned.
 *
 * Thread safety: any thread; takes no lock. Since 0.1.
 */
int32_t masstree_verify_digests(const masstree_t *tree,
                                masstree_guard_t *guard,
                                masstree_fault_visitor_t visit,
                                void *ctx,
                                uint64_t *verified);

#ifdef __cplusplus
}
#endif

#if defined(__GNUC__)
#pragma GCC visibility pop
#endif

#endif /* MASSTREE_VERSIONED_H */
