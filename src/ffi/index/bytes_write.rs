//! Writing values that are byte strings.

use std::ffi::c_void;

use super::bytes::{Slice, require_guard, write_slice};
use crate::ffi::boundary::{ValueKind, found_status, on_key, status_of, value_bytes};
use crate::ffi::handle::{GuardHandle, TreeHandle};
use crate::ffi::status::*;

/// Stores a copy of a value under a key, whether or not the key exists.
///
/// @param tree       The tree.
/// @param guard      A guard of this tree, or NULL: then this call pins for its own duration.
/// @param key        key_len bytes, which the tree copies; NULL only if key_len is 0.
/// @param key_len    Length of the key in bytes, at most 2^32 - 1.
/// @param value      value_len bytes, which the tree copies; NULL only if value_len is 0.
/// @param value_len  Length of the value in bytes.
///
/// @retval MASSTREE_OK            Stored. A value it displaced is freed once no reader can
///                                still use it.
/// @retval MASSTREE_INVALID       tree is NULL, or key or value is NULL and its length is not
///                                0, or value_len exceeds SIZE_MAX / 2.
/// @retval MASSTREE_NOMEM         Out of memory; the tree is unchanged.
/// @retval MASSTREE_KEY_TOO_LONG  key_len exceeds 2^32 - 1.
/// @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
/// @retval MASSTREE_WRONG_KIND    The tree holds words.
/// @retval MASSTREE_FORKED        The parent process created the tree, before a fork.
///
/// Thread safety: any thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_put_bytes(
    tree: *mut TreeHandle,
    guard: *mut GuardHandle,
    key: *const c_void,
    key_len: usize,
    value: *const c_void,
    value_len: usize,
) -> i32 {
    status_of(|| {
        // SAFETY: as this function's contract.
        unsafe {
            let value = value_bytes(value, value_len)?;
            Ok(on_key(
                tree,
                guard,
                key,
                key_len,
                ValueKind::Bytes,
                |tree, pin, key| {
                    tree.put_bytes(pin, key, value)?;
                    Ok(MASSTREE_OK)
                },
            ))
        }
    })
}

/// Stores a copy of a value under a key and returns the previous value.
///
/// @param tree       The tree.
/// @param guard      A guard of this tree. May be NULL only if old is NULL: then this call pins
///                   for its own duration.
/// @param key        key_len bytes, which the tree copies; NULL only if key_len is 0.
/// @param key_len    Length of the key in bytes, at most 2^32 - 1.
/// @param value      value_len bytes, which the tree copies; NULL only if value_len is 0.
/// @param value_len  Length of the value in bytes.
/// @param old        Receives the displaced value, only with MASSTREE_OK; readable until the
///                   guard is refreshed or left. The tree frees it. May be NULL.
///
/// @retval MASSTREE_OK            Stored; *old is the value it displaced.
/// @retval MASSTREE_NOT_FOUND     Stored; the key did not exist.
/// @retval MASSTREE_INVALID       As in masstree_put_bytes; or old is not NULL and guard is
///                                NULL.
/// @retval MASSTREE_NOMEM         Out of memory; the tree is unchanged.
/// @retval MASSTREE_KEY_TOO_LONG  key_len exceeds 2^32 - 1.
/// @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
/// @retval MASSTREE_WRONG_KIND    The tree holds words.
/// @retval MASSTREE_FORKED        The parent process created the tree, before a fork.
///
/// Thread safety: any thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_exchange_bytes(
    tree: *mut TreeHandle,
    guard: *mut GuardHandle,
    key: *const c_void,
    key_len: usize,
    value: *const c_void,
    value_len: usize,
    old: *mut Slice,
) -> i32 {
    status_of(|| {
        require_guard(guard, old)?;
        // SAFETY: as this function's contract.
        unsafe {
            let value = value_bytes(value, value_len)?;
            Ok(on_key(
                tree,
                guard,
                key,
                key_len,
                ValueKind::Bytes,
                |tree, pin, key| {
                    let displaced = tree.put_bytes(pin, key, value)?;
                    write_slice(displaced, old);
                    Ok(found_status(displaced.is_some()))
                },
            ))
        }
    })
}

