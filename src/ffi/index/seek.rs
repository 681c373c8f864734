//! # Seeking
//!
//! The key nearest to another one, without a cursor.

use std::ffi::c_void;

use super::bytes::Slice;
use super::cursor_move::decode_seek;
use crate::ffi::boundary::{ValueKind, key_bytes, on_tree, status_of, write_output};
use crate::ffi::handle::{GuardHandle, TreeHandle};
use crate::ffi::status::*;
use crate::index::reclaim::Pinned;
use crate::index::tree::{Seek, Tree};

/// Where a caller wants a key.
#[derive(Clone, Copy)]
pub(in crate::ffi) struct KeyOutput {
    pub(in crate::ffi) buffer: *mut c_void,
    pub(in crate::ffi) capacity: usize,
    pub(in crate::ffi) len: *mut usize,
}

impl KeyOutput {
    /// Stores the length of a key and, unless the buffer is NULL, copies the key. Returns
    /// `MASSTREE_TOO_SMALL` if it does not fit.
    ///
    /// # Safety
    /// The buffer is NULL or has room for as many bytes as its capacity says; `len` is NULL or
    /// writable.
    pub(in crate::ffi) unsafe fn write(self, key: &[u8]) -> Result<(), i32> {
        // SAFETY: by contract.
        unsafe { self.write_parts([key]) }
    }

    /// [`Self::write`] for a key in parts.
    ///
    /// # Safety
    /// As `write`.
    #[inline]
    pub(in crate::ffi) unsafe fn write_parts<const N: usize>(
        self,
        parts: [&[u8]; N],
    ) -> Result<(), i32> {
        let len = parts.iter().map(|part| part.len()).sum();
        // SAFETY: by contract; the parts fit.
        unsafe {
            write_output(self.len, len);
            if self.buffer.is_null() {
                return Ok(());
            }
            if len > self.capacity {
                return Err(MASSTREE_TOO_SMALL);
            }
            let mut to = self.buffer.cast::<u8>();
            for part in parts {
                to.copy_from_nonoverlapping(part.as_ptr(), part.len());
                to = to.add(part.len());
            }
        }
        Ok(())
    }
}

/// Seeks a key of a tree of this kind; passes its value to `store`.
///
/// # Safety
/// As `on_tree` and `KeyOutput::write`.
unsafe fn seek(
    tree: *const TreeHandle,
    guard: *mut GuardHandle,
    values: ValueKind,
    seek: Seek<'_>,
    output: KeyOutput,
    store: impl FnOnce(&Tree, Pinned<'_>, u64),
) -> Result<i32, i32> {
    // SAFETY: as this function's contract.
    unsafe {
        on_tree(tree, guard, values, |tree, pin| {
            let found = tree.seek(pin, seek, |key, value| {
                output.write(key)?;
                store(tree, pin, value);
                Ok(MASSTREE_OK)
            })?;
            found.unwrap_or(Ok(MASSTREE_END))
        })
    }
}

/// Finds the key nearest to a given one, and its value. There is a moment of the call at which that was
/// the nearest key. A program that goes on from there opens a cursor.
///
/// @param tree      The tree.
/// @param guard     A guard of this tree, or NULL: then this call pins for its own duration.
/// @param key       key_len bytes; NULL only if key_len is 0.
/// @param key_len   Length of the key in bytes, at most 2^32 - 1.
/// @param how       MASSTREE_SEEK_GE, MASSTREE_SEEK_GT, MASSTREE_SEEK_LE, MASSTREE_SEEK_LT,
///                  MASSTREE_SEEK_FIRST or MASSTREE_SEEK_LAST.
/// @param buffer    Receives the key that was found; it may be the memory of `key`. NULL: the key is
///                  not stored.
/// @param capacity  Size of the buffer in bytes.
/// @param len       Receives the length of the key that was found, also with MASSTREE_TOO_SMALL. May
///                  be NULL.
/// @param value     Receives its value. May be NULL.
///
/// @retval MASSTREE_OK            Found.
/// @retval MASSTREE_END           No such key exists.
/// @retval MASSTREE_INVALID       tree is NULL, key is NULL and key_len is not 0, or how is unknown.
/// @retval MASSTREE_NOMEM         Out of memory for the key's buffer.
/// @retval MASSTREE_KEY_TOO_LONG  key_len exceeds 2^32 - 1.
/// @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
/// @retval MASSTREE_WRONG_KIND    The tree holds byte strings or versions.
/// @retval MASSTREE_FORKED        The parent process created the tree, before a fork.
/// @retval MASSTREE_TOO_SMALL     The key does not fit; the buffer and *value are unchanged.
///
/// Thread safety: any thread; takes no lock. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_seek(
    tree: *const TreeHandle,
    guard: *mut GuardHandle,
    key: *const c_void,
    key_len: usize,
    how: u32,
    buffer: *mut c_void,
    capacity: usize,
    len: *mut usize,
    value: *mut u64,
) -> i32 {
    let output = KeyOutput {
        buffer,
        capacity,
        len,
    };
    // SAFETY: as this function's contract.
    status_of(|| unsafe {
        let sought = decode_seek(key_bytes(key, key_len)?, how)?;
        seek(
            tree,
            guard,
            ValueKind::Words,
            sought,
            output,
            |_, _, word| {
                write_output(value, word);
            },
        )
    })
}

/// Like masstree_seek, for a tree of byte strings.
///
/// @param tree      The tree.
/// @param guard     A guard of this tree; may be NULL only if value is: the value stays readable only
///                  while the guard is held.
/// @param key       As in masstree_seek.
/// @param key_len   Length of the key in bytes, at most 2^32 - 1.
/// @param how       As in masstree_seek.
/// @param buffer    As in masstree_seek.
/// @param capacity  Size of the buffer in bytes.
/// @param len       As in masstree_seek.
/// @param value     Receives the value of the key that was found: a slice of the tree's memory. May
///                  be NULL.
///
/// @retval MASSTREE_OK            Found.
/// @retval MASSTREE_END           No such key exists.
/// @retval MASSTREE_INVALID       As in masstree_seek; or guard is NULL and value is not.
/// @retval MASSTREE_NOMEM         Out of memory for the key's buffer.
/// @retval MASSTREE_KEY_TOO_LONG  key_len exceeds 2^32 - 1.
/// @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
/// @retval MASSTREE_WRONG_KIND    The tree does not hold byte strings.
/// @retval MASSTREE_FORKED        The parent process created the tree, before a fork.
/// @retval MASSTREE_TOO_SMALL     As in masstree_seek.
///
/// Thread safety: any thread; takes no lock. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_seek_bytes(
    tree: *const TreeHandle,
    guard: *mut GuardHandle,
    key: *const c_void,
    key_len: usize,
    how: u32,
    buffer: *mut c_void,
    capacity: usize,
    len: *mut usize,
    value: *mut Slice,
) -> i32 {
    if guard.is_null() && !value.is_null() {
        return MASSTREE_INVALID;
    }
    let output = KeyOutput {
        buffer,
        capacity,
        len,
    };
    // SAFETY: as this function's contract.
    status_of(|| unsafe {
        let sought = decode_seek(key_bytes(key, key_len)?, how)?;
        seek(
            tree,
            guard,
            ValueKind::Bytes,
            sought,
            output,
            |tree, pin, word| {
                write_output(value, Slice::of(tree.bytes_of(pin, word)));
            },
        )
    })
}
