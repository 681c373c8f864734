//! Cursors over versions.

use std::ffi::c_void;

use super::read::Version;
use crate::ffi::boundary::{key_bytes, status_of, write_output};
use crate::ffi::handle::{GuardHandle, TreeHandle};
use crate::ffi::index::cursor::{CursorHandle, on_cursor};
use crate::ffi::index::cursor_move::{
    MASSTREE_SEEK_GE, MASSTREE_SEEK_GT, MASSTREE_SEEK_LE, MASSTREE_SEEK_LT,
};
use crate::ffi::index::cursor_open::{Over, Place, open};
use crate::ffi::status::*;
use crate::index::tree::Seek;

/// Opens a cursor over what a reader at a number sees. It moves as every cursor
/// (masstree_cursor_next, masstree_cursor_seek, ...), over keys with a value or a merge operand;
/// masstree_cursor_version returns that version. What it passes is consistent, as in
/// masstree_scan_at.
///
/// @param tree    The tree.
/// @param guard   As in masstree_cursor_open.
/// @param seqno   As in masstree_get_at. At MASSTREE_SEQNO_LATEST the cursor opens a snapshot, and
///                closes it when it is closed.
/// @param cursor  Receives the cursor, which the caller frees with masstree_cursor_close.
///
/// @retval MASSTREE_OK          *cursor is a new cursor.
/// @retval MASSTREE_INVALID     tree or cursor is NULL.
/// @retval MASSTREE_NOMEM       Out of memory.
/// @retval MASSTREE_WRONG_TREE  The guard belongs to another tree.
/// @retval MASSTREE_WRONG_KIND  The tree is not versioned.
/// @retval MASSTREE_FORKED      The parent process created the tree, before a fork.
///
/// Thread safety: any thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_cursor_open_at(
    tree: *const TreeHandle,
    guard: *mut GuardHandle,
    seqno: u64,
    cursor: *mut *mut CursorHandle,
) -> i32 {
    // SAFETY: as this function's contract.
    status_of(|| unsafe { open(tree, guard, None, Over::Visible(seqno), cursor) })
}

/// Opens a cursor as masstree_cursor_open_at does, in memory of the caller's, without allocating: see
/// masstree_cursor_open_in.
///
/// @param tree    The tree.
/// @param guard   As in masstree_cursor_open_in.
/// @param memory  As in masstree_cursor_open_in. A snapshot lies there, too.
/// @param size    As in masstree_cursor_open_in.
/// @param seqno   As in masstree_cursor_open_at.
/// @param cursor  As in masstree_cursor_open_in.
///
/// @retval MASSTREE_OK          *cursor is a new cursor.
/// @retval MASSTREE_INVALID     As in masstree_cursor_open_in.
/// @retval MASSTREE_NOMEM       Out of memory for a guard.
/// @retval MASSTREE_WRONG_TREE  The guard belongs to another tree.
/// @retval MASSTREE_WRONG_KIND  The tree is not versioned.
/// @retval MASSTREE_FORKED      The parent process created the tree, before a fork.
///
/// Thread safety: any thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_cursor_open_in_at(
    tree: *const TreeHandle,
    guard: *mut GuardHandle,
    memory: *mut c_void,
    size: usize,
    seqno: u64,
    cursor: *mut *mut CursorHandle,
) -> i32 {
    // SAFETY: as this function's contract.
    status_of(|| unsafe {
        let place = Place::new(memory, size);
        open(tree, guard, Some(place), Over::Visible(seqno), cursor)
    })
}

/// Opens a cursor over every version, tombstones among them, in the order of versions: by key
/// ascending, and those of a key by number descending. It moves as every cursor, from version to
/// version; masstree_cursor_seek moves to the newest version of a key or, with MASSTREE_SEEK_LE and
/// MASSTREE_SEEK_LT, to the oldest; masstree_cursor_seek_at to a key and a number.
///
/// @param tree    The tree.
/// @param guard   As in masstree_cursor_open.
/// @param since   Stop only at versions with greater numbers; 0: at all.
/// @param cursor  Receives the cursor, which the caller frees with masstree_cursor_close.
///
/// @retval MASSTREE_OK          *cursor is a new cursor.
/// @retval MASSTREE_INVALID     tree or cursor is NULL.
/// @retval MASSTREE_NOMEM       Out of memory.
/// @retval MASSTREE_WRONG_TREE  The guard belongs to another tree.
/// @retval MASSTREE_WRONG_KIND  The tree is not versioned.
/// @retval MASSTREE_FORKED      The parent process created the tree, before a fork.
///
/// Thread safety: any thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_cursor_open_versions(
    tree: *const TreeHandle,
    guard: *mut GuardHandle,
    since: u64,
    cursor: *mut *mut CursorHandle,
) -> i32 {
    // SAFETY: as this function's contract.
    status_of(|| unsafe { open(tree, guard, None, Over::Versions(since), cursor) })
}

