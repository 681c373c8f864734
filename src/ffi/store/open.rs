//! # Opening and closing
//!
//! Options, opening, closing.

use std::ffi::{CStr, c_char, c_void};
use std::ptr::{NonNull, null_mut};
use std::time::Duration;

use super::failure::{self, StoreFailure};
use super::handle::StoreHandle;
use super::io::{self, StoreIo};
use super::progress::{ProgressCallback, Watcher};
use super::wait::level_of;
use crate::durable::checkpoint::MAX_PARTS;
use crate::durable::io::Path;
use crate::durable::store::{CheckpointOptions, OpenFault, Store, StoreOptions};
use crate::ffi::boundary::{sized_struct, status_of};
use crate::ffi::index::options::{Alloc, Free};
use crate::ffi::status::*;
use crate::index::memory::Allocator;
use crate::index::reclaim::cannot_create_trees;

/// Flag of a store: it is only read. The directory must exist, and nothing in it is changed, not even
/// what a crash has left at the end of the log. Several processes may read a directory at a time, but not
/// beside one that writes.
pub const MASSTREE_STORE_READ_ONLY: u32 = 1;
/// Flag of a store: opening fails if the directory has no store, or one to which nothing was ever written.
pub const MASSTREE_STORE_MUST_EXIST: u32 = 2;
/// Flag of a store: a corrupt log is read up to the first fault, and what follows is given up: commits
/// that were durable may be lost. Without it, opening returns MASSTREE_CORRUPT.
pub const MASSTREE_STORE_SALVAGE: u32 = 4;

/// Value of checkpoint_log_bytes: the length of the log does not lead to checkpoints.
pub const MASSTREE_NO_CHECKPOINTS: u64 = u64::MAX;

/// Options of masstree_store_open. Start from MASSTREE_STORE_OPTIONS_INIT; struct_size works as in
/// masstree_options_t.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct StoreOptionsC {
    /// sizeof(masstree_store_options_t); MASSTREE_STORE_OPTIONS_INIT sets it.
    pub struct_size: usize,
    /// MASSTREE_STORE_READ_ONLY, _MUST_EXIST, _SALVAGE, or 0.
    pub flags: u32,
    /// What writing functions wait for before they return: MASSTREE_MEMORY (0), MASSTREE_WRITTEN or
    /// MASSTREE_DURABLE.
    pub level: u32,
    /// Bytes of the buffer between writers and the log, rounded up to a power of two from 256 to 2^40;
    /// 0: 8 MiB. A commit takes at most half of it, or is MASSTREE_TOO_LARGE: it takes 8 bytes, and for
    /// each key that it changes 16 bytes, the key and the new value.
    pub log_buffer_bytes: usize,
    /// Bytes of a file of the log, after which the next one begins; 0: 64 MiB. At most 2^40;
    /// a small one is raised to several times the buffer.
    pub log_segment_bytes: u64,
    /// The log is synced at least so often while there is something to sync, in microseconds; 0: only if
    /// a thread waits for MASSTREE_DURABLE, asks for a sync, or closes the store.
    pub sync_interval_us: u64,
    /// Allocates the memory of the trees; NULL: malloc. The log's buffer, paths and lists of the store come
    /// from malloc. Set alloc and free together.
    pub alloc: Alloc,
    /// Frees the memory that alloc has allocated.
    pub free: Free,
    /// Passed to alloc and free.
    pub alloc_ctx: *mut c_void,
    /// The file operations; NULL: the operating system's. Copied; its ctx is used until the store is
    /// closed.
    pub io: *const StoreIo,
    /// Receives what failed, if opening fails because of a file; may be NULL. Initialise it with
    /// MASSTREE_STORE_FAILURE_INIT.
    pub failure: *mut StoreFailure,
    /// A checkpoint is made in the background when the log has so many bytes since the last; 0: 256 MiB,
    /// or as many as the last checkpoint has, if that is more; MASSTREE_NO_CHECKPOINTS: never.
    pub checkpoint_log_bytes: u64,
    /// A checkpoint is made in the background when the last is older than so many seconds, and something was
    /// committed since; 0: never.
    pub checkpoint_age_s: u64,
    /// Bytes of checkpoints that are written in a second, at most; 0: any number.
    pub checkpoint_bytes_per_s: u64,
    /// Threads that write a checkpoint, at most: no more than 4096; 0: one for each processor, but at most 4.
    pub checkpoint_threads: usize,
    /// Threads that build the trees when the store is opened, beside the one that reads the files; 1: that
    /// one alone; 0: as many as there are processors, at most 4. At most 64 are used.
    pub recovery_threads: usize,
    /// Called with the progress of masstree_store_open; may be NULL.
    pub progress: ProgressCallback,
    /// Passed to progress.
    pub progress_ctx: *mut c_void,
    /// Bytes of the log that checkpoints leave, of the part that they make unnecessary, for masstree_store_changes; 0:
    /// none.
    pub retained_log_bytes: u64,
}

