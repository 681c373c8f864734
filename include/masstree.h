/*
 * libmasstree: a concurrent ordered map from byte strings to 64-bit words, or to byte
 * strings (Masstree, a trie of B+trees: Mao, Kohler, Morris, EuroSys 2012).
 *
 * Caveats:
 *
 * - MASSTREE_OK is 0; positive statuses are regular outcomes other than success, negative ones
 *   are errors. Write `masstree_get(...) == MASSTREE_OK`, never `if (masstree_get(...))`.
 *   Every function that returns int32_t returns a status; its documentation lists them all.
 * - An output parameter may be NULL, unless its documentation says otherwise. Outputs are
 *   written only with the statuses for which the documentation says so.
 * - Any number of threads may use one tree, without registration. Only masstree_destroy
 *   requires that no other thread uses the tree, that every guard was left, and that every cursor
 *   and every loader was closed.
 * - Operations on one key are atomic, and all threads see them in the same order. A thread
 *   that synchronises with a writer, by any means of C11, sees its write. A write is not a
 *   full fence: if two threads each write one key and then read the other's, both may miss the
 *   other's write, unless each executes atomic_thread_fence(memory_order_seq_cst) in between.
 * - A value that is a pointer stays valid only while a guard is held, if the tree's value
 *   destructor frees it; so does a byte string that was not copied. Memory that readers may
 *   still use is not freed before their guards are refreshed or left: regularly refresh a
 *   guard that is held for long. masstree_stats reports how much memory waits, and for how
 *   long.
 * - Out of memory is MASSTREE_NOMEM, and the tree is as it was before the call; in functions for
 *   many keys, the items with this status are. The exception
 *   are the lists of memory reclamation, a few KiB for a tree, a thread or a guard and 4 KiB
 *   for every 128 objects that wait to be freed: they come from malloc, and the process aborts
 *   if that fails.
 * - After fork, the child cannot use trees of its parent: functions return MASSTREE_FORKED,
 *   and those that return nothing do nothing. The child can create trees of its own. But if,
 *   at the fork, another thread was entering or leaving a guard (leaving takes long if it runs a
 *   destructor that does), masstree_create returns MASSTREE_FORKED, too. Handlers of
 *   pthread_atfork may use the library if they were registered after it was loaded.
 * - Freeing memory uses the system call membarrier, where the kernel has it. A seccomp filter
 *   must allow it, or be installed before the first tree is created, which is when the library
 *   tests for it. If the call is refused later, the process aborts with an explanation on
 *   standard error (docs/memory.md, also on the system calls that waiting uses).
 * - Apart from that, the library does not print. It installs no signal handler, and stays
 *   loaded until the process ends, even after dlclose. No function changes errno, not even
 *   when it runs out of memory or waits: any call may run an allocator, a value destructor or
 *   the free function of a retired object, so the library restores errno after them. Changes
 *   that other callbacks make to errno stay.
 * - With NULL for a guard, a call pins for its own duration, and must end on the thread on
 *   which it began: if a callback may yield to a scheduler that continues it on another
 *   thread, pass a guard; without one, memory that the call reads may be freed. On one thread
 *   such calls may overlap and end in any order; memory that they may read is not freed while
 *   any of them is running. A library with debug assertions aborts if a call without a guard
 *   continues on another thread.
 * - "Takes no lock" means that a call locks nothing that other threads wait for, not that it
 *   never waits. A reader waits while another thread splits or merges the node that it reads,
 *   or moves its suffixes, and starts over if the node has changed; a writer waits for the thread
 *   that has locked its leaf, for a write or by masstree_hold. So do not call the library
 *   from a signal handler: the interrupted thread may be in the middle of such a change, and
 *   then masstree_get waits for ever. A waiting thread spins, then yields, then sleeps up to a
 *   millisecond at a time, so that a thread of lower priority can finish its change; there is
 *   no priority inheritance.
 * - ThreadSanitizer sees the synchronisation inside the library only if the library was built
 *   for it: see docs/sanitizers.md.
 * - Where a callback may end a call with a negative number, the call returns this number. Those
 *   from MASSTREE_OWN_STATUS down are the program's own: the library never returns one of them by
 *   itself.
 * - Callbacks run with no lock held, except for those of masstree_update and
 *   masstree_get_or_insert_with. masstree_hold returns with a leaf locked.
 *
 * Example:
 *
 *     masstree_t *tree;
 *     uint64_t value;
 *     if (masstree_create(NULL, &tree) != MASSTREE_OK) ...
 *     masstree_put(tree, NULL, "key", 3, 42);
 *     if (masstree_get(tree, NULL, "key", 3, &value) == MASSTREE_OK) ...
 *     masstree_destroy(tree);
 *
 * This file is generated from src/ffi/index; `make header` updates it.
 */

#ifndef MASSTREE_H
#define MASSTREE_H

#include <stddef.h>
#include <stdint.h>

/** The first number of this header's version. */
#define MASSTREE_VERSION_MAJOR 0
/** The second number of this header's version. */
#define MASSTREE_VERSION_MINOR 1
/** The third number of this header's version. */
#define MASSTREE_VERSION_PATCH 0
/** The version of this header, as text. */
#define MASSTREE_VERSION_STRING "0.1.0"
/** The version of this header as a number, in the format of masstree_version_number. */
#define MASSTREE_VERSION_NUMBER \
    (MASSTREE_VERSION_MAJOR * 1000000 + MASSTREE_VERSION_MINOR * 1000 + MASSTREE_VERSION_PATCH)

#if defined(__GNUC__)
#pragma GCC visibility push(default)
#endif

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Protects what is read under it: nodes that other threads unlink, and values that they
 * displace, are not freed before the guard is refreshed or left.
 *
 * Created by masstree_guard_enter, freed by masstree_guard_leave. Only one thread at a time
 * may use a guard, but a guard may move between threads (goroutines, coroutines, thread
 * pools). A thread may hold any number of guards, of one tree or of several, and leave them in
 * any order. Leave every guard before its tree is destroyed.
 *
 * Memory that is displaced while a guard is held is not freed before that guard is refreshed
 * or left: regularly refresh a guard that is held for long.
 *
 * Operations accept NULL for a guard and then pin for the duration of the call, which costs a
 * look-up of a thread-local variable. Pass a guard if one is at hand.
 */
typedef struct masstree_guard_t masstree_guard_t;

/**
 * An ordered map from byte strings to 64-bit words, to byte strings, or to versions.
 *
 * Created by masstree_create, freed by masstree_destroy. Any number of threads may use a tree
 * at the same time, without registration; only masstree_destroy requires that no other thread
 * uses it.
 */
typedef struct masstree_t masstree_t;

/* ============================================================================
 * Statuses
 * ============================================================================ */

/**
 * Success.
 */
#define MASSTREE_OK 0

/**
 * Outcome: the key is not in the tree; from masstree_exchange: it was not in the tree before.
 */
#define MASSTREE_NOT_FOUND 1

/**
 * Outcome: the key is already in the tree; from masstree_exchange and masstree_replace: it
 * already has the value that was to be stored; from a bulk load: the tree is not empty.
 * Nothing was changed.
 */
#define MASSTREE_EXISTS 2

/**
 * Outcome: a comparison failed: the key has another value than the expected one, or a leaf has
 * changed since it was observed. Nothing was changed.
 */
#define MASSTREE_MISMATCH 3

/**
 * Outcome: no further key exists in this direction; the cursor has not moved.
 */
#define MASSTREE_END 4

/**
 * Outcome: the tree was cleared after the key was held. Nothing was changed.
 */
#define MASSTREE_CLEARED 5

/**
 * Outcome: to hold the key, masstree_hold would have to wait, to allocate, or to change a leaf;
 * nothing is held. From masstree_next_seqno: too many groups are not published yet.
 */
#define MASSTREE_BUSY 6

/**
 * Outcome: at this sequence number the key is deleted: by a tombstone, or by a range tombstone.
 */
#define MASSTREE_DELETED 7

/**
 * Outcome: another commit has changed what the transaction has read, or, with MASSTREE_TXN_SNAPSHOT, what it
 * writes. Nothing was changed.
 */
#define MASSTREE_CONFLICT 8

/**
 * Error: an invalid argument: a NULL handle, a NULL key whose length is not 0, a NULL
 * callback, a lower bound above the upper one, an unknown flag, a struct_size that the library
 * does not accept.
 */
#define MASSTREE_INVALID (-1)

/**
 * Error: out of memory. The tree is as it was before the call; from a function for many keys, the
 * items with this status are; from masstree_remove_range, what was removed before stays removed.
 */
#define MASSTREE_NOMEM (-2)

/**
 * Error: the key is longer than 2^32 - 1 bytes.
 */
#define MASSTREE_KEY_TOO_LONG (-3)

/**
 * Error: the guard or a loader belongs to another tree.
 */
#define MASSTREE_WRONG_TREE (-4)

/**
 * Error: the function is for trees of words and the tree holds byte strings or versions, or the
 * like; see value_kind in masstree_options_t.
 */
#define MASSTREE_WRONG_KIND (-5)

/**
 * Error: the parent process created the tree, before a fork; from masstree_create: this
 * process was forked at a moment after which it cannot create trees (see the caveats at the
 * top).
 */
#define MASSTREE_FORKED (-6)

/**
 * Error: masstree_check found the tree to be inconsistent: a bug in the library, or its memory
 * was overwritten. From masstree_store_open: a file's content is wrong.
 */
#define MASSTREE_CORRUPT (-7)

/**
 * Error: the buffer is too small for the value or the key; nothing was written to it. From
 * masstree_hold with MASSTREE_HOLD_DELTA: *held has no room for the delta; nothing is held or changed.
 */
#define MASSTREE_TOO_SMALL (-8)

/**
 * Error: the keys to load are not in ascending order, or one comes twice. No tree was changed.
 */
#define MASSTREE_UNSORTED (-9)

/**
 * Error: the tree is sealed (masstree_seal), is a store's and the function is not one of stores, or the store
 * was opened read-only; nothing was changed.
 */
#define MASSTREE_READ_ONLY (-10)

/**
 * Error: the sequence number is too low: versions that it needs may have been trimmed
 * (masstree_trim_versions), or it was published already, or the log no longer reaches back to it
 * (masstree_store_changes). Nothing was changed.
 */
#define MASSTREE_TOO_OLD (-11)

/**
 * Error: the disk is full, or the user's quota. Nothing was changed; writes work again when there is
 * room.
 */
#define MASSTREE_FULL (-12)

/**
 * Error: a file operation has failed; from a function that writes to a store: it had failed before, and
 * nothing was changed. See masstree_store_failure.
 */
#define MASSTREE_FAILED (-13)

/**
 * Error: the log failed after the commit, which is in memory: whether it is found after the next
 * opening is decided then.
 */
#define MASSTREE_UNKNOWN (-14)

/**
 * Error: the record of the commit does not fit into the log's buffer, or a transaction into max_bytes. Nothing
 * was changed.
 */
#define MASSTREE_TOO_LARGE (-15)

/**
 * Error: another store has the directory open.
 */
#define MASSTREE_LOCKED (-16)

/**
 * Numbers from here down are no statuses of the library, in any version: a visitor, or another
 * callback that may end a call with a negative number, which the call then returns, chooses one of them so
 * that the caller can tell it from an error of the library. (A callback may also return a status of the
 * library, such as that of a call that it has made.)
 */
#define MASSTREE_OWN_STATUS (-1000)

/**
 * Returns one English sentence that describes a status, after the status's name and a colon. The
 * text is static: never NULL, never freed. Unknown statuses have a sentence of their own.
 *
 * @param status  A status code.
 *
 * @return The sentence.
 *
 * Thread safety: any thread, any time. Since 0.1.
 */
const char *masstree_strerror(int32_t status);

/* ============================================================================
 * Options of a tree
 * ============================================================================ */

/**
 * Kind of values: 64-bit words of the caller (numbers, or pointers that the value destructor
 * frees).
 */
#define MASSTREE_VALUES_WORDS 0

/**
 * Kind of values: byte strings, which the tree copies and owns.
 */
#define MASSTREE_VALUES_BYTES 1

/**
 * Kind of values: versions, several for each key, each with a sequence number and a byte string;
 * see masstree/versioned.h.
 */
#define MASSTREE_VALUES_VERSIONED 2

/**
 * Flag of version_flags: an overwrite frees at once the versions that no reader can see any more,
 * neither at MASSTREE_SEQNO_LATEST nor at an open snapshot. Readers at other numbers may learn
 * MASSTREE_TOO_OLD; a number that was freed may be stored again.
 */
#define MASSTREE_VERSIONS_FREE_OVERWRITTEN 1

/**
 * Flag of version_flags: the tree is append-only. Nothing in it is freed before masstree_destroy, so
 * that readers need no guard: what a call without a guard returns stays readable until then.
 * masstree_trim_versions is refused. What inserts displace inside of the tree counts in limbo_bytes
 * of masstree_stats_t, and so do objects that are retired. Excludes
 * MASSTREE_VERSIONS_FREE_OVERWRITTEN.
 */
#define MASSTREE_VERSIONS_APPEND_ONLY 2

/**
 * Huge pages: use them for large trees. Once the nodes of a tree take 4 MiB, further nodes
 * come from chunks of huge pages of 2 MiB, where the kernel has them (Linux: transparent huge
 * pages, `madvise` or `always`). Look-ups in large trees become faster by a quarter.
 */
#define MASSTREE_HUGE_PAGES_FOR_LARGE_TREES 0

/**
 * Huge pages: never request them. For programs that fork and want small pages copied, or that
 * account for every page.
 */
#define MASSTREE_HUGE_PAGES_NEVER 1

/**
 * Huge pages: from alloc, for trees with an allocator of their own. Nodes, suffixes, byte strings and
 * versions come from pools, as with malloc, and the pools take chunks from alloc: small ones at
 * first, and once a pool has 4 MiB, chunks of 2 MiB, aligned to 2 MiB, one at a time. All of them are
 * freed by masstree_destroy, most often without a visit to the nodes: see docs/memory.md. Needs alloc,
 * and a chunk_size of 0.
 */
#define MASSTREE_HUGE_PAGES_FROM_ALLOCATOR 2

/**
 * Called once for every value that the library owns and no longer needs, when no reader can still
 * use it: after masstree_put displaced it, after a masstree_remove, masstree_exchange or
 * masstree_pop_first whose output parameter was NULL, after masstree_remove_range and masstree_clear,
 * when a load from a source fails, when a loader is closed with keys, and, in masstree_destroy, for
 * every value in the tree.
 *
 * Storing the value that a key already has displaces nothing.
 *
 * @param value  The value.
 * @param ctx    value_ctx of the options.
 *
 * It is called on any thread that uses the tree, inside any call to this library, with no lock
 * held. It must not call into the same tree, and must return: no longjmp, no C++ exception, no
 * pthread_exit.
 */
typedef void (*masstree_value_destructor_t)(uint64_t value, void *ctx);

/**
 * Allocates memory for a tree.
 *
 * @param size   Number of bytes, never 0.
 * @param align  Alignment of the memory: a power of two, at most 128; with
 *               MASSTREE_HUGE_PAGES_FROM_ALLOCATOR also 2 MiB.
 * @param ctx    alloc_ctx of the options.
 *
 * @return The memory, which belongs to the tree until it frees it; or NULL if none is left:
 *         then the call that needed it returns MASSTREE_NOMEM.
 *
 * It is called on any thread, with no lock of the tree held. It must not call into the same
 * tree, and must return: no longjmp, no C++ exception, no pthread_exit.
 */
typedef void *(*masstree_alloc_t)(size_t size, size_t align, void *ctx);

/**
 * Frees memory that a masstree_alloc_t has allocated.
 *
 * @param memory  The memory; never NULL.
 * @param size    Its size in bytes, as passed to the masstree_alloc_t.
 * @param align   Its alignment, as passed to the masstree_alloc_t.
 * @param ctx     alloc_ctx of the options.
 *
 * The rules of masstree_alloc_t apply. Another thread may have allocated the memory.
 */
typedef void (*masstree_free_t)(void *memory, size_t size, size_t align, void *ctx);

/**
 * Returns the key that a value contains. With it, leaves do not copy what follows the first 8 bytes of
 * a key (per layer of the tree), but refer to the value: see docs/versioned.md, which has figures.
 *
 * @param ctx        key_ctx of the options.
 * @param value      A value that is being stored, or was: in a tree of words, the word, as a pointer;
 *                   in a versioned tree, the bytes of a version.
 * @param value_len  Their number; 0 in a tree of words.
 * @param key_len    Receives the length of the key in bytes.
 *
 * @return The key under which the value is stored. Its bytes must neither change nor be freed before
 *         masstree_destroy, not even if the key is removed or gets another value; in a versioned tree,
 *         they lie within the version, and nothing is to be done for that.
 *
 * It is called on the thread that inserts a key, in this call, **with a leaf locked**: it must
 * return quickly, and must not call into this library. The program is aborted if it returns another
 * key, or an address of 2^48 or more.
 */
typedef const void *(*masstree_key_of_t)(void *ctx,
                                         const void *value,
                                         size_t value_len,
                                         size_t *key_len);

/**
 * Options of masstree_create. Start from MASSTREE_OPTIONS_INIT and set the fields that you
 * need. A program that was built with an older, smaller struct works with a newer library: the
 * fields that the struct lacks take their defaults. A program that was built with a newer,
 * larger struct works with an older library as long as every field that the library does not
 * know is zero.
 */
typedef struct {
    /**
     * sizeof(masstree_options_t); MASSTREE_OPTIONS_INIT sets it.
     */
    size_t struct_size;
    /**
     * Called for each value that leaves the tree; NULL: values are plain words, and nothing is
     * called. Must be NULL for byte strings and versions, which the tree frees itself.
     */
    masstree_value_destructor_t value_destructor;
    /**
     * Passed to value_destructor.
     */
    void *value_ctx;
    /**
     * Allocates the memory of the tree, its guards, cursors and loaders; NULL: malloc. Only
     * the lists of memory reclamation always come from malloc (see the caveats at the top).
     * Set alloc and free together.
     */
    masstree_alloc_t alloc;
    /**
     * Frees the memory that alloc has allocated; all of it is freed by the end of
     * masstree_destroy.
     */
    masstree_free_t free;
    /**
     * Passed to alloc and free.
     */
    void *alloc_ctx;
    /**
     * Size in bytes of the chunks that the pools of nodes allocate, rounded down to a multiple
     * of 320 or 448 bytes (a node) but at least one node; 0: from 1 KiB, growing to 2 MiB, and
     * then as huge_pages says.
     */
    size_t chunk_size;
    /**
     * MASSTREE_VALUES_WORDS, MASSTREE_VALUES_BYTES or MASSTREE_VALUES_VERSIONED.
     */
    uint32_t value_kind;
    /**
     * MASSTREE_HUGE_PAGES_FOR_LARGE_TREES or MASSTREE_HUGE_PAGES_NEVER, both ignored if alloc or
     * chunk_size is set; or MASSTREE_HUGE_PAGES_FROM_ALLOCATOR.
     */
    uint32_t huge_pages;
    /**
     * For a versioned tree: 0, MASSTREE_VERSIONS_FREE_OVERWRITTEN or
     * MASSTREE_VERSIONS_APPEND_ONLY. Otherwise 0.
     */
    uint32_t version_flags;
    /**
     * Must be 0.
     */
    uint32_t reserved;
    /**
     * Returns the key that a value contains, for a tree whose values contain their keys: an append-only
     * versioned tree, or one of words without value_destructor. Otherwise NULL.
     */
    masstree_key_of_t key_of;
    /**
     * Passed to key_of.
     */
    void *key_ctx;
} masstree_options_t;

/** Initializer of masstree_options_t: sets struct_size, and every other field to 0 or NULL. */
#define MASSTREE_OPTIONS_INIT \
    { sizeof(masstree_options_t), NULL, NULL, NULL, NULL, NULL, 0, 0, 0, 0, 0, NULL, NULL }

/* ============================================================================
 * Trees
 * ============================================================================ */

/**
 * Creates an empty tree.
 *
 * @param options  NULL for the defaults, or a struct that was initialised with
 *                 MASSTREE_OPTIONS_INIT.
 * @param tree     Receives the tree, which the caller frees with masstree_destroy.
 *
 * @retval MASSTREE_OK       *tree is a new, empty tree.
 * @retval MASSTREE_INVALID  tree is NULL; struct_size is smaller than any
 *                           version of the struct; value_kind is unknown, or is not
 *                           MASSTREE_VALUES_WORDS together with a value
 *                           destructor; version_flags has an unknown flag, two flags, or one
 *                           although the tree is not versioned; only one of alloc and free is set; or a
 *                           byte of the struct that this library does not know is
 *                           not zero.
 * @retval MASSTREE_NOMEM    Out of memory.
 * @retval MASSTREE_FORKED   This process was forked while another thread was inside the
 *                           library, and cannot create trees.
 *
 * The first tree of a process reads the environment variable MASSTREE_SEARCH, which for measurements
 * may name the instruction set that searches nodes: portable, avx2, avx512 or neon. Without it, or with a
 * name that the processor lacks, that is the best one. As for getenv, no other thread may change the
 * environment during that call.
 *
 * Thread safety: any thread. Since 0.1.
 */
int32_t masstree_create(const masstree_options_t *options,
                        masstree_t **tree);

/**
 * Frees a tree and everything in it. Calls the value destructor once for every value in the
 * tree and for every displaced value that is not yet destroyed, and the free callback of every
 * retired object that is not yet freed. NULL does nothing, and neither does a tree that the
 * parent process created before a fork.
 *
 * Every guard of the tree must have been left, every cursor and every loader closed, and no other
 * thread may use the tree during or after this call.
 *
 * @param tree  The tree.
 *
 * Thread safety: no other thread may use the tree. Since 0.1.
 */
void masstree_destroy(masstree_t *tree);

/**
 * Removes every key at once: an operation that begins after this call finds none of them. An
 * insert by another thread during the call is ordered either before it (then its key is removed)
 * or after it.
 *
 * A write that began before this call, including an update callback, may end after it; it is
 * then ordered before the clearing, and what it stored is removed. So two callbacks for one
 * key may run at the same time, one in the old tree and one in the new. The call does not wait
 * for held keys (masstree_hold), unless the tree is a single leaf; masstree_held_finish then
 * returns MASSTREE_CLEARED.
 *
 * The memory of the removed keys is freed as a whole once every guard held at the time of the
 * call was refreshed or left, by the thread that refreshes or leaves the last of them; that
 * takes time in proportion to the number of keys. Then the value destructor is called for the
 * values.
 *
 * @param tree   The tree.
 * @param guard  A guard of this tree, or NULL: then this call pins for its own duration.
 *
 * @retval MASSTREE_OK          The tree is empty.
 * @retval MASSTREE_INVALID     tree is NULL.
 * @retval MASSTREE_NOMEM       Out of memory; the tree is unchanged.
 * @retval MASSTREE_WRONG_TREE  The guard belongs to another tree.
 * @retval MASSTREE_WRONG_KIND  The tree holds versions: delete them with
 *                              masstree_remove_range_at.
 * @retval MASSTREE_FORKED      The parent process created the tree, before a fork.
 *
 * Thread safety: any thread. Since 0.1.
 */
int32_t masstree_clear(masstree_t *tree, masstree_guard_t *guard);

/* ============================================================================
 * One key
 * ============================================================================ */

/**
 * Looks up a key.
 *
 * @param tree     The tree.
 * @param guard    A guard of this tree, or NULL: then this call pins for its own duration.
 * @param key      key_len bytes of any value; NULL only if key_len is 0 (the empty key is a
 *                 key like any other).
 * @param key_len  Length of the key in bytes, at most 2^32 - 1.
 * @param value    Receives the value. May be NULL.
 *
 * @retval MASSTREE_OK            Found; *value is the key's value.
 * @retval MASSTREE_NOT_FOUND     The key is not in the tree.
 * @retval MASSTREE_INVALID       tree is NULL, or key is NULL and key_len is not 0.
 * @retval MASSTREE_KEY_TOO_LONG  key_len exceeds 2^32 - 1.
 * @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
 * @retval MASSTREE_WRONG_KIND    The tree holds byte strings.
 * @retval MASSTREE_FORKED        The parent process created the tree, before a fork.
 *
 * If the value is a pointer and the tree has a value destructor, hold a guard as long as you
 * use the pointer: the destructor is not called for the value before that guard is refreshed
 * or left.
 *
 * Thread safety: any thread; takes no lock. Since 0.1.
 */
