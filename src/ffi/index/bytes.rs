//! # Byte-string values
//!
//! Looking up values that are byte strings, and the type of slices.

use std::ffi::c_void;

use crate::ffi::boundary::{ValueKind, found_status, on_key, write_output};
use crate::ffi::handle::{GuardHandle, TreeHandle};
use crate::ffi::status::*;

/// A key or a value: a pointer and a length.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Slice {
    /// The bytes; NULL only if len is 0.
    pub data: *const c_void,
    /// Their length in bytes.
    pub len: usize,
}

impl Slice {
    pub(in crate::ffi) fn of(bytes: &[u8]) -> Self {
        Self {
            data: bytes.as_ptr().cast(),
            len: bytes.len(),
        }
    }
}

/// Writes a slice to an output parameter, if a value was found and the parameter is not NULL.
///
/// # Safety
/// `out` is NULL or writable.
pub(in crate::ffi) unsafe fn write_slice(bytes: Option<&[u8]>, out: *mut Slice) {
    if let Some(bytes) = bytes {
        // SAFETY: by contract.
        unsafe { write_output(out, Slice::of(bytes)) };
    }
}

/// Refuses an output slice without a guard: nothing would keep the slice readable.
pub(in crate::ffi) fn require_guard(guard: *mut GuardHandle, out: *mut Slice) -> Result<(), i32> {
    if guard.is_null() && !out.is_null() {
        return Err(MASSTREE_INVALID);
    }
    Ok(())
}

/// Looks up a key and returns its value without copying it.
///
/// @param tree     The tree.
/// @param guard    A guard of this tree; not NULL: the value stays readable only while the
///                 guard is held.
/// @param key      key_len bytes; NULL only if key_len is 0.
/// @param key_len  Length of the key in bytes, at most 2^32 - 1.
/// @param value    Receives the value, a slice of the tree's memory. It stays readable and
///                 unchanged until the guard is refreshed or left, even if the key is
///                 overwritten or removed. May be NULL.
///
/// @retval MASSTREE_OK            Found; *value is the key's value.
/// @retval MASSTREE_NOT_FOUND     The key is not in the tree.
/// @retval MASSTREE_INVALID       tree or guard is NULL, or key is NULL and key_len is not 0.
/// @retval MASSTREE_KEY_TOO_LONG  key_len exceeds 2^32 - 1.
/// @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
/// @retval MASSTREE_WRONG_KIND    The tree holds words.
/// @retval MASSTREE_FORKED        The parent process created the tree, before a fork.
///
/// Thread safety: any thread; takes no lock. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_get_bytes(
    tree: *const TreeHandle,
    guard: *mut GuardHandle,
    key: *const c_void,
    key_len: usize,
    value: *mut Slice,
) -> i32 {
    if guard.is_null() {
        return MASSTREE_INVALID;
    }
    // SAFETY: as this function's contract.
    unsafe {
        on_key(
            tree,
            guard,
            key,
            key_len,
            ValueKind::Bytes,
            |tree, pin, key| {
                let present = tree.get_bytes(pin, key);
                write_slice(present, value);
                Ok(found_status(present.is_some()))
            },
        )
    }
}

/// Looks up a key and copies its value to a buffer of the caller.
///
/// @param tree      The tree.
/// @param guard     A guard of this tree, or NULL: then this call pins for its own duration.
/// @param key       key_len bytes; NULL only if key_len is 0.
/// @param key_len   Length of the key in bytes, at most 2^32 - 1.
/// @param buffer    The buffer; NULL only if capacity is 0.
/// @param capacity  Size of the buffer in bytes.
/// @param len       Receives the length of the value in bytes, with MASSTREE_OK and with
///                  MASSTREE_TOO_SMALL: call with capacity 0 to query it. May be NULL.
///
/// @retval MASSTREE_OK            Found; the whole value is in the buffer.
/// @retval MASSTREE_NOT_FOUND     The key is not in the tree.
/// @retval MASSTREE_INVALID       tree is NULL, or key or buffer is NULL and its length is not
///                                0.
/// @retval MASSTREE_KEY_TOO_LONG  key_len exceeds 2^32 - 1.
/// @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
/// @retval MASSTREE_WRONG_KIND    The tree holds words.
/// @retval MASSTREE_FORKED        The parent process created the tree, before a fork.
/// @retval MASSTREE_TOO_SMALL     Found, but *len exceeds capacity; nothing was copied.
///
/// Thread safety: any thread; takes no lock. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_copy_bytes(
    tree: *const TreeHandle,
    guard: *mut GuardHandle,
    key: *const c_void,
    key_len: usize,
    buffer: *mut c_void,
    capacity: usize,
    len: *mut usize,
) -> i32 {
    if buffer.is_null() && capacity != 0 {
        return MASSTREE_INVALID;
    }
    // SAFETY: as this function's contract.
    unsafe {
        on_key(
            tree,
            guard,
            key,
            key_len,
            ValueKind::Bytes,
            |tree, pin, key| {
                let Some(value) = tree.get_bytes(pin, key) else {
                    return Ok(MASSTREE_NOT_FOUND);
                };
                write_output(len, value.len());
                if value.len() > capacity {
                    return Err(MASSTREE_TOO_SMALL);
                }
                if !value.is_empty() {
                    (buffer.cast::<u8>()).copy_from_nonoverlapping(value.as_ptr(), value.len());
                }
                Ok(MASSTREE_OK)
            },
        )
    }
}
