//! Updating values that are byte strings from their present value.

use std::ffi::c_void;
use std::ptr;

use super::bytes::{Slice, require_guard, write_slice};
use super::update::{MASSTREE_ACTION_KEEP, MASSTREE_ACTION_REMOVE, MASSTREE_ACTION_SET};
use crate::ffi::boundary::{ValueKind, on_key, status_of, value_bytes, write_output};
use crate::ffi::handle::{GuardHandle, TreeHandle};
use crate::ffi::status::*;
use crate::index::tree::{BytesDecision, BytesFailure};

/// Decides what masstree_update_bytes does with a key.
///
/// @param present  The key's value, readable until the callback returns; NULL if the key is absent.
/// @param value    Receives the new value, for MASSTREE_ACTION_SET: bytes that stay readable and unchanged
///                 until the callback is called again, or masstree_update_bytes returns; the tree
///                 copies them. They may be part of the present value.
/// @param ctx      The ctx that was passed to the update.
///
/// @return MASSTREE_ACTION_KEEP, MASSTREE_ACTION_SET or MASSTREE_ACTION_REMOVE; or a negative number
///         to change nothing and end the update with that number as its status
///         (MASSTREE_OWN_STATUS or less, if it is not to be taken for one of the library's).
///
/// No lock is held. It may call any function on this tree or another, but must not refresh or leave the
/// guard of the update, and must not destroy the tree. It must return, and may yield to a scheduler that
/// continues it on another thread only if the update has a guard: see masstree_visitor_t. It is called
/// again, with the value that the key has then, if the key has been changed meanwhile: so it must not
/// change this key itself each time.
pub type UpdateBytes =
    Option<unsafe extern "C" fn(present: *const Slice, value: *mut Slice, ctx: *mut c_void) -> i32>;

/// Reads a key and changes it as a callback decides, atomically, in a tree of byte strings: for records that
/// are changed in part, for lists. Unlike masstree_update, it holds no lock while the callback runs, and
/// calls it again if the key has changed meanwhile.
///
/// Readers read a value without a lock, so no value is changed in place: the tree stores the new
/// value as a new byte string, also if its length is that of the old one.
///
/// @param tree     The tree.
/// @param guard    A guard of this tree. May be NULL only if old is NULL: then this call pins for its
///                 own duration.
/// @param key      key_len bytes, which the tree copies; NULL only if key_len is 0.
/// @param key_len  Length of the key in bytes, at most 2^32 - 1.
/// @param update   Called once, or more often: see masstree_update_bytes_t.
/// @param ctx      Passed to update.
/// @param old      Receives the displaced or removed value, readable until the guard is refreshed or
///                 left. Written only if the key existed, and update returned MASSTREE_ACTION_SET or
///                 MASSTREE_ACTION_REMOVE. May be NULL.
///
/// @retval MASSTREE_OK            The action that the callback returned was carried out.
/// @retval MASSTREE_INVALID       tree or update is NULL, key is NULL and key_len is not 0, or old
///                                is not NULL and guard is NULL.
/// @retval MASSTREE_NOMEM         Out of memory; the tree is unchanged.
/// @retval MASSTREE_KEY_TOO_LONG  key_len exceeds 2^32 - 1.
/// @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
/// @retval MASSTREE_WRONG_KIND    The tree does not hold byte strings.
/// @retval MASSTREE_FORKED        The parent process created the tree, before a fork.
/// @return The negative number that the callback returned; nothing was changed.
///
/// Also returns MASSTREE_INVALID, and changes nothing, if the callback returns a positive number that
/// is not a MASSTREE_ACTION_* constant, or stores a value whose data is NULL and whose len is not 0,
/// or whose len exceeds SIZE_MAX / 2.
///
/// Thread safety: any thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_update_bytes(
    tree: *mut TreeHandle,
    guard: *mut GuardHandle,
    key: *const c_void,
    key_len: usize,
    update: UpdateBytes,
    ctx: *mut c_void,
    old: *mut Slice,
) -> i32 {
    let Some(update) = update else {
        return MASSTREE_INVALID;
    };
    status_of(|| {
        require_guard(guard, old)?;
        // SAFETY: as this function's contract.
        Ok(unsafe {
            on_key(
                tree,
                guard,
                key,
                key_len,
                ValueKind::Bytes,
                |tree, pin, key| {
                    let mut changes = false;
                    let before = tree.update_bytes(pin, key, |present| {
                        let present = present.map(Slice::of);
                        let present = present.as_ref().map_or(ptr::null(), ptr::from_ref);
                        let mut value = Slice::of(&[]);
                        let action = update(present, &mut value, ctx);
                        pin.check_thread();
                        changes = action != MASSTREE_ACTION_KEEP;
                        match action {
                            MASSTREE_ACTION_KEEP => Ok(BytesDecision::Keep),
                            MASSTREE_ACTION_SET => {
                                let value = value_bytes(value.data, value.len)?;
                                Ok(BytesDecision::Set([value, &[]]))
                            }
                            MASSTREE_ACTION_REMOVE => Ok(BytesDecision::Remove),
                            other => Err(if other < 0 { other } else { MASSTREE_INVALID }),
                        }
                    });
                    match before {
                        Ok(before) if changes => write_slice(before, old),
                        Ok(_) => {}
                        Err(BytesFailure::OutOfMemory) => return Err(MASSTREE_NOMEM),
                        Err(BytesFailure::Refused(status)) => return Err(status),
                    }
                    Ok(MASSTREE_OK)
                },
            )
        })
    })
}

/// Appends bytes to the value of a key; if the key is absent, stores them as its value. Atomic: of
/// several threads that append to one key, each one's bytes are in the value once, in one piece.
///
/// The tree copies the whole value, since readers may be reading the old one: O(its length).
///
/// @param tree      The tree.
/// @param guard     A guard of this tree, or NULL: then this call pins for its own duration.
/// @param key       key_len bytes, which the tree copies; NULL only if key_len is 0.
/// @param key_len   Length of the key in bytes, at most 2^32 - 1.
/// @param more      more_len bytes to append, which the tree copies; NULL only if more_len is 0.
/// @param more_len  Their length in bytes.
/// @param len       Receives the length of the new value. May be NULL.
///
/// @retval MASSTREE_OK            Appended, or stored.
/// @retval MASSTREE_INVALID       As in masstree_put_bytes.
/// @retval MASSTREE_NOMEM         Out of memory; the tree is unchanged.
/// @retval MASSTREE_KEY_TOO_LONG  key_len exceeds 2^32 - 1.
/// @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
/// @retval MASSTREE_WRONG_KIND    The tree does not hold byte strings.
/// @retval MASSTREE_FORKED        The parent process created the tree, before a fork.
///
/// Thread safety: any thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_append_bytes(
    tree: *mut TreeHandle,
    guard: *mut GuardHandle,
    key: *const c_void,
    key_len: usize,
    more: *const c_void,
    more_len: usize,
    len: *mut usize,
) -> i32 {
    status_of(|| {
        // SAFETY: as this function's contract.
        unsafe {
            let more = value_bytes(more, more_len)?;
            Ok(on_key(
                tree,
                guard,
                key,
                key_len,
                ValueKind::Bytes,
                |tree, pin, key| {
                    write_output(len, tree.append_bytes(pin, key, more)?);
                    Ok(MASSTREE_OK)
                },
            ))
        }
    })
}
