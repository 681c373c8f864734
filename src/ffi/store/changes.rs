//! # Changes
//!
//! What commits have changed since a number, in their order: to keep a replica, an index or a cache up to date, or to
//! pass changes on. They are read from the log's files, beside writers, also from a store that was opened
//! read-only.
//!
//! ```c
//! masstree_store_changes(store, since, NULL, &changes);
//! while (masstree_changes_next(changes, &change, NULL) == MASSTREE_OK) {
//!     apply(&change);
//!     if (change.is_last) {
//!         since = change.commit;
//!     }
//! }
//! masstree_changes_destroy(changes);
//! ```
//!
//! A number is all that is needed to go on later, in another process too: `since` is the last commit of which every
//! change was applied. A replica that keeps it together with what it has applied misses nothing, and applies
//! nothing twice.

use std::ffi::{c_char, c_void};
use std::ptr::{NonNull, null};
use std::time::{Duration, Instant};

use super::failure::{self, StoreFailure};
use super::handle::{StoreHandle, store_of};
use super::wait::{MASSTREE_DURABLE, MASSTREE_WRITTEN};
use crate::durable::log::Level;
use crate::durable::store::{Change, Changed, Changes, ChangesFault, ChangesOptions, Store};
use crate::ffi::boundary::{sized_struct, status_of};
use crate::ffi::status::*;

/// Kind of a change: a key has a value.
pub const MASSTREE_CHANGE_PUT: u32 = 1;
/// Kind of a change: a key was removed.
pub const MASSTREE_CHANGE_REMOVE: u32 = 2;
/// Kind of a change: a tree was made. It is empty.
pub const MASSTREE_CHANGE_TREE_MADE: u32 = 3;
/// Kind of a change: a tree was dropped, with all of its keys.
pub const MASSTREE_CHANGE_TREE_DROPPED: u32 = 4;

/// Value of timeout_us: masstree_changes_wait waits for as long as it takes.
pub const MASSTREE_NO_TIMEOUT: u64 = u64::MAX;

/// Options of masstree_store_changes. Start from MASSTREE_CHANGES_OPTIONS_INIT; struct_size works as in
/// masstree_options_t.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct ChangesOptionsC {
    /// sizeof(masstree_changes_options_t); MASSTREE_CHANGES_OPTIONS_INIT sets it.
    pub struct_size: usize,
    /// What commits have reached whose changes are returned: MASSTREE_DURABLE, or MASSTREE_WRITTEN; 0: MASSTREE_DURABLE.
    /// A commit that is only written can be lost, if the machine fails: then what was made of its changes differs from
    /// the store, and masstree_store_changes returns MASSTREE_NOT_FOUND for its number.
    pub level: u32,
    /// Must be 0.
    pub reserved: u32,
    /// As long as the cursor exists, checkpoints leave the part of the log that it has not read, up to so many bytes of
    /// the log behind it; 0: 1 GiB. If it falls back further, masstree_changes_next returns MASSTREE_TOO_OLD.
    pub held_log_bytes: u64,
}

/// A change. The pointers are valid until the next call for its cursor.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct ChangeC {
    /// The number of its commit.
    pub commit: u64,
    /// MASSTREE_CHANGE_PUT, _REMOVE, _TREE_MADE or _TREE_DROPPED.
    pub kind: u32,
    /// 1: it is the last change of its commit, otherwise 0. Changes of a commit have no order among each other: each key
    /// is changed at most once.
    pub is_last: u32,
    /// The number of the tree, which no other tree of the store gets.
    pub tree_number: u32,
    /// 0.
    pub reserved: u32,
    /// The name of the tree. A tree that is made after one was dropped may have the same.
    pub tree: *const c_char,
    /// The key, of MASSTREE_CHANGE_PUT and _REMOVE.
    pub key: *const c_void,
    /// The length of the key, in bytes.
    pub key_len: usize,
    /// The value, of MASSTREE_CHANGE_PUT.
    pub value: *const c_void,
    /// The length of the value, in bytes.
    pub value_len: usize,
}

/// Reads the changes of a store.
///
/// Made by masstree_store_changes, freed by masstree_changes_destroy, before its store is closed. One thread at a time
/// may use it.
pub struct ChangesHandle {
    store: *const StoreHandle,
    /// Its store outlives it.
    changes: Changes<'static>,
}

