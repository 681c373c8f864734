//! Moving cursors, by one key or by several.

use std::ffi::c_void;

use super::bytes::Slice;
use super::cursor::{CursorHandle, on_cursor};
use crate::ffi::boundary::{key_bytes, write_output};
use crate::ffi::status::*;
use crate::index::reclaim::Pinned;
use crate::index::tree::{Seek, Tree};
use crate::index::value::KindId;

/// Seek the first key that is greater than or equal to the given one.
pub const MASSTREE_SEEK_GE: u32 = 0;
/// Seek the first key that is greater than the given one.
pub const MASSTREE_SEEK_GT: u32 = 1;
/// Seek the last key that is less than or equal to the given one.
pub const MASSTREE_SEEK_LE: u32 = 2;
/// Seek the last key that is less than the given one.
pub const MASSTREE_SEEK_LT: u32 = 3;
/// Seek the first key; the given one is ignored.
pub const MASSTREE_SEEK_FIRST: u32 = 4;
/// Seek the last key; the given one is ignored.
pub const MASSTREE_SEEK_LAST: u32 = 5;

/// Converts what to seek from C.
#[inline]
pub(in crate::ffi) fn decode_seek(key: &[u8], how: u32) -> Result<Seek<'_>, i32> {
    Ok(match how {
        MASSTREE_SEEK_GE => Seek::AtLeast(key),
        MASSTREE_SEEK_GT => Seek::Above(key),
        MASSTREE_SEEK_LE => Seek::AtMost(key),
        MASSTREE_SEEK_LT => Seek::Below(key),
        MASSTREE_SEEK_FIRST => Seek::First,
        MASSTREE_SEEK_LAST => Seek::Last,
        _ => return Err(MASSTREE_INVALID),
    })
}

/// Returns the status of a move: `MASSTREE_OK`, or `MASSTREE_END` without a further key.
fn moved_status(found: bool) -> i32 {
    if found { MASSTREE_OK } else { MASSTREE_END }
}

/// Moves a cursor to the key nearest to a given one.
///
/// @param cursor   The cursor.
/// @param key      key_len bytes; NULL only if key_len is 0. May be the cursor's own key.
/// @param key_len  Length of the key in bytes, at most 2^32 - 1.
/// @param how      MASSTREE_SEEK_GE, MASSTREE_SEEK_GT, MASSTREE_SEEK_LE, MASSTREE_SEEK_LT,
///                 MASSTREE_SEEK_FIRST or MASSTREE_SEEK_LAST.
///
/// @retval MASSTREE_OK            The cursor is at that key.
/// @retval MASSTREE_END           No such key exists.
/// @retval MASSTREE_INVALID       cursor is NULL, key is NULL and key_len is not 0, or how is
///                                unknown.
/// @retval MASSTREE_NOMEM         Out of memory for the key's copy.
/// @retval MASSTREE_KEY_TOO_LONG  key_len exceeds 2^32 - 1.
/// @retval MASSTREE_FORKED        The parent process created the tree, before a fork.
/// @retval MASSTREE_TOO_OLD       The cursor reads at a number (masstree_cursor_open_at) that a
///                                trim has overtaken; the cursor may have moved.
///
/// Thread safety: only the thread that currently uses the cursor. Since 0.1.
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
            let seek = decode_seek(key, how)?;
            let Some(pin) = handle.pin() else {
                return handle.move_over_versions(Some(seek), false);
            };
            Ok(moved_status(handle.cursor.seek(tree, pin, seek)?))
        })
    }
}

/// Like masstree_cursor_seek, for an integer key (see masstree_get_u64).
///
/// @param cursor  The cursor.
/// @param key     The key.
/// @param how     As in masstree_cursor_seek.
///
/// @retval MASSTREE_OK       The cursor is at that key.
/// @retval MASSTREE_END      No such key exists.
/// @retval MASSTREE_INVALID  cursor is NULL, or how is unknown.
/// @retval MASSTREE_NOMEM    Out of memory for the key's copy.
/// @retval MASSTREE_FORKED   The parent process created the tree, before a fork.
/// @retval MASSTREE_TOO_OLD  The cursor reads at a number (masstree_cursor_open_at) that a trim
///                           has overtaken; the cursor may have moved.
///
/// Thread safety: only the thread that currently uses the cursor. Since 0.1.
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

