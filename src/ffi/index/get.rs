//! # One key
//!
//! Looking up one key.

use std::ffi::c_void;
use std::ptr::NonNull;

use crate::ffi::boundary::{self, ValueKind, get_unguarded, key_bytes, lookup_status, under_guard};
use crate::ffi::handle::{self, GuardHandle, TreeHandle};
use crate::index::key::SLICE_LEN;
use crate::index::reclaim::Slot;

/// Looks up a key.
///
/// @param tree     The tree.
/// @param guard    A guard of this tree, or NULL: then this call pins for its own duration.
/// @param key      key_len bytes of any value; NULL only if key_len is 0 (the empty key is a
///                 key like any other).
/// @param key_len  Length of the key in bytes, at most 2^32 - 1.
/// @param value    Receives the value. May be NULL.
///
/// @retval MASSTREE_OK            Found; *value is the key's value.
/// @retval MASSTREE_NOT_FOUND     The key is not in the tree.
/// @retval MASSTREE_INVALID       tree is NULL, or key is NULL and key_len is not 0.
/// @retval MASSTREE_KEY_TOO_LONG  key_len exceeds 2^32 - 1.
/// @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
/// @retval MASSTREE_WRONG_KIND    The tree holds byte strings.
/// @retval MASSTREE_FORKED        The parent process created the tree, before a fork.
///
/// If the value is a pointer and the tree has a value destructor, hold a guard as long as you
/// use the pointer: the destructor is not called for the value before that guard is refreshed
/// or left.
///
/// Thread safety: any thread; takes no lock. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_get(
    tree: *const TreeHandle,
    guard: *mut GuardHandle,
    key: *const c_void,
    key_len: usize,
    value: *mut u64,
) -> i32 {
    if key_len == size_of::<u64>() && !key.is_null() {
        // A key of exactly one slice takes a fifth fewer instructions.
        // SAFETY: not NULL, and readable for `key_len` bytes by contract.
        let key = u64::from_be_bytes(unsafe { key.cast::<[u8; 8]>().read() });
        // SAFETY: as this function's contract.
        return unsafe { masstree_get_u64(tree, guard, key, value) };
    }
    // SAFETY: as this function's contract.
    unsafe { get(tree, guard, key, key_len, value) }
}

/// Like masstree_get, for an integer key: the key is the 8 bytes of `key`, most significant
/// byte first, so that keys are in numeric order.
///
/// @param tree   The tree.
/// @param guard  A guard of this tree, or NULL: then this call pins for its own duration.
/// @param key    The key.
/// @param value  Receives the value. May be NULL.
///
/// @retval MASSTREE_OK          Found; *value is the key's value.
/// @retval MASSTREE_NOT_FOUND   The key is not in the tree.
/// @retval MASSTREE_INVALID     tree is NULL.
/// @retval MASSTREE_WRONG_TREE  The guard belongs to another tree.
/// @retval MASSTREE_WRONG_KIND  The tree holds byte strings.
/// @retval MASSTREE_FORKED      The parent process created the tree, before a fork.
///
/// Thread safety: any thread; takes no lock. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_get_u64(
    tree: *const TreeHandle,
    guard: *mut GuardHandle,
    key: u64,
    value: *mut u64,
) -> i32 {
    // SAFETY: as this function's contract.
    unsafe {
        let Some(slot) = handle::slot(guard) else {
            return get_without_guard(tree, key.to_be_bytes().as_ptr().cast(), SLICE_LEN, value);
        };
        match get_at_once(tree, slot, key, value) {
            Ok(Some(status)) | Err(status) => status,
            Ok(None) => get_u64(tree, slot, key, value),
        }
    }
}

/// Looks a key up under a guard; returns `None` if a writer interferes.
///
/// # Safety
/// As `masstree_get_u64`.
// inline(always): see `Tree::find_undisturbed`.
#[inline(always)]
unsafe fn get_at_once(
    tree: *const TreeHandle,
    slot: NonNull<Slot>,
    key: u64,
    value: *mut u64,
) -> Result<Option<i32>, i32> {
    // SAFETY: as this function's contract.
    unsafe {
        let (tree, pin) = under_guard(tree, slot, ValueKind::Words)?;
        match tree.get_at_once(pin, &key.to_be_bytes()) {
            Some(word) => lookup_status(word, value).map(Some),
            None => Ok(None),
        }
    }
}

/// Completes a `masstree_get_u64` with which a writer has interfered.
///
/// # Safety
/// As `masstree_get_u64`.
#[inline(never)]
unsafe fn get_u64(tree: *const TreeHandle, slot: NonNull<Slot>, key: u64, value: *mut u64) -> i32 {
    let key = key.to_be_bytes();
    // SAFETY: as this function's contract; the key is eight bytes.
    unsafe { get_under_guard(tree, slot, key.as_ptr().cast(), key.len(), value) }
        .unwrap_or_else(|status| status)
}

