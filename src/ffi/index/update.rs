//! # One key, on conditions
//!
//! Conditional changes of one key, each atomic.

use std::ffi::c_void;

use crate::ffi::boundary::{ValueKind, deliver_or_retire, on_key, write_output};
use crate::ffi::handle::GuardHandle;
use crate::ffi::handle::TreeHandle;
use crate::ffi::status::*;
use crate::index::tree::Decision;

/// Answer of an update callback, or action of masstree_held_finish: leave the key as it is.
pub const MASSTREE_ACTION_KEEP: i32 = 0;
/// Answer of an update callback, or action of masstree_held_finish: the key gets the value
/// that is stored in *value, or passed.
pub const MASSTREE_ACTION_SET: i32 = 1;
/// Answer of an update callback, or action of masstree_held_finish: the key goes, if it is
/// there.
pub const MASSTREE_ACTION_REMOVE: i32 = 2;

/// Decides what to do with a key, for masstree_update.
///
/// @param present  The key's value, or NULL if the key is absent.
/// @param value    Where the new value goes, for MASSTREE_ACTION_SET.
/// @param ctx      What was passed to the update.
///
/// @return MASSTREE_ACTION_KEEP, MASSTREE_ACTION_SET or MASSTREE_ACTION_REMOVE; or
/// a negative number to change nothing and end the update with that number as its
/// status.
///
/// It is called once, under the lock of the key's leaf: be quick, wait for nothing
/// that another user of the tree may hold, and call no function on this tree (a
/// debug build of the library aborts if you do). It must return: no longjmp, no C++
/// exception, no pthread_exit. Memory for an insert has been reserved before the
/// call: after it nothing fails.
pub type Update =
    Option<unsafe extern "C" fn(present: *const u64, value: *mut u64, ctx: *mut c_void) -> i32>;

/// Gives a key another value, only if the key is there.
///
/// @param tree     The tree.
/// @param guard    A guard of this tree, or NULL to be pinned for this call.
/// @param key      key_len bytes; NULL only if key_len is 0.
/// @param key_len  Length of the key in bytes, at most 2^32 - 1.
/// @param value    The value. It is the tree's if the answer is MASSTREE_OK, and was before
///                 if it is MASSTREE_EXISTS.
/// @param old      Where the displaced value is stored (written only when the
///                 answer is MASSTREE_OK); it is the caller's then, as in
///                 masstree_exchange. NULL: not wanted, and the value destructor
///                 is run for it once no reader can hold it.
///
/// @retval MASSTREE_OK            Stored; *old is the value it displaced.
/// @retval MASSTREE_EXISTS        The key has this value already; nothing was changed.
/// @retval MASSTREE_NOT_FOUND     The key is not in the tree; nothing was changed.
/// @retval MASSTREE_INVALID       tree is NULL, or key is NULL with a length.
/// @retval MASSTREE_KEY_TOO_LONG  key_len is over 2^32 - 1.
/// @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
/// @retval MASSTREE_WRONG_KIND    The tree holds byte strings.
/// @retval MASSTREE_FORKED        The tree was made before a fork.
///
/// A value that is stored where it is already is not displaced: it stays the tree's, and
/// *old is not written.
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

/// masstree_replace for an integer key (see masstree_get_u64).
///
/// @param tree     The tree.
/// @param guard    A guard of this tree, or NULL to be pinned for this call.
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
/// @retval MASSTREE_FORKED        The tree was made before a fork.
///
/// A value that is stored where it is already is not displaced: it stays the tree's, and
/// *old is not written.
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

/// Gives a key the value `desired`, only if it has the value `expected`.
///
/// @param tree     The tree.
/// @param guard    A guard of this tree, or NULL to be pinned for this call.
/// @param key      key_len bytes; NULL only if key_len is 0.
/// @param key_len  Length of the key in bytes, at most 2^32 - 1.
/// @param expected The value that the key must have.
/// @param desired  The value it gets. It is the tree's if the answer is MASSTREE_OK.
/// @param actual   Where the value that the key had is stored, when the answer is
///                 MASSTREE_OK or MASSTREE_MISMATCH. With MASSTREE_OK it is the
///                 displaced value (equal to `expected`, and not to `desired`), and
///                 the caller's, as in masstree_exchange; with MASSTREE_MISMATCH it
///                 stays the tree's.
///                 NULL: not wanted, and the value destructor is run for a
///                 displaced value once no reader can hold it.
///
/// @retval MASSTREE_OK            The key had the value `expected` and has
///                                `desired` now.
/// @retval MASSTREE_MISMATCH      The key has another value; nothing was changed.
/// @retval MASSTREE_NOT_FOUND     The key is not in the tree; nothing was changed.
/// @retval MASSTREE_INVALID       tree is NULL, or key is NULL with a length.
/// @retval MASSTREE_KEY_TOO_LONG  key_len is over 2^32 - 1.
/// @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
/// @retval MASSTREE_WRONG_KIND    The tree holds byte strings.
/// @retval MASSTREE_FORKED        The tree was made before a fork.
///
/// A value that is stored where it is already is not displaced: it stays the tree's, and
/// *actual is not written.
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
                // It was compared, whether that changed it or not.
                Some(value) => {
                    deliver_or_retire(tree, pin, Some(value), Some(desired), actual);
                    Ok(MASSTREE_OK)
                }
                None => Ok(MASSTREE_NOT_FOUND),
            },
        )
    }
}