/// Opens a store: makes its directory if there is none, locks it against other openers, and reads it.
///
/// @param directory  Path of the directory, whose parent exists; NULL: a store in memory only, for which
///                   nothing is written and all levels are reached at once.
/// @param options    NULL for the defaults, or a struct that was initialised with
///                   MASSTREE_STORE_OPTIONS_INIT.
/// @param store      Receives the store, which the caller closes with masstree_store_close.
///
/// @retval MASSTREE_OK         *store is open.
/// @retval MASSTREE_NOT_FOUND  There is no store, or only one without content, and the flags demand one.
/// @retval MASSTREE_INVALID    store is NULL; struct_size is smaller than any version of the struct; a flag
///                             or the level is unknown; directory is NULL with MASSTREE_STORE_READ_ONLY
///                             or _MUST_EXIST; a size is out of range; only one of alloc and free is
///                             set; a function of io is NULL; or a byte of the struct that this library
///                             does not know is not zero.
/// @retval MASSTREE_NOMEM      Out of memory.
/// @retval MASSTREE_FORKED     This process was forked while another thread was inside the library.
/// @retval MASSTREE_LOCKED     Another store, in this process or another, has the directory open.
/// @retval MASSTREE_CORRUPT    A file's content is wrong: *options->failure says where. Nothing was
///                             changed.
/// @retval MASSTREE_FAILED     A file operation failed: *options->failure says which.
/// @retval MASSTREE_FULL       The disk is full.
/// @return The number with which options->progress has stopped the opening; nothing was changed.
///
/// Thread safety: any thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_store_open(
    directory: *const c_char,
    options: *const StoreOptionsC,
    store: *mut *mut StoreHandle,
) -> i32 {
    status_of(|| {
        if store.is_null() {
            return Err(MASSTREE_INVALID);
        }
        // SAFETY: as this function's contract.
        let (mut options, failure, mut watcher) = unsafe { decode(directory, options) }?;
        if cannot_create_trees() {
            return Err(MASSTREE_FORKED);
        }
        // SAFETY: the watcher lives on this frame, and is used again after the opening; the function may be
        // called by contract.
        options.progress = unsafe { watcher.on_progress() };
        match Store::open(options) {
            Ok(opened) => {
                let source = opened.source();
                let handle = source.make(StoreHandle { store: opened })?;
                // SAFETY: checked for NULL above; writable by contract.
                unsafe { store.write(handle.as_ptr()) };
                Ok(MASSTREE_OK)
            }
            Err(fault) => {
                // SAFETY: as this function's contract.
                unsafe { failure::report(failure, fault.failure())? };
                Err(status(&fault, watcher.status))
            }
        }
    })
}

/// `stopped`: the number with which the function for progress has stopped the opening.
pub(super) fn status(fault: &OpenFault, stopped: i32) -> i32 {
    match fault {
        OpenFault::OutOfMemory => MASSTREE_NOMEM,
        OpenFault::NotFound => MASSTREE_NOT_FOUND,
        OpenFault::Locked => MASSTREE_LOCKED,
        OpenFault::Full(_) => MASSTREE_FULL,
        OpenFault::Io(_) => MASSTREE_FAILED,
        OpenFault::Corrupt(_) => MASSTREE_CORRUPT,
        OpenFault::Stopped => stopped,
    }
}

/// Converts the options of checkpoints.
fn checkpoints_of(options: &StoreOptionsC) -> Result<CheckpointOptions, i32> {
    if options.checkpoint_threads > MAX_PARTS {
        return Err(MASSTREE_INVALID);
    }
    Ok(CheckpointOptions {
        log_bytes: options.checkpoint_log_bytes,
        age: match options.checkpoint_age_s {
            0 => None,
            seconds => Some(Duration::from_secs(seconds)),
        },
        threads: options.checkpoint_threads,
        bytes_per_second: options.checkpoint_bytes_per_s,
    })
}

