/*
 * libmasstree: durable stores. A store is a directory and the trees in memory that it is read into: what is
 * written to a store is logged, and is there again when the directory is opened. docs/store.md
 * explains their use.
 *
 * The data must fit in memory. All reads are reads of memory: a store's trees are versioned trees, for
 * which every reading function of masstree.h and masstree/versioned.h works; functions of those headers
 * that write return MASSTREE_READ_ONLY for them. Writes go through the functions of this header.
 *
 * What a store promises: after a crash of the process, the kernel or the machine, the next opening finds the
 * state after some commit, which is at or after every commit that was reported as durable. A batch is
 * found whole or not at all. A commit is in memory when the call returns; masstree_store_wait says when it is
 * written to the kernel (it survives a crash of the process) and when it is durable (it survives a loss of power).
 *
 * This file is generated from src/ffi/store; `make header` updates it.
 */

#ifndef MASSTREE_STORE_H
#define MASSTREE_STORE_H

#include "versioned.h"

#if defined(__GNUC__)
#pragma GCC visibility push(default)
#endif

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Operations that are committed at once.
 *
 * Created by masstree_batch_create, freed by masstree_batch_destroy, before its store is closed.
 * One thread at a time may use a batch. It may be committed any number of times.
 */
typedef struct masstree_batch_t masstree_batch_t;

/**
 * A directory that is open, or a store in memory only; and its trees.
 *
 * Opened by masstree_store_open, closed by masstree_store_close. Any number of threads may use a
 * store and its trees at the same time; only masstree_store_close requires that no other thread
 * uses them.
 */
typedef struct masstree_store_t masstree_store_t;

/**
 * A position in what a transaction reads of a tree, from which to move key by key in either direction.
 *
 * Made by masstree_txn_cursor_open, freed by masstree_txn_cursor_close, before its transaction is destroyed.
 * One thread at a time may use a transaction and its cursors.
 *
 * A move finds a key of the snapshot or one that the transaction has written by then: the nearest to the
 * given one, or to the key that the cursor is at, whether or not that key still exists. What a
 * cursor has passed counts as read, as the range of a scan does: up to the key that the cursor is at, and to the
 * end of the tree if MASSTREE_END was returned. A seek, and a change of direction, begin a range of its own,
 * which takes memory of the transaction.
 *
 * When the transaction is begun again, the cursor is at no key, and reads the new snapshot. A call that fails, or
 * returns MASSTREE_END, does not move the cursor.
 */
typedef struct masstree_txn_cursor_t masstree_txn_cursor_t;

/**
 * Reads of a snapshot, and writes that are committed at once.
 *
 * Made by masstree_txn_begin, freed by masstree_txn_destroy, before its store is closed. One thread at a
 * time may use a transaction. It may be begun again any number of times.
 */
typedef struct masstree_txn_t masstree_txn_t;

/* ============================================================================
 * Failures
 * ============================================================================ */

/**
 * What has failed. Start from MASSTREE_STORE_FAILURE_INIT; struct_size works as in masstree_stats_t.
 */
typedef struct {
    /**
     * sizeof(masstree_store_failure_t); MASSTREE_STORE_FAILURE_INIT sets it.
     */
    size_t struct_size;
    /**
     * MASSTREE_FAILED for a file operation that failed, MASSTREE_CORRUPT for a file whose content is
     * wrong; MASSTREE_OK if nothing has failed.
     */
    int32_t status;
    /**
     * The errno of the file operation that failed; 0 if none did.
     */
    int32_t os_error;
    /**
     * Where in the file, in bytes.
     */
    uint64_t offset;
    /**
     * The name of the operation that failed; empty if none did. As all strings here, it ends with a zero
     * byte, and loses its beginning if it is too long.
     */
    char operation[32];
    /**
     * What is wrong, in English; empty if a file operation failed.
     */
    char reason[128];
    /**
     * The file's name.
     */
    char file[256];
} masstree_store_failure_t;

/** Initializer of masstree_store_failure_t: sets struct_size, and every other field to 0 or NULL. */
#define MASSTREE_STORE_FAILURE_INIT \
    { sizeof(masstree_store_failure_t), 0, 0, 0, { 0 }, { 0 }, { 0 } }

/**
 * Returns what has made the log fail; or else, why the last checkpoint was not made. A store whose log has
 * failed accepts no writes until it is closed and opened again; reads go on. After a checkpoint that was not
 * made writes go on, too, and the next one that is made ends the failure. A full disk is not a failure.
 *
 * @param store    The store.
 * @param failure  Receives the failure.
 *
 * @retval MASSTREE_OK       Nothing has failed.
 * @retval MASSTREE_FAILED   *failure says what.
 * @retval MASSTREE_INVALID  store or failure is NULL, or struct_size is too small.
 * @retval MASSTREE_FORKED   The parent process opened the store, before a fork.
 *
 * Thread safety: any thread. Since 0.1.
 */
int32_t masstree_store_failure(const masstree_store_t *store,
                               masstree_store_failure_t *failure);

/* ============================================================================
 * File operations
 * ============================================================================ */

/**
 * Flag of open: the file may be written; otherwise it is only read.
 */
#define MASSTREE_IO_WRITE 1

/**
 * Flag of open: the file is created, and the call fails with -EEXIST if it exists.
 */
#define MASSTREE_IO_NEW 2

/**
 * Flag of open: the file is created if it does not exist.
 */
#define MASSTREE_IO_CREATE 4

/**
 * Receives a name that list has found.
 *
 * @param argument  What list was called with.
 * @param name      The name; name_len bytes, valid during this call only.
 * @param name_len  Its length in bytes.
 *
 * @return A negative value ends the list, which returns it.
 */
typedef int64_t (*masstree_found_name_t)(void *argument, const char *name, size_t name_len);

/**
 * The file operations of a store. All functions are required. Each gets ctx first, and returns a value
 * that is not negative, or a negated errno, such as -EIO. Paths are strings that end with a zero byte;
 * they, and buffers, are valid during the call. Files are handles that open has returned. A call that
 * fails has no effect, except that a write may have stored some of its bytes.
 *
 * When sync returns 0, everything that finished calls have written to the file survives a crash; when
 * sync_dir returns 0, so do the creations, renamings and removals in that directory. The library
 * assumes no order of other writes, and that a sector of 512 bytes is written whole or not at all. It
 * repeats calls other than these two that return -EINTR, and goes on after a short read or write.
 *
 * Thread safety: functions are called on any thread, several at a time, also for one file; on the program's own too,
 * since a thread that waits for its commit may write and sync the log. They must return: no longjmp, no C++
 * exception, no pthread_exit; and must not call functions of the store.
 */
typedef struct {
    /**
     * What each function gets as its first argument.
     */
    void *ctx;
    /**
     * Opens a file, as flags say (MASSTREE_IO_WRITE, _NEW, _CREATE); returns its handle. -ENOENT if it
     * does not exist, -EEXIST if it does and must not.
     */
    int64_t (*open)(void *ctx, const char *path, uint32_t flags);
    /**
     * Closes a file, and unlocks it. The handle is invalid afterwards, also if an error is returned.
     */
    int64_t (*close)(void *ctx, int64_t file);
    /**
     * Reads up to len bytes; returns how many, 0 at the end of the file.
     */
    int64_t (*read_at)(void *ctx, int64_t file, uint8_t *buffer, size_t len, uint64_t offset);
    /**
     * Writes up to len bytes, and extends the file if they end behind it; returns how many it has
     * written, at least 1.
     */
    int64_t (*write_at)(void *ctx, int64_t file, const uint8_t *bytes, size_t len, uint64_t offset);
    /**
     * Makes the file's bytes, and its length, durable, as fdatasync does.
     */
    int64_t (*sync)(void *ctx, int64_t file);
    /**
     * Makes creations, renamings and removals in a directory durable, as fsync does.
     */
    int64_t (*sync_dir)(void *ctx, const char *directory);
    /**
     * Allocates a range, so that writing to it does not fail for lack of room; bytes that did not exist
     * read as zeros, and the file's length covers them. -ENOSPC or -EDQUOT if there is no room.
     */
    int64_t (*preallocate)(void *ctx, int64_t file, uint64_t offset, uint64_t len);
    /**
     * Makes the file len bytes long.
     */
    int64_t (*truncate)(void *ctx, int64_t file, uint64_t len);
    /**
     * Returns the file's length in bytes.
     */
    int64_t (*length)(void *ctx, int64_t file);
    /**
     * Locks the file against other opens of it, in other processes too, without waiting: for reading
     * or, if exclusive is not 0, alone. -EWOULDBLOCK if another lock is in the way.
     */
    int64_t (*lock)(void *ctx, int64_t file, int exclusive);
    /**
     * Gives a file another name; replaces the file that has it.
     */
    int64_t (*rename)(void *ctx, const char *from, const char *to);
    /**
     * Removes a file. -ENOENT if it does not exist.
     */
    int64_t (*unlink)(void *ctx, const char *path);
    /**
     * Creates a directory. -EEXIST if it exists.
     */
    int64_t (*mkdir)(void *ctx, const char *path);
    /**
     * Calls found with the name of each file in a directory, in any order, but not with "." and "..".
     */
    int64_t (*list)(void *ctx, const char *directory, masstree_found_name_t found, void *argument);
} masstree_io_t;

/**
 * A phase of masstree_store_open: it reads a checkpoint.
 */
#define MASSTREE_PHASE_CHECKPOINT 1

/**
 * A phase of masstree_store_open: it reads the log.
 */
#define MASSTREE_PHASE_LOG 2

/**
 * The phase of masstree_store_export: it writes the content.
 */
#define MASSTREE_PHASE_EXPORT 3

/**
 * The last phase of masstree_store_import: it fills the trees.
 */
#define MASSTREE_PHASE_IMPORT 4

/**
 * How far masstree_store_open or masstree_store_export is.
 */
typedef struct {
    /**
     * MASSTREE_PHASE_CHECKPOINT or MASSTREE_PHASE_LOG; the phases come in this order, and the first is
     * left out if there is no checkpoint. MASSTREE_PHASE_EXPORT for an export, which has no other. Of an import,
     * MASSTREE_PHASE_IMPORT follows.
     */
    uint32_t phase;
    /**
     * 0.
     */
    uint32_t reserved;
    /**
     * Bytes that were read in this phase. Files have unused room at their end, so this may jump to
     * bytes_total. Of an export, and of MASSTREE_PHASE_IMPORT: bytes that were written.
     */
    uint64_t bytes_read;
    /**
     * Bytes to read in this phase; 0 for an export, and in MASSTREE_PHASE_IMPORT.
     */
    uint64_t bytes_total;
    /**
     * Records of the log, or keys of the checkpoint, that were read in this phase; keys that an import has copied; 0 for
     * an export.
     */
    uint64_t records;
} masstree_recovery_progress_t;

/**
 * Called by masstree_store_open, masstree_store_export or masstree_store_import, on its thread and with no lock held but that of the directory, at most
 * some 20 times a second, and at the end of each phase; by an import, also when it begins a tree. It must not open the same directory.
 *
 * @param progress  How far the opening is; valid during this call only.
 * @param ctx       The ctx that was passed with the function.
 *
 * @return 0 to go on. Another number stops the opening or export, and is what that returns; the
 *         store's files stay as they were.
 */
typedef int32_t (*masstree_progress_callback_t)(const masstree_recovery_progress_t *progress,
                                                void *ctx);

/* ============================================================================
 * Opening and closing
 * ============================================================================ */

/**
 * Flag of a store: it is only read. The directory must exist, and nothing in it is changed, not even
 * what a crash has left at the end of the log. Several processes may read a directory at a time, but not
 * beside one that writes.
 */
#define MASSTREE_STORE_READ_ONLY 1

/**
 * Flag of a store: opening fails if the directory has no store, or one to which nothing was ever written.
 */
#define MASSTREE_STORE_MUST_EXIST 2

/**
 * Flag of a store: a corrupt log is read up to the first fault, and what follows is given up: commits
 * that were durable may be lost. Without it, opening returns MASSTREE_CORRUPT.
 */
#define MASSTREE_STORE_SALVAGE 4

/**
 * Value of checkpoint_log_bytes: the length of the log does not lead to checkpoints.
 */
#define MASSTREE_NO_CHECKPOINTS UINT64_MAX

/**
 * Options of masstree_store_open. Start from MASSTREE_STORE_OPTIONS_INIT; struct_size works as in
 * masstree_options_t.
 */
