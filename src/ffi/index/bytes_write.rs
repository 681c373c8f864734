//! Writing values that are byte strings.

use std::ffi::c_void;

use super::bytes::{Slice, require_guard, write_slice};
use crate::ffi::boundary::{ValueKind, found_status, on_key, status_of, value_bytes};
use crate::ffi::handle::GuardHandle;
use crate::ffi::handle::TreeHandle;
use crate::ffi::status::*;

/// Stores a copy of a value under a key, whether the key is there or not.
///
/// @param tree       The tree.
/// @param guard      A guard of this tree, or NULL to be pinned for this call.
/// @param key        key_len bytes, copied by the tree; NULL only if key_len is 0.
/// @param key_len    Length of the key in bytes, at most 2^32 - 1.
/// @param value      value_len bytes, copied by the tree; NULL only if value_len is 0.
/// @param value_len  Length of the value in bytes.
///
/// @retval MASSTREE_OK            Stored. A value it displaced is freed once no reader
///                                can hold it.
/// @retval MASSTREE_INVALID       tree is NULL, or key or value is NULL with a length,
///                                or value_len is over SIZE_MAX / 2.
/// @retval MASSTREE_NOMEM         Out of memory; the tree is unchanged.
/// @retval MASSTREE_KEY_TOO_LONG  key_len is over 2^32 - 1.
/// @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
/// @retval MASSTREE_WRONG_KIND    The tree holds words.
/// @retval MASSTREE_FORKED        The tree was made before a fork.
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

/// Stores a copy of a value under a key and gives the value that was there.
///
/// @param tree       The tree.
/// @param guard      A guard of this tree, or, if old is NULL, NULL to be pinned for
///                   this call.
/// @param key        key_len bytes, copied by the tree; NULL only if key_len is 0.
/// @param key_len    Length of the key in bytes, at most 2^32 - 1.
/// @param value      value_len bytes, copied by the tree; NULL only if value_len is 0.
/// @param value_len  Length of the value in bytes.
/// @param old        Where the displaced value is stored (written only when the answer
///                   is MASSTREE_OK), readable until the guard is refreshed or left;
///                   the tree frees it. NULL: not wanted.
///
/// @retval MASSTREE_OK            Stored; *old is the value it displaced.
/// @retval MASSTREE_NOT_FOUND     Stored; the key was new.
/// @retval MASSTREE_INVALID       As in masstree_put_bytes; or old is not NULL and guard
///                                is.
/// @retval MASSTREE_NOMEM         Out of memory; the tree is unchanged.
/// @retval MASSTREE_KEY_TOO_LONG  key_len is over 2^32 - 1.
/// @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
/// @retval MASSTREE_WRONG_KIND    The tree holds words.
/// @retval MASSTREE_FORKED        The tree was made before a fork.
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
/// @param guard      A guard of this tree, or, if present is NULL, NULL to be pinned for
///                   this call.
/// @param key        key_len bytes, copied by the tree; NULL only if key_len is 0.
/// @param key_len    Length of the key in bytes, at most 2^32 - 1.
/// @param value      value_len bytes, copied by the tree; NULL only if value_len is 0.
/// @param value_len  Length of the value in bytes.
/// @param present    Where the value already there is stored (written only when the
///                   answer is MASSTREE_EXISTS), readable until the guard is refreshed
///                   or left. NULL: not wanted.
///
/// @retval MASSTREE_OK            Stored; the key was absent.
/// @retval MASSTREE_EXISTS        Nothing was changed; *present is the value under the
///                                key.
/// @retval MASSTREE_INVALID       As in masstree_put_bytes; or present is not NULL and
///                                guard is.
/// @retval MASSTREE_NOMEM         Out of memory; the tree is unchanged.
/// @retval MASSTREE_KEY_TOO_LONG  key_len is over 2^32 - 1.
/// @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
/// @retval MASSTREE_WRONG_KIND    The tree holds words.
/// @retval MASSTREE_FORKED        The tree was made before a fork.
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

/// Removes a key and gives the value it had.
///
/// @param tree     The tree.
/// @param guard    A guard of this tree, or, if old is NULL, NULL to be pinned for this
///                 call.
/// @param key      key_len bytes; NULL only if key_len is 0.
/// @param key_len  Length of the key in bytes, at most 2^32 - 1.
/// @param old      As in masstree_exchange_bytes.
///
/// @retval MASSTREE_OK            Removed; *old is the value it had.
/// @retval MASSTREE_NOT_FOUND     The key was not in the tree.
/// @retval MASSTREE_INVALID       tree is NULL; key is NULL with a length; or old is not
///                                NULL and guard is.
/// @retval MASSTREE_KEY_TOO_LONG  key_len is over 2^32 - 1.
/// @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
/// @retval MASSTREE_WRONG_KIND    The tree holds words.
/// @retval MASSTREE_FORKED        The tree was made before a fork.
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