/// Moves a cursor to the first key of the tree.
///
/// @param cursor  The cursor.
///
/// @retval MASSTREE_OK       The cursor is at the first key.
/// @retval MASSTREE_END      The tree is empty.
/// @retval MASSTREE_INVALID  cursor is NULL.
/// @retval MASSTREE_NOMEM    Out of memory for the key's copy.
/// @retval MASSTREE_FORKED   The parent process created the tree, before a fork.
/// @retval MASSTREE_TOO_OLD  The cursor reads at a number (masstree_cursor_open_at) that a trim
///                           has overtaken; the cursor may have moved.
///
/// Thread safety: only the thread that currently uses the cursor. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_cursor_first(cursor: *mut CursorHandle) -> i32 {
    // SAFETY: as this function's contract.
    unsafe {
        on_cursor(cursor, |handle, tree| {
            let Some(pin) = handle.pin() else {
                return handle.move_over_versions(Some(Seek::First), false);
            };
            Ok(moved_status(handle.cursor.seek(tree, pin, Seek::First)?))
        })
    }
}

/// Moves a cursor to the last key of the tree.
///
/// @param cursor  The cursor.
///
/// @retval MASSTREE_OK       The cursor is at the last key.
/// @retval MASSTREE_END      The tree is empty.
/// @retval MASSTREE_INVALID  cursor is NULL.
/// @retval MASSTREE_NOMEM    Out of memory for the key's copy.
/// @retval MASSTREE_FORKED   The parent process created the tree, before a fork.
/// @retval MASSTREE_TOO_OLD  The cursor reads at a number (masstree_cursor_open_at) that a trim
///                           has overtaken; the cursor may have moved.
///
/// Thread safety: only the thread that currently uses the cursor. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_cursor_last(cursor: *mut CursorHandle) -> i32 {
    // SAFETY: as this function's contract.
    unsafe {
        on_cursor(cursor, |handle, tree| {
            let Some(pin) = handle.pin() else {
                return handle.move_over_versions(Some(Seek::Last), false);
            };
            Ok(moved_status(handle.cursor.seek(tree, pin, Seek::Last)?))
        })
    }
}

/// Moves a cursor to the next greater key.
///
/// @param cursor  The cursor.
///
/// @retval MASSTREE_OK       The cursor is at the next key.
/// @retval MASSTREE_END      No further key exists; another thread may insert one later.
/// @retval MASSTREE_INVALID  cursor is NULL.
/// @retval MASSTREE_NOMEM    Out of memory for the key's copy.
/// @retval MASSTREE_FORKED   The parent process created the tree, before a fork.
/// @retval MASSTREE_TOO_OLD  The cursor reads at a number (masstree_cursor_open_at) that a trim
///                           has overtaken; the cursor may have moved.
///
/// Thread safety: only the thread that currently uses the cursor. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_cursor_next(cursor: *mut CursorHandle) -> i32 {
    // SAFETY: as this function's contract.
    unsafe {
        on_cursor(cursor, |handle, tree| {
            let Some(pin) = handle.pin() else {
                return handle.move_over_versions(None, false);
            };
            Ok(moved_status(handle.cursor.step(tree, pin, false)?))
        })
    }
}

/// Moves a cursor to the next smaller key.
///
/// @param cursor  The cursor.
///
/// @retval MASSTREE_OK       The cursor is at the previous key.
/// @retval MASSTREE_END      No further key exists; another thread may insert one later.
/// @retval MASSTREE_INVALID  cursor is NULL.
/// @retval MASSTREE_NOMEM    Out of memory for the key's copy.
/// @retval MASSTREE_FORKED   The parent process created the tree, before a fork.
/// @retval MASSTREE_TOO_OLD  The cursor reads at a number (masstree_cursor_open_at) that a trim
///                           has overtaken; the cursor may have moved.
///
/// Thread safety: only the thread that currently uses the cursor. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_cursor_prev(cursor: *mut CursorHandle) -> i32 {
    // SAFETY: as this function's contract.
    unsafe {
        on_cursor(cursor, |handle, tree| {
            let Some(pin) = handle.pin() else {
                return handle.move_over_versions(None, true);
            };
            Ok(moved_status(handle.cursor.step(tree, pin, true)?))
        })
    }
}