/// Opens a cursor as masstree_cursor_open_versions does, in memory of the caller's, without allocating: see
/// masstree_cursor_open_in.
///
/// @param tree    The tree.
/// @param guard   As in masstree_cursor_open_in.
/// @param memory  As in masstree_cursor_open_in.
/// @param size    As in masstree_cursor_open_in.
/// @param since   As in masstree_cursor_open_versions.
/// @param cursor  As in masstree_cursor_open_in.
///
/// @retval MASSTREE_OK          *cursor is a new cursor.
/// @retval MASSTREE_INVALID     As in masstree_cursor_open_in.
/// @retval MASSTREE_NOMEM       Out of memory for a guard.
/// @retval MASSTREE_WRONG_TREE  The guard belongs to another tree.
/// @retval MASSTREE_WRONG_KIND  The tree is not versioned.
/// @retval MASSTREE_FORKED      The parent process created the tree, before a fork.
///
/// Thread safety: any thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_cursor_open_versions_in(
    tree: *const TreeHandle,
    guard: *mut GuardHandle,
    memory: *mut c_void,
    size: usize,
    since: u64,
    cursor: *mut *mut CursorHandle,
) -> i32 {
    // SAFETY: as this function's contract.
    status_of(|| unsafe {
        let place = Place::new(memory, size);
        open(tree, guard, Some(place), Over::Versions(since), cursor)
    })
}

/// Moves a cursor of masstree_cursor_open_versions to the version nearest to a key and a number, in
/// the order of versions: MASSTREE_SEEK_GE with the number s moves to the newest version of the key
/// at s or, if there is none, to the next key.
///
/// @param cursor   The cursor.
/// @param key      key_len bytes; NULL only if key_len is 0. May be the cursor's own key.
/// @param key_len  Length of the key in bytes, at most 2^32 - 1.
/// @param seqno    The number.
/// @param how      MASSTREE_SEEK_GE, MASSTREE_SEEK_GT, MASSTREE_SEEK_LE or MASSTREE_SEEK_LT.
///
/// @retval MASSTREE_OK            The cursor is at that version.
/// @retval MASSTREE_END           No such version exists; the cursor has not moved.
/// @retval MASSTREE_INVALID       cursor is NULL, key is NULL and key_len is not 0, or how is
///                                unknown.
/// @retval MASSTREE_NOMEM         Out of memory for the key's copy.
/// @retval MASSTREE_KEY_TOO_LONG  key_len exceeds 2^32 - 1.
/// @retval MASSTREE_WRONG_KIND    The cursor was opened by another function.
/// @retval MASSTREE_FORKED        The parent process created the tree, before a fork.
///
/// Thread safety: only the thread that currently uses the cursor. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_cursor_seek_at(
    cursor: *mut CursorHandle,
    key: *const c_void,
    key_len: usize,
    seqno: u64,
    how: u32,
) -> i32 {
    // SAFETY: as this function's contract.
    unsafe {
        on_cursor(cursor, |handle, _| {
            let key = key_bytes(key, key_len)?;
            let seek = match (how, seqno.checked_sub(1), seqno.checked_add(1)) {
                (MASSTREE_SEEK_GE, ..) => (Seek::AtLeast(key), Some(seqno)),
                (MASSTREE_SEEK_GT, Some(older), _) => (Seek::AtLeast(key), Some(older)),
                (MASSTREE_SEEK_GT, None, _) => (Seek::Above(key), None),
                (MASSTREE_SEEK_LE, ..) => (Seek::AtMost(key), Some(seqno)),
                (MASSTREE_SEEK_LT, _, Some(newer)) => (Seek::AtMost(key), Some(newer)),
                (MASSTREE_SEEK_LT, _, None) => (Seek::Below(key), None),
                _ => return Err(MASSTREE_INVALID),
            };
            let (position, pin) = handle.version_position()?;
            if !position.cursor.is_over_versions() {
                return Err(MASSTREE_WRONG_KIND);
            }
            position.go(pin, Some(seek), false)
        })
    }
}

/// Returns the version that a cursor is at.
///
/// @param cursor   A cursor of masstree_cursor_open_at or masstree_cursor_open_versions.
/// @param version  Receives the version; its value stays readable until the cursor's guard is
///                 refreshed or left. May be NULL.
///
/// @retval MASSTREE_OK          *version is the version.
/// @retval MASSTREE_NOT_FOUND   The cursor is at no version yet; or a trim has removed it before the
///                              guard was refreshed.
/// @retval MASSTREE_INVALID     cursor is NULL.
/// @retval MASSTREE_WRONG_KIND  The cursor was opened by another function.
/// @retval MASSTREE_FORKED      The parent process created the tree, before a fork.
///
/// Thread safety: only the thread that currently uses the cursor. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_cursor_version(
    cursor: *mut CursorHandle,
    version: *mut Version,
) -> i32 {
    // SAFETY: as this function's contract.
    unsafe {
        on_cursor(cursor, |handle, _| {
            let (position, pin) = handle.version_position()?;
            let Some(found) = position.version(pin) else {
                return Ok(MASSTREE_NOT_FOUND);
            };
            write_output(version, Version::of(found));
            Ok(MASSTREE_OK)
        })
    }
}
