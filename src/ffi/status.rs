//! # Statuses
//!
//! Status codes. Zero is success. A positive status is a regular outcome other than success; a
//! negative one is an error. The numbers are frozen.

use std::ffi::c_char;

/// Success.
pub const MASSTREE_OK: i32 = 0;
/// Outcome: the key is not in the tree; from masstree_exchange: it was not in the tree before.
pub const MASSTREE_NOT_FOUND: i32 = 1;
/// Outcome: the key is already in the tree; from masstree_exchange and masstree_replace: it
/// already has the value that was to be stored; from a bulk load: the tree is not empty.
/// Nothing was changed.
pub const MASSTREE_EXISTS: i32 = 2;
/// Outcome: a comparison failed: the key has another value than the expected one, or a leaf has
/// changed since it was observed. Nothing was changed.
pub const MASSTREE_MISMATCH: i32 = 3;
/// Outcome: no further key exists in this direction; the cursor has not moved.
pub const MASSTREE_END: i32 = 4;
/// Outcome: the tree was cleared after the key was held. Nothing was changed.
pub const MASSTREE_CLEARED: i32 = 5;
/// Outcome: to hold the key, masstree_hold would have to wait, to allocate, or to change a leaf;
/// nothing is held. From masstree_next_seqno: too many groups are not published yet.
pub const MASSTREE_BUSY: i32 = 6;
/// Outcome: at this sequence number the key is deleted: by a tombstone, or by a range tombstone.
pub const MASSTREE_DELETED: i32 = 7;
/// Outcome: another commit has changed what the transaction has read, or, with MASSTREE_TXN_SNAPSHOT, what it
/// writes. Nothing was changed.
pub const MASSTREE_CONFLICT: i32 = 8;

/// Error: an invalid argument: a NULL handle, a NULL key whose length is not 0, a NULL
/// callback, a lower bound above the upper one, an unknown flag, a struct_size that the library
/// does not accept.
pub const MASSTREE_INVALID: i32 = -1;
/// Error: out of memory. The tree is as it was before the call; from a function for many keys, the
/// items with this status are; from masstree_remove_range, what was removed before stays removed.
pub const MASSTREE_NOMEM: i32 = -2;
/// Error: the key is longer than 2^32 - 1 bytes.
pub const MASSTREE_KEY_TOO_LONG: i32 = -3;
/// Error: the guard or a loader belongs to another tree.
pub const MASSTREE_WRONG_TREE: i32 = -4;
/// Error: the function is for trees of words and the tree holds byte strings or versions, or the
/// like; see value_kind in masstree_options_t.
pub const MASSTREE_WRONG_KIND: i32 = -5;
/// Error: the parent process created the tree, before a fork; from masstree_create: this
/// process was forked at a moment after which it cannot create trees (see the caveats at the
/// top).
pub const MASSTREE_FORKED: i32 = -6;
/// Error: masstree_check found the tree to be inconsistent: a bug in the library, or its memory
/// was overwritten. From masstree_store_open: a file's content is wrong.
pub const MASSTREE_CORRUPT: i32 = -7;
/// Error: the buffer is too small for the value or the key; nothing was written to it. From
/// masstree_hold with MASSTREE_HOLD_DELTA: *held has no room for the delta; nothing is held or changed.
pub const MASSTREE_TOO_SMALL: i32 = -8;
/// Error: the keys to load are not in ascending order, or one comes twice. No tree was changed.
pub const MASSTREE_UNSORTED: i32 = -9;
/// Error: the tree is sealed (masstree_seal), is a store's and the function is not one of stores, or the store
/// was opened read-only; nothing was changed.
pub const MASSTREE_READ_ONLY: i32 = -10;
/// Error: the sequence number is too low: versions that it needs may have been trimmed
/// (masstree_trim_versions), or it was published already, or the log no longer reaches back to it
/// (masstree_store_changes). Nothing was changed.
pub const MASSTREE_TOO_OLD: i32 = -11;