int32_t masstree_get(const masstree_t *tree,
                     masstree_guard_t *guard,
                     const void *key,
                     size_t key_len,
                     uint64_t *value);

/**
 * Like masstree_get, for an integer key: the key is the 8 bytes of `key`, most significant
 * byte first, so that keys are in numeric order.
 *
 * @param tree   The tree.
 * @param guard  A guard of this tree, or NULL: then this call pins for its own duration.
 * @param key    The key.
 * @param value  Receives the value. May be NULL.
 *
 * @retval MASSTREE_OK          Found; *value is the key's value.
 * @retval MASSTREE_NOT_FOUND   The key is not in the tree.
 * @retval MASSTREE_INVALID     tree is NULL.
 * @retval MASSTREE_WRONG_TREE  The guard belongs to another tree.
 * @retval MASSTREE_WRONG_KIND  The tree holds byte strings.
 * @retval MASSTREE_FORKED      The parent process created the tree, before a fork.
 *
 * Thread safety: any thread; takes no lock. Since 0.1.
 */
int32_t masstree_get_u64(const masstree_t *tree,
                         masstree_guard_t *guard,
                         uint64_t key,
                         uint64_t *value);

/**
 * Tests whether a key is in the tree, without returning its value.
 *
 * @param tree     The tree.
 * @param guard    A guard of this tree, or NULL: then this call pins for its own duration.
 * @param key      key_len bytes; NULL only if key_len is 0.
 * @param key_len  Length of the key in bytes, at most 2^32 - 1.
 *
 * @retval MASSTREE_OK            The key is in the tree.
 * @retval MASSTREE_NOT_FOUND     The key is not in the tree.
 * @retval MASSTREE_INVALID       tree is NULL, or key is NULL and key_len is not 0.
 * @retval MASSTREE_KEY_TOO_LONG  key_len exceeds 2^32 - 1.
 * @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
 * @retval MASSTREE_FORKED        The parent process created the tree, before a fork.
 *
 * Note that MASSTREE_OK is 0: write `masstree_contains(...) == MASSTREE_OK`.
 *
 * Thread safety: any thread; takes no lock. Since 0.1.
 */
int32_t masstree_contains(const masstree_t *tree,
                          masstree_guard_t *guard,
                          const void *key,
                          size_t key_len);

/**
 * Like masstree_contains, for an integer key (see masstree_get_u64).
 *
 * @param tree   The tree.
 * @param guard  A guard of this tree, or NULL: then this call pins for its own duration.
 * @param key    The key.
 *
 * @retval MASSTREE_OK          The key is in the tree.
 * @retval MASSTREE_NOT_FOUND   The key is not in the tree.
 * @retval MASSTREE_INVALID     tree is NULL.
 * @retval MASSTREE_WRONG_TREE  The guard belongs to another tree.
 * @retval MASSTREE_FORKED      The parent process created the tree, before a fork.
 *
 * Thread safety: any thread; takes no lock. Since 0.1.
 */
int32_t masstree_contains_u64(const masstree_t *tree, masstree_guard_t *guard, uint64_t key);

/**
 * Stores a value under a key, whether or not the key exists.
 *
 * @param tree     The tree.
 * @param guard    A guard of this tree, or NULL: then this call pins for its own duration.
 * @param key      key_len bytes, which the tree copies; NULL only if key_len is 0.
 * @param key_len  Length of the key in bytes, at most 2^32 - 1.
 * @param value    The value. The tree owns it unless the call returns an error.
 *
 * @retval MASSTREE_OK            Stored. The value destructor is called for a displaced value
 *                                once no reader can still use it.
 * @retval MASSTREE_INVALID       tree is NULL, or key is NULL and key_len is not 0.
 * @retval MASSTREE_NOMEM         Out of memory; the tree is unchanged and the caller still
 *                                owns the value.
 * @retval MASSTREE_KEY_TOO_LONG  key_len exceeds 2^32 - 1.
 * @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
 * @retval MASSTREE_WRONG_KIND    The tree holds byte strings.
 * @retval MASSTREE_FORKED        The parent process created the tree, before a fork.
 *
 * Storing the value that the key already has displaces nothing: the tree keeps it.
 *
 * Thread safety: any thread. Since 0.1.
 */
int32_t masstree_put(masstree_t *tree,
                     masstree_guard_t *guard,
                     const void *key,
                     size_t key_len,
                     uint64_t value);

/**
 * Like masstree_put, for an integer key (see masstree_get_u64).
 *
 * @param tree   The tree.
 * @param guard  A guard of this tree, or NULL: then this call pins for its own duration.
 * @param key    The key.
 * @param value  The value. The tree owns it unless the call returns an error.
 *
 * @retval MASSTREE_OK          Stored.
 * @retval MASSTREE_INVALID     tree is NULL.
 * @retval MASSTREE_NOMEM       Out of memory; the tree is unchanged and the caller still owns
 *                              the value.
 * @retval MASSTREE_WRONG_TREE  The guard belongs to another tree.
 * @retval MASSTREE_WRONG_KIND  The tree holds byte strings.
 * @retval MASSTREE_FORKED      The parent process created the tree, before a fork.
 *
 * Storing the value that the key already has displaces nothing: the tree keeps it.
 *
 * Thread safety: any thread. Since 0.1.
 */
int32_t masstree_put_u64(masstree_t *tree, masstree_guard_t *guard, uint64_t key, uint64_t value);

/**
 * Stores a value under a key and returns the previous value.
 *
 * @param tree     The tree.
 * @param guard    A guard of this tree, or NULL: then this call pins for its own duration.
 * @param key      key_len bytes, which the tree copies; NULL only if key_len is 0.
 * @param key_len  Length of the key in bytes, at most 2^32 - 1.
 * @param value    The value. The tree owns it unless the call returns an error.
 * @param old      Receives the displaced value, only with MASSTREE_OK. The caller then owns
 *                 it: the value destructor is not called for it. Other threads may still read
 *                 it under guards that they hold now. If NULL, the value destructor is called
 *                 for it once no reader can still use it.
 *
 * @retval MASSTREE_OK            Stored; *old is the value it displaced.
 * @retval MASSTREE_EXISTS        The key has this value already; nothing was changed.
 * @retval MASSTREE_NOT_FOUND     Stored; the key did not exist.
 * @retval MASSTREE_INVALID       tree is NULL, or key is NULL and key_len is not 0.
 * @retval MASSTREE_NOMEM         Out of memory; the tree is unchanged and the caller still
 *                                owns the value.
 * @retval MASSTREE_KEY_TOO_LONG  key_len exceeds 2^32 - 1.
 * @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
 * @retval MASSTREE_WRONG_KIND    The tree holds byte strings.
 * @retval MASSTREE_FORKED        The parent process created the tree, before a fork.
 *
 * Storing the value that the key already has displaces nothing: the tree keeps it, and *old is
 * not written.
 *
 * Thread safety: any thread. Since 0.1.
 */
int32_t masstree_exchange(masstree_t *tree,
                          masstree_guard_t *guard,
                          const void *key,
                          size_t key_len,
                          uint64_t value,
                          uint64_t *old);

/**
 * Like masstree_exchange, for an integer key (see masstree_get_u64).
 *
 * @param tree   The tree.
 * @param guard  A guard of this tree, or NULL: then this call pins for its own duration.
 * @param key    The key.
 * @param value  The value. The tree owns it unless the call returns an error.
 * @param old    As in masstree_exchange.
 *
 * @retval MASSTREE_OK          Stored; *old is the value it displaced.
 * @retval MASSTREE_EXISTS      The key has this value already; nothing was changed.
 * @retval MASSTREE_NOT_FOUND   Stored; the key did not exist.
 * @retval MASSTREE_INVALID     tree is NULL.
 * @retval MASSTREE_NOMEM       Out of memory; the tree is unchanged and the caller still owns
 *                              the value.
 * @retval MASSTREE_WRONG_TREE  The guard belongs to another tree.
 * @retval MASSTREE_WRONG_KIND  The tree holds byte strings.
 * @retval MASSTREE_FORKED      The parent process created the tree, before a fork.
 *
 * Storing the value that the key already has displaces nothing: the tree keeps it, and *old is
 * not written.
 *
 * Thread safety: any thread. Since 0.1.
 */
int32_t masstree_exchange_u64(masstree_t *tree,
                              masstree_guard_t *guard,
                              uint64_t key,
                              uint64_t value,
                              uint64_t *old);

/**
 * Stores a value under a key only if the key is absent.
 *
 * @param tree     The tree.
 * @param guard    A guard of this tree, or NULL: then this call pins for its own duration.
 * @param key      key_len bytes, which the tree copies; NULL only if key_len is 0.
 * @param key_len  Length of the key in bytes, at most 2^32 - 1.
 * @param value    The value. The tree owns it only after MASSTREE_OK.
 * @param present  Receives the existing value, only with MASSTREE_EXISTS; the tree still owns
 *                 it. May be NULL.
 *
 * @retval MASSTREE_OK            Stored; the key was absent.
 * @retval MASSTREE_EXISTS        The key exists, with the value *present; nothing was changed.
 * @retval MASSTREE_INVALID       tree is NULL, or key is NULL and key_len is not 0.
 * @retval MASSTREE_NOMEM         Out of memory; the tree is unchanged.
 * @retval MASSTREE_KEY_TOO_LONG  key_len exceeds 2^32 - 1.
 * @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
 * @retval MASSTREE_WRONG_KIND    The tree holds byte strings.
 * @retval MASSTREE_FORKED        The parent process created the tree, before a fork.
 *
 * If several threads insert the same absent key, exactly one of them gets MASSTREE_OK.
 *
 * Thread safety: any thread. Since 0.1.
 */
int32_t masstree_insert(masstree_t *tree,
                        masstree_guard_t *guard,
                        const void *key,
                        size_t key_len,
                        uint64_t value,
                        uint64_t *present);

/**
 * Like masstree_insert, for an integer key (see masstree_get_u64).
 *
 * @param tree     The tree.
 * @param guard    A guard of this tree, or NULL: then this call pins for its own duration.
 * @param key      The key.
 * @param value    The value. The tree owns it only after MASSTREE_OK.
 * @param present  As in masstree_insert.
 *
 * @retval MASSTREE_OK          Stored; the key was absent.
 * @retval MASSTREE_EXISTS      The key exists, with the value *present; nothing was changed.
 * @retval MASSTREE_INVALID     tree is NULL.
 * @retval MASSTREE_NOMEM       Out of memory; the tree is unchanged.
 * @retval MASSTREE_WRONG_TREE  The guard belongs to another tree.
 * @retval MASSTREE_WRONG_KIND  The tree holds byte strings.
 * @retval MASSTREE_FORKED      The parent process created the tree, before a fork.
 *
 * Thread safety: any thread. Since 0.1.
 */
int32_t masstree_insert_u64(masstree_t *tree,
                            masstree_guard_t *guard,
                            uint64_t key,
                            uint64_t value,
                            uint64_t *present);

/**
 * Removes a key and, if old is not NULL, returns its value.
 *
 * @param tree     The tree.
 * @param guard    A guard of this tree, or NULL: then this call pins for its own duration.
 * @param key      key_len bytes; NULL only if key_len is 0.
 * @param key_len  Length of the key in bytes, at most 2^32 - 1.
 * @param old      Receives the removed value, only with MASSTREE_OK. The caller then owns it:
 *                 the value destructor is not called for it. Other threads may still read it
 *                 under guards that they hold now. If NULL, the value destructor is called for
 *                 it once no reader can still use it.
 *
 * @retval MASSTREE_OK            Removed; *old is the value it had.
 * @retval MASSTREE_NOT_FOUND     The key was not in the tree.
 * @retval MASSTREE_INVALID       tree is NULL, or key is NULL and key_len is not 0.
 * @retval MASSTREE_KEY_TOO_LONG  key_len exceeds 2^32 - 1.
 * @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
 * @retval MASSTREE_WRONG_KIND    The tree holds byte strings, and old is not NULL.
 * @retval MASSTREE_FORKED        The parent process created the tree, before a fork.
 *
 * Never returns MASSTREE_NOMEM. Nodes that become empty are freed.
 *
 * Thread safety: any thread. Since 0.1.
 */
int32_t masstree_remove(masstree_t *tree,
                        masstree_guard_t *guard,
                        const void *key,
                        size_t key_len,
                        uint64_t *old);

/**
 * Like masstree_remove, for an integer key (see masstree_get_u64).
 *
 * @param tree   The tree.
 * @param guard  A guard of this tree, or NULL: then this call pins for its own duration.
 * @param key    The key.
 * @param old    As in masstree_remove.
 *
 * @retval MASSTREE_OK          Removed; *old is the value it had.
 * @retval MASSTREE_NOT_FOUND   The key was not in the tree.
 * @retval MASSTREE_INVALID     tree is NULL.
 * @retval MASSTREE_WRONG_TREE  The guard belongs to another tree.
 * @retval MASSTREE_WRONG_KIND  The tree holds byte strings, and old is not NULL.
 * @retval MASSTREE_FORKED      The parent process created the tree, before a fork.
 *
 * Thread safety: any thread. Since 0.1.
 */
int32_t masstree_remove_u64(masstree_t *tree, masstree_guard_t *guard, uint64_t key, uint64_t *old);

/**
 * Stores the 8 bytes of an integer key, as the _u64 functions use them: most significant byte
 * first. For bounds of scans, and for trees with both integer and byte-string keys.
 *
 * @param key    The integer key.
 * @param bytes  Receives the 8 bytes; if NULL, the call does nothing.
 *
 * Thread safety: any thread, any time. Since 0.1.
 */
void masstree_u64_to_key(uint64_t key, uint8_t *bytes);

/**
 * Converts the 8 bytes of a key, such as a scan passes to its visitor, to the integer.
 *
 * @param key      The key's bytes.
 * @param key_len  Their length in bytes.
 * @param value    Receives the integer. May be NULL.
 *
 * @retval MASSTREE_OK       *value is the integer.
 * @retval MASSTREE_INVALID  key is NULL, or key_len is not 8.
 *
 * Thread safety: any thread, any time. Since 0.1.
 */
int32_t masstree_u64_from_key(const void *key, size_t key_len, uint64_t *value);

/* ============================================================================
 * Guards
 * ============================================================================ */

/**
 * Enters a new guard of a tree.
 *
 * @param tree   The tree.
 * @param guard  Receives the guard, which the caller frees with masstree_guard_leave.
 *
 * @retval MASSTREE_OK       *guard is a new guard.
 * @retval MASSTREE_INVALID  tree or guard is NULL.
 * @retval MASSTREE_NOMEM    Out of memory.
 * @retval MASSTREE_FORKED   The parent process created the tree, before a fork.
 *
 * Thread safety: any thread. Since 0.1.
 */
int32_t masstree_guard_enter(const masstree_t *tree, masstree_guard_t **guard);

/**
 * Refreshes a guard: ends its protection of everything read under it so far and begins anew,
 * like leaving and entering it, but cheaper. Do not use pointers and values that were read
 * under it before. NULL does nothing.
 *
 * @param guard  The guard.
 *
 * Thread safety: only the thread that currently uses the guard; not from the visitor of a scan
 * that runs under this guard. Since 0.1.
 */
void masstree_guard_refresh(masstree_guard_t *guard);

/**
 * Leaves and frees a guard. Do not use pointers and values that were read under it any more.
 * NULL does nothing.
 *
 * @param guard  The guard.
 *
 * Thread safety: only the thread that currently uses the guard, which need not be the thread
 * that entered it. Since 0.1.
 */
void masstree_guard_leave(masstree_guard_t *guard);

/* ============================================================================
 * Ranges
 * ============================================================================ */

/**
 * Kind of a bound: unbounded; the other fields of the bound are not read.
 */
#define MASSTREE_BOUND_OPEN 0

/**
 * Kind of a bound: the range includes the bound.
 */
#define MASSTREE_BOUND_INCLUSIVE 1

/**
 * Kind of a bound: the range excludes the bound.
 */
#define MASSTREE_BOUND_EXCLUSIVE 2

/**
 * Flag of a scan: visit the keys in descending order.
 */
#define MASSTREE_SCAN_REVERSE 1

/**
 * Flag of a scan: pass no values to the visitor (0, or length 0).
 */
#define MASSTREE_SCAN_KEYS_ONLY 2

/**
 * Flag of a scan: pass no keys to the visitor (length 0), which saves assembling them.
 */
#define MASSTREE_SCAN_VALUES_ONLY 4

/**
 * Returned by a visitor: continue.
 */
#define MASSTREE_VISIT_CONTINUE 0

/**
 * Returned by a visitor: end the scan with MASSTREE_OK.
 */
#define MASSTREE_VISIT_STOP 1

/**
 * The range of a scan. Start from MASSTREE_RANGE_INIT (everything, ascending, no limit) and
 * set the fields that you need; struct_size works as in masstree_options_t. The bounds and the
 * prefix are read during the scan and must not change.
 *
 * Keys are ordered as memcmp orders them; a key sorts before every longer key that begins with
 * it.
 */
typedef struct {
    /**
     * sizeof(masstree_range_t); MASSTREE_RANGE_INIT sets it.
     */
    size_t struct_size;
    /**
     * The lower bound: lower_len bytes; NULL only if lower_len is 0.
     */
    const void *lower;
    /**
     * Length of the lower bound in bytes.
     */
    size_t lower_len;
    /**
     * The upper bound: upper_len bytes; NULL only if upper_len is 0.
     */
    const void *upper;
    /**
     * Length of the upper bound in bytes.
     */
    size_t upper_len;
    /**
     * Visit only keys that begin with these bytes, within the bounds; NULL only if prefix_len
     * is 0.
     */
    const void *prefix;
    /**
     * Length of the prefix in bytes; 0: all keys.
     */
    size_t prefix_len;
    /**
     * Visit at most this many keys; 0: no limit.
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
     * 0, or MASSTREE_SCAN_REVERSE, MASSTREE_SCAN_KEYS_ONLY, MASSTREE_SCAN_VALUES_ONLY,
     * combined with |; the last two exclude each other.
     */
    uint32_t flags;
    /**
     * Must be 0.
     */
    uint32_t reserved;
    /**
     * NULL: a visitor's negative number is the status of the call. Otherwise *visitor_result receives the
     * number with which a visitor has ended the call, whatever it is, and the call returns
     * MASSTREE_OK; 0 if no visitor has ended it. Not written if the call fails. Functions without a
     * visitor do not use it.
     */
    int32_t *visitor_result;
} masstree_range_t;

/** Initializer of masstree_range_t: sets struct_size, and every other field to 0 or NULL. */
#define MASSTREE_RANGE_INIT \
    { sizeof(masstree_range_t), NULL, 0, NULL, 0, NULL, 0, 0, 0, 0, 0, 0, NULL }

/**
 * Called for each key of a scan, in order.
 *
 * @param key      The key's bytes; valid during this call only. Never NULL, not even for the
 *                 empty key.
 * @param key_len  Their length in bytes.
 * @param value    The key's value; if it is a pointer, see masstree_get.
 * @param ctx      The ctx that was passed to the scan.
 *
 * @return MASSTREE_VISIT_CONTINUE; or MASSTREE_VISIT_STOP, or any other positive number, to
 * end the scan with MASSTREE_OK; or a negative number to end the scan with that number as its
 * status: one of the visitor's own is at most MASSTREE_OWN_STATUS. With visitor_result in
 * masstree_range_t, the number is returned there instead, positive or negative.
 *
 * No lock is held. The visitor may call any function on this tree or another, but must not
 * refresh or leave the guard that the scan runs under, and must not destroy the tree. It must
 * return (no longjmp, no C++ exception, no pthread_exit): otherwise the pin of the scan is
 * never released. It may yield to a scheduler that continues it on another thread only if the
 * scan runs under a guard.
 */
typedef int32_t (*masstree_visitor_t)(const void *key, size_t key_len, uint64_t value, void *ctx);

/**
 * Called for each key of a scan of a tree of byte strings, in order.
 *
 * @param key        The key's bytes; valid during this call only. Never NULL, not even for the
 *                   empty key.
 * @param key_len    Their length in bytes.
 * @param value      The value's bytes; valid as long as the guard that the scan runs under is
 *                   held, and without a guard during this call only. Never NULL, not even for
 *                   the empty value.
 * @param value_len  Their length in bytes.
 * @param ctx        The ctx that was passed to the scan.
 *
 * @return As masstree_visitor_t, whose rules apply.
 */
typedef int32_t (*masstree_bytes_visitor_t)(const void *key,
                                            size_t key_len,
                                            const void *value,
                                            size_t value_len,
                                            void *ctx);

/**
 * Visits the keys of a range in order.
 *
 * Visits a key that is in the tree during the whole scan exactly once, and a key that is
 * inserted or removed during the scan at most once. Each leaf (up to 15 keys) is read as a
 * consistent snapshot; the range as a whole is not a snapshot.
 *
 * @param tree     The tree.
 * @param guard    A guard of this tree, or NULL: then this call pins for its own duration.
 * @param range    NULL for everything, ascending; or a struct that was initialised with
 *                 MASSTREE_RANGE_INIT.
 * @param visit    Called for each key.
 * @param ctx      Passed to visit.
 * @param visited  Receives the number of keys visited, including the one at which the visitor
 *                 stopped; also if the visitor ends the scan with a status of its own, and
 *                 with MASSTREE_NOMEM, so that the scan can be resumed. May be NULL.
 *
 * @retval MASSTREE_OK            The range was visited to its end, to the limit,
 *                                or until the visitor stopped.
 * @retval MASSTREE_INVALID       tree or visit is NULL; a bound or the prefix is NULL and its
 *                                length is not 0; the lower bound is above the upper; a kind
 *                                of bound or a flag is unknown, or two flags exclude each
 *                                other; a reserved field is not 0; struct_size is too small,
 *                                or a byte of the struct that this library does not know is
 *                                not zero.
 * @retval MASSTREE_NOMEM         Out of memory for the key's buffer.
 * @retval MASSTREE_KEY_TOO_LONG  A bound or the prefix exceeds 2^32 - 1 bytes.
 * @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
 * @retval MASSTREE_WRONG_KIND    The tree holds byte strings, and flags lacks
 *                                MASSTREE_SCAN_KEYS_ONLY.
 * @retval MASSTREE_FORKED        The parent process created the tree, before a fork.
 * @return The negative number that the visitor returned.
 *
 * Thread safety: any thread; takes no lock. Since 0.1.
 */
int32_t masstree_scan(const masstree_t *tree,
                      masstree_guard_t *guard,
                      const masstree_range_t *range,
                      masstree_visitor_t visit,
                      void *ctx,
                      size_t *visited);

/**
 * Like masstree_scan, for a tree of byte strings.
 *
 * @param tree     The tree.
 * @param guard    A guard of this tree, or NULL: then this call pins for its own duration.
 * @param range    As in masstree_scan.
 * @param visit    Called for each key.
 * @param ctx      Passed to visit.
 * @param visited  As in masstree_scan.
 *
 * @retval MASSTREE_OK            The range was visited to its end, to the limit,
 *                                or until the visitor stopped.
 * @retval MASSTREE_INVALID       As in masstree_scan.
 * @retval MASSTREE_NOMEM         Out of memory for the key's buffer.
 * @retval MASSTREE_KEY_TOO_LONG  A bound or the prefix exceeds 2^32 - 1 bytes.
 * @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
 * @retval MASSTREE_WRONG_KIND    The tree holds words.
 * @retval MASSTREE_FORKED        The parent process created the tree, before a fork.
 * @return The negative number that the visitor returned.
 *
 * Thread safety: any thread; takes no lock. Since 0.1.
 */
int32_t masstree_scan_bytes(const masstree_t *tree,
                            masstree_guard_t *guard,
                            const masstree_range_t *range,
                            masstree_bytes_visitor_t visit,
                            void *ctx,
                            size_t *visited);