/// Moves by several keys, and stores the keys and values for the caller.
///
/// # Safety
/// `keys` is NULL or has room for `capacity` slices, `count` is NULL or writable, and `store`
/// may be called for each index.
unsafe fn many(
    handle: &mut CursorHandle,
    tree: &Tree,
    reverse: bool,
    keys: *mut Slice,
    capacity: usize,
    count: *mut usize,
    mut store: impl FnMut(Pinned<'static>, usize, u64),
) -> Result<i32, i32> {
    if capacity == 0 {
        return Err(MASSTREE_INVALID);
    }
    let pin = handle.pin().ok_or(MASSTREE_WRONG_KIND)?;
    let mut taken = 0;
    let take = |end, value| {
        if !keys.is_null() {
            // The buffer of keys may still move: store the end of the key for now.
            let slice = Slice {
                data: std::ptr::null(),
                len: end,
            };
            // SAFETY: by contract.
            unsafe { keys.add(taken).write(slice) };
        }
        store(pin, taken, value);
        taken += 1;
    };
    let moved = (handle.cursor).step_many(tree, pin, reverse, capacity, take)?;
    // SAFETY: NULL or writable by contract.
    unsafe { write_output(count, taken) };
    if !moved {
        return Ok(MASSTREE_END);
    }
    if !keys.is_null() {
        let bytes = handle.cursor.keys();
        let mut start = handle.cursor.first_start();
        // SAFETY: just written.
        for slice in unsafe { std::slice::from_raw_parts_mut(keys, taken) } {
            let end = slice.len;
            *slice = Slice::of(&bytes[start..end]);
            start = end;
        }
    }
    Ok(MASSTREE_OK)
}

/// `masstree_cursor_next_many` and `masstree_cursor_prev_many`.
///
/// # Safety
/// As `masstree_cursor_next_many`.
unsafe fn many_words(
    cursor: *mut CursorHandle,
    reverse: bool,
    keys: *mut Slice,
    values: *mut u64,
    capacity: usize,
    count: *mut usize,
) -> i32 {
    // SAFETY: as this function's contract.
    unsafe {
        on_cursor(cursor, |handle, tree| {
            if !tree.holds(KindId::WORDS) && !values.is_null() {
                return Err(MASSTREE_WRONG_KIND);
            }
            many(
                handle,
                tree,
                reverse,
                keys,
                capacity,
                count,
                |_, index, word| {
                    if !values.is_null() {
                        values.add(index).write(word);
                    }
                },
            )
        })
    }
}

/// `masstree_cursor_next_many_bytes` and `masstree_cursor_prev_many_bytes`.
///
/// # Safety
/// As `masstree_cursor_next_many_bytes`.
unsafe fn many_bytes(
    cursor: *mut CursorHandle,
    reverse: bool,
    keys: *mut Slice,
    values: *mut Slice,
    capacity: usize,
    count: *mut usize,
) -> i32 {
    // SAFETY: as this function's contract.
    unsafe {
        on_cursor(cursor, |handle, tree| {
            if !tree.holds_bytes() {
                return Err(MASSTREE_WRONG_KIND);
            }
            many(
                handle,
                tree,
                reverse,
                keys,
                capacity,
                count,
                |pin, index, word| {
                    if !values.is_null() {
                        values.add(index).write(Slice::of(tree.bytes_of(pin, word)));
                    }
                },
            )
        })
    }
}

/// Moves a cursor to the next greater key several times and stores the keys and values that it
/// passes. The cursor is then at the last of them.
///
/// @param cursor    The cursor.
/// @param keys      Receives the keys, in order: slices of the cursor's memory, valid until the
///                  next call that moves or closes the cursor. May be NULL.
/// @param values    Receives the values, as masstree_cursor_value returns them. May be NULL.
/// @param capacity  Length of the arrays `keys` and `values`, at least 1.
/// @param count     Receives the number of keys, also with MASSTREE_END (0); less than capacity
///                  at the end of the tree, or if memory runs out. May be NULL.
///
/// @retval MASSTREE_OK          *count is at least 1.
/// @retval MASSTREE_END         No greater key exists; another thread may insert one later.
/// @retval MASSTREE_INVALID     cursor is NULL, or capacity is 0.
/// @retval MASSTREE_NOMEM       Out of memory for the copy of the first key.
/// @retval MASSTREE_WRONG_KIND  The tree holds byte strings or versions, and values is not NULL;
///                              or it is a cursor over versions.
/// @retval MASSTREE_FORKED      The parent process created the tree, before a fork.
///
/// Thread safety: only the thread that currently uses the cursor. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_cursor_next_many(
    cursor: *mut CursorHandle,
    keys: *mut Slice,
    values: *mut u64,
    capacity: usize,
    count: *mut usize,
) -> i32 {
    // SAFETY: as this function's contract.
    unsafe { many_words(cursor, false, keys, values, capacity, count) }
}

