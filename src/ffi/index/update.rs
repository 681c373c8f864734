//! # One key: conditional writes
//!
//! Conditional changes of one key, each of them atomic.

use std::ffi::c_void;
use std::ptr;

use crate::ffi::boundary::{ValueKind, deliver_or_retire, on_key, write_output};
use crate::ffi::handle::{GuardHandle, TreeHandle};
use crate::ffi::status::*;
use crate::index::tree::Decision;

/// Returned by an update callback or passed to masstree_held_finish: leave the key as it is.
pub const MASSTREE_ACTION_KEEP: i32 = 0;
/// Returned by an update callback or passed to masstree_held_finish: store the value (*value of
/// the callback, or the value passed to masstree_held_finish) under the key.
pub const MASSTREE_ACTION_SET: i32 = 1;
/// Returned by an update callback or passed to masstree_held_finish: remove the key, if it
/// exists.
pub const MASSTREE_ACTION_REMOVE: i32 = 2;

/// Decides what masstree_update does with a key.
///
/// @param present  The key's value, or NULL if the key is absent.
/// @param value    Receives the new value, for MASSTREE_ACTION_SET.
/// @param ctx      The ctx that was passed to the update.
///
/// @return MASSTREE_ACTION_KEEP, MASSTREE_ACTION_SET or MASSTREE_ACTION_REMOVE; or
///         a negative number to change nothing and end the update with that number as its
///         status (MASSTREE_OWN_STATUS or less, if it is not to be taken for one of the library's).
///
/// It is called once, with the key's leaf locked: be quick, do not wait for anything that
/// another thread that uses the tree may hold, and call no function on this tree (a debug build
/// of the library aborts if you do). It must return: no longjmp, no C++ exception, no
/// pthread_exit. Memory for an insert has been reserved before the call: nothing can fail after
/// it.
pub type Update =
    Option<unsafe extern "C" fn(present: *const u64, value: *mut u64, ctx: *mut c_void) -> i32>;

/// Replaces the value of a key, only if the key exists.
///
/// @param tree     The tree.
/// @param guard    A guard of this tree, or NULL: then this call pins for its own duration.
/// @param key      key_len bytes; NULL only if key_len is 0.
/// @param key_len  Length of the key in bytes, at most 2^32 - 1.
/// @param value    The value. The tree owns it after MASSTREE_OK; with MASSTREE_EXISTS it owned
///                 it before.
/// @param old      Receives the displaced value, only with MASSTREE_OK. The caller then owns
///                 it, as in masstree_exchange. If NULL, the value destructor is called for it
///                 once no reader can still use it.
///
/// @retval MASSTREE_OK            Stored; *old is the value it displaced.
/// @retval MASSTREE_EXISTS        The key has this value already; nothing was changed.
/// @retval MASSTREE_NOT_FOUND     The key is not in the tree; nothing was changed.
/// @retval MASSTREE_INVALID       tree is NULL, or key is NULL and key_len is not 0.
/// @retval MASSTREE_KEY_TOO_LONG  key_len exceeds 2^32 - 1.
/// @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
/// @retval MASSTREE_WRONG_KIND    The tree holds byte strings.
/// @retval MASSTREE_FORKED        The parent process created the tree, before a fork.
///
/// Storing the value that the key already has displaces nothing: the tree keeps it, and *old is
/// not written.
///
/// Thread safety: any thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_replace(
    tree: *mut TreeHandle,
    guard: *mut GuardHandle,
    key: *const c_void,
    key_len: usize,
    value: u64,
    old: *mut u64,
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
                let displaced = tree.replace(pin, key, value);
                Ok(deliver_or_retire(tree, pin, displaced, Some(value), old))
            },
        )
    }
}

/// Like masstree_replace, for an integer key (see masstree_get_u64).
///
/// @param tree     The tree.
/// @param guard    A guard of this tree, or NULL: then this call pins for its own duration.
/// @param key      The key.
/// @param value    As in masstree_replace.
/// @param old      As in masstree_replace.
///
/// @retval MASSTREE_OK            Stored; *old is the value it displaced.
/// @retval MASSTREE_EXISTS        The key has this value already; nothing was changed.
/// @retval MASSTREE_NOT_FOUND     The key is not in the tree; nothing was changed.
/// @retval MASSTREE_INVALID       tree is NULL.
/// @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
/// @retval MASSTREE_WRONG_KIND    The tree holds byte strings.
/// @retval MASSTREE_FORKED        The parent process created the tree, before a fork.
///
/// Storing the value that the key already has displaces nothing: the tree keeps it, and *old is
/// not written.
///
/// Thread safety: any thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_replace_u64(
    tree: *mut TreeHandle,
    guard: *mut GuardHandle,
    key: u64,
    value: u64,
    old: *mut u64,
) -> i32 {
    let key = key.to_be_bytes();
    // SAFETY: as this function's contract; the key is eight bytes.
    unsafe { masstree_replace(tree, guard, key.as_ptr().cast(), key.len(), value, old) }
}