/// Converts options from C.
///
/// # Safety
/// `options` is NULL or readable.
unsafe fn decode(options: *const ChangesOptionsC) -> Result<ChangesOptions, i32> {
    let mut decoded = ChangesOptions {
        level: Level::Durable,
        held_bytes: 0,
    };
    if options.is_null() {
        return Ok(decoded);
    }
    // SAFETY: not NULL, and readable by contract; all zero is a valid one.
    let options = unsafe { sized_struct(options) }?;
    if options.reserved != 0 {
        return Err(MASSTREE_INVALID);
    }
    decoded.level = match options.level {
        0 | MASSTREE_DURABLE => Level::Durable,
        MASSTREE_WRITTEN => Level::Written,
        _ => return Err(MASSTREE_INVALID),
    };
    decoded.held_bytes = options.held_log_bytes;
    Ok(decoded)
}

/// Converts a cursor from C, and its store.
///
/// # Safety
/// `changes` is NULL or a live cursor that no other thread uses, and whose store is open.
unsafe fn changes_of<'c>(
    changes: *mut ChangesHandle,
) -> Result<(&'static Store, &'c mut Changes<'static>), i32> {
    // SAFETY: NULL or live by contract.
    let handle = unsafe { changes.as_mut() }.ok_or(MASSTREE_INVALID)?;
    // SAFETY: the cursor's store is open, and outlives it.
    let store = unsafe { store_of(handle.store) }?;
    Ok((store, &mut handle.changes))
}

fn status(fault: &ChangesFault) -> i32 {
    match fault {
        ChangesFault::TooOld => MASSTREE_TOO_OLD,
        ChangesFault::Lost => MASSTREE_NOT_FOUND,
        ChangesFault::NoDirectory => MASSTREE_INVALID,
        ChangesFault::OutOfMemory => MASSTREE_NOMEM,
        ChangesFault::Io(_) => MASSTREE_FAILED,
        ChangesFault::Corrupt(_) => MASSTREE_CORRUPT,
    }
}

/// Begins to read the changes of all commits with a greater number than `since`. Reads no file yet.
///
/// @param store    The store. One that was opened read-only has the changes that were there then.
/// @param since    The number of a commit, such as that of the last change that was applied, or of an export
///                 (masstree_store_export) or a snapshot; 0: the changes of all commits.
/// @param options  NULL for the defaults, or a struct that was initialised with MASSTREE_CHANGES_OPTIONS_INIT.
/// @param changes  Receives the cursor, which the caller frees with masstree_changes_destroy.
///
/// @retval MASSTREE_OK         *changes is a cursor.
/// @retval MASSTREE_TOO_OLD    A checkpoint has removed the log with the changes that follow `since`: begin
///                             with an export. retained_log_bytes, an option of the store, and cursors that exist keep more
///                             of the log.
/// @retval MASSTREE_NOT_FOUND  The store has no commit with the number: a crash has lost it, or it is of another store. Begin
///                             with an export.
/// @retval MASSTREE_INVALID    store or changes is NULL; the store is in memory only; the level is unknown; a reserved
///                             field is not 0; struct_size is too small, or a byte of the struct that this
///                             library does not know is not zero.
/// @retval MASSTREE_NOMEM      Out of memory.
/// @retval MASSTREE_FORKED     The parent process opened the store, before a fork.
///
/// Thread safety: any thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_store_changes(
    store: *mut StoreHandle,
    since: u64,
    options: *const ChangesOptionsC,
    changes: *mut *mut ChangesHandle,
) -> i32 {
    status_of(|| {
        // SAFETY: as this function's contract; the store outlives the cursor.
        let of: &'static Store = unsafe { store_of(store) }?;
        if changes.is_null() {
            return Err(MASSTREE_INVALID);
        }
        // SAFETY: as this function's contract.
        let options = unsafe { decode(options) }?;
        let begun = of
            .changes(since, &options)
            .map_err(|fault| status(&fault))?;
        let handle = of.source().make(ChangesHandle {
            store,
            changes: begun,
        })?;
        // SAFETY: checked for NULL above; writable by contract.
        unsafe { changes.write(handle.as_ptr()) };
        Ok(MASSTREE_OK)
    })
}