/**
 * Counts the keys of a range, one by one, but faster than a scan: no key is assembled and no
 * visitor called.
 *
 * @param tree   The tree, of words or byte strings.
 * @param guard  A guard of this tree, or NULL: then this call pins for its own duration.
 * @param range  As in masstree_scan; flags have no effect.
 * @param count  Receives the number of keys. May be NULL.
 *
 * @retval MASSTREE_OK            *count is the number of keys in the range, at most the limit.
 * @retval MASSTREE_INVALID       As in masstree_scan.
 * @retval MASSTREE_NOMEM         Out of memory for the walk.
 * @retval MASSTREE_KEY_TOO_LONG  A bound or the prefix exceeds 2^32 - 1 bytes.
 * @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
 * @retval MASSTREE_FORKED        The parent process created the tree, before a fork.
 *
 * Thread safety: any thread; takes no lock. Since 0.1.
 */
int32_t masstree_count(const masstree_t *tree,
                       masstree_guard_t *guard,
                       const masstree_range_t *range,
                       size_t *count);

/**
 * Called for each common prefix of a delimited scan, between the calls for keys, in order.
 *
 * @param prefix      The prefix's bytes, of which the delimiter is the end; valid during this call
 *                    only. Never NULL.
 * @param prefix_len  Their length in bytes.
 * @param ctx         The ctx that was passed to the scan.
 *
 * @return As masstree_visitor_t, whose rules apply.
 */
typedef int32_t (*masstree_prefix_visitor_t)(const void *prefix, size_t prefix_len, void *ctx);

/**
 * Visits the keys of a range in order, like masstree_scan, but rolls keys up as listings of object
 * stores do: keys in which the delimiter occurs after the range's prefix are not visited. Instead the
 * scan visits once, for all that have it in common, what these keys begin with, up to and including the
 * first such delimiter. With "/" and the prefix "a/", a/b is a key, and a/c/d and a/c/e are the common
 * prefix a/c/. Costs a descent for each key and prefix visited, however many keys a prefix stands for.
 *
 * A key that is in the tree during the whole scan is visited exactly once, or its common prefix is. A
 * key that is inserted or removed during the scan is visited at most once, and so is each common prefix;
 * it is visited only if a key that begins with it was in the tree at some moment of the scan.
 *
 * The next page of a listing begins after the last entry visited, which is a key or a common prefix:
 * pass it as the bound where the scan begins, exclusive (the lower one, or the upper one with
 * MASSTREE_SCAN_REVERSE). If such a bound is a common prefix of the range, the keys that begin with it
 * are excluded, too. In any other case a bound excludes only keys: a common prefix is visited if a key
 * within the bounds begins with it.
 *
 * @param tree           The tree.
 * @param guard          A guard of this tree, or NULL: then this call pins for its own duration.
 * @param range          As in masstree_scan; MASSTREE_SCAN_VALUES_ONLY has no effect. The limit is of
 *                       keys and common prefixes together.
 * @param delimiter      delimiter_len bytes, which may be any; NULL only if delimiter_len is 0.
 * @param delimiter_len  Length of the delimiter in bytes; 0: no key is rolled up.
 * @param visit          Called for each key that is not rolled up.
 * @param visit_prefix   Called for each common prefix.
 * @param ctx            Passed to visit and visit_prefix.
 * @param visited        Receives the number of keys and common prefixes visited, as in masstree_scan.
 *                       May be NULL.
 *
 * @retval MASSTREE_OK            The range was visited to its end, to the limit, or until a visitor
 *                                stopped.
 * @retval MASSTREE_INVALID       visit_prefix is NULL, or delimiter is NULL and delimiter_len is not
 *                                0; otherwise as in masstree_scan.
 * @retval MASSTREE_NOMEM         Out of memory for the key's buffer or the common prefix's.
 * @retval MASSTREE_KEY_TOO_LONG  A bound, the prefix or the delimiter exceeds 2^32 - 1 bytes.
 * @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
 * @retval MASSTREE_WRONG_KIND    The tree holds byte strings, and flags lacks
 *                                MASSTREE_SCAN_KEYS_ONLY.
 * @retval MASSTREE_FORKED        The parent process created the tree, before a fork.
 * @return The negative number that a visitor returned.
 *
 * Thread safety: any thread; takes no lock. Since 0.1.
 */
int32_t masstree_scan_delimited(const masstree_t *tree,
                                masstree_guard_t *guard,
                                const masstree_range_t *range,
                                const void *delimiter,
                                size_t delimiter_len,
                                masstree_visitor_t visit,
                                masstree_prefix_visitor_t visit_prefix,
                                void *ctx,
                                size_t *visited);

/**
 * Like masstree_scan_delimited, for a tree of byte strings.
 *
 * @param tree           The tree.
 * @param guard          A guard of this tree, or NULL: then this call pins for its own duration.
 * @param range          As in masstree_scan_delimited.
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
 * @retval MASSTREE_WRONG_KIND    The tree does not hold byte strings.
 * @retval MASSTREE_FORKED        The parent process created the tree, before a fork.
 * @return The negative number that a visitor returned.
 *
 * Thread safety: any thread; takes no lock. Since 0.1.
 */
int32_t masstree_scan_delimited_bytes(const masstree_t *tree,
                                      masstree_guard_t *guard,
                                      const masstree_range_t *range,
                                      const void *delimiter,
                                      size_t delimiter_len,
                                      masstree_bytes_visitor_t visit,
                                      masstree_prefix_visitor_t visit_prefix,
                                      void *ctx,
                                      size_t *visited);

/**
 * About how many keys a range has, and how many bytes. Start from MASSTREE_ESTIMATE_INIT; struct_size
 * works as in masstree_options_t, and a library older than the header sets fields that it does not
 * know to 0.
 */
typedef struct {
    /**
     * sizeof(masstree_estimate_t); MASSTREE_ESTIMATE_INIT sets it.
     */
    size_t struct_size;
    /**
     * Input: how many nodes to read, beside those on the paths to the two ends of the range; a few
     * more may be read. 0: 128, which counts ranges of about 1000 keys, and estimates larger ones to
     * about a tenth. Four times as many halve the error; UINT64_MAX counts every range.
     */
    uint64_t most_nodes;
    /**
     * The number of keys.
     */
    uint64_t keys;
    /**
     * The bytes of these keys and their values: 8 for a word, the length of a byte string, in a
     * versioned tree the length of the newest version. With MASSTREE_SCAN_KEYS_ONLY, those of keys
     * only, and no value is read; with MASSTREE_SCAN_VALUES_ONLY, those of values only.
     */
    uint64_t bytes;
    /**
     * How far keys is from the truth at most, in nearly all cases: 2.5 standard errors. 0 if the
     * keys were counted.
     */
    uint64_t keys_error;
    /**
     * The same for bytes.
     */
    uint64_t bytes_error;
    /**
     * The number of nodes that were read.
     */
    uint64_t nodes;
} masstree_estimate_t;

/** Initializer of masstree_estimate_t: sets struct_size, and every other field to 0 or NULL. */
#define MASSTREE_ESTIMATE_INIT \
    { sizeof(masstree_estimate_t), 0, 0, 0, 0, 0, 0 }

/**
 * Estimates the number of keys in a range, and their bytes, from a few of its nodes: for query
 * planners. Small ranges are counted. The cost is that of two look-ups and of reading so many nodes,
 * whatever the size of the range.
 *
 * The same range of an unchanged tree has the same estimate. If no thread writes, a range without bounds
 * has exactly masstree_len keys, and an error of 0 says that keys and bytes are exact.
 *
 * @param tree      The tree. Keys of a versioned tree are user keys, with tombstones or without.
 * @param guard     A guard of this tree, or NULL: then this call pins for its own duration.
 * @param range     As in masstree_scan; of a longer range, at most its limit is estimated, and the share
 *                  of the bytes. MASSTREE_SCAN_REVERSE has no effect.
 * @param estimate  A struct that was initialised with MASSTREE_ESTIMATE_INIT; set most_nodes before the
 *                  call. Receives the estimate.
 *
 * @retval MASSTREE_OK            *estimate is filled in.
 * @retval MASSTREE_INVALID       tree or estimate is NULL, the struct_size of estimate is smaller than
 *                                any version of the struct, or as in masstree_scan.
 * @retval MASSTREE_NOMEM         Out of memory for the nodes to read; *estimate is unchanged.
 * @retval MASSTREE_KEY_TOO_LONG  A bound or the prefix exceeds 2^32 - 1 bytes.
 * @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
 * @retval MASSTREE_FORKED        The parent process created the tree, before a fork.
 *
 * Thread safety: any thread; takes no lock. While threads write, each node is read as it was at some
 * moment during the call, and the errors do not say how much that changes. Since 0.1.
 */
int32_t masstree_estimate(const masstree_t *tree,
                          masstree_guard_t *guard,
                          const masstree_range_t *range,
                          masstree_estimate_t *estimate);

/**
 * Draws keys at random, with their values: to look at a few keys of many, to evict some.
 *
 * In a tree of which no thread writes and whose keys have at most eight bytes, or are not more than a few
 * with the same first eight bytes, each key is as likely as any other. Otherwise a key that shares its
 * first eight bytes with many others is less likely than a key that does not, unless most keys do. A key
 * may be drawn more than once. The cost of a key is that of about ten look-ups; of a hundred or more,
 * where keys share their first eight bytes with many others.
 *
 * @param tree     The tree.
 * @param guard    A guard of this tree, or NULL: then this call pins for its own duration.
 * @param state    The state of a sequence of random numbers, any number before the first call: the seed.
 *                 The call advances it, so that the next call draws other keys. The same state draws the
 *                 same keys of an unchanged tree. Not NULL.
 * @param count    How many keys to draw.
 * @param visit    Called for each key that was drawn: see masstree_visitor_t.
 * @param ctx      Passed to visit.
 * @param visited  Receives the number of keys visited, as in masstree_scan. Less than count if the
 *                 visitor stopped, if the tree is empty, or if its nodes are so empty that drawing was
 *                 given up. May be NULL.
 *
 * @retval MASSTREE_OK          The keys were drawn, or the visitor stopped.
 * @retval MASSTREE_INVALID     tree, state or visit is NULL.
 * @retval MASSTREE_NOMEM       Out of memory for a key; *visited keys were visited.
 * @retval MASSTREE_WRONG_TREE  The guard belongs to another tree.
 * @retval MASSTREE_WRONG_KIND  The tree holds byte strings or versions.
 * @retval MASSTREE_FORKED      The parent process created the tree, before a fork.
 * @return The negative number that the visitor returned.
 *
 * Thread safety: any thread, each with a state of its own; takes no lock. Since 0.1.
 */
int32_t masstree_sample(const masstree_t *tree,
                        masstree_guard_t *guard,
                        uint64_t *state,
                        size_t count,
                        masstree_visitor_t visit,
                        void *ctx,
                        size_t *visited);

/**
 * Like masstree_sample, for a tree of byte strings.
 *
 * @param tree     The tree.
 * @param guard    As in masstree_sample.
 * @param state    As in masstree_sample.
 * @param count    As in masstree_sample.
 * @param visit    Called for each key that was drawn: see masstree_bytes_visitor_t.
 * @param ctx      Passed to visit.
 * @param visited  As in masstree_sample.
 *
 * @retval MASSTREE_OK          The keys were drawn, or the visitor stopped.
 * @retval MASSTREE_INVALID     As in masstree_sample.
 * @retval MASSTREE_NOMEM       As in masstree_sample.
 * @retval MASSTREE_WRONG_TREE  The guard belongs to another tree.
 * @retval MASSTREE_WRONG_KIND  The tree does not hold byte strings.
 * @retval MASSTREE_FORKED      The parent process created the tree, before a fork.
 * @return The negative number that the visitor returned.
 *
 * Thread safety: any thread, each with a state of its own; takes no lock. Since 0.1.
 */
int32_t masstree_sample_bytes(const masstree_t *tree,
                              masstree_guard_t *guard,
                              uint64_t *state,
                              size_t count,
                              masstree_bytes_visitor_t visit,
                              void *ctx,
                              size_t *visited);

/* ============================================================================
 * Removing ranges
 * ============================================================================ */

/**
 * Removes the keys of a range, whole leaves at a time: 4 to 13 times as fast as to remove one key after
 * the other; with byte strings, each of which is freed by itself, 1.5 to 3.5 times.
 *
 * A key that is in the range when the call begins, and is not inserted again, is absent afterwards.
 * The call is not one atomic operation: the keys of one leaf (up to 15) are removed at once, the leaves
 * in ascending order, beside readers and writers. A key that another thread inserts meanwhile is
 * removed or not. If others insert ever greater keys of the range as fast as the call removes them, the
 * call goes on; the limit bounds that.
 *
 * The values go to the value destructor, or their memory is freed, once every guard held now was
 * refreshed or left; with NULL for the guard, on the way, so that little memory waits. To empty the
 * whole tree at once, see masstree_clear.
 *
 * @param tree     The tree, of words or byte strings.
 * @param guard    A guard of this tree, or NULL: then this call pins for its own duration.
 * @param range    As in masstree_scan, NULL for everything. Removes at most limit keys, the first ones:
 *                 so long removals can be done in parts. MASSTREE_SCAN_REVERSE is refused, other flags
 *                 have no effect.
 * @param removed  Receives the number of keys removed; also with MASSTREE_NOMEM. May be NULL.
 *
 * @retval MASSTREE_OK            Removed; *removed may be 0.
 * @retval MASSTREE_INVALID       As in masstree_scan; or the range has MASSTREE_SCAN_REVERSE.
 * @retval MASSTREE_NOMEM         Out of memory for the position in the range: what was removed before
 *                                stays removed, and another call with the same range removes the rest.
 * @retval MASSTREE_KEY_TOO_LONG  A bound or the prefix exceeds 2^32 - 1 bytes.
 * @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
 * @retval MASSTREE_WRONG_KIND    The tree holds versions: see masstree_remove_range_at.
 * @retval MASSTREE_FORKED        The parent process created the tree, before a fork.
 *
 * Thread safety: any thread; must not be called by a thread that holds a key (masstree_hold).
 * Since 0.1.
 */
int32_t masstree_remove_range(masstree_t *tree,
                              masstree_guard_t *guard,
                              const masstree_range_t *range,
                              size_t *removed);

/* ============================================================================
 * One key: conditional writes
 * ============================================================================ */

/**
 * Returned by an update callback or passed to masstree_held_finish: leave the key as it is.
 */
#define MASSTREE_ACTION_KEEP 0

/**
 * Returned by an update callback or passed to masstree_held_finish: store the value (*value of
 * the callback, or the value passed to masstree_held_finish) under the key.
 */
#define MASSTREE_ACTION_SET 1

/**
 * Returned by an update callback or passed to masstree_held_finish: remove the key, if it
 * exists.
 */
#define MASSTREE_ACTION_REMOVE 2

/**
 * Decides what masstree_update does with a key.
 *
 * @param present  The key's value, or NULL if the key is absent.
 * @param value    Receives the new value, for MASSTREE_ACTION_SET.
 * @param ctx      The ctx that was passed to the update.
 *
 * @return MASSTREE_ACTION_KEEP, MASSTREE_ACTION_SET or MASSTREE_ACTION_REMOVE; or
 *         a negative number to change nothing and end the update with that number as its
 *         status (MASSTREE_OWN_STATUS or less, if it is not to be taken for one of the library's).
 *
 * It is called once, with the key's leaf locked: be quick, do not wait for anything that
 * another thread that uses the tree may hold, and call no function on this tree (a debug build
 * of the library aborts if you do). It must return: no longjmp, no C++ exception, no
 * pthread_exit. Memory for an insert has been reserved before the call: nothing can fail after
 * it.
 */
typedef int32_t (*masstree_update_t)(const uint64_t *present, uint64_t *value, void *ctx);

/**
 * Replaces the value of a key, only if the key exists.
 *
 * @param tree     The tree.
 * @param guard    A guard of this tree, or NULL: then this call pins for its own duration.
 * @param key      key_len bytes; NULL only if key_len is 0.
 * @param key_len  Length of the key in bytes, at most 2^32 - 1.
 * @param value    The value. The tree owns it after MASSTREE_OK; with MASSTREE_EXISTS it owned
 *                 it before.
 * @param old      Receives the displaced value, only with MASSTREE_OK. The caller then owns
 *                 it, as in masstree_exchange. If NULL, the value destructor is called for it
 *                 once no reader can still use it.
 *
 * @retval MASSTREE_OK            Stored; *old is the value it displaced.
 * @retval MASSTREE_EXISTS        The key has this value already; nothing was changed.
 * @retval MASSTREE_NOT_FOUND     The key is not in the tree; nothing was changed.
 * @retval MASSTREE_INVALID       tree is NULL, or key is NULL and key_len is not 0.
 * @retval MASSTREE_KEY_TOO_LONG  key_len exceeds 2^32 - 1.
 * @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
 * @retval MASSTREE_WRONG_KIND    The tree holds byte strings.
 * @retval MASSTREE_FORKED        The parent process created the tree, before a fork.
 *
 * Storing the value that the key already has displaces nothing: the tree keeps it, and *old is
 * not written.
 *
 * Thread safety: any thread. Since 0.1.
 */
int32_t masstree_replace(masstree_t *tree,
                         masstree_guard_t *guard,
                         const void *key,
                         size_t key_len,
                         uint64_t value,
                         uint64_t *old);

/**
 * Like masstree_replace, for an integer key (see masstree_get_u64).
 *
 * @param tree     The tree.
 * @param guard    A guard of this tree, or NULL: then this call pins for its own duration.
 * @param key      The key.
 * @param value    As in masstree_replace.
 * @param old      As in masstree_replace.
 *
 * @retval MASSTREE_OK            Stored; *old is the value it displaced.
 * @retval MASSTREE_EXISTS        The key has this value already; nothing was changed.
 * @retval MASSTREE_NOT_FOUND     The key is not in the tree; nothing was changed.
 * @retval MASSTREE_INVALID       tree is NULL.
 * @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
 * @retval MASSTREE_WRONG_KIND    The tree holds byte strings.
 * @retval MASSTREE_FORKED        The parent process created the tree, before a fork.
 *
 * Storing the value that the key already has displaces nothing: the tree keeps it, and *old is
 * not written.
 *
 * Thread safety: any thread. Since 0.1.
 */
int32_t masstree_replace_u64(masstree_t *tree,
                             masstree_guard_t *guard,
                             uint64_t key,
                             uint64_t value,
                             uint64_t *old);

/**
 * Stores the value `desired` under a key, only if the key has the value `expected`.
 *
 * @param tree     The tree.
 * @param guard    A guard of this tree, or NULL: then this call pins for its own duration.
 * @param key      key_len bytes; NULL only if key_len is 0.
 * @param key_len  Length of the key in bytes, at most 2^32 - 1.
 * @param expected The value that the key must have.
 * @param desired  The value to store. The tree owns it after MASSTREE_OK.
 * @param actual   Receives the key's value, with MASSTREE_MISMATCH. May be NULL.
 *
 * @retval MASSTREE_OK            The key had the value `expected` and has
 *                                `desired` now.
 * @retval MASSTREE_MISMATCH      The key has another value; nothing was changed.
 * @retval MASSTREE_NOT_FOUND     The key is not in the tree; nothing was changed.
 * @retval MASSTREE_INVALID       tree is NULL, or key is NULL and key_len is not 0.
 * @retval MASSTREE_KEY_TOO_LONG  key_len exceeds 2^32 - 1.
 * @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
 * @retval MASSTREE_WRONG_KIND    The tree holds byte strings.
 * @retval MASSTREE_FORKED        The parent process created the tree, before a fork.
 *
 * *actual is written only with MASSTREE_MISMATCH: then it is the value that the key has, which
 * the tree still owns.
 *
 * With MASSTREE_OK, the value destructor is called for the displaced value, `expected`, once no
 * reader can still use it; to own it instead, use masstree_update.
 * Storing the value that the key already has displaces nothing: the tree keeps it.
 *
 * Thread safety: any thread. Since 0.1.
 */
int32_t masstree_compare_exchange(masstree_t *tree,
                                  masstree_guard_t *guard,
                                  const void *key,
                                  size_t key_len,
                                  uint64_t expected,
                                  uint64_t desired,
                                  uint64_t *actual);

/**
 * Like masstree_compare_exchange, for an integer key (see masstree_get_u64).
 *
 * @param tree     The tree.
 * @param guard    A guard of this tree, or NULL: then this call pins for its own duration.
 * @param key      The key.
 * @param expected As in masstree_compare_exchange.
 * @param desired  As in masstree_compare_exchange.
 * @param actual   As in masstree_compare_exchange.
 *
 * @retval MASSTREE_OK            The key had the value `expected` and has
 *                                `desired` now.
 * @retval MASSTREE_MISMATCH      The key has another value; nothing was changed.
 * @retval MASSTREE_NOT_FOUND     The key is not in the tree; nothing was changed.
 * @retval MASSTREE_INVALID       tree is NULL.
 * @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
 * @retval MASSTREE_WRONG_KIND    The tree holds byte strings.
 * @retval MASSTREE_FORKED        The parent process created the tree, before a fork.
 *
 * *actual is written only with MASSTREE_MISMATCH: then it is the value that the key has, which
 * the tree still owns.
 *
 * With MASSTREE_OK, the value destructor is called for the displaced value, `expected`, once no
 * reader can still use it; to own it instead, use masstree_update.
 * Storing the value that the key already has displaces nothing: the tree keeps it.
 *
 * Thread safety: any thread. Since 0.1.
 */
int32_t masstree_compare_exchange_u64(masstree_t *tree,
                                      masstree_guard_t *guard,
                                      uint64_t key,
                                      uint64_t expected,
                                      uint64_t desired,
                                      uint64_t *actual);

/**
 * Removes a key, only if it has the value `expected`.
 *
 * @param tree     The tree.
 * @param guard    A guard of this tree, or NULL: then this call pins for its own duration.
 * @param key      key_len bytes; NULL only if key_len is 0.
 * @param key_len  Length of the key in bytes, at most 2^32 - 1.
 * @param expected The value that the key must have.
 * @param actual   Receives the key's value, with MASSTREE_MISMATCH. May be NULL.
 *
 * @retval MASSTREE_OK            The key had the value `expected` and was removed.
 * @retval MASSTREE_MISMATCH      The key has another value; nothing was changed.
 * @retval MASSTREE_NOT_FOUND     The key is not in the tree.
 * @retval MASSTREE_INVALID       tree is NULL, or key is NULL and key_len is not 0.
 * @retval MASSTREE_KEY_TOO_LONG  key_len exceeds 2^32 - 1.
 * @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
 * @retval MASSTREE_WRONG_KIND    The tree holds byte strings.
 * @retval MASSTREE_FORKED        The parent process created the tree, before a fork.
 *
 * *actual is written only with MASSTREE_MISMATCH: then it is the value that the key has, which
 * the tree still owns.
 *
 * With MASSTREE_OK, the value destructor is called for the removed value, `expected`, once no
 * reader can still use it; to own it instead, use masstree_update.
 *
 * Thread safety: any thread. Since 0.1.
 */
int32_t masstree_remove_if_equal(masstree_t *tree,
                                 masstree_guard_t *guard,
                                 const void *key,
                                 size_t key_len,
                                 uint64_t expected,
                                 uint64_t *actual);

/**
 * Like masstree_remove_if_equal, for an integer key (see masstree_get_u64).
 *
 * @param tree     The tree.
 * @param guard    A guard of this tree, or NULL: then this call pins for its own duration.
 * @param key      The key.
 * @param expected As in masstree_remove_if_equal.
 * @param actual   As in masstree_remove_if_equal.
 *
 * @retval MASSTREE_OK            The key had the value `expected` and was removed.
 * @retval MASSTREE_MISMATCH      The key has another value; nothing was changed.
 * @retval MASSTREE_NOT_FOUND     The key is not in the tree.
 * @retval MASSTREE_INVALID       tree is NULL.
 * @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
 * @retval MASSTREE_WRONG_KIND    The tree holds byte strings.
 * @retval MASSTREE_FORKED        The parent process created the tree, before a fork.
 *
 * *actual is written only with MASSTREE_MISMATCH: then it is the value that the key has, which
 * the tree still owns.
 *
 * With MASSTREE_OK, the value destructor is called for the removed value, `expected`, once no
 * reader can still use it; to own it instead, use masstree_update.
 *
 * Thread safety: any thread. Since 0.1.
 */
