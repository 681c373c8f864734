//! # Verifying a directory
//!
//! What an opening would find, without the memory that it takes.

use std::ffi::c_char;

use super::failure;
use super::open::{StoreOptionsC, decode, status};
use crate::durable::store::Store;
use crate::ffi::boundary::{sized_output, status_of};
use crate::ffi::status::*;
use crate::index::reclaim::cannot_create_trees;

/// What masstree_store_verify has found. Start from MASSTREE_STORE_VERIFIED_INIT; struct_size works as in
/// masstree_stats_t.
#[repr(C)]
pub struct VerifiedStore {
    /// sizeof(masstree_store_verified_t); MASSTREE_STORE_VERIFIED_INIT sets it.
    pub struct_size: usize,
    /// The commit of which the checkpoint has the content; 0 if there is none.
    pub checkpoint_commit: u64,
    /// Files of the checkpoint.
    pub checkpoint_files: u64,
    /// Keys in the checkpoint.
    pub checkpoint_keys: u64,
    /// Trees that there are at the end of the log.
    pub trees: u64,
    /// Files of the log that were read.
    pub log_files: u64,
    /// Groups of records, and records, in those files behind the checkpoint.
    pub log_groups: u64,
    /// Records.
    pub log_records: u64,
    /// Bytes of the log that were read.
    pub log_bytes: u64,
    /// Bytes that a crash has left incomplete at the end of the log: an opening to write cuts them off.
    pub torn_bytes: u64,
}

/// Verifies the directory of a store: reads everything that an opening would read, and checks all of it, without
/// building trees. Changes nothing. Other processes may read the directory meanwhile, and none may have it open to
/// write.
///
/// @param directory  Path of the directory.
/// @param options    NULL for the defaults, or a struct that was initialised with MASSTREE_STORE_OPTIONS_INIT. io,
///                   failure, progress and progress_ctx are used: *failure receives the first fault, with its file and
///                   offset; progress is called as by masstree_store_open. The other fields are checked, as
///                   masstree_store_open does, and mean nothing.
/// @param verified   Receives what was found, with MASSTREE_OK. May be NULL.
///
/// @retval MASSTREE_OK         The directory can be opened, and everything in it is whole.
/// @retval MASSTREE_NOT_FOUND  There is no store, or one to which nothing was ever written.
/// @retval MASSTREE_INVALID    directory is NULL; *options is malformed, as for masstree_store_open; or
///                             verified->struct_size is too small.
/// @retval MASSTREE_NOMEM      Out of memory.
/// @retval MASSTREE_FORKED     This process was forked while another thread was inside the library.
/// @retval MASSTREE_LOCKED     A store has the directory open to write.
/// @retval MASSTREE_CORRUPT    A file's content is wrong.
/// @retval MASSTREE_FAILED     A file operation failed.
/// @return The number with which options->progress has stopped it.
///
/// Thread safety: any thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_store_verify(
    directory: *const c_char,
    options: *const StoreOptionsC,
    verified: *mut VerifiedStore,
) -> i32 {
    status_of(|| {
        if directory.is_null() {
            return Err(MASSTREE_INVALID);
        }
        // SAFETY: as this function's contract.
        let (mut options, failure, mut watcher) = unsafe { decode(directory, options) }?;
        let output = match verified.is_null() {
            true => None,
            // SAFETY: not NULL; the rest by contract.
            false => Some(unsafe { sized_output(verified) }?),
        };
        if cannot_create_trees() {
            return Err(MASSTREE_FORKED);
        }
        // SAFETY: the watcher lives on this frame, and is used again afterwards; the function may be called by contract.
        options.progress = unsafe { watcher.on_progress() };
        match Store::verify(options) {
            Ok(found) => {
                if let Some(output) = output {
                    let filled = VerifiedStore {
                        struct_size: output.size(),
                        checkpoint_commit: found.checkpoint,
                        checkpoint_files: found.parts,
                        checkpoint_keys: found.keys,
                        trees: found.trees,
                        log_files: found.log.segments,
                        log_groups: found.log.frames,
                        log_records: found.log.records,
                        log_bytes: found.log.bytes,
                        torn_bytes: found.log.torn_bytes,
                    };
                    // SAFETY: writable by contract.
                    unsafe { output.write(filled) };
                }
                Ok(MASSTREE_OK)
            }
            Err(fault) => {
                // SAFETY: as this function's contract.
                unsafe { failure::report(failure, fault.failure()) }?;
                Err(status(&fault, watcher.status))
            }
        }
    })
}