/// Not inlined: `masstree_get` only selects one of two paths.
///
/// # Safety
/// As `masstree_get`.
#[inline(never)]
unsafe fn get(
    tree: *const TreeHandle,
    guard: *mut GuardHandle,
    key: *const c_void,
    key_len: usize,
    value: *mut u64,
) -> i32 {
    match handle::slot(guard) {
        // SAFETY: as this function's contract.
        Some(slot) => unsafe { get_under_guard(tree, slot, key, key_len, value) }
            .unwrap_or_else(|status| status),
        // SAFETY: as this function's contract.
        None => unsafe { get_without_guard(tree, key, key_len, value) },
    }
}

/// # Safety
/// As `masstree_get`.
#[inline(always)]
unsafe fn get_under_guard(
    tree: *const TreeHandle,
    slot: NonNull<Slot>,
    key: *const c_void,
    key_len: usize,
    value: *mut u64,
) -> Result<i32, i32> {
    // SAFETY: as this function's contract.
    unsafe {
        let key = key_bytes(key, key_len)?;
        let (tree, pin) = under_guard(tree, slot, ValueKind::Words)?;
        lookup_status(tree.get(pin, key), value)
    }
}

/// # Safety
/// As `masstree_get`.
#[inline(never)]
unsafe fn get_without_guard(
    tree: *const TreeHandle,
    key: *const c_void,
    key_len: usize,
    value: *mut u64,
) -> i32 {
    // SAFETY: as this function's contract.
    unsafe {
        match get_unguarded(tree, key, key_len) {
            Ok(Some((word, _))) => lookup_status(word, value).unwrap_or_else(|status| status),
            Ok(None) => get_pinned(tree, key, key_len, value),
            Err(status) => status,
        }
    }
}

/// Completes a look-up for which [`Tree::get_unguarded`] does not suffice.
///
/// # Safety
/// As `masstree_get`.
#[inline(never)]
unsafe fn get_pinned(
    tree: *const TreeHandle,
    key: *const c_void,
    key_len: usize,
    value: *mut u64,
) -> i32 {
    let guard = std::ptr::null_mut();
    // SAFETY: as this function's contract.
    unsafe {
        boundary::on_key(
            tree,
            guard,
            key,
            key_len,
            ValueKind::Words,
            |tree, pin, key| lookup_status(tree.get(pin, key), value),
        )
    }
}

/// Tests whether a key is in the tree, without returning its value.
///
/// @param tree     The tree.
/// @param guard    A guard of this tree, or NULL: then this call pins for its own duration.
/// @param key      key_len bytes; NULL only if key_len is 0.
/// @param key_len  Length of the key in bytes, at most 2^32 - 1.
///
/// @retval MASSTREE_OK            The key is in the tree.
/// @retval MASSTREE_NOT_FOUND     The key is not in the tree.
/// @retval MASSTREE_INVALID       tree is NULL, or key is NULL and key_len is not 0.
/// @retval MASSTREE_KEY_TOO_LONG  key_len exceeds 2^32 - 1.
/// @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
/// @retval MASSTREE_FORKED        The parent process created the tree, before a fork.
///
/// Note that MASSTREE_OK is 0: write `masstree_contains(...) == MASSTREE_OK`.
///
/// Thread safety: any thread; takes no lock. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_contains(
    tree: *const TreeHandle,
    guard: *mut GuardHandle,
    key: *const c_void,
    key_len: usize,
) -> i32 {
    // SAFETY: as this function's contract.
    unsafe {
        boundary::on_key(
            tree,
            guard,
            key,
            key_len,
            ValueKind::Any,
            |tree, pin, key| lookup_status(tree.get(pin, key), std::ptr::null_mut()),
        )
    }
}

/// Like masstree_contains, for an integer key (see masstree_get_u64).
///
/// @param tree   The tree.
/// @param guard  A guard of this tree, or NULL: then this call pins for its own duration.
/// @param key    The key.
///
/// @retval MASSTREE_OK          The key is in the tree.
/// @retval MASSTREE_NOT_FOUND   The key is not in the tree.
/// @retval MASSTREE_INVALID     tree is NULL.
/// @retval MASSTREE_WRONG_TREE  The guard belongs to another tree.
/// @retval MASSTREE_FORKED      The parent process created the tree, before a fork.
///
/// Thread safety: any thread; takes no lock. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_contains_u64(
    tree: *const TreeHandle,
    guard: *mut GuardHandle,
    key: u64,
) -> i32 {
    let key = key.to_be_bytes();
    // SAFETY: as this function's contract; the key is eight bytes.
    unsafe { masstree_contains(tree, guard, key.as_ptr().cast(), key.len()) }
}
