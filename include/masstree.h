/*
 * libmasstree: a concurrent ordered map from byte strings to 64-bit words
 * (Masstree, a trie of B+trees: Mao, Kohler, Morris, EuroSys 2012).
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
 * - A value that is a pointer stays valid only while a guard is held, if the
 *   tree's value destructor frees it. Memory that readers may still see waits for
 *   their guards: refresh a guard that is kept for long.
 * - Out of memory is MASSTREE_NOMEM, and the tree is as it was before the call. The
 *   exception are the lists of memory reclamation, a few KiB for a tree, a thread
 *   or a guard and 1 KiB for every 32 objects that wait to be freed: they cannot
 *   fail, and the process aborts if memory runs out just there.
 * - After fork the child may only exec: another thread may have been inside the
 *   library at the fork, and the child would wait for it for ever.
 * - The library does not print, does not touch errno, installs no signal handler,
 *   and stays loaded until the process ends, also after dlclose.
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
 * This file is generated from src/ffi; `make header` writes it anew.
 */


#ifndef MASSTREE_H
#define MASSTREE_H

#include <stddef.h>
#include <stdint.h>

/** The version of this header. */
#define MASSTREE_VERSION_MAJOR 0
#define MASSTREE_VERSION_MINOR 1
#define MASSTREE_VERSION_PATCH 0
#define MASSTREE_VERSION_STRING "0.1.0"
/** The version of this header as masstree_version_number counts. */
#define MASSTREE_VERSION_NUMBER \
    (MASSTREE_VERSION_MAJOR * 1000000 + MASSTREE_VERSION_MINOR * 1000 + MASSTREE_VERSION_PATCH)

/** Initializer of masstree_options_t: the defaults. */
#define MASSTREE_OPTIONS_INIT { sizeof(masstree_options_t), NULL, NULL }

/** Initializer of masstree_range_t: every key, forward, no limit. */
#define MASSTREE_RANGE_INIT \
    { sizeof(masstree_range_t), NULL, 0, NULL, 0, NULL, 0, 0, 0, 0, 0, 0 }


/**
 * Number of the binary interface. A program built against one ABI number runs
 * with every later library of the same number; the shared library's SONAME
 * carries it (`libmasstree.so.0`).
 */
#define MASSTREE_ABI_VERSION 0

/**
 * The operation was carried out.
 */
#define MASSTREE_OK 0

/**
 * Answer: the key is not in the tree (for masstree_exchange: it was not).
 */
#define MASSTREE_NOT_FOUND 1

/**
 * Answer: the key is in the tree already; nothing was changed.
 */
#define MASSTREE_EXISTS 2

/**
 * Answer: the key has another value than expected; nothing was changed.
 */
#define MASSTREE_MISMATCH 3

/**
 * Error: an argument is malformed: a NULL handle, a NULL key with a length, a
 * NULL callback, bounds the wrong way round, an unknown flag, a struct_size
 * the library cannot accept.
 */
#define MASSTREE_INVALID -1

/**
 * Error: out of memory. The tree is as it was before the call.
 */
#define MASSTREE_NOMEM -2

/**
 * Error: the key is longer than 2^32 - 1 bytes.
 */
#define MASSTREE_KEY_TOO_LONG -3

/**
 * Error: the guard belongs to another tree.
 */
#define MASSTREE_WRONG_TREE -4

/**
 * Error: masstree_check found the tree to be inconsistent. This is a bug in
 * the library, or memory was overwritten.
 */
#define MASSTREE_CORRUPT -7

/**
 * Answer of an update callback: leave the key as it is.
 */
#define MASSTREE_UPDATE_KEEP 0

/**
 * Answer of an update callback: the key gets the value stored in *value.
 */
#define MASSTREE_UPDATE_SET 1

/**
 * Answer of an update callback: the key goes, if it is there.
 */
#define MASSTREE_UPDATE_REMOVE 2

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
 * Answer of a visitor: go on.
 */
#define MASSTREE_CONTINUE 0

/**
 * Answer of a visitor: stop here; the scan answers MASSTREE_OK.
 */