int32_t masstree_remove_if_equal_u64(masstree_t *tree,
                                     masstree_guard_t *guard,
                                     uint64_t key,
                                     uint64_t expected,
                                     uint64_t *actual);

/**
 * Reads a key and changes it as a callback decides, atomically: for increments, appending to
 * lists, inserting or merging.
 *
 * @param tree     The tree.
 * @param guard    A guard of this tree, or NULL: then this call pins for its own duration.
 * @param key      key_len bytes, which the tree copies; NULL only if key_len is 0.
 * @param key_len  Length of the key in bytes, at most 2^32 - 1.
 * @param update   Called once, with the key's leaf locked: see masstree_update_t.
 * @param ctx      Passed to update.
 * @param old      Receives the displaced or removed value. The caller then owns it, as in
 *                 masstree_exchange. Written only if the key existed and update returned
 *                 MASSTREE_ACTION_SET with another value, or MASSTREE_ACTION_REMOVE. If NULL,
 *                 the value destructor is called for the value once no reader can still use
 *                 it.
 *
 * @retval MASSTREE_OK            The action that the callback returned was carried out.
 * @retval MASSTREE_INVALID       tree or update is NULL, or key is NULL and key_len is not 0.
 * @retval MASSTREE_NOMEM         Out of memory; the tree is unchanged.
 * @retval MASSTREE_KEY_TOO_LONG  key_len exceeds 2^32 - 1.
 * @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
 * @retval MASSTREE_WRONG_KIND    The tree holds byte strings.
 * @retval MASSTREE_FORKED        The parent process created the tree, before a fork.
 * @return The negative number that the callback returned; nothing was changed.
 *
 * Also returns MASSTREE_INVALID, and changes nothing, if the callback returns a positive
 * number that is not a MASSTREE_ACTION_* constant. The memory is reserved before the callback
 * is called: with MASSTREE_NOMEM it was not called.
 *
 * Storing the value that the key already has displaces nothing: the tree keeps it, and *old is
 * not written.
 *
 * Thread safety: any thread. Since 0.1.
 */
int32_t masstree_update(masstree_t *tree,
                        masstree_guard_t *guard,
                        const void *key,
                        size_t key_len,
                        masstree_update_t update,
                        void *ctx,
                        uint64_t *old);

/**
 * Like masstree_update, for an integer key (see masstree_get_u64).
 *
 * @param tree     The tree.
 * @param guard    A guard of this tree, or NULL: then this call pins for its own duration.
 * @param key      The key.
 * @param update   As in masstree_update.
 * @param ctx      As in masstree_update.
 * @param old      As in masstree_update.
 *
 * @retval MASSTREE_OK            The action that the callback returned was carried out.
 * @retval MASSTREE_INVALID       tree or update is NULL.
 * @retval MASSTREE_NOMEM         Out of memory; the tree is unchanged.
 * @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
 * @retval MASSTREE_WRONG_KIND    The tree holds byte strings.
 * @retval MASSTREE_FORKED        The parent process created the tree, before a fork.
 * @return The negative number that the callback returned; nothing was changed.
 *
 * Also returns MASSTREE_INVALID, and changes nothing, if the callback returns a positive
 * number that is not a MASSTREE_ACTION_* constant. The memory is reserved before the callback
 * is called: with MASSTREE_NOMEM it was not called.
 *
 * Storing the value that the key already has displaces nothing: the tree keeps it, and *old is
 * not written.
 *
 * Thread safety: any thread. Since 0.1.
 */
int32_t masstree_update_u64(masstree_t *tree,
                            masstree_guard_t *guard,
                            uint64_t key,
                            masstree_update_t update,
                            void *ctx,
                            uint64_t *old);

/**
 * Adds to the value of a key, a number, atomically; if the key is absent, stores the number that was to be
 * added. For counters: without a callback, unlike masstree_update.
 *
 * @param tree     The tree.
 * @param guard    A guard of this tree, or NULL: then this call pins for its own duration.
 * @param key      key_len bytes, which the tree copies; NULL only if key_len is 0.
 * @param key_len  Length of the key in bytes, at most 2^32 - 1.
 * @param more     The number to add, modulo 2^64: to subtract n, add 0 - n.
 * @param sum      Receives the new value. May be NULL.
 *
 * @retval MASSTREE_OK            Added, or stored; *sum is the new value.
 * @retval MASSTREE_INVALID       tree is NULL, or key is NULL and key_len is not 0.
 * @retval MASSTREE_NOMEM         Out of memory; the tree is unchanged.
 * @retval MASSTREE_KEY_TOO_LONG  key_len exceeds 2^32 - 1.
 * @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
 * @retval MASSTREE_WRONG_KIND    The tree holds byte strings or versions, or values that contain their
 *                                keys (key_of of the options).
 * @retval MASSTREE_FORKED        The parent process created the tree, before a fork.
 *
 * The value destructor, if the tree has one, is called for the displaced value, as in masstree_put.
 *
 * Thread safety: any thread. Since 0.1.
 */
int32_t masstree_add(masstree_t *tree,
                     masstree_guard_t *guard,
                     const void *key,
                     size_t key_len,
                     uint64_t more,
                     uint64_t *sum);

/**
 * Like masstree_add, for an integer key (see masstree_get_u64).
 *
 * @param tree   The tree.
 * @param guard  A guard of this tree, or NULL: then this call pins for its own duration.
 * @param key    The key.
 * @param more   As in masstree_add.
 * @param sum    As in masstree_add.
 *
 * @retval MASSTREE_OK          Added, or stored; *sum is the new value.
 * @retval MASSTREE_INVALID     tree is NULL.
 * @retval MASSTREE_NOMEM       Out of memory; the tree is unchanged.
 * @retval MASSTREE_WRONG_TREE  The guard belongs to another tree.
 * @retval MASSTREE_WRONG_KIND  As in masstree_add.
 * @retval MASSTREE_FORKED      The parent process created the tree, before a fork.
 *
 * The value destructor, if the tree has one, is called for the displaced value, as in masstree_put.
 *
 * Thread safety: any thread. Since 0.1.
 */
int32_t masstree_add_u64(masstree_t *tree,
                         masstree_guard_t *guard,
                         uint64_t key,
                         uint64_t more,
                         uint64_t *sum);

/**
 * Makes the value of an absent key, for masstree_get_or_insert_with.
 *
 * @param value  Receives the new value.
 * @param ctx    The ctx that was passed with the callback.
 *
 * @return MASSTREE_OK to insert *value; or a negative number to change nothing and end the
 *         call with that number as its status (MASSTREE_OWN_STATUS or less, if it is not to be
 *         taken for one of the library's).
 *
 * It is called at most once, with the key's leaf locked; the rules of masstree_update_t apply.
 */
typedef int32_t (*masstree_make_value_t)(uint64_t *value, void *ctx);

/**
 * Looks up a key; if it is absent, inserts a value that a callback makes.
 *
 * @param tree     The tree.
 * @param guard    A guard of this tree, or NULL: then this call pins for its own duration.
 * @param key      key_len bytes, which the tree copies; NULL only if key_len is 0.
 * @param key_len  Length of the key in bytes, at most 2^32 - 1.
 * @param make     Called once if the key is absent, with the key's leaf locked: see
 *                 masstree_make_value_t.
 * @param ctx      Passed to make.
 * @param value    Receives the key's value, existing or made; the tree owns it. May be NULL.
 *
 * @retval MASSTREE_OK            The key was absent; *value is the value that the callback
 *                                made, and was inserted.
 * @retval MASSTREE_EXISTS        The key existed; *value is its value.
 * @retval MASSTREE_INVALID       tree or make is NULL, or key is NULL and key_len is not 0.
 * @retval MASSTREE_NOMEM         Out of memory; the tree is unchanged.
 * @retval MASSTREE_KEY_TOO_LONG  key_len exceeds 2^32 - 1.
 * @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
 * @retval MASSTREE_WRONG_KIND    The tree holds byte strings.
 * @retval MASSTREE_FORKED        The parent process created the tree, before a fork.
 * @return The negative number that the callback returned; nothing was changed.
 *
 * Also returns MASSTREE_INVALID, and changes nothing, if the callback returns a positive
 * number.
 *
 * Thread safety: any thread. Since 0.1.
 */
int32_t masstree_get_or_insert_with(masstree_t *tree,
                                    masstree_guard_t *guard,
                                    const void *key,
                                    size_t key_len,
                                    masstree_make_value_t make,
                                    void *ctx,
                                    uint64_t *value);

/**
 * Like masstree_get_or_insert_with, for an integer key (see masstree_get_u64).
 *
 * @param tree     The tree.
 * @param guard    A guard of this tree, or NULL: then this call pins for its own duration.
 * @param key      The key.
 * @param make     As in masstree_get_or_insert_with.
 * @param ctx      As in masstree_get_or_insert_with.
 * @param value    As in masstree_get_or_insert_with.
 *
 * @retval MASSTREE_OK            The key was absent; *value is the value that the callback
 *                                made, and was inserted.
 * @retval MASSTREE_EXISTS        The key existed; *value is its value.
 * @retval MASSTREE_INVALID       tree or make is NULL.
 * @retval MASSTREE_NOMEM         Out of memory; the tree is unchanged.
 * @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
 * @retval MASSTREE_WRONG_KIND    The tree holds byte strings.
 * @retval MASSTREE_FORKED        The parent process created the tree, before a fork.
 * @return The negative number that the callback returned; nothing was changed.
 *
 * Also returns MASSTREE_INVALID, and changes nothing, if the callback returns a positive
 * number.
 *
 * Thread safety: any thread. Since 0.1.
 */
int32_t masstree_get_or_insert_with_u64(masstree_t *tree,
                                        masstree_guard_t *guard,
                                        uint64_t key,
                                        masstree_make_value_t make,
                                        void *ctx,
                                        uint64_t *value);

/* ============================================================================
 * Byte-string values
 * ============================================================================ */

/**
 * A key or a value: a pointer and a length.
 */
typedef struct {
    /**
     * The bytes; NULL only if len is 0.
     */
    const void *data;
    /**
     * Their length in bytes.
     */
    size_t len;
} masstree_slice_t;

/**
 * Looks up a key and returns its value without copying it.
 *
 * @param tree     The tree.
 * @param guard    A guard of this tree; not NULL: the value stays readable only while the
 *                 guard is held.
 * @param key      key_len bytes; NULL only if key_len is 0.
 * @param key_len  Length of the key in bytes, at most 2^32 - 1.
 * @param value    Receives the value, a slice of the tree's memory. It stays readable and
 *                 unchanged until the guard is refreshed or left, even if the key is
 *                 overwritten or removed. May be NULL.
 *
 * @retval MASSTREE_OK            Found; *value is the key's value.
 * @retval MASSTREE_NOT_FOUND     The key is not in the tree.
 * @retval MASSTREE_INVALID       tree or guard is NULL, or key is NULL and key_len is not 0.
 * @retval MASSTREE_KEY_TOO_LONG  key_len exceeds 2^32 - 1.
 * @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
 * @retval MASSTREE_WRONG_KIND    The tree holds words.
 * @retval MASSTREE_FORKED        The parent process created the tree, before a fork.
 *
 * Thread safety: any thread; takes no lock. Since 0.1.
 */
int32_t masstree_get_bytes(const masstree_t *tree,
                           masstree_guard_t *guard,
                           const void *key,
                           size_t key_len,
                           masstree_slice_t *value);

/**
 * Looks up a key and copies its value to a buffer of the caller.
 *
 * @param tree      The tree.
 * @param guard     A guard of this tree, or NULL: then this call pins for its own duration.
 * @param key       key_len bytes; NULL only if key_len is 0.
 * @param key_len   Length of the key in bytes, at most 2^32 - 1.
 * @param buffer    The buffer; NULL only if capacity is 0.
 * @param capacity  Size of the buffer in bytes.
 * @param len       Receives the length of the value in bytes, with MASSTREE_OK and with
 *                  MASSTREE_TOO_SMALL: call with capacity 0 to query it. May be NULL.
 *
 * @retval MASSTREE_OK            Found; the whole value is in the buffer.
 * @retval MASSTREE_NOT_FOUND     The key is not in the tree.
 * @retval MASSTREE_INVALID       tree is NULL, or key or buffer is NULL and its length is not
 *                                0.
 * @retval MASSTREE_KEY_TOO_LONG  key_len exceeds 2^32 - 1.
 * @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
 * @retval MASSTREE_WRONG_KIND    The tree holds words.
 * @retval MASSTREE_FORKED        The parent process created the tree, before a fork.
 * @retval MASSTREE_TOO_SMALL     Found, but *len exceeds capacity; nothing was copied.
 *
 * Thread safety: any thread; takes no lock. Since 0.1.
 */
int32_t masstree_copy_bytes(const masstree_t *tree,
                            masstree_guard_t *guard,
                            const void *key,
                            size_t key_len,
                            void *buffer,
                            size_t capacity,
                            size_t *len);

/**
 * Stores a copy of a value under a key, whether or not the key exists.
 *
 * @param tree       The tree.
 * @param guard      A guard of this tree, or NULL: then this call pins for its own duration.
 * @param key        key_len bytes, which the tree copies; NULL only if key_len is 0.
 * @param key_len    Length of the key in bytes, at most 2^32 - 1.
 * @param value      value_len bytes, which the tree copies; NULL only if value_len is 0.
 * @param value_len  Length of the value in bytes.
 *
 * @retval MASSTREE_OK            Stored. A value it displaced is freed once no reader can
 *                                still use it.
 * @retval MASSTREE_INVALID       tree is NULL, or key or value is NULL and its length is not
 *                                0, or value_len exceeds SIZE_MAX / 2.
 * @retval MASSTREE_NOMEM         Out of memory; the tree is unchanged.
 * @retval MASSTREE_KEY_TOO_LONG  key_len exceeds 2^32 - 1.
 * @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
 * @retval MASSTREE_WRONG_KIND    The tree holds words.
 * @retval MASSTREE_FORKED        The parent process created the tree, before a fork.
 *
 * Thread safety: any thread. Since 0.1.
 */
int32_t masstree_put_bytes(masstree_t *tree,
                           masstree_guard_t *guard,
                           const void *key,
                           size_t key_len,
                           const void *value,
                           size_t value_len);

/**
 * Stores a copy of a value under a key and returns the previous value.
 *
 * @param tree       The tree.
 * @param guard      A guard of this tree. May be NULL only if old is NULL: then this call pins
 *                   for its own duration.
 * @param key        key_len bytes, which the tree copies; NULL only if key_len is 0.
 * @param key_len    Length of the key in bytes, at most 2^32 - 1.
 * @param value      value_len bytes, which the tree copies; NULL only if value_len is 0.
 * @param value_len  Length of the value in bytes.
 * @param old        Receives the displaced value, only with MASSTREE_OK; readable until the
 *                   guard is refreshed or left. The tree frees it. May be NULL.
 *
 * @retval MASSTREE_OK            Stored; *old is the value it displaced.
 * @retval MASSTREE_NOT_FOUND     Stored; the key did not exist.
 * @retval MASSTREE_INVALID       As in masstree_put_bytes; or old is not NULL and guard is
 *                                NULL.
 * @retval MASSTREE_NOMEM         Out of memory; the tree is unchanged.
 * @retval MASSTREE_KEY_TOO_LONG  key_len exceeds 2^32 - 1.
 * @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
 * @retval MASSTREE_WRONG_KIND    The tree holds words.
 * @retval MASSTREE_FORKED        The parent process created the tree, before a fork.
 *
 * Thread safety: any thread. Since 0.1.
 */
int32_t masstree_exchange_bytes(masstree_t *tree,
                                masstree_guard_t *guard,
                                const void *key,
                                size_t key_len,
                                const void *value,
                                size_t value_len,
                                masstree_slice_t *old);

/**
 * Stores a copy of a value under a key only if the key is absent.
 *
 * @param tree       The tree.
 * @param guard      A guard of this tree. May be NULL only if present is NULL: then this call
 *                   pins for its own duration.
 * @param key        key_len bytes, which the tree copies; NULL only if key_len is 0.
 * @param key_len    Length of the key in bytes, at most 2^32 - 1.
 * @param value      value_len bytes, which the tree copies; NULL only if value_len is 0.
 * @param value_len  Length of the value in bytes.
 * @param present    Receives the existing value, only with MASSTREE_EXISTS; readable until the
 *                   guard is refreshed or left. May be NULL.
 *
 * @retval MASSTREE_OK            Stored; the key was absent.
 * @retval MASSTREE_EXISTS        The key exists, with the value *present; nothing was changed.
 * @retval MASSTREE_INVALID       As in masstree_put_bytes; or present is not NULL and guard is
 *                                NULL.
 * @retval MASSTREE_NOMEM         Out of memory; the tree is unchanged.
 * @retval MASSTREE_KEY_TOO_LONG  key_len exceeds 2^32 - 1.
 * @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
 * @retval MASSTREE_WRONG_KIND    The tree holds words.
 * @retval MASSTREE_FORKED        The parent process created the tree, before a fork.
 *
 * Thread safety: any thread. Since 0.1.
 */
int32_t masstree_insert_bytes(masstree_t *tree,
                              masstree_guard_t *guard,
                              const void *key,
                              size_t key_len,
                              const void *value,
                              size_t value_len,
                              masstree_slice_t *present);

/**
 * Removes a key and, if old is not NULL, returns its value.
 *
 * @param tree     The tree.
 * @param guard    A guard of this tree. May be NULL only if old is NULL: then this call pins
 *                 for its own duration.
 * @param key      key_len bytes; NULL only if key_len is 0.
 * @param key_len  Length of the key in bytes, at most 2^32 - 1.
 * @param old      As in masstree_exchange_bytes.
 *
 * @retval MASSTREE_OK            Removed; *old is the value it had.
 * @retval MASSTREE_NOT_FOUND     The key was not in the tree.
 * @retval MASSTREE_INVALID       tree is NULL; key is NULL and key_len is not 0; or old is not
 *                                NULL and guard is NULL.
 * @retval MASSTREE_KEY_TOO_LONG  key_len exceeds 2^32 - 1.
 * @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
 * @retval MASSTREE_WRONG_KIND    The tree holds words.
 * @retval MASSTREE_FORKED        The parent process created the tree, before a fork.
 *
 * Thread safety: any thread. Since 0.1.
 */
int32_t masstree_remove_bytes(masstree_t *tree,
                              masstree_guard_t *guard,
                              const void *key,
                              size_t key_len,
                              masstree_slice_t *old);

/**
 * Replaces the value of a key by a copy of another, only if the key exists.
 *
 * @param tree       The tree.
 * @param guard      A guard of this tree. May be NULL only if old is NULL: then this call pins
 *                   for its own duration.
 * @param key        key_len bytes; NULL only if key_len is 0.
 * @param key_len    Length of the key in bytes, at most 2^32 - 1.
 * @param value      value_len bytes, which the tree copies; NULL only if value_len is 0.
 * @param value_len  Length of the value in bytes.
 * @param old        As in masstree_exchange_bytes.
 *
 * @retval MASSTREE_OK            Stored; *old is the value it displaced.
 * @retval MASSTREE_NOT_FOUND     The key is not in the tree; nothing was changed.
 * @retval MASSTREE_INVALID       As in masstree_exchange_bytes.
 * @retval MASSTREE_NOMEM         Out of memory; the tree is unchanged.
 * @retval MASSTREE_KEY_TOO_LONG  key_len exceeds 2^32 - 1.
 * @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
 * @retval MASSTREE_WRONG_KIND    The tree holds words.
 * @retval MASSTREE_FORKED        The parent process created the tree, before a fork.
 *
 * Thread safety: any thread. Since 0.1.
 */
int32_t masstree_replace_bytes(masstree_t *tree,
                               masstree_guard_t *guard,
                               const void *key,
                               size_t key_len,
                               const void *value,
                               size_t value_len,
                               masstree_slice_t *old);

/**
 * Stores a copy of the value `desired` under a key, only if the key's value equals `expected`
 * byte for byte.
 *
 * @param tree      The tree.
 * @param guard     A guard of this tree. May be NULL only if actual is NULL: then this call
 *                  pins for its own duration.
 * @param key       key_len bytes; NULL only if key_len is 0.
 * @param key_len   Length of the key in bytes, at most 2^32 - 1.
 * @param expected  The value that the key must have.
 * @param desired   The value to store, which the tree copies.
 * @param actual    Receives the key's value, with MASSTREE_MISMATCH; readable until the guard
 *                  is refreshed or left. May be NULL.
 *
 * @retval MASSTREE_OK            The key had the value `expected`; `desired` is stored.
 * @retval MASSTREE_NOT_FOUND     The key is not in the tree; nothing was changed.
 * @retval MASSTREE_MISMATCH      The key has another value, *actual; nothing was changed.
 * @retval MASSTREE_INVALID       tree is NULL; key, or the data of expected or desired, is
 *                                NULL and its length is not 0; a value's length exceeds
 *                                SIZE_MAX / 2; or actual is not NULL and guard is NULL.
 * @retval MASSTREE_NOMEM         Out of memory; the tree is unchanged.
 * @retval MASSTREE_KEY_TOO_LONG  key_len exceeds 2^32 - 1.
 * @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
 * @retval MASSTREE_WRONG_KIND    The tree holds words.
 * @retval MASSTREE_FORKED        The parent process created the tree, before a fork.
 *
 * *actual is written only with MASSTREE_MISMATCH: then it is the value that the key has, which
 * the tree still owns.
 *
 * Thread safety: any thread. Since 0.1.
 */
int32_t masstree_compare_exchange_bytes(masstree_t *tree,
                                        masstree_guard_t *guard,
                                        const void *key,
                                        size_t key_len,
                                        masstree_slice_t expected,
                                        masstree_slice_t desired,
                                        masstree_slice_t *actual);

/**
 * Removes a key, only if its value equals `expected` byte for byte.
 *
 * @param tree      The tree.
 * @param guard     A guard of this tree. May be NULL only if actual is NULL: then this call
 *                  pins for its own duration.
 * @param key       key_len bytes; NULL only if key_len is 0.
 * @param key_len   Length of the key in bytes, at most 2^32 - 1.
 * @param expected  The value that the key must have.
 * @param actual    As in masstree_compare_exchange_bytes.
 *
 * @retval MASSTREE_OK            The key had the value `expected` and was removed.
 * @retval MASSTREE_NOT_FOUND     The key was not in the tree.
 * @retval MASSTREE_MISMATCH      The key has another value, *actual; nothing was changed.
 * @retval MASSTREE_INVALID       tree is NULL; key, or the data of expected, is NULL and its
 *                                length is not 0; its length exceeds SIZE_MAX / 2; or actual
 *                                is not NULL and guard is NULL.
 * @retval MASSTREE_KEY_TOO_LONG  key_len exceeds 2^32 - 1.
 * @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
 * @retval MASSTREE_WRONG_KIND    The tree holds words.
 * @retval MASSTREE_FORKED        The parent process created the tree, before a fork.
 *
 * *actual is written only with MASSTREE_MISMATCH: then it is the value that the key has, which
 * the tree still owns.
 *
 * Thread safety: any thread. Since 0.1.
 */
int32_t masstree_remove_if_equal_bytes(masstree_t *tree,
                                       masstree_guard_t *guard,
                                       const void *key,
                                       size_t key_len,
                                       masstree_slice_t expected,
                                       masstree_slice_t *actual);

/**
 * Decides what masstree_update_bytes does with a key.
 *
 * @param present  The key's value, readable until the callback returns; NULL if the key is absent.
 * @param value    Receives the new value, for MASSTREE_ACTION_SET: bytes that stay readable and unchanged
 *                 until the callback is called again, or masstree_update_bytes returns; the tree
 *                 copies them. They may be part of the present value.
 * @param ctx      The ctx that was passed to the update.
 *
 * @return MASSTREE_ACTION_KEEP, MASSTREE_ACTION_SET or MASSTREE_ACTION_REMOVE; or a negative number
 *         to change nothing and end the update with that number as its status
 *         (MASSTREE_OWN_STATUS or less, if it is not to be taken for one of the library's).
 *
 * No lock is held. It may call any function on this tree or another, but must not refresh or leave the
 * guard of the update, and must not destroy the tree. It must return, and may yield to a scheduler that
 * continues it on another thread only if the update has a guard: see masstree_visitor_t. It is called
 * again, with the value that the key has then, if the key has been changed meanwhile: so it must not
 * change this key itself each time.
 */