/// Stores the value `desired` under a key, only if the key has the value `expected`.
///
/// @param tree     The tree.
/// @param guard    A guard of this tree, or NULL: then this call pins for its own duration.
/// @param key      key_len bytes; NULL only if key_len is 0.
/// @param key_len  Length of the key in bytes, at most 2^32 - 1.
/// @param expected The value that the key must have.
/// @param desired  The value to store. The tree owns it after MASSTREE_OK.
/// @param actual   Receives the key's value, with MASSTREE_MISMATCH. May be NULL.
///
/// @retval MASSTREE_OK            The key had the value `expected` and has
///                                `desired` now.
/// @retval MASSTREE_MISMATCH      The key has another value; nothing was changed.
/// @retval MASSTREE_NOT_FOUND     The key is not in the tree; nothing was changed.
/// @retval MASSTREE_INVALID       tree is NULL, or key is NULL and key_len is not 0.
/// @retval MASSTREE_KEY_TOO_LONG  key_len exceeds 2^32 - 1.
/// @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
/// @retval MASSTREE_WRONG_KIND    The tree holds byte strings.
/// @retval MASSTREE_FORKED        The parent process created the tree, before a fork.
///
/// *actual is written only with MASSTREE_MISMATCH: then it is the value that the key has, which
/// the tree still owns.
///
/// With MASSTREE_OK, the value destructor is called for the displaced value, `expected`, once no
/// reader can still use it; to own it instead, use masstree_update.
/// Storing the value that the key already has displaces nothing: the tree keeps it.
///
/// Thread safety: any thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_compare_exchange(
    tree: *mut TreeHandle,
    guard: *mut GuardHandle,
    key: *const c_void,
    key_len: usize,
    expected: u64,
    desired: u64,
    actual: *mut u64,
) -> i32 {
    // SAFETY: as this function's contract.
    unsafe {
        on_key(
            tree,
            guard,
            key,
            key_len,
            ValueKind::Words,
            |tree, pin, key| match tree.compare_exchange(pin, key, expected, desired) {
                Some(value) if value != expected => {
                    write_output(actual, value);
                    Ok(MASSTREE_MISMATCH)
                }
                // The value was the expected one: MASSTREE_OK, even if the desired one is the same.
                Some(value) => {
                    deliver_or_retire(tree, pin, Some(value), Some(desired), ptr::null_mut());
                    Ok(MASSTREE_OK)
                }
                None => Ok(MASSTREE_NOT_FOUND),
            },
        )
    }
}

/// Like masstree_compare_exchange, for an integer key (see masstree_get_u64).
///
/// @param tree     The tree.
/// @param guard    A guard of this tree, or NULL: then this call pins for its own duration.
/// @param key      The key.
/// @param expected As in masstree_compare_exchange.
/// @param desired  As in masstree_compare_exchange.
/// @param actual   As in masstree_compare_exchange.
///
/// @retval MASSTREE_OK            The key had the value `expected` and has
///                                `desired` now.
/// @retval MASSTREE_MISMATCH      The key has another value; nothing was changed.
/// @retval MASSTREE_NOT_FOUND     The key is not in the tree; nothing was changed.
/// @retval MASSTREE_INVALID       tree is NULL.
/// @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
/// @retval MASSTREE_WRONG_KIND    The tree holds byte strings.
/// @retval MASSTREE_FORKED        The parent process created the tree, before a fork.
///
/// *actual is written only with MASSTREE_MISMATCH: then it is the value that the key has, which
/// the tree still owns.
///
/// With MASSTREE_OK, the value destructor is called for the displaced value, `expected`, once no
/// reader can still use it; to own it instead, use masstree_update.
/// Storing the value that the key already has displaces nothing: the tree keeps it.
///
/// Thread safety: any thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_compare_exchange_u64(
    tree: *mut TreeHandle,
    guard: *mut GuardHandle,
    key: u64,
    expected: u64,
    desired: u64,
    actual: *mut u64,
) -> i32 {
    let key = key.to_be_bytes();
    // SAFETY: as this function's contract; the key is eight bytes.
    unsafe {
        masstree_compare_exchange(
            tree,
            guard,
            key.as_ptr().cast(),
            key.len(),
            expected,
            desired,
            actual,
        )
    }
}