#define MASSTREE_STOP 1

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
 * An ordered map from byte strings to 64-bit words.
 *
 * Made by masstree_create, freed by masstree_destroy. Any number of threads
 * may use one tree at the same time, without registration, and may come and
 * go; only masstree_destroy needs the tree for itself.
 */
typedef struct masstree_t masstree_t;

/**
 * Called for a value that has left the tree, once per value, when no reader
 * can hold it any more: after masstree_put displaced it, after masstree_remove
 * or masstree_exchange whose caller did not take it through the output
 * pointer, and for every value still present in masstree_destroy.
 *
 * A value stored under a key that has the very same value already displaces
 * nothing.
 *
 * It runs on any thread that uses the tree, inside some call to this library,
 * with no lock held. It must not call into the same tree, and must return: no
 * longjmp, no C++ exception, no pthread_exit.
 */
typedef void (*masstree_value_destructor_t)(uint64_t value, void *ctx);

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
     * and nothing is called.
     */
    masstree_value_destructor_t value_destructor;
    /**
     * Handed to value_destructor.
     */
    void *value_ctx;
} masstree_options_t;

/**
 * Decides what to do with a key, for masstree_update.
 *
 * @param present  The key's value, or NULL if the key is absent.
 * @param value    Where the new value goes, for MASSTREE_UPDATE_SET.
 * @param ctx      What was passed to the update.
 *
 * @return MASSTREE_UPDATE_KEEP, MASSTREE_UPDATE_SET or MASSTREE_UPDATE_REMOVE; or
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
     * 0, or MASSTREE_SCAN_REVERSE.
     */
    uint32_t flags;
    /**
     * Must be 0.
     */
    uint32_t reserved;
} masstree_range_t;

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
 * for then the scan's pin is never let go.
 */
typedef int32_t (*masstree_visitor_t)(const void *key, size_t key_len, uint64_t value, void *ctx);

/**
 * Receives text from the library, in pieces: `len` bytes of UTF-8 at `text`,
 * not terminated by a zero byte, valid during the call only.
 */
typedef void (*masstree_write_t)(const char *text, size_t len, void *ctx);

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/**
 * The version of the library in use, as text: "0.1.0". Static; never freed.
 * Compare with MASSTREE_VERSION_STRING, the version of the header.
 *
 * Thread safety: any thread, any time. Since 0.1.
 */
const char *masstree_version_string(void);

/**
 * The version of the library in use, as one number that grows with every
 * release: major * 1000000 + minor * 1000 + patch. Compare with
 * MASSTREE_VERSION_NUMBER, the version of the header.
 *
 * Thread safety: any thread, any time. Since 0.1.
 */
uint32_t masstree_version_number(void);

/**
 * The ABI number of the library in use. It equals MASSTREE_ABI_VERSION of the
 * header a program was built with, or the two do not fit together.
 *
 * Thread safety: any thread, any time. Since 0.1.
 */
uint32_t masstree_abi_version(void);

/**
 * One sentence on a status code, in English: static text, never NULL, never
 * freed. Unknown codes get a sentence of their own.
 *
 * Thread safety: any thread, any time. Since 0.1.
 */
const char *masstree_strerror(int32_t status);

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
 *                           version of the struct; or a byte of the struct
 *                           that this library does not know is not zero.
 * @retval MASSTREE_NOMEM    Out of memory.
 *
 * Thread safety: any thread. Since 0.1.
 */
int32_t masstree_create(const masstree_options_t *options, masstree_t **tree);

/**
 * Frees a tree and everything in it: runs the value destructor once for every
 * value still present and for every displaced value not yet destroyed. NULL
 * does nothing.
 *
 * Every guard of the tree must have been left, and no other thread may use the
 * tree during or after this call.
 *
 * Thread safety: the caller must have the tree for itself. Since 0.1.
 */
void masstree_destroy(masstree_t *tree);

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
 * @retval MASSTREE_NOT_FOUND     Stored; the key was new.
 * @retval MASSTREE_INVALID       tree is NULL, or key is NULL with a length.
 * @retval MASSTREE_NOMEM         Out of memory; the tree is unchanged and the
 *                                value is still the caller's.
 * @retval MASSTREE_KEY_TOO_LONG  key_len is over 2^32 - 1.
 * @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
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
 * @retval MASSTREE_NOT_FOUND   Stored; the key was new.
 * @retval MASSTREE_INVALID     tree is NULL.
 * @retval MASSTREE_NOMEM       Out of memory; the tree is unchanged and the
 *                              value is still the caller's.
 * @retval MASSTREE_WRONG_TREE  The guard belongs to another tree.
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