typedef int32_t (*masstree_update_bytes_t)(const masstree_slice_t *present,
                                           masstree_slice_t *value,
                                           void *ctx);

/**
 * Reads a key and changes it as a callback decides, atomically, in a tree of byte strings: for records that
 * are changed in part, for lists. Unlike masstree_update, it holds no lock while the callback runs, and
 * calls it again if the key has changed meanwhile.
 *
 * Readers read a value without a lock, so no value is changed in place: the tree stores the new
 * value as a new byte string, also if its length is that of the old one.
 *
 * @param tree     The tree.
 * @param guard    A guard of this tree. May be NULL only if old is NULL: then this call pins for its
 *                 own duration.
 * @param key      key_len bytes, which the tree copies; NULL only if key_len is 0.
 * @param key_len  Length of the key in bytes, at most 2^32 - 1.
 * @param update   Called once, or more often: see masstree_update_bytes_t.
 * @param ctx      Passed to update.
 * @param old      Receives the displaced or removed value, readable until the guard is refreshed or
 *                 left. Written only if the key existed, and update returned MASSTREE_ACTION_SET or
 *                 MASSTREE_ACTION_REMOVE. May be NULL.
 *
 * @retval MASSTREE_OK            The action that the callback returned was carried out.
 * @retval MASSTREE_INVALID       tree or update is NULL, key is NULL and key_len is not 0, or old
 *                                is not NULL and guard is NULL.
 * @retval MASSTREE_NOMEM         Out of memory; the tree is unchanged.
 * @retval MASSTREE_KEY_TOO_LONG  key_len exceeds 2^32 - 1.
 * @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
 * @retval MASSTREE_WRONG_KIND    The tree does not hold byte strings.
 * @retval MASSTREE_FORKED        The parent process created the tree, before a fork.
 * @return The negative number that the callback returned; nothing was changed.
 *
 * Also returns MASSTREE_INVALID, and changes nothing, if the callback returns a positive number that
 * is not a MASSTREE_ACTION_* constant, or stores a value whose data is NULL and whose len is not 0,
 * or whose len exceeds SIZE_MAX / 2.
 *
 * Thread safety: any thread. Since 0.1.
 */
int32_t masstree_update_bytes(masstree_t *tree,
                              masstree_guard_t *guard,
                              const void *key,
                              size_t key_len,
                              masstree_update_bytes_t update,
                              void *ctx,
                              masstree_slice_t *old);

/**
 * Appends bytes to the value of a key; if the key is absent, stores them as its value. Atomic: of
 * several threads that append to one key, each one's bytes are in the value once, in one piece.
 *
 * The tree copies the whole value, since readers may be reading the old one: O(its length).
 *
 * @param tree      The tree.
 * @param guard     A guard of this tree, or NULL: then this call pins for its own duration.
 * @param key       key_len bytes, which the tree copies; NULL only if key_len is 0.
 * @param key_len   Length of the key in bytes, at most 2^32 - 1.
 * @param more      more_len bytes to append, which the tree copies; NULL only if more_len is 0.
 * @param more_len  Their length in bytes.
 * @param len       Receives the length of the new value. May be NULL.
 *
 * @retval MASSTREE_OK            Appended, or stored.
 * @retval MASSTREE_INVALID       As in masstree_put_bytes.
 * @retval MASSTREE_NOMEM         Out of memory; the tree is unchanged.
 * @retval MASSTREE_KEY_TOO_LONG  key_len exceeds 2^32 - 1.
 * @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
 * @retval MASSTREE_WRONG_KIND    The tree does not hold byte strings.
 * @retval MASSTREE_FORKED        The parent process created the tree, before a fork.
 *
 * Thread safety: any thread. Since 0.1.
 */
int32_t masstree_append_bytes(masstree_t *tree,
                              masstree_guard_t *guard,
                              const void *key,
                              size_t key_len,
                              const void *more,
                              size_t more_len,
                              size_t *len);

/* ============================================================================
 * Priority queues
 * ============================================================================ */

/**
 * Removes the first key of a range and returns it with its value: with several threads, a concurrent
 * priority queue.
 *
 * Each key goes to exactly one caller. No key that was in the range during the whole call is smaller
 * than the one returned. (Among keys of at most 8 bytes within one leaf, the removal is atomic; a key
 * that is inserted into another leaf or layer during the call may be missed.)
 *
 * Threads that only pop, at the same end, take turns: a call that has met another thread may wait after it
 * has removed its key, without a lock, up to some 0.3 ms. A thread that works between its calls, for about
 * as long as a call takes or longer, does not wait.
 *
 * @param tree      The tree.
 * @param guard     A guard of this tree, or NULL: then this call pins for its own duration.
 * @param range     As in masstree_scan, NULL for everything; limit and flags have no effect.
 * @param buffer    Receives the key. NULL: the key is not returned, however long it is.
 * @param capacity  Size of the buffer in bytes.
 * @param len       Receives the length of the key in bytes, also with MASSTREE_TOO_SMALL. May be NULL.
 * @param value     Receives the value, which is the caller's then; if it is a pointer, see
 *                  masstree_get. May be NULL: then the value goes to the value destructor, and the
 *                  tree may hold byte strings.
 *
 * @retval MASSTREE_OK            Removed; the outputs are written.
 * @retval MASSTREE_NOT_FOUND     The range has no key.
 * @retval MASSTREE_TOO_SMALL     The key does not fit into the buffer, and stays in the tree; *len is
 *                                its length, the other outputs are unchanged.
 * @retval MASSTREE_INVALID       tree is NULL, or the range is invalid, as in masstree_scan.
 * @retval MASSTREE_NOMEM         Out of memory for the position in the range; nothing was removed. Only
 *                                keys longer than 8 bytes, or bounds, need such memory.
 * @retval MASSTREE_KEY_TOO_LONG  A bound or the prefix exceeds 2^32 - 1 bytes.
 * @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
 * @retval MASSTREE_WRONG_KIND    The tree holds versions; or it holds byte strings, and value is not
 *                                NULL.
 * @retval MASSTREE_FORKED        The parent process created the tree, before a fork.
 *
 * Thread safety: any thread; must not be called by a thread that holds a key (masstree_hold).
 * Since 0.1.
 */
int32_t masstree_pop_first(masstree_t *tree,
                           masstree_guard_t *guard,
                           const masstree_range_t *range,
                           void *buffer,
                           size_t capacity,
                           size_t *len,
                           uint64_t *value);

/**
 * Like masstree_pop_first, for the last key of a range.
 *
 * @param tree      The tree.
 * @param guard     A guard of this tree, or NULL: then this call pins for its own duration.
 * @param range     As in masstree_pop_first.
 * @param buffer    As in masstree_pop_first.
 * @param capacity  Size of the buffer in bytes.
 * @param len       As in masstree_pop_first.
 * @param value     As in masstree_pop_first.
 *
 * @retval MASSTREE_OK            Removed; the outputs are written.
 * @retval MASSTREE_NOT_FOUND     The range has no key.
 * @retval MASSTREE_TOO_SMALL     As in masstree_pop_first.
 * @retval MASSTREE_INVALID       As in masstree_pop_first.
 * @retval MASSTREE_NOMEM         As in masstree_pop_first.
 * @retval MASSTREE_KEY_TOO_LONG  A bound or the prefix exceeds 2^32 - 1 bytes.
 * @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
 * @retval MASSTREE_WRONG_KIND    As in masstree_pop_first.
 * @retval MASSTREE_FORKED        The parent process created the tree, before a fork.
 *
 * Thread safety: as masstree_pop_first. Since 0.1.
 */
int32_t masstree_pop_last(masstree_t *tree,
                          masstree_guard_t *guard,
                          const masstree_range_t *range,
                          void *buffer,
                          size_t capacity,
                          size_t *len,
                          uint64_t *value);

/**
 * Like masstree_pop_first, for a tree of byte strings.
 *
 * @param tree      The tree.
 * @param guard     A guard of this tree. May be NULL only if value is NULL: then this call pins for
 *                  its own duration.
 * @param range     As in masstree_pop_first.
 * @param buffer    As in masstree_pop_first.
 * @param capacity  Size of the buffer in bytes.
 * @param len       As in masstree_pop_first.
 * @param value     Receives the value, valid as long as the guard is held. May be NULL.
 *
 * @retval MASSTREE_OK            Removed; the outputs are written.
 * @retval MASSTREE_NOT_FOUND     The range has no key.
 * @retval MASSTREE_TOO_SMALL     As in masstree_pop_first.
 * @retval MASSTREE_INVALID       As in masstree_pop_first; or value is not NULL and guard is NULL.
 * @retval MASSTREE_NOMEM         As in masstree_pop_first.
 * @retval MASSTREE_KEY_TOO_LONG  A bound or the prefix exceeds 2^32 - 1 bytes.
 * @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
 * @retval MASSTREE_WRONG_KIND    The tree holds words or versions.
 * @retval MASSTREE_FORKED        The parent process created the tree, before a fork.
 *
 * Thread safety: as masstree_pop_first. Since 0.1.
 */
int32_t masstree_pop_first_bytes(masstree_t *tree,
                                 masstree_guard_t *guard,
                                 const masstree_range_t *range,
                                 void *buffer,
                                 size_t capacity,
                                 size_t *len,
                                 masstree_slice_t *value);

/**
 * Like masstree_pop_last, for a tree of byte strings.
 *
 * @param tree      The tree.
 * @param guard     A guard of this tree. May be NULL only if value is NULL: then this call pins for
 *                  its own duration.
 * @param range     As in masstree_pop_first.
 * @param buffer    As in masstree_pop_first.
 * @param capacity  Size of the buffer in bytes.
 * @param len       As in masstree_pop_first.
 * @param value     Receives the value, valid as long as the guard is held. May be NULL.
 *
 * @retval MASSTREE_OK            Removed; the outputs are written.
 * @retval MASSTREE_NOT_FOUND     The range has no key.
 * @retval MASSTREE_TOO_SMALL     As in masstree_pop_first.
 * @retval MASSTREE_INVALID       As in masstree_pop_first; or value is not NULL and guard is NULL.
 * @retval MASSTREE_NOMEM         As in masstree_pop_first.
 * @retval MASSTREE_KEY_TOO_LONG  A bound or the prefix exceeds 2^32 - 1 bytes.
 * @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
 * @retval MASSTREE_WRONG_KIND    The tree holds words or versions.
 * @retval MASSTREE_FORKED        The parent process created the tree, before a fork.
 *
 * Thread safety: as masstree_pop_first. Since 0.1.
 */
int32_t masstree_pop_last_bytes(masstree_t *tree,
                                masstree_guard_t *guard,
                                const masstree_range_t *range,
                                void *buffer,
                                size_t capacity,
                                size_t *len,
                                masstree_slice_t *value);

/* ============================================================================
 * Cursors
 * ============================================================================ */

/**
 * A position in a tree, from which to move key by key in either direction.
 *
 * Created by masstree_cursor_open, freed by masstree_cursor_close. A cursor uses the guard
 * that it was opened with, or a guard of its own. Close it before that guard is left; the
 * guard may be refreshed. Only one thread at a time may use a cursor: the thread that
 * currently uses its guard.
 *
 * Each step sees the tree as it is at that moment, with everything that any thread has put or
 * removed since the step before: it moves to the first key after (or before) the key that the
 * cursor is at, whether or not that key still exists. A step costs one and a half to four
 * times as much as a key of a scan; a key of masstree_cursor_next_many at most twice as much.
 * The first step after a change nearby, or after the guard was refreshed, costs as much as a
 * look-up.
 *
 * A call that fails, or returns MASSTREE_END, does not move the cursor.
 */
typedef struct masstree_cursor_t masstree_cursor_t;

/**
 * Opens a cursor, which is at no key yet: masstree_cursor_next will move it to the first key,
 * masstree_cursor_prev to the last.
 *
 * @param tree    The tree.
 * @param guard   A guard of this tree, which the caller still owns and must leave only after
 *                closing the cursor; or NULL: the cursor then has a guard of its own (see
 *                masstree_cursor_refresh).
 * @param cursor  Receives the cursor, which the caller frees with masstree_cursor_close.
 *
 * @retval MASSTREE_OK          *cursor is a new cursor.
 * @retval MASSTREE_INVALID     tree or cursor is NULL.
 * @retval MASSTREE_NOMEM       Out of memory.
 * @retval MASSTREE_WRONG_TREE  The guard belongs to another tree.
 * @retval MASSTREE_FORKED      The parent process created the tree, before a fork.
 *
 * Thread safety: any thread. Since 0.1.
 */
int32_t masstree_cursor_open(const masstree_t *tree,
                             masstree_guard_t *guard,
                             masstree_cursor_t **cursor);

/**
 * Closes and frees a cursor. NULL does nothing.
 *
 * @param cursor  The cursor.
 *
 * Thread safety: only the thread that currently uses the cursor. Since 0.1.
 */
void masstree_cursor_close(masstree_cursor_t *cursor);

/**
 * Refreshes the guard of a cursor that has a guard of its own, as masstree_guard_refresh does;
 * the cursor stays at its key. For cursors that are kept for long. Does nothing if the cursor
 * was opened with a guard: refresh that guard instead.
 *
 * @param cursor  The cursor; NULL does nothing.
 *
 * Thread safety: only the thread that currently uses the cursor. Since 0.1.
 */
void masstree_cursor_refresh(masstree_cursor_t *cursor);

/**
 * Returns the key that a cursor is at.
 *
 * @param cursor  The cursor.
 * @param key     Receives the key, a slice of the cursor's memory, valid until the next call
 *                that moves or closes the cursor. May be NULL.
 *
 * @retval MASSTREE_OK         *key is the key, which another thread may have removed since.
 * @retval MASSTREE_NOT_FOUND  The cursor is at no key yet.
 * @retval MASSTREE_INVALID    cursor is NULL.
 * @retval MASSTREE_FORKED     The parent process created the tree, before a fork.
 *
 * Thread safety: only the thread that currently uses the cursor. Since 0.1.
 */
int32_t masstree_cursor_key(masstree_cursor_t *cursor, masstree_slice_t *key);

/**
 * Returns the value of the key that a cursor is at.
 *
 * @param cursor  The cursor.
 * @param value   Receives the value as it was when the cursor moved to the key; or, if the
 *                guard was refreshed since, the current value. May be NULL.
 *
 * @retval MASSTREE_OK          *value is the value.
 * @retval MASSTREE_NOT_FOUND   The cursor is at no key yet; or the key was removed before the
 *                              guard was refreshed.
 * @retval MASSTREE_INVALID     cursor is NULL.
 * @retval MASSTREE_WRONG_KIND  The tree holds byte strings.
 * @retval MASSTREE_FORKED      The parent process created the tree, before a fork.
 *
 * If the value is a pointer and the tree has a value destructor, the destructor is not called
 * for the value before the cursor's guard is refreshed or left.
 *
 * Thread safety: only the thread that currently uses the cursor. Since 0.1.
 */
int32_t masstree_cursor_value(masstree_cursor_t *cursor, uint64_t *value);

/**
 * Returns the value of the key that a cursor is at, in a tree of byte strings.
 *
 * @param cursor  The cursor.
 * @param value   Receives the value, as in masstree_cursor_value: a slice of the tree's
 *                memory, readable until the cursor's guard is refreshed or left. May be NULL.
 *
 * @retval MASSTREE_OK          *value is the value.
 * @retval MASSTREE_NOT_FOUND   The cursor is at no key yet; or the key was removed before the
 *                              guard was refreshed.
 * @retval MASSTREE_INVALID     cursor is NULL.
 * @retval MASSTREE_WRONG_KIND  The tree holds words.
 * @retval MASSTREE_FORKED      The parent process created the tree, before a fork.
 *
 * Thread safety: only the thread that currently uses the cursor. Since 0.1.
 */
int32_t masstree_cursor_value_bytes(masstree_cursor_t *cursor, masstree_slice_t *value);

/**
 * Returns how many bytes masstree_cursor_open_in needs at least.
 *
 * @return 4096 in this version; a later one may need more.
 *
 * Thread safety: any thread. Since 0.1.
 */
size_t masstree_cursor_size(void);

/**
 * Opens a cursor in memory of the caller's, without allocating: on the stack, or in an object of the
 * program's that is opened and closed often. Otherwise as masstree_cursor_open.
 *
 * The cursor keeps in that memory what fits: with masstree_cursor_size bytes, its position in three
 * layers (a layer for each 8 bytes that keys share with others), and keys of some hundred bytes. With
 * longer keys or more layers it allocates the rest. Without a guard, it may allocate memory for a
 * guard of its own, which the tree uses again later.
 *
 * @param tree    The tree.
 * @param guard   As in masstree_cursor_open. With NULL, a cursor of an append-only tree has no guard.
 * @param memory  size bytes, aligned to 16, which belong to the cursor until masstree_cursor_close;
 *                they may not be moved.
 * @param size    At least masstree_cursor_size().
 * @param cursor  Receives the cursor, at the address of memory. The caller closes it with
 *                masstree_cursor_close, which frees what was allocated beyond, and then owns the
 *                memory again.
 *
 * @retval MASSTREE_OK          *cursor is a new cursor.
 * @retval MASSTREE_INVALID     tree, memory or cursor is NULL, memory is not aligned, or size is too
 *                              small.
 * @retval MASSTREE_NOMEM       Out of memory for a guard.
 * @retval MASSTREE_WRONG_TREE  The guard belongs to another tree.
 * @retval MASSTREE_FORKED      The parent process created the tree, before a fork.
 *
 * Thread safety: any thread. Since 0.1.
 */
int32_t masstree_cursor_open_in(const masstree_t *tree,
                                masstree_guard_t *guard,
                                void *memory,
                                size_t size,
                                masstree_cursor_t **cursor);

/**
 * Seek the first key that is greater than or equal to the given one.
 */
#define MASSTREE_SEEK_GE 0

/**
 * Seek the first key that is greater than the given one.
 */
#define MASSTREE_SEEK_GT 1

/**
 * Seek the last key that is less than or equal to the given one.
 */
#define MASSTREE_SEEK_LE 2

/**
 * Seek the last key that is less than the given one.
 */
#define MASSTREE_SEEK_LT 3

/**
 * Seek the first key; the given one is ignored.
 */
#define MASSTREE_SEEK_FIRST 4

/**
 * Seek the last key; the given one is ignored.
 */
#define MASSTREE_SEEK_LAST 5

/**
 * Moves a cursor to the key nearest to a given one.
 *
 * @param cursor   The cursor.
 * @param key      key_len bytes; NULL only if key_len is 0. May be the cursor's own key.
 * @param key_len  Length of the key in bytes, at most 2^32 - 1.
 * @param how      MASSTREE_SEEK_GE, MASSTREE_SEEK_GT, MASSTREE_SEEK_LE, MASSTREE_SEEK_LT,
 *                 MASSTREE_SEEK_FIRST or MASSTREE_SEEK_LAST.
 *
 * @retval MASSTREE_OK            The cursor is at that key.
 * @retval MASSTREE_END           No such key exists.
 * @retval MASSTREE_INVALID       cursor is NULL, key is NULL and key_len is not 0, or how is
 *                                unknown.
 * @retval MASSTREE_NOMEM         Out of memory for the key's copy.
 * @retval MASSTREE_KEY_TOO_LONG  key_len exceeds 2^32 - 1.
 * @retval MASSTREE_FORKED        The parent process created the tree, before a fork.
 * @retval MASSTREE_TOO_OLD       The cursor reads at a number (masstree_cursor_open_at) that a
 *                                trim has overtaken; the cursor may have moved.
 *
 * Thread safety: only the thread that currently uses the cursor. Since 0.1.
 */
int32_t masstree_cursor_seek(masstree_cursor_t *cursor,
                             const void *key,
                             size_t key_len,
                             uint32_t how);

/**
 * Like masstree_cursor_seek, for an integer key (see masstree_get_u64).
 *
 * @param cursor  The cursor.
 * @param key     The key.
 * @param how     As in masstree_cursor_seek.
 *
 * @retval MASSTREE_OK       The cursor is at that key.
 * @retval MASSTREE_END      No such key exists.
 * @retval MASSTREE_INVALID  cursor is NULL, or how is unknown.
 * @retval MASSTREE_NOMEM    Out of memory for the key's copy.
 * @retval MASSTREE_FORKED   The parent process created the tree, before a fork.
 * @retval MASSTREE_TOO_OLD  The cursor reads at a number (masstree_cursor_open_at) that a trim
 *                           has overtaken; the cursor may have moved.
 *
 * Thread safety: only the thread that currently uses the cursor. Since 0.1.
 */
int32_t masstree_cursor_seek_u64(masstree_cursor_t *cursor, uint64_t key, uint32_t how);

/**
 * Moves a cursor to the first key of the tree.
 *
 * @param cursor  The cursor.
 *
 * @retval MASSTREE_OK       The cursor is at the first key.
 * @retval MASSTREE_END      The tree is empty.
 * @retval MASSTREE_INVALID  cursor is NULL.
 * @retval MASSTREE_NOMEM    Out of memory for the key's copy.
 * @retval MASSTREE_FORKED   The parent process created the tree, before a fork.
 * @retval MASSTREE_TOO_OLD  The cursor reads at a number (masstree_cursor_open_at) that a trim
 *                           has overtaken; the cursor may have moved.
 *
 * Thread safety: only the thread that currently uses the cursor. Since 0.1.
 */
int32_t masstree_cursor_first(masstree_cursor_t *cursor);

/**
 * Moves a cursor to the last key of the tree.
 *
 * @param cursor  The cursor.
 *
 * @retval MASSTREE_OK       The cursor is at the last key.
 * @retval MASSTREE_END      The tree is empty.
 * @retval MASSTREE_INVALID  cursor is NULL.
 * @retval MASSTREE_NOMEM    Out of memory for the key's copy.
 * @retval MASSTREE_FORKED   The parent process created the tree, before a fork.
 * @retval MASSTREE_TOO_OLD  The cursor reads at a number (masstree_cursor_open_at) that a trim
 *                           has overtaken; the cursor may have moved.
 *
 * Thread safety: only the thread that currently uses the cursor. Since 0.1.
 */
int32_t masstree_cursor_last(masstree_cursor_t *cursor);

/**
 * Moves a cursor to the next greater key.
 *
 * @param cursor  The cursor.
 *
 * @retval MASSTREE_OK       The cursor is at the next key.
 * @retval MASSTREE_END      No further key exists; another thread may insert one later.
 * @retval MASSTREE_INVALID  cursor is NULL.
 * @retval MASSTREE_NOMEM    Out of memory for the key's copy.
 * @retval MASSTREE_FORKED   The parent process created the tree, before a fork.
 * @retval MASSTREE_TOO_OLD  The cursor reads at a number (masstree_cursor_open_at) that a trim
 *                           has overtaken; the cursor may have moved.
 *
 * Thread safety: only the thread that currently uses the cursor. Since 0.1.
 */
int32_t masstree_cursor_next(masstree_cursor_t *cursor);

/**
 * Moves a cursor to the next smaller key.
 *
 * @param cursor  The cursor.
 *
 * @retval MASSTREE_OK       The cursor is at the previous key.
 * @retval MASSTREE_END      No further key exists; another thread may insert one later.
 * @retval MASSTREE_INVALID  cursor is NULL.
 * @retval MASSTREE_NOMEM    Out of memory for the key's copy.
 * @retval MASSTREE_FORKED   The parent process created the tree, before a fork.
 * @retval MASSTREE_TOO_OLD  The cursor reads at a number (masstree_cursor_open_at) that a trim
 *                           has overtaken; the cursor may have moved.
 *
 * Thread safety: only the thread that currently uses the cursor. Since 0.1.
 */
int32_t masstree_cursor_prev(masstree_cursor_t *cursor);

