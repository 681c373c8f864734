//! # Cursors
//!
//! `masstree_cursor_t`.

use std::ffi::c_void;
use std::ptr::NonNull;

use super::bytes::Slice;
use crate::ffi::boundary::{entry, give, key_bytes, tree_of};
use crate::ffi::handle::TreeHandle;
use crate::ffi::handle::{self, GuardHandle};
use crate::ffi::status::*;
use crate::index::reclaim::{Guard, Pinned, Slot, pin_of, refreshes_of};
use crate::index::tree::{Cursor, Seek, Tree};

/// How masstree_cursor_seek looks: for the first key that is not smaller.
pub const MASSTREE_SEEK_GE: u32 = 0;
/// How masstree_cursor_seek looks: for the first key that is greater.
pub const MASSTREE_SEEK_GT: u32 = 1;
/// How masstree_cursor_seek looks: for the last key that is not greater.
pub const MASSTREE_SEEK_LE: u32 = 2;
/// How masstree_cursor_seek looks: for the last key that is smaller.
pub const MASSTREE_SEEK_LT: u32 = 3;

/// A place in a tree, from which one goes on key by key in either direction.
///
/// Made by masstree_cursor_open, freed by masstree_cursor_close. It works under the
/// guard it was opened with, or under one of its own. Close it before that guard is
/// left; the guard may be refreshed. A cursor is used by one thread at a time, the one
/// that uses its guard at present.
///
/// Each step shows what is in the tree at that moment, whatever was put or removed
/// since the step before, by whomever: the first key after, or before, the one the
/// cursor is at, whether that is still there or not. A step costs one and a half to four
/// times what a key costs in a scan, one of masstree_cursor_next_many at most twice as
/// much as there; the first step after a change nearby, or after the guard was refreshed, as much as
/// a look-up.
///
/// A call that fails, or answers MASSTREE_END, leaves the cursor where it was.
pub struct CursorHandle {
    pub(in crate::ffi) cursor: Cursor<'static>,
    tree: NonNull<TreeHandle>,
    /// The guard it works under, and whether that is its own.
    slot: NonNull<Slot>,
    owned: bool,
    /// The guard's count when the cursor last looked.
    refreshes: u64,
}

impl CursorHandle {
    fn tree<'t>(&self) -> Result<&'t Tree, i32> {
        // SAFETY: the tree outlives its cursors, by contract.
        unsafe { tree_of(self.tree.as_ptr()) }
    }

    /// The pin of this moment, after letting go of what an earlier one protected.
    pub(in crate::ffi) fn pin(&mut self) -> Pinned<'static> {
        // SAFETY: the guard outlives the cursor, by contract.
        let refreshes = unsafe { refreshes_of(self.slot) };
        if self.refreshes != refreshes {
            self.cursor.let_go();
            self.refreshes = refreshes;
        }
        // SAFETY: as above; it is refreshed between calls only, and what was found under
        // an earlier pin has been let go.
        unsafe { pin_of(self.slot) }
    }
}

/// Runs an operation of a cursor.
///
/// # Safety
/// `cursor` is NULL or a live cursor, which this thread has for itself.
pub(in crate::ffi) unsafe fn on_cursor(
    cursor: *mut CursorHandle,
    body: impl FnOnce(&mut CursorHandle, &Tree) -> Result<i32, i32>,
) -> i32 {
    entry(|| {
        // SAFETY: by contract.
        let cursor = unsafe { cursor.as_mut() }.ok_or(MASSTREE_INVALID)?;
        let tree = cursor.tree()?;
        body(cursor, tree)
    })
}

/// Whether a key was found, as a status.
fn there(found: bool) -> i32 {
    if found { MASSTREE_OK } else { MASSTREE_END }
}

