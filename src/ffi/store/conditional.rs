//! # Conditional writes
//!
//! Writes that depend on what the key has. The condition is judged and the write done at once: no
//! commit comes in between.

use std::ffi::c_void;

use super::handle::StoreHandle;
use super::write::write;
use crate::durable::store::Condition;
use crate::ffi::boundary::value_bytes;
use crate::ffi::handle::TreeHandle;
use crate::ffi::status::*;

/// Condition: the key has no value.
pub const MASSTREE_IF_ABSENT: u32 = 1;
/// Condition: the key has a value.
pub const MASSTREE_IF_PRESENT: u32 = 2;
/// Condition: the key has a value that the commit with the number `seqno` stored.
pub const MASSTREE_IF_VERSION: u32 = 3;
/// Condition: the key has this value, byte by byte.
pub const MASSTREE_IF_VALUE: u32 = 4;

/// What a write demands of the key.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct StoreCondition {
    /// MASSTREE_IF_ABSENT, MASSTREE_IF_PRESENT, MASSTREE_IF_VERSION or MASSTREE_IF_VALUE.
    pub kind: u32,
    /// 0.
    pub reserved: u32,
    /// For MASSTREE_IF_VERSION: the number; otherwise 0.
    pub seqno: u64,
    /// For MASSTREE_IF_VALUE: value_len bytes; NULL only if value_len is 0. Otherwise NULL.
    pub value: *const c_void,
    /// Length of the value in bytes.
    pub value_len: usize,
}

/// Converts a condition from C.
///
/// # Safety
/// `condition` is NULL or readable, and so is its value.
unsafe fn decode<'c>(condition: *const StoreCondition) -> Result<Condition<'c>, i32> {
    // SAFETY: NULL or readable by contract.
    let condition = unsafe { condition.as_ref() }.ok_or(MASSTREE_INVALID)?;
    if condition.reserved != 0 {
        return Err(MASSTREE_INVALID);
    }
    match condition.kind {
        MASSTREE_IF_ABSENT => Ok(Condition::Absent),
        MASSTREE_IF_PRESENT => Ok(Condition::Present),
        MASSTREE_IF_VERSION => Ok(Condition::Version(condition.seqno)),
        MASSTREE_IF_VALUE => {
            // SAFETY: readable by contract.
            let value = unsafe { value_bytes(condition.value, condition.value_len) }?;
            Ok(Condition::Value(value))
        }
        _ => Err(MASSTREE_INVALID),
    }
}

/// The status of a write whose condition does not hold.
fn unmet(is_present: bool) -> i32 {
    match is_present {
        true => MASSTREE_MISMATCH,
        false => MASSTREE_NOT_FOUND,
    }
}

/// Stores a value under a key, if a condition holds for what it has.
///
/// @param store      The store.
/// @param tree       A tree of the store.
/// @param key        key_len bytes; NULL only if key_len is 0.
/// @param key_len    Length of the key in bytes, at most 2^32 - 1.
/// @param condition  The condition.
/// @param value      value_len bytes, which are copied; NULL only if value_len is 0.
/// @param value_len  Length of the value in bytes.
/// @param commit     Receives the commit's number. May be NULL.
///
/// @retval MASSTREE_OK            The value is stored.
/// @retval MASSTREE_NOT_FOUND     The key has no value, but the condition demands one; nothing was
///                                changed.
/// @retval MASSTREE_MISMATCH      The key has a value, for which the condition does not hold; nothing was
///                                changed.
/// @retval MASSTREE_INVALID       As masstree_store_put; or condition is NULL, its kind unknown, its value NULL
///                                although value_len is not 0, or reserved not 0.
/// @retval MASSTREE_NOMEM         As masstree_store_put.
/// @retval MASSTREE_KEY_TOO_LONG  As masstree_store_put.
/// @retval MASSTREE_WRONG_TREE    As masstree_store_put.
/// @retval MASSTREE_FORKED        As masstree_store_put.
/// @retval MASSTREE_READ_ONLY     As masstree_store_put.
/// @retval MASSTREE_TOO_LARGE     As masstree_store_put.
/// @retval MASSTREE_FULL          As masstree_store_put.
/// @retval MASSTREE_FAILED        As masstree_store_put.
/// @retval MASSTREE_UNKNOWN       As masstree_store_put.
///
/// Thread safety: any thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_store_replace_if(
    store: *mut StoreHandle,
    tree: *mut TreeHandle,
    key: *const c_void,
    key_len: usize,
    condition: *const StoreCondition,
    value: *const c_void,
    value_len: usize,
    commit: *mut u64,
) -> i32 {
    // SAFETY: as this function's contract.
    unsafe {
        write(
            store,
            tree,
            key,
            key_len,
            commit,
            unmet,
            |store, tree, pin, key| {
                let (condition, value) = (decode(condition)?, value_bytes(value, value_len)?);
                Ok(store.put(tree, pin, key, value, condition)?)
            },
        )
    }
}

/// Removes a key, if a condition holds for what it has.
///
/// @param store      The store.
/// @param tree       A tree of the store.
/// @param key        key_len bytes; NULL only if key_len is 0.
/// @param key_len    Length of the key in bytes, at most 2^32 - 1.
/// @param condition  The condition; MASSTREE_IF_ABSENT is refused.
/// @param commit     Receives the commit's number. May be NULL.
///
/// @retval MASSTREE_OK            The key is removed.
/// @retval MASSTREE_NOT_FOUND     The key has no value; nothing was changed.
/// @retval MASSTREE_MISMATCH      The key has a value, for which the condition does not hold; nothing was
///                                changed.
/// @retval MASSTREE_INVALID       As masstree_store_replace_if, or the condition is MASSTREE_IF_ABSENT.
/// @retval MASSTREE_NOMEM         As masstree_store_put.
/// @retval MASSTREE_KEY_TOO_LONG  As masstree_store_put.
/// @retval MASSTREE_WRONG_TREE    As masstree_store_put.
/// @retval MASSTREE_FORKED        As masstree_store_put.
/// @retval MASSTREE_READ_ONLY     As masstree_store_put.
/// @retval MASSTREE_TOO_LARGE     As masstree_store_put.
/// @retval MASSTREE_FULL          As masstree_store_put.
/// @retval MASSTREE_FAILED        As masstree_store_put.
/// @retval MASSTREE_UNKNOWN       As masstree_store_put.
///
/// Thread safety: any thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_store_remove_if(
    store: *mut StoreHandle,
    tree: *mut TreeHandle,
    key: *const c_void,
    key_len: usize,
    condition: *const StoreCondition,
    commit: *mut u64,
) -> i32 {
    // SAFETY: as this function's contract.
    unsafe {
        write(
            store,
            tree,
            key,
            key_len,
            commit,
            unmet,
            |store, tree, pin, key| match decode(condition)? {
                Condition::Absent => Err(MASSTREE_INVALID),
                condition => Ok(store.remove(tree, pin, key, condition)?),
            },
        )
    }
}
