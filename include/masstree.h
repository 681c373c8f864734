/*
 * libmasstree: a concurrent ordered map from byte strings to 64-bit words, or to byte
 * strings (Masstree, a trie of B+trees: Mao, Kohler, Morris, EuroSys 2012).
 *
 * Caveats, before anything else:
 *
 * - MASSTREE_OK is 0, answers are positive, errors negative. Zero means "yes,
 *   done", so write `masstree_get(...) == MASSTREE_OK`, never `if (masstree_get(...))`.
 *   Every function that returns int32_t returns a status, documented with it.
 * - An output pointer may be NULL ("not wanted"). Outputs are written only when
 *   the function's documentation says so for the status it returns.
 * - Any number of threads may use one tree, without registration. Only
 *   masstree_destroy needs the tree for itself, and every guard left.
 * - Operations on one key are atomic, in one order for all threads. Who learns of a write
 *   from its thread, in whatever way C11 calls synchronisation, sees it. A write is not a
 *   full fence: where two threads each write one key and then read the other's, both may
 *   miss the other's write, unless atomic_thread_fence(memory_order_seq_cst) comes between.
 * - A value that is a pointer stays valid only while a guard is held, if the
 *   tree's value destructor frees it; so does a byte string that was not copied. Memory
 *   that readers may still see waits for their guards: refresh a guard that is kept for
 *   long. masstree_stats shows how much waits, and for how long.
 * - Out of memory is MASSTREE_NOMEM, and the tree is as it was before the call. The
 *   exception are the lists of memory reclamation, a few KiB for a tree, a thread
 *   or a guard and 4 KiB for every 128 objects that wait to be freed: they come from
 *   malloc, cannot fail, and the process aborts if memory runs out just there.
 * - After fork, the child cannot use trees of its parent: MASSTREE_FORKED, and functions
 *   that return nothing do nothing. It can make trees of its own; but if another thread
 *   was just entering or leaving a guard, in a destructor that took its time,
 *   masstree_create answers MASSTREE_FORKED too. Handlers of pthread_atfork may use the
 *   library if they were registered after it was loaded.
 * - Freeing needs the system call membarrier, where the kernel has it. A seccomp filter must
 *   allow it, or be installed before the first tree is made, when the library finds out.
 *   If it is refused later, the process aborts, with an explanation on standard error
 *   (docs/memory.md, also for the system calls that waiting needs).
 * - But for that, the library does not print. It installs no signal handler, and stays loaded
 *   until the process ends, also after dlclose. No function changes errno, also where memory runs
 *   out or it waits: what an allocator, a value destructor or the function of a retired
 *   object sets is undone, since any call may run them; what other callbacks set stays.
 * - NULL for a guard pins for that call, which must end on the thread it began on: a
 *   callback that may yield to a scheduler, and go on on another thread, needs a call with
 *   a guard; without one, what the call reads may have been freed. On one thread such calls
 *   may overlap and end in any order; what they could see is freed when none is under way.
 *   A library with debug assertions aborts where a call goes on on another thread.
 * - "Takes no lock" says that a call locks nothing that others wait for, not that it never
 *   waits: a reader waits while another thread splits or merges the very node that it reads,
 *   or moves its suffixes, and starts over when it has changed; a writer waits for the
 *   writer, or the holder, of the same leaf. So do not call the library from a signal
 *   handler: the thread it interrupted may be in the midst of such a change, and get waits
 *   for ever. A waiting thread spins, then yields, then sleeps up to a millisecond at a time,
 *   so that a thread of lower priority gets to end what it began; there is no priority
 *   inheritance.
 * - ThreadSanitizer sees what this library orders only if it was built for that: see
 *   docs/sanitizers.md.
 * - Callbacks run with no lock held, but for those of masstree_update and
 *   masstree_get_or_insert_with; masstree_hold keeps a lock for its caller.
 *
 * In short:
 *
 *     masstree_t *tree;
 *     uint64_t value;
 *     if (masstree_create(NULL, &tree) != MASSTREE_OK) ...
 *     masstree_put(tree, NULL, "key", 3, 42);
 *     if (masstree_get(tree, NULL, "key", 3, &value) == MASSTREE_OK) ...
 *     masstree_destroy(tree);
 *
 * This file is generated from src/ffi/index; `make header` writes it anew.
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
/** The version of this header as masstree_version_number counts. */
#define MASSTREE_VERSION_NUMBER \
    (MASSTREE_VERSION_MAJOR * 1000000 + MASSTREE_VERSION_MINOR * 1000 + MASSTREE_VERSION_PATCH)

#if defined(__GNUC__)
#pragma GCC visibility push(default)
#endif

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Pins what is read through it: nodes, and values handed to the value
 * destructor, are not freed before the guard is refreshed or left.
 *
 * Made by masstree_guard_enter, freed by masstree_guard_leave. A guard is used
 * by one thread at a time, but may be handed from thread to thread (goroutines,
 * coroutines, pools). A thread may hold any number of guards, of one tree or of
 * several, and leave them in any order. Leave every guard before its tree is
 * destroyed.
 *
 * Memory displaced while a guard is held waits for that guard: refresh a guard
 * that is kept for long every so often.
 *
 * Operations accept NULL for a guard: they pin for that call only, which costs
 * a thread-local look-up; with a guard at hand, pass it.
 */
typedef struct masstree_guard_t masstree_guard_t;

/**
 * An ordered map from byte strings to 64-bit words, or to byte strings.
 *
 * Made by masstree_create, freed by masstree_destroy. Any number of threads
 * may use one tree at the same time, without registration, and may come and
 * go; only masstree_destroy needs the tree for itself.
 */
typedef struct masstree_t masstree_t;

/* ============================================================================
 * Statuses
 * ============================================================================ */

/**
 * The operation was carried out.
 */
#define MASSTREE_OK 0

/**
 * Answer: the key is not in the tree (for masstree_exchange: it was not).
 */
#define MASSTREE_NOT_FOUND 1

/**
 * Answer: the key is in the tree already (for masstree_exchange and masstree_replace: with
 * the value that was to be stored); nothing was changed.
 */
#define MASSTREE_EXISTS 2

/**
 * Answer: something is not as expected: the key has another value, or a leaf has changed
 * since it was observed; nothing was changed.
 */
#define MASSTREE_MISMATCH 3

/**
 * Answer: there is no further key in this direction; the cursor stays where it is.
 */
#define MASSTREE_END 4

/**
 * Answer: the tree was cleared after the key was held; nothing was changed.
 */
#define MASSTREE_CLEARED 5

/**
 * Error: an argument is malformed: a NULL handle, a NULL key with a length, a
 * NULL callback, bounds the wrong way round, an unknown flag, a struct_size
 * the library cannot accept.
 */
#define MASSTREE_INVALID (-1)

/**
 * Error: out of memory. The tree is as it was before the call.
 */
#define MASSTREE_NOMEM (-2)

/**
 * Error: the key is longer than 2^32 - 1 bytes.
 */
#define MASSTREE_KEY_TOO_LONG (-3)

/**
 * Error: the guard belongs to another tree.
 */
#define MASSTREE_WRONG_TREE (-4)

/**
 * Error: the function is for trees of words and this one holds byte strings, or the
 * other way round; see value_kind in masstree_options_t.
 */
#define MASSTREE_WRONG_KIND (-5)

/**
 * Error: the tree was made before a fork, by the parent process; or, from
 * masstree_create, the fork came at a moment after which this process can make no
 * trees (see the caveats at the top).
 */
#define MASSTREE_FORKED (-6)

/**
 * Error: masstree_check found the tree to be inconsistent. This is a bug in
 * the library, or memory was overwritten.
 */
#define MASSTREE_CORRUPT (-7)

/**
 * Error: the buffer is too small for the value; nothing was written to it.
 */
#define MASSTREE_TOO_SMALL (-8)

/**
 * Error: the keys do not ascend; nothing was changed.
 */
#define MASSTREE_UNSORTED (-9)

/**
 * One sentence on a status code, in English: static text, never NULL, never
 * freed. Unknown codes get a sentence of their own.
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
 * Kind of values: 64-bit words of the caller's (numbers, or pointers that the value
 * destructor frees).
 */
#define MASSTREE_VALUES_WORDS 0

/**
 * Kind of values: byte strings, of which the tree keeps copies of its own.
 */
#define MASSTREE_VALUES_BYTES 1

/**
 * Huge pages: for large trees. Nodes come from chunks of huge pages of 2 MiB where the kernel
 * has them (Linux: transparent huge pages, `madvise` or `always`), as soon as the nodes of the
 * tree take 4 MiB. Look-ups in large trees become faster by a quarter.
 */
#define MASSTREE_HUGE_PAGES_FOR_LARGE_TREES 0

/**
 * Huge pages: never asked for. For programs that fork and want small pages copied, or that
 * count every page.
 */
#define MASSTREE_HUGE_PAGES_NEVER 1

/**
 * Called for a value that has left the tree, once per value, when no reader
 * can hold it any more: after masstree_put displaced it, after masstree_remove
 * or masstree_exchange whose caller did not take it through the output
 * pointer, after masstree_clear, and for every value still present in
 * masstree_destroy.
 *
 * A value stored under a key that has the very same value already displaces
 * nothing.
 *
 * @param value  The value.
 * @param ctx    value_ctx of the options.
 *
 * It runs on any thread that uses the tree, inside some call to this library,
 * with no lock held. It must not call into the same tree, and must return: no
 * longjmp, no C++ exception, no pthread_exit.
 */
typedef void (*masstree_value_destructor_t)(uint64_t value, void *ctx);

/**
 * Gives memory to a tree.
 *
 * @param size   Bytes wanted, never 0.
 * @param align  What the memory must be aligned to: a power of two, at most 128.
 * @param ctx    alloc_ctx of the options.
 *
 * @return The memory, which nobody else uses until the tree frees it; or NULL if
 * there is none, and then the call that needed it answers MASSTREE_NOMEM.
 *
 * It runs on any thread, with no lock of the tree held; it must not call into the same
 * tree, and must return: no longjmp, no C++ exception, no pthread_exit.
 */
typedef void *(*masstree_alloc_t)(size_t size, size_t align, void *ctx);

/**
 * Takes memory back that masstree_alloc_t gave.
 *
 * @param memory  The memory; never NULL.
 * @param size    Its size in bytes, as it was asked for.
 * @param align   Its alignment, as it was asked for.
 * @param ctx     alloc_ctx of the options.
 *
 * The rules of masstree_alloc_t apply. The memory may come from another thread.
 */
typedef void (*masstree_free_t)(void *memory, size_t size, size_t align, void *ctx);

/**
 * Options of masstree_create. Start from MASSTREE_OPTIONS_INIT and set what
 * you need. A program built with an older, smaller struct works with a newer
 * library: fields it does not have take their defaults. One built with a
 * newer, larger struct works with an older library as long as every field
 * that library does not know is zero.
 */
typedef struct {
    /**
     * sizeof(masstree_options_t); MASSTREE_OPTIONS_INIT sets it.
     */
    size_t struct_size;
    /**
     * Called for each value that leaves the tree; NULL: values are plain words
     * and nothing is called. Not for byte strings, which the tree frees itself.
     */
    masstree_value_destructor_t value_destructor;
    /**
     * Handed to value_destructor.
     */
    void *value_ctx;
    /**
     * Where the tree's memory comes from, guards and cursors included; NULL: malloc.
     * Only the lists of memory reclamation come from malloc always (see the caveats
     * at the top). Set together with free.
     */
    masstree_alloc_t alloc;
    /**
     * Where the tree's memory goes back to, all of it by the end of masstree_destroy.
     */
    masstree_free_t free;
    /**
     * Handed to alloc and free.
     */
    void *alloc_ctx;
    /**
     * Bytes that the pool of nodes asks for at once, and rounds down to whole nodes
     * of 320 bytes, at least one; 0: from 1 KiB, growing to 2 MiB, and then as huge_pages
     * says.
     */
    size_t chunk_size;
    /**
     * MASSTREE_VALUES_WORDS or MASSTREE_VALUES_BYTES.
     */
    uint32_t value_kind;
    /**
     * MASSTREE_HUGE_PAGES_FOR_LARGE_TREES or MASSTREE_HUGE_PAGES_NEVER. Not looked at with
     * an allocator or a chunk_size of your own.
     */
    uint32_t huge_pages;
} masstree_options_t;

/** Initializer of masstree_options_t: sets struct_size, and every other field to 0 or NULL. */
#define MASSTREE_OPTIONS_INIT \
    { sizeof(masstree_options_t), NULL, NULL, NULL, NULL, NULL, 0, 0, 0 }

/* ============================================================================
 * Trees
 * ============================================================================ */

/**
 * Makes an empty tree.
 *
 * @param options  NULL for the defaults, or a struct started from
 *                 MASSTREE_OPTIONS_INIT.
 * @param tree     Where the tree is stored; it is the caller's, who frees it
 *                 with masstree_destroy.
 *
 * @retval MASSTREE_OK       *tree is a new, empty tree.
 * @retval MASSTREE_INVALID  tree is NULL; struct_size is smaller than any
 *                           version of the struct; value_kind is unknown, or is
 *                           MASSTREE_VALUES_BYTES together with a value
 *                           destructor; only one of alloc and free is set; or a
 *                           byte of the struct that this library does not know is
 *                           not zero.
 * @retval MASSTREE_NOMEM    Out of memory.
 * @retval MASSTREE_FORKED   This process was forked while another thread was inside
 *                           the library, and can make no trees.
 *
 * Thread safety: any thread. Since 0.1.
 */
int32_t masstree_create(const masstree_options_t *options, masstree_t **tree);