/// Removes a key, only if it has the value `expected`.
///
/// @param tree     The tree.
/// @param guard    A guard of this tree, or NULL: then this call pins for its own duration.
/// @param key      key_len bytes; NULL only if key_len is 0.
/// @param key_len  Length of the key in bytes, at most 2^32 - 1.
/// @param expected The value that the key must have.
/// @param actual   Receives the key's value, with MASSTREE_MISMATCH. May be NULL.
///
/// @retval MASSTREE_OK            The key had the value `expected` and was removed.
/// @retval MASSTREE_MISMATCH      The key has another value; nothing was changed.
/// @retval MASSTREE_NOT_FOUND     The key is not in the tree.
/// @retval MASSTREE_INVALID       tree is NULL, or key is NULL and key_len is not 0.
/// @retval MASSTREE_KEY_TOO_LONG  key_len exceeds 2^32 - 1.
/// @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
/// @retval MASSTREE_WRONG_KIND    The tree holds byte strings.
/// @retval MASSTREE_FORKED        The parent process created the tree, before a fork.
///
/// *actual is written only with MASSTREE_MISMATCH: then it is the value that the key has, which
/// the tree still owns.
///
/// With MASSTREE_OK, the value destructor is called for the removed value, `expected`, once no
/// reader can still use it; to own it instead, use masstree_update.
///
/// Thread safety: any thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_remove_if_equal(
    tree: *mut TreeHandle,
    guard: *mut GuardHandle,
    key: *const c_void,
    key_len: usize,
    expected: u64,
    actual: *mut u64,
) -> i32 {
    // SAFETY: as this function's contract.
    unsafe {
        on_key(
            tree,
            guard,
            key,
            key_len,
            ValueKind::Words,
            |tree, pin, key| match tree.remove_if_equal(pin, key, expected) {
                Some(value) if value != expected => {
                    write_output(actual, value);
                    Ok(MASSTREE_MISMATCH)
                }
                removed => Ok(deliver_or_retire(tree, pin, removed, None, ptr::null_mut())),
            },
        )
    }
}

/// Like masstree_remove_if_equal, for an integer key (see masstree_get_u64).
///
/// @param tree     The tree.
/// @param guard    A guard of this tree, or NULL: then this call pins for its own duration.
/// @param key      The key.
/// @param expected As in masstree_remove_if_equal.
/// @param actual   As in masstree_remove_if_equal.
///
/// @retval MASSTREE_OK            The key had the value `expected` and was removed.
/// @retval MASSTREE_MISMATCH      The key has another value; nothing was changed.
/// @retval MASSTREE_NOT_FOUND     The key is not in the tree.
/// @retval MASSTREE_INVALID       tree is NULL.
/// @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
/// @retval MASSTREE_WRONG_KIND    The tree holds byte strings.
/// @retval MASSTREE_FORKED        The parent process created the tree, before a fork.
///
/// *actual is written only with MASSTREE_MISMATCH: then it is the value that the key has, which
/// the tree still owns.
///
/// With MASSTREE_OK, the value destructor is called for the removed value, `expected`, once no
/// reader can still use it; to own it instead, use masstree_update.
///
/// Thread safety: any thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_remove_if_equal_u64(
    tree: *mut TreeHandle,
    guard: *mut GuardHandle,
    key: u64,
    expected: u64,
    actual: *mut u64,
) -> i32 {
    let key = key.to_be_bytes();
    // SAFETY: as this function's contract; the key is eight bytes.
    unsafe {
        masstree_remove_if_equal(
            tree,
            guard,
            key.as_ptr().cast(),
            key.len(),
            expected,
            actual,
        )
    }
}

