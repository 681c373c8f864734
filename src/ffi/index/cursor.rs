//! # Cursors
//!
//! Opening and closing cursors, and reading the key and the value at one. `cursor_open` has what opening
//! takes.

use std::ptr::NonNull;

use super::bytes::Slice;
use super::cursor_open::{GuardUsed, Over, end, free_position, open};
use crate::ffi::boundary::{status_of, tree_of, write_output};
use crate::ffi::handle::{GuardHandle, TreeHandle};
use crate::ffi::status::*;
use crate::index::memory::Source;
use crate::index::reclaim::{CountedPin, Guard, Pinned, pin_of_counted, refreshes_of};
use crate::index::tree::{Cursor, Seek, Tree};
use crate::index::value::KindId;
use crate::versioned::{Version, VersionCursor, VersionedTree};

/// A position in a tree, from which to move key by key in either direction.
///
/// Created by masstree_cursor_open, freed by masstree_cursor_close. A cursor uses the guard
/// that it was opened with, or a guard of its own. Close it before that guard is left; the
/// guard may be refreshed. Only one thread at a time may use a cursor: the thread that
/// currently uses its guard.
///
/// Each step sees the tree as it is at that moment, with everything that any thread has put or
/// removed since the step before: it moves to the first key after (or before) the key that the
/// cursor is at, whether or not that key still exists. A step costs one and a half to four
/// times as much as a key of a scan; a key of masstree_cursor_next_many at most twice as much.
/// The first step after a change nearby, or after the guard was refreshed, costs as much as a
/// look-up.
///
/// A call that fails, or returns MASSTREE_END, does not move the cursor.
pub struct CursorHandle {
    pub(in crate::ffi) cursor: Cursor<'static>,
    pub(super) tree: NonNull<TreeHandle>,
    /// The pin of the guard that it uses, or one without a guard.
    pub(super) pin: NonNull<CountedPin>,
    pub(super) uses: GuardUsed,
    /// The guard's count of refreshes when the cursor last used it; [`NEVER`] for a cursor over
    /// versions.
    pub(super) refreshes: u64,
    /// The position of a cursor over versions; `cursor` then has none.
    pub(super) versions: Option<NonNull<VersionPosition>>,
    /// The allocator of what the cursor owns.
    pub(super) source: Source,
    pub(super) is_in_callers_memory: bool,
}

/// No guard has been refreshed so often.
pub(super) const NEVER: u64 = u64::MAX;

/// The position of a cursor over versions.
pub(in crate::ffi) struct VersionPosition {
    pub(in crate::ffi) cursor: VersionCursor<'static, 'static>,
    pub(super) of: VersionedTree<'static>,
    pub(super) refreshes: u64,
}