typedef struct {
    /**
     * sizeof(masstree_store_options_t); MASSTREE_STORE_OPTIONS_INIT sets it.
     */
    size_t struct_size;
    /**
     * MASSTREE_STORE_READ_ONLY, _MUST_EXIST, _SALVAGE, or 0.
     */
    uint32_t flags;
    /**
     * What writing functions wait for before they return: MASSTREE_MEMORY (0), MASSTREE_WRITTEN or
     * MASSTREE_DURABLE.
     */
    uint32_t level;
    /**
     * Bytes of the buffer between writers and the log, rounded up to a power of two from 256 to 2^40;
     * 0: 8 MiB. A commit takes at most half of it, or is MASSTREE_TOO_LARGE: it takes 8 bytes, and for
     * each key that it changes 16 bytes, the key and the new value.
     */
    size_t log_buffer_bytes;
    /**
     * Bytes of a file of the log, after which the next one begins; 0: 64 MiB. At most 2^40;
     * a small one is raised to several times the buffer.
     */
    uint64_t log_segment_bytes;
    /**
     * The log is synced at least so often while there is something to sync, in microseconds; 0: only if
     * a thread waits for MASSTREE_DURABLE, asks for a sync, or closes the store.
     */
    uint64_t sync_interval_us;
    /**
     * Allocates the memory of the trees; NULL: malloc. The log's buffer, paths and lists of the store come
     * from malloc. Set alloc and free together.
     */
    masstree_alloc_t alloc;
    /**
     * Frees the memory that alloc has allocated.
     */
    masstree_free_t free;
    /**
     * Passed to alloc and free.
     */
    void *alloc_ctx;
    /**
     * The file operations; NULL: the operating system's. Copied; its ctx is used until the store is
     * closed.
     */
    const masstree_io_t *io;
    /**
     * Receives what failed, if opening fails because of a file; may be NULL. Initialise it with
     * MASSTREE_STORE_FAILURE_INIT.
     */
    masstree_store_failure_t *failure;
    /**
     * A checkpoint is made in the background when the log has so many bytes since the last; 0: 256 MiB,
     * or as many as the last checkpoint has, if that is more; MASSTREE_NO_CHECKPOINTS: never.
     */
    uint64_t checkpoint_log_bytes;
    /**
     * A checkpoint is made in the background when the last is older than so many seconds, and something was
     * committed since; 0: never.
     */
    uint64_t checkpoint_age_s;
    /**
     * Bytes of checkpoints that are written in a second, at most; 0: any number.
     */
    uint64_t checkpoint_bytes_per_s;
    /**
     * Threads that write a checkpoint, at most: no more than 4096; 0: one for each processor, but at most 4.
     */
    size_t checkpoint_threads;
    /**
     * Threads that build the trees when the store is opened, beside the one that reads the files; 1: that
     * one alone; 0: as many as there are processors, at most 4. At most 64 are used.
     */
    size_t recovery_threads;
    /**
     * Called with the progress of masstree_store_open; may be NULL.
     */
    masstree_progress_callback_t progress;
    /**
     * Passed to progress.
     */
    void *progress_ctx;
    /**
     * Bytes of the log that checkpoints leave, of the part that they make unnecessary, for masstree_store_changes; 0:
     * none.
     */
    uint64_t retained_log_bytes;
} masstree_store_options_t;

/** Initializer of masstree_store_options_t: sets struct_size, and every other field to 0 or NULL. */
#define MASSTREE_STORE_OPTIONS_INIT \
    { sizeof(masstree_store_options_t), 0, 0, 0, 0, 0, NULL, NULL, NULL, NULL, NULL, 0, 0, \
      0, 0, 0, NULL, NULL, 0 }

/**
 * Opens a store: makes its directory if there is none, locks it against other openers, and reads it.
 *
 * @param directory  Path of the directory, whose parent exists; NULL: a store in memory only, for which
 *                   nothing is written and all levels are reached at once.
 * @param options    NULL for the defaults, or a struct that was initialised with
 *                   MASSTREE_STORE_OPTIONS_INIT.
 * @param store      Receives the store, which the caller closes with masstree_store_close.
 *
 * @retval MASSTREE_OK         *store is open.
 * @retval MASSTREE_NOT_FOUND  There is no store, or only one without content, and the flags demand one.
 * @retval MASSTREE_INVALID    store is NULL; struct_size is smaller than any version of the struct; a flag
 *                             or the level is unknown; directory is NULL with MASSTREE_STORE_READ_ONLY
 *                             or _MUST_EXIST; a size is out of range; only one of alloc and free is
 *                             set; a function of io is NULL; or a byte of the struct that this library
 *                             does not know is not zero.
 * @retval MASSTREE_NOMEM      Out of memory.
 * @retval MASSTREE_FORKED     This process was forked while another thread was inside the library.
 * @retval MASSTREE_LOCKED     Another store, in this process or another, has the directory open.
 * @retval MASSTREE_CORRUPT    A file's content is wrong: *options->failure says where. Nothing was
 *                             changed.
 * @retval MASSTREE_FAILED     A file operation failed: *options->failure says which.
 * @retval MASSTREE_FULL       The disk is full.
 * @return The number with which options->progress has stopped the opening; nothing was changed.
 *
 * Thread safety: any thread. Since 0.1.
 */
int32_t masstree_store_open(const char *directory,
                            const masstree_store_options_t *options,
                            masstree_store_t **store);

/**
 * Waits until everything that was committed is durable, and frees the store and its trees. All guards
 * of its trees must have been left, its cursors, snapshots closed, its batches destroyed; and no other
 * thread may use the store or its trees during or after this call. NULL does nothing.
 *
 * @param store  The store. It is closed whatever the status.
 *
 * @retval MASSTREE_OK        Everything that was committed is durable; or store is NULL.
 * @retval MASSTREE_UNKNOWN   The log has failed: what was not durable may be missing at the next opening.
 * @retval MASSTREE_FORKED    The parent process opened the store, before a fork; nothing was done.
 *
 * Thread safety: no other thread may use the store. Since 0.1.
 */
int32_t masstree_store_close(masstree_store_t *store);

/* ============================================================================
 * Trees of a store
 * ============================================================================ */

/**
 * Called for each tree of a store.
 *
 * @param name  Its name, ended by a zero byte; valid during this call only.
 * @param tree  The tree.
 * @param ctx   The ctx that was passed with the visitor.
 *
 * @return MASSTREE_VISIT_CONTINUE to go on; a positive number to stop; a negative one to stop, and to
 *         return it (MASSTREE_OWN_STATUS or less, if it is not to be taken for a status of the library).
 */
typedef int32_t (*masstree_tree_visitor_t)(const char *name, masstree_t *tree, void *ctx);

/**
 * Returns the tree with a name; makes it if the store has none. The tree is the store's: the pointer is valid until
 * masstree_store_close, and masstree_destroy does nothing with it. Functions of masstree.h and
 * masstree/versioned.h read it; those that write return MASSTREE_READ_ONLY.
 *
 * @param store  The store.
 * @param name   The name: UTF-8, at most 255 bytes before the zero byte; may be empty.
 * @param tree   Receives the tree.
 *
 * @retval MASSTREE_OK         *tree is the tree.
 * @retval MASSTREE_INVALID    store, name or tree is NULL; the name is too long or not UTF-8; or the
 *                             store has 65,535 trees.
 * @retval MASSTREE_NOT_FOUND  There is no such tree, and the store is read-only.
 * @retval MASSTREE_NOMEM      Out of memory.
 * @retval MASSTREE_FORKED     The parent process opened the store, before a fork.
 * @retval MASSTREE_FULL       The tree is new, and the disk is full.
 * @retval MASSTREE_FAILED     The tree is new, and the log has failed.
 *
 * Thread safety: any thread. Since 0.1.
 */
int32_t masstree_store_tree(masstree_store_t *store,
                            const char *name,
                            masstree_t **tree);

/**
 * Drops the tree with a name, with all of its keys. A later masstree_store_tree makes a new one with the
 * name.
 *
 * The pointer to the dropped tree stays valid until masstree_store_close. Functions of this header that write
 * return MASSTREE_WRONG_TREE for it from now on, also masstree_store_commit for a batch that names the tree, of
 * which nothing is done. A write that another thread makes at the same time comes before the drop, or is
 * refused.
 *
 * Functions that read the dropped tree find what it had, until its content is freed: when no guard is held
 * in which a write may be under way, and no snapshot is open that was opened before the drop. From then on they
 * find it empty; those that are under way may end early. So its memory is given back soon if nothing holds it, but for
 * some KiB that stay until masstree_store_close.
 *
 * @param store   The store.
 * @param name    The name of the tree, as for masstree_store_tree.
 * @param commit  Receives the commit's number. May be NULL.
 *
 * @retval MASSTREE_OK         The tree is dropped.
 * @retval MASSTREE_NOT_FOUND  There is no tree with this name.
 * @retval MASSTREE_INVALID    store or name is NULL, or the name is too long or not UTF-8.
 * @retval MASSTREE_NOMEM      Out of memory; nothing was changed.
 * @retval MASSTREE_FORKED     The parent process opened the store, before a fork.
 * @retval MASSTREE_READ_ONLY  The store was opened read-only.
 * @retval MASSTREE_FULL       The disk is full; nothing was changed.
 * @retval MASSTREE_FAILED     The log has failed earlier (masstree_store_failure); nothing was changed.
 * @retval MASSTREE_UNKNOWN    The tree is dropped in memory, but the log failed before the commit reached the
 *                             level that the options demand. *commit is written.
 *
 * Thread safety: any thread. Since 0.1.
 */
int32_t masstree_store_drop_tree(masstree_store_t *store,
                                 const char *name,
                                 uint64_t *commit);

/**
 * Visits all trees of a store, in the order in which they were made.
 *
 * @param store  The store.
 * @param visit  Called for each tree, with no lock held.
 * @param ctx    Passed to visit.
 *
 * @retval MASSTREE_OK       All were visited, or visit returned a positive number.
 * @retval MASSTREE_INVALID  store or visit is NULL.
 * @retval MASSTREE_FORKED   The parent process opened the store, before a fork.
 * @return The negative number that the visitor returned.
 *
 * Thread safety: any thread. Since 0.1.
 */
int32_t masstree_store_list_trees(masstree_store_t *store,
                                  masstree_tree_visitor_t visit,
                                  void *ctx);

/* ============================================================================
 * Writing one key
 * ============================================================================ */

/**
 * Stores a value under a key, whether or not it has one.
 *
 * @param store      The store.
 * @param tree       A tree of the store.
 * @param key        key_len bytes; NULL only if key_len is 0.
 * @param key_len    Length of the key in bytes, at most 2^32 - 1.
 * @param value      value_len bytes, which are copied; NULL only if value_len is 0.
 * @param value_len  Length of the value in bytes.
 * @param commit     Receives the commit's number. May be NULL.
 *
 * @retval MASSTREE_OK            The value is stored.
 * @retval MASSTREE_INVALID       store or tree is NULL; key or value is NULL and its length is not 0.
 * @retval MASSTREE_NOMEM         Out of memory; nothing was changed.
 * @retval MASSTREE_KEY_TOO_LONG  key_len exceeds 2^32 - 1.
 * @retval MASSTREE_WRONG_TREE    The tree is not of this store, or was dropped.
 * @retval MASSTREE_FORKED        The parent process opened the store, before a fork.
 * @retval MASSTREE_READ_ONLY     The store was opened read-only.
 * @retval MASSTREE_TOO_LARGE     Key and value do not fit into the log's buffer (log_buffer_bytes);
 *                                nothing was changed.
 * @retval MASSTREE_FULL          The disk is full; nothing was changed. Writes work again when there is room.
 * @retval MASSTREE_FAILED        The log has failed earlier (masstree_store_failure); nothing was changed.
 * @retval MASSTREE_UNKNOWN       The value is stored in memory, but the log failed before it reached
 *                                the level that the options demand. *commit is written.
 *
 * Thread safety: any thread. Since 0.1.
 */
int32_t masstree_store_put(masstree_store_t *store,
                           masstree_t *tree,
                           const void *key,
                           size_t key_len,
                           const void *value,
                           size_t value_len,
                           uint64_t *commit);

/**
 * Stores a value under a key that has none.
 *
 * @param store      The store.
 * @param tree       A tree of the store.
 * @param key        key_len bytes; NULL only if key_len is 0.
 * @param key_len    Length of the key in bytes, at most 2^32 - 1.
 * @param value      value_len bytes, which are copied; NULL only if value_len is 0.
 * @param value_len  Length of the value in bytes.
 * @param commit     Receives the commit's number. May be NULL.
 *
 * @retval MASSTREE_OK            The value is stored.
 * @retval MASSTREE_EXISTS        The key has a value; nothing was changed.
 * @retval MASSTREE_INVALID       As masstree_store_put.
 * @retval MASSTREE_NOMEM         As masstree_store_put.
 * @retval MASSTREE_KEY_TOO_LONG  As masstree_store_put.
 * @retval MASSTREE_WRONG_TREE    As masstree_store_put.
 * @retval MASSTREE_FORKED        As masstree_store_put.
 * @retval MASSTREE_READ_ONLY     As masstree_store_put.
 * @retval MASSTREE_TOO_LARGE     As masstree_store_put.
 * @retval MASSTREE_FULL          As masstree_store_put.
 * @retval MASSTREE_FAILED        As masstree_store_put.
 * @retval MASSTREE_UNKNOWN       As masstree_store_put.
 *
 * Thread safety: any thread. Since 0.1.
 */