/// Reads a key and changes it as a callback decides, atomically: for increments, appending to
/// lists, inserting or merging.
///
/// @param tree     The tree.
/// @param guard    A guard of this tree, or NULL: then this call pins for its own duration.
/// @param key      key_len bytes, which the tree copies; NULL only if key_len is 0.
/// @param key_len  Length of the key in bytes, at most 2^32 - 1.
/// @param update   Called once, with the key's leaf locked: see masstree_update_t.
/// @param ctx      Passed to update.
/// @param old      Receives the displaced or removed value. The caller then owns it, as in
///                 masstree_exchange. Written only if the key existed and update returned
///                 MASSTREE_ACTION_SET with another value, or MASSTREE_ACTION_REMOVE. If NULL,
///                 the value destructor is called for the value once no reader can still use
///                 it.
///
/// @retval MASSTREE_OK            The action that the callback returned was carried out.
/// @retval MASSTREE_INVALID       tree or update is NULL, or key is NULL and key_len is not 0.
/// @retval MASSTREE_NOMEM         Out of memory; the tree is unchanged.
/// @retval MASSTREE_KEY_TOO_LONG  key_len exceeds 2^32 - 1.
/// @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
/// @retval MASSTREE_WRONG_KIND    The tree holds byte strings.
/// @retval MASSTREE_FORKED        The parent process created the tree, before a fork.
/// @return The negative number that the callback returned; nothing was changed.
///
/// Also returns MASSTREE_INVALID, and changes nothing, if the callback returns a positive
/// number that is not a MASSTREE_ACTION_* constant. The memory is reserved before the callback
/// is called: with MASSTREE_NOMEM it was not called.
///
/// Storing the value that the key already has displaces nothing: the tree keeps it, and *old is
/// not written.
///
/// Thread safety: any thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_update(
    tree: *mut TreeHandle,
    guard: *mut GuardHandle,
    key: *const c_void,
    key_len: usize,
    update: Update,
    ctx: *mut c_void,
    old: *mut u64,
) -> i32 {
    let Some(update) = update else {
        return MASSTREE_INVALID;
    };
    // SAFETY: as this function's contract.
    unsafe {
        on_key(
            tree,
            guard,
            key,
            key_len,
            ValueKind::Words,
            |tree, pin, key| {
                let mut status = MASSTREE_OK;
                let mut changes = false;
                let mut stored = None;
                let before = tree.update(pin, key, |present| {
                    let mut value = 0;
                    let present_ptr = present
                        .as_ref()
                        .map_or(std::ptr::null(), std::ptr::from_ref);
                    let action = update(present_ptr, &mut value, ctx);
                    changes = action != MASSTREE_ACTION_KEEP;
                    match action {
                        MASSTREE_ACTION_KEEP => Decision::Keep,
                        MASSTREE_ACTION_SET => {
                            stored = Some(value);
                            Decision::Set(value)
                        }
                        MASSTREE_ACTION_REMOVE => Decision::Remove,
                        other => {
                            changes = false;
                            status = if other < 0 { other } else { MASSTREE_INVALID };
                            Decision::Keep
                        }
                    }
                })?;
                if changes {
                    deliver_or_retire(tree, pin, before, stored, old);
                }
                Ok(status)
            },
        )
    }
}

/// Like masstree_update, for an integer key (see masstree_get_u64).
///
/// @param tree     The tree.
/// @param guard    A guard of this tree, or NULL: then this call pins for its own duration.
/// @param key      The key.
/// @param update   As in masstree_update.
/// @param ctx      As in masstree_update.
/// @param old      As in masstree_update.
///
/// @retval MASSTREE_OK            The action that the callback returned was carried out.
/// @retval MASSTREE_INVALID       tree or update is NULL.
/// @retval MASSTREE_NOMEM         Out of memory; the tree is unchanged.
/// @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
/// @retval MASSTREE_WRONG_KIND    The tree holds byte strings.
/// @retval MASSTREE_FORKED        The parent process created the tree, before a fork.
/// @return The negative number that the callback returned; nothing was changed.
///
/// Also returns MASSTREE_INVALID, and changes nothing, if the callback returns a positive
/// number that is not a MASSTREE_ACTION_* constant. The memory is reserved before the callback
/// is called: with MASSTREE_NOMEM it was not called.
///
/// Storing the value that the key already has displaces nothing: the tree keeps it, and *old is
/// not written.
///
/// Thread safety: any thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_update_u64(
    tree: *mut TreeHandle,
    guard: *mut GuardHandle,
    key: u64,
    update: Update,
    ctx: *mut c_void,
    old: *mut u64,
) -> i32 {
    let key = key.to_be_bytes();
    // SAFETY: as this function's contract; the key is eight bytes.
    unsafe {
        masstree_update(
            tree,
            guard,
            key.as_ptr().cast(),
            key.len(),
            update,
            ctx,
            old,
        )
    }
}
