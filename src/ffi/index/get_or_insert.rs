//! Inserting a value that is made on demand.

use std::ffi::c_void;

use crate::ffi::boundary::{ValueKind, on_key, write_output};
use crate::ffi::handle::{GuardHandle, TreeHandle};
use crate::ffi::status::*;
use crate::index::tree::Decision;

/// Makes the value of an absent key, for masstree_get_or_insert_with.
///
/// @param value  Receives the new value.
/// @param ctx    The ctx that was passed with the callback.
///
/// @return MASSTREE_OK to insert *value; or a negative number to change nothing and end the
///         call with that number as its status (MASSTREE_OWN_STATUS or less, if it is not to be
///         taken for one of the library's).
///
/// It is called at most once, with the key's leaf locked; the rules of masstree_update_t apply.
pub type MakeValue = Option<unsafe extern "C" fn(value: *mut u64, ctx: *mut c_void) -> i32>;

/// Looks up a key; if it is absent, inserts a value that a callback makes.
///
/// @param tree     The tree.
/// @param guard    A guard of this tree, or NULL: then this call pins for its own duration.
/// @param key      key_len bytes, which the tree copies; NULL only if key_len is 0.
/// @param key_len  Length of the key in bytes, at most 2^32 - 1.
/// @param make     Called once if the key is absent, with the key's leaf locked: see
///                 masstree_make_value_t.
/// @param ctx      Passed to make.
/// @param value    Receives the key's value, existing or made; the tree owns it. May be NULL.
///
/// @retval MASSTREE_OK            The key was absent; *value is the value that the callback
///                                made, and was inserted.
/// @retval MASSTREE_EXISTS        The key existed; *value is its value.
/// @retval MASSTREE_INVALID       tree or make is NULL, or key is NULL and key_len is not 0.
/// @retval MASSTREE_NOMEM         Out of memory; the tree is unchanged.
/// @retval MASSTREE_KEY_TOO_LONG  key_len exceeds 2^32 - 1.
/// @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
/// @retval MASSTREE_WRONG_KIND    The tree holds byte strings.
/// @retval MASSTREE_FORKED        The parent process created the tree, before a fork.
/// @return The negative number that the callback returned; nothing was changed.
///
/// Also returns MASSTREE_INVALID, and changes nothing, if the callback returns a positive
/// number.
///
/// Thread safety: any thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_get_or_insert_with(
    tree: *mut TreeHandle,
    guard: *mut GuardHandle,
    key: *const c_void,
    key_len: usize,
    make: MakeValue,
    ctx: *mut c_void,
    value: *mut u64,
) -> i32 {
    let Some(make) = make else {
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
                // If the write is recorded, the record must contain the leaf that proves that the
                // key exists: then the write locks that leaf.
                if pin.recorder().is_none()
                    && let Some(present) = tree.get(pin, key)
                {
                    write_output(value, present);
                    return Ok(MASSTREE_EXISTS);
                }
                let mut made = 0;
                let mut status = MASSTREE_OK;
                let before = tree.update(pin, key, |present| {
                    if present.is_some() {
                        return Decision::Keep;
                    }
                    match make(&mut made, ctx) {
                        MASSTREE_OK => Decision::Set(made),
                        other => {
                            status = if other < 0 { other } else { MASSTREE_INVALID };
                            Decision::Keep
                        }
                    }
                })?;
                match before {
                    Some(present) => {
                        write_output(value, present);
                        Ok(MASSTREE_EXISTS)
                    }
                    None if status == MASSTREE_OK => {
                        write_output(value, made);
                        Ok(MASSTREE_OK)
                    }
                    None => Ok(status),
                }
            },
        )
    }
}

/// Like masstree_get_or_insert_with, for an integer key (see masstree_get_u64).
///
/// @param tree     The tree.
/// @param guard    A guard of this tree, or NULL: then this call pins for its own duration.
/// @param key      The key.
/// @param make     As in masstree_get_or_insert_with.
/// @param ctx      As in masstree_get_or_insert_with.
/// @param value    As in masstree_get_or_insert_with.
///
/// @retval MASSTREE_OK            The key was absent; *value is the value that the callback
///                                made, and was inserted.
/// @retval MASSTREE_EXISTS        The key existed; *value is its value.
/// @retval MASSTREE_INVALID       tree or make is NULL.
/// @retval MASSTREE_NOMEM         Out of memory; the tree is unchanged.
/// @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
/// @retval MASSTREE_WRONG_KIND    The tree holds byte strings.
/// @retval MASSTREE_FORKED        The parent process created the tree, before a fork.
/// @return The negative number that the callback returned; nothing was changed.
///
/// Also returns MASSTREE_INVALID, and changes nothing, if the callback returns a positive
/// number.
///
/// Thread safety: any thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_get_or_insert_with_u64(
    tree: *mut TreeHandle,
    guard: *mut GuardHandle,
    key: u64,
    make: MakeValue,
    ctx: *mut c_void,
    value: *mut u64,
) -> i32 {
    let key = key.to_be_bytes();
    // SAFETY: as this function's contract; the key is eight bytes.
    unsafe {
        masstree_get_or_insert_with(
            tree,
            guard,
            key.as_ptr().cast(),
            key.len(),
            make,
            ctx,
            value,
        )
    }
}