int32_t masstree_store_insert(masstree_store_t *store,
                              masstree_t *tree,
                              const void *key,
                              size_t key_len,
                              const void *value,
                              size_t value_len,
                              uint64_t *commit);

/**
 * Removes a key.
 *
 * @param store    The store.
 * @param tree     A tree of the store.
 * @param key      key_len bytes; NULL only if key_len is 0.
 * @param key_len  Length of the key in bytes, at most 2^32 - 1.
 * @param commit   Receives the commit's number. May be NULL.
 *
 * @retval MASSTREE_OK            The key is removed.
 * @retval MASSTREE_NOT_FOUND     The key has no value; nothing was changed.
 * @retval MASSTREE_INVALID       store or tree is NULL; key is NULL and key_len is not 0.
 * @retval MASSTREE_NOMEM         As masstree_store_put.
 * @retval MASSTREE_KEY_TOO_LONG  As masstree_store_put.
 * @retval MASSTREE_WRONG_TREE    As masstree_store_put.
 * @retval MASSTREE_FORKED        As masstree_store_put.
 * @retval MASSTREE_READ_ONLY     As masstree_store_put.
 * @retval MASSTREE_TOO_LARGE     As masstree_store_put.
 * @retval MASSTREE_FULL          As masstree_store_put.
 * @retval MASSTREE_FAILED        As masstree_store_put.
 * @retval MASSTREE_UNKNOWN       As masstree_store_put.
 *
 * Thread safety: any thread. Since 0.1.
 */
int32_t masstree_store_remove(masstree_store_t *store,
                              masstree_t *tree,
                              const void *key,
                              size_t key_len,
                              uint64_t *commit);

/**
 * Stores a value under a key, and returns the one that it displaced.
 *
 * @param store      The store.
 * @param tree       A tree of the store.
 * @param guard      A guard of the tree: what *old points to stays readable until it is refreshed or left.
 * @param key        key_len bytes; NULL only if key_len is 0.
 * @param key_len    Length of the key in bytes, at most 2^32 - 1.
 * @param value      value_len bytes, which are copied; NULL only if value_len is 0.
 * @param value_len  Length of the value in bytes.
 * @param old        Receives the displaced value and its number. Written only with MASSTREE_OK, or with
 *                   MASSTREE_UNKNOWN if there was a value.
 * @param commit     Receives the commit's number. May be NULL.
 *
 * @retval MASSTREE_OK            The value is stored, and *old was displaced.
 * @retval MASSTREE_NOT_FOUND     The value is stored; the key had none.
 * @retval MASSTREE_INVALID       store, tree, guard or old is NULL; key or value is NULL and its length is
 *                                not 0.
 * @retval MASSTREE_NOMEM         As masstree_store_put.
 * @retval MASSTREE_KEY_TOO_LONG  As masstree_store_put.
 * @retval MASSTREE_WRONG_TREE    The tree is not of this store, or was dropped; or the guard is not of the tree.
 * @retval MASSTREE_FORKED        As masstree_store_put.
 * @retval MASSTREE_READ_ONLY     As masstree_store_put.
 * @retval MASSTREE_TOO_LARGE     As masstree_store_put.
 * @retval MASSTREE_FULL          As masstree_store_put.
 * @retval MASSTREE_FAILED        As masstree_store_put.
 * @retval MASSTREE_UNKNOWN       As masstree_store_put.
 *
 * Thread safety: any thread. Since 0.1.
 */
int32_t masstree_store_exchange(masstree_store_t *store,
                                masstree_t *tree,
                                masstree_guard_t *guard,
                                const void *key,
                                size_t key_len,
                                const void *value,
                                size_t value_len,
                                masstree_version_t *old,
                                uint64_t *commit);

/* ============================================================================
 * Conditional writes
 * ============================================================================ */

/**
 * Condition: the key has no value.
 */
#define MASSTREE_IF_ABSENT 1

/**
 * Condition: the key has a value.
 */
#define MASSTREE_IF_PRESENT 2

/**
 * Condition: the key has a value that the commit with the number `seqno` stored.
 */
#define MASSTREE_IF_VERSION 3

/**
 * Condition: the key has this value, byte by byte.
 */
#define MASSTREE_IF_VALUE 4

/**
 * What a write demands of the key.
 */
typedef struct {
    /**
     * MASSTREE_IF_ABSENT, MASSTREE_IF_PRESENT, MASSTREE_IF_VERSION or MASSTREE_IF_VALUE.
     */
    uint32_t kind;
    /**
     * 0.
     */
    uint32_t reserved;
    /**
     * For MASSTREE_IF_VERSION: the number; otherwise 0.
     */
    uint64_t seqno;
    /**
     * For MASSTREE_IF_VALUE: value_len bytes; NULL only if value_len is 0. Otherwise NULL.
     */
    const void *value;
    /**
     * Length of the value in bytes.
     */
    size_t value_len;
} masstree_store_condition_t;

/**
 * Stores a value under a key, if a condition holds for what it has.
 *
 * @param store      The store.
 * @param tree       A tree of the store.
 * @param key        key_len bytes; NULL only if key_len is 0.
 * @param key_len    Length of the key in bytes, at most 2^32 - 1.
 * @param condition  The condition.
 * @param value      value_len bytes, which are copied; NULL only if value_len is 0.
 * @param value_len  Length of the value in bytes.
 * @param commit     Receives the commit's number. May be NULL.
 *
 * @retval MASSTREE_OK            The value is stored.
 * @retval MASSTREE_NOT_FOUND     The key has no value, but the condition demands one; nothing was
 *                                changed.
 * @retval MASSTREE_MISMATCH      The key has a value, for which the condition does not hold; nothing was
 *                                changed.
 * @retval MASSTREE_INVALID       As masstree_store_put; or condition is NULL, its kind unknown, its value NULL
 *                                although value_len is not 0, or reserved not 0.
 * @retval MASSTREE_NOMEM         As masstree_store_put.
 * @retval MASSTREE_KEY_TOO_LONG  As masstree_store_put.
 * @retval MASSTREE_WRONG_TREE    As masstree_store_put.
 * @retval MASSTREE_FORKED        As masstree_store_put.
 * @retval MASSTREE_READ_ONLY     As masstree_store_put.
 * @retval MASSTREE_TOO_LARGE     As masstree_store_put.
 * @retval MASSTREE_FULL          As masstree_store_put.
 * @retval MASSTREE_FAILED        As masstree_store_put.
 * @retval MASSTREE_UNKNOWN       As masstree_store_put.
 *
 * Thread safety: any thread. Since 0.1.
 */
int32_t masstree_store_replace_if(masstree_store_t *store,
                                  masstree_t *tree,
                                  const void *key,
                                  size_t key_len,
                                  const masstree_store_condition_t *condition,
                                  const void *value,
                                  size_t value_len,
                                  uint64_t *commit);

/**
 * Removes a key, if a condition holds for what it has.
 *
 * @param store      The store.
 * @param tree       A tree of the store.
 * @param key        key_len bytes; NULL only if key_len is 0.
 * @param key_len    Length of the key in bytes, at most 2^32 - 1.
 * @param condition  The condition; MASSTREE_IF_ABSENT is refused.
 * @param commit     Receives the commit's number. May be NULL.
 *
 * @retval MASSTREE_OK            The key is removed.
 * @retval MASSTREE_NOT_FOUND     The key has no value; nothing was changed.
 * @retval MASSTREE_MISMATCH      The key has a value, for which the condition does not hold; nothing was
 *                                changed.
 * @retval MASSTREE_INVALID       As masstree_store_replace_if, or the condition is MASSTREE_IF_ABSENT.
 * @retval MASSTREE_NOMEM         As masstree_store_put.
 * @retval MASSTREE_KEY_TOO_LONG  As masstree_store_put.
 * @retval MASSTREE_WRONG_TREE    As masstree_store_put.
 * @retval MASSTREE_FORKED        As masstree_store_put.
 * @retval MASSTREE_READ_ONLY     As masstree_store_put.
 * @retval MASSTREE_TOO_LARGE     As masstree_store_put.
 * @retval MASSTREE_FULL          As masstree_store_put.
 * @retval MASSTREE_FAILED        As masstree_store_put.
 * @retval MASSTREE_UNKNOWN       As masstree_store_put.
 *
 * Thread safety: any thread. Since 0.1.
 */
int32_t masstree_store_remove_if(masstree_store_t *store,
                                 masstree_t *tree,
                                 const void *key,
                                 size_t key_len,
                                 const masstree_store_condition_t *condition,
                                 uint64_t *commit);

/* ============================================================================
 * Batches
 * ============================================================================ */

/**
 * Flag of a rename: a value of the target is displaced.
 */
#define MASSTREE_RENAME_FORCE 1

/**
 * Creates an empty batch.
 *
 * @param store  The store.
 * @param batch  Receives the batch, which the caller frees with masstree_batch_destroy.
 *
 * @retval MASSTREE_OK       *batch is a new, empty batch.
 * @retval MASSTREE_INVALID  store or batch is NULL.
 * @retval MASSTREE_NOMEM    Out of memory.
 * @retval MASSTREE_FORKED   The parent process opened the store, before a fork.
 *
 * Thread safety: any thread. Since 0.1.
 */
int32_t masstree_batch_create(masstree_store_t *store, masstree_batch_t **batch);

/**
 * Frees a batch. NULL does nothing, and neither does a batch that the parent process created before a
 * fork.
 *
 * @param batch  The batch.
 *
 * Thread safety: no other thread may use the batch. Since 0.1.
 */
void masstree_batch_destroy(masstree_batch_t *batch);

/**
 * Removes all operations of a batch, and keeps its memory.
 *
 * @param batch  The batch; NULL does nothing.
 *
 * Thread safety: no other thread may use the batch. Since 0.1.
 */
void masstree_batch_clear(masstree_batch_t *batch);

/**
 * Returns the number of operations of a batch.
 *
 * @param batch  The batch.
 *
 * @return The number; 0 for NULL.
 *
 * Thread safety: no other thread may change the batch. Since 0.1.
 */
size_t masstree_batch_len(const masstree_batch_t *batch);

/**
 * Adds to a batch: store a value under a key.
 *
 * @param batch      The batch.
 * @param tree       A tree of the batch's store.
 * @param key        key_len bytes, which are copied; NULL only if key_len is 0.
 * @param key_len    Length of the key in bytes, at most 2^32 - 1.
 * @param value      value_len bytes, which are copied; NULL only if value_len is 0.
 * @param value_len  Length of the value in bytes.
 *
 * @retval MASSTREE_OK            The batch has the operation.
 * @retval MASSTREE_INVALID       batch or tree is NULL; key or value is NULL and its length is not 0.
 * @retval MASSTREE_NOMEM         Out of memory; the batch is as it was.
 * @retval MASSTREE_KEY_TOO_LONG  key_len exceeds 2^32 - 1.
 * @retval MASSTREE_WRONG_TREE    The tree is not of the batch's store.
 * @retval MASSTREE_FORKED        The parent process opened the store, before a fork.
 *
 * Thread safety: no other thread may use the batch. Since 0.1.
 */
int32_t masstree_batch_put(masstree_batch_t *batch,
                           masstree_t *tree,
                           const void *key,
                           size_t key_len,
                           const void *value,
                           size_t value_len);

/**
 * Adds to a batch: remove a key, whether or not it has a value.
 *
 * @param batch      The batch.
 * @param tree       A tree of the batch's store.
 * @param key        key_len bytes, which are copied; NULL only if key_len is 0.
 * @param key_len    Length of the key in bytes, at most 2^32 - 1.
 *
 * @retval MASSTREE_OK            The batch has the operation.
 * @retval MASSTREE_INVALID       batch or tree is NULL; key is NULL and key_len is not 0.
 * @retval MASSTREE_NOMEM         Out of memory; the batch is as it was.
 * @retval MASSTREE_KEY_TOO_LONG  key_len exceeds 2^32 - 1.
 * @retval MASSTREE_WRONG_TREE    The tree is not of the batch's store.
 * @retval MASSTREE_FORKED        The parent process opened the store, before a fork.
 *
 * Thread safety: no other thread may use the batch. Since 0.1.
 */
int32_t masstree_batch_remove(masstree_batch_t *batch,
                              masstree_t *tree,
                              const void *key,
                              size_t key_len);

/**
 * Adds to a batch: move the value of a key to another key of the same tree. The batch is refused if
 * the key has no value, or if the target has one and flags lacks MASSTREE_RENAME_FORCE. If both
 * keys are the same, the operation only demands that it has a value.
 *
 * @param batch      The batch.
 * @param tree       A tree of the batch's store.
 * @param src        The key: src_len bytes, which are copied; NULL only if src_len is 0.
 * @param src_len    Its length in bytes, at most 2^32 - 1.
 * @param dst        The target: dst_len bytes, which are copied; NULL only if dst_len is 0.
 * @param dst_len    Its length in bytes, at most 2^32 - 1.
 * @param flags      0 or MASSTREE_RENAME_FORCE.
 *
 * @retval MASSTREE_OK            The batch has the operation.
 * @retval MASSTREE_INVALID       batch or tree is NULL; src or dst is NULL and its length is not 0; flags has
 *                                an unknown flag.
 * @retval MASSTREE_NOMEM         Out of memory; the batch is as it was.
 * @retval MASSTREE_KEY_TOO_LONG  src_len or dst_len exceeds 2^32 - 1.
 * @retval MASSTREE_WRONG_TREE    The tree is not of the batch's store.
 * @retval MASSTREE_FORKED        The parent process opened the store, before a fork.
 *
 * Thread safety: no other thread may use the batch. Since 0.1.
 */