/**
 * Frees a tree and everything in it: runs the value destructor once for every
 * value still present and for every displaced value not yet destroyed, and the free
 * callback of whatever was retired and not freed yet. NULL does nothing, and neither
 * does a tree made before a fork.
 *
 * Every guard and cursor of the tree must have been let go, and no other thread may
 * use the tree during or after this call.
 *
 * @param tree  The tree.
 *
 * Thread safety: the caller must have the tree for itself. Since 0.1.
 */
void masstree_destroy(masstree_t *tree);

/**
 * Removes every key, all at once: whoever begins to look after this call finds none of
 * them. What threads insert meanwhile comes before or after it.
 *
 * A write whose call began before, an update callback included, may end after: it counts as
 * done before, and what it stored is cleared away. Callbacks for one key may so run at once, in
 * the tree that was and in the new one. Keys that are held (masstree_hold) are not waited for,
 * unless the whole tree is one leaf; to finish them answers MASSTREE_CLEARED.
 *
 * The tree's memory is freed together once no guard of this moment is held any more,
 * by the thread that lets go of the last one; that takes time in proportion to the
 * number of keys. Values then go to the value destructor.
 *
 * @param tree   The tree.
 * @param guard  A guard of this tree, or NULL to be pinned for this call.
 *
 * @retval MASSTREE_OK          The tree is empty.
 * @retval MASSTREE_INVALID     tree is NULL.
 * @retval MASSTREE_NOMEM       Out of memory; the tree is unchanged.
 * @retval MASSTREE_WRONG_TREE  The guard belongs to another tree.
 * @retval MASSTREE_FORKED      The tree was made before a fork.
 *
 * Thread safety: any thread. Since 0.1.
 */
int32_t masstree_clear(masstree_t *tree, masstree_guard_t *guard);

/* ============================================================================
 * One key
 * ============================================================================ */

/**
 * Looks a key up.
 *
 * @param tree     The tree.
 * @param guard    A guard of this tree, or NULL to be pinned for this call.
 * @param key      key_len bytes, any values; NULL only if key_len is 0 (the
 *                 empty key is a key like any other).
 * @param key_len  Length of the key in bytes, at most 2^32 - 1.
 * @param value    Where the value is stored; NULL: not wanted.
 *
 * @retval MASSTREE_OK            Found; *value is the key's value.
 * @retval MASSTREE_NOT_FOUND     The key is not in the tree.
 * @retval MASSTREE_INVALID       tree is NULL, or key is NULL with a length.
 * @retval MASSTREE_KEY_TOO_LONG  key_len is over 2^32 - 1.
 * @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
 * @retval MASSTREE_WRONG_KIND    The tree holds byte strings.
 * @retval MASSTREE_FORKED        The tree was made before a fork.
 *
 * If the value is a pointer and the tree has a value destructor, hold a guard
 * as long as the pointer is used: what it points to is not destroyed before
 * that guard is refreshed or left.
 *
 * Thread safety: any thread; takes no lock. Since 0.1.
 */
int32_t masstree_get(const masstree_t *tree,
                     masstree_guard_t *guard,
                     const void *key,
                     size_t key_len,
                     uint64_t *value);

/**
 * masstree_get for an integer key: the 8 bytes of `key`, most significant
 * first, so that the order of the keys is numeric order.
 *
 * @param tree   The tree.
 * @param guard  A guard of this tree, or NULL to be pinned for this call.
 * @param key    The key.
 * @param value  Where the value is stored; NULL: not wanted.
 *
 * @retval MASSTREE_OK          Found; *value is the key's value.
 * @retval MASSTREE_NOT_FOUND   The key is not in the tree.
 * @retval MASSTREE_INVALID     tree is NULL.
 * @retval MASSTREE_WRONG_TREE  The guard belongs to another tree.
 * @retval MASSTREE_WRONG_KIND  The tree holds byte strings.
 * @retval MASSTREE_FORKED      The tree was made before a fork.
 *
 * Thread safety: any thread; takes no lock. Since 0.1.
 */
int32_t masstree_get_u64(const masstree_t *tree,
                         masstree_guard_t *guard,
                         uint64_t key,
                         uint64_t *value);

/**
 * Says whether a key is in the tree.
 *
 * @param tree     The tree.
 * @param guard    A guard of this tree, or NULL to be pinned for this call.
 * @param key      key_len bytes; NULL only if key_len is 0.
 * @param key_len  Length of the key in bytes, at most 2^32 - 1.
 *
 * @retval MASSTREE_OK            The key is in the tree.
 * @retval MASSTREE_NOT_FOUND     The key is not in the tree.
 * @retval MASSTREE_INVALID       tree is NULL, or key is NULL with a length.
 * @retval MASSTREE_KEY_TOO_LONG  key_len is over 2^32 - 1.
 * @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
 * @retval MASSTREE_FORKED        The tree was made before a fork.
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
 * masstree_contains for an integer key (see masstree_get_u64).
 *
 * @param tree   The tree.
 * @param guard  A guard of this tree, or NULL to be pinned for this call.
 * @param key    The key.
 *
 * @retval MASSTREE_OK          The key is in the tree.
 * @retval MASSTREE_NOT_FOUND   The key is not in the tree.
 * @retval MASSTREE_INVALID     tree is NULL.
 * @retval MASSTREE_WRONG_TREE  The guard belongs to another tree.
 * @retval MASSTREE_FORKED      The tree was made before a fork.
 *
 * Thread safety: any thread; takes no lock. Since 0.1.
 */
int32_t masstree_contains_u64(const masstree_t *tree, masstree_guard_t *guard, uint64_t key);

/**
 * Stores a value under a key, whether the key is there or not.
 *
 * @param tree     The tree.
 * @param guard    A guard of this tree, or NULL to be pinned for this call.
 * @param key      key_len bytes, copied by the tree; NULL only if key_len is 0.
 * @param key_len  Length of the key in bytes, at most 2^32 - 1.
 * @param value    The value. If the tree has a value destructor, the value is
 *                 the tree's from here on.
 *
 * @retval MASSTREE_OK            Stored. A value it displaced goes to the value
 *                                destructor once no reader can hold it.
 * @retval MASSTREE_INVALID       tree is NULL, or key is NULL with a length.
 * @retval MASSTREE_NOMEM         Out of memory; the tree is unchanged and the
 *                                value is still the caller's.
 * @retval MASSTREE_KEY_TOO_LONG  key_len is over 2^32 - 1.
 * @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
 * @retval MASSTREE_WRONG_KIND    The tree holds byte strings.
 * @retval MASSTREE_FORKED        The tree was made before a fork.
 *
 * A value that is stored where it is already is not displaced: it stays the tree's.
 *
 * Thread safety: any thread. Since 0.1.
 */
int32_t masstree_put(masstree_t *tree,
                     masstree_guard_t *guard,
                     const void *key,
                     size_t key_len,
                     uint64_t value);

/**
 * masstree_put for an integer key (see masstree_get_u64).
 *
 * @param tree   The tree.
 * @param guard  A guard of this tree, or NULL to be pinned for this call.
 * @param key    The key.
 * @param value  The value. If the tree has a value destructor, the value is
 *               the tree's from here on.
 *
 * @retval MASSTREE_OK          Stored.
 * @retval MASSTREE_INVALID     tree is NULL.
 * @retval MASSTREE_NOMEM       Out of memory; the tree is unchanged and the
 *                              value is still the caller's.
 * @retval MASSTREE_WRONG_TREE  The guard belongs to another tree.
 * @retval MASSTREE_WRONG_KIND  The tree holds byte strings.
 * @retval MASSTREE_FORKED      The tree was made before a fork.
 *
 * A value that is stored where it is already is not displaced: it stays the tree's.
 *
 * Thread safety: any thread. Since 0.1.
 */
int32_t masstree_put_u64(masstree_t *tree, masstree_guard_t *guard, uint64_t key, uint64_t value);

/**
 * Stores a value under a key and gives the value that was there.
 *
 * @param tree     The tree.
 * @param guard    A guard of this tree, or NULL to be pinned for this call.
 * @param key      key_len bytes, copied by the tree; NULL only if key_len is 0.
 * @param key_len  Length of the key in bytes, at most 2^32 - 1.
 * @param value    The value. If the tree has a value destructor, the value is
 *                 the tree's from here on.
 * @param old      Where the displaced value is stored (written only when the
 *                 answer is MASSTREE_OK); it is the caller's then, and the
 *                 value destructor is not run for it. Other threads may still
 *                 read it under guards they hold now. NULL: not wanted, and the
 *                 destructor is run for it.
 *
 * @retval MASSTREE_OK            Stored; *old is the value it displaced.
 * @retval MASSTREE_EXISTS        The key has this value already; nothing was changed.
 * @retval MASSTREE_NOT_FOUND     Stored; the key was new.
 * @retval MASSTREE_INVALID       tree is NULL, or key is NULL with a length.
 * @retval MASSTREE_NOMEM         Out of memory; the tree is unchanged and the
 *                                value is still the caller's.
 * @retval MASSTREE_KEY_TOO_LONG  key_len is over 2^32 - 1.
 * @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
 * @retval MASSTREE_WRONG_KIND    The tree holds byte strings.
 * @retval MASSTREE_FORKED        The tree was made before a fork.
 *
 * A value that is stored where it is already is not displaced: it stays the tree's, and
 * *old is not written.
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
 * masstree_exchange for an integer key (see masstree_get_u64).
 *
 * @param tree   The tree.
 * @param guard  A guard of this tree, or NULL to be pinned for this call.
 * @param key    The key.
 * @param value  The value. If the tree has a value destructor, the value is
 *               the tree's from here on.
 * @param old    As in masstree_exchange.
 *
 * @retval MASSTREE_OK          Stored; *old is the value it displaced.
 * @retval MASSTREE_EXISTS      The key has this value already; nothing was changed.
 * @retval MASSTREE_NOT_FOUND   Stored; the key was new.
 * @retval MASSTREE_INVALID     tree is NULL.
 * @retval MASSTREE_NOMEM       Out of memory; the tree is unchanged and the
 *                              value is still the caller's.
 * @retval MASSTREE_WRONG_TREE  The guard belongs to another tree.
 * @retval MASSTREE_WRONG_KIND  The tree holds byte strings.
 * @retval MASSTREE_FORKED      The tree was made before a fork.
 *
 * A value that is stored where it is already is not displaced: it stays the tree's, and
 * *old is not written.
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
 * @param guard    A guard of this tree, or NULL to be pinned for this call.
 * @param key      key_len bytes, copied by the tree; NULL only if key_len is 0.
 * @param key_len  Length of the key in bytes, at most 2^32 - 1.
 * @param value    The value. It is the tree's only if the answer is MASSTREE_OK.
 * @param present  Where the value already there is stored (written only when
 *                 the answer is MASSTREE_EXISTS); it stays the tree's. NULL:
 *                 not wanted.
 *
 * @retval MASSTREE_OK            Stored; the key was absent.
 * @retval MASSTREE_EXISTS        Nothing was changed; *present is the value
 *                                under the key.
 * @retval MASSTREE_INVALID       tree is NULL, or key is NULL with a length.
 * @retval MASSTREE_NOMEM         Out of memory; the tree is unchanged.
 * @retval MASSTREE_KEY_TOO_LONG  key_len is over 2^32 - 1.
 * @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
 * @retval MASSTREE_WRONG_KIND    The tree holds byte strings.
 * @retval MASSTREE_FORKED        The tree was made before a fork.
 *
 * Of several threads that insert one absent key, exactly one gets MASSTREE_OK.
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
 * masstree_insert for an integer key (see masstree_get_u64).
 *
 * @param tree     The tree.
 * @param guard    A guard of this tree, or NULL to be pinned for this call.
 * @param key      The key.
 * @param value    The value. It is the tree's only if the answer is MASSTREE_OK.
 * @param present  As in masstree_insert.
 *
 * @retval MASSTREE_OK          Stored; the key was absent.
 * @retval MASSTREE_EXISTS      Nothing was changed; *present is the value under
 *                              the key.
 * @retval MASSTREE_INVALID     tree is NULL.
 * @retval MASSTREE_NOMEM       Out of memory; the tree is unchanged.
 * @retval MASSTREE_WRONG_TREE  The guard belongs to another tree.
 * @retval MASSTREE_WRONG_KIND  The tree holds byte strings.
 * @retval MASSTREE_FORKED      The tree was made before a fork.
 *
 * Thread safety: any thread. Since 0.1.
 */
int32_t masstree_insert_u64(masstree_t *tree,
                            masstree_guard_t *guard,
                            uint64_t key,
                            uint64_t value,
                            uint64_t *present);

/**
 * Removes a key.
 *
 * @param tree     The tree.
 * @param guard    A guard of this tree, or NULL to be pinned for this call.
 * @param key      key_len bytes; NULL only if key_len is 0.
 * @param key_len  Length of the key in bytes, at most 2^32 - 1.
 * @param old      Where the removed value is stored; it is the caller's then,
 *                 and the value destructor is not run for it. Other threads may
 *                 still read it under guards they hold now. NULL: not wanted,
 *                 and the destructor is run for it once no reader can hold it.
 *
 * @retval MASSTREE_OK            Removed; *old is the value it had.
 * @retval MASSTREE_NOT_FOUND     The key was not in the tree.
 * @retval MASSTREE_INVALID       tree is NULL, or key is NULL with a length.
 * @retval MASSTREE_KEY_TOO_LONG  key_len is over 2^32 - 1.
 * @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
 * @retval MASSTREE_WRONG_KIND    The tree holds byte strings, and old is not NULL.
 * @retval MASSTREE_FORKED        The tree was made before a fork.
 *
 * A remove never answers MASSTREE_NOMEM. Nodes that become empty are given back.
 *
 * Thread safety: any thread. Since 0.1.
 */