/// Moves a cursor to the next smaller key several times; otherwise like
/// masstree_cursor_next_many.
///
/// @param cursor    The cursor.
/// @param keys      As in masstree_cursor_next_many.
/// @param values    As in masstree_cursor_next_many.
/// @param capacity  As in masstree_cursor_next_many.
/// @param count     As in masstree_cursor_next_many.
///
/// @retval MASSTREE_OK          *count is at least 1.
/// @retval MASSTREE_END         No smaller key exists; another thread may insert one later.
/// @retval MASSTREE_INVALID     cursor is NULL, or capacity is 0.
/// @retval MASSTREE_NOMEM       Out of memory for the copy of the first key.
/// @retval MASSTREE_WRONG_KIND  The tree holds byte strings or versions, and values is not NULL;
///                              or it is a cursor over versions.
/// @retval MASSTREE_FORKED      The parent process created the tree, before a fork.
///
/// Thread safety: only the thread that currently uses the cursor. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_cursor_prev_many(
    cursor: *mut CursorHandle,
    keys: *mut Slice,
    values: *mut u64,
    capacity: usize,
    count: *mut usize,
) -> i32 {
    // SAFETY: as this function's contract.
    unsafe { many_words(cursor, true, keys, values, capacity, count) }
}

/// Like masstree_cursor_next_many, for a tree of byte strings.
///
/// @param cursor    The cursor.
/// @param keys      As in masstree_cursor_next_many.
/// @param values    Receives the values, as masstree_cursor_value_bytes returns them. May be
///                  NULL.
/// @param capacity  As in masstree_cursor_next_many.
/// @param count     As in masstree_cursor_next_many.
///
/// @retval MASSTREE_OK          *count is at least 1.
/// @retval MASSTREE_END         No greater key exists; another thread may insert one later.
/// @retval MASSTREE_INVALID     cursor is NULL, or capacity is 0.
/// @retval MASSTREE_NOMEM       Out of memory for the copy of the first key.
/// @retval MASSTREE_WRONG_KIND  The tree holds words.
/// @retval MASSTREE_FORKED      The parent process created the tree, before a fork.
///
/// Thread safety: only the thread that currently uses the cursor. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_cursor_next_many_bytes(
    cursor: *mut CursorHandle,
    keys: *mut Slice,
    values: *mut Slice,
    capacity: usize,
    count: *mut usize,
) -> i32 {
    // SAFETY: as this function's contract.
    unsafe { many_bytes(cursor, false, keys, values, capacity, count) }
}

/// Like masstree_cursor_prev_many, for a tree of byte strings.
///
/// @param cursor    The cursor.
/// @param keys      As in masstree_cursor_next_many.
/// @param values    As in masstree_cursor_next_many_bytes.
/// @param capacity  As in masstree_cursor_next_many.
/// @param count     As in masstree_cursor_next_many.
///
/// @retval MASSTREE_OK          *count is at least 1.
/// @retval MASSTREE_END         No smaller key exists; another thread may insert one later.
/// @retval MASSTREE_INVALID     cursor is NULL, or capacity is 0.
/// @retval MASSTREE_NOMEM       Out of memory for the copy of the first key.
/// @retval MASSTREE_WRONG_KIND  The tree holds words.
/// @retval MASSTREE_FORKED      The parent process created the tree, before a fork.
///
/// Thread safety: only the thread that currently uses the cursor. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_cursor_prev_many_bytes(
    cursor: *mut CursorHandle,
    keys: *mut Slice,
    values: *mut Slice,
    capacity: usize,
    count: *mut usize,
) -> i32 {
    // SAFETY: as this function's contract.
    unsafe { many_bytes(cursor, true, keys, values, capacity, count) }
}