int32_t masstree_batch_rename(masstree_batch_t *batch,
                              masstree_t *tree,
                              const void *src,
                              size_t src_len,
                              const void *dst,
                              size_t dst_len,
                              uint32_t flags);

/**
 * Commits a batch: makes all of its changes at once, if all of its conditions hold, and otherwise none.
 * The batch keeps its operations.
 *
 * @param store   The store.
 * @param batch   A batch of this store.
 * @param commit  Receives the commit's number. May be NULL.
 * @param failed  Receives, with MASSTREE_MISMATCH, the index of an operation whose condition does not hold;
 *                the first operation has 0. May be NULL.
 *
 * @retval MASSTREE_OK          The batch is committed.
 * @retval MASSTREE_MISMATCH    A condition does not hold, or a key to rename has no value, or the
 *                              target of a rename has one; nothing was changed.
 * @retval MASSTREE_INVALID     store or batch is NULL, or the batch is of another store.
 * @retval MASSTREE_WRONG_TREE  A tree that the batch names was dropped; nothing was changed.
 * @retval MASSTREE_NOMEM       Out of memory; nothing was changed.
 * @retval MASSTREE_FORKED      The parent process opened the store, before a fork.
 * @retval MASSTREE_READ_ONLY   The store was opened read-only.
 * @retval MASSTREE_TOO_LARGE   The changes do not fit into the log's buffer (log_buffer_bytes);
 *                              nothing was changed.
 * @retval MASSTREE_FULL        The disk is full; nothing was changed.
 * @retval MASSTREE_FAILED      The log has failed earlier; nothing was changed.
 * @retval MASSTREE_UNKNOWN     The batch is committed in memory, but the log failed before it reached
 *                              the level that the options demand. *commit is written.
 *
 * Thread safety: any thread, but no other one uses the batch. Since 0.1.
 */
int32_t masstree_store_commit(masstree_store_t *store,
                              masstree_batch_t *batch,
                              uint64_t *commit,
                              size_t *failed);

/**
 * Moves the value of a key to another key of the same tree: readers see it under one of them at any
 * time, and so does the next opening after a crash.
 *
 * @param store    The store.
 * @param tree     A tree of the store.
 * @param src      The key: src_len bytes; NULL only if src_len is 0.
 * @param src_len  Its length in bytes, at most 2^32 - 1.
 * @param dst      The target: dst_len bytes; NULL only if dst_len is 0.
 * @param dst_len  Its length in bytes, at most 2^32 - 1.
 * @param flags    0, or MASSTREE_RENAME_FORCE: a value of the target is displaced.
 * @param commit   Receives the commit's number. May be NULL.
 *
 * @retval MASSTREE_OK            The value is moved; or both keys are the same, and it has a value.
 * @retval MASSTREE_NOT_FOUND     The key has no value; nothing was changed.
 * @retval MASSTREE_EXISTS        The target has a value, and flags is 0; nothing was changed.
 * @retval MASSTREE_INVALID       store or tree is NULL; src or dst is NULL and its length is not 0;
 *                                flags has an unknown flag.
 * @retval MASSTREE_NOMEM         As masstree_store_put.
 * @retval MASSTREE_KEY_TOO_LONG  src_len or dst_len exceeds 2^32 - 1.
 * @retval MASSTREE_WRONG_TREE    As masstree_store_put.
 * @retval MASSTREE_FORKED        As masstree_store_put.
 * @retval MASSTREE_READ_ONLY     As masstree_store_put.
 * @retval MASSTREE_TOO_LARGE     As masstree_store_put.
 * @retval MASSTREE_FULL          As masstree_store_put.
 * @retval MASSTREE_FAILED        As masstree_store_put.
 * @retval MASSTREE_UNKNOWN       As masstree_store_put.
 *
 * Thread safety: any thread. Since 0.1.
 */
int32_t masstree_store_rename(masstree_store_t *store,
                              masstree_t *tree,
                              const void *src,
                              size_t src_len,
                              const void *dst,
                              size_t dst_len,
                              uint32_t flags,
                              uint64_t *commit);

/**
 * Adds to a batch: demand that a key has no value.
 *
 * @param batch      The batch.
 * @param tree       A tree of the batch's store.
 * @param key        key_len bytes, which are copied; NULL only if key_len is 0.
 * @param key_len    Length of the key in bytes, at most 2^32 - 1.
 *
 * @retval MASSTREE_OK            The batch has the operation.
 * @retval MASSTREE_INVALID       batch or tree is NULL; key is NULL and key_len is not 0.
 * @retval MASSTREE_NOMEM         Out of memory; the batch is as it was.
 * @retval MASSTREE_KEY_TOO_LONG  key_len exceeds 2^32 - 1.
 * @retval MASSTREE_WRONG_TREE    The tree is not of the batch's store.
 * @retval MASSTREE_FORKED        The parent process opened the store, before a fork.
 *
 * Thread safety: no other thread may use the batch. Since 0.1.
 */
int32_t masstree_batch_assert_absent(masstree_batch_t *batch,
                                     masstree_t *tree,
                                     const void *key,
                                     size_t key_len);

/**
 * Adds to a batch: demand that a key has a value.
 *
 * @param batch      The batch.
 * @param tree       A tree of the batch's store.
 * @param key        key_len bytes, which are copied; NULL only if key_len is 0.
 * @param key_len    Length of the key in bytes, at most 2^32 - 1.
 *
 * @retval MASSTREE_OK            The batch has the operation.
 * @retval MASSTREE_INVALID       batch or tree is NULL; key is NULL and key_len is not 0.
 * @retval MASSTREE_NOMEM         Out of memory; the batch is as it was.
 * @retval MASSTREE_KEY_TOO_LONG  key_len exceeds 2^32 - 1.
 * @retval MASSTREE_WRONG_TREE    The tree is not of the batch's store.
 * @retval MASSTREE_FORKED        The parent process opened the store, before a fork.
 *
 * Thread safety: no other thread may use the batch. Since 0.1.
 */
int32_t masstree_batch_assert_present(masstree_batch_t *batch,
                                      masstree_t *tree,
                                      const void *key,
                                      size_t key_len);

/**
 * Adds to a batch: demand that a key has a value that a certain commit stored. What the batch
 * itself has stored has no number yet: for it, the condition does not hold.
 *
 * @param batch      The batch.
 * @param tree       A tree of the batch's store.
 * @param key        key_len bytes, which are copied; NULL only if key_len is 0.
 * @param key_len    Length of the key in bytes, at most 2^32 - 1.
 * @param seqno      The commit's number: seqno of the version that was read.
 *
 * @retval MASSTREE_OK            The batch has the operation.
 * @retval MASSTREE_INVALID       batch or tree is NULL; key is NULL and key_len is not 0.
 * @retval MASSTREE_NOMEM         Out of memory; the batch is as it was.
 * @retval MASSTREE_KEY_TOO_LONG  key_len exceeds 2^32 - 1.
 * @retval MASSTREE_WRONG_TREE    The tree is not of the batch's store.
 * @retval MASSTREE_FORKED        The parent process opened the store, before a fork.
 *
 * Thread safety: no other thread may use the batch. Since 0.1.
 */
int32_t masstree_batch_assert_version(masstree_batch_t *batch,
                                      masstree_t *tree,
                                      const void *key,
                                      size_t key_len,
                                      uint64_t seqno);

/**
 * Adds to a batch: demand that a key has a value, byte by byte this one.
 *
 * @param batch      The batch.
 * @param tree       A tree of the batch's store.
 * @param key        key_len bytes, which are copied; NULL only if key_len is 0.
 * @param key_len    Length of the key in bytes, at most 2^32 - 1.
 * @param value      value_len bytes, which are copied; NULL only if value_len is 0.
 * @param value_len  Length of the value in bytes.
 *
 * @retval MASSTREE_OK            The batch has the operation.
 * @retval MASSTREE_INVALID       batch or tree is NULL; key or value is NULL and its length is not 0.
 * @retval MASSTREE_NOMEM         Out of memory; the batch is as it was.
 * @retval MASSTREE_KEY_TOO_LONG  key_len exceeds 2^32 - 1.
 * @retval MASSTREE_WRONG_TREE    The tree is not of the batch's store.
 * @retval MASSTREE_FORKED        The parent process opened the store, before a fork.
 *
 * Thread safety: no other thread may use the batch. Since 0.1.
 */
int32_t masstree_batch_assert_value(masstree_batch_t *batch,
                                    masstree_t *tree,
                                    const void *key,
                                    size_t key_len,
                                    const void *value,
                                    size_t value_len);

/**
 * Adds to a batch: demand that no key that begins with certain bytes has a value. Holds only if it is
 * so at the moment of the commit: an insert by another thread comes before the batch, and makes it fail, or
 * after it. A batch with this condition waits for commits that are under way in other threads.
 *
 * @param batch      The batch.
 * @param tree       A tree of the batch's store.
 * @param key        The prefix: key_len bytes, which are copied; NULL only if key_len is 0.
 * @param key_len    Length of the prefix in bytes, at most 2^32 - 1.
 *
 * @retval MASSTREE_OK            The batch has the operation.
 * @retval MASSTREE_INVALID       batch or tree is NULL; key is NULL and key_len is not 0.
 * @retval MASSTREE_NOMEM         Out of memory; the batch is as it was.
 * @retval MASSTREE_KEY_TOO_LONG  key_len exceeds 2^32 - 1.
 * @retval MASSTREE_WRONG_TREE    The tree is not of the batch's store.
 * @retval MASSTREE_FORKED        The parent process opened the store, before a fork.
 *
 * Thread safety: no other thread may use the batch. Since 0.1.
 */
int32_t masstree_batch_assert_prefix_empty(masstree_batch_t *batch,
                                           masstree_t *tree,
                                           const void *key,
                                           size_t key_len);

/* ============================================================================
 * Transactions
 * ============================================================================ */

/**
 * Isolation of a transaction: serializable. Everything that it has read must be unchanged at its commit.
 */
#define MASSTREE_TXN_SERIALIZABLE 0

/**
 * Isolation of a transaction: snapshot isolation. Only the keys that it writes must be unchanged.
 */
#define MASSTREE_TXN_SNAPSHOT 1

/**
 * Isolation of a transaction: it writes nothing, and is never refused.
 */
#define MASSTREE_TXN_READ_ONLY 2

/**
 * Options of a transaction. Start from MASSTREE_TXN_OPTIONS_INIT; struct_size works as in
 * masstree_options_t.
 */
typedef struct {
    /**
     * sizeof(masstree_txn_options_t); MASSTREE_TXN_OPTIONS_INIT sets it.
     */
    size_t struct_size;
    /**
     * MASSTREE_TXN_SERIALIZABLE (0), MASSTREE_TXN_SNAPSHOT or MASSTREE_TXN_READ_ONLY.
     */
    uint32_t isolation;
    /**
     * What the commit waits for, if that is more than the store's level: MASSTREE_MEMORY (0),
     * MASSTREE_WRITTEN or MASSTREE_DURABLE.
     */
    uint32_t level;
    /**
     * Bytes of memory that the transaction may take for what it has read and written; 0: 64 MiB.
     */
    size_t max_bytes;
    /**
     * How often masstree_store_transact runs the transaction at most; 0: until it is not refused.
     */
    uint32_t max_attempts;
    /**
     * Must be 0.
     */
    uint32_t reserved;
} masstree_txn_options_t;

/** Initializer of masstree_txn_options_t: sets struct_size, and every other field to 0 or NULL. */
#define MASSTREE_TXN_OPTIONS_INIT \
    { sizeof(masstree_txn_options_t), 0, 0, 0, 0, 0 }

/**
 * Begins a transaction: it reads the store as it is now.
 *
 * @param store    The store.
 * @param options  NULL for the defaults, or a struct that was initialised with
 *                 MASSTREE_TXN_OPTIONS_INIT.
 * @param txn      Receives the transaction, which the caller frees with masstree_txn_destroy.
 *
 * @retval MASSTREE_OK       *txn is a transaction.
 * @retval MASSTREE_INVALID  store or txn is NULL; the isolation or the level is unknown; a reserved field
 *                           is not 0; struct_size is too small, or a byte of the struct that this
 *                           library does not know is not zero.
 * @retval MASSTREE_NOMEM    Out of memory.
 * @retval MASSTREE_FORKED   The parent process opened the store, before a fork.
 *
 * Thread safety: any thread. Since 0.1.
 */
int32_t masstree_txn_begin(masstree_store_t *store,
                           const masstree_txn_options_t *options,
                           masstree_txn_t **txn);