/// Makes a cursor, which is at no key yet: masstree_cursor_next goes to the first key,
/// masstree_cursor_prev to the last.
///
/// @param tree    The tree.
/// @param guard   A guard of this tree, which stays the caller's and must outlive the
///                cursor; or NULL: the cursor has a guard of its own (see
///                masstree_cursor_refresh).
/// @param cursor  Where the cursor is stored; it is the caller's, who frees it with
///                masstree_cursor_close.
///
/// @retval MASSTREE_OK          *cursor is a new cursor.
/// @retval MASSTREE_INVALID     tree or cursor is NULL.
/// @retval MASSTREE_NOMEM       Out of memory.
/// @retval MASSTREE_WRONG_TREE  The guard belongs to another tree.
/// @retval MASSTREE_FORKED      The tree was made before a fork.
///
/// Thread safety: any thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_cursor_open(
    tree: *const TreeHandle,
    guard: *mut GuardHandle,
    cursor: *mut *mut CursorHandle,
) -> i32 {
    entry(|| {
        // SAFETY: as this function's contract.
        let tree_ref = unsafe { tree_of(tree) }?;
        if cursor.is_null() {
            return Err(MASSTREE_INVALID);
        }
        let lent = handle::slot(guard);
        // SAFETY: live by contract.
        if lent.is_some_and(|slot| !tree_ref.owns(unsafe { pin_of(slot) })) {
            return Err(MASSTREE_WRONG_TREE);
        }
        let slot = match lent {
            Some(slot) => slot,
            None => tree_ref.guard()?.into_raw(),
        };
        let made = tree_ref.source().make(CursorHandle {
            cursor: Cursor::new(tree_ref),
            // SAFETY: not NULL, as seen above.
            tree: unsafe { NonNull::new_unchecked(tree.cast_mut()) },
            slot,
            owned: lent.is_none(),
            // SAFETY: a live guard's slot.
            refreshes: unsafe { refreshes_of(slot) },
        });
        let made = made.inspect_err(|_| {
            if lent.is_none() {
                // SAFETY: made above, and nobody else's.
                drop(unsafe { Guard::from_raw(slot) });
            }
        })?;
        // SAFETY: checked for NULL above; writable by contract.
        unsafe { cursor.write(made.as_ptr()) };
        Ok(MASSTREE_OK)
    })
}

/// Closes and frees a cursor. NULL does nothing.
///
/// @param cursor  The cursor.
///
/// Thread safety: the thread that uses the cursor at present. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_cursor_close(cursor: *mut CursorHandle) {
    // SAFETY: NULL or a live cursor, which this thread has for itself.
    unsafe {
        let Some(handle) = NonNull::new(cursor) else {
            return;
        };
        let (slot, owned) = (handle.as_ref().slot, handle.as_ref().owned);
        // In a forked process the tree is left alone.
        let Ok(tree) = handle.as_ref().tree() else {
            return;
        };
        tree.source().drop_and_free(handle);
        if owned {
            drop(Guard::from_raw(slot));
        }
    }
}

/// Lets go of everything a cursor with a guard of its own has read so far, as
/// masstree_guard_refresh does; the cursor stays at its key. For cursors that are kept
/// for long. With a guard that is not its own it does nothing: refresh that.
///
/// @param cursor  The cursor; NULL does nothing.
///
/// Thread safety: the thread that uses the cursor at present. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_cursor_refresh(cursor: *mut CursorHandle) {
    // SAFETY: NULL or a live cursor, which this thread has for itself; the guard is its
    // own.
    unsafe {
        if let Some(cursor) = cursor.as_mut()
            && cursor.owned
            && cursor.tree().is_ok()
        {
            cursor.cursor.let_go();
            std::mem::ManuallyDrop::new(Guard::from_raw(cursor.slot)).refresh();
        }
    }
}

/// Goes to the key nearest to a given one.
///
/// @param cursor   The cursor.
/// @param key      key_len bytes; NULL only if key_len is 0. It may be the cursor's own
///                 key.
/// @param key_len  Length of the key in bytes, at most 2^32 - 1.
/// @param how      MASSTREE_SEEK_GE, MASSTREE_SEEK_GT, MASSTREE_SEEK_LE or
///                 MASSTREE_SEEK_LT.
///
/// @retval MASSTREE_OK            The cursor is at the key looked for.
/// @retval MASSTREE_END           There is none.
/// @retval MASSTREE_INVALID       cursor is NULL, key is NULL with a length, or how is
///                                unknown.
/// @retval MASSTREE_NOMEM         Out of memory for the key's copy.
/// @retval MASSTREE_KEY_TOO_LONG  key_len is over 2^32 - 1.
/// @retval MASSTREE_FORKED        The tree was made before a fork.
///
/// Thread safety: the thread that uses the cursor at present. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_cursor_seek(
    cursor: *mut CursorHandle,
    key: *const c_void,
    key_len: usize,
    how: u32,
) -> i32 {
    // SAFETY: as this function's contract.
    unsafe {
        on_cursor(cursor, |handle, tree| {
            let key = key_bytes(key, key_len)?;
            let seek = match how {
                MASSTREE_SEEK_GE => Seek::AtLeast(key),
                MASSTREE_SEEK_GT => Seek::Above(key),
                MASSTREE_SEEK_LE => Seek::AtMost(key),
                MASSTREE_SEEK_LT => Seek::Below(key),
                _ => return Err(MASSTREE_INVALID),
            };
            let pin = handle.pin();
            Ok(there(handle.cursor.seek(tree, pin, seek)?))
        })
    }
}

