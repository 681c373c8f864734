//! Adding to one key.

use std::ffi::c_void;

use crate::ffi::boundary::{ValueKind, on_key, write_output};
use crate::ffi::handle::{GuardHandle, TreeHandle};
use crate::ffi::status::*;

/// Adds to the value of a key, a number, atomically; if the key is absent, stores the number that was to be
/// added. For counters: without a callback, unlike masstree_update.
///
/// @param tree     The tree.
/// @param guard    A guard of this tree, or NULL: then this call pins for its own duration.
/// @param key      key_len bytes, which the tree copies; NULL only if key_len is 0.
/// @param key_len  Length of the key in bytes, at most 2^32 - 1.
/// @param more     The number to add, modulo 2^64: to subtract n, add 0 - n.
/// @param sum      Receives the new value. May be NULL.
///
/// @retval MASSTREE_OK            Added, or stored; *sum is the new value.
/// @retval MASSTREE_INVALID       tree is NULL, or key is NULL and key_len is not 0.
/// @retval MASSTREE_NOMEM         Out of memory; the tree is unchanged.
/// @retval MASSTREE_KEY_TOO_LONG  key_len exceeds 2^32 - 1.
/// @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
/// @retval MASSTREE_WRONG_KIND    The tree holds byte strings or versions, or values that contain their
///                                keys (key_of of the options).
/// @retval MASSTREE_FORKED        The parent process created the tree, before a fork.
///
/// The value destructor, if the tree has one, is called for the displaced value, as in masstree_put.
///
/// Thread safety: any thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_add(
    tree: *mut TreeHandle,
    guard: *mut GuardHandle,
    key: *const c_void,
    key_len: usize,
    more: u64,
    sum: *mut u64,
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
                // A sum refers to no key.
                if pin.keys().exists() {
                    return Err(MASSTREE_WRONG_KIND);
                }
                let before = tree.add_to(pin, key, more)?;
                let stored = before.unwrap_or(0).wrapping_add(more);
                if let Some(displaced) = before
                    && displaced != stored
                {
                    tree.discard(pin, displaced);
                }
                write_output(sum, stored);
                Ok(MASSTREE_OK)
            },
        )
    }
}

/// Like masstree_add, for an integer key (see masstree_get_u64).
///
/// @param tree   The tree.
/// @param guard  A guard of this tree, or NULL: then this call pins for its own duration.
/// @param key    The key.
/// @param more   As in masstree_add.
/// @param sum    As in masstree_add.
///
/// @retval MASSTREE_OK          Added, or stored; *sum is the new value.
/// @retval MASSTREE_INVALID     tree is NULL.
/// @retval MASSTREE_NOMEM       Out of memory; the tree is unchanged.
/// @retval MASSTREE_WRONG_TREE  The guard belongs to another tree.
/// @retval MASSTREE_WRONG_KIND  As in masstree_add.
/// @retval MASSTREE_FORKED      The parent process created the tree, before a fork.
///
/// The value destructor, if the tree has one, is called for the displaced value, as in masstree_put.
///
/// Thread safety: any thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_add_u64(
    tree: *mut TreeHandle,
    guard: *mut GuardHandle,
    key: u64,
    more: u64,
    sum: *mut u64,
) -> i32 {
    let key = key.to_be_bytes();
    // SAFETY: as this function's contract; the key is eight bytes.
    unsafe { masstree_add(tree, guard, key.as_ptr().cast(), key.len(), more, sum) }
}