/**
 * Moves a cursor to the next greater key several times and stores the keys and values that it
 * passes. The cursor is then at the last of them.
 *
 * @param cursor    The cursor.
 * @param keys      Receives the keys, in order: slices of the cursor's memory, valid until the
 *                  next call that moves or closes the cursor. May be NULL.
 * @param values    Receives the values, as masstree_cursor_value returns them. May be NULL.
 * @param capacity  Length of the arrays `keys` and `values`, at least 1.
 * @param count     Receives the number of keys, also with MASSTREE_END (0); less than capacity
 *                  at the end of the tree, or if memory runs out. May be NULL.
 *
 * @retval MASSTREE_OK          *count is at least 1.
 * @retval MASSTREE_END         No greater key exists; another thread may insert one later.
 * @retval MASSTREE_INVALID     cursor is NULL, or capacity is 0.
 * @retval MASSTREE_NOMEM       Out of memory for the copy of the first key.
 * @retval MASSTREE_WRONG_KIND  The tree holds byte strings or versions, and values is not NULL;
 *                              or it is a cursor over versions.
 * @retval MASSTREE_FORKED      The parent process created the tree, before a fork.
 *
 * Thread safety: only the thread that currently uses the cursor. Since 0.1.
 */
int32_t masstree_cursor_next_many(masstree_cursor_t *cursor,
                                  masstree_slice_t *keys,
                                  uint64_t *values,
                                  size_t capacity,
                                  size_t *count);

/**
 * Moves a cursor to the next smaller key several times; otherwise like
 * masstree_cursor_next_many.
 *
 * @param cursor    The cursor.
 * @param keys      As in masstree_cursor_next_many.
 * @param values    As in masstree_cursor_next_many.
 * @param capacity  As in masstree_cursor_next_many.
 * @param count     As in masstree_cursor_next_many.
 *
 * @retval MASSTREE_OK          *count is at least 1.
 * @retval MASSTREE_END         No smaller key exists; another thread may insert one later.
 * @retval MASSTREE_INVALID     cursor is NULL, or capacity is 0.
 * @retval MASSTREE_NOMEM       Out of memory for the copy of the first key.
 * @retval MASSTREE_WRONG_KIND  The tree holds byte strings or versions, and values is not NULL;
 *                              or it is a cursor over versions.
 * @retval MASSTREE_FORKED      The parent process created the tree, before a fork.
 *
 * Thread safety: only the thread that currently uses the cursor. Since 0.1.
 */
int32_t masstree_cursor_prev_many(masstree_cursor_t *cursor,
                                  masstree_slice_t *keys,
                                  uint64_t *values,
                                  size_t capacity,
                                  size_t *count);

/**
 * Like masstree_cursor_next_many, for a tree of byte strings.
 *
 * @param cursor    The cursor.
 * @param keys      As in masstree_cursor_next_many.
 * @param values    Receives the values, as masstree_cursor_value_bytes returns them. May be
 *                  NULL.
 * @param capacity  As in masstree_cursor_next_many.
 * @param count     As in masstree_cursor_next_many.
 *
 * @retval MASSTREE_OK          *count is at least 1.
 * @retval MASSTREE_END         No greater key exists; another thread may insert one later.
 * @retval MASSTREE_INVALID     cursor is NULL, or capacity is 0.
 * @retval MASSTREE_NOMEM       Out of memory for the copy of the first key.
 * @retval MASSTREE_WRONG_KIND  The tree holds words.
 * @retval MASSTREE_FORKED      The parent process created the tree, before a fork.
 *
 * Thread safety: only the thread that currently uses the cursor. Since 0.1.
 */
int32_t masstree_cursor_next_many_bytes(masstree_cursor_t *cursor,
                                        masstree_slice_t *keys,
                                        masstree_slice_t *values,
                                        size_t capacity,
                                        size_t *count);

/**
 * Like masstree_cursor_prev_many, for a tree of byte strings.
 *
 * @param cursor    The cursor.
 * @param keys      As in masstree_cursor_next_many.
 * @param values    As in masstree_cursor_next_many_bytes.
 * @param capacity  As in masstree_cursor_next_many.
 * @param count     As in masstree_cursor_next_many.
 *
 * @retval MASSTREE_OK          *count is at least 1.
 * @retval MASSTREE_END         No smaller key exists; another thread may insert one later.
 * @retval MASSTREE_INVALID     cursor is NULL, or capacity is 0.
 * @retval MASSTREE_NOMEM       Out of memory for the copy of the first key.
 * @retval MASSTREE_WRONG_KIND  The tree holds words.
 * @retval MASSTREE_FORKED      The parent process created the tree, before a fork.
 *
 * Thread safety: only the thread that currently uses the cursor. Since 0.1.
 */
int32_t masstree_cursor_prev_many_bytes(masstree_cursor_t *cursor,
                                        masstree_slice_t *keys,
                                        masstree_slice_t *values,
                                        size_t capacity,
                                        size_t *count);

/* ============================================================================
 * Seeking
 * ============================================================================ */

/**
 * Finds the key nearest to a given one, and its value. There is a moment of the call at which that was
 * the nearest key. A program that goes on from there opens a cursor.
 *
 * @param tree      The tree.
 * @param guard     A guard of this tree, or NULL: then this call pins for its own duration.
 * @param key       key_len bytes; NULL only if key_len is 0.
 * @param key_len   Length of the key in bytes, at most 2^32 - 1.
 * @param how       MASSTREE_SEEK_GE, MASSTREE_SEEK_GT, MASSTREE_SEEK_LE, MASSTREE_SEEK_LT,
 *                  MASSTREE_SEEK_FIRST or MASSTREE_SEEK_LAST.
 * @param buffer    Receives the key that was found; it may be the memory of `key`. NULL: the key is
 *                  not stored.
 * @param capacity  Size of the buffer in bytes.
 * @param len       Receives the length of the key that was found, also with MASSTREE_TOO_SMALL. May
 *                  be NULL.
 * @param value     Receives its value. May be NULL.
 *
 * @retval MASSTREE_OK            Found.
 * @retval MASSTREE_END           No such key exists.
 * @retval MASSTREE_INVALID       tree is NULL, key is NULL and key_len is not 0, or how is unknown.
 * @retval MASSTREE_NOMEM         Out of memory for the key's buffer.
 * @retval MASSTREE_KEY_TOO_LONG  key_len exceeds 2^32 - 1.
 * @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
 * @retval MASSTREE_WRONG_KIND    The tree holds byte strings or versions.
 * @retval MASSTREE_FORKED        The parent process created the tree, before a fork.
 * @retval MASSTREE_TOO_SMALL     The key does not fit; the buffer and *value are unchanged.
 *
 * Thread safety: any thread; takes no lock. Since 0.1.
 */
int32_t masstree_seek(const masstree_t *tree,
                      masstree_guard_t *guard,
                      const void *key,
                      size_t key_len,
                      uint32_t how,
                      void *buffer,
                      size_t capacity,
                      size_t *len,
                      uint64_t *value);

/**
 * Like masstree_seek, for a tree of byte strings.
 *
 * @param tree      The tree.
 * @param guard     A guard of this tree; may be NULL only if value is: the value stays readable only
 *                  while the guard is held.
 * @param key       As in masstree_seek.
 * @param key_len   Length of the key in bytes, at most 2^32 - 1.
 * @param how       As in masstree_seek.
 * @param buffer    As in masstree_seek.
 * @param capacity  Size of the buffer in bytes.
 * @param len       As in masstree_seek.
 * @param value     Receives the value of the key that was found: a slice of the tree's memory. May
 *                  be NULL.
 *
 * @retval MASSTREE_OK            Found.
 * @retval MASSTREE_END           No such key exists.
 * @retval MASSTREE_INVALID       As in masstree_seek; or guard is NULL and value is not.
 * @retval MASSTREE_NOMEM         Out of memory for the key's buffer.
 * @retval MASSTREE_KEY_TOO_LONG  key_len exceeds 2^32 - 1.
 * @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
 * @retval MASSTREE_WRONG_KIND    The tree does not hold byte strings.
 * @retval MASSTREE_FORKED        The parent process created the tree, before a fork.
 * @retval MASSTREE_TOO_SMALL     As in masstree_seek.
 *
 * Thread safety: any thread; takes no lock. Since 0.1.
 */
int32_t masstree_seek_bytes(const masstree_t *tree,
                            masstree_guard_t *guard,
                            const void *key,
                            size_t key_len,
                            uint32_t how,
                            void *buffer,
                            size_t capacity,
                            size_t *len,
                            masstree_slice_t *value);

/**
 * Finds the longest key in the tree that is a prefix of a given key: the key itself if it is in the
 * tree, or else the longest one with which it begins. The empty key is a prefix of every key.
 *
 * There is a moment of the call at which that was the longest one, and had this value, whatever other
 * threads write meanwhile. The cost is that of one look-up, and of reading the leaves in which
 * shorter prefixes would be, at most nine for every eight bytes of the key, as long as none is found.
 *
 * @param tree       The tree.
 * @param guard      A guard of this tree, or NULL: then this call pins for its own duration.
 * @param key        key_len bytes; NULL only if key_len is 0.
 * @param key_len    Length of the key in bytes, at most 2^32 - 1.
 * @param found_len  Receives the length of the key that was found: it is the first *found_len bytes of
 *                   key. May be NULL.
 * @param value      Receives its value. May be NULL.
 *
 * @retval MASSTREE_OK            Found.
 * @retval MASSTREE_NOT_FOUND     No key in the tree is a prefix of the key.
 * @retval MASSTREE_INVALID       tree is NULL, or key is NULL and key_len is not 0.
 * @retval MASSTREE_NOMEM         Out of memory for the list of leaves that were read: only if the
 *                                key shares many bytes with others.
 * @retval MASSTREE_KEY_TOO_LONG  key_len exceeds 2^32 - 1.
 * @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
 * @retval MASSTREE_WRONG_KIND    The tree holds byte strings or versions.
 * @retval MASSTREE_FORKED        The parent process created the tree, before a fork.
 *
 * Thread safety: any thread; takes no lock. Since 0.1.
 */
int32_t masstree_longest_prefix(const masstree_t *tree,
                                masstree_guard_t *guard,
                                const void *key,
                                size_t key_len,
                                size_t *found_len,
                                uint64_t *value);

/**
 * Like masstree_longest_prefix, for a tree of byte strings.
 *
 * @param tree       The tree.
 * @param guard      A guard of this tree; may be NULL only if value is: the value stays readable only
 *                   while the guard is held.
 * @param key        As in masstree_longest_prefix.
 * @param key_len    Length of the key in bytes, at most 2^32 - 1.
 * @param found_len  As in masstree_longest_prefix.
 * @param value      Receives the value of the key that was found: a slice of the tree's memory. May
 *                   be NULL.
 *
 * @retval MASSTREE_OK            Found.
 * @retval MASSTREE_NOT_FOUND     No key in the tree is a prefix of the key.
 * @retval MASSTREE_INVALID       As in masstree_longest_prefix; or guard is NULL and value is not.
 * @retval MASSTREE_NOMEM         As in masstree_longest_prefix.
 * @retval MASSTREE_KEY_TOO_LONG  key_len exceeds 2^32 - 1.
 * @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
 * @retval MASSTREE_WRONG_KIND    The tree does not hold byte strings.
 * @retval MASSTREE_FORKED        The parent process created the tree, before a fork.
 *
 * Thread safety: any thread; takes no lock. Since 0.1.
 */
int32_t masstree_longest_prefix_bytes(const masstree_t *tree,
                                      masstree_guard_t *guard,
                                      const void *key,
                                      size_t key_len,
                                      size_t *found_len,
                                      masstree_slice_t *value);

/* ============================================================================
 * Many keys at once
 * ============================================================================ */

/**
 * Looks up several keys, faster than one by one.
 *
 * @param tree      The tree.
 * @param guard     A guard of this tree, or NULL: then this call pins for its own duration.
 * @param keys      count keys, as masstree_get takes them; NULL only if count is 0.
 * @param count     Number of keys.
 * @param values    Receives the values, each at the index of its key; elements of keys that
 *                  are not found are not written. May be NULL.
 * @param statuses  Receives, for each key, the status that masstree_get would return. May be
 *                  NULL.
 *
 * @retval MASSTREE_OK            Every key was looked up; the status of each says whether it
 *                                was found.
 * @retval MASSTREE_INVALID       tree is NULL, or keys is NULL and count is not 0: nothing was
 *                                done, and no status is stored. Or a key is NULL and its
 *                                length is not 0; the other keys were looked up.
 * @retval MASSTREE_KEY_TOO_LONG  A key exceeds 2^32 - 1 bytes; the other keys were looked up.
 * @retval MASSTREE_WRONG_TREE    The guard belongs to another tree; nothing was done.
 * @retval MASSTREE_WRONG_KIND    The tree holds byte strings; nothing was done.
 * @retval MASSTREE_FORKED        The parent process created the tree, before a fork; nothing
 *                                was done.
 *
 * Returns the first of several errors, in the order of the keys.
 *
 * Thread safety: any thread; takes no lock. Each look-up is atomic, the batch is not.
 * Since 0.1.
 */
int32_t masstree_get_many(const masstree_t *tree,
                          masstree_guard_t *guard,
                          const masstree_slice_t *keys,
                          size_t count,
                          uint64_t *values,
                          int32_t *statuses);

/**
 * Like masstree_get_many, for integer keys (see masstree_get_u64).
 *
 * @param tree      The tree.
 * @param guard     A guard of this tree, or NULL: then this call pins for its own duration.
 * @param keys      The first key: a uint64_t in native byte order, of any alignment. NULL only if
 *                  count is 0.
 * @param stride    Distance in bytes from one key to the next, at least 8: the size of the
 *                  array element that contains the key.
 * @param count     Number of keys.
 * @param values    As in masstree_get_many.
 * @param statuses  As in masstree_get_many.
 *
 * @retval MASSTREE_OK          Every key was looked up; the status of each says whether it was
 *                              found.
 * @retval MASSTREE_INVALID     tree is NULL, keys is NULL and count is not 0, or stride is
 *                              below 8; nothing was done.
 * @retval MASSTREE_WRONG_TREE  The guard belongs to another tree; nothing was done.
 * @retval MASSTREE_WRONG_KIND  The tree holds byte strings; nothing was done.
 * @retval MASSTREE_FORKED      The parent process created the tree, before a fork; nothing was
 *                              done.
 *
 * Returns the first of several errors, in the order of the keys.
 *
 * Thread safety: any thread; takes no lock. Each look-up is atomic, the batch is not.
 * Since 0.1.
 */
int32_t masstree_get_many_u64(const masstree_t *tree,
                              masstree_guard_t *guard,
                              const void *keys,
                              size_t stride,
                              size_t count,
                              uint64_t *values,
                              int32_t *statuses);

/**
 * Like masstree_get_many, for a tree of byte strings.
 *
 * @param tree      The tree.
 * @param guard     A guard of this tree; not NULL: the values stay readable only while the
 *                  guard is held.
 * @param keys      As in masstree_get_many.
 * @param count     Number of keys.
 * @param values    Receives the values, as masstree_get_bytes returns them; elements of keys
 *                  that are not found are not written. May be NULL.
 * @param statuses  As in masstree_get_many.
 *
 * @retval MASSTREE_OK            Every key was looked up; the status of each says whether it
 *                                was found.
 * @retval MASSTREE_INVALID       tree or guard is NULL, or keys is NULL and count is not 0:
 *                                nothing was done, and no status is stored. Or a key is NULL
 *                                and its length is not 0; the other keys were looked up.
 * @retval MASSTREE_KEY_TOO_LONG  A key exceeds 2^32 - 1 bytes; the other keys were looked up.
 * @retval MASSTREE_WRONG_TREE    The guard belongs to another tree; nothing was done.
 * @retval MASSTREE_WRONG_KIND    The tree holds words; nothing was done.
 * @retval MASSTREE_FORKED        The parent process created the tree, before a fork; nothing
 *                                was done.
 *
 * Returns the first of several errors, in the order of the keys.
 *
 * Thread safety: any thread; takes no lock. Each look-up is atomic, the batch is not.
 * Since 0.1.
 */
int32_t masstree_get_many_bytes(const masstree_t *tree,
                                masstree_guard_t *guard,
                                const masstree_slice_t *keys,
                                size_t count,
                                masstree_slice_t *values,
                                int32_t *statuses);

/**
 * Stores several values, in the order of the arrays: of equal keys, the last one wins.
 *
 * @param tree      The tree.
 * @param guard     A guard of this tree, or NULL: then this call pins for its own duration.
 * @param keys      count keys, as masstree_put takes them; NULL only if count is 0.
 * @param values    count values; NULL only if count is 0. The tree owns those whose status is
 *                  MASSTREE_OK, the caller still owns the others.
 * @param count     Number of keys.
 * @param statuses  Receives, for each key, the status that masstree_put would return. May be
 *                  NULL.
 *
 * @retval MASSTREE_OK            Everything was stored. The value destructor is called for displaced
 *                                values, as by masstree_put.
 * @retval MASSTREE_INVALID       tree is NULL, or keys or values is NULL and count is not 0:
 *                                nothing was done, and no status is stored. Or a key is NULL
 *                                and its length is not 0; the other keys were tried.
 * @retval MASSTREE_NOMEM         Out of memory for an item, which is unchanged; the other
 *                                items were tried.
 * @retval MASSTREE_KEY_TOO_LONG  A key exceeds 2^32 - 1 bytes; the other keys were tried.
 * @retval MASSTREE_WRONG_TREE    The guard belongs to another tree; nothing was done.
 * @retval MASSTREE_WRONG_KIND    The tree holds byte strings; nothing was done.
 * @retval MASSTREE_FORKED        The parent process created the tree, before a fork; nothing
 *                                was done.
 *
 * Storing the value that the key already has displaces nothing: the tree keeps it.
 *
 * Returns the first of several errors, in the order of the keys.
 *
 * Thread safety: any thread. Each store is atomic, the batch is not. Since 0.1.
 */
int32_t masstree_put_many(masstree_t *tree,
                          masstree_guard_t *guard,
                          const masstree_slice_t *keys,
                          const uint64_t *values,
                          size_t count,
                          int32_t *statuses);

/**
 * Like masstree_put_many, for integer keys (see masstree_get_u64).
 *
 * @param tree      The tree.
 * @param guard     A guard of this tree, or NULL: then this call pins for its own duration.
 * @param keys      As in masstree_get_many_u64.
 * @param stride    As in masstree_get_many_u64.
 * @param values    count values; NULL only if count is 0. The tree owns those whose status is
 *                  MASSTREE_OK, the caller still owns the others.
 * @param count     Number of keys.
 * @param statuses  As in masstree_put_many.
 *
 * @retval MASSTREE_OK          Everything was stored.
 * @retval MASSTREE_INVALID     tree is NULL, keys or values is NULL and count is not 0, or
 *                              stride is below 8; nothing was done.
 * @retval MASSTREE_NOMEM       Out of memory for an item, which is unchanged; the other items
 *                              were tried.
 * @retval MASSTREE_WRONG_TREE  The guard belongs to another tree; nothing was done.
 * @retval MASSTREE_WRONG_KIND  The tree holds byte strings; nothing was done.
 * @retval MASSTREE_FORKED      The parent process created the tree, before a fork; nothing was
 *                              done.
 *
 * Storing the value that the key already has displaces nothing: the tree keeps it.
 *
 * Returns the first of several errors, in the order of the keys.
 *
 * Thread safety: any thread. Each store is atomic, the batch is not. Since 0.1.
 */
int32_t masstree_put_many_u64(masstree_t *tree,
                              masstree_guard_t *guard,
                              const void *keys,
                              size_t stride,
                              const uint64_t *values,
                              size_t count,
                              int32_t *statuses);

/**
 * Like masstree_put_many, for a tree of byte strings.
 *
 * @param tree      The tree.
 * @param guard     A guard of this tree, or NULL: then this call pins for its own duration.
 * @param keys      As in masstree_put_many.
 * @param values    count values, which the tree copies; NULL only if count is 0.
 * @param count     Number of keys.
 * @param statuses  Receives, for each key, the status that masstree_put_bytes would return.
 *                  May be NULL.
 *
 * @retval MASSTREE_OK            Everything was stored.
 * @retval MASSTREE_INVALID       As in masstree_put_many; or a value is NULL and its length is not
 *                                0, or its length exceeds SIZE_MAX / 2; the other keys were tried.
 * @retval MASSTREE_NOMEM         Out of memory for an item, which is unchanged; the other
 *                                items were tried.
 * @retval MASSTREE_KEY_TOO_LONG  A key exceeds 2^32 - 1 bytes; the other keys were tried.
 * @retval MASSTREE_WRONG_TREE    The guard belongs to another tree; nothing was done.
 * @retval MASSTREE_WRONG_KIND    The tree holds words; nothing was done.
 * @retval MASSTREE_FORKED        The parent process created the tree, before a fork; nothing
 *                                was done.
 *
 * Returns the first of several errors, in the order of the keys.
 *
 * Thread safety: any thread. Each store is atomic, the batch is not. Since 0.1.
 */
int32_t masstree_put_many_bytes(masstree_t *tree,
                                masstree_guard_t *guard,
                                const masstree_slice_t *keys,
                                const masstree_slice_t *values,
                                size_t count,
                                int32_t *statuses);

/**
 * Stores several values, each only if its key is absent, in the order of the arrays: of equal
 * keys, the first one wins.
 *
 * @param tree      The tree.
 * @param guard     A guard of this tree, or NULL: then this call pins for its own duration.
 * @param keys      count keys, as masstree_insert takes them; NULL only if count is 0.
 * @param values    count values; NULL only if count is 0. The tree owns those whose status is
 *                  MASSTREE_OK.
 * @param count     Number of keys.
 * @param present   Receives the existing values, each at the index of its key, where the
 *                  status is MASSTREE_EXISTS. May be NULL.
 * @param statuses  Receives, for each key, the status that masstree_insert would return. May
 *                  be NULL.
 *
 * @retval MASSTREE_OK            Every item was tried; the status of each says whether its key
 *                                was absent.
 * @retval MASSTREE_INVALID       As in masstree_put_many.
 * @retval MASSTREE_NOMEM         Out of memory for an item, which is unchanged; the other
 *                                items were tried.
 * @retval MASSTREE_KEY_TOO_LONG  A key exceeds 2^32 - 1 bytes; the other keys were tried.
 * @retval MASSTREE_WRONG_TREE    The guard belongs to another tree; nothing was done.
 * @retval MASSTREE_WRONG_KIND    The tree holds byte strings; nothing was done.
 * @retval MASSTREE_FORKED        The parent process created the tree, before a fork; nothing
 *                                was done.
 *
 * Returns the first of several errors, in the order of the keys.
 *
 * Thread safety: any thread. Each insert is atomic, the batch is not. Since 0.1.
 */
int32_t masstree_insert_many(masstree_t *tree,
                             masstree_guard_t *guard,
                             const masstree_slice_t *keys,
                             const uint64_t *values,
                             size_t count,
                             uint64_t *present,
                             int32_t *statuses);

/**
 * Like masstree_insert_many, for integer keys (see masstree_get_u64).
 *
 * @param tree      The tree.
 * @param guard     A guard of this tree, or NULL: then this call pins for its own duration.
 * @param keys      As in masstree_get_many_u64.
 * @param stride    As in masstree_get_many_u64.
 * @param values    As in masstree_insert_many.
 * @param count     Number of keys.
 * @param present   As in masstree_insert_many.
 * @param statuses  As in masstree_insert_many.
 *
 * @retval MASSTREE_OK          Every item was tried; the status of each says whether its key
 *                              was absent.
 * @retval MASSTREE_INVALID     As in masstree_put_many_u64.
 * @retval MASSTREE_NOMEM       Out of memory for an item, which is unchanged; the other items
 *                              were tried.
 * @retval MASSTREE_WRONG_TREE  The guard belongs to another tree; nothing was done.
 * @retval MASSTREE_WRONG_KIND  The tree holds byte strings; nothing was done.
 * @retval MASSTREE_FORKED      The parent process created the tree, before a fork; nothing was
 *                              done.
 *
 * Returns the first of several errors, in the order of the keys.
 *
 * Thread safety: any thread. Each insert is atomic, the batch is not. Since 0.1.
 */
int32_t masstree_insert_many_u64(masstree_t *tree,
                                 masstree_guard_t *guard,
                                 const void *keys,
                                 size_t stride,
                                 const uint64_t *values,
                                 size_t count,
                                 uint64_t *present,
                                 int32_t *statuses);

