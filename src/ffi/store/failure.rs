//! # Failures
//!
//! What failed, and where.

use std::ffi::c_char;

use super::handle::{StoreHandle, store_of};
use crate::durable::store::Failure;
use crate::ffi::boundary::{sized_output, status_of};
use crate::ffi::status::*;

/// What has failed. Start from MASSTREE_STORE_FAILURE_INIT; struct_size works as in masstree_stats_t.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct StoreFailure {
    /// sizeof(masstree_store_failure_t); MASSTREE_STORE_FAILURE_INIT sets it.
    pub struct_size: usize,
    /// MASSTREE_FAILED for a file operation that failed, MASSTREE_CORRUPT for a file whose content is
    /// wrong; MASSTREE_OK if nothing has failed.
    pub status: i32,
    /// The errno of the file operation that failed; 0 if none did.
    pub os_error: i32,
    /// Where in the file, in bytes.
    pub offset: u64,
    /// The name of the operation that failed; empty if none did. As all strings here, it ends with a zero
    /// byte, and loses its beginning if it is too long.
    pub operation: [c_char; 32],
    /// What is wrong, in English; empty if a file operation failed.
    pub reason: [c_char; 128],
    /// The file's name.
    pub file: [c_char; 256],
}

impl StoreFailure {
    fn none() -> Self {
        Self {
            struct_size: size_of::<Self>(),
            status: MASSTREE_OK,
            os_error: 0,
            offset: 0,
            operation: [0; 32],
            reason: [0; 128],
            file: [0; 256],
        }
    }

    fn of(failure: &Failure) -> Self {
        Self {
            status: match failure.errno {
                0 => MASSTREE_CORRUPT,
                _ => MASSTREE_FAILED,
            },
            os_error: failure.errno,
            offset: failure.offset,
            operation: text(failure.operation.as_bytes()),
            reason: text(failure.reason.as_bytes()),
            file: text(failure.file.bytes()),
            ..Self::none()
        }
    }
}

/// Returns a string of C, without its beginning if it is too long.
pub(super) fn text<const SIZE: usize>(bytes: &[u8]) -> [c_char; SIZE] {
    let mut text = [0; SIZE];
    let kept = &bytes[bytes.len().saturating_sub(SIZE - 1)..];
    for (to, &byte) in text.iter_mut().zip(kept) {
        *to = byte as c_char;
    }
    text
}

/// Writes what has failed.
///
/// # Safety
/// `to` is NULL, or as `sized_output` demands.
pub(super) unsafe fn report(to: *mut StoreFailure, failure: Option<&Failure>) -> Result<(), i32> {
    if to.is_null() {
        return Ok(());
    }
    // SAFETY: not NULL; the rest by contract.
    unsafe {
        let output = sized_output(to)?;
        let mut filled = failure.map_or_else(StoreFailure::none, StoreFailure::of);
        filled.struct_size = output.size();
        output.write(filled);
    }
    Ok(())
}

/// Returns what has made the log fail; or else, why the last checkpoint was not made. A store whose log has
/// failed accepts no writes until it is closed and opened again; reads go on. After a checkpoint that was not
/// made writes go on, too, and the next one that is made ends the failure. A full disk is not a failure.
///
/// @param store    The store.
/// @param failure  Receives the failure.
///
/// @retval MASSTREE_OK       Nothing has failed.
/// @retval MASSTREE_FAILED   *failure says what.
/// @retval MASSTREE_INVALID  store or failure is NULL, or struct_size is too small.
/// @retval MASSTREE_FORKED   The parent process opened the store, before a fork.
///
/// Thread safety: any thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_store_failure(
    store: *const StoreHandle,
    failure: *mut StoreFailure,
) -> i32 {
    status_of(|| {
        if failure.is_null() {
            return Err(MASSTREE_INVALID);
        }
        // SAFETY: as this function's contract.
        unsafe {
            let failed = store_of(store)?.failure();
            report(failure, failed.as_ref())?;
            Ok(match failed {
                None => MASSTREE_OK,
                Some(_) => MASSTREE_FAILED,
            })
        }
    })
}