/**
 * Begins a transaction again, at a new snapshot, without any reads or writes. What it has written since
 * the last commit is discarded.
 *
 * @param txn  The transaction.
 *
 * @retval MASSTREE_OK       It reads the store as it is now.
 * @retval MASSTREE_INVALID  txn is NULL.
 * @retval MASSTREE_NOMEM    Out of memory: the transaction has ended.
 * @retval MASSTREE_FORKED   The parent process opened the store, before a fork.
 *
 * Thread safety: no other thread may use the transaction. Since 0.1.
 */
int32_t masstree_txn_reset(masstree_txn_t *txn);

/**
 * Commits a transaction: makes all of its writes at once, if what it depends on is unchanged. It has ended
 * afterwards, unless an error is returned other than MASSTREE_UNKNOWN: then it may be committed again.
 *
 * @param txn     The transaction.
 * @param commit  Receives the commit's number; if the transaction has written nothing, the number at which
 *                it has read. May be NULL.
 *
 * @retval MASSTREE_OK         The transaction is committed.
 * @retval MASSTREE_CONFLICT   Another commit has changed what it depends on: nothing was changed.
 *                             masstree_txn_conflict returns the key.
 * @retval MASSTREE_INVALID    txn is NULL, or the transaction has ended.
 * @retval MASSTREE_NOMEM      Out of memory; nothing was changed.
 * @retval MASSTREE_WRONG_TREE  A tree that the transaction has used was dropped; nothing was changed.
 * @retval MASSTREE_FORKED     The parent process opened the store, before a fork.
 * @retval MASSTREE_TOO_LARGE  The writes do not fit into the log's buffer (log_buffer_bytes); nothing
 *                             was changed.
 * @retval MASSTREE_FULL       The disk is full; nothing was changed.
 * @retval MASSTREE_FAILED     The log has failed earlier; nothing was changed.
 * @retval MASSTREE_UNKNOWN    The transaction is committed in memory, but the log failed before it reached
 *                             the level that the options demand. *commit is written.
 *
 * Thread safety: no other thread may use the transaction. Since 0.1.
 */
int32_t masstree_txn_commit(masstree_txn_t *txn,
                            uint64_t *commit);

/**
 * Ends a transaction without changing anything.
 *
 * @param txn  The transaction; one that has ended, or NULL, does nothing.
 *
 * Thread safety: no other thread may use the transaction. Since 0.1.
 */
void masstree_txn_abort(masstree_txn_t *txn);

/**
 * Frees a transaction; one that is not committed changes nothing. NULL does nothing, and neither does a
 * transaction that the parent process began before a fork.
 *
 * @param txn  The transaction.
 *
 * Thread safety: no other thread may use the transaction. Since 0.1.
 */
void masstree_txn_destroy(masstree_txn_t *txn);

/**
 * Returns the number of the snapshot that a transaction reads.
 *
 * @param txn  The transaction.
 *
 * @return The number; 0 if txn is NULL or the transaction has ended.
 *
 * Thread safety: no other thread may change the transaction. Since 0.1.
 */
uint64_t masstree_txn_seqno(const masstree_txn_t *txn);

/**
 * Returns a key because of which the last commit of a transaction was refused.
 *
 * @param txn      The transaction.
 * @param tree     Receives the tree. May be NULL.
 * @param key      Receives a pointer to the key: readable until the transaction is begun again or
 *                 destroyed. May be NULL.
 * @param key_len  Receives the length of the key in bytes. May be NULL.
 *
 * @retval MASSTREE_OK         A commit was refused because of this key.
 * @retval MASSTREE_NOT_FOUND  No commit was refused since the transaction was begun, or begun again.
 * @retval MASSTREE_INVALID    txn is NULL.
 * @retval MASSTREE_FORKED     The parent process opened the store, before a fork.
 *
 * Thread safety: no other thread may use the transaction. Since 0.1.
 */
int32_t masstree_txn_conflict(masstree_txn_t *txn,
                              masstree_t **tree,
                              const void **key,
                              size_t *key_len);

/**
 * Looks up a key: what the transaction has written, or else what its snapshot has.
 *
 * @param txn      The transaction.
 * @param tree     A tree of its store.
 * @param key      key_len bytes; NULL only if key_len is 0.
 * @param key_len  Length of the key in bytes, at most 2^32 - 1.
 * @param version  Receives the value, whose bytes are readable until the transaction ends, and the number
 *                 of its commit; 0 if the transaction has written it. May be NULL.
 *
 * @retval MASSTREE_OK            The key has a value.
 * @retval MASSTREE_NOT_FOUND     The key has none.
 * @retval MASSTREE_INVALID       txn or tree is NULL; key is NULL and key_len is not 0; or the transaction
 *                                has ended.
 * @retval MASSTREE_NOMEM         Out of memory; the transaction is as it was.
 * @retval MASSTREE_KEY_TOO_LONG  key_len exceeds 2^32 - 1.
 * @retval MASSTREE_WRONG_TREE    The tree is not of the transaction's store, or was dropped before the
 *                                transaction began.
 * @retval MASSTREE_FORKED        The parent process opened the store, before a fork.
 * @retval MASSTREE_TOO_LARGE     The transaction would take more memory than max_bytes; it is as it
 *                                was.
 *
 * Thread safety: no other thread may use the transaction. Since 0.1.
 */
int32_t masstree_txn_get(masstree_txn_t *txn,
                         const masstree_t *tree,
                         const void *key,
                         size_t key_len,
                         masstree_version_t *version);

/**
 * Visits the keys of a range that have a value, in order, each with its value: those of the snapshot, with
 * what the transaction has written. The range counts as read up to the last key that was visited, or to
 * its end: a key that another commit adds there refuses the transaction.
 *
 * @param txn      The transaction.
 * @param tree     A tree of its store.
 * @param range    As in masstree_scan; MASSTREE_SCAN_KEYS_ONLY and MASSTREE_SCAN_VALUES_ONLY have no
 *                 effect.
 * @param visit    Called for each key. The value's bytes are readable until the transaction ends. No lock
 *                 and no guard is held: the visitor may use the transaction, and what it writes behind the key is
 *                 visited. It must neither end the transaction nor destroy it.
 * @param ctx      Passed to visit.
 * @param visited  As in masstree_scan.
 *
 * @retval MASSTREE_OK            The range was visited to its end, to the limit, or until the
 *                                visitor stopped.
 * @retval MASSTREE_INVALID       txn, tree or visit is NULL; the transaction has ended; otherwise as in
 *                                masstree_scan.
 * @retval MASSTREE_NOMEM         Out of memory.
 * @retval MASSTREE_KEY_TOO_LONG  A bound or the prefix exceeds 2^32 - 1 bytes.
 * @retval MASSTREE_WRONG_TREE    The tree is not of the transaction's store, or was dropped before the
 *                                transaction began.
 * @retval MASSTREE_FORKED        The parent process opened the store, before a fork.
 * @retval MASSTREE_TOO_LARGE     The transaction would take more memory than max_bytes.
 * @return The negative number that the visitor returned.
 *
 * Thread safety: no other thread may use the transaction. Since 0.1.
 */
int32_t masstree_txn_scan(masstree_txn_t *txn,
                          const masstree_t *tree,
                          const masstree_range_t *range,
                          masstree_version_visitor_t visit,
                          void *ctx,
                          size_t *visited);

/**
 * Stores a value under a key, when the transaction is committed.
 *
 * @param txn        The transaction.
 * @param tree       A tree of its store.
 * @param key        key_len bytes, which are copied; NULL only if key_len is 0.
 * @param key_len    Length of the key in bytes, at most 2^32 - 1.
 * @param value      value_len bytes, which are copied; NULL only if value_len is 0.
 * @param value_len  Length of the value in bytes.
 *
 * @retval MASSTREE_OK            The transaction's reads find the value from now on.
 * @retval MASSTREE_INVALID       txn or tree is NULL; key or value is NULL and its length is not 0; or
 *                                the transaction has ended.
 * @retval MASSTREE_NOMEM         As masstree_txn_get.
 * @retval MASSTREE_KEY_TOO_LONG  key_len exceeds 2^32 - 1.
 * @retval MASSTREE_WRONG_TREE    As masstree_txn_get.
 * @retval MASSTREE_FORKED        As masstree_txn_get.
 * @retval MASSTREE_READ_ONLY     The transaction, or the store, is read-only.
 * @retval MASSTREE_TOO_LARGE     As masstree_txn_get.
 *
 * Thread safety: no other thread may use the transaction. Since 0.1.
 */
int32_t masstree_txn_put(masstree_txn_t *txn,
                         masstree_t *tree,
                         const void *key,
                         size_t key_len,
                         const void *value,
                         size_t value_len);

/**
 * Stores a value under a key that has none, when the transaction is committed.
 *
 * @param txn        The transaction.
 * @param tree       A tree of its store.
 * @param key        key_len bytes, which are copied; NULL only if key_len is 0.
 * @param key_len    Length of the key in bytes, at most 2^32 - 1.
 * @param value      value_len bytes, which are copied; NULL only if value_len is 0.
 * @param value_len  Length of the value in bytes.
 *
 * @retval MASSTREE_OK            The transaction's reads find the value from now on.
 * @retval MASSTREE_EXISTS        The key has a value, for the transaction; nothing was changed.
 * @retval MASSTREE_INVALID       As masstree_txn_put.
 * @retval MASSTREE_NOMEM         As masstree_txn_get.
 * @retval MASSTREE_KEY_TOO_LONG  key_len exceeds 2^32 - 1.
 * @retval MASSTREE_WRONG_TREE    As masstree_txn_get.
 * @retval MASSTREE_FORKED        As masstree_txn_get.
 * @retval MASSTREE_READ_ONLY     As masstree_txn_put.
 * @retval MASSTREE_TOO_LARGE     As masstree_txn_get.
 *
 * Thread safety: no other thread may use the transaction. Since 0.1.
 */
int32_t masstree_txn_insert(masstree_txn_t *txn,
                            masstree_t *tree,
                            const void *key,
                            size_t key_len,
                            const void *value,
                            size_t value_len);

/**
 * Removes a key, when the transaction is committed.
 *
 * @param txn      The transaction.
 * @param tree     A tree of its store.
 * @param key      key_len bytes; NULL only if key_len is 0.
 * @param key_len  Length of the key in bytes, at most 2^32 - 1.
 *
 * @retval MASSTREE_OK            The transaction's reads do not find the key from now on.
 * @retval MASSTREE_NOT_FOUND     The key has no value, for the transaction.
 * @retval MASSTREE_INVALID       As masstree_txn_get.
 * @retval MASSTREE_NOMEM         As masstree_txn_get.
 * @retval MASSTREE_KEY_TOO_LONG  key_len exceeds 2^32 - 1.
 * @retval MASSTREE_WRONG_TREE    As masstree_txn_get.
 * @retval MASSTREE_FORKED        As masstree_txn_get.
 * @retval MASSTREE_READ_ONLY     As masstree_txn_put.
 * @retval MASSTREE_TOO_LARGE     As masstree_txn_get.
 *
 * Thread safety: no other thread may use the transaction. Since 0.1.
 */
int32_t masstree_txn_remove(masstree_txn_t *txn, masstree_t *tree, const void *key, size_t key_len);

/**
 * Moves the value of a key to another key of the same tree, when the transaction is committed.
 *
 * @param txn      The transaction.
 * @param tree     A tree of its store.
 * @param src      The key: src_len bytes; NULL only if src_len is 0.
 * @param src_len  Its length in bytes, at most 2^32 - 1.
 * @param dst      The target: dst_len bytes; NULL only if dst_len is 0.
 * @param dst_len  Its length in bytes, at most 2^32 - 1.
 * @param flags    0, or MASSTREE_RENAME_FORCE: a value of the target is displaced.
 *
 * @retval MASSTREE_OK            The value is moved; or both keys are the same, and it has a value.
 * @retval MASSTREE_NOT_FOUND     The key has no value; nothing was changed.
 * @retval MASSTREE_EXISTS        The target has a value, and flags is 0; nothing was changed.
 * @retval MASSTREE_INVALID       As masstree_txn_get, for both keys; or flags has an unknown flag.
 * @retval MASSTREE_NOMEM         As masstree_txn_get.
 * @retval MASSTREE_KEY_TOO_LONG  src_len or dst_len exceeds 2^32 - 1.
 * @retval MASSTREE_WRONG_TREE    As masstree_txn_get.
 * @retval MASSTREE_FORKED        As masstree_txn_get.
 * @retval MASSTREE_READ_ONLY     As masstree_txn_put.
 * @retval MASSTREE_TOO_LARGE     As masstree_txn_get.
 *
 * Thread safety: no other thread may use the transaction. Since 0.1.
 */
int32_t masstree_txn_rename(masstree_txn_t *txn,
                            masstree_t *tree,
                            const void *src,
                            size_t src_len,
                            const void *dst,
                            size_t dst_len,
                            uint32_t flags);

