//! Conditional changes of values that are byte strings.

use std::ffi::c_void;

use super::bytes::{Slice, give_slice, guarded};
use crate::ffi::boundary::{For, entry, found, on_key, value_bytes};
use crate::ffi::handle::GuardHandle;
use crate::ffi::handle::TreeHandle;
use crate::ffi::status::*;

/// What a comparison found, as status and output.
///
/// # Safety
/// `present` is NULL or writable.
unsafe fn matched(there: Option<(bool, &[u8])>, present: *mut Slice) -> i32 {
    match there {
        None => MASSTREE_NOT_FOUND,
        Some((true, _)) => MASSTREE_OK,
        Some((false, bytes)) => {
            // SAFETY: by contract.
            unsafe { give_slice(Some(bytes), present) };
            MASSTREE_MISMATCH
        }
    }
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
    entry(|| {
        guarded(guard, present)?;
        // SAFETY: as this function's contract.
        unsafe {
            let value = value_bytes(value, value_len)?;
            Ok(on_key(
                tree,
                guard,
                key,
                key_len,
                For::Bytes,
                |tree, pin, key| match tree.insert_bytes(pin, key, value)? {
                    None => Ok(MASSTREE_OK),
                    there => {
                        give_slice(there, present);
                        Ok(MASSTREE_EXISTS)
                    }
                },
            ))
        }
    })
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
    entry(|| {
        guarded(guard, old)?;
        // SAFETY: as this function's contract.
        unsafe {
            let value = value_bytes(value, value_len)?;
            Ok(on_key(
                tree,
                guard,
                key,
                key_len,
                For::Bytes,
                |tree, pin, key| {
                    let displaced = tree.replace_bytes(pin, key, value)?;
                    give_slice(displaced, old);
                    Ok(found(displaced.is_some()))
                },
            ))
        }
    })
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
    entry(|| {
        guarded(guard, present)?;
        // SAFETY: as this function's contract.
        unsafe {
            let expected = value_bytes(expected.data, expected.len)?;
            let desired = value_bytes(desired.data, desired.len)?;
            Ok(on_key(
                tree,
                guard,
                key,
                key_len,
                For::Bytes,
                |tree, pin, key| {
                    let there = tree.compare_exchange_bytes(pin, key, expected, desired)?;
                    Ok(matched(there, present))
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
    entry(|| {
        guarded(guard, present)?;
        // SAFETY: as this function's contract.
        unsafe {
            let expected = value_bytes(expected.data, expected.len)?;
            Ok(on_key(
                tree,
                guard,
                key,
                key_len,
                For::Bytes,
                |tree, pin, key| {
                    let there = tree.remove_bytes_if_equal(pin, key, expected);
                    Ok(matched(there, present))
                },
            ))
        }
    })
}