/// Error: the disk is full, or the user's quota. Nothing was changed; writes work again when there is
/// room.
pub const MASSTREE_FULL: i32 = -12;
/// Error: a file operation has failed; from a function that writes to a store: it had failed before, and
/// nothing was changed. See masstree_store_failure.
pub const MASSTREE_FAILED: i32 = -13;
/// Error: the log failed after the commit, which is in memory: whether it is found after the next
/// opening is decided then.
pub const MASSTREE_UNKNOWN: i32 = -14;
/// Error: the record of the commit does not fit into the log's buffer, or a transaction into max_bytes. Nothing
/// was changed.
pub const MASSTREE_TOO_LARGE: i32 = -15;
/// Error: another store has the directory open.
pub const MASSTREE_LOCKED: i32 = -16;

/// Numbers from here down are no statuses of the library, in any version: a visitor, or another
/// callback that may end a call with a negative number, which the call then returns, chooses one of them so
/// that the caller can tell it from an error of the library. (A callback may also return a status of the
/// library, such as that of a call that it has made.)
pub const MASSTREE_OWN_STATUS: i32 = -1000;

/// Returns one English sentence that describes a status, after the status's name and a colon. The
/// text is static: never NULL, never freed. Unknown statuses have a sentence of their own.
///
/// @param status  A status code.
///
/// @return The sentence.
///
/// Thread safety: any thread, any time. Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn masstree_strerror(status: i32) -> *const c_char {
    let text = match status {
        MASSTREE_OK => c"MASSTREE_OK: success",
        MASSTREE_NOT_FOUND => c"MASSTREE_NOT_FOUND: the key is not in the tree",
        MASSTREE_EXISTS => c"MASSTREE_EXISTS: the key is already in the tree, or has this value already",
        MASSTREE_MISMATCH => c"MASSTREE_MISMATCH: the key has another value than the expected one, or an observed leaf has changed",
        MASSTREE_END => c"MASSTREE_END: no further key exists in this direction",
        MASSTREE_CLEARED => c"MASSTREE_CLEARED: the tree was cleared after the key was held; nothing was changed",
        MASSTREE_BUSY => c"MASSTREE_BUSY: the key cannot be held at once, or too many groups are not published; nothing was done",
        MASSTREE_DELETED => c"MASSTREE_DELETED: a tombstone or a range tombstone deletes the key",
        MASSTREE_CONFLICT => c"MASSTREE_CONFLICT: another commit has changed what the transaction depends on; nothing was changed",
        MASSTREE_INVALID => c"MASSTREE_INVALID: a pointer is NULL, a flag is unknown, or another argument is out of its range",
        MASSTREE_NOMEM => c"MASSTREE_NOMEM: out of memory; the tree is unchanged, unless a part of a range was removed",
        MASSTREE_KEY_TOO_LONG => c"MASSTREE_KEY_TOO_LONG: the key is longer than 4294967295 bytes",
        MASSTREE_WRONG_TREE => c"MASSTREE_WRONG_TREE: the guard belongs to another tree",
        MASSTREE_WRONG_KIND => c"MASSTREE_WRONG_KIND: the function is for another kind of values than the tree holds",
        MASSTREE_FORKED => c"MASSTREE_FORKED: the parent process created the tree, before a fork",
        MASSTREE_CORRUPT => c"MASSTREE_CORRUPT: the tree is inconsistent, or a file of a store is: masstree_check, or the failure, says where",
        MASSTREE_TOO_SMALL => c"MASSTREE_TOO_SMALL: the buffer is too small for the value or the key",
        MASSTREE_UNSORTED => c"MASSTREE_UNSORTED: the keys are not in ascending order",
        MASSTREE_READ_ONLY => c"MASSTREE_READ_ONLY: the tree is sealed or a store's, or the store read-only; nothing was changed",
        MASSTREE_TOO_OLD => c"MASSTREE_TOO_OLD: the sequence number is below what was trimmed, or was published already",
        MASSTREE_FULL => c"MASSTREE_FULL: the disk is full; nothing was changed",
        MASSTREE_FAILED => c"MASSTREE_FAILED: a file operation has failed: masstree_store_failure says which",
        MASSTREE_UNKNOWN => c"MASSTREE_UNKNOWN: the log failed before the commit was durable; the next opening decides",
        MASSTREE_TOO_LARGE => c"MASSTREE_TOO_LARGE: the record of the commit does not fit into the log's buffer",
        MASSTREE_LOCKED => c"MASSTREE_LOCKED: another store has the directory open",
        _ => c"unknown status",
    };
    text.as_ptr()
}