/**
 * Opens a cursor over what a transaction reads of a tree. It is at no key yet: masstree_txn_cursor_next
 * will move it to the first key, masstree_txn_cursor_prev to the last.
 *
 * @param txn     The transaction.
 * @param tree    A tree of its store.
 * @param cursor  Receives the cursor, which the caller frees with masstree_txn_cursor_close.
 *
 * @retval MASSTREE_OK          *cursor is a new cursor.
 * @retval MASSTREE_INVALID     txn, tree or cursor is NULL, or the transaction has ended.
 * @retval MASSTREE_NOMEM       Out of memory.
 * @retval MASSTREE_WRONG_TREE  The tree is not of the transaction's store, or was dropped before the
 *                              transaction began.
 * @retval MASSTREE_FORKED      The parent process opened the store, before a fork.
 *
 * Thread safety: no other thread may use the transaction. Since 0.1.
 */
int32_t masstree_txn_cursor_open(masstree_txn_t *txn,
                                 const masstree_t *tree,
                                 masstree_txn_cursor_t **cursor);

/**
 * Closes and frees a cursor of a transaction. NULL does nothing, and neither does a cursor that the parent
 * process opened before a fork.
 *
 * @param cursor  The cursor.
 *
 * Thread safety: no other thread may use the transaction. Since 0.1.
 */
void masstree_txn_cursor_close(masstree_txn_cursor_t *cursor);

/**
 * Moves a cursor of a transaction to the key nearest to a given one.
 *
 * @param cursor   The cursor.
 * @param key      key_len bytes; NULL only if key_len is 0. May be the cursor's own key.
 * @param key_len  Length of the key in bytes, at most 2^32 - 1.
 * @param how      MASSTREE_SEEK_GE, MASSTREE_SEEK_GT, MASSTREE_SEEK_LE, MASSTREE_SEEK_LT,
 *                 MASSTREE_SEEK_FIRST or MASSTREE_SEEK_LAST.
 *
 * @retval MASSTREE_OK            The cursor is at that key.
 * @retval MASSTREE_END           No such key has a value.
 * @retval MASSTREE_INVALID       cursor is NULL, key is NULL and key_len is not 0, how is unknown, or the
 *                                transaction has ended.
 * @retval MASSTREE_NOMEM         Out of memory.
 * @retval MASSTREE_KEY_TOO_LONG  key_len exceeds 2^32 - 1.
 * @retval MASSTREE_WRONG_TREE    The tree was dropped before the transaction was begun again.
 * @retval MASSTREE_FORKED        The parent process opened the store, before a fork.
 * @retval MASSTREE_TOO_LARGE     The transaction would take more memory than max_bytes.
 *
 * Thread safety: no other thread may use the transaction. Since 0.1.
 */
int32_t masstree_txn_cursor_seek(masstree_txn_cursor_t *cursor,
                                 const void *key,
                                 size_t key_len,
                                 uint32_t how);

/**
 * Moves a cursor of a transaction to the next key, in ascending order; one at no key, to the first.
 *
 * @param cursor  The cursor.
 *
 * @retval MASSTREE_OK          The cursor is at that key.
 * @retval MASSTREE_END         No further key has a value.
 * @retval MASSTREE_INVALID     cursor is NULL, or the transaction has ended.
 * @retval MASSTREE_NOMEM       Out of memory.
 * @retval MASSTREE_WRONG_TREE  As masstree_txn_cursor_seek.
 * @retval MASSTREE_FORKED      The parent process opened the store, before a fork.
 * @retval MASSTREE_TOO_LARGE   The transaction would take more memory than max_bytes.
 *
 * Thread safety: no other thread may use the transaction. Since 0.1.
 */
int32_t masstree_txn_cursor_next(masstree_txn_cursor_t *cursor);

/**
 * Moves a cursor of a transaction to the key before, in ascending order; one at no key, to the last.
 *
 * @param cursor  The cursor.
 *
 * @retval MASSTREE_OK          The cursor is at that key.
 * @retval MASSTREE_END         No key before has a value.
 * @retval MASSTREE_INVALID     cursor is NULL, or the transaction has ended.
 * @retval MASSTREE_NOMEM       Out of memory.
 * @retval MASSTREE_WRONG_TREE  As masstree_txn_cursor_seek.
 * @retval MASSTREE_FORKED      The parent process opened the store, before a fork.
 * @retval MASSTREE_TOO_LARGE   The transaction would take more memory than max_bytes.
 *
 * Thread safety: no other thread may use the transaction. Since 0.1.
 */
int32_t masstree_txn_cursor_prev(masstree_txn_cursor_t *cursor);

/**
 * Returns the key that a cursor of a transaction is at.
 *
 * @param cursor  The cursor.
 * @param key     Receives the key, a slice of the cursor's memory, valid until the next call that moves
 *                or closes the cursor. May be NULL.
 *
 * @retval MASSTREE_OK         *key is the key, which the transaction may have removed since.
 * @retval MASSTREE_NOT_FOUND  The cursor is at no key yet, or the transaction has ended.
 * @retval MASSTREE_INVALID    cursor is NULL.
 * @retval MASSTREE_FORKED     The parent process opened the store, before a fork.
 *
 * Thread safety: no other thread may use the transaction. Since 0.1.
 */
int32_t masstree_txn_cursor_key(masstree_txn_cursor_t *cursor,
                                masstree_slice_t *key);

/**
 * Returns the value of the key that a cursor of a transaction is at.
 *
 * @param cursor   The cursor.
 * @param version  Receives the value as it was when the cursor moved to the key, and the number of its
 *                 commit, as masstree_txn_get does; its bytes are readable until the transaction ends.
 *                 May be NULL.
 *
 * @retval MASSTREE_OK         *version is the value.
 * @retval MASSTREE_NOT_FOUND  The cursor is at no key yet, or the transaction has ended.
 * @retval MASSTREE_INVALID    cursor is NULL.
 * @retval MASSTREE_FORKED     The parent process opened the store, before a fork.
 *
 * Thread safety: no other thread may use the transaction. Since 0.1.
 */
int32_t masstree_txn_cursor_version(masstree_txn_cursor_t *cursor,
                                    masstree_version_t *version);

/**
 * What masstree_store_transact runs.
 *
 * @param txn  The transaction, which the function neither commits nor ends nor destroys. What it
 *             returns is readable until the function returns.
 * @param ctx  The ctx that was passed with the function.
 *
 * @return MASSTREE_OK to commit; any other number to abort, which masstree_store_transact then returns.
 *
 * No lock is held. The function may be called several times, each time with a new snapshot: what it changes
 * outside of the transaction is not undone. It must return (no longjmp, no C++ exception, no
 * pthread_exit): otherwise the transaction is never freed.
 */
typedef int32_t (*masstree_txn_body_t)(masstree_txn_t *txn, void *ctx);

/**
 * Runs a transaction: calls a function, and commits what it has done. If the commit is refused, pauses a
 * moment, up to a millisecond, and calls the function again, with a new snapshot.
 *
 * @param store    The store.
 * @param options  As in masstree_txn_begin; max_attempts limits the number of calls.
 * @param body     Called at least once.
 * @param ctx      Passed to body.
 * @param commit   Receives the commit's number, as in masstree_txn_commit. May be NULL.
 *
 * @retval MASSTREE_OK         The transaction is committed.
 * @retval MASSTREE_CONFLICT   As many commits as max_attempts were refused; nothing was changed.
 * @retval MASSTREE_INVALID    store or body is NULL; the options are as masstree_txn_begin refuses them; or
 *                             body has ended the transaction.
 * @retval MASSTREE_NOMEM      Out of memory; nothing was changed.
 * @retval MASSTREE_WRONG_TREE  As masstree_txn_commit.
 * @retval MASSTREE_FORKED     The parent process opened the store, before a fork.
 * @retval MASSTREE_TOO_LARGE  As masstree_txn_commit.
 * @retval MASSTREE_FULL       As masstree_txn_commit.
 * @retval MASSTREE_FAILED     As masstree_txn_commit.
 * @retval MASSTREE_UNKNOWN    As masstree_txn_commit.
 * @retval MASSTREE_READ_ONLY  body has returned it; a writing function does if the store was opened read-only.
 * @retval MASSTREE_KEY_TOO_LONG  body has returned it.
 * @retval MASSTREE_NOT_FOUND  body has returned it.
 * @return The number other than MASSTREE_OK that body returned; nothing was changed.
 *
 * Thread safety: any thread. Since 0.1.
 */
int32_t masstree_store_transact(masstree_store_t *store,
                                const masstree_txn_options_t *options,
                                masstree_txn_body_t body,
                                void *ctx,
                                uint64_t *commit);

/* ============================================================================
 * Snapshots of stores
 * ============================================================================ */

/**
 * A snapshot that is open. Later versions of the library may append fields.
 */
typedef struct {
    /**
     * Its number.
     */
    uint64_t seqno;
    /**
     * How long it has been open, in milliseconds.
     */
    uint64_t age_ms;
} masstree_open_snapshot_t;

/**
 * Called for each open snapshot of a store.
 *
 * @param snapshot  The snapshot; valid during this call only.
 * @param ctx       The ctx that was passed with the visitor.
 *
 * @return MASSTREE_VISIT_CONTINUE to go on; a positive number to stop; a negative one to stop, and to
 *         return it (MASSTREE_OWN_STATUS or less, if it is not to be taken for a status of the library).
 */
typedef int32_t (*masstree_open_snapshot_visitor_t)(const masstree_open_snapshot_t *snapshot,
                                                    void *ctx);

/**
 * Opens a snapshot of a store: of all its trees, also those that are dropped later. It sees every commit
 * that has returned. Any thread reads any of the trees at its number (masstree_snapshot_seqno): with masstree_get_at,
 * masstree_scan_at, masstree_cursor_open_at and the like. masstree_store_export takes it, too. As long as it
 * is open, it keeps in memory what is overwritten or removed.
 *
 * @param store     The store, which may be read-only.
 * @param snapshot  Receives the snapshot, which the caller frees with masstree_snapshot_close before the
 *                  store is closed.
 *
 * @retval MASSTREE_OK       *snapshot is a new snapshot.
 * @retval MASSTREE_INVALID  store or snapshot is NULL.
 * @retval MASSTREE_NOMEM    Out of memory.
 * @retval MASSTREE_FORKED   The parent process opened the store, before a fork.
 *
 * Thread safety: any thread. Since 0.1.
 */
int32_t masstree_store_snapshot(masstree_store_t *store,
                                masstree_snapshot_t **snapshot);

/**
 * Visits the open snapshots of a store, the oldest first: those of masstree_store_snapshot, of
 * masstree_snapshot_open, of transactions, and of scans and cursors of its trees at MASSTREE_SEQNO_LATEST. Each keeps
 * in memory what was overwritten or removed since.
 *
 * @param store  The store.
 * @param visit  Called for each snapshot that was open when this function began, with no lock held.
 * @param ctx    Passed to visit.
 *
 * @retval MASSTREE_OK       All were visited, or visit returned a positive number.
 * @retval MASSTREE_INVALID  store or visit is NULL.
 * @retval MASSTREE_NOMEM    Out of memory.
 * @retval MASSTREE_FORKED   The parent process opened the store, before a fork.
 * @return The negative number that the visitor returned.
 *
 * Thread safety: any thread. Since 0.1.
 */
int32_t masstree_store_list_snapshots(masstree_store_t *store,
                                      masstree_open_snapshot_visitor_t visit,
                                      void *ctx);

/* ============================================================================
 * Waiting for durability
 * ============================================================================ */

/**
 * Level of a commit: it is in memory.
 */
#define MASSTREE_MEMORY 0

/**
 * Level of a commit: it was written to the kernel, and survives a crash of the process.
 */
#define MASSTREE_WRITTEN 1

/**
 * Level of a commit: it survives a crash of the kernel, and a loss of power.
 */
#define MASSTREE_DURABLE 2

/**
 * Called once when a commit is durable, or when the log has failed before.
 *
 * @param commit  The commit's number.
 * @param status  MASSTREE_OK, or MASSTREE_UNKNOWN: see masstree_store_wait.
 * @param ctx     The ctx that was passed with the callback.
 *
 * It is called on the thread that syncs the log, with no lock held, or inside
 * masstree_store_on_durable. It must return soon, since no commit becomes durable meanwhile; it must not
 * wait for a commit, nor close the store; and must return: no longjmp, no C++ exception, no pthread_exit.
 */
typedef void (*masstree_durable_callback_t)(uint64_t commit, int32_t status, void *ctx);

/**
 * Waits until a commit, and every one with a lower number, has reached a level.
 *
 * @param store   The store.
 * @param commit  The commit's number. A number above that of the last commit waits for the last one.
 * @param level   MASSTREE_MEMORY, MASSTREE_WRITTEN or MASSTREE_DURABLE.
 *
 * @retval MASSTREE_OK         The commit has reached the level; in a store without a directory at once.
 * @retval MASSTREE_INVALID    store is NULL, or level is unknown.
 * @retval MASSTREE_FORKED     The parent process opened the store, before a fork.
 * @retval MASSTREE_UNKNOWN    The log failed before the commit reached the level: whether it is found
 *                             after the next opening is decided then. masstree_store_failure says what failed.
 *
 * Thread safety: any thread. Since 0.1.
 */