int32_t masstree_remove(masstree_t *tree,
                        masstree_guard_t *guard,
                        const void *key,
                        size_t key_len,
                        uint64_t *old);

/**
 * masstree_remove for an integer key (see masstree_get_u64).
 *
 * @param tree   The tree.
 * @param guard  A guard of this tree, or NULL to be pinned for this call.
 * @param key    The key.
 * @param old    As in masstree_remove.
 *
 * @retval MASSTREE_OK          Removed; *old is the value it had.
 * @retval MASSTREE_NOT_FOUND   The key was not in the tree.
 * @retval MASSTREE_INVALID     tree is NULL.
 * @retval MASSTREE_WRONG_TREE  The guard belongs to another tree.
 * @retval MASSTREE_WRONG_KIND  The tree holds byte strings, and old is not NULL.
 * @retval MASSTREE_FORKED      The tree was made before a fork.
 *
 * Thread safety: any thread. Since 0.1.
 */
int32_t masstree_remove_u64(masstree_t *tree, masstree_guard_t *guard, uint64_t key, uint64_t *old);

/**
 * Writes the 8 bytes under which the _u64 functions store `key`, most
 * significant first: for scan bounds, and to mix integer and byte keys.
 *
 * @param key    The integer key.
 * @param bytes  Where the 8 bytes are stored; NULL does nothing.
 *
 * Thread safety: any thread, any time. Since 0.1.
 */
void masstree_u64_to_key(uint64_t key, uint8_t *bytes);

/**
 * Reads back an integer key that a scan handed to its visitor.
 *
 * @param key      The key's bytes.
 * @param key_len  Their number.
 * @param value    Where the integer is stored; NULL: not wanted.
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
 * Makes a guard of a tree.
 *
 * @param tree   The tree.
 * @param guard  Where the guard is stored; it is the caller's, who frees it
 *               with masstree_guard_leave.
 *
 * @retval MASSTREE_OK       *guard is a new guard.
 * @retval MASSTREE_INVALID  tree or guard is NULL.
 * @retval MASSTREE_NOMEM    Out of memory.
 * @retval MASSTREE_FORKED   The tree was made before a fork, by the parent process.
 *
 * Thread safety: any thread. Since 0.1.
 */
int32_t masstree_guard_enter(const masstree_t *tree, masstree_guard_t **guard);

/**
 * Lets go of everything read through the guard so far and pins anew, as if it
 * were left and entered again, but cheaper. Pointers and values read under it
 * before must not be used any more. NULL does nothing.
 *
 * @param guard  The guard.
 *
 * Thread safety: the thread that uses the guard at present; not from a scan's
 * visitor for the guard that scan runs under. Since 0.1.
 */
void masstree_guard_refresh(masstree_guard_t *guard);

/**
 * Leaves and frees a guard. Pointers and values read under it must not be used
 * any more. NULL does nothing.
 *
 * @param guard  The guard.
 *
 * Thread safety: the thread that uses the guard at present, which need not be
 * the one that entered it. Since 0.1.
 */
void masstree_guard_leave(masstree_guard_t *guard);

/* ============================================================================
 * Ranges
 * ============================================================================ */

/**
 * Kind of a bound: there is none; the other fields of the bound are not read.
 */
#define MASSTREE_BOUND_OPEN 0

/**
 * Kind of a bound: the bound itself belongs to the range.
 */
#define MASSTREE_BOUND_INCLUSIVE 1

/**
 * Kind of a bound: the bound itself does not belong to the range.
 */
#define MASSTREE_BOUND_EXCLUSIVE 2

/**
 * Flag of a scan: from the upper end of the range to the lower.
 */
#define MASSTREE_SCAN_REVERSE 1

/**
 * Flag of a scan: the visitor gets no values (0, or length 0).
 */
#define MASSTREE_SCAN_KEYS_ONLY 2

/**
 * Flag of a scan: the visitor gets no keys (length 0), which spares putting them
 * together.
 */
#define MASSTREE_SCAN_VALUES_ONLY 4

/**
 * Answer of a visitor: go on.
 */
#define MASSTREE_CONTINUE 0

/**
 * Answer of a visitor: stop here; the scan answers MASSTREE_OK.
 */
#define MASSTREE_STOP 1

/**
 * The range of a scan. Start from MASSTREE_RANGE_INIT (everything, forward, no
 * limit) and set what you need; struct_size works as in masstree_options_t. The
 * bytes pointed to are read during the scan and must stay as they are.
 *
 * Keys are ordered as memcmp orders them; of two keys of which one begins with
 * the other, the shorter is the smaller.
 */