/// Gives a key a copy of another value, only if the key is there.
///
/// @param tree       The tree.
/// @param guard      A guard of this tree, or, if old is NULL, NULL to be pinned for
///                   this call.
/// @param key        key_len bytes; NULL only if key_len is 0.
/// @param key_len    Length of the key in bytes, at most 2^32 - 1.
/// @param value      value_len bytes, copied by the tree; NULL only if value_len is 0.
/// @param value_len  Length of the value in bytes.
/// @param old        As in masstree_exchange_bytes.
///
/// @retval MASSTREE_OK            Stored; *old is the value it displaced.
/// @retval MASSTREE_NOT_FOUND     Nothing was changed; the key is not in the tree.
/// @retval MASSTREE_INVALID       As in masstree_exchange_bytes.
/// @retval MASSTREE_NOMEM         Out of memory; the tree is unchanged.
/// @retval MASSTREE_KEY_TOO_LONG  key_len is over 2^32 - 1.
/// @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
/// @retval MASSTREE_WRONG_KIND    The tree holds words.
/// @retval MASSTREE_FORKED        The tree was made before a fork.
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

/// What a comparison found, as status and output.
///
/// # Safety
/// `present` is NULL or writable.
unsafe fn matched(mismatched: Option<(bool, &[u8])>, present: *mut Slice) -> i32 {
    match mismatched {
        None => MASSTREE_NOT_FOUND,
        Some((true, _)) => MASSTREE_OK,
        Some((false, bytes)) => {
            // SAFETY: by contract.
            unsafe { write_slice(Some(bytes), present) };
            MASSTREE_MISMATCH
        }
    }
}

/// Gives a key a copy of another value, only if its value equals an expected one byte
/// for byte.
///
/// @param tree      The tree.
/// @param guard     A guard of this tree, or, if present is NULL, NULL to be pinned for
///                  this call.
/// @param key       key_len bytes; NULL only if key_len is 0.
/// @param key_len   Length of the key in bytes, at most 2^32 - 1.
/// @param expected  The value that is expected.
/// @param desired   The value to be stored, copied by the tree.
/// @param present   Where the value that is there instead is stored (written only when
///                  the answer is MASSTREE_MISMATCH), readable until the guard is
///                  refreshed or left. NULL: not wanted.
///
/// @retval MASSTREE_OK            The value was the expected one, and was exchanged.
/// @retval MASSTREE_NOT_FOUND     Nothing was changed; the key is not in the tree.
/// @retval MASSTREE_MISMATCH      Nothing was changed; *present is the key's value.
/// @retval MASSTREE_INVALID       tree is NULL; key, or the data of expected or desired,
///                                is NULL with a length; a value's length is over
///                                SIZE_MAX / 2; or present is not NULL and guard is.
/// @retval MASSTREE_NOMEM         Out of memory; the tree is unchanged.
/// @retval MASSTREE_KEY_TOO_LONG  key_len is over 2^32 - 1.
/// @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
/// @retval MASSTREE_WRONG_KIND    The tree holds words.
/// @retval MASSTREE_FORKED        The tree was made before a fork.
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
    present: *mut Slice,
) -> i32 {
    status_of(|| {
        require_guard(guard, present)?;
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
                    let mismatched = tree.compare_exchange_bytes(pin, key, expected, desired)?;
                    Ok(matched(mismatched, present))
                },
            ))
        }
    })
}

/// Removes a key only if its value equals an expected one byte for byte.
///
/// @param tree      The tree.
/// @param guard     A guard of this tree, or, if present is NULL, NULL to be pinned for
///                  this call.
/// @param key       key_len bytes; NULL only if key_len is 0.
/// @param key_len   Length of the key in bytes, at most 2^32 - 1.
/// @param expected  The value that is expected.
/// @param present   As in masstree_compare_exchange_bytes.
///
/// @retval MASSTREE_OK            The value was the expected one; the key was removed.
/// @retval MASSTREE_NOT_FOUND     The key was not in the tree.
/// @retval MASSTREE_MISMATCH      Nothing was changed; *present is the key's value.
/// @retval MASSTREE_INVALID       tree is NULL; key, or the data of expected, is NULL
///                                with a length; its length is over SIZE_MAX / 2; or
///                                present is not NULL and guard is.
/// @retval MASSTREE_KEY_TOO_LONG  key_len is over 2^32 - 1.
/// @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
/// @retval MASSTREE_WRONG_KIND    The tree holds words.
/// @retval MASSTREE_FORKED        The tree was made before a fork.
///
/// Thread safety: any thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_remove_if_equal_bytes(
    tree: *mut TreeHandle,
    guard: *mut GuardHandle,
    key: *const c_void,
    key_len: usize,
    expected: Slice,
    present: *mut Slice,
) -> i32 {
    status_of(|| {
        require_guard(guard, present)?;
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
                    let mismatched = tree.remove_bytes_if_equal(pin, key, expected);
                    Ok(matched(mismatched, present))
                },
            ))
        }
    })
}