int32_t masstree_store_wait(masstree_store_t *store,
                            uint64_t commit,
                            uint32_t level);

/**
 * Waits until everything that was committed before this call is durable.
 *
 * @param store  The store.
 *
 * @retval MASSTREE_OK         It is.
 * @retval MASSTREE_INVALID    store is NULL.
 * @retval MASSTREE_FORKED     The parent process opened the store, before a fork.
 * @retval MASSTREE_UNKNOWN    As masstree_store_wait.
 *
 * Thread safety: any thread. Since 0.1.
 */
int32_t masstree_store_sync(masstree_store_t *store);

/**
 * Returns the number up to which everything is durable.
 *
 * @param store  The store.
 *
 * @return The number: each commit with this number or a lower one is durable; 0 for NULL. In a store
 *         without a directory, the number of the last commit.
 *
 * Thread safety: any thread. Since 0.1.
 */
uint64_t masstree_store_durable(const masstree_store_t *store);

/**
 * Calls a function once when a commit, and every one with a lower number, is durable.
 *
 * @param store     The store.
 * @param commit    The commit's number.
 * @param callback  The function.
 * @param ctx       Passed to it.
 *
 * @retval MASSTREE_OK       The function was called, or will be, at the latest by masstree_store_close.
 * @retval MASSTREE_INVALID  store or callback is NULL.
 * @retval MASSTREE_NOMEM    Out of memory; the function is not called.
 * @retval MASSTREE_FORKED   The parent process opened the store, before a fork.
 *
 * Thread safety: any thread. Since 0.1.
 */
int32_t masstree_store_on_durable(masstree_store_t *store,
                                  uint64_t commit,
                                  masstree_durable_callback_t callback,
                                  void *ctx);

/* ============================================================================
 * Checkpoints
 * ============================================================================ */

/**
 * Makes a checkpoint, beside reads and writes. If one is being made, waits until that is done, and makes
 * another. Does nothing if nothing was committed since the last one.
 *
 * When it returns MASSTREE_OK, everything that was committed before the call is durable. In any other
 * case the files that it has written are removed, the checkpoint before and the log are as they were, and
 * writes go on.
 *
 * @param store  The store.
 *
 * @retval MASSTREE_OK         The checkpoint is made.
 * @retval MASSTREE_INVALID    store is NULL, or in memory only.
 * @retval MASSTREE_NOMEM      Out of memory.
 * @retval MASSTREE_FORKED     The parent process opened the store, before a fork.
 * @retval MASSTREE_READ_ONLY  The store was opened read-only.
 * @retval MASSTREE_FULL       The disk is full. Try again when there is room.
 * @retval MASSTREE_FAILED     A file operation failed, or the log had failed before: masstree_store_failure
 *                             says what.
 *
 * Thread safety: any thread. Since 0.1.
 */
int32_t masstree_store_checkpoint(masstree_store_t *store);

/* ============================================================================
 * Exports
 * ============================================================================ */

/**
 * Writes the content of a store to a directory, which is a store afterwards: masstree_store_open opens it. Other threads
 * read and write meanwhile. The content is that of one commit: what a snapshot sees, or what the store has when
 * the call begins. Commits keep their numbers; the new store gives out greater ones.
 *
 * The directory is made if it is absent. After a crash, as after an error, it has no store, or all of it: what
 * is left of an export that did not end is removed by the next one. When MASSTREE_OK is returned, the new store is durable.
 *
 * @param store      The store, which may be in memory only, or read-only.
 * @param snapshot   A snapshot of masstree_store_snapshot, or of one of its trees; NULL: the export opens one.
 * @param directory  Path of the directory, whose parent exists. It is reached by the file operations of the store.
 * @param progress   Called with the bytes that were written, on this thread; may be NULL.
 * @param ctx        Passed to progress.
 * @param failure    Receives what failed, with MASSTREE_FAILED and MASSTREE_FULL; may be NULL. Initialise it with
 *                   MASSTREE_STORE_FAILURE_INIT.
 *
 * @retval MASSTREE_OK          The directory is a store.
 * @retval MASSTREE_EXISTS      The directory has a store; nothing in it was changed.
 * @retval MASSTREE_INVALID     store or directory is NULL, or the struct_size of *failure is too small.
 * @retval MASSTREE_NOMEM       Out of memory.
 * @retval MASSTREE_FORKED      The parent process opened the store, before a fork.
 * @retval MASSTREE_WRONG_TREE  The snapshot is of another store.
 * @retval MASSTREE_LOCKED      A store, or another export, has the directory open.
 * @retval MASSTREE_FULL        The disk is full.
 * @retval MASSTREE_FAILED      A file operation failed. The store itself goes on.
 * @return The number with which progress has stopped the export.
 *
 * Thread safety: any thread. Since 0.1.
 */
int32_t masstree_store_export(masstree_store_t *store,
                              const masstree_snapshot_t *snapshot,
                              const char *directory,
                              masstree_progress_callback_t progress,
                              void *ctx,
                              masstree_store_failure_t *failure);

/* ============================================================================
 * Imports
 * ============================================================================ */

/**
 * Flag of masstree_store_import: trees that the store has are dropped first, if the directory has a tree with the name.
 */
#define MASSTREE_IMPORT_REPLACE 1

/**
 * What masstree_store_import has copied. Start from MASSTREE_STORE_IMPORTED_INIT; struct_size works as in
 * masstree_stats_t.
 */
typedef struct {
    /**
     * sizeof(masstree_store_imported_t); MASSTREE_STORE_IMPORTED_INIT sets it.
     */
    size_t struct_size;
    /**
     * Trees.
     */
    uint64_t trees;
    /**
     * Keys.
     */
    uint64_t keys;
    /**
     * Bytes of keys and values.
     */
    uint64_t bytes;
    /**
     * The name of the tree that is not empty, with MASSTREE_EXISTS; otherwise empty.
     */
    char tree[256];
} masstree_store_imported_t;

/** Initializer of masstree_store_imported_t: sets struct_size, and every other field to 0 or NULL. */
#define MASSTREE_STORE_IMPORTED_INIT \
    { sizeof(masstree_store_imported_t), 0, 0, 0, { 0 } }

/**
 * Copies all trees of a directory that is not open for writing, such as an export, to a store, beside readers and
 * writers. Each of the trees must be absent in the store, or empty, unless `flags` say that it is replaced. Their keys
 * get new commits; snapshots and numbers of the directory mean nothing in the store. Nothing in the directory is
 * changed. The content of the directory is in memory meanwhile, beside the store's.
 *
 * Keys are written by many commits: readers see trees that grow. No other thread may write to these trees
 * meanwhile, or it may be overwritten. An import that fails, or is stopped, drops the trees that it has begun
 * to fill. A crash leaves them with some of their keys: import again, with MASSTREE_IMPORT_REPLACE. When MASSTREE_OK is
 * returned, everything is durable.
 *
 * @param store      The store.
 * @param directory  Path of the directory. It is reached by the file operations of the store.
 * @param flags      MASSTREE_IMPORT_REPLACE, or 0.
 * @param progress   Called with how far it is, on this thread: while the directory is read, as by masstree_store_open,
 *                   then with MASSTREE_PHASE_IMPORT. May be NULL.
 * @param ctx        Passed to progress.
 * @param failure    Receives what failed in the directory, with MASSTREE_FAILED and MASSTREE_CORRUPT; may be NULL. Initialise
 *                   it with MASSTREE_STORE_FAILURE_INIT. What has made the store's log fail is in masstree_store_failure.
 * @param imported   Receives what was copied, with MASSTREE_OK, or what is in the way, with MASSTREE_EXISTS. May be NULL.
 *
 * @retval MASSTREE_OK         Everything was copied.
 * @retval MASSTREE_EXISTS     A tree of the store is not empty, imported->tree says which; nothing was changed.
 * @retval MASSTREE_NOT_FOUND  The directory has no store.
 * @retval MASSTREE_INVALID    store or directory is NULL; flags are unknown; or a struct_size is too small.
 * @retval MASSTREE_NOMEM      Out of memory.
 * @retval MASSTREE_FORKED     The parent process opened the store, before a fork.
 * @retval MASSTREE_READ_ONLY  The store was opened read-only.
 * @retval MASSTREE_LOCKED     A store has the directory open to write.
 * @retval MASSTREE_CORRUPT    The directory is damaged; nothing was changed.
 * @retval MASSTREE_TOO_LARGE  A value does not fit into the log's buffer (log_buffer_bytes).
 * @retval MASSTREE_WRONG_TREE  Another thread has dropped one of the trees meanwhile.
 * @retval MASSTREE_FULL       The disk is full.
 * @retval MASSTREE_FAILED     A file operation failed, or the store's log had failed before.
 * @retval MASSTREE_UNKNOWN    The store's log failed at the end: the next opening finds some or all of what was copied.
 * @return The number with which progress has stopped the import.
 *
 * Thread safety: any thread. Since 0.1.
 */
int32_t masstree_store_import(masstree_store_t *store,
                              const char *directory,
                              uint32_t flags,
                              masstree_progress_callback_t progress,
                              void *ctx,
                              masstree_store_failure_t *failure,
                              masstree_store_imported_t *imported);

/* ============================================================================
 * Changes
 * ============================================================================ */

/**
 * Kind of a change: a key has a value.
 */
#define MASSTREE_CHANGE_PUT 1

/**
 * Kind of a change: a key was removed.
 */
#define MASSTREE_CHANGE_REMOVE 2

/**
 * Kind of a change: a tree was made. It is empty.
 */
#define MASSTREE_CHANGE_TREE_MADE 3

/**
 * Kind of a change: a tree was dropped, with all of its keys.
 */
#define MASSTREE_CHANGE_TREE_DROPPED 4

/**
 * Value of timeout_us: masstree_changes_wait waits for as long as it takes.
 */
#define MASSTREE_NO_TIMEOUT UINT64_MAX

/**
 * Reads the changes of a store.
 *
 * Made by masstree_store_changes, freed by masstree_changes_destroy, before its store is closed. One thread at a time
 * may use it.
 */
typedef struct masstree_changes_t masstree_changes_t;

/**
 * Options of masstree_store_changes. Start from MASSTREE_CHANGES_OPTIONS_INIT; struct_size works as in
 * masstree_options_t.
 */
typedef struct {
    /**
     * sizeof(masstree_changes_options_t); MASSTREE_CHANGES_OPTIONS_INIT sets it.
     */
    size_t struct_size;
    /**
     * What commits have reached whose changes are returned: MASSTREE_DURABLE, or MASSTREE_WRITTEN; 0: MASSTREE_DURABLE.
     * A commit that is only written can be lost, if the machine fails: then what was made of its changes differs from
     * the store, and masstree_store_changes returns MASSTREE_NOT_FOUND for its number.
     */
    uint32_t level;
    /**
     * Must be 0.
     */
    uint32_t reserved;
    /**
     * As long as the cursor exists, checkpoints leave the part of the log that it has not read, up to so many bytes of
     * the log behind it; 0: 1 GiB. If it falls back further, masstree_changes_next returns MASSTREE_TOO_OLD.
     */
    uint64_t held_log_bytes;
} masstree_changes_options_t;

/** Initializer of masstree_changes_options_t: sets struct_size, and every other field to 0 or NULL. */
#define MASSTREE_CHANGES_OPTIONS_INIT \
    { sizeof(masstree_changes_options_t), 0, 0, 0 }

/**
 * A change. The pointers are valid until the next call for its cursor.
 */
typedef struct {
    /**
     * The number of its commit.
     */
    uint64_t commit;
    /**
     * MASSTREE_CHANGE_PUT, _REMOVE, _TREE_MADE or _TREE_DROPPED.
     */
    uint32_t kind;
    /**
     * 1: it is the last change of its commit, otherwise 0. Changes of a commit have no order among each other: each key
     * is changed at most once.
     */
    uint32_t is_last;
    /**
     * The number of the tree, which no other tree of the store gets.
     */
    uint32_t tree_number;
    /**
     * 0.
     */
    uint32_t reserved;
    /**
     * The name of the tree. A tree that is made after one was dropped may have the same.
     */
    const char *tree;
    /**
     * The key, of MASSTREE_CHANGE_PUT and _REMOVE.
     */
    const void *key;
    /**
     * The length of the key, in bytes.
     */
    size_t key_len;
    /**
     * The value, of MASSTREE_CHANGE_PUT.
     */
    const void *value;
    /**
     * The length of the value, in bytes.
     */
    size_t value_len;
} masstree_change_t;