/// Returns the next change. The changes of a commit follow each other, and the last is marked: once the first was
/// returned, the others are there.
///
/// @param changes  The cursor.
/// @param change   Receives the change.
/// @param failure  Receives what failed, with MASSTREE_FAILED and MASSTREE_CORRUPT; may be NULL. Initialise it with
///                 MASSTREE_STORE_FAILURE_INIT.
///
/// @retval MASSTREE_OK         *change is the next change.
/// @retval MASSTREE_NOT_FOUND  There is no further change that has reached the level. There may be one later: call it
///                             again, after masstree_changes_wait for instance.
/// @retval MASSTREE_TOO_OLD    The cursor has fallen back further than held_log_bytes, and a checkpoint has removed what
///                             follows: begin with an export.
/// @retval MASSTREE_INVALID    changes or change is NULL, or the struct_size of *failure is too small.
/// @retval MASSTREE_NOMEM      Out of memory. It can be called again, as after the next two.
/// @retval MASSTREE_FAILED     A file operation failed.
/// @retval MASSTREE_CORRUPT    A file's content is wrong.
/// @retval MASSTREE_FORKED     The parent process opened the store, before a fork.
///
/// Thread safety: no other thread may use the cursor. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_changes_next(
    changes: *mut ChangesHandle,
    change: *mut ChangeC,
    failure: *mut StoreFailure,
) -> i32 {
    status_of(|| {
        // SAFETY: as this function's contract.
        let (_, changes) = unsafe { changes_of(changes) }?;
        if change.is_null() {
            return Err(MASSTREE_INVALID);
        }
        // SAFETY: NULL, or as for `report` by contract.
        unsafe { failure::report(failure, None) }?;
        match changes.next() {
            Ok(None) => Ok(MASSTREE_NOT_FOUND),
            Ok(Some(next)) => {
                // SAFETY: not NULL, and writable by contract.
                unsafe { change.write(encode(&next)) };
                Ok(MASSTREE_OK)
            }
            Err(fault) => {
                // SAFETY: as above.
                unsafe { failure::report(failure, fault.failure()) }?;
                Err(status(&fault))
            }
        }
    })
}

fn encode(change: &Change<'_>) -> ChangeC {
    let nothing: &[u8] = &[];
    let (kind, key, value) = match change.changed {
        Changed::Put { key, value } => (MASSTREE_CHANGE_PUT, key, value),
        Changed::Removed { key } => (MASSTREE_CHANGE_REMOVE, key, nothing),
        Changed::TreeMade => (MASSTREE_CHANGE_TREE_MADE, nothing, nothing),
        Changed::TreeDropped => (MASSTREE_CHANGE_TREE_DROPPED, nothing, nothing),
    };
    let pointer = |bytes: &[u8], is_there| match is_there {
        true => bytes.as_ptr().cast(),
        false => null(),
    };
    ChangeC {
        commit: change.commit,
        kind,
        is_last: change.is_last.into(),
        tree_number: change.tree,
        reserved: 0,
        tree: change.name.as_ptr(),
        key: pointer(key, kind <= MASSTREE_CHANGE_REMOVE),
        key_len: key.len(),
        value: pointer(value, kind == MASSTREE_CHANGE_PUT),
        value_len: value.len(),
    }
}

/// Waits until there may be a change. Does not make commits durable by itself: something must sync the log
/// (sync_interval_us, an option of the store; commits with MASSTREE_DURABLE; masstree_store_sync).
///
/// @param changes     The cursor.
/// @param timeout_us  How long it waits at most, in microseconds; MASSTREE_NO_TIMEOUT: for as long as it takes.
///
/// @retval MASSTREE_OK         Call masstree_changes_next: there is a change, or something was committed that changes
///                             nothing.
/// @retval MASSTREE_NOT_FOUND  The time has passed.
/// @retval MASSTREE_READ_ONLY  The store was opened read-only, and has no further change.
/// @retval MASSTREE_FAILED     The log has failed (masstree_store_failure): there will be no further change.
/// @retval MASSTREE_INVALID    changes is NULL.
/// @retval MASSTREE_FORKED     The parent process opened the store, before a fork.
///
/// Thread safety: no other thread may use the cursor. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_changes_wait(
    changes: *mut ChangesHandle,
    timeout_us: u64,
) -> i32 {
    status_of(|| {
        // SAFETY: as this function's contract.
        let (store, changes) = unsafe { changes_of(changes) }?;
        let deadline = match timeout_us {
            _ if store.is_read_only() => Some(Instant::now()),
            MASSTREE_NO_TIMEOUT => None,
            timeout => Instant::now().checked_add(Duration::from_micros(timeout)),
        };
        match changes.wait(deadline) {
            true => Ok(MASSTREE_OK),
            false if store.is_read_only() => Err(MASSTREE_READ_ONLY),
            false if store.has_failed() => Err(MASSTREE_FAILED),
            false => Ok(MASSTREE_NOT_FOUND),
        }
    })
}

/// Frees a cursor. NULL does nothing, and neither does a cursor that the parent process made before a fork.
///
/// @param changes  The cursor.
///
/// Thread safety: no other thread may use the cursor. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_changes_destroy(changes: *mut ChangesHandle) {
    // SAFETY: NULL or a live cursor, which no other thread uses.
    unsafe {
        if let (Ok((store, _)), Some(handle)) = (changes_of(changes), NonNull::new(changes)) {
            store.source().drop_and_free(handle);
        }
    }
}