/// Converts options from C. Returns also where to report a failure, and the function for progress.
///
/// # Safety
/// The contract of `masstree_store_open`.
pub(super) unsafe fn decode(
    directory: *const c_char,
    options: *const StoreOptionsC,
) -> Result<(StoreOptions, *mut StoreFailure, Watcher), i32> {
    /// Of the buffer, and of a file: each opening skips as many numbers as a file might have had.
    const MOST_BYTES: u64 = 1 << 40;
    const READING: u32 = MASSTREE_STORE_READ_ONLY | MASSTREE_STORE_MUST_EXIST;
    let mut decoded = StoreOptions::default();
    if !directory.is_null() {
        // SAFETY: a string by contract.
        let directory = unsafe { CStr::from_ptr(directory) };
        let path = Path::new(directory.to_bytes()).map_err(|_| MASSTREE_NOMEM)?;
        decoded.directory = Some(path);
    }
    if options.is_null() {
        return Ok((decoded, null_mut(), Watcher::new(None, null_mut())));
    }
    // SAFETY: by contract; a zeroed struct is one.
    let options = unsafe { sized_struct(options) }?;
    if options.flags & !(READING | MASSTREE_STORE_SALVAGE) != 0
        || (directory.is_null() && options.flags & READING != 0)
    {
        return Err(MASSTREE_INVALID);
    }
    decoded.is_read_only = options.flags & MASSTREE_STORE_READ_ONLY != 0;
    decoded.must_exist = options.flags & READING != 0;
    decoded.salvages = options.flags & MASSTREE_STORE_SALVAGE != 0;
    decoded.level = level_of(options.level)?;
    if options.log_buffer_bytes as u64 > MOST_BYTES || options.log_segment_bytes > MOST_BYTES {
        return Err(MASSTREE_INVALID);
    }
    decoded.log_buffer_bytes = options.log_buffer_bytes;
    decoded.log_segment_bytes = options.log_segment_bytes;
    decoded.retained_log_bytes = options.retained_log_bytes;
    decoded.sync_interval = match options.sync_interval_us {
        0 => None,
        interval => Some(Duration::from_micros(interval)),
    };
    decoded.checkpoints = checkpoints_of(&options)?;
    decoded.allocator = match (options.alloc, options.free) {
        (None, None) => None,
        (Some(alloc), Some(free)) => {
            // SAFETY: the C caller guarantees this by setting the fields.
            Some(unsafe { Allocator::new(alloc, free, options.alloc_ctx) })
        }
        _ => return Err(MASSTREE_INVALID),
    };
    if let Some(io) = NonNull::new(options.io.cast_mut()) {
        // SAFETY: readable by contract, and its functions fit together.
        decoded.io = unsafe { io::decode(io.as_ref()) }?;
    }
    decoded.recovery_threads = options.recovery_threads;
    let watcher = Watcher::new(options.progress, options.progress_ctx);
    Ok((decoded, options.failure, watcher))
}

/// Waits until everything that was committed is durable, and frees the store and its trees. All guards
/// of its trees must have been left, its cursors, snapshots closed, its batches destroyed; and no other
/// thread may use the store or its trees during or after this call. NULL does nothing.
///
/// @param store  The store. It is closed whatever the status.
///
/// @retval MASSTREE_OK        Everything that was committed is durable; or store is NULL.
/// @retval MASSTREE_UNKNOWN   The log has failed: what was not durable may be missing at the next opening.
/// @retval MASSTREE_FORKED    The parent process opened the store, before a fork; nothing was done.
///
/// Thread safety: no other thread may use the store. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_store_close(store: *mut StoreHandle) -> i32 {
    status_of(|| {
        let Some(handle) = NonNull::new(store) else {
            return Ok(MASSTREE_OK);
        };
        // SAFETY: an open store, which no other thread uses.
        unsafe {
            let store = &handle.as_ref().store;
            if store.is_forked() {
                return Err(MASSTREE_FORKED);
            }
            let closed = store.close();
            store.source().drop_and_free(handle);
            closed?;
        }
        Ok(MASSTREE_OK)
    })
}