/**
 * Gives a key another value, only if the key is there.
 *
 * @param tree     The tree.
 * @param guard    A guard of this tree, or NULL to be pinned for this call.
 * @param key      key_len bytes; NULL only if key_len is 0.
 * @param key_len  Length of the key in bytes, at most 2^32 - 1.
 * @param value    The value. It is the tree's only if the answer is MASSTREE_OK.
 * @param old      Where the displaced value is stored (written only when the
 *                 answer is MASSTREE_OK); it is the caller's then, as in
 *                 masstree_exchange. NULL: not wanted, and the value destructor
 *                 is run for it once no reader can hold it.
 *
 * @retval MASSTREE_OK            Stored; *old is the value it displaced.
 * @retval MASSTREE_NOT_FOUND     The key is not in the tree; nothing was changed.
 * @retval MASSTREE_INVALID       tree is NULL, or key is NULL with a length.
 * @retval MASSTREE_KEY_TOO_LONG  key_len is over 2^32 - 1.
 * @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
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
 * @retval MASSTREE_NOT_FOUND     The key is not in the tree; nothing was changed.
 * @retval MASSTREE_INVALID       tree is NULL.
 * @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
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
 * @param desired  The value it gets. It is the tree's only if the answer is
 *                 MASSTREE_OK.
 * @param actual   Where the value that the key had is stored, when the answer is
 *                 MASSTREE_OK or MASSTREE_MISMATCH. With MASSTREE_OK it is the
 *                 displaced value (equal to `expected`), and the caller's, as in
 *                 masstree_exchange; with MASSTREE_MISMATCH it stays the tree's.
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
 *                 saw a value and answered MASSTREE_UPDATE_SET or
 *                 MASSTREE_UPDATE_REMOVE. NULL: not wanted, and the value
 *                 destructor is run for it once no reader can hold it.
 *
 * @retval MASSTREE_OK            What the callback answered was done.
 * @retval MASSTREE_INVALID       tree or update is NULL, or key is NULL with a length.
 * @retval MASSTREE_NOMEM         Out of memory; the tree is unchanged.
 * @retval MASSTREE_KEY_TOO_LONG  key_len is over 2^32 - 1.
 * @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
 * @return A negative number that the callback answered; nothing was changed.
 *
 * MASSTREE_INVALID is also the status when the callback answers a positive number
 * that is no answer; nothing was changed then. Memory is reserved before the
 * callback runs: MASSTREE_NOMEM means that it was not called.
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
 * @return A negative number that the callback answered; nothing was changed.
 *
 * MASSTREE_INVALID is also the status when the callback answers a positive number
 * that is no answer; nothing was changed then. Memory is reserved before the
 * callback runs: MASSTREE_NOMEM means that it was not called.
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
 *                                unknown; a reserved field is not 0; struct_size
 *                                is too small, or a byte of the struct that this
 *                                library does not know is not zero.
 * @retval MASSTREE_NOMEM         Out of memory for the key's buffer.
 * @retval MASSTREE_KEY_TOO_LONG  A bound or the prefix is over 2^32 - 1 bytes.
 * @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
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
 * Stores the number of keys in the tree. It is exact when no thread is writing;
 * while threads write, it is a recent approximation.
 *
 * @param tree  The tree.
 * @param len   Where the number of keys is stored; NULL: not wanted.
 *
 * @retval MASSTREE_OK       *len is the number of keys.
 * @retval MASSTREE_INVALID  tree is NULL.
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
 *
 * Thread safety: any thread, but no thread may write to the tree meanwhile: the
 * walk stays within the tree's memory, but takes a change half done for damage.
 * Since 0.1.
 */
int32_t masstree_check(const masstree_t *tree,
                       masstree_guard_t *guard,
                       masstree_write_t write,
                       void *ctx);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* MASSTREE_H */