/**
 * Begins to read the changes of all commits with a greater number than `since`. Reads no file yet.
 *
 * @param store    The store. One that was opened read-only has the changes that were there then.
 * @param since    The number of a commit, such as that of the last change that was applied, or of an export
 *                 (masstree_store_export) or a snapshot; 0: the changes of all commits.
 * @param options  NULL for the defaults, or a struct that was initialised with MASSTREE_CHANGES_OPTIONS_INIT.
 * @param changes  Receives the cursor, which the caller frees with masstree_changes_destroy.
 *
 * @retval MASSTREE_OK         *changes is a cursor.
 * @retval MASSTREE_TOO_OLD    A checkpoint has removed the log with the changes that follow `since`: begin
 *                             with an export. retained_log_bytes, an option of the store, and cursors that exist keep more
 *                             of the log.
 * @retval MASSTREE_NOT_FOUND  The store has no commit with the number: a crash has lost it, or it is of another store. Begin
 *                             with an export.
 * @retval MASSTREE_INVALID    store or changes is NULL; the store is in memory only; the level is unknown; a reserved
 *                             field is not 0; struct_size is too small, or a byte of the struct that this
 *                             library does not know is not zero.
 * @retval MASSTREE_NOMEM      Out of memory.
 * @retval MASSTREE_FORKED     The parent process opened the store, before a fork.
 *
 * Thread safety: any thread. Since 0.1.
 */
int32_t masstree_store_changes(masstree_store_t *store,
                               uint64_t since,
                               const masstree_changes_options_t *options,
                               masstree_changes_t **changes);

/**
 * Returns the next change. The changes of a commit follow each other, and the last is marked: once the first was
 * returned, the others are there.
 *
 * @param changes  The cursor.
 * @param change   Receives the change.
 * @param failure  Receives what failed, with MASSTREE_FAILED and MASSTREE_CORRUPT; may be NULL. Initialise it with
 *                 MASSTREE_STORE_FAILURE_INIT.
 *
 * @retval MASSTREE_OK         *change is the next change.
 * @retval MASSTREE_NOT_FOUND  There is no further change that has reached the level. There may be one later: call it
 *                             again, after masstree_changes_wait for instance.
 * @retval MASSTREE_TOO_OLD    The cursor has fallen back further than held_log_bytes, and a checkpoint has removed what
 *                             follows: begin with an export.
 * @retval MASSTREE_INVALID    changes or change is NULL, or the struct_size of *failure is too small.
 * @retval MASSTREE_NOMEM      Out of memory. It can be called again, as after the next two.
 * @retval MASSTREE_FAILED     A file operation failed.
 * @retval MASSTREE_CORRUPT    A file's content is wrong.
 * @retval MASSTREE_FORKED     The parent process opened the store, before a fork.
 *
 * Thread safety: no other thread may use the cursor. Since 0.1.
 */
int32_t masstree_changes_next(masstree_changes_t *changes,
                              masstree_change_t *change,
                              masstree_store_failure_t *failure);

/**
 * Waits until there may be a change. Does not make commits durable by itself: something must sync the log
 * (sync_interval_us, an option of the store; commits with MASSTREE_DURABLE; masstree_store_sync).
 *
 * @param changes     The cursor.
 * @param timeout_us  How long it waits at most, in microseconds; MASSTREE_NO_TIMEOUT: for as long as it takes.
 *
 * @retval MASSTREE_OK         Call masstree_changes_next: there is a change, or something was committed that changes
 *                             nothing.
 * @retval MASSTREE_NOT_FOUND  The time has passed.
 * @retval MASSTREE_READ_ONLY  The store was opened read-only, and has no further change.
 * @retval MASSTREE_FAILED     The log has failed (masstree_store_failure): there will be no further change.
 * @retval MASSTREE_INVALID    changes is NULL.
 * @retval MASSTREE_FORKED     The parent process opened the store, before a fork.
 *
 * Thread safety: no other thread may use the cursor. Since 0.1.
 */
int32_t masstree_changes_wait(masstree_changes_t *changes,
                              uint64_t timeout_us);

/**
 * Frees a cursor. NULL does nothing, and neither does a cursor that the parent process made before a fork.
 *
 * @param changes  The cursor.
 *
 * Thread safety: no other thread may use the cursor. Since 0.1.
 */
void masstree_changes_destroy(masstree_changes_t *changes);

/* ============================================================================
 * Verifying a directory
 * ============================================================================ */

/**
 * What masstree_store_verify has found. Start from MASSTREE_STORE_VERIFIED_INIT; struct_size works as in
 * masstree_stats_t.
 */
typedef struct {
    /**
     * sizeof(masstree_store_verified_t); MASSTREE_STORE_VERIFIED_INIT sets it.
     */
    size_t struct_size;
    /**
     * The commit of which the checkpoint has the content; 0 if there is none.
     */
    uint64_t checkpoint_commit;
    /**
     * Files of the checkpoint.
     */
    uint64_t checkpoint_files;
    /**
     * Keys in the checkpoint.
     */
    uint64_t checkpoint_keys;
    /**
     * Trees that there are at the end of the log.
     */
    uint64_t trees;
    /**
     * Files of the log that were read.
     */
    uint64_t log_files;
    /**
     * Groups of records, and records, in those files behind the checkpoint.
     */
    uint64_t log_groups;
    /**
     * Records.
     */
    uint64_t log_records;
    /**
     * Bytes of the log that were read.
     */
    uint64_t log_bytes;
    /**
     * Bytes that a crash has left incomplete at the end of the log: an opening to write cuts them off.
     */
    uint64_t torn_bytes;
} masstree_store_verified_t;

/** Initializer of masstree_store_verified_t: sets struct_size, and every other field to 0 or NULL. */
#define MASSTREE_STORE_VERIFIED_INIT \
    { sizeof(masstree_store_verified_t), 0, 0, 0, 0, 0, 0, 0, 0, 0 }

/**
 * Verifies the directory of a store: reads everything that an opening would read, and checks all of it, without
 * building trees. Changes nothing. Other processes may read the directory meanwhile, and none may have it open to
 * write.
 *
 * @param directory  Path of the directory.
 * @param options    NULL for the defaults, or a struct that was initialised with MASSTREE_STORE_OPTIONS_INIT. io,
 *                   failure, progress and progress_ctx are used: *failure receives the first fault, with its file and
 *                   offset; progress is called as by masstree_store_open. The other fields are checked, as
 *                   masstree_store_open does, and mean nothing.
 * @param verified   Receives what was found, with MASSTREE_OK. May be NULL.
 *
 * @retval MASSTREE_OK         The directory can be opened, and everything in it is whole.
 * @retval MASSTREE_NOT_FOUND  There is no store, or one to which nothing was ever written.
 * @retval MASSTREE_INVALID    directory is NULL; *options is malformed, as for masstree_store_open; or
 *                             verified->struct_size is too small.
 * @retval MASSTREE_NOMEM      Out of memory.
 * @retval MASSTREE_FORKED     This process was forked while another thread was inside the library.
 * @retval MASSTREE_LOCKED     A store has the directory open to write.
 * @retval MASSTREE_CORRUPT    A file's content is wrong.
 * @retval MASSTREE_FAILED     A file operation failed.
 * @return The number with which options->progress has stopped it.
 *
 * Thread safety: any thread. Since 0.1.
 */
int32_t masstree_store_verify(const char *directory,
                              const masstree_store_options_t *options,
                              masstree_store_verified_t *verified);

/* ============================================================================
 * Statistics of stores
 * ============================================================================ */

/**
 * Statistics of a store. Start from MASSTREE_STORE_STATS_INIT; struct_size works as in masstree_stats_t.
 * A histogram's member i counts values from 2^(i-1) to 2^i - 1; its first counts zeros.
 */
typedef struct {
    /**
     * sizeof(masstree_store_stats_t); MASSTREE_STORE_STATS_INIT sets it.
     */
    size_t struct_size;
    /**
     * The number of the last commit.
     */
    uint64_t last_commit;
    /**
     * The number up to which every commit is durable.
     */
    uint64_t durable_commit;
    /**
     * Trees.
     */
    uint64_t trees;
    /**
     * Records that were written to the log since the store was opened: commits, and new trees.
     */
    uint64_t log_records;
    /**
     * Groups of records, each written at once.
     */
    uint64_t log_groups;
    /**
     * Bytes that were written to the log.
     */
    uint64_t log_bytes;
    /**
     * Syncs of the log.
     */
    uint64_t log_syncs;
    /**
     * Histogram: how long syncs took, in microseconds.
     */
    uint64_t sync_us[64];
    /**
     * Histogram: records of a group.
     */
    uint64_t group_records[64];
    /**
     * Files of the log that were read when the store was opened.
     */
    uint64_t read_segments;
    /**
     * Records that were read.
     */
    uint64_t read_records;
    /**
     * Bytes at the end of the log that a crash had left incomplete, and that were cut off.
     */
    uint64_t torn_bytes;
    /**
     * 1 if a fault was found in the log and what followed was given up (MASSTREE_STORE_SALVAGE),
     * otherwise 0.
     */
    uint64_t salvaged;
    /**
     * Checkpoints that were begun since the store was opened.
     */
    uint64_t checkpoints_begun;
    /**
     * Those that were made, or for which nothing was to do.
     */
    uint64_t checkpoints_done;
    /**
     * Those that were not made.
     */
    uint64_t checkpoints_failed;
    /**
     * Bytes that were written for checkpoints, also for those that were not made.
     */
    uint64_t checkpoint_bytes;
    /**
     * Keys in the last checkpoint that was made since the store was opened.
     */
    uint64_t checkpoint_keys;
    /**
     * How long that took, in microseconds.
     */
    uint64_t checkpoint_us;
    /**
     * The commit up to which the checkpoint that counts has everything; 0: there is none.
     */
    uint64_t checkpoint_commit;
    /**
     * Tombstones that were trimmed in the background.
     */
    uint64_t trimmed_tombstones;
    /**
     * Groups of records that were read.
     */
    uint64_t read_groups;
    /**
     * Bytes of the log that were read.
     */
    uint64_t read_bytes;
    /**
     * Threads that built the trees from the log: see recovery_threads of the options.
     */
    uint64_t recovery_threads;
    /**
     * How long that took, in microseconds.
     */
    uint64_t read_us;
    /**
     * How long the checkpoint was read, in microseconds.
     */
    uint64_t restore_us;
    /**
     * Transactions that were begun since the store was opened, or begun again.
     */
    uint64_t txns_begun;
    /**
     * Those that were committed.
     */
    uint64_t txns_committed;
    /**
     * Those that ended without a commit: by an abort, by being begun again or destroyed.
     */
    uint64_t txns_aborted;
    /**
     * Those that were refused because another commit had changed a key that they had read.
     */
    uint64_t txn_key_conflicts;
    /**
     * Those that were refused because another commit had changed a key in a range that they had read.
     */
    uint64_t txn_range_conflicts;
    /**
     * Those that were refused because another commit had changed a key that they write.
     */
    uint64_t txn_write_conflicts;
    /**
     * How often masstree_store_transact has repeated a transaction that was refused.
     */
    uint64_t txn_retries;
    /**
     * Bytes of the records of transactions in the log.
     */
    uint64_t txn_bytes;
    /**
     * Open snapshots: see masstree_store_list_snapshots.
     */
    uint64_t snapshots;
    /**
     * The number of the oldest of them; 0 without one.
     */
    uint64_t oldest_snapshot;
    /**
     * How long that has been open, in milliseconds.
     */
    uint64_t oldest_snapshot_ms;
    /**
     * The least number since which the log has the changes of all commits: see masstree_store_changes. 0: all that there
     * ever were; also of a store in memory only, which has none.
     */
    uint64_t changes_since;
} masstree_store_stats_t;

/** Initializer of masstree_store_stats_t: sets struct_size, and every other field to 0 or NULL. */
#define MASSTREE_STORE_STATS_INIT \
    { sizeof(masstree_store_stats_t), 0, 0, 0, 0, 0, 0, 0, { 0 }, { 0 }, 0, 0, 0, 0, 0, 0, \
      0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }

/**
 * Returns statistics of a store.
 *
 * @param store  The store.
 * @param stats  Receives the statistics.
 *
 * @retval MASSTREE_OK       *stats is filled in.
 * @retval MASSTREE_INVALID  store or stats is NULL, or struct_size is too small.
 * @retval MASSTREE_FORKED   The parent process opened the store, before a fork.
 *
 * Thread safety: any thread. Since 0.1.
 */
int32_t masstree_store_stats(const masstree_store_t *store, masstree_store_stats_t *stats);

/**
 * Writes the statistics of a store as a JSON object with the names of the fields of
 * masstree_store_stats_t, all of them numbers or arrays of numbers, on one line that ends with a newline.
 *
 * @param store  The store.
 * @param write  Called with the text, in pieces.
 * @param ctx    Passed to write.
 *
 * @retval MASSTREE_OK       Everything was written.
 * @retval MASSTREE_INVALID  store or write is NULL.
 * @retval MASSTREE_FORKED   The parent process opened the store, before a fork.
 *
 * Thread safety: any thread. Since 0.1.
 */
int32_t masstree_store_stats_json(const masstree_store_t *store,
                                  masstree_text_sink_t write,
                                  void *ctx);

#ifdef __cplusplus
}
#endif

#if defined(__GNUC__)
#pragma GCC visibility pop
#endif

#endif /* MASSTREE_STORE_H */