/// Stores a copy of a value under a key only if the key is absent.
///
/// @param tree       The tree.
/// @param guard      A guard of this tree. May be NULL only if present is NULL: then this call
///                   pins for its own duration.
/// @param key        key_len bytes, which the tree copies; NULL only if key_len is 0.
/// @param key_len    Length of the key in bytes, at most 2^32 - 1.
/// @param value      value_len bytes, which the tree copies; NULL only if value_len is 0.
/// @param value_len  Length of the value in bytes.
/// @param present    Receives the existing value, only with MASSTREE_EXISTS; readable until the
///                   guard is refreshed or left. May be NULL.
///
/// @retval MASSTREE_OK            Stored; the key was absent.
/// @retval MASSTREE_EXISTS        The key exists, with the value *present; nothing was changed.
/// @retval MASSTREE_INVALID       As in masstree_put_bytes; or present is not NULL and guard is
///                                NULL.
/// @retval MASSTREE_NOMEM         Out of memory; the tree is unchanged.
/// @retval MASSTREE_KEY_TOO_LONG  key_len exceeds 2^32 - 1.
/// @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
/// @retval MASSTREE_WRONG_KIND    The tree holds words.
/// @retval MASSTREE_FORKED        The parent process created the tree, before a fork.
///
/// Thread safety: any thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_insert_bytes(
    tree: *mut TreeHandle,
    guard: *mut GuardHandle,
    key: *const c_void,
    key_len: usize,
    value: *const c_void,
    value_len: usize,
    present: *mut Slice,
) -> i32 {
    status_of(|| {
        require_guard(guard, present)?;
        // SAFETY: as this function's contract.
        unsafe {
            let value = value_bytes(value, value_len)?;
            Ok(on_key(
                tree,
                guard,
                key,
                key_len,
                ValueKind::Bytes,
                |tree, pin, key| match tree.insert_bytes(pin, key, value)? {
                    None => Ok(MASSTREE_OK),
                    mismatched => {
                        write_slice(mismatched, present);
                        Ok(MASSTREE_EXISTS)
                    }
                },
            ))
        }
    })
}

/// Removes a key and, if old is not NULL, returns its value.
///
/// @param tree     The tree.
/// @param guard    A guard of this tree. May be NULL only if old is NULL: then this call pins
///                 for its own duration.
/// @param key      key_len bytes; NULL only if key_len is 0.
/// @param key_len  Length of the key in bytes, at most 2^32 - 1.
/// @param old      As in masstree_exchange_bytes.
///
/// @retval MASSTREE_OK            Removed; *old is the value it had.
/// @retval MASSTREE_NOT_FOUND     The key was not in the tree.
/// @retval MASSTREE_INVALID       tree is NULL; key is NULL and key_len is not 0; or old is not
///                                NULL and guard is NULL.
/// @retval MASSTREE_KEY_TOO_LONG  key_len exceeds 2^32 - 1.
/// @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
/// @retval MASSTREE_WRONG_KIND    The tree holds words.
/// @retval MASSTREE_FORKED        The parent process created the tree, before a fork.
///
/// Thread safety: any thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_remove_bytes(
    tree: *mut TreeHandle,
    guard: *mut GuardHandle,
    key: *const c_void,
    key_len: usize,
    old: *mut Slice,
) -> i32 {
    if let Err(status) = require_guard(guard, old) {
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
                let removed = tree.remove_bytes(pin, key);
                write_slice(removed, old);
                Ok(found_status(removed.is_some()))
            },
        )
    }
}

/// Replaces the value of a key by a copy of another, only if the key exists.
///
/// @param tree       The tree.
/// @param guard      A guard of this tree. May be NULL only if old is NULL: then this call pins
///                   for its own duration.
/// @param key        key_len bytes; NULL only if key_len is 0.
/// @param key_len    Length of the key in bytes, at most 2^32 - 1.
/// @param value      value_len bytes, which the tree copies; NULL only if value_len is 0.
/// @param value_len  Length of the value in bytes.
/// @param old        As in masstree_exchange_bytes.
///
/// @retval MASSTREE_OK            Stored; *old is the value it displaced.
/// @retval MASSTREE_NOT_FOUND     The key is not in the tree; nothing was changed.
/// @retval MASSTREE_INVALID       As in masstree_exchange_bytes.
/// @retval MASSTREE_NOMEM         Out of memory; the tree is unchanged.
/// @retval MASSTREE_KEY_TOO_LONG  key_len exceeds 2^32 - 1.
/// @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
/// @retval MASSTREE_WRONG_KIND    The tree holds words.
/// @retval MASSTREE_FORKED        The parent process created the tree, before a fork.
///
/// Thread safety: any thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_replace_bytes(
    tree: *mut TreeHandle,
    guard: *mut GuardHandle,
    key: *const c_void,
    key_len: usize,
    value: *const c_void,
    value_len: usize,
    old: *mut Slice,
) -> i32 {
    status_of(|| {
        require_guard(guard, old)?;
        // SAFETY: as this function's contract.
        unsafe {
            let value = value_bytes(value, value_len)?;
            Ok(on_key(
                tree,
                guard,
                key,
                key_len,
                ValueKind::Bytes,
                |tree, pin, key| {
                    let displaced = tree.replace_bytes(pin, key, value)?;
                    write_slice(displaced, old);
                    Ok(found_status(displaced.is_some()))
                },
            ))
        }
    })
}