/**
 * Removes several keys, in the order of the array.
 *
 * @param tree      The tree. May hold byte strings only if old is NULL.
 * @param guard     A guard of this tree, or NULL: then this call pins for its own duration.
 * @param keys      count keys, as masstree_remove takes them; NULL only if count is 0.
 * @param count     Number of keys.
 * @param old       Receives the removed values, each at the index of its key, where the status
 *                  is MASSTREE_OK. The caller then owns them. If NULL, the value destructor is
 *                  called for them.
 * @param statuses  Receives, for each key, the status that masstree_remove would return. May
 *                  be NULL.
 *
 * @retval MASSTREE_OK            Every key was tried; the status of each says whether it
 *                                existed.
 * @retval MASSTREE_INVALID       As in masstree_get_many.
 * @retval MASSTREE_KEY_TOO_LONG  A key exceeds 2^32 - 1 bytes; the other keys were tried.
 * @retval MASSTREE_WRONG_TREE    The guard belongs to another tree; nothing was done.
 * @retval MASSTREE_WRONG_KIND    The tree holds byte strings, and old is not NULL;
 *                                nothing was done.
 * @retval MASSTREE_FORKED        The parent process created the tree, before a fork; nothing
 *                                was done.
 *
 * Returns the first of several errors, in the order of the keys.
 *
 * Thread safety: any thread. Each remove is atomic, the batch is not. Since 0.1.
 */
int32_t masstree_remove_many(masstree_t *tree,
                             masstree_guard_t *guard,
                             const masstree_slice_t *keys,
                             size_t count,
                             uint64_t *old,
                             int32_t *statuses);

/**
 * Like masstree_remove_many, for integer keys (see masstree_get_u64).
 *
 * @param tree      The tree. May hold byte strings only if old is NULL.
 * @param guard     A guard of this tree, or NULL: then this call pins for its own duration.
 * @param keys      As in masstree_get_many_u64.
 * @param stride    As in masstree_get_many_u64.
 * @param count     Number of keys.
 * @param old       As in masstree_remove_many.
 * @param statuses  As in masstree_remove_many.
 *
 * @retval MASSTREE_OK          Every key was tried; the status of each says whether it
 *                              existed.
 * @retval MASSTREE_INVALID     As in masstree_get_many_u64.
 * @retval MASSTREE_WRONG_TREE  The guard belongs to another tree; nothing was done.
 * @retval MASSTREE_WRONG_KIND  The tree holds byte strings, and old is not NULL; nothing
 *                              was done.
 * @retval MASSTREE_FORKED      The parent process created the tree, before a fork; nothing was
 *                              done.
 *
 * Returns the first of several errors, in the order of the keys.
 *
 * Thread safety: any thread. Each remove is atomic, the batch is not. Since 0.1.
 */
int32_t masstree_remove_many_u64(masstree_t *tree,
                                 masstree_guard_t *guard,
                                 const void *keys,
                                 size_t stride,
                                 size_t count,
                                 uint64_t *old,
                                 int32_t *statuses);

/**
 * Fills an empty tree with sorted keys, faster than one by one, with full nodes. All
 * keys appear at once; until then, and if the call fails, the tree stays empty. For keys that
 * are not in memory all at once, see masstree_bulk_load_from; to load with several threads,
 * masstree_loader_t.
 *
 * @param tree      The tree.
 * @param guard     A guard of this tree, or NULL: then this call pins for its own duration.
 * @param keys      count keys in ascending order, no two equal; NULL only if count is 0.
 * @param values    count values; NULL only if count is 0. The tree owns them only after
 *                  MASSTREE_OK.
 * @param count     Number of keys.
 * @param offender  Receives the index of the offending key: with MASSTREE_UNSORTED, of the
 *                  first key that is not above its predecessor; with MASSTREE_KEY_TOO_LONG,
 *                  and with MASSTREE_INVALID because of a key, of that key. May be NULL.
 *
 * @retval MASSTREE_OK            Every key is in the tree.
 * @retval MASSTREE_EXISTS        The tree was not empty at the start or at the end of the call;
 *                                nothing was changed. (A key that is out of order or malformed is
 *                                reported rather than this.)
 * @retval MASSTREE_INVALID       tree is NULL, keys or values is NULL and count is not 0, or a
 *                                key is NULL and its length is not 0; nothing was changed.
 * @retval MASSTREE_NOMEM         Out of memory; nothing was changed.
 * @retval MASSTREE_KEY_TOO_LONG  A key exceeds 2^32 - 1 bytes; nothing was changed.
 * @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
 * @retval MASSTREE_WRONG_KIND    The tree holds byte strings.
 * @retval MASSTREE_FORKED        The parent process created the tree, before a fork.
 * @retval MASSTREE_UNSORTED      The keys are not in ascending order, first at *offender;
 *                                nothing was changed.
 *
 * Thread safety: any thread. Since 0.1.
 */
int32_t masstree_bulk_load(masstree_t *tree,
                           masstree_guard_t *guard,
                           const masstree_slice_t *keys,
                           const uint64_t *values,
                           size_t count,
                           size_t *offender);

/**
 * Like masstree_bulk_load, for integer keys (see masstree_get_u64).
 *
 * @param tree      The tree.
 * @param guard     A guard of this tree, or NULL: then this call pins for its own duration.
 * @param keys      As in masstree_get_many_u64; ascending, no two equal.
 * @param stride    As in masstree_get_many_u64.
 * @param values    As in masstree_bulk_load.
 * @param count     Number of keys.
 * @param offender  As in masstree_bulk_load.
 *
 * @retval MASSTREE_OK          Every key is in the tree.
 * @retval MASSTREE_EXISTS      The tree is not empty, or another thread inserted a key during
 *                              the call; nothing was changed.
 * @retval MASSTREE_INVALID     tree is NULL, keys or values is NULL and count is not 0, or
 *                              stride is below 8; nothing was changed.
 * @retval MASSTREE_NOMEM       Out of memory; nothing was changed.
 * @retval MASSTREE_WRONG_TREE  The guard belongs to another tree.
 * @retval MASSTREE_WRONG_KIND  The tree holds byte strings.
 * @retval MASSTREE_FORKED      The parent process created the tree, before a fork.
 * @retval MASSTREE_UNSORTED    The keys are not in ascending order, first at *offender;
 *                              nothing was changed.
 *
 * Thread safety: any thread. Since 0.1.
 */
int32_t masstree_bulk_load_u64(masstree_t *tree,
                               masstree_guard_t *guard,
                               const void *keys,
                               size_t stride,
                               const uint64_t *values,
                               size_t count,
                               size_t *offender);

/**
 * Like masstree_bulk_load, for a tree of byte strings.
 *
 * @param tree      The tree.
 * @param guard     A guard of this tree, or NULL: then this call pins for its own duration.
 * @param keys      As in masstree_bulk_load.
 * @param values    count values, which the tree copies; NULL only if count is 0.
 * @param count     Number of keys.
 * @param offender  As in masstree_bulk_load; also the index of an invalid value.
 *
 * @retval MASSTREE_OK            Every key is in the tree.
 * @retval MASSTREE_EXISTS        The tree was not empty at the start or at the end of the call;
 *                                nothing was changed. (A key that is out of order or malformed is
 *                                reported rather than this.)
 * @retval MASSTREE_INVALID       As in masstree_bulk_load; or a value is NULL and its length
 *                                is not 0, or its length exceeds SIZE_MAX / 2.
 * @retval MASSTREE_NOMEM         Out of memory; nothing was changed.
 * @retval MASSTREE_KEY_TOO_LONG  A key exceeds 2^32 - 1 bytes; nothing was changed.
 * @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
 * @retval MASSTREE_WRONG_KIND    The tree holds words.
 * @retval MASSTREE_FORKED        The parent process created the tree, before a fork.
 * @retval MASSTREE_UNSORTED      The keys are not in ascending order, first at *offender;
 *                                nothing was changed.
 *
 * Thread safety: any thread. Since 0.1.
 */
int32_t masstree_bulk_load_bytes(masstree_t *tree,
                                 masstree_guard_t *guard,
                                 const masstree_slice_t *keys,
                                 const masstree_slice_t *values,
                                 size_t count,
                                 size_t *offender);

/**
 * Stores the next keys to load and their values, as masstree_cursor_next_many does: a cursor of
 * another tree becomes a source by a function of one line.
 *
 * @param keys      Receives the keys, in ascending order, each above all earlier ones. The bytes
 *                  must stay valid until the next call.
 * @param values    Receives the values.
 * @param capacity  Length of the arrays `keys` and `values`; at least 1.
 * @param count     Receives the number of keys, at most capacity; 0 at first.
 * @param ctx       The ctx that was passed to the load.
 *
 * @return MASSTREE_OK after storing *count keys, also for the last ones. MASSTREE_END, or any other
 * positive number, if no key is left: the library ignores *count and what was stored. A negative
 * number ends the load, which returns that number (MASSTREE_OWN_STATUS or less, if it is not to be taken
 * for a status of the library). MASSTREE_OK with *count 0 means MASSTREE_END.
 *
 * No lock is held. The source may call any function on this tree or another, but must not refresh
 * or leave the guard that the load runs under, must not destroy the tree, and must not return while
 * its thread holds a key of this tree (see masstree_hold). It must return: no longjmp, no C++
 * exception, no pthread_exit.
 *
 * The load owns the values that were stored with MASSTREE_OK and a *count of at most capacity: if it
 * fails, the tree's value destructor gets each of them. Values of a call that returned another
 * status stay the caller's. So do not copy words from a tree that owns them to a tree with a value
 * destructor: each would be destroyed twice.
 */
typedef int32_t (*masstree_source_t)(masstree_slice_t *keys,
                                     uint64_t *values,
                                     size_t capacity,
                                     size_t *count,
                                     void *ctx);

/**
 * Like masstree_source_t, for a tree of byte strings, as masstree_cursor_next_many_bytes stores
 * them. The bytes of the values, too, must stay valid until the next call; the tree copies them.
 */
typedef int32_t (*masstree_bytes_source_t)(masstree_slice_t *keys,
                                           masstree_slice_t *values,
                                           size_t capacity,
                                           size_t *count,
                                           void *ctx);

/**
 * Fills an empty tree with the sorted keys that a source returns: like masstree_bulk_load, for
 * keys that are not in memory all at once, such as those of a file or of another tree. All keys
 * appear at once; until then, and if the call fails, the tree is not changed. If it fails, the
 * values that the source stored go to the value destructor (see masstree_source_t).
 *
 * @param tree      The tree.
 * @param guard     A guard of this tree, or NULL: then this call pins for its own duration.
 * @param source    Called until it has no more keys; see masstree_source_t. Not called if the tree
 *                  is not empty.
 * @param ctx       Passed to source.
 * @param offender  Receives the index of the offending key, counted over all calls of the source:
 *                  with MASSTREE_UNSORTED, of the first key that is not above its predecessor; with
 *                  MASSTREE_KEY_TOO_LONG, and with MASSTREE_INVALID because of a key, of that key.
 *                  May be NULL.
 *
 * @retval MASSTREE_OK            Every key is in the tree, which owns the values now.
 * @retval MASSTREE_EXISTS        The tree was not empty at the start of the call, and the source
 *                                was not called; or it was not empty at the end. It was not changed.
 * @retval MASSTREE_INVALID       tree or source is NULL; or a key is NULL and its length is not 0,
 *                                or the source returned more keys than its capacity; the tree
 *                                was not changed.
 * @retval MASSTREE_NOMEM         Out of memory; the tree was not changed.
 * @retval MASSTREE_KEY_TOO_LONG  A key exceeds 2^32 - 1 bytes; the tree was not changed.
 * @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
 * @retval MASSTREE_WRONG_KIND    The tree holds byte strings.
 * @retval MASSTREE_FORKED        The parent process created the tree, before a fork.
 * @retval MASSTREE_UNSORTED      The keys are not in ascending order; the tree was not changed.
 * @return The negative number that the source returned; the tree was not changed.
 *
 * Thread safety: any thread. Since 0.1.
 */
int32_t masstree_bulk_load_from(masstree_t *tree,
                                masstree_guard_t *guard,
                                masstree_source_t source,
                                void *ctx,
                                size_t *offender);

/**
 * Like masstree_bulk_load_from, for a tree of byte strings.
 *
 * @param tree      The tree.
 * @param guard     A guard of this tree, or NULL: then this call pins for its own duration.
 * @param source    As in masstree_bulk_load_from.
 * @param ctx       Passed to source.
 * @param offender  As in masstree_bulk_load_from; also for an invalid value.
 *
 * @retval MASSTREE_OK            Every key is in the tree.
 * @retval MASSTREE_EXISTS        The tree was not empty at the start of the call, and the source
 *                                was not called; or it was not empty at the end. It was not changed.
 * @retval MASSTREE_INVALID       As in masstree_bulk_load_from; or a value is NULL and its length
 *                                is not 0, or its length exceeds SIZE_MAX / 2.
 * @retval MASSTREE_NOMEM         Out of memory; the tree was not changed.
 * @retval MASSTREE_KEY_TOO_LONG  A key exceeds 2^32 - 1 bytes; the tree was not changed.
 * @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
 * @retval MASSTREE_WRONG_KIND    The tree holds words.
 * @retval MASSTREE_FORKED        The parent process created the tree, before a fork.
 * @retval MASSTREE_UNSORTED      The keys are not in ascending order; the tree was not changed.
 * @return The negative number that the source returned; the tree was not changed.
 *
 * Thread safety: any thread. Since 0.1.
 */
int32_t masstree_bulk_load_from_bytes(masstree_t *tree,
                                      masstree_guard_t *guard,
                                      masstree_bytes_source_t source,
                                      void *ctx,
                                      size_t *offender);

/**
 * Collects sorted keys to load into an empty tree.
 *
 * A loader owns the values that were added: masstree_loader_close passes the values that were not
 * loaded to the tree's value destructor.
 *
 * To load with several threads, divide the keys into ascending ranges, and let each thread add one
 * range to a loader of its own; then one thread passes all loaders to masstree_loader_finish, which
 * takes a few microseconds for each loader, however many keys there are. (Only if the tree was
 * cleared since a loader was opened, or had keys then, may it visit every node.) masstree_pivots
 * divides the keys of another tree. Until the loaders are finished the keys are in no tree, but
 * their nodes take the tree's memory.
 *
 * Created by masstree_loader_open, freed by masstree_loader_close, before its tree is destroyed.
 * Only one thread at a time may use a loader; different loaders of one tree may be used at the same
 * time, also while other threads use the tree.
 */
typedef struct masstree_loader_t masstree_loader_t;

/**
 * Opens a loader, which has no keys yet. The tree need not be empty before the loader is finished.
 *
 * @param tree    The tree.
 * @param loader  Receives the loader, which the caller frees with masstree_loader_close.
 *
 * @retval MASSTREE_OK       *loader is a new loader.
 * @retval MASSTREE_INVALID  tree or loader is NULL.
 * @retval MASSTREE_NOMEM    Out of memory.
 * @retval MASSTREE_FORKED   The parent process created the tree, before a fork.
 *
 * Thread safety: any thread. Since 0.1.
 */
int32_t masstree_loader_open(masstree_t *tree, masstree_loader_t **loader);

/**
 * Adds keys to a loader, each above all keys that it has.
 *
 * @param loader    The loader.
 * @param keys      count keys in ascending order, no two equal; NULL only if count is 0.
 * @param values    count values; NULL only if count is 0.
 * @param count     Number of keys.
 * @param added     Receives how many of the keys the loader took: the first ones. With
 *                  MASSTREE_UNSORTED, MASSTREE_KEY_TOO_LONG, and MASSTREE_INVALID because of a key
 *                  or a value, this is the index of the offending key. The loader owns the values
 *                  of the keys that it took, the caller the others. Also written with
 *                  MASSTREE_NOMEM, but with no other error: then the loader took no key. May be
 *                  NULL.
 *
 * @retval MASSTREE_OK            The loader has the keys.
 * @retval MASSTREE_INVALID       loader is NULL, keys or values is NULL and count is not 0, or a
 *                                key is NULL and its length is not 0; or the loader was finished.
 * @retval MASSTREE_NOMEM         Out of memory, in this call or an earlier one; the loader can only
 *                                be closed.
 * @retval MASSTREE_KEY_TOO_LONG  A key exceeds 2^32 - 1 bytes.
 * @retval MASSTREE_WRONG_KIND    The tree holds byte strings.
 * @retval MASSTREE_FORKED        The parent process created the tree, before a fork.
 * @retval MASSTREE_UNSORTED      A key is not above its predecessor.
 *
 * Thread safety: only the thread that currently uses the loader. Since 0.1.
 */
int32_t masstree_loader_add_many(masstree_loader_t *loader,
                                 const masstree_slice_t *keys,
                                 const uint64_t *values,
                                 size_t count,
                                 size_t *added);

/**
 * Like masstree_loader_add_many, for integer keys (see masstree_get_u64).
 *
 * @param loader    The loader.
 * @param keys      As in masstree_get_many_u64; ascending, no two equal.
 * @param stride    As in masstree_get_many_u64.
 * @param values    As in masstree_loader_add_many.
 * @param count     Number of keys.
 * @param added     As in masstree_loader_add_many.
 *
 * @retval MASSTREE_OK          The loader has the keys.
 * @retval MASSTREE_INVALID     loader is NULL, keys or values is NULL and count is not 0, or
 *                              stride is below 8; or the loader was finished.
 * @retval MASSTREE_NOMEM       Out of memory, now or before: all that is left is to close the
 *                              loader.
 * @retval MASSTREE_WRONG_KIND  The tree holds byte strings.
 * @retval MASSTREE_FORKED      The parent process created the tree, before a fork.
 * @retval MASSTREE_UNSORTED    A key is not above its predecessor.
 *
 * Thread safety: only the thread that currently uses the loader. Since 0.1.
 */
int32_t masstree_loader_add_many_u64(masstree_loader_t *loader,
                                     const void *keys,
                                     size_t stride,
                                     const uint64_t *values,
                                     size_t count,
                                     size_t *added);

/**
 * Like masstree_loader_add_many, for a tree of byte strings.
 *
 * @param loader    The loader.
 * @param keys      As in masstree_loader_add_many.
 * @param values    count values, which the loader copies; NULL only if count is 0.
 * @param count     Number of keys.
 * @param added     As in masstree_loader_add_many; also the index of an invalid value.
 *
 * @retval MASSTREE_OK            The loader has the keys and values.
 * @retval MASSTREE_INVALID       As in masstree_loader_add_many; or a value is NULL and its length
 *                                is not 0, or its length exceeds SIZE_MAX / 2.
 * @retval MASSTREE_NOMEM         Out of memory, in this call or an earlier one; the loader can only
 *                                be closed.
 * @retval MASSTREE_KEY_TOO_LONG  A key exceeds 2^32 - 1 bytes.
 * @retval MASSTREE_WRONG_KIND    The tree holds words.
 * @retval MASSTREE_FORKED        The parent process created the tree, before a fork.
 * @retval MASSTREE_UNSORTED      A key is not above its predecessor.
 *
 * Thread safety: only the thread that currently uses the loader. Since 0.1.
 */
int32_t masstree_loader_add_many_bytes(masstree_loader_t *loader,
                                       const masstree_slice_t *keys,
                                       const masstree_slice_t *values,
                                       size_t count,
                                       size_t *added);

/**
 * Moves the keys of several loaders into their tree, which must be empty. All keys appear at once.
 *
 * @param tree      The tree for which the loaders were opened.
 * @param guard     A guard of this tree, or NULL: then this call pins for its own duration.
 * @param loaders   count different loaders: each key of one is above all keys of those before it.
 *                  NULL only if count is 0. They stay the caller's, who closes them.
 * @param count     Number of loaders.
 * @param offending_loader  Receives, with MASSTREE_UNSORTED, the index of the first loader with a
 *                          key that is not above all keys of the loaders before it. May be NULL.
 *
 * @retval MASSTREE_OK          Every key is in the tree, which owns the values now; the loaders
 *                              have no keys, and take none any more.
 * @retval MASSTREE_EXISTS      The tree was not empty at the start or at the end of the call. It
 *                              was not changed, and the call may be repeated with all of the same
 *                              loaders: the first of them may have the keys of all now, and a call
 *                              without it would load none of these keys. Do not add keys to the
 *                              loaders any more.
 * @retval MASSTREE_INVALID     tree is NULL, a loader is NULL, or loaders is NULL and count is not
 *                              0; or a loader with the keys of others, which an earlier call has
 *                              joined, comes before another loader with keys.
 * @retval MASSTREE_NOMEM       Out of memory; the tree was not changed. All that is left is to
 *                              close the loaders.
 * @retval MASSTREE_WRONG_TREE  The guard or a loader belongs to another tree.
 * @retval MASSTREE_FORKED      The parent process created the tree, before a fork.
 * @retval MASSTREE_UNSORTED    The loaders are not in ascending order, first at
 *                              *offending_loader; nothing was changed.
 *
 * Thread safety: any thread, while no other thread uses the loaders. Every masstree_loader_add_many
 * on them must happen before this call (C11), as it does if their threads were joined. Since 0.1.
 */
int32_t masstree_loader_finish(masstree_t *tree,
                               masstree_guard_t *guard,
                               masstree_loader_t *const *loaders,
                               size_t count,
                               size_t *offending_loader);

/**
 * Closes and frees a loader, with the keys that it has. Their values go to the value destructor.
 * NULL does nothing.
 *
 * @param loader  The loader.
 *
 * Thread safety: only the thread that currently uses the loader. Since 0.1.
 */
void masstree_loader_close(masstree_loader_t *loader);

/**
 * Called for batches of keys of an export, in order: with the arguments of
 * masstree_loader_add_many, so a sink that fills a loader is that one call.
 *
 * @param keys    The keys; their bytes are valid during this call only. data is never NULL, not
 *                even for the empty key. With MASSTREE_SCAN_VALUES_ONLY each length is 0.
 * @param values  Their values; if they are pointers, see masstree_get. All 0 with
 *                MASSTREE_SCAN_KEYS_ONLY.
 * @param count   Number of keys: at least 1; at most 128 in this version, fewer if the keys are long.
 * @param ctx     The ctx that was passed to the export.
 *
 * @return As masstree_visitor_t, whose rules apply.
 *
 * Do not pass words of a tree that owns them on to a tree with a value destructor: each would be
 * destroyed twice.
 */
typedef int32_t (*masstree_sink_t)(const masstree_slice_t *keys,
                                   const uint64_t *values,
                                   size_t count,
                                   void *ctx);

/**
 * Like masstree_sink_t, for a tree of byte strings. The bytes of the values are valid as long as
 * the guard that the export runs under is held, and without a guard during this call only.
 */
typedef int32_t (*masstree_bytes_sink_t)(const masstree_slice_t *keys,
                                         const masstree_slice_t *values,
                                         size_t count,
                                         void *ctx);

/**
 * Passes the keys of a range and their values on in order, in batches, which makes it the
 * counterpart of masstree_bulk_load_from and masstree_loader_add_many. Otherwise like
 * masstree_scan.
 *
 * @param tree      The tree.
 * @param guard     A guard of this tree, or NULL: then this call pins for its own duration.
 * @param range     As in masstree_scan. Only an ascending export can be loaded as it is.
 * @param sink      Called for each batch.
 * @param ctx       Passed to sink.
 * @param exported  Receives the number of keys passed to the sink, including those of the batch at
 *                  which it ended the export; also with MASSTREE_NOMEM. To go on later, begin above
 *                  the last key that was processed. May be NULL.
 *
 * @retval MASSTREE_OK            The range was exported to its end, to the limit, or until the
 *                                sink stopped.
 * @retval MASSTREE_INVALID       tree or sink is NULL, or the range is invalid as in
 *                                masstree_scan.
 * @retval MASSTREE_NOMEM         Out of memory for the keys.
 * @retval MASSTREE_KEY_TOO_LONG  A bound or the prefix exceeds 2^32 - 1 bytes.
 * @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
 * @retval MASSTREE_WRONG_KIND    The tree holds byte strings, and flags lacks
 *                                MASSTREE_SCAN_KEYS_ONLY.
 * @retval MASSTREE_FORKED        The parent process created the tree, before a fork.
 * @return The negative number that the sink returned.
 *
 * Thread safety: any thread; takes no lock. Since 0.1.
 */