/// masstree_compare_exchange for an integer key (see masstree_get_u64).
///
/// @param tree     The tree.
/// @param guard    A guard of this tree, or NULL to be pinned for this call.
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
/// @retval MASSTREE_FORKED        The tree was made before a fork.
///
/// A value that is stored where it is already is not displaced: it stays the tree's, and
/// *actual is not written.
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
/// @param guard    A guard of this tree, or NULL to be pinned for this call.
/// @param key      key_len bytes; NULL only if key_len is 0.
/// @param key_len  Length of the key in bytes, at most 2^32 - 1.
/// @param expected The value that the key must have.
/// @param actual   Where the value that the key had is stored, when the answer is
///                 MASSTREE_OK or MASSTREE_MISMATCH. With MASSTREE_OK it is the
///                 removed value (equal to `expected`), and the caller's, as in
///                 masstree_remove; with MASSTREE_MISMATCH it stays the tree's.
///                 NULL: not wanted, and the value destructor is run for a removed
///                 value once no reader can hold it.
///
/// @retval MASSTREE_OK            The key had the value `expected` and was removed.
/// @retval MASSTREE_MISMATCH      The key has another value; nothing was changed.
/// @retval MASSTREE_NOT_FOUND     The key is not in the tree.
/// @retval MASSTREE_INVALID       tree is NULL, or key is NULL with a length.
/// @retval MASSTREE_KEY_TOO_LONG  key_len is over 2^32 - 1.
/// @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
/// @retval MASSTREE_WRONG_KIND    The tree holds byte strings.
/// @retval MASSTREE_FORKED        The tree was made before a fork.
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
                removed => Ok(deliver_or_retire(tree, pin, removed, None, actual)),
            },
        )
    }
}

/// masstree_remove_if_equal for an integer key (see masstree_get_u64).
///
/// @param tree     The tree.
/// @param guard    A guard of this tree, or NULL to be pinned for this call.
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
/// @retval MASSTREE_FORKED        The tree was made before a fork.
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

/// Looks at a key and changes it as a callback decides, with nothing in between:
/// increments, appends to lists, inserts-or-merges.
///
/// @param tree     The tree.
/// @param guard    A guard of this tree, or NULL to be pinned for this call.
/// @param key      key_len bytes, copied by the tree; NULL only if key_len is 0.
/// @param key_len  Length of the key in bytes, at most 2^32 - 1.
/// @param update   Called once, under the lock of the key's leaf: see
///                 masstree_update_t.
/// @param ctx      Handed to update.
/// @param old      Where a value that was displaced or removed is stored; it is the
///                 caller's then, as in masstree_exchange. Written only if update
///                 saw a value and answered MASSTREE_ACTION_SET with another or
///                 MASSTREE_ACTION_REMOVE. NULL: not wanted, and the value
///                 destructor is run for it once no reader can hold it.
///
/// @retval MASSTREE_OK            What the callback answered was done.
/// @retval MASSTREE_INVALID       tree or update is NULL, or key is NULL with a length.
/// @retval MASSTREE_NOMEM         Out of memory; the tree is unchanged.
/// @retval MASSTREE_KEY_TOO_LONG  key_len is over 2^32 - 1.
/// @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
/// @retval MASSTREE_WRONG_KIND    The tree holds byte strings.
/// @retval MASSTREE_FORKED        The tree was made before a fork.
/// @return A negative number that the callback answered; nothing was changed.
///
/// MASSTREE_INVALID is also the status when the callback answers a positive number
/// that is no answer; nothing was changed then. Memory is reserved before the
/// callback runs: MASSTREE_NOMEM means that it was not called.
///
/// A value that is stored where it is already is not displaced: it stays the tree's, and
/// *old is not written.
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
                let mut displaces = false;
                let mut stored = None;
                let before = tree.update(pin, key, |present| {
                    let mut value = 0;
                    let seen = present
                        .as_ref()
                        .map_or(std::ptr::null(), std::ptr::from_ref);
                    let answer = update(seen, &mut value, ctx);
                    displaces = answer != MASSTREE_ACTION_KEEP;
                    match answer {
                        MASSTREE_ACTION_KEEP => Decision::Keep,
                        MASSTREE_ACTION_SET => {
                            stored = Some(value);
                            Decision::Set(value)
                        }
                        MASSTREE_ACTION_REMOVE => Decision::Remove,
                        other => {
                            displaces = false;
                            status = if other < 0 { other } else { MASSTREE_INVALID };
                            Decision::Keep
                        }
                    }
                })?;
                if displaces {
                    deliver_or_retire(tree, pin, before, stored, old);
                }
                Ok(status)
            },
        )
    }
}

/// masstree_update for an integer key (see masstree_get_u64).
///
/// @param tree     The tree.
/// @param guard    A guard of this tree, or NULL to be pinned for this call.
/// @param key      The key.
/// @param update   As in masstree_update.
/// @param ctx      As in masstree_update.
/// @param old      As in masstree_update.
///
/// @retval MASSTREE_OK            What the callback answered was done.
/// @retval MASSTREE_INVALID       tree or update is NULL.
/// @retval MASSTREE_NOMEM         Out of memory; the tree is unchanged.
/// @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
/// @retval MASSTREE_WRONG_KIND    The tree holds byte strings.
/// @retval MASSTREE_FORKED        The tree was made before a fork.
/// @return A negative number that the callback answered; nothing was changed.
///
/// MASSTREE_INVALID is also the status when the callback answers a positive number
/// that is no answer; nothing was changed then. Memory is reserved before the
/// callback runs: MASSTREE_NOMEM means that it was not called.
///
/// A value that is stored where it is already is not displaced: it stays the tree's, and
/// *old is not written.
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
