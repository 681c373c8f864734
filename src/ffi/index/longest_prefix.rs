//! The longest key that is a prefix of a given one: for routing tables and dictionaries.

use std::ffi::c_void;

use super::bytes::{Slice, require_guard};
use crate::ffi::boundary::{ValueKind, on_key, write_output};
use crate::ffi::handle::{GuardHandle, TreeHandle};
use crate::ffi::status::*;
use crate::index::reclaim::Pinned;
use crate::index::tree::Tree;

/// Finds the longest prefix, and passes its value to `store`.
///
/// # Safety
/// `found_len` is NULL or writable.
unsafe fn longest_prefix(
    tree: &Tree,
    pin: Pinned<'_>,
    key: &[u8],
    found_len: *mut usize,
    store: impl FnOnce(u64),
) -> Result<i32, i32> {
    let Some((len, value)) = tree.longest_prefix(pin, key)? else {
        return Ok(MASSTREE_NOT_FOUND);
    };
    // SAFETY: as this function's contract.
    unsafe { write_output(found_len, len) };
    store(value);
    Ok(MASSTREE_OK)
}

/// Finds the longest key in the tree that is a prefix of a given key: the key itself if it is in the
/// tree, or else the longest one with which it begins. The empty key is a prefix of every key.
///
/// There is a moment of the call at which that was the longest one, and had this value, whatever other
/// threads write meanwhile. The cost is that of one look-up, and of reading the leaves in which
/// shorter prefixes would be, at most nine for every eight bytes of the key, as long as none is found.
///
/// @param tree       The tree.
/// @param guard      A guard of this tree, or NULL: then this call pins for its own duration.
/// @param key        key_len bytes; NULL only if key_len is 0.
/// @param key_len    Length of the key in bytes, at most 2^32 - 1.
/// @param found_len  Receives the length of the key that was found: it is the first *found_len bytes of
///                   key. May be NULL.
/// @param value      Receives its value. May be NULL.
///
/// @retval MASSTREE_OK            Found.
/// @retval MASSTREE_NOT_FOUND     No key in the tree is a prefix of the key.
/// @retval MASSTREE_INVALID       tree is NULL, or key is NULL and key_len is not 0.
/// @retval MASSTREE_NOMEM         Out of memory for the list of leaves that were read: only if the
///                                key shares many bytes with others.
/// @retval MASSTREE_KEY_TOO_LONG  key_len exceeds 2^32 - 1.
/// @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
/// @retval MASSTREE_WRONG_KIND    The tree holds byte strings or versions.
/// @retval MASSTREE_FORKED        The parent process created the tree, before a fork.
///
/// Thread safety: any thread; takes no lock. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_longest_prefix(
    tree: *const TreeHandle,
    guard: *mut GuardHandle,
    key: *const c_void,
    key_len: usize,
    found_len: *mut usize,
    value: *mut u64,
) -> i32 {
    // SAFETY: as this function's contract.
    unsafe {
        on_key(
            tree,
            guard,
            key,
            key_len,
            ValueKind::Words,
            |tree, pin, key| {
                longest_prefix(tree, pin, key, found_len, |word| write_output(value, word))
            },
        )
    }
}

/// Like masstree_longest_prefix, for a tree of byte strings.
///
/// @param tree       The tree.
/// @param guard      A guard of this tree; may be NULL only if value is: the value stays readable only
///                   while the guard is held.
/// @param key        As in masstree_longest_prefix.
/// @param key_len    Length of the key in bytes, at most 2^32 - 1.
/// @param found_len  As in masstree_longest_prefix.
/// @param value      Receives the value of the key that was found: a slice of the tree's memory. May
///                   be NULL.
///
/// @retval MASSTREE_OK            Found.
/// @retval MASSTREE_NOT_FOUND     No key in the tree is a prefix of the key.
/// @retval MASSTREE_INVALID       As in masstree_longest_prefix; or guard is NULL and value is not.
/// @retval MASSTREE_NOMEM         As in masstree_longest_prefix.
/// @retval MASSTREE_KEY_TOO_LONG  key_len exceeds 2^32 - 1.
/// @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
/// @retval MASSTREE_WRONG_KIND    The tree does not hold byte strings.
/// @retval MASSTREE_FORKED        The parent process created the tree, before a fork.
///
/// Thread safety: any thread; takes no lock. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_longest_prefix_bytes(
    tree: *const TreeHandle,
    guard: *mut GuardHandle,
    key: *const c_void,
    key_len: usize,
    found_len: *mut usize,
    value: *mut Slice,
) -> i32 {
    if let Err(status) = require_guard(guard, value) {
        return status;
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
                longest_prefix(tree, pin, key, found_len, |word| {
                    write_output(value, Slice::of(tree.bytes_of(pin, word)));
                })
            },
        )
    }
}