/// Returns the status of a comparison; writes the value that differs from the expected one.
///
/// # Safety
/// `actual` is NULL or writable.
unsafe fn comparison_status(outcome: Option<(bool, &[u8])>, actual: *mut Slice) -> i32 {
    match outcome {
        None => MASSTREE_NOT_FOUND,
        Some((true, _)) => MASSTREE_OK,
        Some((false, bytes)) => {
            // SAFETY: by contract.
            unsafe { write_slice(Some(bytes), actual) };
            MASSTREE_MISMATCH
        }
    }
}

/// Stores a copy of the value `desired` under a key, only if the key's value equals `expected`
/// byte for byte.
///
/// @param tree      The tree.
/// @param guard     A guard of this tree. May be NULL only if actual is NULL: then this call
///                  pins for its own duration.
/// @param key       key_len bytes; NULL only if key_len is 0.
/// @param key_len   Length of the key in bytes, at most 2^32 - 1.
/// @param expected  The value that the key must have.
/// @param desired   The value to store, which the tree copies.
/// @param actual    Receives the key's value, with MASSTREE_MISMATCH; readable until the guard
///                  is refreshed or left. May be NULL.
///
/// @retval MASSTREE_OK            The key had the value `expected`; `desired` is stored.
/// @retval MASSTREE_NOT_FOUND     The key is not in the tree; nothing was changed.
/// @retval MASSTREE_MISMATCH      The key has another value, *actual; nothing was changed.
/// @retval MASSTREE_INVALID       tree is NULL; key, or the data of expected or desired, is
///                                NULL and its length is not 0; a value's length exceeds
///                                SIZE_MAX / 2; or actual is not NULL and guard is NULL.
/// @retval MASSTREE_NOMEM         Out of memory; the tree is unchanged.
/// @retval MASSTREE_KEY_TOO_LONG  key_len exceeds 2^32 - 1.
/// @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
/// @retval MASSTREE_WRONG_KIND    The tree holds words.
/// @retval MASSTREE_FORKED        The parent process created the tree, before a fork.
///
/// *actual is written only with MASSTREE_MISMATCH: then it is the value that the key has, which
/// the tree still owns.
///
/// Thread safety: any thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_compare_exchange_bytes(
    tree: *mut TreeHandle,
    guard: *mut GuardHandle,
    key: *const c_void,
    key_len: usize,
    expected: Slice,
    desired: Slice,
    actual: *mut Slice,
) -> i32 {
    status_of(|| {
        require_guard(guard, actual)?;
        // SAFETY: as this function's contract.
        unsafe {
            let expected = value_bytes(expected.data, expected.len)?;
            let desired = value_bytes(desired.data, desired.len)?;
            Ok(on_key(
                tree,
                guard,
                key,
                key_len,
                ValueKind::Bytes,
                |tree, pin, key| {
                    let outcome = tree.compare_exchange_bytes(pin, key, expected, desired)?;
                    Ok(comparison_status(outcome, actual))
                },
            ))
        }
    })
}

/// Removes a key, only if its value equals `expected` byte for byte.
///
/// @param tree      The tree.
/// @param guard     A guard of this tree. May be NULL only if actual is NULL: then this call
///                  pins for its own duration.
/// @param key       key_len bytes; NULL only if key_len is 0.
/// @param key_len   Length of the key in bytes, at most 2^32 - 1.
/// @param expected  The value that the key must have.
/// @param actual    As in masstree_compare_exchange_bytes.
///
/// @retval MASSTREE_OK            The key had the value `expected` and was removed.
/// @retval MASSTREE_NOT_FOUND     The key was not in the tree.
/// @retval MASSTREE_MISMATCH      The key has another value, *actual; nothing was changed.
/// @retval MASSTREE_INVALID       tree is NULL; key, or the data of expected, is NULL and its
///                                length is not 0; its length exceeds SIZE_MAX / 2; or actual
///                                is not NULL and guard is NULL.
/// @retval MASSTREE_KEY_TOO_LONG  key_len exceeds 2^32 - 1.
/// @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
/// @retval MASSTREE_WRONG_KIND    The tree holds words.
/// @retval MASSTREE_FORKED        The parent process created the tree, before a fork.
///
/// *actual is written only with MASSTREE_MISMATCH: then it is the value that the key has, which
/// the tree still owns.
///
/// Thread safety: any thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_remove_if_equal_bytes(
    tree: *mut TreeHandle,
    guard: *mut GuardHandle,
    key: *const c_void,
    key_len: usize,
    expected: Slice,
    actual: *mut Slice,
) -> i32 {
    status_of(|| {
        require_guard(guard, actual)?;
        // SAFETY: as this function's contract.
        unsafe {
            let expected = value_bytes(expected.data, expected.len)?;
            Ok(on_key(
                tree,
                guard,
                key,
                key_len,
                ValueKind::Bytes,
                |tree, pin, key| {
                    let outcome = tree.remove_bytes_if_equal(pin, key, expected);
                    Ok(comparison_status(outcome, actual))
                },
            ))
        }
    })
}