impl VersionPosition {
    /// Moves the cursor, by `seek` or else by a step.
    pub(in crate::ffi) fn go(
        &mut self,
        pin: Pinned<'static>,
        seek: Option<(Seek<'_>, Option<u64>)>,
        reverse: bool,
    ) -> Result<i32, i32> {
        let found = match seek {
            Some((seek, number)) => self.cursor.seek(self.of, pin, seek, number)?,
            None => self.cursor.step(self.of, pin, reverse)?,
        };
        if !self.of.was_readable(self.cursor.number()) {
            return Err(MASSTREE_TOO_OLD);
        }
        Ok(if found { MASSTREE_OK } else { MASSTREE_END })
    }

    pub(in crate::ffi) fn version(&mut self, pin: Pinned<'static>) -> Option<Version<'static>> {
        self.cursor.version(self.of, pin)
    }
}

impl CursorHandle {
    fn tree<'t>(&self) -> Result<&'t Tree, i32> {
        // SAFETY: the tree outlives its cursors, by contract.
        unsafe { tree_of(self.tree.as_ptr()) }
    }

    /// Returns a pin of the guard. If the guard was refreshed since the last call, first drops
    /// every reference of the cursor into the tree. `None` for a cursor over versions, at no cost
    /// for other cursors.
    pub(in crate::ffi) fn pin(&mut self) -> Option<Pinned<'static>> {
        // SAFETY: the guard outlives the cursor, by contract.
        let refreshes = unsafe { refreshes_of(self.pin) };
        if self.refreshes != refreshes {
            if self.refreshes == NEVER {
                return None;
            }
            self.cursor.detach();
            self.refreshes = refreshes;
        }
        // SAFETY: as above; the guard is refreshed only between calls, and the cursor has no
        // reference that it found before the last refresh.
        Some(unsafe { pin_of_counted(self.pin) })
    }

    /// Returns the position of a cursor over versions, and a pin, as `pin` does; the status
    /// `MASSTREE_WRONG_KIND` for other cursors.
    pub(in crate::ffi) fn version_position(
        &mut self,
    ) -> Result<(&mut VersionPosition, Pinned<'static>), i32> {
        let mut position = self.versions.ok_or(MASSTREE_WRONG_KIND)?;
        // SAFETY: freed only with the cursor, which no other thread uses; the rest as in `pin`.
        unsafe {
            let position = position.as_mut();
            let refreshes = refreshes_of(self.pin);
            if position.refreshes != refreshes {
                position.cursor.detach();
                position.refreshes = refreshes;
            }
            Ok((position, pin_of_counted(self.pin)))
        }
    }

    /// Refuses a cursor over versions.
    pub(in crate::ffi) fn refuse_versions(&self) -> Result<(), i32> {
        match self.versions {
            Some(_) => Err(MASSTREE_WRONG_KIND),
            None => Ok(()),
        }
    }

    /// Moves a cursor over versions.
    #[cold]
    pub(super) fn move_over_versions(
        &mut self,
        seek: Option<Seek<'_>>,
        reverse: bool,
    ) -> Result<i32, i32> {
        let (position, pin) = self.version_position()?;
        position.go(pin, seek.map(|seek| (seek, None)), reverse)
    }

    fn key(&self) -> Option<&[u8]> {
        // SAFETY: as in `version_position`.
        let versions = || unsafe { self.versions?.as_ref() }.cursor.key();
        self.cursor.key().or_else(versions)
    }
}

/// Runs an operation on a cursor and returns its status.
///
/// # Safety
/// `cursor` is NULL or a live cursor, which no other thread uses.
pub(in crate::ffi) unsafe fn on_cursor(
    cursor: *mut CursorHandle,
    body: impl FnOnce(&mut CursorHandle, &Tree) -> Result<i32, i32>,
) -> i32 {
    status_of(|| {
        // SAFETY: by contract.
        let cursor = unsafe { cursor.as_mut() }.ok_or(MASSTREE_INVALID)?;
        let tree = cursor.tree()?;
        body(cursor, tree)
    })
}

/// Opens a cursor, which is at no key yet: masstree_cursor_next will move it to the first key,
/// masstree_cursor_prev to the last.
///
/// @param tree    The tree.
/// @param guard   A guard of this tree, which the caller still owns and must leave only after
///                closing the cursor; or NULL: the cursor then has a guard of its own (see
///                masstree_cursor_refresh).
/// @param cursor  Receives the cursor, which the caller frees with masstree_cursor_close.
///
/// @retval MASSTREE_OK          *cursor is a new cursor.
/// @retval MASSTREE_INVALID     tree or cursor is NULL.
/// @retval MASSTREE_NOMEM       Out of memory.
/// @retval MASSTREE_WRONG_TREE  The guard belongs to another tree.
/// @retval MASSTREE_FORKED      The parent process created the tree, before a fork.
///
/// Thread safety: any thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_cursor_open(
    tree: *const TreeHandle,
    guard: *mut GuardHandle,
    cursor: *mut *mut CursorHandle,
) -> i32 {
    // SAFETY: as this function's contract.
    status_of(|| unsafe { open(tree, guard, None, Over::Keys, cursor) })
}

/// Closes and frees a cursor. NULL does nothing.
///
/// @param cursor  The cursor.
///
/// Thread safety: only the thread that currently uses the cursor. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_cursor_close(cursor: *mut CursorHandle) {
    // SAFETY: NULL or a live cursor, which no other thread uses.
    unsafe {
        let Some(handle) = NonNull::new(cursor) else {
            return;
        };
        // In a forked process the tree must not be touched.
        if handle.as_ref().tree().is_err() {
            return;
        }
        let &CursorHandle {
            pin,
            uses,
            versions,
            source,
            is_in_callers_memory,
            ..
        } = handle.as_ref();
        free_position(versions, source);
        match is_in_callers_memory {
            true => handle.drop_in_place(),
            false => source.drop_and_free(handle),
        }
        end(pin, uses, source);
    }
}