/// masstree_cursor_seek for an integer key (see masstree_get_u64).
///
/// @param cursor  The cursor.
/// @param key     The key.
/// @param how     As in masstree_cursor_seek.
///
/// @retval MASSTREE_OK       The cursor is at the key looked for.
/// @retval MASSTREE_END      There is none.
/// @retval MASSTREE_INVALID  cursor is NULL, or how is unknown.
/// @retval MASSTREE_NOMEM    Out of memory for the key's copy.
/// @retval MASSTREE_FORKED   The tree was made before a fork.
///
/// Thread safety: the thread that uses the cursor at present. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_cursor_seek_u64(
    cursor: *mut CursorHandle,
    key: u64,
    how: u32,
) -> i32 {
    let key = key.to_be_bytes();
    // SAFETY: as this function's contract; the key is eight bytes.
    unsafe { masstree_cursor_seek(cursor, key.as_ptr().cast(), key.len(), how) }
}

/// Goes to the first key of the tree.
///
/// @param cursor  The cursor.
///
/// @retval MASSTREE_OK       The cursor is at the first key.
/// @retval MASSTREE_END      The tree is empty.
/// @retval MASSTREE_INVALID  cursor is NULL.
/// @retval MASSTREE_NOMEM    Out of memory for the key's copy.
/// @retval MASSTREE_FORKED   The tree was made before a fork.
///
/// Thread safety: the thread that uses the cursor at present. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_cursor_first(cursor: *mut CursorHandle) -> i32 {
    // SAFETY: as this function's contract.
    unsafe {
        on_cursor(cursor, |handle, tree| {
            let pin = handle.pin();
            Ok(there(handle.cursor.seek(tree, pin, Seek::First)?))
        })
    }
}

/// Goes to the last key of the tree.
///
/// @param cursor  The cursor.
///
/// @retval MASSTREE_OK       The cursor is at the last key.
/// @retval MASSTREE_END      The tree is empty.
/// @retval MASSTREE_INVALID  cursor is NULL.
/// @retval MASSTREE_NOMEM    Out of memory for the key's copy.
/// @retval MASSTREE_FORKED   The tree was made before a fork.
///
/// Thread safety: the thread that uses the cursor at present. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_cursor_last(cursor: *mut CursorHandle) -> i32 {
    // SAFETY: as this function's contract.
    unsafe {
        on_cursor(cursor, |handle, tree| {
            let pin = handle.pin();
            Ok(there(handle.cursor.seek(tree, pin, Seek::Last)?))
        })
    }
}

/// Goes on to the next greater key.
///
/// @param cursor  The cursor.
///
/// @retval MASSTREE_OK       The cursor is at the next key.
/// @retval MASSTREE_END      There is none; there may be one later.
/// @retval MASSTREE_INVALID  cursor is NULL.
/// @retval MASSTREE_NOMEM    Out of memory for the key's copy.
/// @retval MASSTREE_FORKED   The tree was made before a fork.
///
/// Thread safety: the thread that uses the cursor at present. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_cursor_next(cursor: *mut CursorHandle) -> i32 {
    // SAFETY: as this function's contract.
    unsafe {
        on_cursor(cursor, |handle, tree| {
            let pin = handle.pin();
            Ok(there(handle.cursor.step(tree, pin, false)?))
        })
    }
}