typedef struct {
    /**
     * sizeof(masstree_range_t); MASSTREE_RANGE_INIT sets it.
     */
    size_t struct_size;
    /**
     * The lower bound's bytes; NULL only if lower_len is 0.
     */
    const void *lower;
    /**
     * Length of the lower bound in bytes.
     */
    size_t lower_len;
    /**
     * The upper bound's bytes; NULL only if upper_len is 0.
     */
    const void *upper;
    /**
     * Length of the upper bound in bytes.
     */
    size_t upper_len;
    /**
     * Only keys that begin with these bytes, within the bounds; NULL only if
     * prefix_len is 0.
     */
    const void *prefix;
    /**
     * Length of the prefix in bytes; 0: every key.
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
} masstree_range_t;

/** Initializer of masstree_range_t: sets struct_size, and every other field to 0 or NULL. */
#define MASSTREE_RANGE_INIT \
    { sizeof(masstree_range_t), NULL, 0, NULL, 0, NULL, 0, 0, 0, 0, 0, 0 }

/**
 * Called for each key of a scan, in order.
 *
 * @param key      The key's bytes; valid during this call only. Not NULL, also
 *                 for the empty key.
 * @param key_len  Their number.
 * @param value    The key's value; if it is a pointer, see masstree_get.
 * @param ctx      What was passed to the scan.
 *
 * @return MASSTREE_CONTINUE, or MASSTREE_STOP (any positive number) to end the
 * scan with MASSTREE_OK, or a negative number to end it with that number as its
 * status.
 *
 * No lock is held. The visitor may call any function on this tree or another,
 * but must not refresh or leave the guard the scan runs under, and must not
 * destroy the tree. It must return: no longjmp, no C++ exception, no pthread_exit,
 * for then the scan's pin is never let go. It may yield to a scheduler that goes on with
 * it on another thread only if the scan runs under a guard.
 */
typedef int32_t (*masstree_visitor_t)(const void *key, size_t key_len, uint64_t value, void *ctx);

/**
 * Called for each key of a scan of a tree of byte strings, in order.
 *
 * @param key        The key's bytes; valid during this call only. Not NULL, also
 *                   for the empty key.
 * @param key_len    Their number.
 * @param value      The value's bytes; valid as long as the guard that the scan runs
 *                   under, during this call only without one. Not NULL, also for the
 *                   empty value.
 * @param value_len  Their number.
 * @param ctx        What was passed to the scan.
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
 * Keys come strictly in order. A key that is in the tree during the whole scan
 * is visited exactly once; one inserted or removed meanwhile at most once. Each
 * leaf (up to 15 keys) is read as a consistent snapshot; there is no snapshot of
 * the whole range.
 *
 * @param tree     The tree.
 * @param guard    A guard of this tree, or NULL to be pinned for this call.
 * @param range    NULL for everything, forward; or a struct started from
 *                 MASSTREE_RANGE_INIT.
 * @param visit    Called for each key.
 * @param ctx      Handed to visit.
 * @param visited  Where the number of keys visited is stored, the one at which
 *                 the visitor stopped included; NULL: not wanted. It is written
 *                 also when the visitor ends the scan with a status of its own,
 *                 and when memory runs out, so that a scan can be resumed.
 *
 * @retval MASSTREE_OK            The range was visited to its end, to the limit,
 *                                or until the visitor stopped.
 * @retval MASSTREE_INVALID       tree or visit is NULL; a bound or the prefix is
 *                                NULL with a length; the lower bound is above
 *                                the upper; a kind of bound or a flag is
 *                                unknown, or two flags exclude each other; a
 *                                reserved field is not 0; struct_size is too small,
 *                                or a byte of the struct that this library does not
 *                                know is not zero.
 * @retval MASSTREE_NOMEM         Out of memory for the key's buffer.
 * @retval MASSTREE_KEY_TOO_LONG  A bound or the prefix is over 2^32 - 1 bytes.
 * @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
 * @retval MASSTREE_WRONG_KIND    The tree holds byte strings, and the flags do not say
 *                                MASSTREE_SCAN_KEYS_ONLY.
 * @retval MASSTREE_FORKED        The tree was made before a fork.
 * @return A negative number that the visitor answered.
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
 * masstree_scan for a tree of byte strings.
 *
 * @param tree     The tree.
 * @param guard    A guard of this tree, or NULL to be pinned for this call.
 * @param range    As in masstree_scan.
 * @param visit    Called for each key.
 * @param ctx      Handed to visit.
 * @param visited  As in masstree_scan.
 *
 * @retval MASSTREE_OK            The range was visited to its end, to the limit,
 *                                or until the visitor stopped.
 * @retval MASSTREE_INVALID       As in masstree_scan.
 * @retval MASSTREE_NOMEM         Out of memory for the key's buffer.
 * @retval MASSTREE_KEY_TOO_LONG  A bound or the prefix is over 2^32 - 1 bytes.
 * @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
 * @retval MASSTREE_WRONG_KIND    The tree holds words.
 * @retval MASSTREE_FORKED        The tree was made before a fork.
 * @return A negative number that the visitor answered.
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
 * Counts the keys of a range, one by one; faster than a scan, for no key is put
 * together and nothing called.
 *
 * @param tree   The tree, of words or byte strings.
 * @param guard  A guard of this tree, or NULL to be pinned for this call.
 * @param range  As in masstree_scan; the flags do not matter.
 * @param count  Where the number of keys is stored; NULL: not wanted.
 *
 * @retval MASSTREE_OK            *count is the number of keys in the range, the limit
 *                                at most.
 * @retval MASSTREE_INVALID       As in masstree_scan.
 * @retval MASSTREE_NOMEM         Out of memory for the walk.
 * @retval MASSTREE_KEY_TOO_LONG  A bound or the prefix is over 2^32 - 1 bytes.
 * @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
 * @retval MASSTREE_FORKED        The tree was made before a fork.
 *
 * Thread safety: any thread; takes no lock. Since 0.1.
 */
int32_t masstree_count(const masstree_t *tree,
                       masstree_guard_t *guard,
                       const masstree_range_t *range,
                       size_t *count);

/* ============================================================================
 * One key, on conditions
 * ============================================================================ */

/**
 * Answer of an update callback, or action of masstree_held_finish: leave the key as it is.
 */
#define MASSTREE_ACTION_KEEP 0

/**
 * Answer of an update callback, or action of masstree_held_finish: the key gets the value
 * that is stored in *value, or passed.
 */
#define MASSTREE_ACTION_SET 1

/**
 * Answer of an update callback, or action of masstree_held_finish: the key goes, if it is
 * there.
 */
#define MASSTREE_ACTION_REMOVE 2

/**
 * Decides what to do with a key, for masstree_update.
 *
 * @param present  The key's value, or NULL if the key is absent.
 * @param value    Where the new value goes, for MASSTREE_ACTION_SET.
 * @param ctx      What was passed to the update.
 *
 * @return MASSTREE_ACTION_KEEP, MASSTREE_ACTION_SET or MASSTREE_ACTION_REMOVE; or
 * a negative number to change nothing and end the update with that number as its
 * status.
 *
 * It is called once, under the lock of the key's leaf: be quick, wait for nothing
 * that another user of the tree may hold, and call no function on this tree (a
 * debug build of the library aborts if you do). It must return: no longjmp, no C++
 * exception, no pthread_exit. Memory for an insert has been reserved before the
 * call: after it nothing fails.
 */
typedef int32_t (*masstree_update_t)(const uint64_t *present, uint64_t *value, void *ctx);

/**
 * Gives a key another value, only if the key is there.
 *
 * @param tree     The tree.
 * @param guard    A guard of this tree, or NULL to be pinned for this call.
 * @param key      key_len bytes; NULL only if key_len is 0.
 * @param key_len  Length of the key in bytes, at most 2^32 - 1.
 * @param value    The value. It is the tree's if the answer is MASSTREE_OK, and was before
 *                 if it is MASSTREE_EXISTS.
 * @param old      Where the displaced value is stored (written only when the
 *                 answer is MASSTREE_OK); it is the caller's then, as in
 *                 masstree_exchange. NULL: not wanted, and the value destructor
 *                 is run for it once no reader can hold it.
 *
 * @retval MASSTREE_OK            Stored; *old is the value it displaced.
 * @retval MASSTREE_EXISTS        The key has this value already; nothing was changed.
 * @retval MASSTREE_NOT_FOUND     The key is not in the tree; nothing was changed.
 * @retval MASSTREE_INVALID       tree is NULL, or key is NULL with a length.
 * @retval MASSTREE_KEY_TOO_LONG  key_len is over 2^32 - 1.
 * @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
 * @retval MASSTREE_WRONG_KIND    The tree holds byte strings.
 * @retval MASSTREE_FORKED        The tree was made before a fork.
 *
 * A value that is stored where it is already is not displaced: it stays the tree's, and
 * *old is not written.
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
 * masstree_replace for an integer key (see masstree_get_u64).
 *
 * @param tree     The tree.
 * @param guard    A guard of this tree, or NULL to be pinned for this call.
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
 * @retval MASSTREE_FORKED        The tree was made before a fork.
 *
 * A value that is stored where it is already is not displaced: it stays the tree's, and
 * *old is not written.
 *
 * Thread safety: any thread. Since 0.1.
 */
int32_t masstree_replace_u64(masstree_t *tree,
                             masstree_guard_t *guard,
                             uint64_t key,
                             uint64_t value,
                             uint64_t *old);

/**
 * Gives a key the value `desired`, only if it has the value `expected`.
 *
 * @param tree     The tree.
 * @param guard    A guard of this tree, or NULL to be pinned for this call.
 * @param key      key_len bytes; NULL only if key_len is 0.
 * @param key_len  Length of the key in bytes, at most 2^32 - 1.
 * @param expected The value that the key must have.
 * @param desired  The value it gets. It is the tree's if the answer is MASSTREE_OK.
 * @param actual   Where the value that the key had is stored, when the answer is
 *                 MASSTREE_OK or MASSTREE_MISMATCH. With MASSTREE_OK it is the
 *                 displaced value (equal to `expected`, and not to `desired`), and
 *                 the caller's, as in masstree_exchange; with MASSTREE_MISMATCH it
 *                 stays the tree's.
 *                 NULL: not wanted, and the value destructor is run for a
 *                 displaced value once no reader can hold it.
 *
 * @retval MASSTREE_OK            The key had the value `expected` and has
 *                                `desired` now.
 * @retval MASSTREE_MISMATCH      The key has another value; nothing was changed.
 * @retval MASSTREE_NOT_FOUND     The key is not in the tree; nothing was changed.
 * @retval MASSTREE_INVALID       tree is NULL, or key is NULL with a length.
 * @retval MASSTREE_KEY_TOO_LONG  key_len is over 2^32 - 1.
 * @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
 * @retval MASSTREE_WRONG_KIND    The tree holds byte strings.
 * @retval MASSTREE_FORKED        The tree was made before a fork.
 *
 * A value that is stored where it is already is not displaced: it stays the tree's, and
 * *actual is not written.
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
 * masstree_compare_exchange for an integer key (see masstree_get_u64).
 *
 * @param tree     The tree.
 * @param guard    A guard of this tree, or NULL to be pinned for this call.
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
 * @retval MASSTREE_FORKED        The tree was made before a fork.
 *
 * A value that is stored where it is already is not displaced: it stays the tree's, and
 * *actual is not written.
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
 * @param guard    A guard of this tree, or NULL to be pinned for this call.
 * @param key      key_len bytes; NULL only if key_len is 0.
 * @param key_len  Length of the key in bytes, at most 2^32 - 1.
 * @param expected The value that the key must have.
 * @param actual   Where the value that the key had is stored, when the answer is
 *                 MASSTREE_OK or MASSTREE_MISMATCH. With MASSTREE_OK it is the
 *                 removed value (equal to `expected`), and the caller's, as in
 *                 masstree_remove; with MASSTREE_MISMATCH it stays the tree's.
 *                 NULL: not wanted, and the value destructor is run for a removed
 *                 value once no reader can hold it.
 *
 * @retval MASSTREE_OK            The key had the value `expected` and was removed.
 * @retval MASSTREE_MISMATCH      The key has another value; nothing was changed.
 * @retval MASSTREE_NOT_FOUND     The key is not in the tree.
 * @retval MASSTREE_INVALID       tree is NULL, or key is NULL with a length.
 * @retval MASSTREE_KEY_TOO_LONG  key_len is over 2^32 - 1.
 * @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
 * @retval MASSTREE_WRONG_KIND    The tree holds byte strings.
 * @retval MASSTREE_FORKED        The tree was made before a fork.
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
 * masstree_remove_if_equal for an integer key (see masstree_get_u64).
 *
 * @param tree     The tree.
 * @param guard    A guard of this tree, or NULL to be pinned for this call.
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
 * @retval MASSTREE_FORKED        The tree was made before a fork.
 *
 * Thread safety: any thread. Since 0.1.
 */
int32_t masstree_remove_if_equal_u64(masstree_t *tree,
                                     masstree_guard_t *guard,
                                     uint64_t key,
                                     uint64_t expected,
                                     uint64_t *actual);

/**
 * Looks at a key and changes it as a callback decides, with nothing in between:
 * increments, appends to lists, inserts-or-merges.
 *
 * @param tree     The tree.
 * @param guard    A guard of this tree, or NULL to be pinned for this call.
 * @param key      key_len bytes, copied by the tree; NULL only if key_len is 0.
 * @param key_len  Length of the key in bytes, at most 2^32 - 1.
 * @param update   Called once, under the lock of the key's leaf: see
 *                 masstree_update_t.
 * @param ctx      Handed to update.
 * @param old      Where a value that was displaced or removed is stored; it is the
 *                 caller's then, as in masstree_exchange. Written only if update
 *                 saw a value and answered MASSTREE_ACTION_SET with another or
 *                 MASSTREE_ACTION_REMOVE. NULL: not wanted, and the value
 *                 destructor is run for it once no reader can hold it.
 *
 * @retval MASSTREE_OK            What the callback answered was done.
 * @retval MASSTREE_INVALID       tree or update is NULL, or key is NULL with a length.
 * @retval MASSTREE_NOMEM         Out of memory; the tree is unchanged.
 * @retval MASSTREE_KEY_TOO_LONG  key_len is over 2^32 - 1.
 * @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
 * @retval MASSTREE_WRONG_KIND    The tree holds byte strings.
 * @retval MASSTREE_FORKED        The tree was made before a fork.
 * @return A negative number that the callback answered; nothing was changed.
 *
 * MASSTREE_INVALID is also the status when the callback answers a positive number
 * that is no answer; nothing was changed then. Memory is reserved before the
 * callback runs: MASSTREE_NOMEM means that it was not called.
 *
 * A value that is stored where it is already is not displaced: it stays the tree's, and
 * *old is not written.
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
 * masstree_update for an integer key (see masstree_get_u64).
 *
 * @param tree     The tree.
 * @param guard    A guard of this tree, or NULL to be pinned for this call.
 * @param key      The key.
 * @param update   As in masstree_update.
 * @param ctx      As in masstree_update.
 * @param old      As in masstree_update.
 *
 * @retval MASSTREE_OK            What the callback answered was done.
 * @retval MASSTREE_INVALID       tree or update is NULL.
 * @retval MASSTREE_NOMEM         Out of memory; the tree is unchanged.
 * @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
 * @retval MASSTREE_WRONG_KIND    The tree holds byte strings.
 * @retval MASSTREE_FORKED        The tree was made before a fork.
 * @return A negative number that the callback answered; nothing was changed.
 *
 * MASSTREE_INVALID is also the status when the callback answers a positive number
 * that is no answer; nothing was changed then. Memory is reserved before the
 * callback runs: MASSTREE_NOMEM means that it was not called.
 *
 * A value that is stored where it is already is not displaced: it stays the tree's, and
 * *old is not written.
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
 * Makes the value of an absent key, for masstree_get_or_insert_with.
 *
 * @param value  Where the value goes.
 * @param ctx    What was passed with the callback.
 *
 * @return MASSTREE_OK if *value is to be inserted; or a negative number to change
 * nothing and end the call with that number as its status.
 *
 * It is called at most once, under the lock of the key's leaf; the rules of
 * masstree_update_t apply.
 */
typedef int32_t (*masstree_make_value_t)(uint64_t *value, void *ctx);

/**
 * Gives the value of a key, which is made and inserted if the key is absent.
 *
 * @param tree     The tree.
 * @param guard    A guard of this tree, or NULL to be pinned for this call.
 * @param key      key_len bytes, copied by the tree; NULL only if key_len is 0.
 * @param key_len  Length of the key in bytes, at most 2^32 - 1.
 * @param make     Called if the key is absent, once, under the lock of the key's
 *                 leaf: see masstree_make_value_t.
 * @param ctx      Handed to make.
 * @param value    Where the key's value is stored, the one there or the one made;
 *                 it is the tree's. NULL: not wanted.
 *
 * @retval MASSTREE_OK            The key was absent; *value was made and inserted.
 * @retval MASSTREE_EXISTS        The key was there; *value is its value.
 * @retval MASSTREE_INVALID       tree or make is NULL, or key is NULL with a length.
 * @retval MASSTREE_NOMEM         Out of memory; the tree is unchanged.
 * @retval MASSTREE_KEY_TOO_LONG  key_len is over 2^32 - 1.
 * @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
 * @retval MASSTREE_WRONG_KIND    The tree holds byte strings.
 * @retval MASSTREE_FORKED        The tree was made before a fork.
 * @return A negative number that the callback answered; nothing was changed.
 *
 * MASSTREE_INVALID is also the status when the callback answers a positive number;
 * nothing was changed then.
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
 * masstree_get_or_insert_with for an integer key (see masstree_get_u64).
 *
 * @param tree     The tree.
 * @param guard    A guard of this tree, or NULL to be pinned for this call.
 * @param key      The key.
 * @param make     As in masstree_get_or_insert_with.
 * @param ctx      As in masstree_get_or_insert_with.
 * @param value    As in masstree_get_or_insert_with.
 *
 * @retval MASSTREE_OK            The key was absent; *value was made and inserted.
 * @retval MASSTREE_EXISTS        The key was there; *value is its value.
 * @retval MASSTREE_INVALID       tree or make is NULL.
 * @retval MASSTREE_NOMEM         Out of memory; the tree is unchanged.
 * @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
 * @retval MASSTREE_WRONG_KIND    The tree holds byte strings.
 * @retval MASSTREE_FORKED        The tree was made before a fork.
 * @return A negative number that the callback answered; nothing was changed.
 *
 * MASSTREE_INVALID is also the status when the callback answers a positive number;
 * nothing was changed then.
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
 * Values that are byte strings
 * ============================================================================ */

/**
 * Some bytes: a key or a value.
 */
typedef struct {
    /**
     * The bytes; NULL only if len is 0.
     */
    const void *data;
    /**
     * Their number.
     */
    size_t len;
} masstree_slice_t;

/**
 * Gives the value of a key, without copying it.
 *
 * @param tree     The tree.
 * @param guard    A guard of this tree; not NULL, for the value stays readable only
 *                 while it is held.
 * @param key      key_len bytes; NULL only if key_len is 0.
 * @param key_len  Length of the key in bytes, at most 2^32 - 1.
 * @param value    Where the value is stored, a slice of the tree's memory: readable,
 *                 and unchanged whatever becomes of the key, until the guard is
 *                 refreshed or left. NULL: not wanted.
 *
 * @retval MASSTREE_OK            Found; *value is the key's value.
 * @retval MASSTREE_NOT_FOUND     The key is not in the tree.
 * @retval MASSTREE_INVALID       tree or guard is NULL, or key is NULL with a length.
 * @retval MASSTREE_KEY_TOO_LONG  key_len is over 2^32 - 1.
 * @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
 * @retval MASSTREE_WRONG_KIND    The tree holds words.
 * @retval MASSTREE_FORKED        The tree was made before a fork.
 *
 * Thread safety: any thread; takes no lock. Since 0.1.
 */
int32_t masstree_get_bytes(const masstree_t *tree,
                           masstree_guard_t *guard,
                           const void *key,
                           size_t key_len,
                           masstree_slice_t *value);

/**
 * Copies the value of a key to a buffer of the caller's.
 *
 * @param tree      The tree.
 * @param guard     A guard of this tree, or NULL to be pinned for this call.
 * @param key       key_len bytes; NULL only if key_len is 0.
 * @param key_len   Length of the key in bytes, at most 2^32 - 1.
 * @param buffer    Where the value is copied to; NULL only if capacity is 0.
 * @param capacity  Bytes that the buffer has room for.
 * @param len       Where the value's length in bytes is stored, also when the answer
 *                  is MASSTREE_TOO_SMALL: call with capacity 0 to ask for it. NULL:
 *                  not wanted.
 *
 * @retval MASSTREE_OK            Found; the whole value is in the buffer.
 * @retval MASSTREE_NOT_FOUND     The key is not in the tree.
 * @retval MASSTREE_INVALID       tree is NULL, or key or buffer is NULL with a length.
 * @retval MASSTREE_KEY_TOO_LONG  key_len is over 2^32 - 1.
 * @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
 * @retval MASSTREE_WRONG_KIND    The tree holds words.
 * @retval MASSTREE_FORKED        The tree was made before a fork.
 * @retval MASSTREE_TOO_SMALL     Found, but *len is over capacity; nothing was copied.
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
 * Stores a copy of a value under a key, whether the key is there or not.
 *
 * @param tree       The tree.
 * @param guard      A guard of this tree, or NULL to be pinned for this call.
 * @param key        key_len bytes, copied by the tree; NULL only if key_len is 0.
 * @param key_len    Length of the key in bytes, at most 2^32 - 1.
 * @param value      value_len bytes, copied by the tree; NULL only if value_len is 0.
 * @param value_len  Length of the value in bytes.
 *
 * @retval MASSTREE_OK            Stored. A value it displaced is freed once no reader
 *                                can hold it.
 * @retval MASSTREE_INVALID       tree is NULL, or key or value is NULL with a length,
 *                                or value_len is over SIZE_MAX / 2.
 * @retval MASSTREE_NOMEM         Out of memory; the tree is unchanged.
 * @retval MASSTREE_KEY_TOO_LONG  key_len is over 2^32 - 1.
 * @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
 * @retval MASSTREE_WRONG_KIND    The tree holds words.
 * @retval MASSTREE_FORKED        The tree was made before a fork.
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
 * Stores a copy of a value under a key and gives the value that was there.
 *
 * @param tree       The tree.
 * @param guard      A guard of this tree, or, if old is NULL, NULL to be pinned for
 *                   this call.
 * @param key        key_len bytes, copied by the tree; NULL only if key_len is 0.
 * @param key_len    Length of the key in bytes, at most 2^32 - 1.
 * @param value      value_len bytes, copied by the tree; NULL only if value_len is 0.
 * @param value_len  Length of the value in bytes.
 * @param old        Where the displaced value is stored (written only when the answer
 *                   is MASSTREE_OK), readable until the guard is refreshed or left;
 *                   the tree frees it. NULL: not wanted.
 *
 * @retval MASSTREE_OK            Stored; *old is the value it displaced.
 * @retval MASSTREE_NOT_FOUND     Stored; the key was new.
 * @retval MASSTREE_INVALID       As in masstree_put_bytes; or old is not NULL and guard
 *                                is.
 * @retval MASSTREE_NOMEM         Out of memory; the tree is unchanged.
 * @retval MASSTREE_KEY_TOO_LONG  key_len is over 2^32 - 1.
 * @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
 * @retval MASSTREE_WRONG_KIND    The tree holds words.
 * @retval MASSTREE_FORKED        The tree was made before a fork.
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
 * Removes a key and gives the value it had.
 *
 * @param tree     The tree.
 * @param guard    A guard of this tree, or, if old is NULL, NULL to be pinned for this
 *                 call.
 * @param key      key_len bytes; NULL only if key_len is 0.
 * @param key_len  Length of the key in bytes, at most 2^32 - 1.
 * @param old      As in masstree_exchange_bytes.
 *
 * @retval MASSTREE_OK            Removed; *old is the value it had.
 * @retval MASSTREE_NOT_FOUND     The key was not in the tree.
 * @retval MASSTREE_INVALID       tree is NULL; key is NULL with a length; or old is not
 *                                NULL and guard is.
 * @retval MASSTREE_KEY_TOO_LONG  key_len is over 2^32 - 1.
 * @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
 * @retval MASSTREE_WRONG_KIND    The tree holds words.
 * @retval MASSTREE_FORKED        The tree was made before a fork.
 *
 * Thread safety: any thread. Since 0.1.
 */
int32_t masstree_remove_bytes(masstree_t *tree,
                              masstree_guard_t *guard,
                              const void *key,
                              size_t key_len,
                              masstree_slice_t *old);

/**
 * Stores a copy of a value under a key only if the key is absent.
 *
 * @param tree       The tree.
 * @param guard      A guard of this tree, or, if present is NULL, NULL to be pinned for
 *                   this call.
 * @param key        key_len bytes, copied by the tree; NULL only if key_len is 0.
 * @param key_len    Length of the key in bytes, at most 2^32 - 1.
 * @param value      value_len bytes, copied by the tree; NULL only if value_len is 0.
 * @param value_len  Length of the value in bytes.
 * @param present    Where the value already there is stored (written only when the
 *                   answer is MASSTREE_EXISTS), readable until the guard is refreshed
 *                   or left. NULL: not wanted.
 *
 * @retval MASSTREE_OK            Stored; the key was absent.
 * @retval MASSTREE_EXISTS        Nothing was changed; *present is the value under the
 *                                key.
 * @retval MASSTREE_INVALID       As in masstree_put_bytes; or present is not NULL and
 *                                guard is.
 * @retval MASSTREE_NOMEM         Out of memory; the tree is unchanged.
 * @retval MASSTREE_KEY_TOO_LONG  key_len is over 2^32 - 1.
 * @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
 * @retval MASSTREE_WRONG_KIND    The tree holds words.
 * @retval MASSTREE_FORKED        The tree was made before a fork.
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
 * Gives a key a copy of another value, only if the key is there.
 *
 * @param tree       The tree.
 * @param guard      A guard of this tree, or, if old is NULL, NULL to be pinned for
 *                   this call.
 * @param key        key_len bytes; NULL only if key_len is 0.
 * @param key_len    Length of the key in bytes, at most 2^32 - 1.
 * @param value      value_len bytes, copied by the tree; NULL only if value_len is 0.
 * @param value_len  Length of the value in bytes.
 * @param old        As in masstree_exchange_bytes.
 *
 * @retval MASSTREE_OK            Stored; *old is the value it displaced.
 * @retval MASSTREE_NOT_FOUND     Nothing was changed; the key is not in the tree.
 * @retval MASSTREE_INVALID       As in masstree_exchange_bytes.
 * @retval MASSTREE_NOMEM         Out of memory; the tree is unchanged.
 * @retval MASSTREE_KEY_TOO_LONG  key_len is over 2^32 - 1.
 * @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
 * @retval MASSTREE_WRONG_KIND    The tree holds words.
 * @retval MASSTREE_FORKED        The tree was made before a fork.
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
 * Gives a key a copy of another value, only if its value equals an expected one byte
 * for byte.
 *
 * @param tree      The tree.
 * @param guard     A guard of this tree, or, if present is NULL, NULL to be pinned for
 *                  this call.
 * @param key       key_len bytes; NULL only if key_len is 0.
 * @param key_len   Length of the key in bytes, at most 2^32 - 1.
 * @param expected  The value that is expected.
 * @param desired   The value to be stored, copied by the tree.
 * @param present   Where the value that is there instead is stored (written only when
 *                  the answer is MASSTREE_MISMATCH), readable until the guard is
 *                  refreshed or left. NULL: not wanted.
 *
 * @retval MASSTREE_OK            The value was the expected one, and was exchanged.
 * @retval MASSTREE_NOT_FOUND     Nothing was changed; the key is not in the tree.
 * @retval MASSTREE_MISMATCH      Nothing was changed; *present is the key's value.
 * @retval MASSTREE_INVALID       tree is NULL; key, or the data of expected or desired,
 *                                is NULL with a length; a value's length is over
 *                                SIZE_MAX / 2; or present is not NULL and guard is.
 * @retval MASSTREE_NOMEM         Out of memory; the tree is unchanged.
 * @retval MASSTREE_KEY_TOO_LONG  key_len is over 2^32 - 1.
 * @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
 * @retval MASSTREE_WRONG_KIND    The tree holds words.
 * @retval MASSTREE_FORKED        The tree was made before a fork.
 *
 * Thread safety: any thread. Since 0.1.
 */
int32_t masstree_compare_exchange_bytes(masstree_t *tree,
                                        masstree_guard_t *guard,
                                        const void *key,
                                        size_t key_len,
                                        masstree_slice_t expected,
                                        masstree_slice_t desired,
                                        masstree_slice_t *present);

/**
 * Removes a key only if its value equals an expected one byte for byte.
 *
 * @param tree      The tree.
 * @param guard     A guard of this tree, or, if present is NULL, NULL to be pinned for
 *                  this call.
 * @param key       key_len bytes; NULL only if key_len is 0.
 * @param key_len   Length of the key in bytes, at most 2^32 - 1.
 * @param expected  The value that is expected.
 * @param present   As in masstree_compare_exchange_bytes.
 *
 * @retval MASSTREE_OK            The value was the expected one; the key was removed.
 * @retval MASSTREE_NOT_FOUND     The key was not in the tree.
 * @retval MASSTREE_MISMATCH      Nothing was changed; *present is the key's value.
 * @retval MASSTREE_INVALID       tree is NULL; key, or the data of expected, is NULL
 *                                with a length; its length is over SIZE_MAX / 2; or
 *                                present is not NULL and guard is.
 * @retval MASSTREE_KEY_TOO_LONG  key_len is over 2^32 - 1.
 * @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
 * @retval MASSTREE_WRONG_KIND    The tree holds words.
 * @retval MASSTREE_FORKED        The tree was made before a fork.
 *
 * Thread safety: any thread. Since 0.1.
 */
int32_t masstree_remove_if_equal_bytes(masstree_t *tree,
                                       masstree_guard_t *guard,
                                       const void *key,
                                       size_t key_len,
                                       masstree_slice_t expected,
                                       masstree_slice_t *present);

/* ============================================================================
 * Cursors
 * ============================================================================ */

/**
 * How masstree_cursor_seek looks: for the first key that is not smaller.
 */
#define MASSTREE_SEEK_GE 0

/**
 * How masstree_cursor_seek looks: for the first key that is greater.
 */
#define MASSTREE_SEEK_GT 1

/**
 * How masstree_cursor_seek looks: for the last key that is not greater.
 */
#define MASSTREE_SEEK_LE 2

/**
 * How masstree_cursor_seek looks: for the last key that is smaller.
 */
#define MASSTREE_SEEK_LT 3

/**
 * A place in a tree, from which one goes on key by key in either direction.
 *
 * Made by masstree_cursor_open, freed by masstree_cursor_close. It works under the
 * guard it was opened with, or under one of its own. Close it before that guard is
 * left; the guard may be refreshed. A cursor is used by one thread at a time, the one
 * that uses its guard at present.
 *
 * Each step shows what is in the tree at that moment, whatever was put or removed
 * since the step before, by whomever: the first key after, or before, the one the
 * cursor is at, whether that is still there or not. A step costs one and a half to four
 * times what a key costs in a scan, one of masstree_cursor_next_many at most twice as
 * much as there; the first step after a change nearby, or after the guard was refreshed, as much as
 * a look-up.
 *
 * A call that fails, or answers MASSTREE_END, leaves the cursor where it was.
 */
typedef struct masstree_cursor_t masstree_cursor_t;

/**
 * Makes a cursor, which is at no key yet: masstree_cursor_next goes to the first key,
 * masstree_cursor_prev to the last.
 *
 * @param tree    The tree.
 * @param guard   A guard of this tree, which stays the caller's and must outlive the
 *                cursor; or NULL: the cursor has a guard of its own (see
 *                masstree_cursor_refresh).
 * @param cursor  Where the cursor is stored; it is the caller's, who frees it with
 *                masstree_cursor_close.
 *
 * @retval MASSTREE_OK          *cursor is a new cursor.
 * @retval MASSTREE_INVALID     tree or cursor is NULL.
 * @retval MASSTREE_NOMEM       Out of memory.
 * @retval MASSTREE_WRONG_TREE  The guard belongs to another tree.
 * @retval MASSTREE_FORKED      The tree was made before a fork.
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
 * Thread safety: the thread that uses the cursor at present. Since 0.1.
 */
void masstree_cursor_close(masstree_cursor_t *cursor);

/**
 * Lets go of everything a cursor with a guard of its own has read so far, as
 * masstree_guard_refresh does; the cursor stays at its key. For cursors that are kept
 * for long. With a guard that is not its own it does nothing: refresh that.
 *
 * @param cursor  The cursor; NULL does nothing.
 *
 * Thread safety: the thread that uses the cursor at present. Since 0.1.
 */
void masstree_cursor_refresh(masstree_cursor_t *cursor);

/**
 * Goes to the key nearest to a given one.
 *
 * @param cursor   The cursor.
 * @param key      key_len bytes; NULL only if key_len is 0. It may be the cursor's own
 *                 key.
 * @param key_len  Length of the key in bytes, at most 2^32 - 1.
 * @param how      MASSTREE_SEEK_GE, MASSTREE_SEEK_GT, MASSTREE_SEEK_LE or
 *                 MASSTREE_SEEK_LT.
 *
 * @retval MASSTREE_OK            The cursor is at the key looked for.
 * @retval MASSTREE_END           There is none.
 * @retval MASSTREE_INVALID       cursor is NULL, key is NULL with a length, or how is
 *                                unknown.
 * @retval MASSTREE_NOMEM         Out of memory for the key's copy.
 * @retval MASSTREE_KEY_TOO_LONG  key_len is over 2^32 - 1.
 * @retval MASSTREE_FORKED        The tree was made before a fork.
 *
 * Thread safety: the thread that uses the cursor at present. Since 0.1.
 */
int32_t masstree_cursor_seek(masstree_cursor_t *cursor,
                             const void *key,
                             size_t key_len,
                             uint32_t how);

/**
 * masstree_cursor_seek for an integer key (see masstree_get_u64).
 *
 * @param cursor  The cursor.
 * @param key     The key.
 * @param how     As in masstree_cursor_seek.
 *
 * @retval MASSTREE_OK       The cursor is at the key looked for.
 * @retval MASSTREE_END      There is none.
 * @retval MASSTREE_INVALID  cursor is NULL, or how is unknown.
 * @retval MASSTREE_NOMEM    Out of memory for the key's copy.
 * @retval MASSTREE_FORKED   The tree was made before a fork.
 *
 * Thread safety: the thread that uses the cursor at present. Since 0.1.
 */
int32_t masstree_cursor_seek_u64(masstree_cursor_t *cursor, uint64_t key, uint32_t how);

/**
 * Goes to the first key of the tree.
 *
 * @param cursor  The cursor.
 *
 * @retval MASSTREE_OK       The cursor is at the first key.
 * @retval MASSTREE_END      The tree is empty.
 * @retval MASSTREE_INVALID  cursor is NULL.
 * @retval MASSTREE_NOMEM    Out of memory for the key's copy.
 * @retval MASSTREE_FORKED   The tree was made before a fork.
 *
 * Thread safety: the thread that uses the cursor at present. Since 0.1.
 */
int32_t masstree_cursor_first(masstree_cursor_t *cursor);

/**
 * Goes to the last key of the tree.
 *
 * @param cursor  The cursor.
 *
 * @retval MASSTREE_OK       The cursor is at the last key.
 * @retval MASSTREE_END      The tree is empty.
 * @retval MASSTREE_INVALID  cursor is NULL.
 * @retval MASSTREE_NOMEM    Out of memory for the key's copy.
 * @retval MASSTREE_FORKED   The tree was made before a fork.
 *
 * Thread safety: the thread that uses the cursor at present. Since 0.1.
 */
int32_t masstree_cursor_last(masstree_cursor_t *cursor);

/**
 * Goes on to the next greater key.
 *
 * @param cursor  The cursor.
 *
 * @retval MASSTREE_OK       The cursor is at the next key.
 * @retval MASSTREE_END      There is none; there may be one later.
 * @retval MASSTREE_INVALID  cursor is NULL.
 * @retval MASSTREE_NOMEM    Out of memory for the key's copy.
 * @retval MASSTREE_FORKED   The tree was made before a fork.
 *
 * Thread safety: the thread that uses the cursor at present. Since 0.1.
 */
int32_t masstree_cursor_next(masstree_cursor_t *cursor);

/**
 * Goes on to the next smaller key.
 *
 * @param cursor  The cursor.
 *
 * @retval MASSTREE_OK       The cursor is at the previous key.
 * @retval MASSTREE_END      There is none; there may be one later.
 * @retval MASSTREE_INVALID  cursor is NULL.
 * @retval MASSTREE_NOMEM    Out of memory for the key's copy.
 * @retval MASSTREE_FORKED   The tree was made before a fork.
 *
 * Thread safety: the thread that uses the cursor at present. Since 0.1.
 */
int32_t masstree_cursor_prev(masstree_cursor_t *cursor);

/**
 * Gives the key that a cursor is at.
 *
 * @param cursor  The cursor.
 * @param key     Where the key is stored: bytes of the cursor's, valid until the next
 *                call that moves or closes it. NULL: not wanted.
 *
 * @retval MASSTREE_OK         *key is the key, which may have been removed since.
 * @retval MASSTREE_NOT_FOUND  The cursor has been at no key yet.
 * @retval MASSTREE_INVALID    cursor is NULL.
 * @retval MASSTREE_FORKED     The tree was made before a fork.
 *
 * Thread safety: the thread that uses the cursor at present. Since 0.1.
 */
int32_t masstree_cursor_key(masstree_cursor_t *cursor, masstree_slice_t *key);

/**
 * Gives the value of the key that a cursor is at.
 *
 * @param cursor  The cursor.
 * @param value   Where the value is stored, as it was when the cursor came to the key;
 *                or, if its guard was refreshed since, as it is now. NULL: not wanted.
 *
 * @retval MASSTREE_OK          *value is the value.
 * @retval MASSTREE_NOT_FOUND   The cursor has been at no key yet; or the key was removed
 *                              before the guard was refreshed.
 * @retval MASSTREE_INVALID     cursor is NULL.
 * @retval MASSTREE_WRONG_KIND  The tree holds byte strings.
 * @retval MASSTREE_FORKED      The tree was made before a fork.
 *
 * If the value is a pointer and the tree has a value destructor, what it points to is
 * not destroyed before the cursor's guard is refreshed or left.
 *
 * Thread safety: the thread that uses the cursor at present. Since 0.1.
 */
int32_t masstree_cursor_value(masstree_cursor_t *cursor, uint64_t *value);

/**
 * Gives the value of the key that a cursor is at, in a tree of byte strings.
 *
 * @param cursor  The cursor.
 * @param value   Where the value is stored, as in masstree_cursor_value: a slice of the
 *                tree's memory, readable until the cursor's guard is refreshed or left.
 *                NULL: not wanted.
 *
 * @retval MASSTREE_OK          *value is the value.
 * @retval MASSTREE_NOT_FOUND   The cursor has been at no key yet; or the key was removed
 *                              before the guard was refreshed.
 * @retval MASSTREE_INVALID     cursor is NULL.
 * @retval MASSTREE_WRONG_KIND  The tree holds words.
 * @retval MASSTREE_FORKED      The tree was made before a fork.
 *
 * Thread safety: the thread that uses the cursor at present. Since 0.1.
 */
int32_t masstree_cursor_value_bytes(masstree_cursor_t *cursor, masstree_slice_t *value);

/**
 * Goes on to the next greater key several times, and stores the keys and values met.
 * The cursor is at the last of them then.
 *
 * @param cursor    The cursor.
 * @param keys      Where the keys are stored, in order: bytes of the cursor's, valid
 *                  until the next call that moves or closes it. NULL: not wanted.
 * @param values    Where the values are stored, as masstree_cursor_value gives them.
 *                  NULL: not wanted.
 * @param capacity  How many keys and values there is room for, at least 1.
 * @param count     Where their number is stored, also when the answer is MASSTREE_END
 *                  (0); less than capacity where the keys end or memory runs out. NULL:
 *                  not wanted.
 *
 * @retval MASSTREE_OK          *count is at least 1.
 * @retval MASSTREE_END         There is no next key; there may be one later.
 * @retval MASSTREE_INVALID     cursor is NULL, or capacity is 0.
 * @retval MASSTREE_NOMEM       Out of memory for the copy of the first key.
 * @retval MASSTREE_WRONG_KIND  The tree holds byte strings, and values is not NULL.
 * @retval MASSTREE_FORKED      The tree was made before a fork.
 *
 * Thread safety: the thread that uses the cursor at present. Since 0.1.
 */
int32_t masstree_cursor_next_many(masstree_cursor_t *cursor,
                                  masstree_slice_t *keys,
                                  uint64_t *values,
                                  size_t capacity,
                                  size_t *count);

/**
 * masstree_cursor_next_many in the other direction: to the next smaller key several
 * times.
 *
 * @param cursor    The cursor.
 * @param keys      As in masstree_cursor_next_many.
 * @param values    As in masstree_cursor_next_many.
 * @param capacity  As in masstree_cursor_next_many.
 * @param count     As in masstree_cursor_next_many.
 *
 * @retval MASSTREE_OK          *count is at least 1.
 * @retval MASSTREE_END         There is no smaller key; there may be one later.
 * @retval MASSTREE_INVALID     cursor is NULL, or capacity is 0.
 * @retval MASSTREE_NOMEM       Out of memory for the copy of the first key.
 * @retval MASSTREE_WRONG_KIND  The tree holds byte strings, and values is not NULL.
 * @retval MASSTREE_FORKED      The tree was made before a fork.
 *
 * Thread safety: the thread that uses the cursor at present. Since 0.1.
 */
int32_t masstree_cursor_prev_many(masstree_cursor_t *cursor,
                                  masstree_slice_t *keys,
                                  uint64_t *values,
                                  size_t capacity,
                                  size_t *count);

/**
 * masstree_cursor_next_many for a tree of byte strings.
 *
 * @param cursor    The cursor.
 * @param keys      As in masstree_cursor_next_many.
 * @param values    Where the values are stored, as masstree_cursor_value_bytes gives
 *                  them. NULL: not wanted.
 * @param capacity  As in masstree_cursor_next_many.
 * @param count     As in masstree_cursor_next_many.
 *
 * @retval MASSTREE_OK          *count is at least 1.
 * @retval MASSTREE_END         There is no next key; there may be one later.
 * @retval MASSTREE_INVALID     cursor is NULL, or capacity is 0.
 * @retval MASSTREE_NOMEM       Out of memory for the copy of the first key.
 * @retval MASSTREE_WRONG_KIND  The tree holds words.
 * @retval MASSTREE_FORKED      The tree was made before a fork.
 *
 * Thread safety: the thread that uses the cursor at present. Since 0.1.
 */
int32_t masstree_cursor_next_many_bytes(masstree_cursor_t *cursor,
                                        masstree_slice_t *keys,
                                        masstree_slice_t *values,
                                        size_t capacity,
                                        size_t *count);

/**
 * masstree_cursor_prev_many for a tree of byte strings.
 *
 * @param cursor    The cursor.
 * @param keys      As in masstree_cursor_next_many.
 * @param values    As in masstree_cursor_next_many_bytes.
 * @param capacity  As in masstree_cursor_next_many.
 * @param count     As in masstree_cursor_next_many.
 *
 * @retval MASSTREE_OK          *count is at least 1.
 * @retval MASSTREE_END         There is no smaller key; there may be one later.
 * @retval MASSTREE_INVALID     cursor is NULL, or capacity is 0.
 * @retval MASSTREE_NOMEM       Out of memory for the copy of the first key.
 * @retval MASSTREE_WRONG_KIND  The tree holds words.
 * @retval MASSTREE_FORKED      The tree was made before a fork.
 *
 * Thread safety: the thread that uses the cursor at present. Since 0.1.
 */
int32_t masstree_cursor_prev_many_bytes(masstree_cursor_t *cursor,
                                        masstree_slice_t *keys,
                                        masstree_slice_t *values,
                                        size_t capacity,
                                        size_t *count);

/* ============================================================================
 * Many keys at once
 * ============================================================================ */

/**
 * Looks several keys up.
 *
 * @param tree      The tree.
 * @param guard     A guard of this tree, or NULL to be pinned for this call.
 * @param keys      count keys, as masstree_get takes them; NULL only if count is 0.
 * @param count     How many keys.
 * @param values    Where the values are stored, each at its key's place; those of keys
 *                  that are not found are not written. NULL: not wanted.
 * @param statuses  Where what masstree_get would answer is stored for each key. NULL:
 *                  not wanted.
 *
 * @retval MASSTREE_OK            Every key was looked up; its status says whether it was
 *                                found.
 * @retval MASSTREE_INVALID       tree is NULL, or keys is NULL with a count: nothing
 *                                was done, and no status is stored. Or a key is NULL
 *                                with a length; the others were looked up.
 * @retval MASSTREE_KEY_TOO_LONG  A key is over 2^32 - 1 bytes; the others were looked
 *                                up.
 * @retval MASSTREE_WRONG_TREE    The guard belongs to another tree; nothing was done.
 * @retval MASSTREE_WRONG_KIND    The tree holds byte strings; nothing was done.
 * @retval MASSTREE_FORKED        The tree was made before a fork; nothing was done.
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
 * masstree_get_many for integer keys (see masstree_get_u64).
 *
 * @param tree      The tree.
 * @param guard     A guard of this tree, or NULL to be pinned for this call.
 * @param keys      The first key, a uint64_t, at any alignment; NULL only if count is 0.
 * @param stride    Bytes from one key to the next, at least 8: the size of what they
 *                  are part of.
 * @param count     How many keys.
 * @param values    As in masstree_get_many.
 * @param statuses  As in masstree_get_many.
 *
 * @retval MASSTREE_OK          Every key was looked up; its status says whether it was
 *                              found.
 * @retval MASSTREE_INVALID     tree is NULL, keys is NULL with a count, or stride is
 *                              below 8; nothing was done.
 * @retval MASSTREE_WRONG_TREE  The guard belongs to another tree; nothing was done.
 * @retval MASSTREE_WRONG_KIND  The tree holds byte strings; nothing was done.
 * @retval MASSTREE_FORKED      The tree was made before a fork; nothing was done.
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
 * masstree_get_many for a tree of byte strings.
 *
 * @param tree      The tree.
 * @param guard     A guard of this tree; not NULL, for the values stay readable only
 *                  while it is held.
 * @param keys      As in masstree_get_many.
 * @param count     How many keys.
 * @param values    Where the values are stored, as masstree_get_bytes gives them; those
 *                  of keys that are not found are not written. NULL: not wanted.
 * @param statuses  As in masstree_get_many.
 *
 * @retval MASSTREE_OK            Every key was looked up; its status says whether it was
 *                                found.
 * @retval MASSTREE_INVALID       tree or guard is NULL, or keys is NULL with a count:
 *                                nothing was done, and no status is stored. Or a key is
 *                                NULL with a length; the others were looked up.
 * @retval MASSTREE_KEY_TOO_LONG  A key is over 2^32 - 1 bytes; the others were looked
 *                                up.
 * @retval MASSTREE_WRONG_TREE    The guard belongs to another tree; nothing was done.
 * @retval MASSTREE_WRONG_KIND    The tree holds words; nothing was done.
 * @retval MASSTREE_FORKED        The tree was made before a fork; nothing was done.
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
 * Stores several values, in the order of the arrays: of equal keys the last wins.
 *
 * @param tree      The tree.
 * @param guard     A guard of this tree, or NULL to be pinned for this call.
 * @param keys      count keys, as masstree_put takes them; NULL only if count is 0.
 * @param values    Their values; NULL only if count is 0.
 * @param count     How many keys.
 * @param statuses  Where what masstree_put would answer is stored for each key. NULL:
 *                  not wanted.
 *
 * @retval MASSTREE_OK            Everything was stored.
 * @retval MASSTREE_INVALID       tree is NULL, or keys or values is NULL with a count:
 *                                nothing was done, and no status is stored. Or a key is
 *                                NULL with a length; the others were tried.
 * @retval MASSTREE_NOMEM         Out of memory for some item, which is as before; the
 *                                others were tried.
 * @retval MASSTREE_KEY_TOO_LONG  A key is over 2^32 - 1 bytes; the others were tried.
 * @retval MASSTREE_WRONG_TREE    The guard belongs to another tree; nothing was done.
 * @retval MASSTREE_WRONG_KIND    The tree holds byte strings; nothing was done.
 * @retval MASSTREE_FORKED        The tree was made before a fork; nothing was done.
 *
 * Of several errors the first is answered.
 *
 * A value that is stored where it is already is not displaced: it stays the tree's.
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
 * masstree_put_many for integer keys (see masstree_get_u64).
 *
 * @param tree      The tree.
 * @param guard     A guard of this tree, or NULL to be pinned for this call.
 * @param keys      As in masstree_get_many_u64.
 * @param stride    As in masstree_get_many_u64.
 * @param values    Their values; NULL only if count is 0.
 * @param count     How many keys.
 * @param statuses  As in masstree_put_many.
 *
 * @retval MASSTREE_OK          Everything was stored.
 * @retval MASSTREE_INVALID     tree is NULL, keys or values is NULL with a count, or
 *                              stride is below 8; nothing was done.
 * @retval MASSTREE_NOMEM       Out of memory for some item, which is as before; the
 *                              others were tried.
 * @retval MASSTREE_WRONG_TREE  The guard belongs to another tree; nothing was done.
 * @retval MASSTREE_WRONG_KIND  The tree holds byte strings; nothing was done.
 * @retval MASSTREE_FORKED      The tree was made before a fork; nothing was done.
 *
 * A value that is stored where it is already is not displaced: it stays the tree's.
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
 * masstree_put_many for a tree of byte strings.
 *
 * @param tree      The tree.
 * @param guard     A guard of this tree, or NULL to be pinned for this call.
 * @param keys      As in masstree_put_many.
 * @param values    Their values, which are copied; NULL only if count is 0.
 * @param count     How many keys.
 * @param statuses  Where what masstree_put_bytes would answer is stored for each key.
 *                  NULL: not wanted.
 *
 * @retval MASSTREE_OK            Everything was stored.
 * @retval MASSTREE_INVALID       As in masstree_put_many; for values as for keys.
 * @retval MASSTREE_NOMEM         Out of memory for some item, which is as before; the
 *                                others were tried.
 * @retval MASSTREE_KEY_TOO_LONG  A key is over 2^32 - 1 bytes; the others were tried.
 * @retval MASSTREE_WRONG_TREE    The guard belongs to another tree; nothing was done.
 * @retval MASSTREE_WRONG_KIND    The tree holds words; nothing was done.
 * @retval MASSTREE_FORKED        The tree was made before a fork; nothing was done.
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
 * Stores several values, each only if its key is absent, in the order of the arrays:
 * of equal keys the first wins.
 *
 * @param tree      The tree.
 * @param guard     A guard of this tree, or NULL to be pinned for this call.
 * @param keys      count keys, as masstree_insert takes them; NULL only if count is 0.
 * @param values    Their values; NULL only if count is 0. Those are the tree's whose
 *                  status is MASSTREE_OK.
 * @param count     How many keys.
 * @param present   Where the values already there are stored, each at its key's place,
 *                  where the status is MASSTREE_EXISTS. NULL: not wanted.
 * @param statuses  Where what masstree_insert would answer is stored for each key. NULL:
 *                  not wanted.
 *
 * @retval MASSTREE_OK            Every item was tried; its status says whether the key
 *                                was absent.
 * @retval MASSTREE_INVALID       As in masstree_put_many.
 * @retval MASSTREE_NOMEM         Out of memory for some item, which is as before; the
 *                                others were tried.
 * @retval MASSTREE_KEY_TOO_LONG  A key is over 2^32 - 1 bytes; the others were tried.
 * @retval MASSTREE_WRONG_TREE    The guard belongs to another tree; nothing was done.
 * @retval MASSTREE_WRONG_KIND    The tree holds byte strings; nothing was done.
 * @retval MASSTREE_FORKED        The tree was made before a fork; nothing was done.
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
 * masstree_insert_many for integer keys (see masstree_get_u64).
 *
 * @param tree      The tree.
 * @param guard     A guard of this tree, or NULL to be pinned for this call.
 * @param keys      As in masstree_get_many_u64.
 * @param stride    As in masstree_get_many_u64.
 * @param values    As in masstree_insert_many.
 * @param count     How many keys.
 * @param present   As in masstree_insert_many.
 * @param statuses  As in masstree_insert_many.
 *
 * @retval MASSTREE_OK          Every item was tried; its status says whether the key was
 *                              absent.
 * @retval MASSTREE_INVALID     As in masstree_put_many_u64.
 * @retval MASSTREE_NOMEM       Out of memory for some item, which is as before; the
 *                              others were tried.
 * @retval MASSTREE_WRONG_TREE  The guard belongs to another tree; nothing was done.
 * @retval MASSTREE_WRONG_KIND  The tree holds byte strings; nothing was done.
 * @retval MASSTREE_FORKED      The tree was made before a fork; nothing was done.
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
 * @param tree      The tree; of byte strings too, if old is NULL.
 * @param guard     A guard of this tree, or NULL to be pinned for this call.
 * @param keys      count keys, as masstree_remove takes them; NULL only if count is 0.
 * @param count     How many keys.
 * @param old       Where the values that keys had are stored, each at its key's place,
 *                  where the status is MASSTREE_OK; they are the caller's then. NULL: not
 *                  wanted, and the value destructor is run for them.
 * @param statuses  Where what masstree_remove would answer is stored for each key. NULL:
 *                  not wanted.
 *
 * @retval MASSTREE_OK            Every key was tried; its status says whether it was
 *                                there.
 * @retval MASSTREE_INVALID       As in masstree_get_many.
 * @retval MASSTREE_KEY_TOO_LONG  A key is over 2^32 - 1 bytes; the others were tried.
 * @retval MASSTREE_WRONG_TREE    The guard belongs to another tree; nothing was done.
 * @retval MASSTREE_WRONG_KIND    The tree holds byte strings, and old is not NULL;
 *                                nothing was done.
 * @retval MASSTREE_FORKED        The tree was made before a fork; nothing was done.
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
 * masstree_remove_many for integer keys (see masstree_get_u64).
 *
 * @param tree      The tree; of byte strings too, if old is NULL.
 * @param guard     A guard of this tree, or NULL to be pinned for this call.
 * @param keys      As in masstree_get_many_u64.
 * @param stride    As in masstree_get_many_u64.
 * @param count     How many keys.
 * @param old       As in masstree_remove_many.
 * @param statuses  As in masstree_remove_many.
 *
 * @retval MASSTREE_OK          Every key was tried; its status says whether it was there.
 * @retval MASSTREE_INVALID     As in masstree_get_many_u64.
 * @retval MASSTREE_WRONG_TREE  The guard belongs to another tree; nothing was done.
 * @retval MASSTREE_WRONG_KIND  The tree holds byte strings, and old is not NULL; nothing
 *                              was done.
 * @retval MASSTREE_FORKED      The tree was made before a fork; nothing was done.
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
 * keys appear at once; until then, and if the call fails, the tree stays empty.
 *
 * @param tree      The tree.
 * @param guard     A guard of this tree, or NULL to be pinned for this call.
 * @param keys      count keys in ascending order, no two equal; NULL only if count is 0.
 * @param values    Their values; NULL only if count is 0. They are the tree's only if
 *                  the answer is MASSTREE_OK.
 * @param count     How many keys.
 * @param offender  Where the place of the first key that is not above the one before it
 *                  is stored, if the answer is MASSTREE_UNSORTED; of the key at fault if
 *                  it is MASSTREE_KEY_TOO_LONG, or MASSTREE_INVALID for a key. NULL: not
 *                  wanted.
 *
 * @retval MASSTREE_OK            Every key is in the tree.
 * @retval MASSTREE_EXISTS        The tree is not empty, or was not when everything was
 *                                ready; nothing was changed.
 * @retval MASSTREE_INVALID       tree is NULL, keys or values is NULL with a count, or a
 *                                key is NULL with a length; nothing was changed.
 * @retval MASSTREE_NOMEM         Out of memory; nothing was changed.
 * @retval MASSTREE_KEY_TOO_LONG  A key is over 2^32 - 1 bytes; nothing was changed.
 * @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
 * @retval MASSTREE_WRONG_KIND    The tree holds byte strings.
 * @retval MASSTREE_FORKED        The tree was made before a fork.
 * @retval MASSTREE_UNSORTED      The keys do not ascend, first at *offender; nothing was
 *                                changed.
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
 * masstree_bulk_load for integer keys (see masstree_get_u64).
 *
 * @param tree      The tree.
 * @param guard     A guard of this tree, or NULL to be pinned for this call.
 * @param keys      As in masstree_get_many_u64; ascending, no two equal.
 * @param stride    As in masstree_get_many_u64.
 * @param values    As in masstree_bulk_load.
 * @param count     How many keys.
 * @param offender  As in masstree_bulk_load.
 *
 * @retval MASSTREE_OK          Every key is in the tree.
 * @retval MASSTREE_EXISTS      The tree is not empty, or was not when everything was
 *                              ready; nothing was changed.
 * @retval MASSTREE_INVALID     tree is NULL, keys or values is NULL with a count, or
 *                              stride is below 8; nothing was changed.
 * @retval MASSTREE_NOMEM       Out of memory; nothing was changed.
 * @retval MASSTREE_WRONG_TREE  The guard belongs to another tree.
 * @retval MASSTREE_WRONG_KIND  The tree holds byte strings.
 * @retval MASSTREE_FORKED      The tree was made before a fork.
 * @retval MASSTREE_UNSORTED    The keys do not ascend, first at *offender; nothing was
 *                              changed.
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
 * masstree_bulk_load for a tree of byte strings.
 *
 * @param tree      The tree.
 * @param guard     A guard of this tree, or NULL to be pinned for this call.
 * @param keys      As in masstree_bulk_load.
 * @param values    Their values, which are copied; NULL only if count is 0.
 * @param count     How many keys.
 * @param offender  As in masstree_bulk_load; also the place of a value at fault.
 *
 * @retval MASSTREE_OK            Every key is in the tree.
 * @retval MASSTREE_EXISTS        The tree is not empty, or was not when everything was
 *                                ready; nothing was changed.
 * @retval MASSTREE_INVALID       As in masstree_bulk_load; or a value is NULL with a
 *                                length, or its length is over SIZE_MAX / 2.
 * @retval MASSTREE_NOMEM         Out of memory; nothing was changed.
 * @retval MASSTREE_KEY_TOO_LONG  A key is over 2^32 - 1 bytes; nothing was changed.
 * @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
 * @retval MASSTREE_WRONG_KIND    The tree holds words.
 * @retval MASSTREE_FORKED        The tree was made before a fork.
 * @retval MASSTREE_UNSORTED      The keys do not ascend, first at *offender; nothing was
 *                                changed.
 *
 * Thread safety: any thread. Since 0.1.
 */
int32_t masstree_bulk_load_bytes(masstree_t *tree,
                                 masstree_guard_t *guard,
                                 const masstree_slice_t *keys,
                                 const masstree_slice_t *values,
                                 size_t count,
                                 size_t *offender);

/* ============================================================================
 * Memory that readers may still hold
 * ============================================================================ */

/**
 * Frees an object that was handed to masstree_retire.
 *
 * @param object  The object.
 * @param bytes   Its size, as masstree_retire was told.
 * @param ctx     What was passed to masstree_retire.
 *
 * It runs on any thread that uses the tree, inside some call to this library, with no
 * lock held. It must not call into the same tree, and must return: no longjmp, no C++
 * exception, no pthread_exit.
 */
typedef void (*masstree_free_object_t)(void *object, size_t bytes, void *ctx);

/**
 * Has an object freed once nobody can hold it any more who found it in the tree: for
 * values that masstree_exchange, masstree_remove or masstree_update gave back, and for
 * whatever else of yours hangs on them. The object must not be found in the tree any
 * more by who begins to look now.
 *
 * @param tree    The tree.
 * @param guard   A guard of this tree, or NULL to be pinned for this call.
 * @param object  The object; the library only hands it on.
 * @param bytes   Its size in bytes, for the statistics; 0 if that does not matter.
 * @param free    Called once, when every guard held now has been refreshed or left; by
 *                the end of masstree_destroy at the latest.
 * @param ctx     Handed to free.
 *
 * @retval MASSTREE_OK          The object is the library's, until it calls free.
 * @retval MASSTREE_INVALID     tree or free is NULL.
 * @retval MASSTREE_NOMEM       Out of memory; the object is still the caller's.
 * @retval MASSTREE_WRONG_TREE  The guard belongs to another tree.
 * @retval MASSTREE_FORKED      The tree was made before a fork.
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
 * Hands over to be freed what was retired through a guard, or by this thread without
 * one, and has waited for company: the library frees in batches of 128 objects or more.
 * It is freed once every guard held now has been refreshed or left, this one included, and
 * every call that is under way without one has returned, by the last of them; no further
 * call is needed, however many there are.
 *
 * @param tree   The tree.
 * @param guard  A guard of this tree; or NULL for what this thread retired without one.
 *
 * @retval MASSTREE_OK          It was handed over.
 * @retval MASSTREE_INVALID     tree is NULL.
 * @retval MASSTREE_WRONG_TREE  The guard belongs to another tree.
 * @retval MASSTREE_FORKED      The tree was made before a fork.
 *
 * Thread safety: any thread. Since 0.1.
 */
int32_t masstree_flush(masstree_t *tree, masstree_guard_t *guard);

/**
 * Waits until every guard of the tree that is held now, by whichever thread, has been
 * refreshed or left, and every call that is under way without one has returned.
 * Whoever read something before, and could still use it, is done with it then. Guards
 * entered meanwhile are not waited for.
 *
 * It waits for ever if the caller itself holds a guard of this tree, or calls it from a
 * visitor or a callback.
 *
 * @param tree  The tree.
 *
 * @retval MASSTREE_OK       They have.
 * @retval MASSTREE_INVALID  tree is NULL.
 * @retval MASSTREE_FORKED   The tree was made before a fork.
 *
 * Thread safety: any thread that holds no guard of this tree. Since 0.1.
 */
int32_t masstree_barrier(masstree_t *tree);

/**
 * Tidies up, for idle moments: looks at so many leaves (nodes of up to 15 keys), from
 * where the last call left off, and merges those that removes have left sparse, so that
 * their memory can be used again and scans read fewer nodes; and gives back the memory of
 * long keys that were removed, where another key of the leaf has kept it. What removes leave
 * empty goes at once and needs no tidying up. Also hands over garbage as masstree_flush does.
 *
 * A tree whose keys come and go needs it no more than any B+tree that does not merge;
 * one that has lost most of its keys for good gains by it.
 *
 * @param tree    The tree.
 * @param guard   A guard of this tree, or NULL to be pinned for this call.
 * @param limit   About how many leaves to look at; those on the way to one key, one in each
 *                layer, are looked at together. 0: none.
 * @param merged  Where the number of leaves that were merged with the leaf before is
 *                stored; NULL: not wanted.
 *
 * @retval MASSTREE_OK          Done; there are leaves that were not looked at yet, or
 *                              another thread is tidying up right now.
 * @retval MASSTREE_END         Done, to the end of the tree; the next call begins anew.
 * @retval MASSTREE_INVALID     tree is NULL.
 * @retval MASSTREE_NOMEM       Out of memory; the tree holds what it held.
 * @retval MASSTREE_WRONG_TREE  The guard belongs to another tree.
 * @retval MASSTREE_FORKED      The tree was made before a fork.
 *
 * Thread safety: any thread. Since 0.1.
 */
int32_t masstree_maintain(masstree_t *tree, masstree_guard_t *guard, size_t limit, size_t *merged);

/* ============================================================================
 * Looking at a whole tree
 * ============================================================================ */

/**
 * How masstree_dump shows a tree: as text, a line for each node and entry, indented by
 * layer and level.
 */
#define MASSTREE_DUMP_TEXT 0

/**
 * How masstree_dump shows a tree: as a graph in Graphviz's language (`dot -Tsvg`).
 */
#define MASSTREE_DUMP_GRAPHVIZ 1

/**
 * Receives text from the library, in pieces.
 *
 * @param text  len bytes of UTF-8, not ended by a zero byte, valid during the call only.
 * @param len   Their number.
 * @param ctx   What was passed with the callback.
 *
 * No lock is held. It must return: no longjmp, no C++ exception, no pthread_exit.
 */
typedef void (*masstree_text_sink_t)(const char *text, size_t len, void *ctx);

/**
 * Stores the number of keys in the tree. It is exact when no thread is writing, also
 * after a masstree_clear to which threads wrote meanwhile; while threads write, it is a
 * recent approximation.
 *
 * @param tree  The tree.
 * @param len   Where the number of keys is stored; NULL: not wanted.
 *
 * @retval MASSTREE_OK       *len is the number of keys.
 * @retval MASSTREE_INVALID  tree is NULL.
 * @retval MASSTREE_FORKED   The tree was made before a fork.
 *
 * Thread safety: any thread. Since 0.1.
 */
int32_t masstree_len(const masstree_t *tree, uint64_t *len);

/**
 * Walks the whole tree and verifies every invariant: the order of keys, the
 * bounds of nodes, the links among leaves, the shape of layers, the number of
 * keys. For tests and for suspicion; it visits every node.
 *
 * @param tree   The tree.
 * @param guard  A guard of this tree, or NULL to be pinned for this call.
 * @param write  Receives one line (ended by a newline) for each thing that is
 *               wrong; NULL: not wanted.
 * @param ctx    Handed to write.
 *
 * @retval MASSTREE_OK          Everything is as it must be.
 * @retval MASSTREE_CORRUPT     Something is not.
 * @retval MASSTREE_INVALID     tree is NULL.
 * @retval MASSTREE_NOMEM       Out of memory for the walk.
 * @retval MASSTREE_WRONG_TREE  The guard belongs to another tree.
 * @retval MASSTREE_FORKED      The tree was made before a fork.
 *
 * Thread safety: any thread, but no thread may write to the tree meanwhile: the
 * walk stays within the tree's memory, but takes a change half done for damage.
 * Since 0.1.
 */
int32_t masstree_check(const masstree_t *tree,
                       masstree_guard_t *guard,
                       masstree_text_sink_t write,
                       void *ctx);

/**
 * Writes what a tree is made of, node by node, for people who look for something: small
 * trees, then, for every key is written. Keys and byte-string values are in quotes, with
 * what is not printable ASCII in hexadecimal, cut after 48 bytes.
 *
 * @param tree    The tree.
 * @param guard   A guard of this tree, or NULL to be pinned for this call.
 * @param format  MASSTREE_DUMP_TEXT or MASSTREE_DUMP_GRAPHVIZ.
 * @param write   Receives the text, in pieces.
 * @param ctx     Handed to write.
 *
 * @retval MASSTREE_OK          Everything was written.
 * @retval MASSTREE_INVALID     tree or write is NULL, or format is unknown.
 * @retval MASSTREE_NOMEM       Out of memory for the visit; what was written is not all.
 * @retval MASSTREE_WRONG_TREE  The guard belongs to another tree.
 * @retval MASSTREE_FORKED      The tree was made before a fork.
 *
 * Thread safety: any thread; takes no lock. While threads write, each node is shown as it
 * was at some moment. Since 0.1.
 */
int32_t masstree_dump(const masstree_t *tree,
                      masstree_guard_t *guard,
                      uint32_t format,
                      masstree_text_sink_t write,
                      void *ctx);

/**
 * Gives keys that cut a tree in parts of about as many keys each, for scans of several
 * threads at once: the first part ends before the first key given, each next begins with
 * one, and the last has no end. When no thread writes, no part has more than about twice the
 * even share and one leaf of keys. Some nodes are read for each part, not the parts; only a
 * layer with many keys that is hidden in one of many leaves takes looks at those.
 *
 * @param tree     The tree.
 * @param guard    A guard of this tree, or NULL to be pinned for this call.
 * @param cuts     How many keys are wanted: one less than parts. Trees with fewer leaves
 *                 than that may give fewer.
 * @param visit    Called for each key, in order, with its number (from 0) for a value; the
 *                 rules of masstree_visitor_t apply. The keys need not be in the tree.
 * @param ctx      Handed to visit.
 * @param visited  Where the number of keys given is stored, also when memory runs out;
 *                 NULL: not wanted.
 *
 * @retval MASSTREE_OK          Done, or the visitor stopped.
 * @retval MASSTREE_INVALID     tree or visit is NULL.
 * @retval MASSTREE_NOMEM       Out of memory; there may have been visits.
 * @retval MASSTREE_WRONG_TREE  The guard belongs to another tree.
 * @retval MASSTREE_FORKED      The tree was made before a fork.
 * @return A negative number that the visitor answered.
 *
 * Thread safety: any thread; takes no lock. Since 0.1.
 */
int32_t masstree_pivots(const masstree_t *tree,
                        masstree_guard_t *guard,
                        size_t cuts,
                        masstree_visitor_t visit,
                        void *ctx,
                        size_t *visited);

/**
 * Flag of masstree_stats and masstree_stats_json: visit every node (about 10 ms for a
 * million keys that are in the cache), and fill the fields below `nodes_visited` too.
 */
#define MASSTREE_STATS_NODES 1

/**
 * How many depths of layers the statistics tell apart; what is deeper counts with the
 * last.
 */
#define MASSTREE_STATS_LAYERS 8

/**
 * What a tree consists of. Start from MASSTREE_STATS_INIT; struct_size works as in
 * masstree_options_t, and a library older than the header leaves fields that it does
 * not know 0.
 *
 * All numbers are exact when no thread is writing, and recent approximations otherwise.
 */
typedef struct {
    /**
     * sizeof(masstree_stats_t); MASSTREE_STATS_INIT sets it.
     */
    size_t struct_size;
    /**
     * To be set by the caller: 0, or MASSTREE_STATS_NODES.
     */
    uint32_t flags;
    /**
     * Must be 0.
     */
    uint32_t reserved;
    /**
     * Keys.
     */
    uint64_t keys;
    /**
     * Bytes of nodes, those included that wait for guards.
     */
    uint64_t node_bytes;
    /**
     * Bytes of what keys have beyond their slices, kept beside the leaves.
     */
    uint64_t suffix_bytes;
    /**
     * Bytes of values that are byte strings.
     */
    uint64_t value_bytes;
    /**
     * Bytes that the pools of nodes and suffixes have from the allocator or the kernel;
     * node_bytes and most of suffix_bytes of them are in use.
     */
    uint64_t pool_bytes;
    /**
     * Bytes in limbo: taken out of the tree, or retired by the caller, and not freed yet
     * because a guard may protect them, or because they wait for company (see
     * masstree_flush).
     */
    uint64_t limbo_bytes;
    /**
     * Objects in limbo. A tree that was cleared is one.
     */
    uint64_t limbo_objects;
    /**
     * Guards held, and scans under way without one. Other calls without a guard hold
     * memory as well while they are under way, but are not counted: an update whose callback
     * waits, say. If limbo stays large and this is 0, one of them does not return.
     */
    uint64_t guards;
    /**
     * Milliseconds since the oldest of them was entered or refreshed: large, and growing,
     * if a guard was forgotten.
     */
    uint64_t oldest_guard_ms;
    /**
     * Leaves that were split, ever.
     */
    uint64_t splits;
    /**
     * Times an operation started over because a writer had moved what it looked for.
     */
    uint64_t restarts;
    /**
     * Layers made for keys that share 8 bytes more, ever.
     */
    uint64_t layers_made;
    /**
     * Layers that went with their last key, ever.
     */
    uint64_t layers_collapsed;
    /**
     * Leaves that went with their last key, ever, but for those that were all of a layer.
     */
    uint64_t leaves_unlinked;
    /**
     * Leaves that masstree_maintain merged with the one before, ever: what all its calls
     * stored in *merged. (Writes that move keys into a layer may merge leaves, too; these
     * are not counted.)
     */
    uint64_t leaves_merged;
    /**
     * Nodes that were visited: leaves and internodes. 0 without MASSTREE_STATS_NODES, and
     * then all that follows is 0 too.
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
     * Their children.
     */
    uint64_t internode_children;
    /**
     * Layers, the first included.
     */
    uint64_t layers;
    /**
     * Layers above the deepest.
     */
    uint64_t deepest_layer;
    /**
     * Levels of nodes in the highest layer.
     */
    uint64_t levels;
    /**
     * Leaves that masstree_maintain would merge with the one before; what it has to do.
     * (What removes leave empty goes at once: nothing else is ever pending.)
     */
    uint64_t sparse_leaves;
    /**
     * Layers, by their depth: the first layer is at 0.
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
     * Keys, by the depth of the layer they end in.
     */
    uint64_t keys_at[MASSTREE_STATS_LAYERS];
} masstree_stats_t;

/** Initializer of masstree_stats_t: sets struct_size, and every other field to 0 or NULL. */
#define MASSTREE_STATS_INIT \
    { sizeof(masstree_stats_t), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, \
      0, 0, 0, 0, 0, 0, { 0 }, { 0 }, { 0 }, { 0 } }

/**
 * Stores what a tree consists of.
 *
 * @param tree   The tree.
 * @param guard  A guard of this tree, or NULL to be pinned for this call.
 * @param stats  A struct started from MASSTREE_STATS_INIT; flags say what is wanted, and
 *               all the rest is stored.
 *
 * @retval MASSTREE_OK          *stats is filled in.
 * @retval MASSTREE_INVALID     tree or stats is NULL, a flag is unknown, or struct_size
 *                              is smaller than any version of the struct.
 * @retval MASSTREE_NOMEM       Out of memory for the visit; *stats is unchanged.
 * @retval MASSTREE_WRONG_TREE  The guard belongs to another tree.
 * @retval MASSTREE_FORKED      The tree was made before a fork.
 *
 * Thread safety: any thread; takes no lock. Since 0.1.
 */
int32_t masstree_stats(const masstree_t *tree, masstree_guard_t *guard, masstree_stats_t *stats);

/**
 * Writes what a tree consists of as a JSON object with the names of masstree_stats_t, all
 * numbers or arrays of numbers, on one line that ends with a newline.
 *
 * @param tree   The tree.
 * @param guard  A guard of this tree, or NULL to be pinned for this call.
 * @param flags  0, or MASSTREE_STATS_NODES.
 * @param write  Receives the text, in pieces.
 * @param ctx    Handed to write.
 *
 * @retval MASSTREE_OK          Everything was written.
 * @retval MASSTREE_INVALID     tree or write is NULL, or a flag is unknown.
 * @retval MASSTREE_NOMEM       Out of memory for the visit; nothing was written.
 * @retval MASSTREE_WRONG_TREE  The guard belongs to another tree.
 * @retval MASSTREE_FORKED      The tree was made before a fork.
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
 * Number of the binary interface. A program built against one ABI number runs
 * with every later library of the same number; the shared library's SONAME
 * carries it (`libmasstree.so.0`).
 */
#define MASSTREE_ABI_VERSION 0

/**
 * The version of the library in use, as text: "0.1.0". Static; never freed.
 * Compare with MASSTREE_VERSION_STRING, the version of the header.
 *
 * @return The text.
 *
 * Thread safety: any thread, any time. Since 0.1.
 */
const char *masstree_version_string(void);

/**
 * The version of the library in use, as one number that grows with every
 * release: major * 1000000 + minor * 1000 + patch. Compare with
 * MASSTREE_VERSION_NUMBER, the version of the header.
 *
 * @return The number.
 *
 * Thread safety: any thread, any time. Since 0.1.
 */
uint32_t masstree_version_number(void);

/**
 * The ABI number of the library in use. It equals MASSTREE_ABI_VERSION of the
 * header a program was built with, or the two do not fit together.
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