/// Refreshes the guard of a cursor that has a guard of its own, as masstree_guard_refresh does;
/// the cursor stays at its key. For cursors that are kept for long. Does nothing if the cursor
/// was opened with a guard: refresh that guard instead.
///
/// @param cursor  The cursor; NULL does nothing.
///
/// Thread safety: only the thread that currently uses the cursor. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_cursor_refresh(cursor: *mut CursorHandle) {
    // SAFETY: NULL or a live cursor, which no other thread uses; the guard is its own.
    unsafe {
        if let Some(cursor) = cursor.as_mut()
            && let GuardUsed::Own(slot) = cursor.uses
            && cursor.tree().is_ok()
        {
            cursor.cursor.detach();
            std::mem::ManuallyDrop::new(Guard::from_raw(slot)).refresh();
        }
    }
}

/// Returns the key that a cursor is at.
///
/// @param cursor  The cursor.
/// @param key     Receives the key, a slice of the cursor's memory, valid until the next call
///                that moves or closes the cursor. May be NULL.
///
/// @retval MASSTREE_OK         *key is the key, which another thread may have removed since.
/// @retval MASSTREE_NOT_FOUND  The cursor is at no key yet.
/// @retval MASSTREE_INVALID    cursor is NULL.
/// @retval MASSTREE_FORKED     The parent process created the tree, before a fork.
///
/// Thread safety: only the thread that currently uses the cursor. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_cursor_key(cursor: *mut CursorHandle, key: *mut Slice) -> i32 {
    // SAFETY: as this function's contract.
    unsafe {
        on_cursor(cursor, |handle, _| {
            let Some(bytes) = handle.key() else {
                return Ok(MASSTREE_NOT_FOUND);
            };
            write_output(key, Slice::of(bytes));
            Ok(MASSTREE_OK)
        })
    }
}

/// Returns the value of the key that a cursor is at.
///
/// @param cursor  The cursor.
/// @param value   Receives the value as it was when the cursor moved to the key; or, if the
///                guard was refreshed since, the current value. May be NULL.
///
/// @retval MASSTREE_OK          *value is the value.
/// @retval MASSTREE_NOT_FOUND   The cursor is at no key yet; or the key was removed before the
///                              guard was refreshed.
/// @retval MASSTREE_INVALID     cursor is NULL.
/// @retval MASSTREE_WRONG_KIND  The tree holds byte strings.
/// @retval MASSTREE_FORKED      The parent process created the tree, before a fork.
///
/// If the value is a pointer and the tree has a value destructor, the destructor is not called
/// for the value before the cursor's guard is refreshed or left.
///
/// Thread safety: only the thread that currently uses the cursor. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_cursor_value(cursor: *mut CursorHandle, value: *mut u64) -> i32 {
    // SAFETY: as this function's contract.
    unsafe {
        on_cursor(cursor, |handle, tree| {
            if !tree.holds(KindId::WORDS) {
                return Err(MASSTREE_WRONG_KIND);
            }
            let pin = handle.pin().ok_or(MASSTREE_WRONG_KIND)?;
            let Some(word) = handle.cursor.value(tree, pin) else {
                return Ok(MASSTREE_NOT_FOUND);
            };
            write_output(value, word);
            Ok(MASSTREE_OK)
        })
    }
}

/// Returns the value of the key that a cursor is at, in a tree of byte strings.
///
/// @param cursor  The cursor.
/// @param value   Receives the value, as in masstree_cursor_value: a slice of the tree's
///                memory, readable until the cursor's guard is refreshed or left. May be NULL.
///
/// @retval MASSTREE_OK          *value is the value.
/// @retval MASSTREE_NOT_FOUND   The cursor is at no key yet; or the key was removed before the
///                              guard was refreshed.
/// @retval MASSTREE_INVALID     cursor is NULL.
/// @retval MASSTREE_WRONG_KIND  The tree holds words.
/// @retval MASSTREE_FORKED      The parent process created the tree, before a fork.
///
/// Thread safety: only the thread that currently uses the cursor. Since 0.1.
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
            let pin = handle.pin().ok_or(MASSTREE_WRONG_KIND)?;
            let Some(word) = handle.cursor.value(tree, pin) else {
                return Ok(MASSTREE_NOT_FOUND);
            };
            write_output(value, Slice::of(tree.bytes_of(pin, word)));
            Ok(MASSTREE_OK)
        })
    }
}