/// Goes on to the next smaller key.
///
/// @param cursor  The cursor.
///
/// @retval MASSTREE_OK       The cursor is at the previous key.
/// @retval MASSTREE_END      There is none; there may be one later.
/// @retval MASSTREE_INVALID  cursor is NULL.
/// @retval MASSTREE_NOMEM    Out of memory for the key's copy.
/// @retval MASSTREE_FORKED   The tree was made before a fork.
///
/// Thread safety: the thread that uses the cursor at present. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_cursor_prev(cursor: *mut CursorHandle) -> i32 {
    // SAFETY: as this function's contract.
    unsafe {
        on_cursor(cursor, |handle, tree| {
            let pin = handle.pin();
            Ok(there(handle.cursor.step(tree, pin, true)?))
        })
    }
}

/// Gives the key that a cursor is at.
///
/// @param cursor  The cursor.
/// @param key     Where the key is stored: bytes of the cursor's, valid until the next
///                call that moves or closes it. NULL: not wanted.
///
/// @retval MASSTREE_OK         *key is the key, which may have been removed since.
/// @retval MASSTREE_NOT_FOUND  The cursor has been at no key yet.
/// @retval MASSTREE_INVALID    cursor is NULL.
/// @retval MASSTREE_FORKED     The tree was made before a fork.
///
/// Thread safety: the thread that uses the cursor at present. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_cursor_key(cursor: *mut CursorHandle, key: *mut Slice) -> i32 {
    // SAFETY: as this function's contract.
    unsafe {
        on_cursor(cursor, |handle, _| {
            let Some(bytes) = handle.cursor.key() else {
                return Ok(MASSTREE_NOT_FOUND);
            };
            give(key, Slice::of(bytes));
            Ok(MASSTREE_OK)
        })
    }
}

/// Gives the value of the key that a cursor is at.
///
/// @param cursor  The cursor.
/// @param value   Where the value is stored, as it was when the cursor came to the key;
///                or, if its guard was refreshed since, as it is now. NULL: not wanted.
///
/// @retval MASSTREE_OK          *value is the value.
/// @retval MASSTREE_NOT_FOUND   The cursor has been at no key yet; or the key was removed
///                              before the guard was refreshed.
/// @retval MASSTREE_INVALID     cursor is NULL.
/// @retval MASSTREE_WRONG_KIND  The tree holds byte strings.
/// @retval MASSTREE_FORKED      The tree was made before a fork.
///
/// If the value is a pointer and the tree has a value destructor, what it points to is
/// not destroyed before the cursor's guard is refreshed or left.
///
/// Thread safety: the thread that uses the cursor at present. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_cursor_value(cursor: *mut CursorHandle, value: *mut u64) -> i32 {
    // SAFETY: as this function's contract.
    unsafe {
        on_cursor(cursor, |handle, tree| {
            if tree.holds_bytes() {
                return Err(MASSTREE_WRONG_KIND);
            }
            let pin = handle.pin();
            let Some(word) = handle.cursor.value(tree, pin) else {
                return Ok(MASSTREE_NOT_FOUND);
            };
            give(value, word);
            Ok(MASSTREE_OK)
        })
    }
}

/// Gives the value of the key that a cursor is at, in a tree of byte strings.
///
/// @param cursor  The cursor.
/// @param value   Where the value is stored, as in masstree_cursor_value: a slice of the
///                tree's memory, readable until the cursor's guard is refreshed or left.
///                NULL: not wanted.
///
/// @retval MASSTREE_OK          *value is the value.
/// @retval MASSTREE_NOT_FOUND   The cursor has been at no key yet; or the key was removed
///                              before the guard was refreshed.
/// @retval MASSTREE_INVALID     cursor is NULL.
/// @retval MASSTREE_WRONG_KIND  The tree holds words.
/// @retval MASSTREE_FORKED      The tree was made before a fork.
///
/// Thread safety: the thread that uses the cursor at present. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_cursor_value_bytes(
    cursor: *mut CursorHandle,
    value: *mut Slice,
) -> i32 {
    // SAFETY: as this function's contract.
    unsafe {
        on_cursor(cursor, |handle, tree| {
            if !tree.holds_bytes() {
                return Err(MASSTREE_WRONG_KIND);
            }
            let pin = handle.pin();
            let Some(word) = handle.cursor.value(tree, pin) else {
                return Ok(MASSTREE_NOT_FOUND);
            };
            give(value, Slice::of(tree.bytes_of(pin, word)));
            Ok(MASSTREE_OK)
        })
    }
}