int32_t masstree_export_to(const masstree_t *tree,
                           masstree_guard_t *guard,
                           const masstree_range_t *range,
                           masstree_sink_t sink,
                           void *ctx,
                           size_t *exported);

/**
 * Like masstree_export_to, for a tree of byte strings.
 *
 * @param tree      The tree.
 * @param guard     A guard of this tree, or NULL: then this call pins for its own duration.
 * @param range     As in masstree_export_to.
 * @param sink      Called for each batch.
 * @param ctx       Passed to sink.
 * @param exported  As in masstree_export_to.
 *
 * @retval MASSTREE_OK            The range was exported to its end, to the limit, or until the
 *                                sink stopped.
 * @retval MASSTREE_INVALID       As in masstree_export_to.
 * @retval MASSTREE_NOMEM         Out of memory for the keys.
 * @retval MASSTREE_KEY_TOO_LONG  A bound or the prefix exceeds 2^32 - 1 bytes.
 * @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
 * @retval MASSTREE_WRONG_KIND    The tree holds words.
 * @retval MASSTREE_FORKED        The parent process created the tree, before a fork.
 * @return The negative number that the sink returned.
 *
 * Thread safety: any thread; takes no lock. Since 0.1.
 */
int32_t masstree_export_to_bytes(const masstree_t *tree,
                                 masstree_guard_t *guard,
                                 const masstree_range_t *range,
                                 masstree_bytes_sink_t sink,
                                 void *ctx,
                                 size_t *exported);

/* ============================================================================
 * Memory reclamation
 * ============================================================================ */

/**
 * Frees an object that was passed to masstree_retire.
 *
 * @param object  The object.
 * @param bytes   Its size in bytes, as passed to masstree_retire.
 * @param ctx     The ctx that was passed to masstree_retire.
 *
 * It is called on any thread that uses the tree, inside any call to this library, with no lock
 * held. It must not call into the same tree, and must return: no longjmp, no C++ exception, no
 * pthread_exit.
 */
typedef void (*masstree_free_object_t)(void *object, size_t bytes, void *ctx);

/**
 * Retires an object: the library calls `free` for it once no reader can still use it. For
 * values that masstree_exchange, masstree_remove or masstree_update returned, and for other
 * objects of the program that they refer to. A reader that enters a guard after this call must
 * not be able to find the object in the tree.
 *
 * @param tree    The tree.
 * @param guard   A guard of this tree, or NULL: then this call pins for its own duration.
 * @param object  The object, which the library only passes on.
 * @param bytes   Its size in bytes, for the statistics; may be 0.
 * @param free    Called once, after every guard that is held now was refreshed or left; by the
 *                end of masstree_destroy at the latest.
 * @param ctx     Passed to free.
 *
 * @retval MASSTREE_OK          The library owns the object until it calls free.
 * @retval MASSTREE_INVALID     tree or free is NULL.
 * @retval MASSTREE_NOMEM       Out of memory; the caller still owns the object.
 * @retval MASSTREE_WRONG_TREE  The guard belongs to another tree.
 * @retval MASSTREE_FORKED      The parent process created the tree, before a fork.
 *
 * Thread safety: any thread. Since 0.1.
 */
int32_t masstree_retire(masstree_t *tree,
                        masstree_guard_t *guard,
                        void *object,
                        size_t bytes,
                        masstree_free_object_t free,
                        void *ctx);

/**
 * Submits an incomplete batch of retired objects for freeing: the batch of a guard, or that of
 * this thread's calls without a guard. (Without this call, a batch is submitted when it has 128
 * objects or more.) The objects are freed once every guard that is held now, including this one,
 * was refreshed or left, and every call without a guard that is running now has returned. The
 * thread that ends the last of these guards and calls frees them; no further call is needed.
 *
 * @param tree   The tree.
 * @param guard  A guard of this tree; or NULL for the objects that this thread retired without
 *               a guard.
 *
 * @retval MASSTREE_OK          The objects were submitted.
 * @retval MASSTREE_INVALID     tree is NULL.
 * @retval MASSTREE_WRONG_TREE  The guard belongs to another tree.
 * @retval MASSTREE_FORKED      The parent process created the tree, before a fork.
 *
 * Thread safety: any thread. Since 0.1.
 */
int32_t masstree_flush(masstree_t *tree, masstree_guard_t *guard);

/**
 * Waits until every guard of the tree that any thread holds now was refreshed or left, and
 * every running call without a guard has returned. No thread can then still use what it read
 * before this call. Does not wait for guards that are entered during the call.
 *
 * Waits for ever if the calling thread holds a guard of this tree, or calls this from a
 * visitor or another callback.
 *
 * @param tree  The tree.
 *
 * @retval MASSTREE_OK       Every such guard and call has ended.
 * @retval MASSTREE_INVALID  tree is NULL.
 * @retval MASSTREE_FORKED   The parent process created the tree, before a fork.
 *
 * Thread safety: any thread that holds no guard of this tree. Since 0.1.
 */
int32_t masstree_barrier(masstree_t *tree);

/**
 * Merges sparse leaves; call it in idle moments. Visits about `limit` leaves (nodes of up to 15
 * keys), beginning where the last call ended. Merges leaves in which removes have left few keys,
 * so that their memory can be reused and scans read fewer nodes. Frees the memory of removed long
 * keys in leaves that still have other long keys. Also submits retired objects, as
 * masstree_flush does. Removes themselves free the leaves that they empty, without this call.
 *
 * A tree into which keys are continuously inserted, and from which they are removed, does not
 * need this call: inserts fill its sparse leaves again. It helps a tree from which most keys
 * were removed for good.
 *
 * @param tree    The tree.
 * @param guard   A guard of this tree, or NULL: then this call pins for its own duration.
 * @param limit   Approximate number of leaves to visit. The leaves on the path to one key, one
 *                in each layer, are visited together. 0: none.
 * @param merged  Receives the number of leaves that were merged with the leaf before. May be
 *                NULL.
 *
 * @retval MASSTREE_OK          Leaves were visited, but not yet the last leaf of the tree; or
 *                              nothing was done, since another thread is inside this
 *                              function.
 * @retval MASSTREE_END         The last leaf of the tree was visited; the next call begins at
 *                              the first.
 * @retval MASSTREE_INVALID     tree is NULL.
 * @retval MASSTREE_NOMEM       Out of memory; no key was lost.
 * @retval MASSTREE_WRONG_TREE  The guard belongs to another tree.
 * @retval MASSTREE_FORKED      The parent process created the tree, before a fork.
 *
 * Thread safety: any thread. Since 0.1.
 */
int32_t masstree_maintain(masstree_t *tree, masstree_guard_t *guard, size_t limit, size_t *merged);

/**
 * Moves keys to leaves that have room, and frees the leaves that become empty; call it in idle
 * moments, or now and then during a long load. After inserts in random order, leaves (nodes of up
 * to 15 keys) are 70 % full: 8-byte keys take 33 bytes of nodes each, and with 14 keys in each leaf
 * 26. Otherwise as masstree_maintain, which moves no keys unless a leaf and the one before are
 * sparse: visits about `limit` leaves, beginning where the last call of either function ended, frees
 * the memory of removed long keys, and submits retired objects. Readers and writers go on meanwhile.
 *
 * The memory of freed leaves is reused by later inserts of this tree, and returned when the tree is
 * destroyed. Inserts into full leaves split them again: use it where most keys have arrived, or
 * where keys arrive in other parts of the tree. masstree_bulk_load fills leaves from the start.
 *
 * @param tree    The tree.
 * @param guard   A guard of this tree, or NULL: then this call pins for its own duration.
 * @param fill    Number of keys that each leaf should have, 1 to 15; 0: 14. With fewer, the next
 *                inserts split fewer leaves.
 * @param limit   Approximate number of leaves to visit. The leaves on the path to one key, one
 *                in each layer, are visited together. 0: none.
 * @param merged  Receives the number of leaves whose keys, or the first of them, moved to the leaf
 *                before. May be NULL.
 *
 * @retval MASSTREE_OK          Leaves were visited, but not yet the last leaf of the tree; or
 *                              nothing was done, since another thread is inside this function or
 *                              masstree_maintain.
 * @retval MASSTREE_END         The last leaf of the tree was visited; the next call begins at
 *                              the first.
 * @retval MASSTREE_INVALID     tree is NULL, or fill is greater than 15.
 * @retval MASSTREE_NOMEM       Out of memory; no key was lost.
 * @retval MASSTREE_WRONG_TREE  The guard belongs to another tree.
 * @retval MASSTREE_FORKED      The parent process created the tree, before a fork.
 *
 * Thread safety: any thread. Since 0.1.
 */
int32_t masstree_compact(masstree_t *tree,
                         masstree_guard_t *guard,
                         uint32_t fill,
                         size_t limit,
                         size_t *merged);

/* ============================================================================
 * Whole trees
 * ============================================================================ */

/**
 * Format of masstree_dump: text, with a line for each node and entry, indented by layer and
 * level.
 */
#define MASSTREE_DUMP_TEXT 0

/**
 * Format of masstree_dump: a graph in the language of Graphviz (`dot -Tsvg`).
 */
#define MASSTREE_DUMP_GRAPHVIZ 1

/**
 * Receives text from the library, in pieces.
 *
 * @param text  len bytes of UTF-8, without a terminating zero byte; valid during this call
 *              only.
 * @param len   Their length in bytes.
 * @param ctx   The ctx that was passed with the callback.
 *
 * No lock is held. It must return: no longjmp, no C++ exception, no pthread_exit.
 */
typedef void (*masstree_text_sink_t)(const char *text, size_t len, void *ctx);

/**
 * Called for each pivot of masstree_pivots, in ascending order.
 *
 * @param key      The key's bytes; valid during this call only. Never NULL, not even for the
 *                 empty key.
 * @param key_len  Length of the key in bytes.
 * @param index    How many keys were visited before this one: 0 for the first.
 * @param ctx      The ctx that was passed to masstree_pivots.
 *
 * @return As masstree_visitor_t, whose rules apply.
 */
typedef int32_t (*masstree_pivot_visitor_t)(const void *key, size_t key_len, size_t index, void *ctx);

/**
 * Returns the number of keys in the tree. It is exact when no thread is writing, even after a
 * masstree_clear during which other threads wrote; while threads write, it is a recent
 * approximation.
 *
 * @param tree  The tree.
 * @param len   Receives the number of keys. May be NULL.
 *
 * @retval MASSTREE_OK       *len is the number of keys.
 * @retval MASSTREE_INVALID  tree is NULL.
 * @retval MASSTREE_FORKED   The parent process created the tree, before a fork.
 *
 * Thread safety: any thread. Since 0.1.
 */
int32_t masstree_len(const masstree_t *tree, uint64_t *len);

/**
 * Returns how many bytes a tree holds, in use or not: the chunks of its pools of nodes and suffixes, and
 * what it has allocated outside of them for values, versions and suffixes. It grows with the tree.
 * Memory of displaced objects counts until it is freed or goes back to a pool. Guards, cursors,
 * snapshots and loaders, some kilobytes that every tree takes, the lists of memory reclamation, and
 * objects that were passed to masstree_retire do not count.
 *
 * In trees of words and of versions it is one relaxed load of a counter, fast enough to be asked after
 * every insert; in trees of byte strings, a sum of 17. Without writers, the result is less than the
 * exact number by less than 4 KiB for each thread that has allocated, and by less than 64 KiB in all,
 * and never more.
 *
 * @param tree   The tree.
 * @param bytes  Receives the number of bytes. May be NULL.
 *
 * @retval MASSTREE_OK       *bytes is the number of bytes.
 * @retval MASSTREE_INVALID  tree is NULL.
 * @retval MASSTREE_FORKED   The parent process created the tree, before a fork.
 *
 * Thread safety: any thread; takes no lock. Since 0.1.
 */
int32_t masstree_memory_held(const masstree_t *tree,
                             uint64_t *bytes);

/**
 * Verifies every invariant of a tree: the order of keys, the bounds of nodes, the links
 * between leaves, the shape of layers, the number of keys; and the lists of a versioned tree.
 * For tests and debugging; visits every node.
 *
 * @param tree   The tree.
 * @param guard  A guard of this tree, or NULL: then this call pins for its own duration.
 * @param write  Called with one line of text (ending in a newline) for each violation. May be
 *               NULL.
 * @param ctx    Passed to write.
 *
 * @retval MASSTREE_OK          Every invariant holds.
 * @retval MASSTREE_CORRUPT     An invariant is violated.
 * @retval MASSTREE_INVALID     tree is NULL.
 * @retval MASSTREE_NOMEM       Out of memory for the walk.
 * @retval MASSTREE_WRONG_TREE  The guard belongs to another tree.
 * @retval MASSTREE_FORKED      The parent process created the tree, before a fork.
 *
 * Thread safety: any thread, but no thread may write to the tree during the call: the call
 * accesses only memory of the tree, but reports a half-finished change as a violation. Trims of
 * versions, also those in the background of a store, do nothing meanwhile; one that is under way is
 * waited for, but not for long. Since 0.1.
 */
int32_t masstree_check(const masstree_t *tree,
                       masstree_guard_t *guard,
                       masstree_text_sink_t write,
                       void *ctx);

/**
 * Writes the nodes of a tree, for debugging. Writes every key: suited to small trees. Keys and
 * byte-string values are quoted, with bytes other than printable ASCII in hexadecimal, and
 * truncated after 48 bytes.
 *
 * @param tree    The tree.
 * @param guard   A guard of this tree, or NULL: then this call pins for its own duration.
 * @param format  MASSTREE_DUMP_TEXT or MASSTREE_DUMP_GRAPHVIZ.
 * @param write   Called with the text, in pieces.
 * @param ctx     Passed to write.
 *
 * @retval MASSTREE_OK          Everything was written.
 * @retval MASSTREE_INVALID     tree or write is NULL, or format is unknown.
 * @retval MASSTREE_NOMEM       Out of memory for the walk; the text is incomplete.
 * @retval MASSTREE_WRONG_TREE  The guard belongs to another tree.
 * @retval MASSTREE_FORKED      The parent process created the tree, before a fork.
 *
 * Thread safety: any thread; takes no lock. While threads write, each node is written as it
 * was at some moment during the call. Since 0.1.
 */
int32_t masstree_dump(const masstree_t *tree,
                      masstree_guard_t *guard,
                      uint32_t format,
                      masstree_text_sink_t write,
                      void *ctx);

/**
 * Selects pivots: keys that divide a tree into parts of about equally many keys, for scans by
 * several threads. The first part ends before the first pivot, each further part begins with a
 * pivot, and the last part is unbounded. If no thread writes, no part has more than about
 * twice the even share and one leaf of keys. Reads the nodes on a hundred ways or so from the
 * root to a leaf for each part, never on more than about a thousand; not the parts themselves.
 *
 * @param tree     The tree.
 * @param guard    A guard of this tree, or NULL: then this call pins for its own duration.
 * @param cuts     Number of pivots, one less than parts. A tree with few keys for
 *                 each part may have fewer pivots.
 * @param visit    Called for each pivot, in order; see masstree_pivot_visitor_t. The pivots
 *                 need not be keys of the tree.
 * @param ctx      Passed to visit.
 * @param visited  Receives the number of pivots visited, also with MASSTREE_NOMEM and if the
 *                 visitor ended the call. May be NULL.
 *
 * @retval MASSTREE_OK          Done, or the visitor returned a positive number.
 * @retval MASSTREE_INVALID     tree or visit is NULL.
 * @retval MASSTREE_NOMEM       Out of memory; the visitor may have been called.
 * @retval MASSTREE_WRONG_TREE  The guard belongs to another tree.
 * @retval MASSTREE_FORKED      The parent process created the tree, before a fork.
 * @return The negative number that the visitor returned.
 *
 * Thread safety: any thread; takes no lock. Since 0.1.
 */
int32_t masstree_pivots(const masstree_t *tree,
                        masstree_guard_t *guard,
                        size_t cuts,
                        masstree_pivot_visitor_t visit,
                        void *ctx,
                        size_t *visited);

/**
 * Flag of masstree_stats and masstree_stats_json: visit every node (about 10 ms for a million
 * keys that are in the cache), and also fill the fields from `nodes_visited` on.
 */
#define MASSTREE_STATS_NODES 1

/**
 * Number of layer depths that the statistics distinguish; deeper layers count for the last.
 */
#define MASSTREE_STATS_LAYERS 8

/**
 * Statistics of a tree. Start from MASSTREE_STATS_INIT; struct_size works as in
 * masstree_options_t, and a library older than the header sets fields that it does not know to
 * 0.
 *
 * All numbers are exact when no thread is writing, and recent approximations otherwise.
 */
typedef struct {
    /**
     * sizeof(masstree_stats_t); MASSTREE_STATS_INIT sets it.
     */
    size_t struct_size;
    /**
     * Input: 0, or MASSTREE_STATS_NODES.
     */
    uint32_t flags;
    /**
     * Must be 0.
     */
    uint32_t reserved;
    /**
     * Number of keys.
     */
    uint64_t keys;
    /**
     * Bytes of nodes, including those that wait for guards.
     */
    uint64_t node_bytes;
    /**
     * Bytes of suffixes: the remaining bytes of keys beyond their slices, stored outside of
     * the leaves.
     */
    uint64_t suffix_bytes;
    /**
     * Bytes of values that are byte strings.
     */
    uint64_t value_bytes;
    /**
     * Bytes that the pools of nodes and suffixes have obtained from the allocator or the
     * kernel; node_bytes and most of suffix_bytes of them are in use.
     */
    uint64_t pool_bytes;
    /**
     * Bytes in limbo: unlinked from the tree, or retired by the caller, but not yet freed,
     * because a guard may protect them or because their batch is not full (see
     * masstree_flush).
     */
    uint64_t limbo_bytes;
    /**
     * Objects in limbo. A cleared tree counts as one object, and so do the leaves that
     * masstree_remove_range has deleted together, with their values.
     */
    uint64_t limbo_objects;
    /**
     * Guards held, and running scans without a guard. Other running calls without a guard also
     * keep memory in limbo but are not counted, such as an update whose callback waits. If
     * limbo stays large and this is 0, such a call does not return.
     */
    uint64_t guards;
    /**
     * Milliseconds since the oldest of these guards and scans was entered or refreshed: large
     * and growing if the program has forgotten to leave a guard.
     */
    uint64_t oldest_guard_ms;
    /**
     * Splits of leaves since the tree was created.
     */
    uint64_t splits;
    /**
     * Times that an operation started over because a writer had moved the key that it was
     * looking for.
     */
    uint64_t restarts;
    /**
     * Layers created, for keys that share 8 more bytes, since the tree was created.
     */
    uint64_t layers_created;
    /**
     * Layers removed with their last key since the tree was created.
     */
    uint64_t layers_collapsed;
    /**
     * Leaves removed with their last key since the tree was created, except for those that
     * were the only node of a layer.
     */
    uint64_t leaves_unlinked;
    /**
     * Leaves that masstree_maintain and masstree_compact have merged with their left neighbour
     * since the tree was created: the sum of what their calls stored in *merged. (Writes that move keys into a
     * layer may merge leaves, too; these are not counted.)
     */
    uint64_t leaves_merged;
    /**
     * Nodes that were visited: leaves and internodes. Without MASSTREE_STATS_NODES, this and
     * all following fields are 0.
     */
    uint64_t nodes_visited;
    /**
     * Leaves: nodes of up to 15 entries.
     */
    uint64_t leaves;
    /**
     * Entries of leaves: keys, and links to layers.
     */
    uint64_t leaf_entries;
    /**
     * Internodes: nodes of up to 16 children.
     */
    uint64_t internodes;
    /**
     * Children of all internodes.
     */
    uint64_t internode_children;
    /**
     * Layers, including the first.
     */
    uint64_t layers;
    /**
     * Depth of the deepest layer; the first layer has depth 0.
     */
    uint64_t deepest_layer;
    /**
     * Levels of nodes in the tallest layer.
     */
    uint64_t levels;
    /**
     * Leaves that masstree_maintain would merge with their left neighbour. (Empty leaves are
     * freed by the remove that empties them: no other work is ever pending.)
     */
    uint64_t sparse_leaves;
    /**
     * Layers, by depth; the first layer has depth 0.
     */
    uint64_t layers_at[MASSTREE_STATS_LAYERS];
    /**
     * Leaves, by the depth of their layer.
     */
    uint64_t leaves_at[MASSTREE_STATS_LAYERS];
    /**
     * Internodes, by the depth of their layer.
     */
    uint64_t internodes_at[MASSTREE_STATS_LAYERS];
    /**
     * Keys, by the depth of the layer in which they end.
     */
    uint64_t keys_at[MASSTREE_STATS_LAYERS];
} masstree_stats_t;

/** Initializer of masstree_stats_t: sets struct_size, and every other field to 0 or NULL. */
#define MASSTREE_STATS_INIT \
    { sizeof(masstree_stats_t), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, \
      0, 0, 0, 0, 0, 0, { 0 }, { 0 }, { 0 }, { 0 } }

/**
 * Collects the statistics of a tree.
 *
 * @param tree   The tree.
 * @param guard  A guard of this tree, or NULL: then this call pins for its own duration.
 * @param stats  A struct that was initialised with MASSTREE_STATS_INIT; set flags before the
 *               call. Receives the statistics.
 *
 * @retval MASSTREE_OK          *stats is filled in.
 * @retval MASSTREE_INVALID     tree or stats is NULL, a flag is unknown, or struct_size
 *                              is smaller than any version of the struct.
 * @retval MASSTREE_NOMEM       Out of memory for the walk; *stats is unchanged.
 * @retval MASSTREE_WRONG_TREE  The guard belongs to another tree.
 * @retval MASSTREE_FORKED      The parent process created the tree, before a fork.
 *
 * Thread safety: any thread; takes no lock. Since 0.1.
 */
int32_t masstree_stats(const masstree_t *tree, masstree_guard_t *guard, masstree_stats_t *stats);

/**
 * Writes the statistics of a tree as a JSON object with the names of the fields of
 * masstree_stats_t, all of them numbers or arrays of numbers, on one line that ends with a
 * newline.
 *
 * @param tree   The tree.
 * @param guard  A guard of this tree, or NULL: then this call pins for its own duration.
 * @param flags  0, or MASSTREE_STATS_NODES.
 * @param write  Called with the text, in pieces.
 * @param ctx    Passed to write.
 *
 * @retval MASSTREE_OK          Everything was written.
 * @retval MASSTREE_INVALID     tree or write is NULL, or a flag is unknown.
 * @retval MASSTREE_NOMEM       Out of memory for the walk; nothing was written.
 * @retval MASSTREE_WRONG_TREE  The guard belongs to another tree.
 * @retval MASSTREE_FORKED      The parent process created the tree, before a fork.
 *
 * Thread safety: any thread; takes no lock. Since 0.1.
 */
int32_t masstree_stats_json(const masstree_t *tree,
                            masstree_guard_t *guard,
                            uint32_t flags,
                            masstree_text_sink_t write,
                            void *ctx);

/* ============================================================================
 * The version of the library
 * ============================================================================ */

/**
 * The number of the binary interface. A program that was built against one ABI number runs
 * with every later library of the same number; the shared library's SONAME carries it
 * (`libmasstree.so.0`).
 */
#define MASSTREE_ABI_VERSION 0

/**
 * Returns the version of the library in use as text: "0.1.0". The text is static, and never
 * freed. Compare it with MASSTREE_VERSION_STRING, the version of the header.
 *
 * @return The text.
 *
 * Thread safety: any thread, any time. Since 0.1.
 */
const char *masstree_version_string(void);

/**
 * Returns the version of the library in use as a number that grows with every release: major *
 * 1000000 + minor * 1000 + patch. Compare it with MASSTREE_VERSION_NUMBER, the version of the
 * header.
 *
 * @return The number.
 *
 * Thread safety: any thread, any time. Since 0.1.
 */
uint32_t masstree_version_number(void);

/**
 * Returns the ABI number of the library in use. If it differs from MASSTREE_ABI_VERSION of the
 * header that a program was built with, the program and the library are incompatible.
 *
 * @return The number.
 *
 * Thread safety: any thread, any time. Since 0.1.
 */
uint32_t masstree_abi_version(void);

#ifdef __cplusplus
}
#endif

#if defined(__GNUC__)
#pragma GCC visibility pop
#endif

#endif /* MASSTREE_H */
